"""MNIST as Burda et al. 2016 train it: test -log p(x) by K, npvae beside PyTorch.

    NPVAE_DATA=FOLDER python -m bench.iwae [--stages 3] [--rows 500] [--runs npvae:iwae:50,...]
    python -m bench.iwae --show FILE.jsonl [--plot FILE.png]

784-200-200-50, tanh, pixels drawn anew at every visit, Glorot's weights, output biases of the data,
batches of 20; Adam with beta1 0.99, beta2 0.999, a second moment that starts at 1, eps 1e-4, and
gradients summed over the batch; stage i is 3^(i-1) epochs at 1e-3 * 10^(-(i-1)/7). The paper has
eight stages, 3,280 epochs. Both programs start from the same weights. After every stage
nv.log_likelihood takes 5,000 samples for every 20th row of the test set, binarised once, with the
weights of either, and a line of JSON is written. Needs the `bench` extra.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import npvae as nv

from . import measure, nets

BATCH = 20
PAPER = {"1": 86.76, "5": 85.54, "50": 84.78}
RUNS = (
    "npvae:iwae:1", "torch:iwae:1", "npvae:iwae:5", "torch:iwae:5", "npvae:iwae:50",
    "npvae:dreg:50", "torch:iwae:50",
)  # fmt: skip

Array = np.ndarray
After = Callable[[float], None]


def rates(stages: int) -> list[float]:
    """The learning rate of each epoch of so many stages."""
    each = [[1e-3 * 10 ** (-i / 7)] * 3**i for i in range(stages)]
    return [rate for stage in each for rate in stage]


def start(x: Array, seed: int) -> nv.VAE:
    """The model before training, with the output biases of the data."""
    model = nv.VAE(784, 50, hidden=(200, 200), activation="tanh", seed=seed)
    nv.fit(model, x, epochs=0)
    return model


def train_npvae(model: Any, x: Array, objective: str, k: int, stages: int, seed: int, after: After):
    by_epoch = rates(stages)
    nv.fit(
        model, x, objective=f"{objective}:n_samples={k}", epochs=len(by_epoch), batch_size=BATCH,
        lr=lambda epoch: by_epoch[min(int(epoch), len(by_epoch) - 1)], seed=seed, binarise=True,
        optimiser=nv.Adam(beta1=0.99, eps=1e-4 / BATCH, v_start=1 / BATCH**2), progress=False,
        callbacks=[lambda _, record: after(record["train_loss"])],
    )  # fmt: skip


def train_torch(model: Any, x: Array, objective: str, k: int, stages: int, seed: int, after: After):
    from .peers.iwae_with_torch import train

    if objective != "iwae":
        raise SystemExit("PyTorch's program here is IWAE alone")
    train(model, x, k, rates(stages), seed, after)


PROGRAMS: dict[str, Callable[..., None]] = {"npvae": train_npvae, "torch": train_torch}


def test_rows(rows: int) -> Array:
    """So many rows of the test set, evenly spread, each pixel drawn once by its brightness."""
    x, _ = nv.datasets.load(nets.mnist_folder(), "test")
    drawn = np.random.default_rng(2016).random(x.shape) < x / 255
    return drawn[:: len(x) // rows][:rows].astype(np.float32)


def run(name: str, stages: int, rows: int, seed: int, write: Callable[[dict], None]) -> None:
    """Train one program, and judge it after each stage."""
    peer, objective, k = name.split(":")
    x, _ = nv.datasets.load(nets.mnist_folder(), "train")
    held_out, model = test_rows(rows), start(x, seed)
    ends = {sum(3**i for i in range(n)) for n in range(1, stages + 1)}
    losses: list[float] = []
    spent, began = 0.0, time.process_time()

    def after(loss: float) -> None:
        nonlocal spent, began
        losses.append(loss)
        if len(losses) in ends:
            spent += time.process_time() - began
            log_p, error, effective = nv.log_likelihood(model, held_out, diagnostics=True)
            active = int(nv.active_units(model, held_out).sum())
            write(
                dict(
                    run=name, seed=seed, epochs=len(losses), losses=losses, seconds=spent,
                    active_units=active, effective=float(np.median(effective)),
                    sampling_error=float(np.sqrt((error**2).sum()) / len(error)),
                    nll=(-log_p).round(4).tolist(),
                )
            )  # fmt: skip
            began = time.process_time()

    PROGRAMS[peer](model, x, objective, int(k), stages, seed, after)


def report(results: Sequence[dict[str, Any]]) -> str:
    """The last stage of every run, and how far apart pairs of runs are, row by row."""
    last = {r["run"]: r for r in sorted(results, key=lambda r: r["epochs"])}
    of = {(r["run"], r["epochs"]): r for r in results}
    rows = []
    for name, r in last.items():
        nll = np.array(r["nll"])
        peer, objective, k = name.split(":")
        base = of.get((f"npvae:iwae:{k}", r["epochs"]), r)
        apart = nll - np.array(base["nll"])
        error = nll.std(ddof=1) / np.sqrt(len(nll))
        paired = apart.std(ddof=1) / np.sqrt(len(nll))
        rows.append([
            f"{peer} {objective} K = {k}", str(r["epochs"]), f"{nll.mean():.2f} ± {error:.2f}",
            "" if base is r else f"{apart.mean():+.2f} ± {paired:.2f}", str(r["active_units"]),
            f"{r['effective']:.0f}", f"{r['sampling_error']:.3f}", f"{r['seconds']:.0f}",
            str(PAPER[k]),
        ])  # fmt: skip
    head = [
        "run", "epochs", "test -log p(x)", "less npvae's IWAE", "active", "effective",
        "sampling error", "processor s", "paper, 3,280 epochs",
    ]  # fmt: skip
    return measure.table(head, rows)


def plot(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Test -log p(x) by epochs, one line for each run."""
    import matplotlib.pyplot as plt

    colours = {"1": "#999999", "5": "#4477aa", "50": "#cc6677"}
    figure, axes = plt.subplots(figsize=(6.4, 4), layout="constrained")
    for name in dict.fromkeys(r["run"] for r in results):
        peer, objective, k = name.split(":")
        of = sorted((r for r in results if r["run"] == name), key=lambda r: r["epochs"])
        style = "--" if peer == "torch" else ":" if objective == "dreg" else "-"
        label = f"{'PyTorch' if peer == 'torch' else 'npvae'}, {objective.upper()}, K = {k}"
        label = label.replace("DREG", "DReG")
        means = [np.mean(r["nll"]) for r in of]
        axes.plot(
            [r["epochs"] for r in of], means, style, color=colours[k], marker=".", label=label
        )
    axes.set_xscale("log")
    ticks = sorted({r["epochs"] for r in results})
    axes.set_xticks(ticks, list(map(str, ticks)))
    axes.minorticks_off()
    axes.set_xlabel("epochs")
    axes.set_ylabel("test -log p(x), nats per example")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stages", type=measure.count, default=3)
    parser.add_argument("--rows", type=measure.count, default=500, help="of the test set")
    parser.add_argument("--runs", default=",".join(RUNS), help="program:objective:K, ...")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("iwae.jsonl"), help="is added to")
    parser.add_argument("--show", type=Path, metavar="FILE", help="only show what is there")
    parser.add_argument("--plot", type=Path, metavar="FILE")
    args = parser.parse_args()
    if args.show is None:
        measure.need_data(parser, ["mnist"])
        for name in args.runs.split(","):

            def write(result: dict[str, Any]) -> None:
                with args.out.open("a") as file:
                    file.write(json.dumps(result) + "\n")
                print(
                    f"{result['run']} {result['epochs']} {np.mean(result['nll']):.2f}", flush=True
                )

            run(name, args.stages, args.rows, args.seed, write)
    results = [json.loads(line) for line in (args.show or args.out).read_text().splitlines()]
    print(report(results))
    if args.plot:
        plot(results, args.plot)


if __name__ == "__main__":
    main()
