"""The whole files that mutants are made of: runs, models, checkpoints, tables and arrays."""

from __future__ import annotations

import gzip
import io
import struct
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from npvae.cli import main
from npvae.tables import read, write
from npvae.tables.sheets import SHEETS

Files = dict[str, bytes]

_SMALL = (
    "--epochs 2 --hidden 6 --z-dim 2 --batch-size 16 --patience 5 --threads 1 --no-plots --quiet"
)


class Subjects(NamedTuple):
    """What is damaged, by name; each run has the path of its data in its settings.

    Attributes
    ----------
    runs : the files of run folders
    tables : the bytes of .csv files
    arrays : the bytes of other data files, by the name that says how they are read
    data : the folder where the runs' data lie
    """

    runs: dict[str, Files]
    tables: dict[str, bytes]
    arrays: dict[str, bytes]
    data: Path


def make(folder: Path) -> Subjects:
    """Write the data and train the runs, small ones."""
    tables, arrays = _tables(), _arrays()
    for name, content in {**tables, **arrays}.items():
        (folder / name).write_bytes(content)
    mixed = read(folder / "mixed.csv", columns={"note": "skip"})
    for suffix, package in SHEETS.items():
        if find_spec(package.partition(".")[0]) is not None:
            write(folder / f"sheet{suffix}", mixed.schema, mixed.x)
            arrays[f"sheet{suffix}"] = (folder / f"sheet{suffix}").read_bytes()
    return Subjects(
        {
            "rows": _run(folder, "x.npy"),
            "table": _run(folder, "mixed.csv", "--columns", "note=skip"),
            "vamp": _run(folder, "x.npy", "--prior", "vamp:n_components=3", "--binarise"),
        },
        tables,
        arrays,
        folder,
    )


def _run(folder: Path, data: str, *options: str) -> Files:
    out = folder / "run"
    code = main(
        ["train", "--data", str(folder / data), "--out", str(out), *_SMALL.split(), *options]
    )
    assert code == 0
    files = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    for name in files:
        (out / name).unlink()
    return files


def _arrays() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 9)).astype("<f4"), np.arange(40) % 3
    names = np.array([f"c{i}" for i in range(9)])
    npy, npz, packed = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(npy, x)
    np.savez(npz, x=x, y=y, names=names)
    np.savez_compressed(packed, x=(255 * x).astype("u1").reshape(-1, 3, 3), labels=y.astype(str))
    pixels = (255 * x).astype("u1")
    idx = struct.pack(">BBBB3I", 0, 0, 8, 3, 40, 3, 3) + pixels.tobytes()
    return {
        "x.npy": npy.getvalue(),
        "x.npz": npz.getvalue(),
        "packed.npz": packed.getvalue(),
        "images-idx3-ubyte": idx,
        "zipped-idx3-ubyte.gz": gzip.compress(idx, mtime=0),
        "plain.csv": _csv(["a", "b", "c", "label"], [[*row[:3], i % 3] for i, row in enumerate(x)]),
    }


def _tables() -> dict[str, bytes]:
    """Tables of each kind of column and of several ways to write them, small."""
    rng = np.random.default_rng(1)
    n = 40
    a = rng.normal(20, 5, n)
    pick = lambda *words: rng.choice(words, n).tolist()  # noqa: E731
    columns = {
        "size": [f"{value:.2f}" for value in a],
        "height": [
            f"{value + 100 + rng.normal():.1f}" if i % 9 else "" for i, value in enumerate(a)
        ],
        "visits": rng.poisson(8, n).tolist(),
        "town": pick("Köln", "Paris", "a, b", "NA"),
        "smoker": pick("yes", "no"),
        "often": pick("never", "sometimes", "often"),
        "day": [f"2024-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(n)],
        "unit": ["kg"] * n,
        "note": [f"said {i} things to all of them" for i in range(n)],
        "class": pick("u", "v", "w"),
    }
    local = {
        "Preis": [f"{value:.2f}".replace(".", ",") + " €" for value in 1000 * a],
        "Anteil": [f"{value:.1f} %".replace(".", ",") for value in a],
        "Datum": [f"{1 + i % 28:02d}.{1 + i % 12:02d}.2023 {i % 24:02d}:15" for i in range(n)],
        "Konto": pick("0012", "0450", "7700"),
        "Saldo": [
            f"({value:,.0f})" if i % 3 else f"{value:,.0f}" for i, value in enumerate(1000 * a)
        ],
    }
    return {
        "mixed.csv": _csv(list(columns), zip(*columns.values(), strict=True)),
        "local.csv": _csv(list(local), zip(*local.values(), strict=True)),
        "two.csv": _csv(["x", "y"], zip(a.round(3), rng.poisson(3, n), strict=True)),
    }


def _csv(names: list[str], rows: object) -> bytes:
    import csv

    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)  # type: ignore[arg-type]
    return text.getvalue().encode()
