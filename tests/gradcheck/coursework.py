"""Networks as students write them by hand: right here, and with a planted slip in the tests.

Each pair is NAME_forward and NAME_backward, and INPUTS makes what it takes.
"""

from __future__ import annotations

import numpy as np


def softmax(a):
    e = np.exp(a - a.real.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def vae_forward(params, x, eps):
    W1, b1, W_mu, b_mu = params["W1"], params["b1"], params["W_mu"], params["b_mu"]
    W_lv, b_lv, V1, c1 = params["W_lv"], params["b_lv"], params["V1"], params["c1"]
    V2, c2 = params["V2"], params["c2"]
    a1 = x @ W1.T + b1
    h1 = np.tanh(a1)
    mu = h1 @ W_mu.T + b_mu
    logvar = h1 @ W_lv.T + b_lv
    std = np.exp(0.5 * logvar)
    z = mu + std * eps
    a2 = z @ V1.T + c1
    h2 = np.where(a2.real > 0, a2, 0 * a2)
    logits = h2 @ V2.T + c2
    rec = (np.log1p(np.exp(logits)) - x * logits).sum()
    kl = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum()
    loss = (rec + kl) / len(x)
    return loss, (params, x, eps, h1, mu, logvar, std, z, h2, logits)


def vae_backward(cache):
    params, x, eps, h1, mu, logvar, std, z, h2, logits = cache
    W_mu, W_lv, V1, V2 = params["W_mu"], params["W_lv"], params["V1"], params["V2"]
    n = len(x)
    p = 1 / (1 + np.exp(-logits))
    dlogits = (p - x) / n
    dV2 = dlogits.T @ h2
    dc2 = dlogits.sum(0)
    dh2 = dlogits @ V2
    da2 = dh2 * (h2 > 0)
    dV1 = da2.T @ z
    dc1 = da2.sum(0)
    dz = da2 @ V1
    dmu = dz + mu / n
    dlogvar = dz * eps * 0.5 * std + 0.5 * (np.exp(logvar) - 1) / n
    dW_mu = dmu.T @ h1
    db_mu = dmu.sum(0)
    dW_lv = dlogvar.T @ h1
    db_lv = dlogvar.sum(0)
    dh1 = dmu @ W_mu + dlogvar @ W_lv
    da1 = dh1 * (1 - h1**2)
    dW1 = da1.T @ x
    db1 = da1.sum(0)
    grads = {"W1": dW1, "b1": db1, "W_mu": dW_mu, "b_mu": db_mu, "W_lv": dW_lv}
    return {**grads, "b_lv": db_lv, "V1": dV1, "c1": dc1, "V2": dV2, "c2": dc2}


def classifier_forward(x, W1, b1, W2, b2, labels):
    a = x @ W1 + b1
    h = np.where(a.real > 0, a, 0 * a)
    scores = h @ W2 + b2
    p = softmax(scores)
    loss = -np.log(p[np.arange(len(x)), labels]).mean()
    return loss, (x, W1, W2, a, h, p, labels)


def classifier_backward(cache):
    x, W1, W2, a, h, p, labels = cache
    dscores = p.copy()
    dscores[np.arange(len(x)), labels] -= 1
    dscores /= len(x)
    dW2 = h.T @ dscores
    db2 = dscores.sum(0)
    dh = dscores @ W2.T
    da = dh * (a > 0)
    dW1 = x.T @ da
    db1 = da.sum(0)
    dx = da @ W1.T
    return dx, dW1, db1, dW2, db2, None


def batchnorm_forward(x, gamma, beta):
    mean = x.mean(0)
    centred = x - mean
    var = (centred**2).mean(0)
    std = np.sqrt(var + 1e-5)
    x_hat = centred / std
    y = gamma * x_hat + beta
    return y, (x_hat, centred, std, gamma)


def batchnorm_backward(cache, dy):
    x_hat, centred, std, gamma = cache
    n = len(dy)
    dgamma = (dy * x_hat).sum(0)
    dbeta = dy.sum(0)
    dx_hat = dy * gamma
    dvar = (dx_hat * centred).sum(0) * -0.5 / std**3
    dcentred = dx_hat / std + 2 * centred * dvar / n
    dmean = -dcentred.sum(0)
    dx = dcentred + dmean / n
    return dx, dgamma, dbeta


def layernorm_forward(x, gamma, beta):
    mean = x.mean(1, keepdims=True)
    std = np.sqrt(((x - mean) ** 2).mean(1, keepdims=True) + 1e-5)
    x_hat = (x - mean) / std
    y = gamma * x_hat + beta
    return y, (x_hat, std, gamma)


def layernorm_backward(cache, dy):
    x_hat, std, gamma = cache
    dgamma = (dy * x_hat).sum(0)
    dbeta = dy.sum(0)
    dx_hat = dy * gamma
    along = dx_hat.mean(1, keepdims=True) + x_hat * (dx_hat * x_hat).mean(1, keepdims=True)
    dx = (dx_hat - along) / std
    return dx, dgamma, dbeta


def im2col(x, size):
    n, _, height, width = x.shape
    rows, columns = height - size + 1, width - size + 1
    patches = [
        x[:, :, i : i + size, j : j + size].reshape(n, -1)
        for i in range(rows)
        for j in range(columns)
    ]
    return np.stack(patches, 1)


def conv_forward(x, w, b):
    size = w.shape[-1]
    cols = im2col(x, size)
    w_flat = w.reshape(len(w), -1)
    out = cols @ w_flat.T + b
    y = np.tanh(out)
    return y, (x.shape, w.shape, cols, w_flat, y)


def conv_backward(cache, dy):
    x_shape, w_shape, cols, w_flat, y = cache
    n, _, _, width = x_shape
    size = w_shape[-1]
    dout = dy * (1 - y**2)
    db = dout.sum((0, 1))
    dw_flat = np.einsum("npk,npc->kc", dout, cols)
    dw = dw_flat.reshape(w_shape)
    dcols = dout @ w_flat
    dx = np.zeros(x_shape)
    columns = width - size + 1
    for place in range(dcols.shape[1]):
        i, j = divmod(place, columns)
        dx[:, :, i : i + size, j : j + size] += dcols[:, place].reshape(n, -1, size, size)
    return dx, dw, db


def lstm_forward(x, h_prev, c_prev, Wx, Wh, b):
    H = h_prev.shape[1]
    a = x @ Wx + h_prev @ Wh + b
    i = 1 / (1 + np.exp(-a[:, :H]))
    f = 1 / (1 + np.exp(-a[:, H : 2 * H]))
    o = 1 / (1 + np.exp(-a[:, 2 * H : 3 * H]))
    g = np.tanh(a[:, 3 * H :])
    c = f * c_prev + i * g
    tanh_c = np.tanh(c)
    h = o * tanh_c
    return h, c, (x, h_prev, c_prev, Wx, Wh, i, f, o, g, tanh_c)


def lstm_backward(dh, dc_next, cache):
    x, h_prev, c_prev, Wx, Wh, i, f, o, g, tanh_c = cache
    do = dh * tanh_c
    dtanh_c = dh * o
    dc = dc_next + dtanh_c * (1 - tanh_c**2)
    di = dc * g
    df = dc * c_prev
    dg = dc * i
    dc_prev = dc * f
    da = np.hstack([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)])
    dx = da @ Wx.T
    dh_prev = da @ Wh.T
    dWx = x.T @ da
    dWh = h_prev.T @ da
    db = da.sum(0)
    return dx, dh_prev, dc_prev, dWx, dWh, db


def attention_forward(x, Wq, Wk, Wv, Wo):
    q = x @ Wq
    k = x @ Wk
    v = x @ Wv
    scores = q @ k.T / np.sqrt(k.shape[1])
    p = softmax(scores)
    o = p @ v
    y = o @ Wo
    return y, (x, Wq, Wk, Wv, Wo, q, k, v, p, o)


def attention_backward(cache, dy):
    x, Wq, Wk, Wv, Wo, q, k, v, p, o = cache
    do = dy @ Wo.T
    dWo = o.T @ dy
    dp = do @ v.T
    dv = p.T @ do
    dscores = p * (dp - (dp * p).sum(1, keepdims=True))
    dq = dscores @ k / np.sqrt(k.shape[1])
    dk = dscores.T @ q / np.sqrt(k.shape[1])
    dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
    return dx, x.T @ dq, x.T @ dk, x.T @ dv, dWo


def residual_forward(x, W, b):
    h = x @ W + b
    a = np.where(h.real > 0, h, 0.1 * h)
    y = x + a
    return y, (x, W, h)


def residual_backward(cache, dy):
    x, W, h = cache
    da = dy.copy()
    dh = da * np.where(h > 0, 1, 0.1)
    dW = x.T @ dh
    db = dh.sum(0)
    dx = dh @ W.T + dy
    return dx, dW, db


def inputs(name, seed=0):
    """What a network takes."""
    rng = np.random.default_rng(seed)

    def n(*shape):
        return rng.normal(size=shape)

    made = {
        "vae": lambda: (
            {
                "W1": n(5, 6), "b1": n(5), "W_mu": n(2, 5), "b_mu": n(2), "W_lv": n(2, 5),
                "b_lv": n(2), "V1": n(5, 2), "c1": n(5), "V2": n(6, 5), "c2": n(6),
            },
            rng.random((4, 6)),
            n(4, 2),
        ),
        "classifier": lambda: (n(6, 4), n(4, 5), n(5), n(5, 3), n(3), rng.integers(0, 3, 6)),
        "batchnorm": lambda: (n(7, 3), n(3), n(3)),
        "layernorm": lambda: (n(5, 4), n(4), n(4)),
        "conv": lambda: (n(2, 2, 4, 4), n(3, 2, 3, 3), n(3)),
        "lstm": lambda: (n(4, 3), n(4, 2), n(4, 2), n(3, 8), n(2, 8), n(8)),
        "attention": lambda: (n(4, 3), n(3, 3), n(3, 3), n(3, 3), n(3, 3)),
        "residual": lambda: (n(5, 4), n(4, 4), n(4)),
    }  # fmt: skip
    return made[name]()
