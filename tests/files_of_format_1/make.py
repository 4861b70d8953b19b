"""Made the files of this folder, with npvae 0.1.0 as it was before its inside was rebuilt.

    python -m tests.files_of_format_1.make FOLDER

They show that what was saved then is still read, so they stay as they are: a newer npvae must give
the numbers that stand in the .json files, not write new ones. Each .npz is a model, or in
`checkpoint.npz` a run to be resumed; the .json beside it has rows and what they gave.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import npvae as nv

ROWS = 12
"""How many rows are kept beside a model."""

TABLE = "age,member,town,weight,visits\n" + "".join(
    ",".join(
        "" if (i + 3 * j) % 11 == 0 else cell
        for j, cell in enumerate(
            [
                f"{20 + i * 7 % 45 + 0.5 * (i % 3):.1f}",
                ["no", "yes"][i * i % 5 % 2],
                ["Ayr", "Bath", "Cork"][i * i % 7 % 3],
                f"{50 + 31 * (i * i % 17) / 17:.2f}",
                str(i * i % 13),
            ]
        )
    )
    + "\n"
    for i in range(120)
)


def trained(x: Any, *, context: Any = None, **model: Any) -> nv.VAE:
    built = nv.VAE(**{"x_dim": np.shape(x)[1], "seed": 1, **model})
    nv.fit(built, x, epochs=3, batch_size=32, seed=2, context=context)
    return built


def models() -> Iterator[tuple[str, nv.VAE, np.ndarray, np.ndarray | None]]:
    """A name, a model, rows, and the context of the rows if the model takes one."""
    rng = np.random.default_rng(3)
    x = rng.integers(0, 256, (150, 16)).astype(np.uint8)
    yield "bernoulli", trained(x, z_dim=3, hidden=(12,)), x, None

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.csv")
        path.write_text(TABLE)
        table = nv.tables.read(path)
    model = trained(table.x, z_dim=2, hidden=(10,), **table.schema.options())
    yield "table", model, table.x, None

    x = rng.random((150, 9)).round(3)
    yield "vamp", trained(x, z_dim=2, hidden=(11,), prior=nv.VampPrior(5)), x, None

    x = rng.poisson(rng.gamma(2.0, 2.0, (150, 7)))
    likelihood = nv.NegativeBinomial(library=30)
    prior = nv.Mixture(4)
    model = trained(x, z_dim=2, hidden=(10,), likelihood=likelihood, prior=prior, activation="gelu")
    yield "counts", model, x, None

    context = rng.normal(size=(150, 2)).round(3)
    x = (context @ rng.normal(size=(2, 6)) + rng.normal(0, 0.3, (150, 6))).round(3)
    model = trained(
        x, context=context, z_dim=2, hidden=(10, 8), context_dim=2, activation="tanh",
        likelihood="gaussian_learnt_scale", dtype="float64",
    )  # fmt: skip
    yield "context", model, x, context


def log_likelihood(model: nv.VAE, x: Any, context: Any) -> np.ndarray:
    """By 20 samples of one stream for all rows, as `nv.log_likelihood` drew them then."""
    (x, context), *_ = model.batches(x, context)
    eps = model.draw_noise(len(x), 20, np.random.default_rng(5))
    log_w = model.forward(x, eps, context, ("log_px", "log_pz", "log_qz"))[0].log_w
    return np.logaddexp.reduce(log_w) - np.log(20)


def numbers(model: nv.VAE, x: Any, context: Any = None) -> dict[str, np.ndarray]:
    """What a model gives for rows, with fixed seeds."""
    mu, logvar = model.encode(x, context=context)
    one = None if context is None else np.asarray(context)[:1]
    return {
        "mu": mu,
        "logvar": logvar,
        "decode": model.decode(mu, context=context),
        "elbo": model.elbo(x, n_samples=2, seed=4, context=context),
        "log_likelihood": log_likelihood(model, x, context),
        "sample": model.sample(4, seed=6, context=one),
    }


def run(path: Path | None, epochs: int, x: Any, resume: bool = False) -> tuple[nv.VAE, nv.History]:
    """Training with all that has a state, written to a checkpoint."""
    model = nv.VAE(8, 2, hidden=(9,), seed=1)
    history = nv.fit(
        model, x, epochs=epochs, batch_size=32, seed=2, valid=x[:20], checkpoint=path,
        resume=resume, optimiser=nv.Adam(clip_norm=5.0), callbacks=[nv.EarlyStopping(patience=9)],
        objective=nv.ELBO(nv.Linear(0, 1, epochs=4)), lr=nv.Cosine(1e-2, 1e-3, epochs=4),
    )  # fmt: skip
    return model, history


def write(path: Path, content: Mapping[str, Any]) -> None:
    """JSON with a line for each entry; floats as they are, NaN too."""
    lines = [f"{json.dumps(name)}: {json.dumps(_plain(value))}" for name, value in content.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def main(folder: Path) -> None:
    nv.use_kernels("numpy")
    for name, model, x, context in models():
        rows = x[:ROWS]
        given = None if context is None else context[:ROWS]
        nv.save(model, folder / f"{name}.npz")
        about = {
            "npvae": nv.__version__,
            "dtype": model.dtype,
            "config": model.config,
            "parameters": [[name, list(value.shape)] for name, value in model.params.items()],
            "x": rows,
            "context": given,
        }
        write(folder / f"{name}.json", {**about, **numbers(model, rows, given)})
    x = np.random.default_rng(7).integers(0, 256, (70, 8)).astype(np.uint8)
    model, _ = run(folder / "checkpoint.npz", 2, x)
    unbroken, history = run(None, 3, x)
    about = {
        "npvae": nv.__version__,
        "config": model.config,
        "x": x,
        "records": history.records,
        "flat": unbroken.flat,
    }
    write(folder / "checkpoint.json", about)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
