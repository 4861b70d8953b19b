"""Rows of which something is known, against those of all that are drawn which happen to be such."""

from __future__ import annotations

import csv
import datetime
import tracemalloc

import numpy as np
import pytest

import npvae as nv
from npvae import tables
from npvae.tables import draws
from npvae.tables.on_disk import write_blocks

N = 600


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    rng = np.random.default_rng(0)
    town = rng.choice(["Paris", "Rome", "Oslo, N"], N, p=[0.6, 0.3, 0.1])
    age = np.round(rng.normal(40, 8, N) + np.where(town == "Rome", 10, 0)).astype(int)
    pay = np.round(500 + 30 * age + 100 * rng.normal(size=N), 1)
    member = np.where(rng.random(N) < 1 / (1 + np.exp(-(age - 42) / 3)), "yes", "no")
    since = [str(datetime.date(2020, 1, 1) + datetime.timedelta(int(d))) for d in 20 * age]
    path = tmp_path_factory.mktemp("draws") / "t.csv"
    columns = {"town": town, "age": age, "pay": pay, "member": member, "since": since,
               "unit": ["m"] * N}  # fmt: skip
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([list(columns), *zip(*columns.values(), strict=True)])
    table = tables.read(path)
    options = {"z_dim": 3, "hidden": (32,), "prior": "mixture:n_components=8"}
    model = nv.VAE(**options, **table.schema.options())
    nv.fit(model, table.x, epochs=60, batch_size=32, lr=3e-3)
    nv.calibrate(model, table.x)
    return model


@pytest.fixture(scope="module")
def many(model):
    return model.sample(60_000, seed=9, take="draw")


def at(model, name):
    return model.schema.names.index(name)


def same(a, b, errors=4.0):
    """Whether the means of two samples are as near as those of one distribution."""
    se = np.sqrt(a.var(0) / len(a) + b.var(0) / len(b)) + 1e-12
    return (np.abs(a.mean(0) - b.mean(0)) < errors * se).all()


@pytest.mark.slow
def test_of_a_known_label(model, many):
    town = at(model, "town")
    label = model.schema.modelled[town].labels.index("Rome")
    x = tables.sample(model, 3000, {"town": "Rome"}, seed=1)
    assert (x[:, town] == label).all()
    assert same(x, many[many[:, town] == label])
    assert not same(x, many[many[:, town] != label])


def test_of_a_known_number(model, many):
    """Its density weighs z: rows that happen to lie near it are drawn from nearly the same."""
    x = tables.sample(model, 3000, {"pay": 1900.0}, seed=1)
    pay = at(model, "pay")
    assert (x[:, pay] == 1900.0).all()
    near = many[np.abs(many[:, pay] - 1900) < 15]
    others = np.delete(np.arange(x.shape[1]), pay)
    assert len(near) > 500
    assert same(x[:, others], near[:, others])
    assert abs(x[:, at(model, "age")].mean() - near[:, at(model, "age")].mean()) < 0.6


@pytest.mark.smoke(1)
@pytest.mark.parametrize("enough", [1, 1e9])
def test_of_so_much_that_the_prior_hardly_finds_it(model, many, monkeypatch, enough):
    """All other columns of a row, by the prior and as gaps are filled: its age comes back."""
    monkeypatch.setattr(draws, "ENOUGH", enough)
    row = {"town": "Rome", "pay": 2400.0, "member": "yes", "since": "2023-07-10"}
    x = tables.sample(model, 300, row, seed=1)
    true = (datetime.date(2023, 7, 10) - datetime.date(2020, 1, 1)).days / 20
    ages = x[:, at(model, "age")]
    assert abs(ages.mean() - true) < 2
    assert ages.std() < many[:, at(model, "age")].std() / 2


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [("30..40", 30, 40), ((30, 40), 30, 40), ("52..", 52, np.inf), ((None, 33), -np.inf, 33)],
)
def test_of_a_range(model, many, value, low, high):
    age = at(model, "age")
    x = tables.sample(model, 1500, {"age": value}, seed=2)
    assert ((low <= x[:, age]) & (x[:, age] <= high)).all()
    assert same(x, many[(low <= many[:, age]) & (many[:, age] <= high)])


def test_of_several_at_once_and_of_dates(model, many):
    s, town = model.schema, at(model, "town")
    known = {"town": ["Paris", "Oslo, N"], "member": "yes", "since": "2022-06-01..", "unit": "m"}
    x = tables.sample(model, 1000, known, seed=3)
    rows = s.rows(x)
    assert {row["member"] for row in rows} == {"yes"}
    assert {row["town"] for row in rows} == {"Paris", "Oslo, N"}
    assert min(row["since"] for row in rows) >= datetime.date(2022, 6, 1)
    rome = s.modelled[town].labels.index("Rome")
    since, member = at(model, "since"), at(model, "member")
    such = (many[:, town] != rome) & (many[:, member] == 1) & (many[:, since] >= x[:, since].min())
    assert same(x, many[such])


def test_balanced(model):
    s, town = model.schema, at(model, "town")
    x = tables.sample(model, 31, balance="town", seed=4)
    assert [row["town"] for row in s.rows(x)] == (list(s.modelled[town].labels) * 11)[:31]
    x = tables.sample(model, 900, {"age": "..35"}, balance="member", seed=4)
    assert np.bincount(x[:, at(model, "member")].astype(int)).tolist() == [450, 450]
    assert x[:, at(model, "age")].max() <= 35


@pytest.mark.slow
def test_the_same_again_and_in_blocks(model, monkeypatch):
    known = {"member": "no"}
    x = tables.sample(model, 500, known, balance="town", seed=5)
    np.testing.assert_array_equal(tables.sample(model, 500, known, balance="town", seed=5), x)
    assert not np.array_equal(tables.sample(model, 500, known, balance="town", seed=6), x)
    plain = model.sample(300, seed=5, take="draw")
    np.testing.assert_array_equal(tables.sample(model, 300, seed=5), plain)
    monkeypatch.setattr(draws, "BLOCK", 100)
    blocks = list(draws.sample_blocks(model, 250, None, "town", 5))
    assert [len(b) for b in blocks] == [100, 100, 50]
    labels = np.concatenate(blocks)[:, at(model, "town")]
    assert (labels == np.arange(250) % 3).all()
    first, second, _ = draws.sample_blocks(model, 250, seed=5)
    np.testing.assert_array_equal(first, model.sample(100, seed=5, take="draw"))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"twon": "Rome"}, "there is no column 'twon'; did you mean 'town'?"),
        ({"town": "Roma"}, "'town' has no label 'Roma'; did you mean 'Rome'?"),
        ({"town": ["Rome", "x"]}, "'town' has no label 'x'"),
        ({"town": []}, "'town' needs a label or more"),
        ({"town": "30..40"}, "'town' has no label '30..40'"),
        ({"age": "old"}, "'age': every known cell must hold a number; got 'old'."),
        ({"age": 300}, "'age' lies between"),
        ({"age": "200..300"}, "'age' lies between"),
        ({"age": "40..30"}, "Exchange them"),
        ({"age": float("nan")}, "'age'"),
        ({"since": "soon"}, "'since': every known cell must hold a date"),
        ({"since": "1990-01-01"}, "'since' lies between 20"),
        ({"unit": "cm"}, "'unit' is 'm' in all rows; got 'cm'."),
        ({"town": "Rome", "since": "..2020-12-01", "age": "60.."}, "ask for fewer columns"),
    ],
)
def test_what_can_not_be_known(model, known, said, monkeypatch):
    monkeypatch.setattr(draws, "_PATIENCE", 10)
    with pytest.raises(nv.DataError) as caught:
        tables.sample(model, 10, known)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_refusals(model):
    with pytest.raises(nv.ConfigError, match="given is a mapping such as"):
        tables.sample(model, 5, "town=Rome")
    with pytest.raises(nv.ConfigError, match="'age' is a number"):
        tables.sample(model, 10, balance="age")
    with pytest.raises(nv.ConfigError, match="leave it out of given"):
        tables.sample(model, 10, {"town": "Rome"}, balance="town")
    with pytest.raises(nv.DataError, match="there is no column 'x'"):
        tables.sample(model, 10, balance="x")
    with pytest.raises(nv.ConfigError, match="a table's model"):
        tables.sample(nv.VAE(3, 2, hidden=(2,)), 10)
    with pytest.raises(nv.ConfigError, match="n is"):
        tables.sample(model, 0)


@pytest.mark.slow
def test_rows_are_written_a_block_at_a_time(model, tmp_path):
    """The file is that of all rows at once, and memory does not grow with their number."""
    x = model.sample(3000, take="draw")
    tables.write(tmp_path / "whole.csv", model.schema, x)
    write_blocks(tmp_path / "blocks.csv", model.schema, iter(np.split(x, 30)))
    assert (tmp_path / "blocks.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()

    def peak(blocks):
        tracemalloc.start()
        write_blocks(tmp_path / "many.csv", model.schema, (x[:500] for _ in range(blocks)))
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    assert peak(12) < 1.5 * peak(2)


def test_an_error_on_the_way_leaves_no_file(model, tmp_path):
    def blocks():
        yield model.sample(5, take="draw")
        raise nv.DataError("no more.")

    with pytest.raises(nv.DataError, match="no more"):
        write_blocks(tmp_path / "t.csv", model.schema, blocks())
    assert list(tmp_path.iterdir()) == []
