"""Mutants that change no value: no test can tell them from the original, for the reason given.

Under each reason stand targets, and the statements that they may be changed to; or, where such a
statement leaves open what was changed, as ``if True:`` does, the whole change as ``--list`` shows
it. An entry whose mutant no longer exists, or on which a test fails, is reported as an error.
"""

from __future__ import annotations

EQUIVALENTS: dict[str, dict[str, list[str]]] = {
    "The array has two axes, so the last one is axis 1.": {
        "kernels.reference.dense.take_columns": [
            "return x.take(np.asarray(columns, np.intp), axis=1)",
        ],
        "kernels.reference.latent.gaussian_heads": ["z_dim = stats.shape[1] // 2"],
        "kernels.reference.latent.gaussian_heads_backward": [
            "raw = stats[..., stats.shape[1] // 2:]",
            "return np.concatenate([dmu, dlogvar], axis=1)",
        ],
    },
    "NumPy makes an array of integers of the tuple itself, which is never empty.": {
        "kernels.reference.dense.take_columns": ["return x.take(columns, axis=-1)"],
    },
    "The axis has length one, so its first entry is its last.": {
        "kernels.reference.latent.gaussian_kl_backward": ["dkl = dkl[-1].astype(mu.dtype)"],
    },
    "The VAE has one latent level, so the first entry of the list is its last.": {
        "models.vae.VAE.backward": [
            "dz = k.add(dz, d_terms.z[-1])",
            "dz = k.add(dz, self._prior_backward(c_log_pz, d_terms.log_pz[-1]))",
            "dz_q, dmu, dlogvar = self.posterior.log_prob.backward(c_log_qz, d_terms.log_qz[-1])",
            "uses.append(self.prior.kl.backward(c_kl, d_terms.kl[-1]))",
            "uses.append(d_terms.posterior[-1])",
        ],
    },
    "Without a context the decoder's input is z alone, and the first Z columns are all of it.": {
        "models.vae.VAE.backward": ["if self.context_dim: -> if True:"],
    },
    "The array has 2Z columns, so Z from the left is Z from the right.": {
        "kernels.reference.latent.gaussian_heads": ["z_dim = -(stats.shape[-1] // 2)"],
    },
    "NumPy infers the length of an axis that is given any negative one.": {
        "layers.dense.Dense.forward": [
            "rows = x if x.ndim == 2 else x.reshape(-2, self.n_in)",
        ],
        "layers.dense.Dense.backward": [
            "da, db = self.activation.backward(saved, dh.reshape(-2, self.n_out))"
        ],
    },
    "Only the square of the number is used, or its product with one whose sign changes too.": {
        "kernels.reference.likelihoods.gaussian_learnt": ["inverse = -np.exp(-log_scale)"],
        "kernels.reference.latent.gaussian_log_prob": [
            "u = -((z - mu) * np.exp(-0.5 * logvar))",
            "u = (mu - z) * np.exp(-0.5 * logvar)",
        ],
        "kernels.reference.latent.gaussian_log_prob_backward": [
            "inverse_std = -np.exp(-0.5 * logvar)"
        ],
        "posteriors.GaussianLogProb.forward": [
            "return (k.gaussian_log_prob(mu, z, logvar), (z, mu, logvar))"
        ],
        "priors.GaussianKL.forward": ["return (k.gaussian_kl(-mu, logvar), (mu, logvar))"],
        "priors.StandardNormal.forward": ["return (k.standard_normal_log_prob(-z), z)"],
    },
    "The derivative (1 - h)(1 + h) is even in h.": {
        "layers.activation.Tanh.forward": ["return (h, -h)"],
        "layers.activation.Tanh.backward": ["return k.bias_tanh_backward(dh, -h)"],
    },
    "-0.0 equals 0.0, and nothing divides by it.": {
        "numerics.kept": [
            "return product if all_finite(product) else np.where(where, x, -np.zeros((), x.dtype))",
        ],
        "numerics.erfc": ["a = b = -np.zeros_like(t)"],
        "kernels.reference.training.kl_loss": [
            "slope = np.where(below, -0.0, beta / (kl.shape[0] * kl.shape[1]))"
        ],
    },
    "The sign of an argument does not matter to its size, its type or its finiteness.": {
        "kernels.reference.training.adam": ["mb[np.abs(-mb) < tiny] = 0"],
        "numerics.logsumexp": ["top = np.where(np.isfinite(-top), top, 0)"],
        "numerics.magnitude": [
            "return np.where(x.real > 0, x, -x) if x.dtype.kind == 'c' else np.abs(-x)",
        ],
        "numerics.kept": [
            "return product if all_finite(-product) else np.where(where, x, np.zeros((), x.dtype))",
        ],
        "numerics.all_finite": [
            "return cmath.isfinite(-np.vdot(x, x)) or bool(np.isfinite(x).all())",
            "return cmath.isfinite(np.vdot(-x, x)) or bool(np.isfinite(x).all())",
            "return cmath.isfinite(np.vdot(x, -x)) or bool(np.isfinite(x).all())",
            "return cmath.isfinite(np.vdot(x, x)) or bool(np.isfinite(-x).all())",
        ],
        "numerics.erfc": ["a = b = np.zeros_like(-t)"],
        "optim.Adam.step": ["norm = np.linalg.norm(-gradient.astype(np.float64))"],
    },
    "The type of two types is the same in either order.": {
        "numerics.wide": ["return np.result_type(np.float64, dtype)"],
    },
    "A factor of 1 changes nothing.": {
        "optim.Adam.step": ["if norm >= self.clip_norm:"],
    },
    "Any finite number serves where every exp(x) is 0, infinite or NaN.": {
        "numerics.logsumexp": [
            "top = np.where(np.isfinite(top), top, 1)",
            "top = np.where(np.isfinite(top), top, -1)",
        ],
    },
    "A sum over axes of length one, or over none, copies: the condition only spares that.": {
        "numerics.unbroadcast": [
            "stretched = tuple((i for i, n in enumerate(shape) if n == 1))",
            "stretched = tuple((i for i, n in enumerate(shape) if n == 1 and d.shape != 1))",
            "return d.sum(axis=stretched, keepdims=True)",
        ],
    },
    "The other way around takes longer and gives the same.": {
        "kernels.reference.dense.bias_identity": ["return a + b"],
        "kernels.reference.dense.bias_relu": ["return maximum(a + b, 0)"],
        "kernels.reference.dense.bias_leaky_relu": ["s = a + b"],
        "kernels.reference.dense.bias_tanh": ["return np.tanh(a + b)"],
        "kernels.reference.dense.bias_sigmoid": ["return sigmoid(a + b)"],
        "kernels.reference.dense.bias_softplus": ["return softplus(a + b)"],
        "kernels.reference.dense.bias_elu": ["s = a + b"],
        "kernels.reference.dense.bias_gelu": ["s = a + b"],
        "kernels.reference.dense.bias_silu": ["s = a + b"],
        "kernels.reference.training.adam": ["if True:"],
        "layers.dense.Dense.forward": [
            "rows = x.reshape(-1, self.n_in)",
            "rows = x if x.ndim == 1 else x.reshape(-1, self.n_in)",
            "if True:",
        ],
        "numerics.magnitude": ["return np.where(x.real > 0, x, -x)"],
        "numerics.maximum": ["if True:", "return np.maximum(x, bound)"],
        "numerics.minimum": ["if True:", "return np.minimum(x, bound)"],
        "numerics.kept": ["return np.where(where, x, np.zeros((), x.dtype))"],
        "numerics.all_finite": [
            "return bool(np.isfinite(x).all())",
            "return cmath.isfinite(np.vdot(x, x)) or np.isfinite(x).all()",
        ],
    },
    "Where the bend is below the last place, it may be taken or not.": {
        "kernels.reference.latent.gaussian_heads_backward": [
            "if True:",
            "if not _far_inside(raw, high, low):",
            "if not _far_inside(-raw, low, high):",
            "if not _far_inside(raw, -low, high):",
            "if not _far_inside(raw, low, -high):",
        ],
        "kernels.reference.latent._far_inside": [
            "return low + margin <= least and greatest < high - margin",
            "return low + margin < least and greatest <= high - margin",
        ],
    },
    "The sum is given the shape (1,) either way.": {
        "kernels.reference.likelihoods.gaussian_learnt_backward": [
            "return (scale_rows(d, r), (d * slope).sum().reshape(1).astype(r.dtype))",
            "return (scale_rows(d, r), (d * slope).sum(keepdims=False).reshape(1).astype(r.dtype))",
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
