"""What marginals of a table's columns are fitted to, and those of times."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

import npvae as nv
from npvae import tables
from npvae.cli import main
from npvae.tables.distributions import fitted_to, student_t

RNG = np.random.default_rng(0)


def times(n=400):
    """Visits of an office: by day, and by the clock."""
    start = datetime.datetime(2024, 3, 1)
    minutes = np.rint(RNG.normal(11 * 60, 90, n)).clip(480, 1000)
    days = RNG.integers(0, 3, n)
    return [
        str(start + datetime.timedelta(days=int(d), minutes=float(m)))
        for d, m in zip(days, minutes, strict=True)
    ]


def test_marginals_of_some_rows_alone(write):
    table = tables.read(
        write(a=[f"{v:.2f}" for v in RNG.normal(size=300)], b=["x", "y", "z"] * 100)
    )
    some = table.x[table.x[:, 0] < 1]
    schema = fitted_to(table.schema, some)
    old, new = table.schema.modelled[0].marginal, schema.modelled[0].marginal
    assert new.step == old.step == 0.01
    assert abs(new.x[-1] - some[:, 0].max() - 0.005) < 1e-9
    assert old.x[-1] > new.x[-1]
    assert schema.names == table.schema.names
    assert fitted_to(table.schema, table.x).config == table.schema.config  # as it was read
    assert fitted_to(table.schema, table.x[:3]).config == table.schema.config  # too few rows


def test_a_run_sees_nothing_of_the_rows_that_are_held_out(tmp_path, write):
    """The extremes of the file are held out: the model's range ends before them."""
    from npvae.cli.inputs import hold_out

    x = np.round(RNG.normal(size=200), 3)
    _, held_out = hold_out(200, 0.1, 0)
    x[held_out[:2]] = [9.0, -9.0]
    path = write(a=x.tolist(), b=np.round(RNG.normal(size=200), 3).tolist())
    line = f"train {path} --epochs 2 --quiet --no-plots --out {tmp_path / 'run'}"
    assert main(line.split()) == 0
    model = nv.load(tmp_path / "run")
    marginal = model.schema.modelled[0].marginal
    assert -5 < marginal.x[0] < marginal.x[-1] < 5
    log_p = model.elbo(tables.read(path, schema=model.schema).x, 20)
    usual = np.delete(log_p, held_out)
    assert log_p[held_out[:2]].max() < np.quantile(usual, 0.02)  # they are strange, and finite
    assert log_p[held_out[:2]].min() > usual.min() - 40


def test_times_have_a_marginal_with_the_step_of_their_clock(write):
    visits = times()
    table = tables.read(write(visit=visits, b=RNG.normal(size=400).round(3).tolist()))
    column = table.schema.modelled[0]
    assert column.kind == "date"
    assert column.marginal.step == pytest.approx(1 / 1440)
    x = table.x[:, 0]
    gain = column.marginal.log_prob(x) - student_t(x, x)
    assert gain.mean() > 0.3  # three days with a night between: no bell
    model = nv.VAE(z_dim=1, hidden=(8,), **table.schema.options())
    nv.fit(model, table.x, epochs=20, batch_size=32, lr=3e-3)
    drawn = [row["visit"] for row in table.schema.rows(model.sample(300, take="draw"))]
    read = sorted(datetime.datetime.fromisoformat(visit) for visit in visits)
    assert read[0] <= min(drawn)
    assert max(drawn) <= read[-1]
    assert {moment.second for moment in drawn} == {0}


def test_times_without_a_common_step_are_a_line(write):
    start = datetime.datetime(2024, 3, 1)
    seconds = RNG.gamma(0.5, 40_000, 300)
    moments = [str(start + datetime.timedelta(seconds=int(s))) for s in seconds]
    column = tables.read(write(t=moments, b=["x", "y", "z"] * 100)).schema.modelled[0]
    assert column.marginal is not None
    assert column.text(column.marginal.restored(np.zeros(1))[0])[:7] == "2024-03"


@pytest.mark.slow
def test_a_students_t_where_that_is_likelier():
    """log p against SciPy's, at the mean and scale that the values are drawn of."""
    from scipy import stats

    x = RNG.standard_t(8, 40_000) * 2 + 5
    got = student_t(x, np.array([5.0, 9.0, -3.0]))
    np.testing.assert_allclose(got, stats.t(8, 5, 2).logpdf([5, 9, -3]), atol=0.05)
