"""Does β-TCVAE tell the factors of sprites apart? Its scores beside the ELBO's, seed by seed.

    python -m bench.sprites [--seeds 5] [--first-seed 0] [--epochs 60] [--beta 6]
        [--out sprites.jsonl]
    python -m bench.sprites --show sprites.jsonl

10,000 sprites of 32 x 32 pixels, whose factors are known; a dense VAE, 1024-400-400-10, ReLU,
batches of 256, Adam at 1e-3. Both objectives have the same initial weights and the same rows in the
same order, so differences are taken seed by seed. The scores are of the posterior means of 5,000
other sprites: `nv.disentanglement`, which needs scikit-learn. A run is a line of JSON as it ends,
and one that the file has is not run again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import npvae as nv

from . import measure

SCORES = ("mig", "sap", "dci", "factor_vae")


def run(name: str, objective: Any, seed: int, epochs: int, n: int) -> dict[str, Any]:
    """Train on n sprites by an objective, and judge the codes of others."""
    x, _ = nv.datasets.sprites(n, size=32, seed=1)
    others, factors = nv.datasets.sprites(5000, size=32, seed=2)
    model = nv.VAE(1024, 10, hidden=(400, 400), seed=seed)
    started = time.process_time()
    options = dict(epochs=epochs, batch_size=256, lr=1e-3, seed=seed, progress=False)
    nv.fit(model, x, objective=objective, **options)
    seconds = time.process_time() - started
    codes = model.encode(others)[0]
    log_px, kl = model.elbo_terms(others)
    return dict(
        run=name, seed=seed, epochs=epochs, seconds=seconds, rec=-float(log_px.mean()),
        kl=float(kl.mean()), active=int(nv.active_units(model, others).sum()),
        **nv.disentanglement(codes, factors),
    )  # fmt: skip


def report(results: Sequence[dict[str, Any]]) -> str:
    """Means over seeds with standard errors, and of the differences, seed by seed."""
    names = list(dict.fromkeys(r["run"] for r in results))
    of = {name: {r["seed"]: r for r in results if r["run"] == name} for name in names}
    keys = (*SCORES, "rec", "kl", "active", "seconds")
    rows = [[name, *(_mean([r[key] for r in of[name].values()]) for key in keys)] for name in names]
    base = of[names[0]]
    for name in names[1:]:
        seeds = sorted(set(base) & set(of[name]))
        apart = [_mean([of[name][s][key] - base[s][key] for s in seeds], sign=True) for key in keys]
        rows.append([f"{name} - {names[0]}", *apart])
    return measure.table(["objective", *keys], rows)


def _mean(values: Sequence[float], sign: bool = False) -> str:
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    digits = 3 if max(map(abs, values)) < 2 else 1
    plus = "+" if sign else ""
    return f"{np.mean(values):{plus}.{digits}f} ± {error:.{digits}f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=measure.count, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--epochs", type=measure.count, default=60)
    parser.add_argument("--rows", type=measure.count, default=10_000)
    parser.add_argument("--beta", type=float, default=6.0)
    parser.add_argument("--out", type=Path, default=Path("sprites.jsonl"), help="is added to")
    parser.add_argument("--show", type=Path, metavar="FILE", help="only show what is there")
    args = parser.parse_args()
    if args.show is None:
        lines = args.out.read_text().splitlines() if args.out.exists() else []
        done = [tuple(map(json.loads(line).get, ("run", "seed", "epochs"))) for line in lines]
        for seed in range(args.first_seed, args.first_seed + args.seeds):
            for name, objective in (
                ("ELBO", nv.ELBO()), (f"BetaTC({args.beta:g})", nv.BetaTC(args.beta)),
            ):  # fmt: skip
                if (name, seed, args.epochs) in done:
                    continue
                result = run(name, objective, seed, args.epochs, args.rows)
                with args.out.open("a") as file:
                    file.write(json.dumps(result) + "\n")
                print(name, seed, f"MIG {result['mig']:.3f}", flush=True)
    lines = (args.show or args.out).read_text().splitlines()
    print(report([json.loads(line) for line in lines]))


if __name__ == "__main__":
    main()
