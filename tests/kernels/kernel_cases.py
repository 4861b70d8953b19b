"""One entry per kernel: its arguments, their shapes, and how exact it must be.

A new kernel gets its entry in `KERNELS` here, and with it every test in this folder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import special
from scipy.special import digamma, expit, ndtr

from npvae import kernels

Array = np.ndarray
Sizes = dict[str, int]


@dataclass(frozen=True)
class Kernel:
    """How to call a kernel and how to judge its outputs.

    Attributes
    ----------
    shapes : argument name to axes, such as ``{"logits": "KBD"}``
    constants : the arguments that are no arrays, or functions of the sizes that give them
    ulp : the greatest error of a float32 result, in units in the last place of its scale
    scales : the magnitude of what each output sums or subtracts, where that is more than the
        output itself; called with the arguments in float64
    domain : maps any number to one that the argument can hold
    wide : arguments that are float64 whatever the others are: gradients of float64 sums
    writes : arguments that are updated in place
    hides : arguments of which NaN may get lost, since they only choose a branch, or since it is an
        entry that is missing
    doubles : whether its outputs are float64 whatever comes in
    needs_rows : whether it has no value for a batch of no rows
    """

    shapes: dict[str, str]
    ulp: float
    constants: dict[str, Any] = field(default_factory=dict)
    scales: Callable[..., tuple[Array | None, ...]] | None = None
    domain: dict[str, Callable[[Array], Array]] = field(default_factory=dict)
    wide: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    hides: tuple[str, ...] = ()
    doubles: bool = False
    needs_rows: bool = False

    def call(self, name: str, arrays: dict[str, Array], n: Sizes) -> list[Any]:
        """The kernel's outputs, or the arrays that it updates."""
        constants = {c: v(n) if callable(v) else v for c, v in self.constants.items()}
        outputs = getattr(kernels, name)(*arrays.values(), *constants.values())
        if self.writes:
            assert outputs is None
            return [arrays[a] for a in self.writes]
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return [np.atleast_1d(output) for output in outputs]


def sizes(batch: int = 7, samples: int = 3, width: int = 37) -> Sizes:
    """A length for each axis; the standard ones are multiples of no vector register's width."""
    latent, context = (width + 1) // 2, min(width, 3)
    return {
        "B": batch, "K": samples, "R": batch * samples, "D": width, "H": width, "I": width,
        "O": width // 2, "Z": latent, "S": 2 * latent, "C": context, "Y": width + context,
        "N": batch * width, "P": 2 * width, "T": 3 * width, "M": 4, "1": 1,
        "E": 5, "F": 4, "G": 3, "J": 2, "U": 3, "V": 2,  # images, taps, and the places of these
        "W": 3 * latent,  # of variables with three classes each
        "Q": 3, "L": 3 * samples, "X": latent + 1, "A": width + 3,  # classes
    }  # fmt: skip


def grid(x: Array) -> Array:
    """Multiples of 1/64: a + b is then exact, and the error that remains is the kernel's own."""
    return np.round(64 * x) / 64


def positive(x: Array) -> Array:
    return np.abs(x) / 4


def constant(x: Array) -> Array:
    """The same numbers where nobody can write to them: a step may hold them as they are."""
    x = x.copy()
    x.flags.writeable = False
    return x


def unit(x: Array) -> Array:
    return np.abs(x) % 1.125 / 1.125


def inside(x: Array) -> Array:
    """In (0, 1), and not so near to 1 that 1 - x has few digits."""
    return (np.abs(x) % 1 + 0.01) / 1.02


def counts(x: Array) -> Array:
    return np.round(np.abs(x))


def gentle(x: Array) -> Array:
    """The logarithm of a rate or of a dispersion that is between a hundredth and a hundred."""
    return np.clip(x / 4, -4.5, 4.5)


def off_zero(x: Array) -> Array:
    """Gentle, and of a size by whose square one can divide."""
    return np.copysign(np.abs(gentle(x)) + 0.05, x)


def elu_range(x: Array) -> Array:
    return np.where(x > 0, x, np.expm1(-np.abs(x)))


def bias_sum(dh: Array, *_: Any) -> tuple[None, Array]:
    """For the backwards (da, db) of |f'| at most about 1: db is a sum of terms of either sign."""
    return None, np.abs(dh).sum(0)


def gelu_terms(a: Array, b: Array) -> tuple[Array, None]:
    """exp(-s²/2) magnifies the rounding of s² by s²/2."""
    s = a + b
    return np.abs(s) * ndtr(s) * (1 + s * s), None


def gelu_backward_terms(dh: Array, s: Array) -> tuple[Array, Array]:
    density = np.exp(-s * s / 2) / np.sqrt(2 * np.pi)
    da = np.abs(dh) * (ndtr(s) + np.abs(s) * density) * (1 + s * s)
    return da, da.sum(0)


def silu_backward_terms(dh: Array, s: Array) -> tuple[Array, Array]:
    da = np.abs(dh) * expit(s) * (1 + np.abs(s))
    return da, da.sum(0)


def bernoulli_terms(logits: Array, x: Array) -> tuple[Array, Array]:
    terms = np.abs(x * logits) + np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))
    return terms.sum(-1), np.ones_like(logits)


def gaussian_terms(mean: Array, x: Array, scale: float) -> tuple[Array, None]:
    u = (x - mean) / scale
    return 0.5 * (u * u + abs(np.log(scale)) + np.log(2 * np.pi)).sum(-1), None


def gaussian_learnt_terms(mean: Array, x: Array, log_scale: Array) -> tuple[Array, Array, Array]:
    """exp magnifies the rounding of its argument by the argument."""
    worst = 1 + np.abs(log_scale)
    r = np.abs(x - mean) * np.exp(-2 * log_scale) * worst
    square = ((x - mean) ** 2 * np.exp(-2 * log_scale)).sum(-1) * worst
    constant = x.shape[-1] * (np.abs(log_scale) + 1)
    return square / 2 + constant, r, square + x.shape[-1]


def reparameterise_backward_terms(dz: Array, std: Array, eps: Array) -> tuple[Array, Array, None]:
    return np.abs(dz).sum(0), 0.5 * np.abs(std) * np.abs(dz * eps).sum(0), None


def log_prob_terms(z: Array, mu: Array, logvar: Array) -> tuple[Array]:
    u2 = (np.abs(z) + np.abs(mu)) ** 2 * np.exp(-logvar)
    return (0.5 * (u2 * (1 + np.abs(logvar)) + np.abs(logvar) + 2).sum(-1),)


def log_prob_backward_terms(d: Array, z: Array, mu: Array, logvar: Array) -> tuple[Array, ...]:
    d, u = np.abs(d)[..., None], (np.abs(z) + np.abs(mu)) * np.exp(-logvar / 2)
    worst = 1 + np.abs(logvar)
    dz = d * u * np.exp(-logvar / 2) * worst
    return dz, dz.sum(0), (0.5 * d * (u * u * worst + 1)).sum(0)


TWO_GAUSSIANS = dict(mu="BZ", logvar="BZ", prior_mu="KBZ", prior_logvar="KBZ")


def bent(logvar: Array) -> Array:
    """Where a posterior's heads keep it."""
    return np.clip(logvar, -20, 20)


BENT = dict(logvar=bent, prior_logvar=bent)


def between_terms(mu: Array, logvar: Array, prior_mu: Array, prior_logvar: Array) -> tuple[Array]:
    u2 = (np.abs(mu) + np.abs(prior_mu)) ** 2 * np.exp(-prior_logvar) * (1 + np.abs(prior_logvar))
    w = np.abs(logvar) + np.abs(prior_logvar)
    return (0.5 * (u2 + np.exp(logvar - prior_logvar) * (1 + w) + 1 + w),)


def between_backward_terms(
    dkl: Array, mu: Array, logvar: Array, prior_mu: Array, prior_logvar: Array
) -> tuple[Array, ...]:
    d, apart = np.abs(dkl), np.abs(mu) + np.abs(prior_mu)
    precision = np.exp(-prior_logvar) * (1 + np.abs(prior_logvar))
    w = np.abs(logvar) + np.abs(prior_logvar)
    dmu = d * apart * precision
    dlogvar = 0.5 * d * (np.exp(logvar - prior_logvar) * (1 + w) + 1)
    return dmu.sum(0), dlogvar.sum(0), dmu, dlogvar + 0.5 * d * apart**2 * precision


def weighted_terms(
    mu: Array, logvar: Array, prior_mu: Array, prior_logvar: Array
) -> tuple[Array, Array]:
    w = np.abs(logvar) + np.abs(prior_logvar)
    share = expit(prior_logvar - logvar) * (1 + w)
    return np.abs(prior_mu) + share * (np.abs(mu) + np.abs(prior_mu)), w + 1


def weighted_backward_terms(
    d_mean: Array,
    d_spread: Array,
    mu: Array,
    logvar: Array,
    prior_mu: Array,
    prior_logvar: Array,
) -> tuple[Array, ...]:
    w = 1 + np.abs(logvar) + np.abs(prior_logvar)
    share, rest = w * expit(prior_logvar - logvar), w * expit(logvar - prior_logvar)
    d, s = np.abs(d_mean), np.abs(d_spread)
    turned = d * (np.abs(mu) + np.abs(prior_mu)) * share * rest
    own, prior = s * share + turned, s * rest + turned
    return (d * share).sum(0), own.sum(0), d * rest, prior


def mixture_terms(z: Array, mu: Array, logvar: Array, logits: Array) -> tuple[Array, Array]:
    """Of the worst component: what is lost there is the responsibilities' relative error."""
    pairs = zip(mu, logvar, strict=True)
    worst = np.max([log_prob_terms(z, m, v)[0] for m, v in pairs], axis=0)
    worst = worst + 2 * np.abs(logits).max() + 2
    return worst, np.broadcast_to((1 + worst)[..., None], (*worst.shape, len(mu)))


def mixture_backward_terms(
    d: Array, z: Array, mu: Array, logvar: Array, logits: Array, r: Array
) -> tuple[Array, ...]:
    d = np.abs(d)
    dz, dmu, dlogvar = 0.0, [], []
    for m in range(len(mu)):
        terms = log_prob_backward_terms(d * r[..., m], z, mu[m], logvar[m])
        dz = dz + terms[0]
        dmu.append(terms[1].sum(0))
        dlogvar.append(terms[2].sum(0))
    dlogits = (d[..., None] * (r + 1)).sum((0, 1)) * (1 + np.abs(logits).max())
    return dz, np.array(dmu), np.array(dlogvar), dlogits


def decomposed_terms(
    log_qz: Array, log_pz: Array, z: Array, mu: Array, logvar: Array, alpha: float, beta: float,
    gamma: float, n_data: None, weights: None,
) -> tuple[Array, ...]:  # fmt: skip
    """What rounding leaves of a density is the relative error of its shares."""
    u = (z[:, :, None] - mu) * np.exp(-0.5 * logvar)  # (K, B, B, Z)
    density = -0.5 * (u**2 + logvar + np.log(2 * np.pi))
    shares = np.exp(density - special.logsumexp(density, axis=2, keepdims=True))
    joint = density.sum(-1, keepdims=True)
    shares_of_all = np.exp(joint - special.logsumexp(joint, axis=2, keepdims=True))
    far = 2 + 2 * (np.abs(density) + np.abs(u * z[:, :, None])).sum(-1).max(initial=0)
    g = far * (abs(beta - alpha) * shares_of_all + abs(gamma - beta) * shares) / log_qz.size
    inverse = np.exp(-0.5 * logvar)
    near = np.abs(u) + (np.abs(z[:, :, None]) + np.abs(mu)) * inverse
    sums = np.full(1, far + np.abs(log_qz).mean() + np.abs(log_pz).mean())
    slopes = np.ones_like(log_qz) / log_qz.size
    of_rows = (g * near * inverse).sum((0, 1)), (g * (near**2 + 1)).sum((0, 1))
    return *[4 * sums] * 5, slopes, slopes, (g * near * inverse).sum(2), *of_rows


def heads_terms(stats: Array, low: float, high: float) -> tuple[None, Array]:
    raw = stats[..., stats.shape[-1] // 2 :]
    return None, np.clip(np.abs(raw), 1, 20)


def heads_backward_terms(
    dmu: Array, dlogvar: Array, stats: Array, low: float, high: float
) -> tuple[Array]:
    raw = np.abs(stats[..., stats.shape[-1] // 2 :])
    draw = np.abs(dlogvar) * np.exp(-np.maximum(raw - high, 0)) * (1 + raw)
    return (np.concatenate([np.abs(dmu), draw], axis=-1),)


def adam_terms(theta, g, m, v, step_size, beta1, beta2, eps, root, decay):
    m_terms = np.abs(beta1 * m) + np.abs((1 - beta1) * g)
    v_new = beta2 * v + (1 - beta2) * g * g
    return np.abs(theta) + step_size * m_terms / (np.sqrt(v_new) / root + eps), m_terms, None


def tilt_terms(logits: Array, x: Array) -> tuple[Array, Array]:
    return (np.abs(x * logits) + np.abs(logits) + 1).sum(-1), np.ones_like(logits)


def scaled_terms(location: Array, x: Array, log_scale: Array, *_: float) -> tuple[Array, ...]:
    """Of the densities of u = (x - location) exp(-log_scale), at most the Gaussian's in each."""
    worst, inverse = 1 + np.abs(log_scale), np.exp(-log_scale)
    u = np.abs(x - location) * inverse
    square = 1 + u * u
    return (square * worst).sum(-1), (1 + u) * inverse * worst, square * worst


def student_terms(mean: Array, x: Array, log_scale: Array, df: float) -> tuple[Array, ...]:
    inverse, worst = np.exp(-log_scale), 1 + np.abs(log_scale)
    u = np.abs(x - mean) * inverse
    log_p = (1 + df) * (1 + np.log1p(u * u / df)) * worst
    slope = 1 + (df + 1) * u * u / (df + u * u)
    return log_p.sum(-1), (df + 1) * u * inverse / (df + u * u) * worst, slope * worst


def poisson_terms(log_rate: Array, x: Array, library: float) -> tuple[Array, Array]:
    r = (x + np.exp(log_rate)) * (1 + np.abs(log_rate))
    return (r + x * np.log1p(x) + 1).sum(-1), r


def negative_binomial_terms(
    log_mean: Array, x: Array, log_dispersion: Array, library: float
) -> tuple[Array, Array, Array]:
    size, worst = np.exp(log_dispersion), 1 + np.abs(log_mean) + np.abs(log_dispersion)
    share = expit(log_mean - log_dispersion)
    r = (x * (1 - share) + size * share) * worst
    w = np.abs(np.log1p(x / size) - np.logaddexp(0, log_mean - log_dispersion))
    gap = np.log(size) - digamma(size)
    slope = size * (gap + w + np.expm1(w)) * worst
    return (r + slope + np.log1p(x) + worst).sum(-1), r, slope


def zero_inflated_terms(heads: Array, *others: Any) -> tuple[Array, Array, Array]:
    log_mean, gate = np.split(heads, 2, axis=-1)
    _, r, slope = negative_binomial_terms(log_mean, *others)
    whole = r + slope + np.log1p(others[0]) + np.abs(log_mean) + np.abs(others[1]) + np.abs(gate)
    return (whole + 1).sum(-1), np.concatenate([r + whole + 1, whole + 1], -1), slope + whole + 1


def beta_terms(logits: Array, x: Array, log_concentration: Array) -> tuple[Array, Array, Array]:
    whole, m = np.exp(log_concentration), expit(logits)
    v, w = np.abs(np.log(x / m)), np.abs(np.log1p(-x) - np.log1p(-m))
    gap_a = np.log(whole * m) - digamma(whole * m)
    gap_b = np.log(whole * (1 - m)) - digamma(whole * (1 - m))
    worst = 1 + np.abs(logits) + np.abs(log_concentration)
    slope = (1 + whole * (x + m * (1 + v + gap_a) + (1 - m) * (1 + w + gap_b))) * worst
    log_p = slope - np.log(x) - np.log1p(-x) + worst
    return log_p.sum(-1), (1 + whole * m * (1 - m) * (v + w + gap_a + gap_b)) * worst, slope


def part_of_one(x: Array) -> Array:
    """How much a label is known to be a class: of three classes at most 1 together."""
    return unit(x) / 3


def by_class_terms(x: Array, W: Array, copies: int) -> tuple[Array]:
    return (kernels.linear_by_class(np.abs(x), np.abs(W), copies),)


def over_labels_terms(
    log_px: Array, kl: Array, logits: Array, known: Array, alpha: float
) -> tuple[Array, Array]:
    """exp magnifies the rounding of the logits by their range; log p and KL are weighted by it."""
    worst = 2 + 2 * np.abs(logits).max(-1)
    log_p, shares = np.abs(log_px), (len(log_px) // known.shape[1], known.shape[1], len(known))
    of_x = log_p.reshape(shares).sum(1) * worst + worst
    of_z = np.abs(kl).reshape(*shares, kl.shape[-1]).sum(1) * worst[:, None]
    return of_x, np.concatenate([of_z, np.broadcast_to(worst, of_x.shape)[..., None]], -1)


def over_labels_backward_terms(
    d_log_px: Array,
    d_kl: Array,
    log_px: Array,
    kl: Array,
    logits: Array,
    known: Array,
    alpha: float,
) -> tuple[Array, Array, Array]:
    shares = (len(log_px) // known.shape[1], known.shape[1], len(known))
    worst, d_x = 2 + 2 * np.abs(logits).max(-1), np.abs(d_log_px)[:, None]
    d_z, d_y = np.abs(d_kl[..., :-1])[:, None], np.abs(d_kl[..., -1])
    each = d_z * np.abs(kl).reshape(*shares, kl.shape[-1])
    dr = (d_x * np.abs(log_px).reshape(shares)).sum((0, 1)) + each.sum((0, 1, -1))
    d_logits = (dr + (d_y * worst + d_x[:, 0]).sum(0)) * worst
    d_each = np.broadcast_to(d_x * worst, (len(d_x), *shares[1:])).reshape(log_px.shape)
    d_each_kl = np.broadcast_to(d_z * worst[:, None], each.shape).reshape(kl.shape)
    return d_each, d_each_kl, np.repeat(d_logits[:, None], known.shape[1], 1)


def groups(n: Sizes) -> tuple[int, ...]:
    """D columns as a large group and small ones."""
    small = n["D"] // 4
    return tuple(s for s in (small, n["D"] - 2 * small, small) if s)


def every_other(n: Sizes) -> tuple[int, ...]:
    """Columns of D, in no order that a slice has."""
    return (*range(1, n["D"], 2), *range(0, n["D"], 2))


def ordinal_terms(eta: Array, cuts: Array) -> Array:
    """Of each log-probability: |η|, the cutpoints, and the digits that small gaps lose in 1 - e."""
    spread = 1 + np.abs(cuts[::2]) + np.exp(cuts[1::2]) + np.abs(cuts[1::2])
    return np.repeat(np.abs(eta) + spread, 3, axis=-1)


def ordinal_backward_terms(d: Array, eta: Array, cuts: Array, sizes: Any) -> tuple[Array, Array]:
    slack = 1 + np.abs(eta) + np.abs(cuts[::2]) + np.exp(cuts[1::2])
    triple = np.abs(d).reshape(*eta.shape, 3).sum(-1) * slack
    whole = triple.sum((0, 1))
    return triple, np.stack([whole, whole * (1 + np.exp(cuts[1::2]))], -1).ravel()


def knots(n: Sizes) -> tuple[Array, Array, Array]:
    """Marginals that start with an atom, go through one, and are rounded in every other column."""
    x, y = np.array([-1.0, -1.0, 0.5, 0.5, 2.5]), np.array([-1.5, -0.5, 0.25, 0.5, 1.5])
    steps = np.where(np.arange(n["D"]) % 2, 0.5, 0.0)
    whole = np.array([-1.25, -0.75, 0.25, 0.75, 2.75])
    lines, scores = np.where(steps[:, None] > 0, whole, x), np.tile(y, (n["D"], 1)).copy()
    for array in (lines, scores, steps):
        array.flags.writeable = False  # constants, for a step that is recorded
    return lines, scores, steps


def tails(n: Sizes) -> Array:
    """Of two columns of three."""
    rows = np.tile([0.5, 0.25, 0.1, 2.0, 1.5, 0.3], (n["D"], 1)).copy()
    rows[::3, 2] = rows[1::3, 5] = 0.0
    rows.flags.writeable = False
    return rows


KNOTS = dict(knots=lambda n: knots(n)[0], scores=lambda n: knots(n)[1], steps=lambda n: knots(n)[2])


def cell_terms(
    location: Array, low: Array, high: Array, width: Array, offset: Array, log_scale: Array
) -> tuple[Array, Array, Array]:
    """exp magnifies the rounding of log_scale, and that of a and b, which it is the scale of."""
    inverse, worst = np.exp(-log_scale), 1 + np.abs(log_scale)
    size = 1 + (np.abs(location) + np.maximum(np.abs(low), np.abs(high))) * inverse * worst
    small = np.abs(np.log(np.where(width > 0, width, 1))) + np.abs(log_scale)
    terms = size + small + np.abs(offset)
    return terms.sum(-1), size * inverse * worst, size * size


def planar_parts(z: Array, w: Array, u: Array, b: Array) -> tuple[Array, ...]:
    """m, j, and the magnitudes of what h, û, c and j sum or subtract."""
    s, square = (w * u).sum(), (w * w).sum()
    m, h = np.logaddexp(0, s) - 1, np.tanh(z @ w + b)
    g, off = 1 - h * h, 1 + np.abs(w * u).sum()
    heights = 1 + g * (np.abs(z) @ np.abs(w) + np.abs(b))
    j, scales = 1 + g * m, (1 + 2 * heights) * np.abs(m) + g * off
    return m, j, heights, np.abs(u) + off / square * np.abs(w), off / square, scales / j


def planar_terms(z: Array, w: Array, u: Array, b: Array) -> tuple[Array, Array]:
    *_, heights, u_hat, _, jacobians = planar_parts(z, w, u, b)
    return np.abs(z) + heights[..., None] * u_hat, jacobians


def planar_backward_terms(
    dz: Array, d: Array, z: Array, w: Array, u: Array, b: Array
) -> tuple[Array, ...]:
    m, j, heights, u_hat, c, jacobians = planar_parts(z, w, u, b)
    w, square = np.abs(w), (w * w).sum()
    changes = np.abs(d) * heights / j * (1 + jacobians)
    da = (1 + 2 * heights) * (np.abs(dz) @ u_hat + 2 * np.abs(m) * changes)
    du = (heights[..., None] * np.abs(dz)).sum((0, 1))
    dc = du @ w / square
    ds = 2 * dc + changes.sum()
    dw = (da[..., None] * np.abs(z)).sum((0, 1)) + c * du + ds * np.abs(u) + 2 * c * dc * w
    return np.abs(dz) + da[..., None] * w, dw, du + ds * w, da.sum()[None]


def categorical_terms(logits: Array, x: Array, sizes: Any) -> tuple[Array, Array]:
    """Of a softmax exp magnifies the rounding of logit - maximum."""
    off = 2 * np.abs(logits).max(-1, keepdims=True, initial=0) + np.log(1 + x.shape[-1])
    return (x * (1 + off)).sum(-1), np.broadcast_to(1 + off, logits.shape)


def of_classes(x: Array) -> Array:
    """The largest of each group of three, beside each of them."""
    return np.repeat(x.reshape(*x.shape[:-1], x.shape[-1] // 3, 3).max(-1), 3, axis=-1)


def noise(x: Array) -> Array:
    return np.clip(x, -4, 4)


def shares(scale: Array) -> Array:
    """The scale of a share of one, which may be 0 where float32 has but a denormal number."""
    normal = np.finfo(np.float32)
    return np.maximum(scale, normal.tiny / normal.eps)


def gumbel_terms(log_q: Array, eps: Array, classes: int, temperature: float) -> tuple[Array]:
    """exp magnifies the rounding of (log q + g) / temperature."""
    size = of_classes(np.abs(log_q) + np.abs(np.log(-np.log(ndtr(eps)))))
    z = kernels.gumbel_softmax(log_q, eps, classes, temperature)
    return (shares(z * (1 + 2 * size / temperature)),)


def gumbel_backward_terms(
    dz: Array, z: Array, log_q: Array, classes: int, temperature: float
) -> tuple[Array]:
    d = np.abs(z) * (np.abs(dz) + 3 * of_classes(np.abs(z * dz)))
    return (d.sum(0) / temperature,)


def categorical_kl_terms(log_q: Array, classes: int) -> tuple[Array]:
    t = log_q + np.log(classes)
    terms = (np.exp(t) * np.abs(t) + np.abs(np.expm1(t))) * (1 + np.abs(t))
    return (3 * of_classes(terms)[None, ..., ::3],)


def concrete_terms(logits: Array, eps: Array, temperature: float) -> tuple[Array]:
    size = np.abs(logits) + np.abs(np.log(ndtr(eps))) + np.abs(np.log(ndtr(-eps)))
    return (shares(kernels.binary_concrete(logits, eps, temperature) * (1 + size / temperature)),)


def magnitudes(kernel: Callable[..., Array]) -> Callable[..., tuple[Array]]:
    """Of the products that a kernel with two factors sums."""
    return lambda a, b, *constants: (kernel(np.abs(a), np.abs(b), *constants),)


def mean_over(x: Array, axes: Any) -> Array:
    return x.sum(axes, keepdims=True) / max(1, np.prod([x.shape[axis] for axis in axes]))


def normalised_terms(x: Array, axes: Any, eps: float) -> tuple[Array, Array]:
    """x - mean loses the digits that x has before it."""
    inverse = kernels.normalised(x, axes, eps)[1]
    size = np.abs(x) + mean_over(np.abs(x), axes)
    lost = 1 + mean_over(size * size, axes) * inverse**2
    return size * inverse * lost, inverse * lost


def normalised_backward_terms(du: Array, u: Array, inverse: Array, axes: Any) -> tuple[Array]:
    du, u = np.abs(du), np.abs(u)
    return (np.abs(inverse) * (du + mean_over(du, axes) + u * mean_over(u * du, axes)),)


def centred_backward_terms(du: Array, u: Array, inverse: Array) -> tuple[None, Array, Array]:
    r = np.abs(inverse)
    return None, r * np.abs(du).sum(0), 0.5 * r * r * np.abs(u * du).sum(0)


AB = dict(a="RH", b="H")
POOL = dict(taps=(3, 2), stride=(2, 1))
MATRICES = constant(np.linspace(-1, 2, 15).reshape(3, 5)), constant(np.eye(6, 4) - 0.25)
WINDOW = dict(stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=1)
ON_GRID = dict(a=grid, b=grid)
HEADS = dict(low=-20.0, high=20.0)
ADAM = dict(
    step_size=0.0625, beta1=0.9, beta2=0.999, eps=1e-8, root=(1 - 0.999**3) ** 0.5, decay=1e-4
)

KERNELS: dict[str, Kernel] = {
    "linear": Kernel(dict(x="RI", W="OI"), 8, scales=lambda x, W: (np.abs(x) @ np.abs(W).T,)),
    "linear_dx": Kernel(dict(dy="RO", W="OI"), 8, scales=lambda y, W: (np.abs(y) @ np.abs(W),)),
    "linear_dw": Kernel(dict(dy="RO", x="RI"), 8, scales=lambda y, x: (np.abs(y).T @ np.abs(x),)),
    "conv2d": Kernel(
        dict(x="REFI", weight="OGJI"), 8, WINDOW, scales=magnitudes(kernels.conv2d)
    ),
    "conv2d_dx": Kernel(
        dict(dy="RUVO", weight="OGJI"), 8, dict(size=(5, 4)) | WINDOW,
        scales=magnitudes(kernels.conv2d_dx),
    ),
    "conv2d_dw": Kernel(
        dict(dy="RUVO", x="REFI"), 8, dict(taps=(3, 2)) | WINDOW,
        scales=magnitudes(kernels.conv2d_dw),
    ),
    "stack_channels": Kernel(dict(x="RT"), 0, dict(pixels=lambda n: n["D"], channels=(1, 2))),
    "unstack_channels": Kernel(dict(y="RT"), 0, dict(pixels=lambda n: n["D"], channels=(2, 1))),
    "resample": Kernel(
        dict(x="REFI"), 8, dict(down=lambda n: MATRICES[0], along=lambda n: MATRICES[1]),
        scales=lambda x, *m: (kernels.resample(np.abs(x), *map(np.abs, m)),),
    ),
    "max_pool": Kernel(dict(x="REFI"), 0, POOL),
    "max_pool_backward": Kernel(
        dict(dy="RVUI", x="REFI", y="RVUI"), 4, POOL, hides=("dy", "x", "y"),
        scales=lambda dy, *rest: (kernels.max_pool_backward(np.abs(dy), *rest),),
    ),
    "normalised": Kernel(
        dict(x="REFI"), 8, dict(axes=(1, 3), eps=1e-5), scales=normalised_terms
    ),
    "normalised_backward": Kernel(
        dict(du="REFI", u="REFI", inverse="R1F1"), 8, dict(axes=(1, 3)),
        scales=normalised_backward_terms, domain={"u": lambda u: u / 4, "inverse": positive},
    ),
    "centred": Kernel(
        dict(x="RI", mean="I", variance="I"), 6, dict(eps=1e-5), domain={"variance": positive},
        scales=lambda x, mean, v, eps: ((np.abs(x) + np.abs(mean)) / np.sqrt(v + eps), None),
    ),
    "centred_backward": Kernel(
        dict(du="RI", u="RI", inverse="I"), 6, scales=centred_backward_terms
    ),
    "scaled": Kernel(dict(u="RI", g="I"), 0.5),
    "scaled_backward": Kernel(
        dict(da="RI", u="RI", g="I"), 4, scales=lambda da, u, g: (None, np.abs(da * u).sum(0))
    ),
    "add": Kernel(dict(a="KBZ", b="KBZ"), 0.5),
    "concat": Kernel(dict(a="KBD", c="BC"), 0),
    "take_columns": Kernel(dict(x="BD"), 0, dict(columns=every_other)),
    "concat_backward": Kernel(
        dict(dy="KBY"),
        3,
        dict(a_width=lambda n: n["D"], c_shape=lambda n: (n["B"], n["C"])),
        scales=lambda dy, a_width, c_shape: (None, np.abs(dy[..., a_width:]).sum(0)),
    ),
    "bias_identity": Kernel(AB, 0.5, domain=ON_GRID),
    "bias_identity_backward": Kernel(dict(dh="RH"), 4, scales=bias_sum),
    "bias_relu": Kernel(AB, 0.5, domain=ON_GRID),
    "bias_relu_backward": Kernel(dict(dh="RH", h="RH"), 4, scales=bias_sum, hides=("h",)),
    "bias_leaky_relu": Kernel(AB, 1.5, dict(slope=0.01), domain=ON_GRID),
    "bias_leaky_relu_backward": Kernel(
        dict(dh="RH", h="RH"), 4, dict(slope=0.01), scales=bias_sum, hides=("h",)
    ),
    "bias_tanh": Kernel(AB, 4, domain=ON_GRID),
    "bias_tanh_backward": Kernel(
        dict(dh="RH", h="RH"), 4, scales=bias_sum, domain={"h": np.tanh}
    ),
    "bias_sigmoid": Kernel(AB, 4, domain=ON_GRID),
    "bias_sigmoid_backward": Kernel(dict(dh="RH", h="RH"), 4, scales=bias_sum, domain={"h": unit}),
    "bias_softplus": Kernel(AB, 4, domain=ON_GRID),
    "bias_softplus_backward": Kernel(
        dict(dh="RH", h="RH"), 4, scales=bias_sum, domain={"h": positive}
    ),
    "bias_elu": Kernel(AB, 4, dict(alpha=1.0), domain=ON_GRID),
    "bias_elu_backward": Kernel(
        dict(dh="RH", h="RH"), 4, dict(alpha=1.0), scales=bias_sum, domain={"h": elu_range}
    ),
    "bias_gelu": Kernel(AB, 12, scales=gelu_terms, domain=ON_GRID),
    "bias_gelu_backward": Kernel(dict(dh="RH", s="RH"), 6, scales=gelu_backward_terms),
    "bias_silu": Kernel(AB, 4, domain=ON_GRID),
    "bias_silu_backward": Kernel(dict(dh="RH", s="RH"), 5, scales=silu_backward_terms),
    "filled": Kernel(dict(x="BD"), 0, hides=("x",)),
    "known": Kernel(dict(x="BD"), 0, hides=("x",)),
    "log1p": Kernel(dict(x="BD"), 2, domain={"x": counts}),
    "standardised": Kernel(
        dict(x="BD"),
        1,
        dict(
            mean=lambda n: constant(np.linspace(-1, 2, n["D"])),
            scale=lambda n: constant(np.linspace(0.5, 3, n["D"])),
        ),
        scales=lambda x, mean, scale: ((np.abs(x) + np.abs(mean)) / scale,),
        hides=("x",),
    ),
    "in_units": Kernel(
        dict(log_px="KB", x="BD"),
        0.01,
        dict(log_scale=lambda n: tuple(np.linspace(-1, 2, n["D"]).tolist())),
        scales=lambda log_px, x, log_scale: (np.abs(log_px) + np.abs(log_scale).sum(),),
        wide=("log_px",),
        hides=("x",),
    ),
    "bernoulli": Kernel(
        dict(logits="KBD", x="BD"), 4, scales=bernoulli_terms, domain={"x": unit}, hides=("x",)
    ),
    "gaussian": Kernel(
        dict(mean="KBD", x="BD"), 4, dict(scale=0.7), scales=gaussian_terms, hides=("x",)
    ),
    "gaussian_learnt": Kernel(
        dict(mean="KBD", x="BD", log_scale="1"), 6, scales=gaussian_learnt_terms, hides=("x",)
    ),
    "gaussian_learnt_backward": Kernel(
        dict(d="KB", r="KBD", slope="KB"),
        2,
        scales=lambda d, r, slope: (None, np.abs(d * slope).sum(keepdims=True).reshape(1)),
        wide=("d", "slope"),
    ),
    "continuous_bernoulli": Kernel(
        dict(logits="KBD", x="BD"), 4, scales=tilt_terms, domain={"x": unit}, hides=("x",)
    ),
    "gaussian_scaled": Kernel(
        dict(mean="KBD", x="BD", log_scale="D"), 6, scales=scaled_terms, hides=("x",)
    ),
    "laplace": Kernel(
        dict(median="KBD", x="BD", log_scale="D"), 4, scales=scaled_terms, hides=("x",)
    ),
    "student_t": Kernel(
        dict(mean="KBD", x="BD", log_scale="D"),
        6,
        dict(df=4.0),
        scales=student_terms,
        hides=("x",),
    ),
    "poisson": Kernel(
        dict(log_rate="KBD", x="BD"),
        4,
        dict(library=0.0),
        scales=poisson_terms,
        domain={"log_rate": gentle, "x": counts},
        hides=("x",),
    ),
    "negative_binomial": Kernel(
        dict(log_mean="KBD", x="BD", log_dispersion="D"),
        8,
        dict(library=0.0),
        scales=negative_binomial_terms,
        domain={"log_mean": gentle, "x": counts, "log_dispersion": gentle},
        hides=("x",),
    ),
    "zero_inflated_negative_binomial": Kernel(
        dict(heads="KBP", x="BD", log_dispersion="D"),
        6,
        dict(library=0.0),
        scales=zero_inflated_terms,
        domain={"heads": gentle, "x": counts, "log_dispersion": gentle},
        hides=("x",),
    ),
    "beta": Kernel(
        dict(logits="KBD", x="BD", log_concentration="D"),
        6,
        scales=beta_terms,
        domain={"logits": gentle, "x": inside, "log_concentration": gentle},
        hides=("x",),
    ),
    "one_hot": Kernel(
        dict(x="BD"), 0, dict(sizes=lambda n: (3,) * n["D"]), domain={"x": counts}
    ),
    "categorical": Kernel(
        dict(logits="KBD", x="BD"),
        4,
        dict(sizes=groups),
        scales=categorical_terms,
        domain={"x": unit},
        hides=("x",),
    ),
    "cells": Kernel(
        dict(x="BD"),
        2,
        {**KNOTS, "tails": tails},
        scales=lambda x, *_: (1 + 0 * x,) * 3 + (1 + np.log1p(np.abs(x)),),
    ),
    "cell_scores": Kernel(dict(x="BD"), 2, KNOTS, scales=lambda x, *_: (1 + 0 * x,)),
    "logistic_cells": Kernel(
        dict(location="KBD", low="BD", high="BD", width="BD", offset="BD", log_scale="D"),
        6,
        scales=cell_terms,
        domain={"width": positive, "log_scale": gentle},
        hides=("low",),
    ),
    "ordinal_logits": Kernel(
        dict(eta="KBD", cuts="P"),
        4,
        dict(sizes=lambda n: (3,) * n["D"]),
        domain={"eta": gentle, "cuts": gentle},
        scales=lambda eta, cuts, sizes: (ordinal_terms(eta, cuts),),
    ),
    "ordinal_logits_backward": Kernel(
        dict(d="KBT", eta="KBD", cuts="P"),
        8,
        dict(sizes=lambda n: (3,) * n["D"]),
        domain={"eta": gentle, "cuts": gentle},
        scales=ordinal_backward_terms,
    ),
    "planar": Kernel(
        dict(z="KBZ", w="Z", u="Z", b="1"),
        8,
        domain={"w": off_zero, "u": gentle},
        scales=planar_terms,
    ),
    "planar_backward": Kernel(
        dict(dz="KBZ", d="KB", z="KBZ", w="Z", u="Z", b="1"),
        8,
        domain={"w": off_zero, "u": gentle},
        scales=planar_backward_terms,
        wide=("d",),
    ),
    "less": Kernel(
        dict(log_p="KB", change="KB"), 1.5, wide=("log_p", "change"),
        scales=lambda log_p, change: (np.abs(log_p) + np.abs(change),),
    ),
    "negative": Kernel(dict(d="KB"), 0.5, wide=("d",)),
    "masked": Kernel(dict(W="OI", mask="OI"), 0.5, domain={"mask": lambda x: 1.0 * (x > 0)}),
    "with_each_class": Kernel(dict(a="LBZ"), 0.5, dict(n_classes=lambda n: n["Q"])),
    "linear_by_class": Kernel(
        dict(x="BD", W="OA"), 4, dict(copies=lambda n: n["L"]), scales=by_class_terms
    ),
    "linear_by_class_dw": Kernel(
        dict(dy="LBO", x="BD"), 4, dict(n_classes=lambda n: n["Q"]),
        scales=lambda dy, x, n: (kernels.linear_by_class_dw(np.abs(dy), np.abs(x), n),),
    ),
    "over_labels": Kernel(
        dict(log_px="LB", kl="LBZ", logits="BQ", known="BQ"), 6, dict(alpha=0.3),
        domain={"known": part_of_one}, scales=over_labels_terms, wide=("log_px",),
    ),
    "over_labels_backward": Kernel(
        dict(d_log_px="KB", d_kl="KBX", log_px="LB", kl="LBZ", logits="BQ", known="BQ"), 8,
        dict(alpha=0.3), domain={"known": part_of_one}, scales=over_labels_backward_terms,
        wide=("d_log_px", "log_px"),
    ),
    "stretched": Kernel(
        dict(z="KBZ", shift="KBZ", raw="KBZ"), 6,
        scales=lambda z, shift, raw: (
            20.1 * np.abs(z) * (1 + np.abs(3 * np.tanh(raw / 3))) + np.abs(shift),
            np.abs(3 * np.tanh(raw / 3)).sum(-1),
        ),
    ),
    "stretched_backward": Kernel(
        dict(dz="KBZ", d="KB", z="KBZ", raw="KBZ"), 8, wide=("d",),
        scales=lambda dz, d, z, raw: (
            4 * np.abs(dz) * np.exp(3 * np.tanh(raw / 3)),
            4 * np.abs(dz * z) * np.exp(3 * np.tanh(raw / 3)) + np.abs(d)[..., None],
        ),
    ),
    "bounded": Kernel(dict(raw="KBD"), 3, HEADS, scales=lambda raw, low, high: (1 + np.abs(raw),)),
    "bounded_backward": Kernel(
        dict(d="KBD", raw="KBD"),
        4,
        HEADS,
        scales=lambda d, raw, low, high: (np.abs(d) * (1 + np.abs(raw)),),
    ),
    "sum_rows": Kernel(
        dict(d="KB", slope="KBD"),
        2,
        scales=lambda d, slope: (np.abs(d[..., None] * slope).sum((0, 1)),),
        wide=("d",),
    ),
    "scale_rows": Kernel(dict(d="KB", r="KBD"), 1.5, wide=("d",)),
    "gaussian_heads": Kernel(dict(stats="BS"), 3, HEADS, scales=heads_terms),
    "gaussian_heads_backward": Kernel(
        dict(dmu="BZ", dlogvar="BZ", stats="BS"), 4, HEADS, scales=heads_backward_terms
    ),
    "reparameterise": Kernel(
        dict(mu="BZ", logvar="BZ", eps="KBZ"),
        4,
        scales=lambda mu, logvar, eps: (np.abs(mu) + np.exp(logvar / 2) * np.abs(eps), None),
    ),
    "reparameterise_backward": Kernel(
        dict(dz="KBZ", std="BZ", eps="KBZ"),
        4,
        scales=reparameterise_backward_terms,
        domain={"std": positive},
    ),
    "class_log_probs": Kernel(
        dict(logits="BW"), 3, dict(classes=3), scales=lambda a, n: (2 + 2 * of_classes(np.abs(a)),)
    ),
    "class_log_probs_backward": Kernel(
        dict(d="BW", log_q="BW"), 6, dict(classes=3), domain={"log_q": gentle},
        scales=lambda d, log_q, n: (
            np.abs(d) + 3 * np.exp(log_q) * (1 + np.abs(log_q)) * of_classes(np.abs(d)),
        ),
    ),
    "gumbel_softmax": Kernel(
        dict(log_q="BW", eps="KBW"), 6, dict(classes=3, temperature=0.7), scales=gumbel_terms,
        domain={"eps": noise},
    ),
    "gumbel_softmax_backward": Kernel(
        dict(dz="KBW", z="KBW", log_q="BW"), 6, dict(classes=3, temperature=0.7),
        scales=gumbel_backward_terms, domain={"z": part_of_one}, hides=("log_q",),
    ),
    "likeliest_class": Kernel(dict(z="KBW"), 0.5, dict(classes=3)),
    "code_log_prob": Kernel(
        dict(z="KBZ", log_q="BZ"), 2, scales=lambda z, log_q: (np.abs(z * log_q).sum(-1),)
    ),
    "code_log_prob_backward": Kernel(
        dict(d="KB", z="KBZ", log_q="BZ"), 2, wide=("d",),
        scales=lambda d, z, log_q: (None, np.abs(d[..., None] * z).sum(0)),
    ),
    "categorical_kl": Kernel(
        dict(log_q="BW"), 3, dict(classes=3), scales=categorical_kl_terms,
        domain={"log_q": gentle},
    ),
    "categorical_kl_backward": Kernel(
        dict(dkl="1BZ", log_q="BW"), 4, dict(classes=3), wide=("dkl",), domain={"log_q": gentle},
        scales=lambda dkl, log_q, n: (
            np.repeat(np.abs(dkl[0]), 3, -1) * np.exp(log_q) * (2 + np.abs(log_q)) ** 2,
        ),
    ),
    "binary_concrete": Kernel(
        dict(logits="BZ", eps="KBZ"), 4, dict(temperature=0.7), scales=concrete_terms,
        domain={"eps": noise},
    ),
    "binary_concrete_backward": Kernel(
        dict(dz="KBZ", z="KBZ", logits="BZ"), 4, dict(temperature=0.7), domain={"z": unit},
        scales=lambda dz, z, logits, t: (np.abs(dz * z).sum(0) / t,), hides=("logits",),
    ),
    "likelier_side": Kernel(dict(z="KBZ"), 0.5),
    "bernoulli_code_log_prob": Kernel(
        dict(z="KBZ", logits="BZ"), 2,
        scales=lambda z, a: ((np.abs(z * a) + np.abs(a) + 1).sum(-1),),
    ),
    "bernoulli_code_log_prob_backward": Kernel(
        dict(d="KB", z="KBZ", logits="BZ"), 4, wide=("d",),
        scales=lambda d, z, a: (None, (np.abs(d)[..., None] * (np.abs(z) + 1)).sum(0)),
    ),
    "bernoulli_kl": Kernel(
        dict(logits="BZ"), 3, dict(prior_logit=-0.8), scales=lambda a, b: (1 + np.abs(a)[None],)
    ),
    "bernoulli_kl_backward": Kernel(
        dict(dkl="1BZ", logits="BZ"), 6, dict(prior_logit=-0.8), wide=("dkl",),
        scales=lambda dkl, a, b: (np.abs(dkl[0]) * expit(-np.abs(a)) * (1 + np.abs(a)) ** 2,),
    ),
    "for_every_row": Kernel(dict(codes="MZ"), 0.5, dict(batch=lambda n: n["B"])),
    "mean_over_codes": Kernel(
        dict(log_px="KB", log_q="KB"), 2, wide=("log_px", "log_q"), doubles=True,
        domain={"log_q": lambda x: -np.abs(x)},
    ),
    "mean_over_codes_backward": Kernel(
        dict(d="1B", log_px="KB", log_q="KB"), 2, wide=("d", "log_px", "log_q"), doubles=True,
        domain={"log_q": lambda x: -np.abs(x)},
    ),
    "gaussian_kl": Kernel(
        dict(mu="BZ", logvar="BZ"),
        3,
        scales=lambda m, v: (0.5 * (m * m + np.abs(np.expm1(v)) + np.abs(v))[None],),
    ),
    "gaussian_kl_backward": Kernel(dict(dkl="1BZ", mu="BZ", logvar="BZ"), 4, wide=("dkl",)),
    "gaussian_kl_between": Kernel(TWO_GAUSSIANS, 6, scales=between_terms, domain=BENT),
    "gaussian_kl_between_backward": Kernel(
        dict(dkl="KBZ") | TWO_GAUSSIANS, 8, scales=between_backward_terms, wide=("dkl",),
        domain=BENT,
    ),
    "precision_weighted": Kernel(TWO_GAUSSIANS, 4, scales=weighted_terms, domain=BENT),
    "precision_weighted_backward": Kernel(
        dict(d_mean="KBZ", d_spread="KBZ") | TWO_GAUSSIANS, 6, scales=weighted_backward_terms,
        domain=BENT,
    ),
    "gaussian_log_prob": Kernel(dict(z="KBZ", mu="BZ", logvar="BZ"), 3, scales=log_prob_terms),
    "gaussian_log_prob_backward": Kernel(
        dict(d="KB", z="KBZ", mu="BZ", logvar="BZ"), 5, scales=log_prob_backward_terms, wide=("d",)
    ),
    "standard_normal_log_prob": Kernel(dict(z="KBZ"), 2),
    "standard_normal_log_prob_backward": Kernel(dict(d="KB", z="KBZ"), 1.5, wide=("d",)),
    "mixture_log_prob": Kernel(
        dict(z="KBZ", mu="MZ", logvar="MZ", logits="M"), 4, scales=mixture_terms
    ),
    "mixture_log_prob_backward": Kernel(
        dict(d="KB", z="KBZ", mu="MZ", logvar="MZ", logits="M", r="KBM"),
        6,
        scales=mixture_backward_terms,
        domain={"d": lambda d: np.clip(d, -10, 10), "r": unit},  # further out float32 overflows
        wide=("d",),
    ),
    "mean_loss": Kernel(
        dict(log_px="KB"),
        0.01,
        dict(weights=None),
        wide=("log_px",),
        doubles=True,
        needs_rows=True,
    ),
    "kl_loss": Kernel(
        dict(kl="1BZ"),
        0.5,
        dict(beta=0.7, free_bits=0.5, weights=None, group=2),
        doubles=True,
        needs_rows=True,
    ),
    "sampled_kl_loss": Kernel(
        dict(log_qz="KB", log_pz="KB"),
        0.01,
        dict(beta=0.7, weights=None, free_bits=0.0),
        wide=("log_qz", "log_pz"),
        doubles=True,
        needs_rows=True,
    ),
    "weighted_loss": Kernel(
        dict(rec="1", kl="1"), 0.01, dict(beta=0.7), wide=("rec", "kl"), doubles=True
    ),
    "iwae": Kernel(
        dict(log_px="KB", log_pz="KB", log_qz="KB"),
        0.01,
        dict(weights=None),
        wide=("log_px", "log_pz", "log_qz"),
        doubles=True,
        needs_rows=True,
    ),
    "power_means": Kernel(
        dict(log_px="KB", log_pz="KB", log_qz="KB"),
        0.01,
        dict(power=0.7, groups=1, share=0.25, weights=None),
        wide=("log_px", "log_pz", "log_qz"),
        doubles=True,
        needs_rows=True,
    ),
    "decomposed_kl": Kernel(
        dict(log_qz="KB", log_pz="KB", z="KBZ", mu="BZ", logvar="BZ"),
        4,
        dict(alpha=0.5, beta=3.0, gamma=1.5, n_data=None, weights=None),
        scales=decomposed_terms,
        domain=dict(z=unit, mu=unit, logvar=unit),
        wide=("log_qz", "log_pz"),
        needs_rows=True,
    ),
    "importance_weights": Kernel(
        dict(log_px="KB", log_pz="KB", log_qz="KB"),
        0.01,
        wide=("log_px", "log_pz", "log_qz"),
        doubles=True,
    ),
    "adam": Kernel(
        dict(theta="N", g="N", m="N", v="N"),
        4,
        ADAM,
        scales=adam_terms,
        domain={"v": positive},
        writes=("theta", "m", "v"),
    ),
}  # fmt: skip


def ordinary(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.normal(0, 4, shape)


def small(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.normal(0, 1e-3, shape)


def extreme(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.choice([-1e4, -60.0, -1.0, 0.0, 1.0, 60.0, 1e4], shape)


def zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.zeros(shape)


def denormal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Below the least normal number of the type that they are cast to."""
    return rng.choice([-0.25, -0.0, 0.5], shape)


LIMITS = dict(logvar=60, log_scale=10)

VALUES = {f.__name__: f for f in (ordinary, small, extreme, zeros, denormal)}


def inputs(
    kernel: Kernel, n: Sizes, dtype: Any, values: str = "ordinary", seed: int = 0
) -> dict[str, Array]:
    """Arrays for a kernel, in the order of its arguments."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, axes in kernel.shapes.items():
        own = np.dtype(np.float64 if name in kernel.wide else dtype)
        x = VALUES[values](rng, tuple(n[axis] for axis in axes))
        x = np.clip(x, -LIMITS.get(name, np.inf), LIMITS.get(name, np.inf))
        x = kernel.domain.get(name, lambda x: x)(x).astype(own)
        arrays[name] = x * np.finfo(dtype).tiny.astype(own) if values == "denormal" else x
    return arrays


def strided(x: Array) -> Array:
    """The same values at odd places: transposed, and with gaps between them."""
    roomy = np.full(tuple(2 * s for s in x.shape[::-1]), 77, x.dtype)
    view = roomy[(slice(None, None, 2),) * x.ndim].T
    view[...] = x
    return view
