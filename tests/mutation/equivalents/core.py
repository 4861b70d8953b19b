"""Those of `npvae/core`."""

from __future__ import annotations

EQUIVALENTS: dict[str, dict[str, list[str]]] = {
    "The sign of an argument does not matter to its size, its type or its finiteness.": {
        "core.numerics.all_finite": [
            "return cmath.isfinite(np.vdot(-x, x)) or bool(np.isfinite(x).all())",
            "return cmath.isfinite(np.vdot(x, -x)) or bool(np.isfinite(x).all())",
        ],
        "core.numerics._polynomial": [
            "total = np.full_like(-x, coefficients[-1])",
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
            "return d.sum(axis=stretched, keepdims=True)",
        ],
    },
    "The other way around takes longer and gives the same.": {
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
    "NumPy's number instead of Python's: equal, and float32 is rounded no sooner for it.": {
        "core.numerics.known_extremes": [
            "return (np.fmin.reduce(x, axis=None), float(np.fmax.reduce(x, axis=None)))",
            "return (float(np.fmin.reduce(x, axis=None)), np.fmax.reduce(x, axis=None))",
        ],
    },
    "Where there is nothing to do the rest does nothing: it saves the time.": {
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
    "The array has one axis: the last one is axis 0, and it is its own transpose.": {
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
        "core.numerics._polynomial": [
            "total = coefficients[-1]",
        ],
    },
    "What is computed where the other form holds is thrown away.": {
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
}
