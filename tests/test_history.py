"""History: what training was like, as records, as a table, as a line."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest

import npvae as nv
from npvae import plots
from npvae.core.progress import epoch_summary

COLUMNS = [
    "epoch", "train_loss", "train_rec", "train_kl", "valid_loss", "valid_rec", "valid_kl",
    "seconds", "lr", "beta",
]  # fmt: skip


pytestmark = pytest.mark.usefixtures("kernels")


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


class WithSpread(nv.ELBO, abstract=True):
    """The ELBO with a number of its own beside its three, which the loss does not have in it."""

    losses = ("loss", "rec", "kl", "spread")

    def __call__(self, terms, epoch=math.inf):
        losses, d_terms = super().__call__(terms, epoch)
        return {"spread": np.ptp(terms.log_px), **losses}, d_terms


@pytest.fixture(params=["numpy", "numba"])
def more(request):
    """Histories of a run whose objective has a fourth loss, and of one with the ELBO."""
    nv.use_kernels(request.param)
    x = np.random.default_rng(0).random((9, 4))
    options = {"epochs": 2, "batch_size": 4, "valid": x}
    plain = nv.fit(nv.VAE(4, 2, hidden=(3,)), x, **options)
    return nv.fit(nv.VAE(4, 2, hidden=(3,)), x, objective=WithSpread(), **options), plain


def test_an_objective_names_its_losses(more, tmp_path):
    history, plain = more
    for record, other in zip(history.records, plain.records, strict=True):
        assert list(record)[:5] == [
            "epoch", "train_loss", "train_rec", "train_kl", "train_spread",
        ]  # fmt: skip
        assert {n: record[n] for n in other if n != "seconds"} == pytest.approx(
            {n: v for n, v in other.items() if n != "seconds"}, rel=1e-6
        )
        assert record["train_spread"] > 0
    history.to_csv(tmp_path / "h.csv")
    header = (tmp_path / "h.csv").read_text().splitlines()[0].split(",")
    assert header == [*COLUMNS[:4], "train_spread", *COLUMNS[4:]]


def test_every_named_loss_is_shown(more):
    record = more[0].records[-1]
    line = epoch_summary(record, 2)
    train, valid = line.split("  |  ")
    assert train.endswith(f"KL {record['train_kl']:.2f}, spread {record['train_spread']:.2f}")
    assert "spread" not in valid
    assert valid.startswith("valid loss ")
    plain = epoch_summary({**more[1].records[-1], "train_mine": 5.0}, 2)
    assert "mine" not in plain, "what a callback adds is no loss"


def test_every_named_loss_is_drawn(more):
    figure = plots.loss_curves(more[0].records)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["Loss", "Reconstruction term", "KL term", "Spread"]
    (line,) = figure.axes[3].lines
    assert list(line.get_ydata()) == [record["train_spread"] for record in more[0].records]


def test_a_resumed_run_has_the_same_losses(tmp_path):
    x = np.random.default_rng(0).random((9, 4))
    options = {"checkpoint": tmp_path / "m.npz", "resume": True}
    nv.fit(nv.VAE(4, 2, hidden=(3,)), x, epochs=1, **options)
    with pytest.raises(nv.ConfigError, match=r"losses as before, loss, rec, kl; got .*, spread"):
        nv.fit(nv.VAE(4, 2, hidden=(3,)), x, epochs=2, objective=WithSpread(), **options)
