"""Those of layers and flows."""

from __future__ import annotations

EQUIVALENTS: dict[str, dict[str, list[str]]] = {
    "Only whether it is true is asked, and a minus leaves that as it is.": {
        "flows.base.Flowed.draw": [
            "(z, log_q), c_base = self.base.draw(params[:2], eps, -density)",
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
    "The other way around takes longer and gives the same.": {
        "layers.dense.Dense.forward": [
            "rows = x.reshape(-1, self.n_in)",
            "rows = x if x.ndim == 1 else x.reshape(-1, self.n_in)",
            "if True:",
        ],
    },
    "Only a recorded step asks whether the array can change; no value depends on it.": {
        "flows.base.Flowed.draw_backward": [
            "d_change.flags.writeable = False -> pass",
            "d_change.flags.writeable = True",
        ],
    },
}
