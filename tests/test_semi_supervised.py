"""The semi-supervised VAE: the paper's formulas class by class, and data that it can learn."""

from __future__ import annotations

import numpy as np
import pytest
from proofs import each_proof
from scipy.special import log_softmax

import npvae as nv
from npvae.gradcheck import check_gradients


def small(**options):
    options = dict(hidden=(4, 3), activation="gelu", dtype="float64", labelled=0.25) | options
    model = nv.SemiSupervisedVAE(5, 2, 3, **options)
    model.flat += 0.3 * np.random.default_rng(0).normal(size=model.n_params).astype(model.dtype)
    return model


def clusters(rng, n=400, classes=3):
    """Rows of some classes, each with a bump of its own; and labels."""
    y = rng.integers(classes, size=n)
    x = np.clip(0.3 * rng.random((n, 6)) + 0.6 * np.eye(6)[y], 0, 1).astype("float32")
    return x, y


@pytest.mark.parametrize("objective", ["elbo", "elbo:n_samples=2,beta=2"])
@each_proof
def test_the_gradient(objective, methods):
    model, rng = small(missing="mask"), np.random.default_rng(1)
    x = rng.random((4, 5))
    x[1, 2] = np.nan
    n_samples = nv.objectives.as_objective(objective).n_samples
    eps = model.draw_noise(4, n_samples, rng)
    known = np.eye(3)[[0, 1, 2, 0]] * [[1], [0], [1], [0]]
    report = check_gradients(model, (x, eps, known), objective=objective, methods=methods)
    assert report.ok, str(report)


def test_the_bound_is_the_paper_s():
    """Class by class, with one noise: equations 6, 7 and 9."""
    model, rng = small(alpha=0.3), np.random.default_rng(1)
    x, y = rng.random((4, 5)), np.array([2, -1, 0, -1])
    eps = model.draw_noise(4, 1, rng)
    assert eps.shape == (3, 4, 2)
    log_q = log_softmax(model.classifier.forward(x)[0], axis=-1)
    bound = np.empty((3, 4))
    for c in range(3):
        label = np.repeat(np.eye(3)[c][None], 4, axis=0)
        stats, _ = model.encoder.forward(np.concatenate([x, label], axis=-1))
        (z, terms), _ = model.levels[0].forward(stats, eps[[c]])
        theta, _ = model.decoder.forward(np.concatenate([z, label[None]], axis=-1))
        log_px = (x * theta - np.logaddexp(0, theta)).sum(-1)
        bound[c] = (log_px - terms.kl.sum(-1))[0] - np.log(3)
    q = np.exp(log_q)
    unlabelled = (q * (bound.T - log_q)).sum(-1)
    rows = np.arange(4)
    labelled = bound[y, rows] + 0.3 / 0.25 * log_q[rows, y]
    want = -np.where(y < 0, unlabelled, labelled).mean()
    loss, _ = nv.value_and_grad(model, "elbo", x, eps, y=y)
    assert loss == pytest.approx(want, rel=1e-12)


def test_few_labels_are_enough_for_clusters():
    rng = np.random.default_rng(0)
    x, y = clusters(rng)
    few = np.where(np.arange(400) < 15, y, -1)
    model = nv.SemiSupervisedVAE(6, 2, 3, hidden=(16,))
    history = nv.fit(model, x, y=few, epochs=40, batch_size=50, lr=5e-3, valid=x[:50])
    assert model.labelled == pytest.approx(15 / 400)
    assert history.records[-1]["valid_loss"] < history.records[0]["valid_loss"]
    new, truth = clusters(rng)
    assert (model.predict(new) == truth).mean() > 0.97
    proba = model.predict_proba(new)
    np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-12)
    np.testing.assert_array_equal(proba.argmax(1), model.predict(new))
    for label in range(3):
        drawn = model.sample(20, label=label)
        assert (drawn[:, :3].argmax(1) == label).all()
    drawn = model.sample(300, seed=1)[:, :3].argmax(1)
    assert (np.bincount(drawn, minlength=3) > 60).all()
    right, wrong = (model.elbo(new, 5, context=labels).mean() for labels in (truth, 2 - truth))
    assert right > wrong
    assert np.abs(model.reconstruct(new) - new).mean() < np.abs(new - new.mean(0)).mean()
    assert [a.shape for a in model.encode(new)] == [(400, 2)] * 2


def test_names_of_classes_and_a_file(tmp_path):
    x, y = clusters(np.random.default_rng(0), n=60)
    names = np.array(["ant", "bee", "cow"], object)[y]
    names[10:] = None
    model = nv.SemiSupervisedVAE(6, 2, ["ant", "bee", "cow"], hidden=(5,))
    nv.fit(model, x, y=names, epochs=2, batch_size=20)
    assert set(model.predict(x)) <= {"ant", "bee", "cow"}
    model.save(tmp_path / "m.npz")
    again = nv.load(tmp_path / "m.npz")
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    np.testing.assert_array_equal(again.sample(3, label="bee"), model.sample(3, label="bee"))
    assert again.config == model.config


def test_training_resumes(tmp_path):
    x, y = clusters(np.random.default_rng(0), n=60)
    y[5:] = -1
    options = dict(batch_size=20, checkpoint=tmp_path / "c.npz")
    whole = nv.SemiSupervisedVAE(6, 2, 3, hidden=(5,))
    nv.fit(whole, x, y=y, epochs=4, batch_size=20)
    cut = nv.SemiSupervisedVAE(6, 2, 3, hidden=(5,))
    nv.fit(cut, x, y=y, epochs=2, **options)
    nv.fit(cut, x, y=y, epochs=4, resume=True, **options)
    np.testing.assert_array_equal(cut.flat, whole.flat)


def test_what_is_refused():
    model, (x, y) = small(), clusters(np.random.default_rng(0), n=20)
    x = x[:, :5]
    for call, message in (
        (lambda: model.decode(np.zeros((1, 2))), "decodes z with a label"),
        (lambda: model.sample(2, label=7), "one of 0, 1, 2; got 7"),
        (lambda: nv.fit(small(labelled=None), x, y=np.full(20, -1)), "y has no label at all"),
        (lambda: nv.fit(model, x, y=y[:3]), "one row for each of the 20 examples; got 3"),
        (lambda: nv.value_and_grad(model, "elbo", x, np.zeros((2, 20, 2))), "noise for each class"),
    ):
        with pytest.raises(nv.DataError, match=message):
            call()
    for call, message in (
        (lambda: nv.fit(nv.VAE(5, 2), x, y=y), "VAE predicts none"),
        (lambda: nv.fit(model, x, y=y, context=y), "twice; give one"),
        (
            lambda: nv.fit(model, x, y=y, objective="betatc"),
            "sums the label out of the ELBO; .* asks for gaussian, log_pz, log_qz, z. Take",
        ),
        (lambda: nv.SemiSupervisedVAE(5, 2), "n_classes is how many"),
    ):
        with pytest.raises(nv.ConfigError, match=message):
            call()
