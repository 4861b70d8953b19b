"""`npvae.sklearn.VAE`: what scikit-learn's checks do not see."""

from __future__ import annotations

import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import npvae as nv
from npvae.sklearn import VAE


def small(**options):
    return VAE(**{"hidden": (16,), "max_iter": 10, "random_state": 0, **options})


@pytest.mark.slow
def test_the_latent_vector_follows_the_line_that_the_rows_lie_on(rows):
    vae = small(z_dim=1, max_iter=100, prior="standard").fit(rows)
    z = vae.transform(rows)
    assert z.shape == (150, 1)
    line = (rows - rows.mean(0)) @ np.linalg.svd(rows - rows.mean(0))[2][0]
    assert abs(np.corrcoef(z[:, 0], line)[0, 1]) > 0.97
    back = vae.inverse_transform(z)
    assert np.sqrt(np.mean((back - rows) ** 2)) < 0.5 * rows.std(0).mean()
    assert list(vae.get_feature_names_out()) == ["vae0"]


def test_densities_are_those_of_the_rows(rows):
    vae = small(z_dim=2).fit(rows)
    scores = vae.score_samples(rows)
    assert scores.shape == (150,)
    assert scores.dtype == np.float64
    assert vae.score(rows) == pytest.approx(scores.mean())
    assert vae.score_samples(rows + 5).max() < scores.mean()
    order = np.random.default_rng(0).permutation(150)
    np.testing.assert_allclose(vae.score_samples(rows[order]), scores[order], rtol=1e-9)
    np.testing.assert_allclose(vae.score_samples(rows[7:8]), scores[7:8], rtol=1e-9)
    elbo = nv.VAE.elbo(vae.model_.astype("float64"), rows, n_samples=300)
    np.testing.assert_allclose(scores.mean(), elbo.mean(), atol=0.2)


def test_gaps_are_taken_in_arrays(rows):
    rows[::7, 1] = np.nan
    vae = small().fit(rows)
    assert np.isfinite(vae.transform(rows)).all()
    assert np.isfinite(vae.score_samples(rows)).all()


@pytest.mark.slow
def test_new_rows_are_like_those_of_training(rows):
    vae = small(max_iter=80).fit(rows)
    drawn = vae.sample(4000)
    np.testing.assert_allclose(drawn.mean(0), rows.mean(0), atol=0.4)
    np.testing.assert_allclose(drawn.std(0), rows.std(0), rtol=0.3)
    np.testing.assert_array_equal(vae.sample(5), vae.sample(5))
    assert not np.array_equal(vae.sample(5, random_state=1), vae.sample(5))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames_come_and_go_with_their_types(table, library):
    given = table if library == "pandas" else pl.from_pandas(table)
    vae = small(z_dim=3).fit(given)
    assert {c.name: c.kind for c in vae.schema_.columns} == {
        "age": "number", "income": "number", "town": "category", "member": "flag",
        "size": "ordered" if library == "pandas" else "category", "since": "date",
    }  # fmt: skip
    assert vae.feature_names_in_.tolist() == list(table.columns)
    z = vae.set_output(transform=library).transform(given)
    assert list(z.columns) == ["vae0", "vae1", "vae2"]
    drawn = vae.sample(50)
    back = vae.inverse_transform(z)
    for frame in (drawn, back):
        assert type(frame) is type(given)
        assert list(frame.columns) == list(table.columns)
        assert set(frame["town"]) <= {"Rome", "Oslo", "Paris"}
        if library == "pandas":
            assert frame.dtypes.equals(table.dtypes)
    if library == "pandas":
        assert z.index.equals(table.index)
    assert set(drawn["size"]) <= {"S", "M", "L"}


def test_columns_of_numbers_and_of_several_levels_come_back_as_such(table):
    for labels in (pd.Index([3, 1]), pd.MultiIndex.from_tuples([("a", "x"), ("b", "y")])):
        frame = table[["income", "town"]].set_axis(labels, axis=1)
        vae = small(max_iter=1).fit(frame)
        for back in (vae.sample(3), vae.inverse_transform(vae.transform(frame))):
            assert back.columns.equals(labels)


def test_columns_are_found_by_their_names_and_said_by_the_user(table):
    vae = small(columns={"member": "skip", "size": "category"}).fit(table)
    kinds = {c.name: c.kind for c in vae.schema_.columns}
    assert kinds["size"] == "category"
    assert "member" not in kinds
    with pytest.raises(ValueError, match="feature names should match"):
        vae.transform(table[table.columns[::-1]])
    with pytest.raises(nv.DataError, match="column 'town': a category's labels are"):
        vae.transform(table.assign(town="Bonn"))


def test_an_array_stands_for_the_frame_of_its_columns(rows):
    frame = pd.DataFrame(rows, columns=list("abcd"))
    vae = small().fit(frame)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        z = vae.transform(rows)
    np.testing.assert_array_equal(z, vae.transform(frame))


@pytest.mark.slow
def test_it_stands_in_pipelines_and_grid_searches(rows):
    y = (rows[:, 0] > rows[:, 0].mean()).astype(int)
    pipeline = make_pipeline(
        StandardScaler(), small(z_dim=2, prior="standard", max_iter=60), LogisticRegression()
    )
    assert cross_val_score(pipeline, rows, y, cv=3).mean() > 0.9
    search = GridSearchCV(small(), {"z_dim": [1, 3], "lr": [1e-3, 1e-5]}, cv=2).fit(rows)
    assert search.best_params_["lr"] == 1e-3, "the score is the bound of held-out rows"


def test_copies_are_equal_however_they_are_made(rows, table, tmp_path):
    for x in (rows, table):
        vae = small().fit(x)
        scores = vae.score_samples(x)
        joblib.dump(vae, tmp_path / "vae.joblib")
        for copy in (pickle.loads(pickle.dumps(vae)), joblib.load(tmp_path / "vae.joblib")):
            np.testing.assert_array_equal(copy.score_samples(x), scores)
        np.testing.assert_array_equal(clone(vae).fit(x).score_samples(x), scores)


@pytest.mark.slow
def test_weights_and_early_stopping(rows):
    far = np.vstack([rows, rows + 40])
    weights = np.r_[np.ones(150), np.zeros(150)]
    near = small(max_iter=30).fit(far, sample_weight=weights)
    assert near.score_samples(far)[:150].mean() > near.score_samples(far)[150:].mean() + 10
    stopped = small(max_iter=150, lr=0.02, n_iter_no_change=3).fit(rows)
    assert stopped.n_iter_ < 150
    assert len(stopped.history_.records) == stopped.n_iter_
    assert small(early_stopping=False).fit(rows).n_iter_ == 10


def test_rows_that_come_by_and_by(rows):
    vae = small(max_iter=1)
    for _ in range(8):
        for batch in np.array_split(rows, 3):
            vae.partial_fit(batch)
    assert vae.n_iter_ == 24
    assert vae.score(rows) > small(max_iter=1, early_stopping=False).fit(rows).score(rows)
    with pytest.raises(ValueError, match="4 features"):
        vae.partial_fit(rows[:, :3])


def test_other_likelihoods_and_parts_are_taken(rows):
    pixels = (rows > 10).astype(np.uint8)
    vae = small(likelihood="bernoulli", prior="standard", objective="iwae:n_samples=3").fit(pixels)
    assert vae.model_.likelihood.name == "bernoulli"
    assert 0 <= vae.inverse_transform(vae.transform(pixels)).min() <= 1
    objects = small(likelihood=nv.StudentT(df=4), hidden=[8, 4]).fit(rows)
    assert clone(objects).fit(rows).score(rows) == objects.score(rows)


def test_sparse_rows_are_refused_with_the_word(rows):
    with pytest.raises(TypeError, match="Sparse data was passed"):
        small().fit(sparse.csr_matrix(rows))


def test_npvae_does_not_load_scikit_learn_and_says_when_it_is_missing():
    code = (
        "import sys, npvae; from npvae import *; assert 'sklearn' not in sys.modules\n"
        "sys.modules['sklearn'] = None\n"
        "try: npvae.sklearn\n"
        "except npvae.MissingDependency as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == 'npvae.sklearn needs scikit-learn: pip install "npvae[sklearn]"\n'


def test_codes_bring_their_dimensions_and_their_prior(rows):
    vae = small(posterior="categorical:n=2,classes=3", max_iter=2).fit(rows)
    assert vae.model_.z_dim == 6
    assert vae.model_.prior.name == "uniform"
    shares = vae.transform(rows).reshape(-1, 2, 3)
    np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-5)
