"""What each objective costs: the time of a captured step over that of the ELBO with as many draws.

One model for all, 784-400-20 in batches of 128 or what --net says, on random rows; each objective's
steps are captured, and then they take turns: processor time, the less of two turns, medians over
the rounds, so that ratios hold on a busy machine too. The last column is what is not compiled.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import npvae as nv
from npvae.executor.describe import describe
from npvae.training.captured import captured_steps
from npvae.training.rows import training_rows
from npvae.training.settings import Settings
from npvae.training.steps import Training

from . import measure, nets

STEPS = 12
"""In a turn."""
MANY = 8
"""Draws of the objectives that take several."""

OBJECTIVES: dict[str, tuple[Any, int]] = {
    "ELBO": (nv.ELBO(), 1),
    "ELBO, beta 4": (nv.ELBO(4.0), 1),
    "capacity": (nv.ELBO(10.0, capacity=20.0), 1),
    "free bits per dimension": (nv.ELBO(free_bits=0.1), 1),
    "free bits per level": (nv.ELBO(free_bits=2.0, free_bits_per="level"), 1),
    "STL": (nv.STL(), 1),
    "BetaTC, weighted": (nv.BetaTC(), 1),
    "BetaTC, stratified": (nv.BetaTC(estimator="stratified", n_data=60_000), 1),
    "MMD, imq": (nv.MMD(), 1),
    "MMD, rbf": (nv.MMD(kernel="rbf"), 1),
    "DIP I": (nv.DIP(1), 1),
    "DIP II": (nv.DIP(2), 1),
    f"ELBO, {MANY} draws": (nv.ELBO(n_samples=MANY), MANY),
    "STL ": (nv.STL(MANY), MANY),
    "IWAE": (nv.IWAE(MANY), MANY),
    "DReG": (nv.DReG(MANY), MANY),
    "Renyi 0.5": (nv.Renyi(0.5, MANY), MANY),
    "Renyi -inf": (nv.Renyi(-math.inf, MANY), MANY),
    "Renyi inf": (nv.Renyi(math.inf, MANY), MANY),
    "MIWAE": (nv.MIWAE(2, MANY // 2), MANY),
    "CIWAE": (nv.CIWAE(0.5, MANY), MANY),
}  # fmt: skip


def steps_of(net: nets.Net, objective: Any) -> Callable[[], float]:
    """What takes a turn of one objective's steps, and gives the seconds of one."""
    model = nv.VAE(net.x_dim, net.z_dim, hidden=net.hidden, activation=net.activation)
    x = nets.load("random", net.x_dim, STEPS * net.batch)
    settings = Settings(
        objective=objective, optimiser=None, epochs=1, batch_size=net.batch, lr=1e-3, seed=0,
        threads=1, binarise=False, hide=0.0, callbacks=(), checkpoint=None, resume=False,
        progress=False,
    )  # fmt: skip
    rows, mean = training_rows(model, x, None, None, False, 0.0)
    model.start_from(mean, len(rows), rows.batch(np.arange(100)).x, None)
    gradient = np.zeros_like(model.flat)
    worker, state = model.with_gradients(gradient), settings.optimiser.start(model.flat)
    steps = captured_steps(Training(settings, worker, gradient, state, rows), 1)
    if steps is None:
        raise SystemExit(f"{objective.config} is not captured here; numba is needed")
    order, noise = np.arange(len(x)), np.random.default_rng(0)

    def turn() -> float:
        started = time.process_time()
        for _ in steps.run(1, order, noise):
            pass
        return (time.process_time() - started) / STEPS

    turn()
    return turn


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--net", type=nets.Net.parse, default=nets.NETS["ref"])
    parser.add_argument("--rounds", type=measure.count, default=15)
    parser.add_argument("--only", metavar="TEXT", help="objectives with this in their names")
    args = parser.parse_args()
    chosen = {
        name: made
        for name, made in OBJECTIVES.items()
        if args.only is None or args.only in name or name in ("ELBO", f"ELBO, {MANY} draws")
    }
    turns = {name: steps_of(args.net, made) for name, (made, _) in chosen.items()}
    seconds = {name: [] for name in chosen}
    for _ in range(args.rounds):
        for name, turn in turns.items():
            seconds[name].append(min(turn(), turn()))
    medians = {name: float(np.median(each)) for name, each in seconds.items()}
    model = nv.VAE(args.net.x_dim, args.net.z_dim, hidden=args.net.hidden)
    rows = []
    for name, (made, draws) in chosen.items():
        base = f"ELBO, {MANY} draws" if draws > 1 else "ELBO"
        pairs = np.array(seconds[name]) / np.array(seconds[base])
        said = describe(model, made, batch=args.net.batch)
        by_python = "" if said == "captured as a whole" else said.partition(": ")[2]
        rows.append([
            name.strip(), str(draws), measure.significant(1e3 * medians[name], 3),
            f"{np.median(pairs):.2f}", f"{np.quantile(pairs, 0.25):.2f}",
            f"{np.quantile(pairs, 0.75):.2f}",
            f"{1e6 * (medians[name] - medians[base]):.0f}", by_python,
        ])  # fmt: skip
    head = [
        "objective",
        "draws",
        "ms a step",
        "/ ELBO",
        "quartile",
        "quartile",
        "us more",
        "by Python",
    ]
    print(f"{args.net.widths}, batch {args.net.batch}; 1 thread, {args.rounds} rounds")
    print(measure.table(head, rows))


if __name__ == "__main__":
    main()
