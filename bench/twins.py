"""Eager steps on the kernels' Numba twins and on their NumPy definition, in turns.

    python -m bench.twins [rounds]

Milliseconds per step, medians over the rounds, which alternate between the two; fits in float64,
and one in float32 whose likelihood is a user's.
"""

from __future__ import annotations

import sys
import time

import numpy as np

import npvae as nv
from examples.custom_part import Logistic
from npvae.training import captured

STEPS = 40


def cases():
    rng = np.random.default_rng(0)
    images = (rng.random((128 * STEPS, 784)) < 0.2).astype(np.float64)
    small = (rng.random((128 * STEPS, 30)) < 0.5).astype(np.float64)
    for hidden in (400,), (400, 400):
        for activation in ("relu", "gelu"):
            yield (
                f"784-{'-'.join(map(str, hidden))}-20 {activation} Bernoulli float64",
                images,
                lambda h=hidden, a=activation: nv.VAE(
                    784, 20, hidden=h, activation=a, dtype=np.float64, seed=0
                ),
                {},
            )
    yield (
        "30-64-8 Bernoulli float64",
        small,
        lambda: nv.VAE(30, 8, hidden=(64,), dtype=np.float64, seed=0),
        {},
    )
    yield (
        "30-64-8 NegativeBinomial float64",
        np.round(5 * rng.random((128 * STEPS, 30))),
        lambda: nv.VAE(
            30, 8, hidden=(64,), dtype=np.float64, likelihood=nv.NegativeBinomial(), seed=0
        ),
        {},
    )
    yield (
        "30-64-8 Bernoulli float64 IWAE 5",
        small,
        lambda: nv.VAE(30, 8, hidden=(64,), dtype=np.float64, seed=0),
        dict(objective=nv.IWAE(5)),
    )
    yield (
        "64-128-8 Logistic (a user's) float32",
        rng.random((128 * STEPS, 64)).astype(np.float32),
        lambda: nv.VAE(64, 8, hidden=(128,), likelihood=Logistic(), seed=0),
        {},
    )


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    # Only eager steps are compared: no capture on either side.
    captured.captured_steps = lambda *_: None  # type: ignore[assignment]
    for name, x, make, options in cases():
        seconds = {"numpy": [], "numba": []}
        for round_ in range(rounds + 1):
            for kernel_set, times in seconds.items():
                nv.use_kernels(kernel_set)
                try:
                    model = make()
                    began = time.perf_counter()
                    nv.fit(
                        model,
                        x,
                        epochs=1,
                        batch_size=128,
                        seed=0,
                        threads=1,
                        progress=False,
                        **options,
                    )
                    if round_:
                        times.append((time.perf_counter() - began) / STEPS)
                finally:
                    nv.use_kernels(None)
        found = {k: 1e3 * float(np.median(v)) for k, v in seconds.items()}
        ratio = np.median(np.array(seconds["numpy"]) / np.array(seconds["numba"]))
        print(
            f"{name:44} numpy {found['numpy']:7.3f}  twins {found['numba']:7.3f}  "
            f"ratio {ratio:5.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
