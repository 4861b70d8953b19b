"""The choice between operations by number: written by `generate.py`."""

# fmt: off

from __future__ import annotations

from . import (
    activations,
    cells,
    columns,
    conditional,
    counts,
    densities,
    elementwise,
    flows,
    labels,
    latent,
    log_probs,
    mixtures,
    products,
    spreads,
    updates,
)
from .options import choice, doubles, longs

BETA, STEP_SIZE, ROOT, DECAY = range(4)
"""What changes from step to step: the columns of `scalars`."""

N_OPERANDS, N_CONSTANTS = 13, 4
"""The most that an operation has."""


@choice
def run(code, p, c, lo, hi, n_items, thread, sharing, scratch, step, order, noise, scalars, losses):
    """Run an operation of the loop's own; False where the steps are to end."""
    if code == 0:
        return updates.adam(theta=p[0], g=p[1], m=p[2], v=p[3], partial=p[4], parts=p[5], lo=lo,
            hi=hi, step_size=scalars[step, STEP_SIZE], beta1=c[0], beta2=c[1], eps=c[2],
            root=scalars[step, ROOT], decay=scalars[step, DECAY], most=c[3])
    elif code == 1:
        elementwise.add(a=p[0], b=p[1], out=p[2], lo=lo, hi=hi, n=p[3])
    elif code == 2:
        elementwise.add_doubles(a=p[0], b=p[1], out=p[2], n=p[3])
    elif code == 3:
        densities.bernoulli(logits=p[0], x=p[1], r=p[2], partial=p[3], lo=lo, hi=hi, samples=p[4],
            batch=p[5], thread=thread, scratch=scratch)
    elif code == 4:
        activations.bias_identity(a=p[0], b=p[1], h=p[2], s=p[3], lo=lo, hi=hi, n=p[4], c=c[0])
    elif code == 5:
        activations.bias_identity_backward(dh=p[0], kept=p[1], da=p[2], db=p[3], lo=lo, hi=hi,
            n=p[4], c=c[0])
    elif code == 6:
        activations.bias_relu(a=p[0], b=p[1], h=p[2], s=p[3], lo=lo, hi=hi, n=p[4], c=c[0])
    elif code == 7:
        activations.bias_relu_backward(dh=p[0], kept=p[1], da=p[2], db=p[3], lo=lo, hi=hi, n=p[4],
            c=c[0])
    elif code == 8:
        return updates.check(loss=p[0], second=p[1], third=p[2], losses=losses, step=step)
    elif code == 9:
        elementwise.fill(out=p[0], n=p[1], lo=lo, hi=hi, value=c[0])
    elif code == 10:
        elementwise.gather(source=p[0], kind=p[1], out=p[2], both=p[3], batch=p[4], width=p[5],
            lo=lo, hi=hi, n_items=n_items, order=order, step=step, divisor=c[0])
    elif code == 11:
        latent.gaussian_heads(stats=p[0], mu=p[1], logvar=p[2], lo=lo, hi=hi, n_items=n_items,
            n=p[3], low=c[0], high=c[1])
    elif code == 12:
        latent.gaussian_heads_backward(dmu=p[0], dlogvar=p[1], stats=p[2], d_stats=p[3], lo=lo,
            hi=hi, n_items=n_items, n=p[4], low=c[0], high=c[1])
    elif code == 13:
        latent.gaussian_kl(mu=p[0], logvar=p[1], kl=p[2], lo=lo, hi=hi, n=p[3])
    elif code == 14:
        latent.gaussian_kl_backward(dkl=p[0], mu=p[1], logvar=p[2], dmu=p[3], dlogvar=p[4], lo=lo,
            hi=hi, n=p[5])
    elif code == 15:
        updates.kl_loss(kl=p[0], d_kl=p[1], out=p[2], n_features=p[3], samples=p[4], batch=p[5],
            weights=p[6], beta=scalars[step, BETA], free_bits=c[0], group=c[1])
    elif code == 16:
        updates.mean_loss(log_px=p[0], d_log_px=p[1], rec=p[2], samples=p[3], batch=p[4],
            weights=p[5])
    elif code == 17:
        elementwise.noise(offset=p[0], out=p[1], n=p[2], stride=p[3], lo=lo, hi=hi,
            n_items=n_items, noise=noise, step=step)
    elif code == 18:
        updates.norm(g=p[0], partial=p[1], lo=lo, hi=hi, thread=thread, sharing=sharing)
    elif code == 19:
        products.product(a=p[0], a_row=p[1], a_k=p[2], b=p[3], b_k=p[4], c=p[5], c_row=p[6],
            n=p[7], k=p[8], lo=lo, hi=hi, scratch=scratch)
    elif code == 20:
        latent.reparameterise(mu=p[0], logvar=p[1], eps=p[2], z=p[3], std=p[4], lo=lo, hi=hi,
            samples=p[5], batch=p[6])
    elif code == 21:
        latent.reparameterise_backward(dz=p[0], std=p[1], eps=p[2], dmu=p[3], dlogvar=p[4], lo=lo,
            hi=hi, samples=p[5], batch=p[6])
    elif code == 22:
        updates.report(value=p[0], column=p[1], losses=losses, step=step)
    elif code == 23:
        densities.row_sums(partial=p[0], parts=p[1], out=p[2], n=p[3], factor=c[0])
    elif code == 24:
        updates.sampled_kl_loss(log_qz=p[0], log_pz=p[1], out=p[2], d_log_qz=p[3], d_log_pz=p[4],
            samples=p[5], batch=p[6], weights=p[7], beta=scalars[step, BETA], free_bits=c[0])
    elif code == 25:
        elementwise.scale_rows(d=p[0], r=p[1], out=p[2], lo=lo, hi=hi, n=p[3], factor=c[0],
            scratch=scratch)
    elif code == 26:
        elementwise.sum_rows(d=p[0], slope=p[1], out=p[2], lo=lo, hi=hi, n=p[3])
    elif code == 27:
        elementwise.transpose(source=p[0], out=p[1], lo=lo, hi=hi, rows=p[2], columns=p[3])
    elif code == 28:
        updates.weighted_loss(rec=p[0], kl=p[1], out=p[2], beta=scalars[step, BETA])
    return True


def activations_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        c = doubles(constants, N_CONSTANTS)
        if code == 0:
            activations.bias_elu(a=p[0], b=p[1], h=p[2], s=p[3], lo=lo, hi=hi, n=p[4], c=c[0])
        elif code == 1:
            activations.bias_elu_backward(dh=p[0], kept=p[1], da=p[2], db=p[3], lo=lo, hi=hi,
                n=p[4], c=c[0])
        elif code == 2:
            activations.bias_gelu(a=p[0], b=p[1], h=p[2], s=p[3], lo=lo, hi=hi, n=p[4], c=c[0])
        elif code == 3:
            activations.bias_gelu_backward(dh=p[0], kept=p[1], da=p[2], db=p[3], lo=lo, hi=hi,
                n=p[4], c=c[0])
        elif code == 4:
            activations.bias_leaky_relu(a=p[0], b=p[1], h=p[2], s=p[3], lo=lo, hi=hi, n=p[4],
                c=c[0])
        elif code == 5:
            activations.bias_leaky_relu_backward(dh=p[0], kept=p[1], da=p[2], db=p[3], lo=lo,
                hi=hi, n=p[4], c=c[0])
        elif code == 6:
            activations.bias_sigmoid(a=p[0], b=p[1], h=p[2], s=p[3], lo=lo, hi=hi, n=p[4], c=c[0])
        elif code == 7:
            activations.bias_sigmoid_backward(dh=p[0], kept=p[1], da=p[2], db=p[3], lo=lo, hi=hi,
                n=p[4], c=c[0])
        elif code == 8:
            activations.bias_silu(a=p[0], b=p[1], h=p[2], s=p[3], lo=lo, hi=hi, n=p[4], c=c[0])
        elif code == 9:
            activations.bias_silu_backward(dh=p[0], kept=p[1], da=p[2], db=p[3], lo=lo, hi=hi,
                n=p[4], c=c[0])
        elif code == 10:
            activations.bias_softplus(a=p[0], b=p[1], h=p[2], s=p[3], lo=lo, hi=hi, n=p[4], c=c[0])
        elif code == 11:
            activations.bias_softplus_backward(dh=p[0], kept=p[1], da=p[2], db=p[3], lo=lo, hi=hi,
                n=p[4], c=c[0])

    return perform


def beta_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        c = doubles(constants, N_CONSTANTS)
        counts.beta(theta=p[0], x=p[1], spread=p[2], by_entry=p[3], offset=p[4], r=p[5],
            slope=p[6], gates=p[7], partial=p[8], samples=p[9], batch=p[10], c0=c[0], c1=c[1],
            lo=lo, hi=hi, thread=thread, scratch=scratch)

    return perform


def bounds_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        c = doubles(constants, N_CONSTANTS)
        if code == 0:
            spreads.bounded(raw=p[0], out=p[1], lo=lo, hi=hi, n=p[2], low=c[0], high=c[1])
        elif code == 1:
            spreads.bounded_backward(d=p[0], raw=p[1], out=p[2], lo=lo, hi=hi, n=p[3], low=c[0],
                high=c[1])

    return perform


def cells_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        if code == 0:
            cells.cell_scores(x=p[0], knots=p[1], scores=p[2], ends=p[3], steps=p[4], out=p[5],
                lo=lo, hi=hi, n=p[6])
        elif code == 1:
            cells.cells(x=p[0], knots=p[1], scores=p[2], ends=p[3], steps=p[4], tails=p[5],
                low=p[6], high=p[7], width=p[8], offset=p[9], lo=lo, hi=hi, n=p[10])
        elif code == 2:
            cells.logistic_cells(location=p[0], low=p[1], high=p[2], width=p[3], offset=p[4],
                log_scale=p[5], by_entry=p[6], r=p[7], slope=p[8], partial=p[9], samples=p[10],
                batch=p[11], lo=lo, hi=hi, thread=thread, scratch=scratch)

    return perform


def columns_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        c = doubles(constants, N_CONSTANTS)
        if code == 0:
            columns.exposure(partial=p[0], parts=p[1], out=p[2], batch=p[3], library=c[0])
        elif code == 1:
            columns.feature_sums(x=p[0], weights=p[1], partial=p[2], lo=lo, hi=hi, n=p[3],
                thread=thread)
        elif code == 2:
            columns.filled(x=p[0], out=p[1], lo=lo, hi=hi, n=p[2])
        elif code == 3:
            columns.in_units(partial=p[0], parts=p[1], log_px=p[2], out=p[3], samples=p[4],
                batch=p[5])
        elif code == 4:
            columns.known(x=p[0], out=p[1], lo=lo, hi=hi, n=p[2])
        elif code == 5:
            columns.log_of_counts(x=p[0], out=p[1], lo=lo, hi=hi, n=p[2])
        elif code == 6:
            elementwise.repeat(source=p[0], out=p[1], lo=lo, hi=hi, n=p[2], times=p[3])
        elif code == 7:
            columns.standardised(x=p[0], mean=p[1], scale=p[2], out=p[3], lo=lo, hi=hi, n=p[4])
        elif code == 8:
            elementwise.sum_repeats(source=p[0], out=p[1], lo=lo, hi=hi, n=p[2], times=p[3])

    return perform


def conditional_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        if code == 0:
            conditional.gaussian_kl_between(mu=p[0], logvar=p[1], prior_mu=p[2], prior_logvar=p[3],
                kl=p[4], lo=lo, hi=hi, samples=p[5], batch=p[6])
        elif code == 1:
            conditional.gaussian_kl_between_backward(dkl=p[0], mu=p[1], logvar=p[2], prior_mu=p[3],
                prior_logvar=p[4], dmu=p[5], dlogvar=p[6], d_prior_mu=p[7], d_prior_logvar=p[8],
                lo=lo, hi=hi, samples=p[9], batch=p[10])
        elif code == 2:
            conditional.precision_weighted(mu=p[0], logvar=p[1], prior_mu=p[2], prior_logvar=p[3],
                mean=p[4], spread=p[5], lo=lo, hi=hi, samples=p[6], batch=p[7])
        elif code == 3:
            conditional.precision_weighted_backward(d_mean=p[0], d_spread=p[1], mu=p[2],
                logvar=p[3], prior_mu=p[4], prior_logvar=p[5], dmu=p[6], dlogvar=p[7],
                d_prior_mu=p[8], d_prior_logvar=p[9], lo=lo, hi=hi, samples=p[10], batch=p[11])

    return perform


def continuous_bernoulli_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        c = doubles(constants, N_CONSTANTS)
        spreads.continuous_bernoulli(theta=p[0], x=p[1], spread=p[2], by_entry=p[3], offset=p[4],
            r=p[5], slope=p[6], gates=p[7], partial=p[8], samples=p[9], batch=p[10], c0=c[0],
            c1=c[1], lo=lo, hi=hi, thread=thread, scratch=scratch)

    return perform


def gaussian_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        c = doubles(constants, N_CONSTANTS)
        if code == 0:
            densities.dot(a=p[0], b=p[1], out=p[2], n=p[3])
        elif code == 1:
            densities.gaussian(mean=p[0], x=p[1], log_scale=p[2], r=p[3], partial=p[4], lo=lo,
                hi=hi, samples=p[5], batch=p[6], inverse=c[0], thread=thread, scratch=scratch)
        elif code == 2:
            densities.gaussian_sums(partial=p[0], parts=p[1], log_px=p[2], slope=p[3], n=p[4],
                log_scale=p[5], known_scale=c[0])

    return perform


def gaussian_scaled_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        c = doubles(constants, N_CONSTANTS)
        spreads.gaussian_scaled(theta=p[0], x=p[1], spread=p[2], by_entry=p[3], offset=p[4],
            r=p[5], slope=p[6], gates=p[7], partial=p[8], samples=p[9], batch=p[10], c0=c[0],
            c1=c[1], lo=lo, hi=hi, thread=thread, scratch=scratch)

    return perform


def labels_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        if code == 0:
            labels.categorical(logits=p[0], x=p[1], starts=p[2], r=p[3], partial=p[4], lo=lo,
                hi=hi, samples=p[5], batch=p[6], thread=thread, scratch=scratch)
        elif code == 1:
            labels.one_hot(x=p[0], places=p[1], out=p[2], lo=lo, hi=hi, n=p[3])

    return perform


def laplace_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        c = doubles(constants, N_CONSTANTS)
        spreads.laplace(theta=p[0], x=p[1], spread=p[2], by_entry=p[3], offset=p[4], r=p[5],
            slope=p[6], gates=p[7], partial=p[8], samples=p[9], batch=p[10], c0=c[0], c1=c[1],
            lo=lo, hi=hi, thread=thread, scratch=scratch)

    return perform


def log_probs_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        c = doubles(constants, N_CONSTANTS)
        if code == 0:
            log_probs.gaussian_log_prob(z=p[0], mu=p[1], logvar=p[2], partial=p[3], lo=lo, hi=hi,
                samples=p[4], batch=p[5], thread=thread, scratch=scratch)
        elif code == 1:
            log_probs.gaussian_log_prob_backward(d=p[0], z=p[1], mu=p[2], logvar=p[3], dz=p[4],
                dmu=p[5], dlogvar=p[6], lo=lo, hi=hi, samples=p[7], batch=p[8], scratch=scratch)
        elif code == 2:
            log_probs.importance_weights(log_px=p[0], log_pz=p[1], log_qz=p[2], shares=p[3],
                samples=p[4], batch=p[5])
        elif code == 3:
            updates.iwae(log_px=p[0], log_pz=p[1], log_qz=p[2], loss=p[3], rec=p[4], kl=p[5],
                d_log_px=p[6], d_log_qz=p[7], samples=p[8], batch=p[9], weights=p[10])
        elif code == 4:
            updates.power_means(log_px=p[0], log_pz=p[1], log_qz=p[2], loss=p[3], rec=p[4],
                kl=p[5], d_log_px=p[6], d_log_qz=p[7], samples=p[8], batch=p[9], weights=p[10],
                power=c[0], groups=c[1], share=c[2])
        elif code == 5:
            log_probs.standard_normal_log_prob(z=p[0], partial=p[1], lo=lo, hi=hi, n=p[2],
                thread=thread, scratch=scratch)
        elif code == 6:
            elementwise.scale_rows(d=p[0], r=p[1], out=p[2], lo=lo, hi=hi, n=p[3], factor=c[0],
                scratch=scratch)

    return perform


def mixtures_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        if code == 0:
            mixtures.mixture(z=p[0], mu=p[1], logvar=p[2], by_component=p[3], by_dimension=p[4],
                logits=p[5], log_p=p[6], r=p[7], lo=lo, hi=hi, z_dim=p[8], components=p[9],
                n=p[10], scratch=scratch)
        elif code == 1:
            mixtures.mixture_backward(d=p[0], z=p[1], mu=p[2], logvar=p[3], by_component=p[4],
                by_dimension=p[5], r=p[6], dz=p[7], dmu=p[8], dlogvar=p[9], lo=lo, hi=hi,
                z_dim=p[10], components=p[11], n=p[12], scratch=scratch)
        elif code == 2:
            mixtures.mixture_logits(d=p[0], r=p[1], logits=p[2], out=p[3], lo=lo, hi=hi,
                components=p[4], n=p[5])

    return perform


def negative_binomial_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        c = doubles(constants, N_CONSTANTS)
        counts.negative_binomial(theta=p[0], x=p[1], spread=p[2], by_entry=p[3], offset=p[4],
            r=p[5], slope=p[6], gates=p[7], partial=p[8], samples=p[9], batch=p[10], c0=c[0],
            c1=c[1], lo=lo, hi=hi, thread=thread, scratch=scratch)

    return perform


def ordinal_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        if code == 0:
            labels.ordinal_logits(eta=p[0], cuts=p[1], starts=p[2], out=p[3], lo=lo, hi=hi, n=p[4])
        elif code == 1:
            labels.ordinal_logits_backward(d=p[0], eta=p[1], cuts=p[2], starts=p[3], d_eta=p[4],
                d_cuts=p[5], lo=lo, hi=hi, n=p[6])

    return perform


def planar_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        if code == 0:
            flows.planar(z=p[0], w=p[1], u=p[2], b=p[3], out=p[4], change=p[5], n=p[6],
                n_features=p[7], scratch=scratch)
        elif code == 1:
            flows.planar_backward(dz=p[0], d=p[1], z=p[2], w=p[3], u=p[4], b=p[5], out=p[6],
                dw=p[7], du=p[8], db=p[9], n=p[10], n_features=p[11], scratch=scratch)

    return perform


def poisson_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        c = doubles(constants, N_CONSTANTS)
        counts.poisson(theta=p[0], x=p[1], spread=p[2], by_entry=p[3], offset=p[4], r=p[5],
            slope=p[6], gates=p[7], partial=p[8], samples=p[9], batch=p[10], c0=c[0], c1=c[1],
            lo=lo, hi=hi, thread=thread, scratch=scratch)

    return perform


def stretched_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        if code == 0:
            flows.stretched(z=p[0], shift=p[1], raw=p[2], out=p[3], change=p[4], n=p[5],
                n_features=p[6])
        elif code == 1:
            flows.stretched_backward(dz=p[0], d=p[1], z=p[2], raw=p[3], out=p[4], d_raw=p[5],
                n=p[6], n_features=p[7])

    return perform


def student_t_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        c = doubles(constants, N_CONSTANTS)
        spreads.student_t(theta=p[0], x=p[1], spread=p[2], by_entry=p[3], offset=p[4], r=p[5],
            slope=p[6], gates=p[7], partial=p[8], samples=p[9], batch=p[10], c0=c[0], c1=c[1],
            lo=lo, hi=hi, thread=thread, scratch=scratch)

    return perform


def tanh_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        c = doubles(constants, N_CONSTANTS)
        if code == 0:
            activations.bias_tanh(a=p[0], b=p[1], h=p[2], s=p[3], lo=lo, hi=hi, n=p[4], c=c[0])
        elif code == 1:
            activations.bias_tanh_backward(dh=p[0], kept=p[1], da=p[2], db=p[3], lo=lo, hi=hi,
                n=p[4], c=c[0])

    return perform


def zero_inflated_negative_binomial_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
        c = doubles(constants, N_CONSTANTS)
        counts.zero_inflated_negative_binomial(theta=p[0], x=p[1], spread=p[2], by_entry=p[3],
            offset=p[4], r=p[5], slope=p[6], gates=p[7], partial=p[8], samples=p[9], batch=p[10],
            c0=c[0], c1=c[1], lo=lo, hi=hi, thread=thread, scratch=scratch)

    return perform


LIBRARIES = {
    "activations": activations_library,
    "beta": beta_library,
    "bounds": bounds_library,
    "cells": cells_library,
    "columns": columns_library,
    "conditional": conditional_library,
    "continuous_bernoulli": continuous_bernoulli_library,
    "gaussian": gaussian_library,
    "gaussian_scaled": gaussian_scaled_library,
    "labels": labels_library,
    "laplace": laplace_library,
    "log_probs": log_probs_library,
    "mixtures": mixtures_library,
    "negative_binomial": negative_binomial_library,
    "ordinal": ordinal_library,
    "planar": planar_library,
    "poisson": poisson_library,
    "stretched": stretched_library,
    "student_t": student_t_library,
    "tanh": tanh_library,
    "zero_inflated_negative_binomial": zero_inflated_negative_binomial_library,
}
