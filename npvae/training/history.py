"""What training was like, epoch by epoch."""

from __future__ import annotations

import csv
import io
from typing import Any

from ..core.files import replacing

COLUMNS = (
    "epoch", "train_loss", "train_rec", "train_kl", "valid_loss", "valid_rec", "valid_kl",
    "seconds", "lr", "beta",
)  # fmt: skip


class History:
    """The records of a training run.

    Attributes
    ----------
    records : list of dict
        One per epoch: ``epoch`` (from 1), ``train_loss, train_rec, train_kl`` (the objective and
        its terms, means over the epoch), ``valid_loss, valid_rec, valid_kl`` (-ELBO at beta = 1
        with one sample, None without validation data), all in nats per example; ``seconds`` the
        epoch took; ``lr`` and ``beta`` at its last step.
    """

    def __init__(self, records: list[dict[str, Any]] | None = None) -> None:
        self.records = list(records or [])

    def to_csv(self, path: Any) -> None:
        """Write the records with a header; what was not measured is an empty cell."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(self.records)
        with replacing(path) as file:
            file.write(text.getvalue().encode())

    def __repr__(self) -> str:
        if not self.records:
            return "History(no epochs)"
        last = self.records[-1]
        return f"History({len(self.records)} epochs, train_loss {last['train_loss']:.2f})"
