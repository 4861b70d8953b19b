"""Those of `npvae/likelihoods` and their kernels."""

from __future__ import annotations

EQUIVALENTS: dict[str, dict[str, list[str]]] = {
    "Only the square of the number is used, or its product with one whose sign changes too.": {
        "kernels.likelihoods.gaussian_learnt": [
            "inverse = -np.exp(-log_scale)",
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
    },
    "-0.0 equals 0.0, and nothing divides by it.": {
        "kernels.likelihoods.zero_inflated_negative_binomial": [
            "log_p = log_nb + np.where(x > 0, -zero, softplus(excess)) - softplus(gate)",
            "r_gate = np.where(x > 0, -zero, sigmoid(excess)) - sigmoid(gate)",
        ],
        "kernels.likelihoods._over_known": [
            "log_p = np.where(missing, -zero, log_p)",
            "slopes = tuple((np.where(missing, -zero, slope) for slope in slopes))",
        ],
    },
    "The sign of an argument does not matter to its size, its type or its finiteness.": {
        "kernels.likelihoods.in_units": [
            "return log_px - known(-x).dot(log_scale)",
        ],
        "kernels.likelihoods.one_hot": [
            "return np.where(np.isnan(labels), -labels, hot)",
        ],
    },
    "The sum is given the shape (1,) either way.": {
        "kernels.likelihoods.gaussian_learnt_backward": [
            "return (scale_rows(d, r), (d * slope).sum().reshape(1).astype(r.dtype))",
            "return (scale_rows(d, r), (d * slope).sum(keepdims=False).reshape(1).astype(r.dtype))",
        ],
    },
    "NumPy makes the array of the numbers itself.": {
        "kernels.likelihoods._groups": [
            "widths = sizes",
        ],
    },
    "Where there is nothing to do the rest does nothing: it saves the time.": {
        "kernels.likelihoods._over_known": [
            "if True:",
        ],
        "kernels.likelihoods._n_known": [
            "return n - np.count_nonzero(missing, axis=1)",
        ],
    },
    "It is unpacked, which any iterable can be.": {
        "kernels.likelihoods._over_known": [
            "slopes = (np.where(missing, zero, slope) for slope in slopes)",
        ],
    },
}
