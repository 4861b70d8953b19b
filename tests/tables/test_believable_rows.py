"""Rows that are drawn: in range, whole, with their spikes, whatever a wild cell says."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv
from npvae import tables


def trained(path, epochs=120):
    table = tables.read(path)
    options = {"z_dim": 3, "hidden": (32,), "prior": "mixture:n_components=8"}
    model = nv.VAE(**options, **table.schema.options())
    nv.fit(model, table.x, epochs=epochs, batch_size=32, lr=3e-3)
    return table, model


@pytest.mark.smoke(1)
@pytest.mark.parametrize("wild", ["9999", "1e9", "-1e9"])
def test_one_wild_cell_ruins_nothing(write, wild):
    rng = np.random.default_rng(0)
    a = rng.normal(size=500)
    b = [f"{v:.3f}" for v in a + 0.1 * rng.normal(size=500)]
    b[256] = wild
    table, model = trained(write(a=[f"{v:.3f}" for v in a], b=b), epochs=40)
    others = np.arange(500) != 256
    remade = model.reconstruct(table.x)[others, 1]
    assert np.corrcoef(remade, table.x[others, 1])[0, 1] > 0.97
    draws = model.sample(2000, take="draw")[:, 1]
    assert np.abs(draws).max() < 5
    low, high = np.quantile(draws, [0.25, 0.75])
    assert -1.1 < low < -0.3 < 0.3 < high < 1.1
    noted = [note for note in table.notes if "lies far from all other cells" in note]
    assert len(noted) == 1
    assert "'b'" in noted[0]
    assert wild.lstrip("-") in noted[0]
    assert np.isfinite(model.elbo(table.x)).all()


@pytest.mark.slow
def test_spikes_whole_numbers_bounds_and_what_follows_from_what(write):
    rng = np.random.default_rng(0)
    n = 800
    buys = rng.random(n) < 0.45
    spend = np.where(buys, rng.lognormal(3, 1, n), 0)
    items = np.where(buys, 1 + rng.poisson(spend / 10), 0)
    share = np.minimum(100, np.rint(1000 * rng.beta(2, 1, n)) / 10 + np.where(buys, 20, 0))
    height = np.rint(rng.normal(170, 8, n)).astype(int)
    table, model = trained(
        write(spend=[f"{v:.2f}" for v in spend], items=items.tolist(),
              share=[f"{v:.1f}" for v in share], height=height.tolist())
    )  # fmt: skip
    draws = model.sample(4000, take="draw")
    assert (draws.min(0) >= table.x.min(0)).all()
    assert (draws.max(0) <= table.x.max(0)).all()
    rows = table.schema.rows(draws)
    assert all(isinstance(row["height"], int) and isinstance(row["items"], int) for row in rows)
    assert abs((draws[:, 0] == 0).mean() - (spend == 0).mean()) < 0.04
    assert abs((draws[:, 2] == 100).mean() - (share == 100).mean()) < 0.04
    none = draws[:, 0] == 0
    assert (draws[none, 1] == 0).mean() > 0.97
    assert (draws[~none, 1] > 0).mean() > 0.97


def test_measurements_are_numbers_and_are_written_whole(write, tmp_path):
    rng = np.random.default_rng(0)
    mass = (25 * np.rint(rng.normal(4200, 800, 200) / 25)).astype(int)
    visits = rng.negative_binomial(1, 0.2, 200)
    table = tables.read(write(mass=mass.tolist(), visits=visits.tolist()))
    assert [c.kind for c in table.schema.columns] == ["number", "count"]
    assert table.schema.columns[0].marginal.step == 25
    assert any("whole numbers, modelled as measurements" in note for note in table.notes)
    model = nv.VAE(z_dim=1, hidden=(4,), **table.schema.options())
    draws = model.sample(50, take="draw")
    tables.write(tmp_path / "new.csv", table.schema, draws)
    lines = (tmp_path / "new.csv").read_text().split()[1:]
    assert all(int(line.split(",")[0]) % 25 == 0 for line in lines)


def test_a_schema_without_marginals_is_as_before(write):
    rng = np.random.default_rng(0)
    """Models that were saved before have none."""
    config = tables.read(
        write(c=rng.normal(size=60), d=rng.negative_binomial(1, 0.2, 60).tolist())
    ).schema.config
    for column in config["columns"]:
        column.pop("marginal", None)
    schema = tables.Schema.of(config)
    assert [p.name for p in schema.likelihood().parts] == ["student_t", "negative_binomial"]
    assert schema.options()["standardise"] is True
    assert schema.config == config


def test_a_column_of_few_known_values_has_a_distribution_of_its_own(write):
    """Draws stay within what is possible, though nine cells of ten are empty."""
    rng = np.random.default_rng(4)
    dose = np.round(rng.gamma(1.0, 3.0, 120), 2)
    known = np.arange(120) % 10 == 0
    path = write(
        x=[f"{v:.3f}" for v in rng.normal(size=120)],
        dose=[f"{v:.2f}" if k else "" for v, k in zip(dose, known, strict=True)],
    )
    table = tables.read(path, columns={"dose": "number"})
    assert table.schema.columns[1].marginal is not None
    model = nv.VAE(z_dim=2, hidden=(8,), **table.schema.options())
    nv.fit(model, table.x, epochs=20, batch_size=16)
    drawn = model.sample(500, take="draw")[:, 1]
    assert dose[known].min() - 1e-3 <= drawn.min() <= drawn.max() <= dose[known].max() + 1e-3
    assert len(np.unique(np.round(drawn, 2))) > 50
