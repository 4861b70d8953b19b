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
