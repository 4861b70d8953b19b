"""Slips planted in networks that students write by hand: each is found, and named in its line."""

from __future__ import annotations

import inspect
import linecache

import coursework
import numpy as np
import pytest
from coursework import inputs

from npvae.gradcheck import check_gradients

SOURCE = inspect.getsource(coursework)
NETWORKS = ["vae", "classifier", "batchnorm", "layernorm", "conv", "lstm", "attention", "residual",
            "rnn"]  # fmt: skip


def planted(name, right, wrong):
    """The pair of a network with one line of it changed."""
    start = SOURCE.index(f"def {name}_forward")
    end = SOURCE.index("\n\n\ndef ", SOURCE.index(f"def {name}_backward"))
    body = SOURCE[start:end]
    assert body.count(right) == 1, f"{right!r} is {body.count(right)} times in {name}"
    text = SOURCE[:start] + body.replace(right, wrong) + SOURCE[end:]
    file = f"<{name} with {wrong}>"
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
    namespace = {"__name__": file}
    exec(compile(text, file, "exec"), namespace)
    return namespace[f"{name}_forward"], namespace[f"{name}_backward"]


SLIPS = [
    # in the network, what is right, what is written, and what must be said of it
    ("vae", "dlogits = (p - x) / n", "dlogits = (x - p) / n", "dlogits|its sign is wrong"),
    ("vae", "dlogits = (p - x) / n", "dlogits = p - x",
     "dlogits|4 times too large (a sum where a mean over 4 is due?)"),
    ("vae", "dV2 = dlogits.T @ h2", "dV2 = dlogits.T @ np.tanh(h2)",
     "should be `dV2 = dlogits.T @ h2`"),
    ("vae", "dh2 = dlogits @ V2", "dh2 = 2 * dlogits @ V2",
     "dh2|it is twice what it should be"),
    ("vae", "da2 = dh2 * (h2 > 0)", "da2 = dh2", "da2|dh2 before it is right|a mask is missing"),
    ("vae", "da2 = dh2 * (h2 > 0)", "da2 = dh2 * (1 - h2**2)", "it should be dh2 * (a2 > 0)"),
    ("vae", "dV1 = da2.T @ z", "dV1 = da2.T @ mu", "should be `dV1 = da2.T @ z`"),
    ("vae", "dz = da2 @ V1", "dz = dh2 @ V1", "it should be `dz = da2 @ V1`"),
    ("vae", "dmu = dz + mu / n", "dmu = dz - mu / n",
     "first wrong value in backward is dmu|dz before it is right|should be `dmu = dz + mu / n`"),
    ("vae", "dmu = dz + mu / n", "dmu = dz + mu", "it should be `dmu = dz + mu / n`"),
    ("vae", "dmu = dz + mu / n", "dmu = dz", "dmu|a term is missing: 1/4 times mu"),
    ("vae", "dmu = dz + mu / n", "dmu = dz\n    dmu += mu / n",
     "`dmu += mu / n`, changes dz and dmu in place"),
    ("vae", "dz * eps * 0.5 * std + 0.5", "dz * eps * std + 0.5",
     "dlogvar|a term is missing: -1/2 times eps * std * dz"),
    ("vae", "dz * eps * 0.5 * std + 0.5", "dz * 0.5 * std + 0.5", "dz * 0.5 * std * eps"),
    ("vae", "0.5 * (np.exp(logvar) - 1) / n", "0.5 * (1 - np.exp(logvar)) / n",
     "should be `dlogvar = dz * eps * 0.5 * std - 0.5 * (1 - np.exp(logvar)) / n`"),
    ("vae", "0.5 * (np.exp(logvar) - 1) / n", "0.5 * np.exp(logvar) / n",
     "dlogvar|a constant is missing: -0.125"),
    ("vae", "dz * eps * 0.5 * std + 0.5 * (np.exp(logvar) - 1) / n", "dz * eps * 0.5 * std",
     "dlogvar|a term is missing: 1/8 times (exp(logvar) - 1)"),
    ("vae", "dh1 = dmu @ W_mu + dlogvar @ W_lv", "dh1 = dmu @ W_mu",
     "dh1|a term is missing: dlogvar @"),
    ("vae", "da1 = dh1 * (1 - h1**2)", "da1 = dh1 * (1 - h1)", "`da1 = dh1 * (1 - h1 * h1)`"),
    ("vae", "da1 = dh1 * (1 - h1**2)", "da1 = dh1", "it should be `da1 = dh1 * (1 - h1 ** 2)`"),
    ("vae", "db1 = da1.sum(0)", "db1 = da1.mean(0)", "a mean where a sum over 4 is due"),
    ("classifier", "dscores /= len(x)", "pass", "dscores|6 times too large"),
    ("classifier", "dscores[np.arange(len(x)), labels] -= 1", "pass",
     "dscores|wrong in 6 of 18 checked entries|there -1/6 is missing"),
    ("classifier", "dh = dscores @ W2.T", "dh = p @ W2.T", "it should be `dh = dscores @ W2.T`"),
    ("classifier", "da = dh * (a > 0)", "da = dh * a", "it should be dh * (a > 0)"),
    ("classifier", "da = dh * (a > 0)", "da = dh", "da|dh before it is right|a mask is missing"),
    ("classifier", "db1 = da.sum(0)", "db1 = da[0]", "it should be da.sum(0)"),
    ("classifier", "dx = da @ W1.T", "dx = dh @ W1.T", "should be `dx = da @ W1.T`"),
    ("batchnorm", "dx = dcentred + dmean / n", "dx = dcentred", "1/7 times dmean"),
    ("batchnorm", "* -0.5 / std**3", "* 0.5 / std**3", "dvar|its sign is wrong"),
    ("batchnorm", "+ 2 * centred * dvar / n", "+ centred * dvar / n",
     "should be `dcentred = dx_hat / std + (centred + centred) * dvar / n`"),
    ("batchnorm", "+ 2 * centred * dvar / n", "", "dcentred|2/7 times centred * dvar"),
    ("batchnorm", "dx_hat = dy * gamma", "dx_hat = dy", "it should be `dx_hat = dy * gamma`"),
    ("batchnorm", "dgamma = (dy * x_hat).sum(0)", "dgamma = (dy * centred).sum(0)",
     "should be `dgamma = (dy * x_hat).sum(0)`"),
    ("layernorm", "dx = (dx_hat - along) / std", "dx = dx_hat / std",
     "should be `dx = (dx_hat - along) / std`"),
    ("layernorm", "dx = (dx_hat - along) / std", "dx = dx_hat - along",
     "should be `dx = (dx_hat - along) / std`"),
    ("conv", "dout = dy * (1 - y**2)", "dout = dy", "it should be `dout = dy * (1 - y ** 2)`"),
    ("conv", "db = dout.sum((0, 1))", "db = dout.mean((0, 1))",
     "a mean where a sum over 8 is due"),
    ("conv", "size] += dcols", "size] = dcols", "should be `dx[:, :, i:i + size, j:j + size] +="),
    ("conv", "dcols = dout @ w_flat", "dcols = dy @ w_flat", "should be `dcols = dout @ w_flat`"),
    ("lstm", "dc = dc_next + dtanh_c", "dc = dtanh_c", "(1 - tanh_c ** 2) + dc_next`"),
    ("lstm", "dtanh_c * (1 - tanh_c**2)", "dtanh_c",
     "should be `dc = dc_next + dtanh_c * (1 - tanh_c ** 2)`"),
    ("lstm", "df * f * (1 - f)", "df * (1 - f)", "df * (1 - f) * f"),
    ("lstm", "dg * (1 - g**2)", "dg * g * (1 - g)",
     "first wrong value in backward is da (line|dg before it is right"),
    ("lstm", "di = dc * g", "di = dc * i", "it should be `di = dc * g`"),
    ("lstm", "do = dh * tanh_c", "do = dh * c_prev", "it should be `do = dh * tanh_c`"),
    ("attention", "dscores = p * (dp - (dp * p).sum(1, keepdims=True))",
     "dscores = dp * p * (1 - p)",
     "it should be p * (dp - (dp * p).sum(1, keepdims=True)), softmax's whole Jacobian"),
    ("attention", "(dp * p).sum(1,", "(dp * p).sum(0,", "`dscores = p * (dp - (dp * p).sum(1,"),
    ("attention", "dq = dscores @ k / np.sqrt(k.shape[1])", "dq = dscores @ k",
     "dq|off by a constant factor: multiply by 0.57735"),
    ("attention", "dk = dscores.T @ q", "dk = dscores @ q", "it should be `dk = dscores.T @ q"),
    ("attention", "do = dy @ Wo.T", "do = dy @ Wo", "made with Wo where its transpose is due"),
    ("attention", "dv = p.T @ do", "dv = p @ do", "it should be `dv = p.T @ do`"),
    ("attention", "+ dk @ Wk.T + dv @ Wv.T", "+ dv @ Wv.T", "a term is missing: dk @ Wk.T"),
    ("attention", "dq @ Wq.T +", "dq @ Wq +", "should be `dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T`"),
    ("attention", "dp = do @ v.T", "dp = dy @ v.T", "it should be `dp = do @ v.T`"),
    ("residual", "dx = dh @ W.T + dy", "dx = dh @ W.T", "as from a skip connection|@ W.T + d"),
    ("residual", "dx = dh @ W.T + dy", "dx = dh @ W + dy", "should be `dx = dh @ W.T + dy`"),
    ("residual", "da = dy.copy()\n    dh = da * np.where(h > 0, 1, 0.1)",
     "da = dy\n    da *= np.where(h > 0, 1, 0.1)\n    dh = da", "changes dy and da in place"),
    ("residual", "a = np.where(h.real > 0, h, 0.1 * h)", "a = h\n    a[a < 0] = 0",
     "dh|da before it is right|a mask is missing"),
    ("rnn", "dh = dy[:, t] + dh_next", "dh = dy[:, t]",
     "should be `da = (dh + dh_next) * (1 - hs[t + 1] ** 2)`"),
    ("rnn", "(1 - hs[t + 1] ** 2)", "(1 - hs[t] ** 2)",
     "should be `da = dh * (1 - hs[t + 1] ** 2)`"),
    ("rnn", "dWh += hs[t].T", "dWh += hs[t + 1].T", "should be `dWh += hs[t].T @ da`"),
    ("rnn", "dWx += x", "dWx = x", "should be `dWx += x[:, t].T @ da`"),
    ("rnn", "dh_next = da @ Wh.T", "dh_next = da @ Wh", "should be `dh_next = da @ Wh.T`"),
    ("rnn", "dh_next = da @ Wh.T", "dh_next = dh @ Wh.T", "should be `dh_next = da @ Wh.T`"),
    ("rnn", "db += da.sum(0)", "db += da.mean(0)", "a mean where a sum over 3 is due"),
]  # fmt: skip
QUICK = {("vae", "dmu = dz - mu / n"), ("attention", "do = dy @ Wo"), ("conv", "size] = dcols"),
         ("residual", "a = h\n    a[a < 0] = 0"),
         ("vae", "dmu = dz\n    dmu += mu / n"), ("batchnorm", "dx_hat = dy")}  # fmt: skip


def said(report):
    return "\n".join(row.note for row in report.failures() if row.method in ("central", "complex"))


@pytest.mark.parametrize("name", NETWORKS)
def test_right_ones_raise_no_alarm(name):
    pair = getattr(coursework, f"{name}_forward"), getattr(coursework, f"{name}_backward")
    report = check_gradients(pair, inputs(name))
    assert report.ok, str(report)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_right_ones_raise_no_alarm_over_50_seeds(name):
    pair = getattr(coursework, f"{name}_forward"), getattr(coursework, f"{name}_backward")
    for seed in range(1, 51):
        report = check_gradients(pair, inputs(name, seed), seed=seed)
        assert report.ok, f"seed {seed}\n{report}"


@pytest.mark.parametrize(
    ("name", "right", "wrong", "words"),
    [
        pytest.param(*slip, marks=() if (slip[0], slip[2]) in QUICK else pytest.mark.slow)
        for slip in SLIPS
    ],
    ids=[f"{name}: {wrong}" for name, _, wrong, _ in SLIPS],
)
def test_slips_are_named(name, right, wrong, words):
    report = check_gradients(planted(name, right, wrong), inputs(name))
    assert not report.ok
    for word in words.split("|"):
        assert word in said(report), str(report)


@pytest.mark.slow
def test_slips_are_named_where_the_whole_batch_lies_on_kinks():
    pair = planted("classifier", "dh = dscores @ W2.T", "dh = p @ W2.T")
    x, W1, b1, W2, b2, labels = inputs("classifier")
    report = check_gradients(pair, (0 * x, W1, 0 * b1, W2, 0 * b2, labels))
    assert {row.argument for row in report if row.verdict == "wrong"} >= {"b1"}, str(report)
    assert "it should be `dh = dscores @ W2.T`" in said(report), str(report)


def test_only_what_is_made_from_the_wrong_value_is_wrong():
    pair = planted("vae", "dmu = dz + mu / n", "dmu = dz - mu / n")
    report = check_gradients(pair, inputs("vae"), methods=["complex"])
    wrong = {row.argument for row in report if row.verdict == "wrong"}
    assert wrong == {f"params[{n!r}]" for n in ("W1", "b1", "W_mu", "b_mu")}
    assert len({row.note for row in report if row.verdict == "wrong"}) == 1  # said once


MANY_ON_ONE_LINE = """
import numpy as np

def forward(x, W, V):
    a = x @ W; h = np.tanh(a); y = h @ V
    return y, (x, W, V, h)

def backward(cache, dy):
    x, W, V, h = cache
    dV = h.T @ dy
    dh = dy @ V.T
    da = dh * (1 - h)
    return da @ W.T, x.T @ da, dV
"""


def test_a_line_of_many_statements_blames_none_of_them():
    rng = np.random.default_rng(0)
    linecache.cache["<many>"] = 0, None, MANY_ON_ONE_LINE.splitlines(keepends=True), "<many>"
    exec(compile(MANY_ON_ONE_LINE, "<many>", "exec"), namespace := {})
    given = rng.normal(size=(4, 3)), rng.normal(size=(3, 5)), rng.normal(size=(5, 2))
    report = check_gradients((namespace["forward"], namespace["backward"]), given)
    assert "`da = dh * (1 - h)`, should be `da = dh * (1 - h * h)`" in said(report), str(report)


def test_the_function_is_as_it_was_afterwards():
    forward, backward = planted("vae", "dmu = dz + mu / n", "dmu = dz - mu / n")
    before = forward.__code__, backward.__code__
    check_gradients((forward, backward), inputs("vae"), methods=["complex"])
    assert (forward.__code__, backward.__code__) == before
