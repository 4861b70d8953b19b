"""Those of all kernels but those of likelihoods."""

from __future__ import annotations

EQUIVALENTS: dict[str, dict[str, list[str]]] = {
    "The array has 2Z columns, so Z from the left is Z from the right.": {
        "kernels.latent.gaussian_heads": [
            "z_dim = -(stats.shape[-1] // 2)",
        ],
    },
    "Only the square of the number is used, or its product with one whose sign changes too.": {
        "kernels.latent.gaussian_log_prob": [
            "u = -((z - mu) * np.exp(-0.5 * logvar))",
            "u = (mu - z) * np.exp(-0.5 * logvar)",
        ],
        "kernels.latent.gaussian_log_prob_backward": [
            "inverse_std = -np.exp(-0.5 * logvar)",
        ],
        "kernels.latent.mixture_log_prob": [
            "joint = np.stack([w + gaussian_log_prob(m, z, v) for w, m, v in components], axis=-1)",
        ],
        "kernels.latent.gaussian_kl_between": [
            "u, w = ((prior_mu - mu) * np.exp(-0.5 * prior_logvar), logvar - prior_logvar)",
        ],
    },
    "-0.0 equals 0.0, and nothing divides by it.": {
        "kernels.flows.planar_backward": [
            "ds = dm * sigmoid(s) - dc / square - 0 * s",
        ],
        "kernels.decoding.zero_inflated_mode": [
            "log_p_zero = np.logaddexp(gate, _log_p(log_mean, -zero, log_dispersion))",
            "return np.where(log_p > log_p_zero, mode, -zero)",
        ],
    },
    "The other way around takes longer and gives the same.": {
        "kernels.training.adam": [
            "if True:",
        ],
        "kernels.conv._patches": [
            "if True:",
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
    "Both have the same shape and type.": {
        "kernels.aggregate.decomposed_kl": [
            "dz, dmu, dlogvar = (np.empty_like(z), np.zeros_like(logvar), np.zeros_like(mu))",
        ],
        "kernels.latent.mixture_log_prob_backward": [
            "dz, dmu, dlogvar = (np.zeros_like(z), np.empty_like(logvar), np.empty_like(mu))",
        ],
    },
    "The array has one axis: the last one is axis 0, and it is its own transpose.": {
        "kernels.aggregate.decomposed_kl": [
            "dz[sample, :, j] = -along @ inverse[:, j].T",
        ],
        "kernels.flows.planar_backward": [
            "h, own = (np.tanh(z @ w.T + b), np.result_type(w, u))",
            "da = g * (dz @ u_hat.T + 2 * d * h * bend / j)",
            "dc = du.T @ w",
            "dc = du @ w.T",
        ],
        "kernels.flows.planar": [
            "h, own = (np.tanh(z @ w.T + b), np.result_type(w, u))",
        ],
    },
    "A number stands for an array that is equal to it everywhere.": {
        "kernels.decoding.mean_from_scores": [
            "scale = np.exp(log_scale)",
        ],
    },
    "What is computed where the other form holds is thrown away.": {
        "kernels.decoding.beta_mode": [
            "peak = (a - 1) / np.where(inside, a + b - 2, 2)",
        ],
        "kernels.marginals.logistic_cells": [
            "gap = np.where(smooth, 2.0, width).astype(width.dtype) * inverse",
            "far = np.where(near, 2.0, gap).astype(gap.dtype)",
            "far = np.where(near, -1.0, gap).astype(gap.dtype)",
            "far = gap.astype(gap.dtype)",
        ],
        "kernels.marginals._on_line": [
            "slope = rise / np.where(run > 0, run, 2.0)",
        ],
        "kernels.marginals._in_tails": [
            "log_p = np.log(np.where(share > 0, share, 2.0) / scale)",
            "log_p = log_p - (1 + 1 / shape) * np.log1p(shape / scale * np.where(beyond, distance, 1.0))",
        ],
    },
    "It is divided by the sum of numbers whose sign changes with its own.": {
        "kernels.aggregate.decomposed_kl": [
            "log_shares = _log_shares(batch, n_data, -w).astype(logvar.real.dtype)",
        ],
        "kernels.decoding._softmax": [
            "e = -np.exp(logits - logits.max(-1, keepdims=True))",
        ],
    },
    "Of two values that are equally probable either is a mode.": {
        "kernels.decoding.zero_inflated_mode": [
            "return np.where(log_p >= log_p_zero, mode, zero)",
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
        "kernels.marginals._cells": [
            "inside = np.clip(knots[:, 0] + half, x, knots[column, last] - half)",
            "low, slope = _on_line(left, np.clip(0, below - 1, last - 1), column, knots, scores)",
            "high, _ = _on_line(right, np.clip(0, upto - 1, last - 1), column, knots, scores)",
        ],
    },
    "The right end of a cell lies above the first knot, so the bound is not met.": {
        "kernels.marginals._cells": [
            "high, _ = _on_line(right, np.clip(upto - 1, -1, last - 1), column, knots, scores)",
            "high, _ = _on_line(right, np.clip(last - 1, 0, upto - 1), column, knots, scores)",
        ],
    },
    "Of the ends of cells rounding is far smaller, and the next knot is a step away.": {
        "kernels.marginals._cells": [
            "half, near = (0.5 * steps, 0.0002 * steps)",
        ],
    },
    "An x that is rounded is as far from the end, to the digits of its own type.": {
        "kernels.marginals._in_tails": [
            "end = end.astype(x.dtype).astype(np.float64)",
            "end = np.where(end, end.astype(x.dtype), steps == 0).astype(np.float64)",
        ],
    },
    "The loss is the mean over rows and groups in the end, whichever is taken first.": {
        "kernels.training.power_means": [
            "rows = means",
            "rows = share * log_w + (1 - share) * rows",
        ],
        "kernels.training._log_power_means": [
            "return (log_w, np.full(log_w.shape, 1 / log_w.shape[1]))",
            "return (log_w.mean(0), np.full(log_w.shape, 1 / log_w.shape[1]))",
            "return (np.take_along_axis(log_w, at, axis=1), shares)",
            "return ((top + np.log1p(mean)) / power, shares)",
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
    },
    "It is rounded to the type of the rest in the end.": {
        "kernels.aggregate.decomposed_kl": [
            "rows = share[:, None]",
            "log_shares = _log_shares(batch, n_data, w)",
        ],
        "kernels.flows.planar": [
            "change = -np.log1p((1 - h * h) * m)",
        ],
        "kernels.aggregate._mixed": [
            "shares /= total",
        ],
    },
    "How many numbers are copied at a time changes no value.": {
        "kernels.conv._PORTION": [
            "_PORTION = 1000001",
            "_PORTION = 999999",
        ],
    },
    "An empty piece more changes nothing where the pieces are put together.": {
        "kernels.conv.unstack_channels": [
            "images = np.split(y.reshape(len(y), pixels, sum(channels)), np.cumsum(channels), axis=2)",
            "images = np.split(y.reshape(len(y), pixels, sum(channels)), np.cumsum(channels)[:], axis=2)",
        ],
    },
    "Of two numbers that are equal either is the larger.": {
        "kernels.images.max_pool": [
            "np.copyto(y, seen, where=(seen.real >= y.real) | np.isnan(seen))",
        ],
    },
    "It is odd in both numbers, and the two signs cancel.": {
        "kernels.flows.STRETCH": [
            "STRETCH = -3.0",
        ],
    },
    "What is the same for all classes drops out, since the mean over them is subtracted.": {
        "kernels.labels.over_labels_backward": [
            "dq = unknown[:, None] * (dr + d_of_y[:, None] * (log_q - 1))",
            "dq = unknown[:, None] * (dr + d_of_y[:, None] * (log_q * 1))",
            "dq = unknown[:, None] * (dr + d_of_y[:, None] * log_q)",
            "dq = unknown[:, None] * (dr + d_of_y[:, None] * (log_q + 2))",
            "dq = unknown[:, None] * (dr + d_of_y[:, None] * (log_q + 0))",
        ],
    },
    "Where there is nothing to do the rest does nothing: it saves the time.": {
        "kernels.marginals._in_tails": [
            "if False:",
        ],
    },
    "At the border both forms agree to rounding, as they do for some way on either side.": {
        "kernels.marginals.NEAR": [
            "NEAR = 2e-08",
        ],
        "kernels.marginals.logistic_cells": [
            "near = gap.real <= NEAR",
        ],
    },
    "Both forms are exact where real numbers are this near; NumPy's older complex ones were not.": {
        "kernels.marginals.NEAR": [
            "NEAR = -1e-08",
        ],
    },
    "It has that type already: NumPy keeps an array's beside a Python number.": {
        "kernels.marginals.logistic_cells": [
            "gap = np.where(smooth, 1.0, width) * inverse",
            "far = np.where(near, 1.0, gap)",
            "slope = a * below - b * above - np.where(smooth, 1.0, share)",
        ],
        "kernels.marginals._in_tails": [
            "end = np.where(steps == 0, end.astype(x.dtype), end)",
            "distance = sign * (x - end)",
        ],
        "kernels.marginals._cells": [
            "knots = np.where(exact[:, None], knots.astype(x.dtype), knots)",
        ],
    },
    "NumPy infers the length of an axis that is given any negative one.": {
        "kernels.conv.conv2d_dx": [
            "some = -len(dy[rows])",
        ],
        "kernels.training.power_means": [
            "means, slopes = _log_power_means(log_w.reshape(groups, -2, log_w.shape[1]), power)",
        ],
    },
    "At 0 both are log 2.": {
        "kernels.discrete._exponential": [
            "return np.where(eps <= 0, -np.log(tail), -np.log1p(-tail))",
        ],
    },
    "The 0 is there for what 0 times NaN makes of it, and 0 - 0 is 0 as well.": {
        "kernels.discrete.likeliest_class": [
            "return hot.reshape(z.shape) - 0 * z",
        ],
        "kernels.discrete.likelier_side": [
            "return (z.real > 0.5) - 0 * z",
        ],
    },
    "The axis has one place, which is its first and its last.": {
        "kernels.training._log_power_means": [
            "return (np.take_along_axis(log_w, at, axis=1)[:, -1], shares)",
            "return (((top + np.log1p(mean)) / power)[:, -1], shares)",
        ],
    },
    "Any finite number serves where every exp(x) is 0, infinite or NaN.": {
        "kernels.training._log_power_means": [
            "top = np.where(np.isfinite(top), top, 1)",
            "top = np.where(np.isfinite(top), top, -1)",
        ],
    },
    "Both operations with 1 give the same.": {
        "kernels.aggregate.decomposed_kl": [
            "gradients = (alpha * share / ones, -gamma * share * ones, dz, dmu, dlogvar)",
            "gradients = (alpha * share * ones, -gamma * share / ones, dz, dmu, dlogvar)",
        ],
    },
    "The axis has length one, so its first entry is its last.": {
        "kernels.aggregate._mixed": [
            "return ((np.log(total) + top)[:, -1], shares)",
        ],
    },
    "All rows are gone through, from the end instead of from the start.": {
        "kernels.aggregate._log_shares": [
            "at = -np.arange(batch)",
        ],
    },
    "No value lies above the last knot, so the bound is not met.": {
        "kernels.marginals._cells": [
            "low, slope = _on_line(left, np.clip(below - 1, 0, last + 1), column, knots, scores)",
            "low, slope = _on_line(left, np.clip(below - 1, 0, last * 1), column, knots, scores)",
            "low, slope = _on_line(left, np.clip(below - 1, 0, last), column, knots, scores)",
            "low, slope = _on_line(left, np.clip(below - 1, 0, last - 0), column, knots, scores)",
        ],
    },
    "NaN has no sign that matters.": {
        "kernels.marginals._cells": [
            "low, high, offset = (np.where(np.isnan(x), -np.nan, part) for part in (low, high, offset))",
        ],
    },
}
