"""Pins what training and inference give today, to the last bit, before the library is rebuilt.

    python -m tests.pins --write before.json     # on the commit before a change
    python -m tests.pins --against before.json   # after it: exits 1 and names what differs

Small models, of which each is trained with the kernels that npvae takes by default, with numba's
and with NumPy's. Of every one there are digests of the weights, of the history (all but the
seconds) and of what inference gives, and the names and shapes of the parameters in their order. A
mean stands beside each digest, so that one sees how far apart two runs are. Only public names of
npvae are used.

Bits hold on one machine, with one set of library versions. So the file is no part of the
repository: it is made from the commit before a change, and compared with after it, on the same
machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import npvae as nv

SHOWN = 40
"""Rows that inference is given."""
KERNELS = {"by default": None, "numba": "numba", "numpy": "numpy"}


@dataclass(frozen=True)
class Case:
    """A model by its arguments, its data, and how it is trained."""

    x: np.ndarray
    model: dict[str, Any]
    fit: dict[str, Any] = field(default_factory=dict)
    context: np.ndarray | None = None


class HalfOfLogP(nv.ELBO):
    """The ELBO with half of log p, by lines that no compiled step knows: Python runs them."""

    def __call__(self, terms: Any, epoch: float = np.inf) -> Any:
        losses, d_terms = super().__call__(terms, epoch)
        d_terms.log_px = np.multiply(d_terms.log_px, d_terms.log_px.dtype.type(0.5))
        return losses, d_terms


def cases() -> dict[str, Case]:
    found = {}
    rng = np.random.default_rng(20)
    pixels = rng.integers(0, 256, (300, 50)).astype(np.uint8)
    images = (rng.random((260, 784)) * rng.random((260, 1)) * 256).astype(np.uint8)
    grey = rng.random((300, 21))
    factors = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 11))
    numbers = factors + 0.3 * rng.normal(size=(300, 11))
    units = numbers * rng.uniform(0.01, 40, 11) + rng.normal(0, 100, 11)
    counts = rng.poisson(np.exp(0.3 * numbers + 1))
    rates = 1 / (1 + np.exp(-numbers))
    labels = rng.integers(0, [3, 2, 5, 4], (300, 4)).astype(float)
    context = rng.normal(size=(300, 3)).round(3)
    weights = rng.random(300) * (rng.random(300) > 0.1)
    table = np.column_stack([units[:, :3], counts[:, :2], labels[:, :2], rng.integers(2, size=300)])
    columns = [
        ("gaussian_column_scale", (0, 2)), ("student_t", (1,)), ("negative_binomial", (4, 3)),
        (nv.Categorical((3, 2)), (5, 6)), ("bernoulli", (7,)),
    ]  # fmt: skip
    warm_up = nv.Linear(0, 1, epochs=2)

    def gaps(x: np.ndarray, share: float = 0.15) -> np.ndarray:
        return np.where(rng.random(x.shape) < share, np.nan, x)

    found["bernoulli, bytes, valid"] = Case(
        pixels, dict(z_dim=7, hidden=(33,)), dict(valid=pixels[:70], batch_size=64)
    )
    found["bernoulli 784-136-20, two threads"] = Case(
        images, dict(z_dim=20, hidden=(136,)), dict(threads=2, batch_size=100)
    )
    found["bernoulli, three samples, beta schedule, tanh, two layers, two threads"] = Case(
        pixels,
        dict(z_dim=9, hidden=(40, 24), activation="tanh"),
        dict(objective=nv.ELBO(warm_up, n_samples=3), threads=2, batch_size=77, valid=pixels[:31]),
    )
    found["bernoulli, linear, early stopping"] = Case(
        pixels,
        dict(z_dim=5, hidden=(), init="he_normal"),
        dict(valid=pixels[:50], callbacks=[nv.EarlyStopping(patience=1)], lr=0.3, epochs=6),
    )
    found["bernoulli, an objective of one's own"] = Case(
        pixels, dict(z_dim=4, hidden=(16,)), dict(objective=HalfOfLogP(warm_up, 2), weights=weights)
    )
    found["bernoulli, binarised, vamp, valid, two threads"] = Case(
        grey,
        dict(z_dim=3, hidden=(30,), prior=nv.VampPrior(9)),
        dict(binarise=True, valid=grey[:60], threads=2, objective=nv.ELBO(warm_up)),
    )
    found["gaussian, free bits, gelu, cosine lr"] = Case(
        numbers,
        dict(z_dim=4, hidden=(17, 12), activation="gelu", likelihood=nv.Gaussian(0.4)),
        dict(objective=nv.ELBO(2.0, free_bits=0.2), lr=nv.Cosine(3e-3, 1e-4, epochs=3)),
    )
    found["gaussian, learnt scale, IWAE, elu"] = Case(
        numbers,
        dict(z_dim=4, hidden=(24,), activation="elu", likelihood=nv.GaussianLearntScale()),
        dict(objective=nv.IWAE(3), batch_size=45),
    )
    found["gaussian, column scale, vamp, context, IWAE"] = Case(
        units,
        dict(
            z_dim=3, hidden=(24,), likelihood=nv.GaussianColumnScale(), standardise=True,
            prior=nv.VampPrior(6), context_dim=3, activation="gelu",
        ),
        dict(objective=nv.IWAE(4), weights=weights, valid=(units[:40], context[:40])),
        context,
    )  # fmt: skip
    found["heteroscedastic, gaps, standardised, weights"] = Case(
        gaps(units),
        dict(
            z_dim=3, hidden=(20,), activation="tanh", likelihood=nv.GaussianHeteroscedastic(),
            missing="mask", standardise=True,
        ),
        dict(weights=weights),
    )  # fmt: skip
    found["laplace, standardised, clipped, decay, valid"] = Case(
        units,
        dict(z_dim=3, hidden=(20,), likelihood=nv.Laplace(), standardise=True),
        dict(
            optimiser=nv.Adam(clip_norm=2.0, weight_decay=0.01), valid=units[:44], lr=5e-3,
        ),
    )  # fmt: skip
    found["student_t, decoder's scale, gaps, standardised, valid, two threads"] = Case(
        gaps(units),
        dict(
            z_dim=3, hidden=(20,), likelihood=nv.StudentT(df=5, scale="decoder"), missing="mask",
            standardise=True, activation="elu",
        ),
        dict(valid=gaps(units)[:44], weights=weights, threads=2),
    )  # fmt: skip
    found["poisson, context, two layers"] = Case(
        counts,
        dict(z_dim=3, hidden=(20, 10), likelihood="poisson", context_dim=3),
        dict(valid=(counts[:40], context[:40])),
        context,
    )
    found["negative_binomial, library, mixture"] = Case(
        counts,
        dict(
            z_dim=3, hidden=(20,), likelihood=nv.NegativeBinomial(library=20), prior=nv.Mixture(5)
        ),
        dict(objective=nv.ELBO(n_samples=2), valid=counts[:33]),
    )
    found["zero-inflated, decoder's dispersion, gaps, vamp"] = Case(
        gaps(np.where(labels[:, [0]] == 0, 0, counts)),
        dict(
            z_dim=3, hidden=(20,), prior=nv.VampPrior(7), missing="mask", activation="gelu",
            likelihood=nv.ZeroInflatedNegativeBinomial(dispersion="decoder"),
        ),
        dict(objective=nv.IWAE(2)),
    )  # fmt: skip
    found["categorical, gaps"] = Case(
        gaps(labels),
        dict(z_dim=2, hidden=(15,), likelihood=nv.Categorical((3, 2, 5, 4)), missing="mask"),
        dict(weights=weights),
    )
    found["one-hot, two groups"] = Case(
        np.hstack([np.eye(3)[labels[:, 0].astype(int)], np.eye(5)[labels[:, 2].astype(int)]]),
        dict(z_dim=2, hidden=(15,), likelihood=nv.OneHot((3, 5)), activation="tanh"),
        dict(objective=nv.ELBO(0.5, n_samples=2)),
    )
    found["mixed, gaps, standardised, context, weights, valid"] = Case(
        gaps(table),
        dict(
            z_dim=3, hidden=(24,), likelihood=nv.Mixed(columns), missing="mask", standardise=True,
            context_dim=3, activation="tanh",
        ),
        dict(weights=weights, valid=(table[:50], context[:50]), objective=nv.ELBO(warm_up)),
        context,
    )  # fmt: skip
    found["mixed, mixture, IWAE, float64, two threads"] = Case(
        table,
        dict(
            z_dim=3, hidden=(24,), likelihood=nv.Mixed(columns), standardise=True, dtype="float64",
            prior=nv.Mixture(4), activation="gelu",
        ),
        dict(objective=nv.IWAE(3), threads=2, valid=table[:50]),
    )  # fmt: skip
    found["beta, float64, clipped"] = Case(
        rates,
        dict(z_dim=3, hidden=(20,), likelihood=nv.Beta(), dtype="float64", activation="elu"),
        dict(optimiser=nv.Adam(clip_norm=3.0), objective=nv.ELBO(n_samples=3)),
    )
    found["continuous_bernoulli, IWAE, mixture, valid"] = Case(
        grey,
        dict(z_dim=3, hidden=(20,), likelihood="continuous_bernoulli", prior=nv.Mixture(4)),
        dict(objective=nv.IWAE(3), valid=grey[:60]),
    )
    return found


def digest(*arrays: Any) -> dict[str, Any]:
    """Of the arrays' types, shapes and bytes; and the mean of their numbers, for the eye."""
    total = hashlib.blake2b(digest_size=12)
    for array in map(np.ascontiguousarray, arrays):
        total.update(f"{array.dtype.str}{array.shape}".encode() + array.tobytes())
    numbers = np.concatenate([np.ravel(a).astype(np.float64) for a in arrays])
    return {"digest": total.hexdigest(), "mean": float(np.nanmean(numbers))}


def pin(case: Case) -> dict[str, Any]:
    """What training the model gives, and what the trained one does."""
    model = nv.VAE(case.x.shape[1], **{"seed": 5, **case.model})
    settings = {"epochs": 3, "batch_size": 64, "seed": 8, "threads": 1, "lr": 2e-3, **case.fit}
    history = nv.fit(model, case.x, context=case.context, **settings)
    records = [
        [np.nan if value is None else value for name, value in record.items() if name != "seconds"]
        for record in history.records
    ]
    rows = slice(0, SHOWN)
    x, given = case.x[rows], None if case.context is None else case.context[rows]
    mu, logvar = model.encode(x, context=given)
    one = None if given is None else given[:1]
    return {
        "parameters": [[name, list(array.shape)] for name, array in model.params.items()],
        "weights": digest(*model.params.values()),
        "history": digest(np.array(records, float)),
        "encode": digest(mu, logvar),
        "decode": digest(model.decode(mu, context=given)),
        "decode, draw": digest(model.decode(mu, context=given, take="draw", seed=2)),
        "elbo": digest(model.elbo(x, n_samples=2, seed=3, context=given)),
        "log_likelihood": digest(nv.log_likelihood(model, x, 20, seed=4, context=given)),
        "sample": digest(model.sample(SHOWN, seed=6, context=one)),
        "sample, draw": digest(model.sample(SHOWN, seed=7, context=one, take="draw")),
    }


def pins() -> dict[str, Any]:
    found = {}
    try:
        for kernels, choice in KERNELS.items():
            nv.use_kernels(choice)
            for name, case in cases().items():
                found[f"{name}; kernels {kernels}"] = pin(case)
    finally:
        nv.use_kernels(None)
    return found


def machine() -> dict[str, str]:
    """What the bits depend on besides the code."""
    return {
        "python": platform.python_version(),
        **{package: metadata.version(package) for package in ("numpy", "numba", "llvmlite")},
        "blas": np.show_config(mode="dicts")["Build Dependencies"]["blas"]["version"],
        "processor": processor(),
    }


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line for line in lines if line.startswith("model name")).split(": ")[1]
    except (OSError, StopIteration):
        return platform.processor()


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """A line for each thing that differs, and for each case that only one of the two has."""
    lines = [f"{name}: not in the earlier file" for name in after if name not in before]
    for name, was in before.items():
        if name not in after:
            lines.append(f"{name}: not there any more")
            continue
        for what in {**was, **after[name]}:
            old, new = was.get(what), after[name].get(what)
            if old != new:
                lines.append(f"{name}: {what}: {_plain(old)} before, {_plain(new)} now")
    return lines


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return f"mean {value['mean']:.10g} ({value['digest'][:8]})"
    return str(value)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the pins there")
    parser.add_argument("--against", type=Path, metavar="FILE", help="compare with these")
    args = parser.parse_args(argv)
    started = time.perf_counter()
    given = {"machine": machine(), "pins": pins()}
    text = json.dumps(given, indent=1) + "\n"
    if args.write:
        args.write.write_text(text)
    if not args.against:
        if not args.write:
            print(text, end="")
        return 0
    earlier = json.loads(args.against.read_text())
    for what in earlier["machine"]:
        if earlier["machine"][what] != given["machine"].get(what):
            print(
                f"another {what} than the earlier file's, so bits may differ for that alone: "
                f"{earlier['machine'][what]} before, {given['machine'].get(what)} now"
            )
    found = differences(earlier["pins"], given["pins"])
    print("\n".join(found) or f"all {len(given['pins'])} are the same to the last bit")
    print(f"{time.perf_counter() - started:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
