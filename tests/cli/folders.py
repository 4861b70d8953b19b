"""What a run folder holds."""

from __future__ import annotations

import csv
import json


def names(folder):
    return {path.name for path in folder.iterdir()}


def history(folder):
    with open(folder / "history.csv", newline="") as file:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]


def without_seconds(folder):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history(folder)]


def config(folder):
    return json.loads((folder / "config.json").read_text())
