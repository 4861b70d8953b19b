"""History: what training was like, as records, as a table, as a line."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import npvae as nv

COLUMNS = [
    "epoch", "train_loss", "train_rec", "train_kl", "valid_loss", "valid_rec", "valid_kl",
    "seconds", "lr", "beta",
]  # fmt: skip


@pytest.fixture(autouse=True)
def numpy_kernels():
    nv.use_kernels("numpy")
    yield
    nv.use_kernels(None)


@pytest.mark.parametrize("valid", [True, False])
def test_the_table_holds_every_number_exactly(tmp_path, valid):
    x = np.random.default_rng(0).random((9, 4))
    history = nv.fit(nv.VAE(4, 2, hidden=(3,)), x, epochs=3, valid=x if valid else None)
    history.to_csv(tmp_path / "history.csv")
    content = (tmp_path / "history.csv").read_bytes()
    assert b"\r" not in content
    assert content.endswith(b"\n")
    with open(tmp_path / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == COLUMNS
    assert len(rows) == 3
    for row, record in zip(rows, history.records, strict=True):
        for name in COLUMNS:
            if record[name] is None:
                assert row[name] == ""
                assert not valid
            else:
                assert float(row[name]) == record[name]
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]


def test_an_empty_history_is_a_header(tmp_path):
    nv.History().to_csv(tmp_path / "h.csv")
    assert (tmp_path / "h.csv").read_text() == ",".join(COLUMNS) + "\n"


def test_what_a_callback_adds_to_a_record_does_not_spoil_the_table(tmp_path):
    record = dict.fromkeys(COLUMNS, 1.0)
    nv.History([{**record, "note": "mine"}]).to_csv(tmp_path / "h.csv")
    assert (tmp_path / "h.csv").read_text().splitlines()[1] == ",".join(["1.0"] * 10)


def test_histories_share_no_records():
    records = []
    one, two, three = nv.History(), nv.History(), nv.History(records)
    one.records.append({})
    three.records.append({})
    assert two.records == records == []


def test_repr_says_how_far_and_how_well():
    assert repr(nv.History()) == "History(no epochs)"
    records = [{"train_loss": 5.0}, {"train_loss": 3.14159}]
    assert repr(nv.History(records)) == "History(2 epochs, train_loss 3.14)"
