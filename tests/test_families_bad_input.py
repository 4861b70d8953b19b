"""What each family refuses, in one sentence; and what each says of itself."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv

x, y = nv.datasets.digits()
x, y = x[:40], y[:40]


def vae(**options):
    return nv.VAE(64, 2, hidden=(4,), **options)


def semi():
    return nv.SemiSupervisedVAE(64, 2, 10, hidden=(4,))


def ladder(z_dims=(3, 2), **options):
    return nv.HierarchicalVAE(64, z_dims, hidden=(4,), **options)


def autoencoder(**options):
    return nv.Autoencoder(64, 2, hidden=(4,), **options)


def by_digit():
    return vae(condition=nv.Labels(10))


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda: nv.fit(vae(), x, y=y), "VAE predicts none"),
        (lambda: nv.fit(semi(), x, y=y + 2), "got 10"),
        (lambda: nv.fit(semi(), x, y=0 * y - 1), "no label at all"),
        (
            lambda: vae(posterior="sylvester:m=10000000000"),
            "2 at most with a z_dim of 2; got 10,000",
        ),
        (lambda: nv.fit(by_digit(), x, context=y + 3), "a label is one of 0, 1"),
        (lambda: nv.fit(by_digit(), x), "needs a context"),
        (lambda: by_digit().sample(3), "needs a context"),
        (lambda: vae().sample(3, context=3), "takes no context"),
        (lambda: semi().sample(3, label=12), "got 12. The model knows no other class"),
        (lambda: nv.fit(semi(), x, y=y[:3]), "y needs one row for each of the"),
        (lambda: nv.SemiSupervisedVAE(64, 2), "n_classes is how many classes there are"),
        (lambda: semi().decode(np.zeros((1, 2))), "decodes z with a label"),
        (lambda: vae(prior="conditional"), "this model takes none"),
        (lambda: ladder((3, 0)), "1 or more; got 0"),
        (lambda: ladder(()), "1 to 100 levels"),
        (lambda: ladder(3), "such as (32, 16)"),
        (lambda: ladder(inference="up"), "one of top_down"),
        (lambda: ladder().sample(2, fixed={3: np.zeros(2)}), "levels count from 1"),
        (lambda: ladder().sample(2, fixed={2: np.zeros(3)}), "is held at z of shape"),
        (lambda: ladder().sample(2, fixed=[np.zeros(2)]), "a z for each level that is held"),
        (lambda: vae(prior=nv.FlowPrior([nv.Planar(amortised=True)])), "'planar' has none"),
        (lambda: autoencoder(noise=-1), "0 or more"),
        (lambda: nv.fit(autoencoder(), x, objective="iwae"), "no density"),
        (lambda: nv.log_likelihood(semi(), x, 9), "sums the label out"),
        (lambda: nv.log_likelihood(autoencoder(), x, 9), "no density"),
        (lambda: nv.log_likelihood(autoencoder(), x, 9, proposal="prior"), "no density of z alone"),
        (lambda: nv.log_likelihood(semi(), x, 9, proposal="prior"), "no density of z alone"),
        (lambda: nv.information(ladder(), x), "the KL is told apart for models with one latent"),
        (lambda: nv.impute(semi(), x), "weighed by their densities"),
        (lambda: nv.refine(semi(), x), "a label that is summed out"),
        (lambda: nv.information(semi(), x), "a label that is summed out"),
        (lambda: nv.anomaly_scores(semi(), x, "likelihood"), "no density of z"),
        (lambda: nv.accuracy(vae(), x, y), "VAE predicts none"),
        (lambda: nv.accuracy(semi(), x, y + 5), "a label is one of"),
    ],
)
def test_one_sentence(call, why):
    with pytest.raises(nv.NpvaeError) as refused:
        call()
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("other", [ladder, semi, autoencoder])
def test_the_state_of_another_family(other, tmp_path):
    nv.fit(vae(), x, epochs=1, checkpoint=tmp_path / "c.npz")
    options = {"y": y} if other is semi else {}
    with pytest.raises(nv.ConfigError, match="holds another model"):
        nv.fit(other(), x, epochs=2, checkpoint=tmp_path / "c.npz", resume=True, **options)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (vae, "VAE: 64 columns, z of 2 dimensions"),
        (ladder, "HierarchicalVAE: 64 columns, z of 3, 2 dimensions"),
        (autoencoder, "Autoencoder: 64 columns, z of 2 dimensions"),
        (lambda: autoencoder(noise=0.3), "Autoencoder: 64 columns, z of 2 dimensions"),
        (semi, "z of 2 dimensions; predicts one of 10 classes"),
        (by_digit, "z of 2 dimensions; is given one of 10 classes"),
    ],
)
def test_each_says_what_it_is(make, said):
    assert said in str(make()).splitlines()[0]


def test_accuracy_is_of_the_labels_that_are_known():
    model = semi()
    some = np.where(np.arange(40) < 30, y, -1)
    share, n = nv.accuracy(model, x, some)
    assert (share, n) == (pytest.approx((model.predict(x[:30]) == y[:30]).mean()), 30)
    share, n = nv.accuracy(model, x, 0 * y - 1)
    assert np.isnan(share)
    assert n == 0
