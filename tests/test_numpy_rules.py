"""Whatever the caller has told NumPy and warnings to raise, results are those of all others."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import npvae as nv
from npvae import plots

RNG = np.random.default_rng(0)
UNIT, REAL = RNG.random((40, 6)), RNG.normal(size=(40, 6))
COUNTS = RNG.poisson(3.0, (40, 6))
CASES = {
    "bernoulli": UNIT,
    "continuous_bernoulli": UNIT,
    "beta": 0.01 + 0.98 * UNIT,
    "gaussian": 1e4 * REAL,
    "gaussian_column_scale": 1e-8 * REAL,
    "gaussian_heteroscedastic": REAL,
    "laplace": 1e4 * REAL,
    "student_t": 1e4 * REAL,
    "poisson": 10**5 * COUNTS,
    "negative_binomial": 10**5 * COUNTS,
    "zero_inflated_negative_binomial": COUNTS,
    "categorical:classes=3": RNG.integers(0, 3, (40, 6)),
}


@pytest.fixture(autouse=True)
def numpy_kernels():
    nv.use_kernels("numpy")
    yield
    nv.use_kernels(None)


def calls(model, x):
    """What people ask of a model, far out as well."""
    noise = model.draw_noise(len(x), 3, np.random.default_rng(1))
    yield lambda: nv.fit(model, x, epochs=2, batch_size=16, valid=x[:9])["train_loss"]
    yield lambda: model.encode(x)
    yield lambda: model.reconstruct(x)
    yield lambda: model.decode(np.full((2, 2), 100.0))
    yield lambda: model.elbo(x)
    for take in ("mean", "mode", "draw"):
        yield lambda take=take: model.sample(20, take=take)
    yield lambda: nv.log_likelihood(model, x, n_samples=20)
    yield lambda: nv.active_units(model, x)
    yield lambda: sorted(nv.metrics(model, x, n_samples=5).items(), key=str)
    for objective in ("iwae", "dreg"):
        yield lambda o=objective: nv.value_and_grad(model, o, x, noise)[0]


def results(name, prior="standard"):
    model = nv.VAE(6, 2, hidden=(8,), likelihood=name, prior=prior)
    return [call() for call in calls(model, CASES[name])]


@pytest.mark.parametrize("name", CASES)
def test_models_compute_by_numpys_own_rules(name):
    expected = results(name)
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        found = results(name)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_equal(one, other)


@pytest.mark.parametrize("prior", ["mixture", "vamp"])
def test_so_do_priors_with_components(prior):
    with np.errstate(all="raise"):
        results("bernoulli", prior)


def test_the_callers_rules_are_left_as_they_were():
    model = nv.VAE(6, 2, hidden=(8,))
    with np.errstate(all="raise"):
        model.encode(UNIT)
        with pytest.raises(nv.DataError):
            model.encode(REAL[:, :3])
        assert set(np.geterr().values()) == {"raise"}


def test_gradient_checks_do():
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        model = nv.VAE(6, 2, hidden=(3,), dtype="float64")
        assert nv.check_gradients(model, objective=nv.ELBO()).ok
        bell = lambda x: np.exp(-x * x).sum(), lambda x: -2 * x * np.exp(-x * x)
        assert nv.check_gradients(bell, np.array([1.0, 30.0, 0.5])).ok  # exp(-900) underflows


@pytest.mark.slow
def test_pictures_do(tmp_path):
    pytest.importorskip("matplotlib")
    model = nv.VAE(6, 2, hidden=(8,))
    history = nv.fit(model, UNIT, epochs=2)
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)  # matplotlib's own
        figures = [
            plots.loss_curves(history),
            plots.latent(model.encode(UNIT)[0], UNIT[:, 0] > 0.5),
            plots.reconstructions(UNIT, model.reconstruct(UNIT), (2, 3)),
            plots.columns(UNIT, 1e-300 * UNIT),
        ]
        for figure in figures:
            assert figure._repr_png_()[:4] == b"\x89PNG"
            plots.save(figure, tmp_path / "figure.pdf")


def test_tables_do(tmp_path):
    rows = [f"{i * 0.37 % 5 / 1000},{'xyz'[i % 3]},{i * i % 17}" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c", *rows]))
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        table = nv.tables.read(tmp_path / "t.csv")
        model = nv.VAE(z_dim=2, hidden=(8,), **table.schema.options())
        nv.fit(model, table.x, epochs=2)
        nv.tables.impute(model, table.x)
        nv.tables.nats_saved(model, table.x)
        nv.tables.write(tmp_path / "new.csv", model.schema, model.sample(20, take="draw"))
        nv.save(model, tmp_path / "m.npz")
        nv.load(tmp_path / "m.npz")


def test_an_error_of_the_callers_own_code_stays_one():
    def halve(model, record):
        with np.errstate(all="raise"):
            np.float64(1e-308) * np.float64(1e-10)

    with pytest.raises(FloatingPointError):
        nv.fit(nv.VAE(6, 2, hidden=(3,)), UNIT, epochs=1, callbacks=[halve])


@pytest.mark.parametrize("whole", [np.int64, np.int32, np.uint8])
def test_numpys_numbers_are_numbers_in_configs(whole, tmp_path):
    model = nv.VAE(
        whole(6),
        whole(2),
        hidden=[whole(3)],
        seed=whole(4),
        likelihood=nv.StudentT(df=np.float32(3)),
        standardise=np.True_,
        scale=np.float32(2),
    )
    plain = nv.VAE(6, 2, hidden=[3], seed=4, likelihood="student_t:df=3", standardise=True, scale=2)
    assert model.config == plain.config
    nv.fit(
        model,
        UNIT,
        objective=nv.ELBO(beta=np.float32(2), n_samples=whole(2)),
        epochs=whole(2),
        batch_size=whole(8),
        lr=np.float32(1e-3),
        seed=whole(1),
        threads=whole(1),
        progress=np.False_,
        checkpoint=tmp_path / "c.npz",
        callbacks=[nv.EarlyStopping(whole(3), np.float32(0))],
        valid=UNIT,
    )
    nv.save(model, tmp_path / "m.npz")
    assert nv.load(tmp_path / "m.npz").config == model.config


def test_numpys_numbers_and_arrays_go_through_records_and_checkpoints(tmp_path):
    def measure(model, record):
        record["mse"] = np.float32(0.5)
        record["seen"] = np.int64(record["epoch"])
        record["better"] = np.bool_(True)
        record["by_column"] = np.arange(3)
        record["train_loss"] = np.float64(record["train_loss"])

    options = {"callbacks": [measure], "checkpoint": tmp_path / "c.npz", "resume": True}
    model = nv.VAE(6, 2, hidden=(3,))
    nv.fit(model, UNIT, epochs=1, **options)
    history = nv.fit(model, UNIT, epochs=2, **options)
    assert history["mse"].tolist() == [0.5, 0.5]
    assert history["seen"].tolist() == [1, 2]
    assert history["better"].tolist() == [True, True]
    assert history["by_column"].tolist() == [[0, 1, 2], [0, 1, 2]]
    history.to_csv(tmp_path / "h.csv")
    last = (tmp_path / "h.csv").read_text().splitlines()[2].split(",")
    assert float(last[1]) == history[1]["train_loss"]
