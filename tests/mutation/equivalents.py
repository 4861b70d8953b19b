# ruff: noqa: E501
"""Mutants that change no value: no test can tell them from the original, for the reason given.

Under each reason stand targets, and the statements that they may be changed to; or, where such a
statement leaves open what was changed, as ``if True:`` does, the whole change as ``--list`` shows
it. An entry whose mutant no longer exists, or on which a test fails, is reported as an error.
"""

from __future__ import annotations

EQUIVALENTS: dict[str, dict[str, list[str]]] = {
    "The array has two axes, so the last one is axis 1.": {
        "kernels.likelihoods._log_exposure": [
            "return np.log(np.maximum(filled(x).sum(1, keepdims=True), 1) / library)",
        ],
        "kernels.likelihoods._n_known": [
            "return x.shape[1] - (np.count_nonzero(missing, axis=-1) if missing.any() else 0)",
            "return x.shape[-1] - (np.count_nonzero(missing, axis=1) if missing.any() else 0)",
        ],
        "likelihoods.categorical.Categorical.forward": [
            "sizes = self._columns(x.shape[1])",
        ],
        "likelihoods.categorical.OneHot.forward": [
            "return k.categorical(logits, x, self._sizes(x.shape[1]))",
        ],
    },
    "The VAE has one latent level, so the first entry of the list is its last.": {
        "models.vae.VAE.backward": [
            "d_level = d_terms.levels[-1] if d_terms.levels else LevelTerms()",
            "dstats, d_inputs = self.levels[-1].backward(c_level, dz, d_level)",
        ],
        "models.vae.VAE.forward": [
            "(z, level), c_level = self.levels[-1].forward(stats, eps, needs, prior_inputs)",
        ],
    },
    "Only whether it is true is asked, and a minus leaves that as it is.": {
        "levels.Level.draw": [
            "(z, log_qz), c_z = self.posterior.draw(params, eps, -self._gives('log_qz', needs))",
        ],
        "levels.Level.draw_backward": [
            "d_params = self.posterior.draw_backward(c_z, dz, d_level.log_qz, -d_level.score, d_level.dz_scale)",
        ],
        "flows.base.Flowed.draw": [
            "(z, log_q), c_base = self.base.draw(params[:2], eps, -density)",
        ],
    },
    "IWAE has no schedule, so the epoch is nothing to it.": {
        "objectives.dreg.DReG.__call__": [
            "losses, d_terms = super().__call__(terms, -epoch)",
        ],
    },
    "Without a context the decoder's input is z alone, and the first Z columns are all of it.": {
        "models.vae.VAE.backward": [
            "if self.context_dim: -> if True:",
        ],
    },
    "The array has 2Z columns, so Z from the left is Z from the right.": {
        "kernels.latent.gaussian_heads": [
            "z_dim = -(stats.shape[-1] // 2)",
        ],
    },
    "NumPy infers the length of an axis that is given any negative one.": {
        "layers.dense.Dense.forward": [
            "rows = x if x.ndim == 2 else x.reshape(-2, self.n_in)",
        ],
        "layers.dense.Dense.backward": [
            "da, db = self.activation.backward(saved, dh.reshape(-2, self.n_out))",
        ],
    },
    "Only the square of the number is used, or its product with one whose sign changes too.": {
        "kernels.likelihoods.gaussian_learnt": [
            "inverse = -np.exp(-log_scale)",
        ],
        "kernels.latent.gaussian_log_prob": [
            "u = -((z - mu) * np.exp(-0.5 * logvar))",
            "u = (mu - z) * np.exp(-0.5 * logvar)",
        ],
        "kernels.latent.gaussian_log_prob_backward": [
            "inverse_std = -np.exp(-0.5 * logvar)",
        ],
        "levels.GaussianKL.forward": [
            "return (k.gaussian_kl(-mu, logvar), (mu, logvar))",
        ],
        "priors.StandardNormal.forward": [
            "return (k.standard_normal_log_prob(-z), z)",
        ],
        "kernels.latent.mixture_log_prob": [
            "joint = np.stack([w + gaussian_log_prob(m, z, v) for w, m, v in components], axis=-1)",
        ],
        "kernels.likelihoods.gaussian_scaled": [
            "inverse = -np.exp(-log_scale)",
        ],
        "kernels.likelihoods.laplace": [
            "inverse = -np.exp(-log_scale)",
        ],
        "kernels.likelihoods.student_t": [
            "inverse = -np.exp(-log_scale)",
        ],
        "flows.prior.FlowPrior.forward": [
            "log_p = k.standard_normal_log_prob(-z)",
        ],
    },
    "The derivative (1 - h)(1 + h) is even in h.": {
        "layers.activation.Tanh.forward": [
            "return (h, -h)",
        ],
        "layers.activation.Tanh.backward": [
            "return k.bias_tanh_backward(dh, -h)",
        ],
    },
    "-0.0 equals 0.0, and nothing divides by it.": {
        "kernels.flows.planar_backward": [
            "ds = dm * sigmoid(s) - dc / square - 0 * s",
        ],
        "kernels.decoding.zero_inflated_mode": [
            "zero = -np.zeros_like(mode)",
            "log_p_zero = np.logaddexp(gate, _log_p(log_mean, -zero, log_dispersion))",
            "return np.where(log_p > log_p_zero, mode, -zero)",
        ],
        "core.numerics.kept": [
            "return product if all_finite(product) else np.where(where, x, -np.zeros((), x.dtype))",
        ],
        "flows.base.Flowed.draw_backward": [
            "d_change = -np.zeros(dz.shape[:2])",
        ],
        "core.numerics.erfc": [
            "a = b = -np.zeros_like(t)",
        ],
        "kernels.training.kl_loss": [
            "slope = np.where(below, -0.0, beta / (kl.shape[0] * kl.shape[1])).repeat(size)[:kl.shape[2]]",
        ],
        "kernels.likelihoods.filled": [
            "return np.where(np.isnan(x), -np.zeros((), x.dtype), x)",
        ],
        "kernels.likelihoods._over_known": [
            "entries = tuple((np.where(missing, -np.zeros((), a.dtype), a) for a in entries))",
        ],
        "kernels.likelihoods._log_exposure": [
            "return -np.zeros((), x.dtype)",
        ],
        "kernels.likelihoods.zero_inflated_negative_binomial": [
            "log_p = log_nb + np.where(x > 0, -zero, softplus(excess)) - softplus(gate)",
            "r_gate = np.where(x > 0, -zero, sigmoid(excess)) - sigmoid(gate)",
        ],
        "core.numerics.known_sums": [
            "x = np.where(missing, -np.zeros((), x.dtype), x)",
        ],
        "core.numerics.stirling_error": [
            "return error + np.where(below, moved, -np.zeros((), y.dtype))",
        ],
        "core.numerics.digamma_gap": [
            "return gap + np.where(below, moved, -np.zeros((), y.dtype))",
        ],
        "core.numerics.uniform_cgf": [
            "close = np.where(near, t, -np.zeros((), t.dtype))",
        ],
        "core.numerics.uniform_cgf_slope": [
            "close = np.where(near, t, -np.zeros((), t.dtype))",
        ],
        "priors.VampPrior.forward": [
            "equal = -np.zeros(len(mu), z.dtype)",
        ],
    },
    "The sign of an argument does not matter to its size, its type or its finiteness.": {
        "kernels.decoding.mean_from_scores": [
            "mean = -np.empty(location.shape)",
        ],
        "optim.Adam.accepts": [
            "if np.isfinite(np.dot(-gradient, gradient)):",
            "if np.isfinite(np.dot(gradient, -gradient)):",
        ],
        "kernels.likelihoods.in_units": [
            "return log_px - known(-x).dot(log_scale)",
        ],
        "core.numerics.all_finite": [
            "return cmath.isfinite(np.vdot(-x, x)) or bool(np.isfinite(x).all())",
            "return cmath.isfinite(np.vdot(x, -x)) or bool(np.isfinite(x).all())",
        ],
        "optim.Adam.step": [
            "norm = np.linalg.norm(-gradient.astype(np.float64))",
        ],
        "kernels.likelihoods.gaussian": [
            "square, r = _over_known(-x, u * u, u / scale)",
            "return (-0.5 * square - _n_known(-x) * (np.log(scale) + 0.5 * LOG_2PI), r)",
        ],
        "kernels.likelihoods.bernoulli": [
            "return _over_known(-x, log_p, r)",
        ],
        "kernels.likelihoods.gaussian_learnt": [
            "square, r = _over_known(-x, u * u, u * inverse)",
            "n = _n_known(-x)",
        ],
        "kernels.likelihoods.continuous_bernoulli": [
            "return _over_known(-x, log_p, x - uniform_cgf_slope(logits))",
        ],
        "kernels.likelihoods.gaussian_scaled": [
            "return _over_known(-x, log_p, u * inverse, u * u - 1)",
        ],
        "kernels.likelihoods.laplace": [
            "return _over_known(-x, log_p, np.sign(u.real) * inverse, distance - 1)",
        ],
        "kernels.likelihoods.student_t": [
            "return _over_known(-x, log_p, weight * u * inverse, weight * square - 1)",
        ],
        "kernels.likelihoods.poisson": [
            "return _over_known(-x, log_p, x - rate)",
        ],
        "kernels.likelihoods.negative_binomial": [
            "return _over_known(-x, *_negative_binomial(log_mean, x, log_dispersion))",
        ],
        "kernels.likelihoods.zero_inflated_negative_binomial": [
            "log_p, r, r_gate, slope = _over_known(-x, log_p, counted * r, r_gate, counted * slope)",
        ],
        "kernels.likelihoods.beta": [
            "return _over_known(-x, log_p, r, slope)",
        ],
        "kernels.likelihoods.one_hot": [
            "return np.where(np.isnan(labels), -labels, hot)",
        ],
        "kernels.likelihoods.categorical": [
            "return _over_known(-x, log_p, x - e / total[..., groups])",
        ],
        "core.numerics._polynomial": [
            "total = np.full_like(-x, coefficients[-1])",
        ],
    },
    "A factor of 1 changes nothing.": {
        "optim.Adam.step": [
            "if norm >= self.clip_norm:",
        ],
    },
    "Any finite number serves where every exp(x) is 0, infinite or NaN.": {
        "core.numerics.logsumexp": [
            "top = np.where(np.isfinite(top), top, 1)",
            "top = np.where(np.isfinite(top), top, -1)",
        ],
    },
    "A sum over axes of length one, or over none, copies: the condition only spares that.": {
        "core.numerics.unbroadcast": [
            "stretched = tuple((i for i, n in enumerate(shape) if n == 1))",
            "stretched = tuple((i for i, n in enumerate(shape) if n == 1 and d.shape != 1))",
            "return d.sum(axis=stretched, keepdims=True)",
        ],
    },
    "The other way around takes longer and gives the same.": {
        "kernels.dense.bias_identity": [
            "return a + b",
        ],
        "kernels.dense.bias_relu": [
            "return maximum(a + b, 0)",
        ],
        "kernels.dense.bias_leaky_relu": [
            "s = a + b",
        ],
        "kernels.dense.bias_tanh": [
            "return np.tanh(a + b)",
        ],
        "kernels.dense.bias_sigmoid": [
            "return sigmoid(a + b)",
        ],
        "kernels.dense.bias_softplus": [
            "return softplus(a + b)",
        ],
        "kernels.dense.bias_elu": [
            "s = a + b",
        ],
        "kernels.dense.bias_gelu": [
            "s = a + b",
        ],
        "kernels.dense.bias_silu": [
            "s = a + b",
        ],
        "kernels.training.adam": [
            "if True:",
        ],
        "layers.dense.Dense.forward": [
            "rows = x.reshape(-1, self.n_in)",
            "rows = x if x.ndim == 1 else x.reshape(-1, self.n_in)",
            "if True:",
        ],
        "core.numerics.magnitude": [
            "return np.where(x.real > 0, x, -x)",
        ],
        "core.numerics.maximum": [
            "if True:",
            "return np.maximum(x, bound)",
        ],
        "core.numerics.minimum": [
            "if True:",
            "return np.minimum(x, bound)",
        ],
        "core.numerics.kept": [
            "return np.where(where, x, np.zeros((), x.dtype))",
        ],
        "core.numerics.all_finite": [
            "return bool(np.isfinite(x).all())",
            "return cmath.isfinite(np.vdot(x, x)) or np.isfinite(x).all()",
        ],
    },
    "Where the bend is below the last place, it may be taken or not.": {
        "kernels.latent.gaussian_heads_backward": [
            "if True:",
            "if not _far_inside(raw, high, low):",
            "if not _far_inside(-raw, low, high):",
            "if not _far_inside(raw, -low, high):",
            "if not _far_inside(raw, low, -high):",
        ],
        "kernels.latent._far_inside": [
            "return low + margin <= least and greatest < high - margin",
            "return low + margin < least and greatest <= high - margin",
        ],
    },
    "The sum is given the shape (1,) either way.": {
        "kernels.likelihoods.gaussian_learnt_backward": [
            "return (scale_rows(d, r), (d * slope).sum().reshape(1).astype(r.dtype))",
            "return (scale_rows(d, r), (d * slope).sum(keepdims=False).reshape(1).astype(r.dtype))",
        ],
    },
    "Both have the same shape and type.": {
        "kernels.latent.mixture_log_prob_backward": [
            "dz, dmu, dlogvar = (np.zeros_like(z), np.empty_like(logvar), np.empty_like(mu))",
        ],
    },
    "NumPy's number instead of Python's: equal, and float32 is rounded no sooner for it.": {
        "kernels.decoding.mean_from_scores": [
            "n = np.isfinite(knots[j]).sum()",
            "for j, step in enumerate(steps):",
        ],
        "kernels.decoding.from_scores": [
            "n = np.isfinite(knots[j]).sum()",
        ],
        "kernels.likelihoods.LOG_2": [
            "LOG_2 = np.log(2)",
        ],
        "kernels.likelihoods.student_t": [
            "log_p = shift - 0.5 * LOG_2PI - log_scale - 0.5 * (df + 1) * np.log1p(square / df)",
        ],
        "core.numerics.known_extremes": [
            "return (np.fmin.reduce(x, axis=None), float(np.fmax.reduce(x, axis=None)))",
            "return (float(np.fmin.reduce(x, axis=None)), np.fmax.reduce(x, axis=None))",
        ],
        "optim.Adam.step": [
            "step_size, root, decay = (f for f in self.factors(state.t, lr))",
        ],
    },
    "Where there is nothing to do the rest does nothing: it saves the time.": {
        "kernels.likelihoods._over_known": [
            "if True:",
        ],
        "kernels.likelihoods._n_known": [
            "return x.shape[-1] - np.count_nonzero(missing, axis=-1)",
        ],
        "core.numerics.known_sums": [
            "if missing.any(): -> if True:",
        ],
        "core.numerics.stirling_error": [
            "if False:",
        ],
        "core.numerics.digamma_gap": [
            "if False:",
        ],
    },
    "Both sides are booleans, and their order does not matter.": {
        "kernels.training.kl_loss": [
            "below = (free_bits > 0) & (groups.real < free_bits)",
        ],
    },
    "The array has one axis: the last one is axis 0, and it is its own transpose.": {
        "kernels.flows.planar_backward": [
            "h, own = (np.tanh(z @ w.T + b), np.result_type(w, u))",
            "da = g * (dz @ u_hat.T + 2 * d * h * bend / j)",
            "dc = du.T @ w",
            "dc = du @ w.T",
        ],
        "kernels.flows.planar": [
            "h, own = (np.tanh(z @ w.T + b), np.result_type(w, u))",
        ],
        "core.numerics.log_softmax": [
            "return x - logsumexp(x, axis=-1)",
        ],
    },
    "At the border both forms agree to rounding, as they do for some way on either side.": {
        "core.numerics._FROM": [
            "_FROM = 7",
        ],
        "core.numerics.digamma_gap": [
            "below = y.real <= _FROM",
        ],
        "core.numerics.uniform_cgf": [
            "near = magnitude(t).real <= 1",
        ],
        "core.numerics.uniform_cgf_slope": [
            "near = magnitude(t).real <= 1",
        ],
    },
    "A number stands for an array that is equal to it everywhere.": {
        "kernels.decoding.mean_from_scores": [
            "scale = np.exp(log_scale)",
        ],
        "core.numerics._polynomial": [
            "total = coefficients[-1]",
        ],
    },
    "What is computed where the other form holds is thrown away.": {
        "kernels.decoding.beta_mode": [
            "peak = (a - 1) / np.where(inside, a + b - 2, 2)",
        ],
        "core.numerics.stirling_error": [
            "small = y",
            "small = np.where(np.ones((), y.dtype), y, below)",
        ],
        "core.numerics.digamma_gap": [
            "small = y",
            "small = np.where(np.ones((), y.dtype), y, below)",
        ],
        "core.numerics.uniform_cgf": [
            "far = np.where(near, -np.ones((), t.dtype), magnitude(t))",
            "close = t",
            "close = np.where(near, t, np.ones((), t.dtype))",
        ],
        "core.numerics.uniform_cgf_slope": [
            "far = np.where(near, -np.ones((), t.dtype), magnitude(t))",
            "close = t",
            "close = np.where(near, t, np.ones((), t.dtype))",
            "return np.where(near, series, np.where(t.real <= 0, left, 1 - left))",
            "return np.where(near, series, np.where(t.real < 1, left, 1 - left))",
        ],
    },
    "It is done eight times, and an even number of sign changes is none.": {
        "core.numerics.stirling_error": [
            "ratio = -(ratio * (1 + (_FROM - i) / (small + i)))",
        ],
    },
    "It is divided by the sum of numbers whose sign changes with its own.": {
        "kernels.decoding._softmax": [
            "e = -np.exp(logits - logits.max(-1, keepdims=True))",
        ],
    },
    "Of two values that are equally probable either is a mode.": {
        "kernels.decoding.zero_inflated_mode": [
            "return np.where(log_p >= log_p_zero, mode, zero)",
        ],
    },
    "Weights that are equal stay so, and their softmax with them.": {
        "priors.VampPrior.forward": [
            "equal = np.ones(len(mu), z.dtype)",
            "log_p, r = k.mixture_log_prob(z, mu, logvar, -equal)",
        ],
    },
    "Only a recorded step asks whether the array can change; no value depends on it.": {
        "flows.base.Flowed.draw_backward": [
            "d_change.flags.writeable = False -> pass",
            "d_change.flags.writeable = True",
        ],
        "priors.VampPrior.forward": [
            "pass",
            "equal.flags.writeable = True",
        ],
    },
    "Noise of the other sign is as good.": {
        "gradcheck.whole_level.WholeLevel.forward": [
            "(z, terms), cache = self.level.forward(stats, -self.eps, self.needs, prior_inputs)",
        ],
    },
    "A threshold of cost: at it both ways give the mean, as near as a line is to its cells.": {
        "kernels.decoding.mean_from_scores": [
            "if n_cells < MOST_CELLS:",
        ],
        "kernels.decoding.MOST_CELLS": [
            "MOST_CELLS = 257",
            "MOST_CELLS = 255",
        ],
    },
    "The greater of two numbers is that in either order.": {
        "kernels.decoding.mean_from_scores": [
            "x = np.clip(x[0] + step / 2, x, x[-1] - step / 2)",
        ],
        "kernels.decoding.from_scores": [
            "line = np.rint(np.clip(knots[j, 0] + step / 2, line, knots[j, n - 1] - step / 2) / step)",
        ],
    },
    "It is rounded to the same cell.": {
        "kernels.decoding.from_scores": [
            "line = np.rint(np.clip(line, knots[j, 0] + step / 3, knots[j, n - 1] - step / 2) / step)",
            "line = np.rint(np.clip(line, knots[j, 0] + step / 2, knots[j, n - 1] - step / 3) / step)",
            "line = np.round(line * step, 7)",
        ],
    },
    "The last axis is what NumPy takes by itself.": {
        "kernels.decoding.mean_from_scores": [
            "area = -np.diff(numerics.softplus(u)) * scale[..., j, None]",
        ],
    },
    "A product's factors may stand in any order.": {
        "kernels.flows.planar_backward": [
            "dc = w @ du",
        ],
        "kernels.dense.bias_elu_backward": [
            "da = kept(right, dh) + kept(dh * (h + alpha), ~right)",
        ],
        "kernels.dense.bias_leaky_relu_backward": [
            "da = kept(right, dh) + kept(slope * dh, ~right)",
            "da = kept(dh, right) + kept(~right, slope * dh)",
        ],
    },
    "It is rounded to the type of the rest in the end.": {
        "kernels.flows.planar": [
            "change = -np.log1p((1 - h * h) * m)",
        ],
    },
    "0 over any number is 0.": {
        "objectives.dip.dip_loss": [
            "shares = (w / (w.sum() or 2.0))[:, None]",
            "shares = (w / (w.sum() or -1.0))[:, None]",
        ],
    },
    "A symmetric matrix is its own transpose.": {
        "objectives.dip.dip_loss": [
            "dmu = 2 * shares * (centred @ g.T)",
        ],
    },
}


def reason(target: str, names: tuple[str, ...]) -> str:
    """Why the change of a target that has these names changes no value, or an empty text."""
    return next(
        (r for r, listed in EQUIVALENTS.items() if set(names) & set(listed.get(target, []))), ""
    )


def entries() -> set[tuple[str, str]]:
    """(target, name of the change) of everything that is listed."""
    return {
        (target, name)
        for listed in EQUIVALENTS.values()
        for target, names in listed.items()
        for name in names
    }
