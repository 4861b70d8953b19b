"""Those of layers and flows."""

from __future__ import annotations

EQUIVALENTS: dict[str, dict[str, list[str]]] = {
    "Only whether it is true is asked, and a minus leaves that as it is.": {
        "flows.base.Flowed.draw": [
            "(z, log_q), c_base = self.base.draw(params[:2], eps, -density)",
        ],
        "layers.combine.Beside.backward": [
            "da = self.network.backward(cache, dh, -wrt_input)",
        ],
        "layers.combine.Residual.backward": [
            "dx = self.network.backward(cache, dy, -wrt_input)",
        ],
    },
    "NumPy infers the length of an axis that is given any negative one.": {
        "layers.dense.Dense.forward": [
            "rows = x if x.ndim == 2 else x.reshape(-2, self.n_in)",
        ],
        "layers.dense.Dense.backward": [
            "da, db = self.activation.backward(saved, dh.reshape(-2, self.n_out))",
        ],
        "flows.base.summed_over_rows": [
            "total = dstats.reshape(-2, dstats.shape[-1]).sum(0)",
        ],
        "flows.radial.radial_backward": [
            "return (dz, dz_0.sum((0, 1)), da.reshape(-2).sum(keepdims=True), db.reshape(-1).sum(keepdims=True))",
            "return (dz, dz_0.sum((0, 1)), da.reshape(-1).sum(keepdims=True), db.reshape(-2).sum(keepdims=True))",
        ],
        "flows.sylvester.sylvester_backward": [
            "q, rows = (steps[-1], z.reshape(-2, z.shape[-1]))",
            "g, d = (dz.reshape(rows.shape), d.astype(z.dtype).reshape(-2, 1))",
        ],
        "layers.conv.Window.forward": [
            "images = x.reshape(-2, *self.in_shape)",
            "a = self._through(images).reshape(-2, self.b.size)",
        ],
        "layers.conv.Window.backward": [
            "da = da.reshape(-2, *self.out_shape)",
            "da, db = self.activation.backward(saved, dh.reshape(-2, self.b.size))",
        ],
        "layers.masked.MaskedDense.forward": [
            "rows, weight = (x.reshape(-2, self.n_in), k.masked(self.W, self.mask))",
        ],
        "layers.masked.MaskedDense.backward": [
            "da, db = self.activation.backward(saved, dh.reshape(-2, self.n_out))",
        ],
        "layers.norm.Norm.backward": [
            "da, db = self.activation.backward(saved, dh.reshape(-2, self.channels))",
        ],
        "layers.norm.LayerNorm._normalised": [
            "return k.normalised(x.reshape(-2, self.channels), (1,), self.eps)",
        ],
        "layers.norm.GroupNorm._normalised": [
            "u, inverse = k.normalised(x.reshape(-2, *self._apart), (1, 3), self.eps)",
            "return (u.reshape(-2, self.channels), inverse)",
        ],
        "layers.norm.BatchNorm._normalised": [
            "rows = x.reshape(-2, self.channels)",
        ],
        "layers.resize.Resampling.forward": [
            "y = k.resample(x.reshape(-2, *self.in_shape), self._down, self._along)",
        ],
        "layers.resize.Resampling.backward": [
            "dx = k.resample(dy.reshape(-2, *self.out_shape), self._up, self._back)",
        ],
        "layers.resize.MaxPool2d.forward": [
            "images = x.reshape(-2, *self.in_shape)",
        ],
        "layers.resize.MaxPool2d.backward": [
            "slopes = dy.reshape(-2, *self.out_shape)",
        ],
        "layers.norm.GroupNorm._backward": [
            "apart = (-2, *self._apart)",
        ],
    },
    "Only the square of the number is used, or its product with one whose sign changes too.": {
        "flows.prior.FlowPrior.forward": [
            "log_p = k.standard_normal_log_prob(-z)",
        ],
        "layers.norm.LayerNorm._backward": [
            "return k.normalised_backward(du, -u, kept, (1,))",
        ],
        "layers.norm.GroupNorm._backward": [
            "return k.normalised_backward(du.reshape(*apart), -u.reshape(*apart), kept, (1, 3))",
        ],
        "layers.norm.BatchNorm._backward": [
            "return k.normalised_backward(du, -u, inverse, (0,))",
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
            "d_change = np.zeros(dz.shape[:2])",
        ],
        "layers.resize.Resampling._through": [
            "self._down, self._along = (down, constant(along))",
            "self._down, self._along = (constant(down), along)",
            "self._up, self._back = (down.T.copy(), constant(along.T.copy()))",
            "self._up, self._back = (constant(down.T.copy()), along.T.copy())",
            "self._up, self._back = (constant(down.T), constant(along.T.copy()))",
            "self._up, self._back = (constant(down.T.copy()), constant(along.T))",
        ],
    },
    "-0.0 equals 0.0, and nothing divides by it.": {
        "flows.base.Flowed.draw_backward": [
            "d_change = -constant(np.zeros(dz.shape[:2]))",
        ],
    },
    "It is unpacked, and a list is as well as a tuple.": {
        "flows.base.summed_over_rows": [
            "return np.split(total, np.cumsum(widths)[:-1])",
        ],
    },
    "It is added to an array of one number, as an array of one is.": {
        "flows.radial.radial_backward": [
            "return (dz, dz_0.sum((0, 1)), da.reshape(-1).sum(), db.reshape(-1).sum(keepdims=True))",
            "return (dz, dz_0.sum((0, 1)), da.reshape(-1).sum(keepdims=False), db.reshape(-1).sum(keepdims=True))",
            "return (dz, dz_0.sum((0, 1)), da.reshape(-1).sum(keepdims=True), db.reshape(-1).sum())",
            "return (dz, dz_0.sum((0, 1)), da.reshape(-1).sum(keepdims=True), db.reshape(-1).sum(keepdims=False))",
        ],
    },
    "Of its last axis, which has one place, the first is used.": {
        "flows.radial._added": [
            "return (z_0 + stats[..., :-2], a + stats[..., -2:], b + stats[..., -1:])",
        ],
        "flows.radial._gradients": [
            "return (dz + dd, -dd, alpha * d_alpha, sigmoid(b[..., -1]) * d_beta)",
        ],
        "flows.radial._terms": [
            "alpha = np.exp(a[..., -1])",
            "return (alpha, softplus(b[..., -1]) - alpha, d, r, 1 / (alpha + r))",
        ],
    },
    "0 over any number is 0.": {
        "flows.radial._gradients": [
            "dd = (beta * h)[..., None] * dz + (dr / np.where(r == 0, 2, r))[..., None] * d",
        ],
    },
    "A reflection at -v is that at v.": {
        "flows.sylvester.sylvester": [
            "q, r, s = (_orthonormal(-v, len(b))[-1], _triangle(upper), _triangle(inner))",
        ],
        "flows.sylvester.sylvester_backward": [
            "steps, r, s = (_orthonormal(-v, len(b)), _triangle(upper), _triangle(inner))",
        ],
        "flows.sylvester._orthonormal": [
            "u = -(row / np.sqrt((row * row).sum()))",
        ],
    },
    "The derivative 1 - tanh² is even.": {
        "flows.sylvester.sylvester_backward": [
            "return (dz, _orthonormal_backward(v, steps, dq), *_turned(dr, ds, -upper, inner), da.sum(0))",
            "return (dz, _orthonormal_backward(v, steps, dq), *_turned(dr, ds, upper, -inner), da.sum(0))",
        ],
        "flows.sylvester._turned": [
            "slopes = (1 - np.tanh(-np.diag(raw)) ** 2 for raw in (upper, inner))",
            "slopes = (1 - np.tanh(np.diag(-raw)) ** 2 for raw in (upper, inner))",
        ],
    },
    "That a draw is p itself is as rare as any one number is.": {
        "layers.dropout.Dropout.forward": [
            "kept = draws.random(x.shape, np.float32) > self.p",
        ],
    },
    "A sum's terms and a product's factors may stand in any order.": {
        "layers.masked.MaskedDense.forward": [
            "rows, weight = (x.reshape(-1, self.n_in), k.masked(self.mask, self.W))",
            "h, saved = self.activation.forward(self.b, k.linear(rows, weight))",
        ],
        "layers.norm.Norm.forward": [
            "h, saved = self.activation.forward(k.scaled(self.g, u), self.b)",
            "h, saved = self.activation.forward(self.b, k.scaled(u, self.g))",
        ],
        "layers.conv.Window.forward": [
            "h, saved = self.activation.forward(self.b, a)",
        ],
        "layers.dense.Dense.forward": [
            "h, saved = self.activation.forward(self.b, k.linear(rows, self.W))",
        ],
        "layers.norm.BatchNorm._normalised": [
            "u, inverse = k.centred(rows, self.mean, self.eps, self.variance)",
        ],
        "layers.masked.MaskedDense.backward": [
            "self.dW += k.masked(self.mask, k.linear_dw(da, rows))",
        ],
        "layers.activation.Identity.forward": [
            "return (k.bias_identity(b, a), None)",
        ],
        "layers.activation.ReLU.forward": [
            "h = k.bias_relu(b, a)",
        ],
        "layers.activation.LeakyReLU.forward": [
            "h = k.bias_leaky_relu(b, a, self.slope)",
        ],
        "layers.activation.Tanh.forward": [
            "h = k.bias_tanh(b, a)",
        ],
        "layers.activation.Sigmoid.forward": [
            "h = k.bias_sigmoid(b, a)",
        ],
        "layers.activation.Softplus.forward": [
            "h = k.bias_softplus(b, a)",
        ],
        "layers.activation.ELU.forward": [
            "h = k.bias_elu(b, a, self.alpha)",
        ],
        "layers.activation.GELU.forward": [
            "return k.bias_gelu(b, a)",
        ],
        "layers.activation.SiLU.forward": [
            "return k.bias_silu(b, a)",
        ],
    },
    "The axis has length one, so its first entry is its last.": {
        "flows.planar._rows": [
            "h = np.tanh((z * w).sum(-1) + b[..., -1])",
        ],
    },
    "The array has one axis: the last one is axis 0, and it is its own transpose.": {
        "flows.sylvester._orthonormal": [
            "steps.append(steps[-1] - 2 * np.outer(u, u.T @ steps[-1]))",
        ],
        "flows.sylvester._orthonormal_backward": [
            "du = -2 * (dq @ (before.T @ u).T + before @ (dq.T @ u))",
            "du = -2 * (dq @ (before.T @ u.T) + before @ (dq.T @ u))",
            "du = -2 * (dq @ (before.T @ u) + before @ (dq.T @ u).T)",
            "du = -2 * (dq @ (before.T @ u) + before @ (dq.T @ u.T))",
            "dv[i] = (du - u * (du @ u)) / size",
            "dv[i] = (du - u * (u.T @ du)) / size",
            "dv[i] = (du - u * (u @ du.T)) / size",
            "dq = dq - 2 * np.outer(u, u.T @ dq)",
        ],
    },
}
