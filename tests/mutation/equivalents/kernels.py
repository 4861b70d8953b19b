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
        "kernels.latent.mixture_log_prob_backward": [
            "dz, dmu, dlogvar = (np.zeros_like(z), np.empty_like(logvar), np.empty_like(mu))",
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
}
