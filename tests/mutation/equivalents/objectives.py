"""Those of objectives and of Adam."""

from __future__ import annotations

EQUIVALENTS: dict[str, dict[str, list[str]]] = {
    "IWAE has no schedule, so the epoch is nothing to it.": {
        "objectives.dreg.DReG.__call__": [
            "losses, d_terms = super().__call__(terms, -epoch)",
        ],
    },
    "The sign of an argument does not matter to its size, its type or its finiteness.": {
        "optim.Adam.accepts": [
            "if np.isfinite(np.dot(-gradient, gradient)):",
            "if np.isfinite(np.dot(gradient, -gradient)):",
        ],
        "optim.Adam.step": [
            "norm = np.linalg.norm(-gradient.astype(np.float64))",
        ],
    },
    "A factor of 1 changes nothing.": {
        "optim.Adam.step": [
            "if norm >= self.clip_norm:",
        ],
    },
    "NumPy's number instead of Python's: equal, and float32 is rounded no sooner for it.": {
        "optim.Adam.step": [
            "step_size, root, decay = (f for f in self.factors(state.t, lr))",
        ],
        "objectives.mmd._expected_twice": [
            "return (weights * (1 + 4 * s / h) ** (-z_dim / 2)).sum()",
        ],
    },
    "0 over any number is 0.": {
        "objectives.dip.dip_loss": [
            "shares = (w / (w.sum() or 2.0))[:, None]",
            "shares = (w / (w.sum() or -1.0))[:, None]",
        ],
        "objectives.mmd.mmd_loss": [
            "pairs, rows = (p / (samples * (p.sum() or 2.0)) for p in (pairs, w))",
            "pairs, rows = (p / (samples * (p.sum() or -1.0)) for p in (pairs, w))",
        ],
    },
    "A symmetric matrix is its own transpose.": {
        "objectives.dip.dip_loss": [
            "dmu = 2 * shares * (centred @ g.T)",
        ],
        "objectives.mmd.mmd_loss": [
            "d = 4 * ((slopes.sum(0) + pull)[:, None] * points - slopes @ points)",
            "d = 4 * ((slopes.sum(1) + pull)[:, None] * points - slopes.T @ points)",
        ],
    },
    "It is divided by the sum of numbers whose sign changes with its own.": {
        "objectives.mmd.mmd_loss": [
            "pairs = -(np.outer(w, w) * (1 - np.eye(batch)))",
            "pairs = np.outer(-w, w) * (1 - np.eye(batch))",
            "pairs = np.outer(w, -w) * (1 - np.eye(batch))",
            "pairs = np.outer(w, w) * (np.eye(batch) - 1)",
        ],
    },
    "A sum's terms and a product's factors may stand in any order.": {
        "objectives.dreg.DReG.__call__": [
            "d_level.dz_scale = k.importance_weights(level.log_pz, terms.log_px, level.log_qz)",
        ],
        "objectives.elbo.ELBO.__call__": [
            "pressed_kl = reduce(k.add, map(scaled, kls, each))",
            "loss = k.weighted_loss(rec, beta, pressed_kl)",
        ],
        "objectives.elbo._times": [
            "return LevelTerms(kl=scaled(d.kl, factor))",
            "return LevelTerms(log_pz=scaled(d.log_pz, factor), log_qz=scaled(factor, d.log_qz))",
            "return LevelTerms(log_pz=scaled(factor, d.log_pz), log_qz=scaled(d.log_qz, factor))",
        ],
    },
    "The array has two axes, so the last one is axis 1.": {
        "objectives.mmd.mmd_loss": [
            "squares = (points ** 2).sum(1)",
        ],
    },
    "A number stands for an array that is equal to it everywhere.": {
        "objectives.mmd._nodes": [
            "return (np.ones(1), 1)",
            "return (1, np.ones(1))",
        ],
    },
    "Another grid that is as fine and as long, or another such substitution, has the same integral.": {
        "objectives.mmd._nodes": [
            "t = -np.arange(-3.6, 4.0, step)",
            "t = np.arange(-7.2, 4.0, step)",
            "t = np.arange(-4.6, 4.0, step)",
            "t = np.arange(-3.6, 8.0, step)",
            "t = np.arange(-3.6, 5.0, step)",
            "s = np.exp(t - np.expm1(-t))",
        ],
    },
}
