"""What training was like, epoch by epoch."""

from __future__ import annotations

import csv
import io
import os
from typing import Any

import numpy as np

from ..core.aliases import meant
from ..core.errors import ConfigError
from ..core.files import replacing
from ..core.losses import LOSSES, losses_in


class History:
    """The records of a training run; ``history["valid_loss"]`` is a loss by epoch, as an array.

    Attributes
    ----------
    records : list of dict
        One per epoch: ``epoch`` (from 1); ``train_loss, train_rec, train_kl`` or what else the
        objective's losses are called, the means over the epoch; ``valid_loss, valid_rec,
        valid_kl``, those of -ELBO at beta = 1 with one sample, or None without validation data;
        the ``seconds`` that the epoch took; ``lr`` and ``beta`` at its last step. Losses are in
        nats per example. Of a model of several latent levels there is the KL of each, the
        ``train_kl_1`` and ``valid_kl_1`` of the level next to x, and so on.
    """

    def __init__(self, records: list[dict[str, Any]] | None = None) -> None:
        self.records = list(records or [])

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, name: Any) -> Any:
        """What the records call `name`, by epoch: an array (epochs,), NaN where there is none.

        A number in place of a name gives the record there, and a slice some of them.

        Raises
        ------
        ConfigError
            If no record has the name.
        """
        if not isinstance(name, str):
            return self.records[name]
        known = dict.fromkeys(key for record in self.records for key in record)
        if name not in known:
            found = meant(name, known)
            hint = f"it calls this {found}" if found else f"it has {', '.join(known) or 'no epoch'}"
            raise ConfigError(f"this history has no {name!r}; {hint}.")
        values = [record.get(name) for record in self.records]
        return np.array([np.nan if value is None else value for value in values])

    def to_csv(self, path: Any) -> None:
        """Write the records with a header; what was not measured is an empty cell."""
        with replacing(path) as file:
            file.write(self._csv(self.records, header=True))

    def add_to_csv(self, path: Any) -> None:
        """Add the last record to a file that `to_csv` wrote; raises OSError where it can't."""
        with open(path, "r+b") as file:
            file.seek(0, os.SEEK_END)
            file.write(self._csv(self.records[-1:], header=False))

    def _csv(self, records: list[dict[str, Any]], header: bool) -> bytes:
        text = io.StringIO(newline="")
        first = self.records[0] if self.records else {}
        trained = losses_in(first) if first else LOSSES
        columns = ["epoch", *(f"train_{name}" for name in trained)]
        measured = [name for name in first if name.startswith("valid_")]
        columns += [*(measured or (f"valid_{name}" for name in LOSSES)), "seconds", "lr", "beta"]
        writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
        if header:
            writer.writeheader()
        writer.writerows(records)
        return text.getvalue().encode()

    def __repr__(self) -> str:
        if not self.records:
            return "History(no epochs)"
        last = self.records[-1]
        return f"History({len(self.records)} epochs, train_loss {last['train_loss']:.2f})"
