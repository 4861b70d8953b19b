"""Proving a gradient of your own that has nothing to do with a VAE: five ways to ask.

    python examples/verify_your_own.py

Needs NumPy alone. Kalman filters, physics, economics: whatever has a derivative that somebody
derived by hand. Here a softmax cross-entropy, a bilinear form, a layer with ReLU, a network whose
parameters are a dict, and a layer as a class, right and then with the slips that people make. Check
at random inputs: at ones, zeros and identities many a wrong gradient is right.
"""

from __future__ import annotations

import numpy as np

from npvae.gradcheck import check_gradients


def cross_entropy(logits, weights):
    """Σ_n w_n (log Σ_c exp(l_nc) - l_n0): class 0 is the right one in every row."""
    return (weights * (np.log(np.exp(logits).sum(1)) - logits[:, 0])).sum()


def gradient(logits, weights):
    """dl_nc = w_n (softmax(l_n)_c - [c = 0]), dw_n = log Σ_c exp(l_nc) - l_n0."""
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    p[:, 0] -= 1
    return weights[:, None] * p, np.log(np.exp(logits).sum(1)) - logits[:, 0]


def forgets_the_target(logits, weights):
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return weights[:, None] * p, gradient(logits, weights)[1]


def averages(logits, weights):
    dlogits, dweights = gradient(logits, weights)
    return dlogits / len(logits), dweights


def bilinear(x, a):
    """A forward that returns its outputs and a cache, for a backward with d_outputs."""
    return x @ a @ x.T, (x, a)


def bilinear_backward(cache, dy):
    """y = x A xᵀ has x twice: dx = dy x Aᵀ + dyᵀ x A, dA = xᵀ dy x."""
    x, a = cache
    return dy @ x @ a.T + dy.T @ x @ a, x.T @ dy @ x


def one_use_forgotten(cache, dy):
    x, a = cache
    return dy @ x @ a.T, x.T @ dy @ x


def layer(x, w):
    """y = max(x wᵀ, 0): its kinks are no hindrance."""
    y = np.where((x @ w.T).real > 0, x @ w.T, 0)
    return y, (x, w, y)


def layer_backward(cache, dy):
    x, w, y = cache
    da = dy * (y.real > 0)
    return da @ w, da.T @ x


def mask_forgotten(cache, dy):
    x, w, _ = cache
    return dy @ w, dy.T @ x


def network(params, x, labels):
    """A loss and its gradients from one function; parameters and gradients are dicts."""
    h = np.tanh(x @ params["W1"])
    scores = h @ params["W2"]
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    loss = -np.log(p[np.arange(len(x)), labels]).sum()
    dscores = p.copy()
    dscores[np.arange(len(x)), labels] -= 1
    dh = dscores @ params["W2"].T
    da = dh * (1 - h**2)
    return loss, {"W1": x.T @ da, "W2": h.T @ dscores}


def network_with_a_slip(params, x, labels):
    h = np.tanh(x @ params["W1"])
    scores = h @ params["W2"]
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    loss = -np.log(p[np.arange(len(x)), labels]).sum()
    dscores = p.copy()
    dscores[np.arange(len(x)), labels] -= 1
    dh = dscores @ params["W2"].T
    da = dh * (1 - h)
    return loss, {"W1": x.T @ da, "W2": h.T @ dscores}


class Affine:
    """A layer that keeps its gradients beside its parameters: W and dW, b and db."""

    def __init__(self, rng, n_in, n_out):
        self.W, self.b = rng.normal(size=(n_in, n_out)), np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, d):
        self.dW, self.db = self.x.T @ d, d.sum(0)
        return d @ self.W.T


def far_from_zero(x):
    """1e8 + Σ x² / 1e6: beside the constant, rounding leaves differences no digits."""
    return 1e8 + 1e-6 * (x**2).sum()


def main() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(4, 3)), rng.random(4)
    params = {"W1": rng.normal(size=(3, 5)), "W2": rng.normal(size=(5, 2))}
    labelled = params, inputs[0], np.array([0, 1, 1, 0])
    square = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    for title, target, at in (
        ("f and grad_f, right", (cross_entropy, gradient), inputs),
        ("the target is forgotten", (cross_entropy, forgets_the_target), inputs),
        ("a mean where a sum is due", (cross_entropy, averages), inputs),
        ("forward and backward, right", (bilinear, bilinear_backward), square),
        ("x is used twice, one use is forgotten", (bilinear, one_use_forgotten), square),
        ("a layer with ReLU, right", (layer, layer_backward), square),
        ("its mask is forgotten", (layer, mask_forgotten), square),
        ("a network, right", network, labelled),
        ("the derivative of tanh is wrong in it", network_with_a_slip, labelled),
        ("an object, right", Affine(rng, 3, 2), inputs[:1]),
        ("a large constant hides it: two methods are inconclusive, one is not",
         (far_from_zero, lambda x: 2e-6 * x), inputs[:1]),
    ):  # fmt: skip
        print(f"--- {title}\n{check_gradients(target, at)}\n")

    # In a test, one line is enough; a failure prints the table above.
    assert check_gradients((cross_entropy, gradient), inputs)


if __name__ == "__main__":
    main()
