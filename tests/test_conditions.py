"""What a model is conditioned on: labels and rows of numbers."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv


def test_labels_are_unit_vectors_by_any_spelling():
    want = np.eye(3)[[2, 0, 1]]
    for labels in ([2, 0, 1], [2.0, 0.0, 1.0], ["2", "0", "1"], np.array([2, "0", 1.0], object)):
        np.testing.assert_array_equal(nv.Labels(3).rows(labels), want)
    named = nv.Labels(["red", "green", "blue"])
    np.testing.assert_array_equal(named.rows(np.array(["blue", "red", "green"])), want)
    np.testing.assert_array_equal(named.rows("green"), [[0, 1, 0]])
    np.testing.assert_array_equal(named.rows(want[:, ::-1]), want[:, ::-1])
    np.testing.assert_array_equal(nv.Labels([8, 3]).rows([[3], [8]]), [[0, 1], [1, 0]])


def test_labels_that_are_not_known_are_zeros():
    partial = nv.SemiSupervisedVAE(4, 2, 3).condition
    for labels in ([1, -1, 0], [1.0, np.nan, 0.0], np.array(["1", None, "0"], object)):
        np.testing.assert_array_equal(partial.rows(labels), [[0, 1, 0], [0, 0, 0], [1, 0, 0]])
    assert not partial.rows([-1, -1]).any()
    with pytest.raises(nv.DataError, match="got 5"):
        partial.rows([5, -1])


def test_a_vector_may_be_one_row():
    np.testing.assert_array_equal(nv.Vector(2).rows([1, 2]), [[1, 2]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nv.Labels(0), "classes is a whole number, 1 or more"),
        (lambda: nv.Labels([]), "takes 1 to 100,000 classes; got 0"),
        (lambda: nv.Labels(10**9), "takes 1 to 100,000 classes"),
        (lambda: nv.Labels(["a", "b", "a"]), "'a' stands twice"),
        (lambda: nv.VAE(4, 2, condition=nv.Labels(3), context_dim=2), "leave context_dim out"),
        (lambda: nv.VAE(4, 2, condition="label"), "did you mean 'labels'"),
    ],
)
def test_conditions_that_are_refused(make, message):
    with pytest.raises(nv.ConfigError, match=message):
        make()


def test_a_label_that_is_no_class_is_named():
    with pytest.raises(nv.DataError, match="one of 0, 1, 2; got 7"):
        nv.Labels(3).rows([0, 7])
    with pytest.raises(nv.DataError, match=r"shape \(2, 2\)"):
        nv.Labels(3).rows([[0, 1], [1, 1]])


@pytest.mark.parametrize(
    ("family", "n_z", "n_x"),
    [
        (lambda **given: nv.VAE(9, 4, hidden=(5,), **given), 4, 9),
        (lambda **given: nv.Autoencoder(9, 4, hidden=(5,), **given), 4, 9),
        (lambda **given: nv.HierarchicalVAE(9, (4, 2), hidden=(5,), **given), 4, 9),
        (lambda **given: nv.HierarchicalVAE(9, (4,), inference="chain", hidden=(), **given), 4, 9),
        (lambda **given: nv.ConvVAE((4, 4), 3, channels=(2,), **given), 3, 8),
        (lambda **given: nv.ConvVAE((4, 4), 3, channels=(2,), hidden=(6,), **given), 3, 8),
    ],
)
def test_a_label_starts_as_loud_as_all_that_stands_beside_it(family, n_z, n_x):
    """By √n the weights of a unit vector are as those of n numbers of variance 1 together."""
    named, plain = family(condition=nv.Labels(3)), family(context_dim=3)

    def first_weights(model, what):
        if what == "encoder" and isinstance(model, nv.HierarchicalVAE):
            networks = [*model.posterior.up[0].layers, model.posterior.heads[0]]
        else:
            networks = getattr(model, what).layers
        return next(layer.W for layer in networks if layer.name == "dense")

    for what, n in (("decoder", n_z), ("encoder", n_x)):
        ours, theirs = (first_weights(model, what) for model in (named, plain))
        np.testing.assert_array_equal(ours[:, :n], theirs[:, :n])
        np.testing.assert_allclose(ours[:, n:], np.sqrt(n) * theirs[:, n:], rtol=1e-6)
    semi = nv.SemiSupervisedVAE(100, 25, 3, hidden=(400,))
    for network, n in ((semi.encoder, 100), (semi.decoder, 25)):
        W = network.layers[0].W
        assert np.square(W[:, n:]).mean() == pytest.approx(n * np.square(W[:, :n]).mean(), rel=0.1)


def test_a_model_takes_labels_wherever_it_takes_a_context(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.array(["a", "b", "c"])[rng.integers(3, size=60)]
    x = rng.random((60, 4)).astype("float32")
    rows = nv.Labels(["a", "b", "c"]).rows(labels)
    named = nv.VAE(4, 2, hidden=(5,), condition=nv.Labels(["a", "b", "c"]))
    plain = nv.VAE(4, 2, hidden=(5,), context_dim=3, parameters=named.params)
    options = dict(epochs=2, batch_size=16)
    nv.fit(named, x, context=labels, valid=(x[:9], labels[:9]), **options)
    nv.fit(plain, x, context=rows, valid=(x[:9], rows[:9]), **options)
    np.testing.assert_array_equal(named.flat, plain.flat)
    np.testing.assert_array_equal(named.elbo(x, context=labels), plain.elbo(x, context=rows))
    named.save(tmp_path / "m.npz")
    again = nv.load(tmp_path / "m.npz")
    np.testing.assert_array_equal(again.sample(4, context="b"), plain.sample(4, context=[0, 1, 0]))
    eps = named.draw_noise(60, 1, rng)
    loss, _ = nv.value_and_grad(named, "elbo", x, eps, labels)
    assert loss == nv.value_and_grad(plain, "elbo", x, eps, rows)[0]
    assert "condition" not in plain.config
