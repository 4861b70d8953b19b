"""How long this checkout's training steps take beside those of another checkout of npvae.

    python -m bench.against COMMIT_OR_FOLDER [--setups ref:2,small:1] [--first-compile]

Each side trains one model without a break, in a process of its own, and they take turns: a turn is
some epochs, and its figure the median of their times. The ratio new/old is taken in each round, so
that a machine that slows down does so on both sides, and its median and spread are what counts.
Beside the time on the clock is that of the processor, all threads together: it holds still where
other programs take the cores away, but has in it what a thread spends waiting for the other. The
losses of both sides are compared too: a change that is meant to keep the bits keeps them.
"""

from __future__ import annotations

import argparse
import compileall
import io
import json
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from npvae.core.threads import usable_cores

from . import measure
from .nets import NETS, Net
from .processes import ROOT, Worker, WorkerFailed, fresh, take_turns

ROWS = {"ref": 12_800, "small": 12_800, "k50": 2_000}
EPOCHS = {"ref": 5, "small": 80, "k50": 1}
"""Epochs of a turn, which then takes half a second."""
SETUPS = "ref:2,ref:1,small:1,k50:2"
SIDES = ("old", "new")
CLOCKS = ("wall", "cpu")

_SETUP = """
import json, sys, time
from pathlib import Path
root, rows, text = sys.argv[1:]
sys.path.insert(0, root)
import numpy as np
import npvae as nv
if not Path(nv.__file__).resolve().is_relative_to(Path(root).resolve()):
    sys.exit(f"npvae was to come from {root}, and came from {nv.__file__}")
given = json.loads(text)
net = given["net"]
x = np.load(rows)
model = nv.VAE(
    net["x_dim"], net["z_dim"], hidden=net["hidden"], activation=net["activation"], seed=0
)

def fit(x, epochs, callbacks=()):
    return nv.fit(
        model, x, objective=nv.ELBO(n_samples=net["samples"]), epochs=epochs, seed=0,
        batch_size=net["batch"], threads=given["threads"], callbacks=callbacks,
    )
"""

TRAIN = f"""{_SETUP}
def now():
    return time.perf_counter(), time.process_time()

times, started = [], now()

def after_epoch(model, record):
    global started
    times.append([end - start for end, start in zip(now(), started)])
    if len(times) == given["epochs"]:
        wall, cpu = zip(*times)
        print(json.dumps(dict(wall=wall, cpu=cpu, loss=record["train_loss"])), flush=True)
        times.clear()
        if not sys.stdin.readline():
            sys.exit()
    started = now()

fit(x, 10**6, [after_epoch])
"""

FIRST_STEP = f"""{_SETUP}
fit(x[: net["batch"]], 1)
print(time.process_time(), flush=True)
"""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__.strip(), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("other", metavar="COMMIT_OR_FOLDER", help="a commit of this repository, or a checkout")
    add("--rounds", type=measure.count, metavar="N", help="by default 15, of first compilations 3")
    add("--setups", type=_setups, default=SETUPS, metavar="NET:THREADS,...", help=SETUPS)
    add(
        "--first-compile",
        action="store_true",
        help="instead: seconds from the start of Python to the end of a fit of one step of ref, "
        "with an empty NUMBA_CACHE_DIR, and with what that has put there",
    )
    add("--json", type=Path, metavar="FILE", help="write the figures there as well")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        try:
            sides = {"old": checkout(args.other, folder / "old"), "new": ROOT.resolve()}
        except ValueError as error:
            parser.error(str(error))
        facts = {"old": args.other, "new": str(ROOT), **measure.header()}
        print("\n".join(f"{name:14}{value}" for name, value in facts.items()), flush=True)
        try:
            if args.first_compile:
                results = first_compiled(sides, folder, args.rounds or 3)
            else:
                results = trained(sides, folder, args.setups, args.rounds or 15)
        except WorkerFailed as error:
            print(f"{error}; nothing to compare", file=sys.stderr)
            return 1
    measure.write_json(args.json, facts, results)
    return 0


def _setups(text: str) -> list[tuple[str, int]]:
    try:
        pairs = [(net, int(threads)) for net, threads in (s.split(":") for s in text.split(","))]
    except ValueError:
        raise argparse.ArgumentTypeError(f"such as {SETUPS}; got {text!r}") from None
    for net, threads in pairs:
        if net not in NETS:
            raise argparse.ArgumentTypeError(f"no net {net!r}; known: {', '.join(NETS)}")
        if not 1 <= threads <= usable_cores():
            raise argparse.ArgumentTypeError(f"{threads} threads for {usable_cores()} usable cores")
    return pairs


def checkout(other: str, folder: Path) -> Path:
    """The folder that holds the other npvae: as it is given, or what a commit has, in `folder`."""
    if Path(other).is_dir():
        if not Path(other, "npvae", "__init__.py").is_file():
            raise ValueError(f"{other} holds no npvae/")
        return Path(other).resolve()
    command = ["git", "-C", str(ROOT), "archive", "--format=zip", other, "npvae"]
    done = subprocess.run(command, capture_output=True)
    if done.returncode:
        raise ValueError(f"{other} is no folder, and no commit: {done.stderr.decode().strip()}")
    with zipfile.ZipFile(io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder)
    compileall.compile_dir(folder, quiet=1)  # or the first start would be charged with it
    return folder


def save_rows(net: Net, rows: int, folder: Path) -> Path:
    """Random rows: bytes where they are as wide as MNIST's, else numbers in [0, 1]."""
    rng = np.random.default_rng(0)
    if net.x_dim == 784:
        x = rng.integers(0, 256, (rows, net.x_dim), np.uint8)
    else:
        x = rng.random((rows, net.x_dim), np.float32)
    path = folder / f"{net.widths}.npy"
    np.save(path, x)
    return path


def arguments(root: Path, rows: Path, net: Net, threads: int, epochs: int = 1) -> list[str]:
    """What the programs above are given."""
    given = {"net": asdict(net), "threads": threads, "epochs": epochs}
    return [str(root), str(rows), json.dumps(given)]


def trained(
    sides: Mapping[str, Path], folder: Path, setups: Sequence[tuple[str, int]], rounds: int
) -> list[dict[str, Any]]:
    results = []
    for name, threads in setups:
        net, epochs = NETS[name], EPOCHS[name]
        rows = save_rows(net, ROWS[name], folder)
        print(f"\n{name}: {net}; {ROWS[name]} rows; {measure.threaded(threads)}", flush=True)
        starts = {
            side: partial(
                Worker, ["-c", TRAIN, *arguments(root, rows, net, threads, epochs)], threads
            )
            for side, root in sides.items()
        }
        answers = take_turns(starts, rounds)
        if set(answers) != set(sides):
            raise WorkerFailed(f"one side failed to train {name}")
        steps = -(-ROWS[name] // net.batch)
        found = figures(answers, steps)
        print(report(found, "ms/step"), flush=True)
        print(losses(answers), flush=True)
        results.append({"net": name, "threads": threads, **found})
    return results


def figures(answers: Mapping[str, Sequence[Mapping[str, Any]]], steps: int) -> dict[str, Any]:
    """Milliseconds a step of each side and their ratio; the first answer is the warm-up's."""
    return {
        clock: compared(
            {
                side: [statistics.median(answer[clock]) / steps * 1e3 for answer in given[1:]]
                for side, given in answers.items()
            }
        )
        for clock in CLOCKS
    }


def compared(values: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """The spread of each side's values, and of new/old taken in each round."""
    ratio = [new / old for old, new in zip(values["old"], values["new"], strict=True)]
    return {
        **{side: asdict(measure.Spread.of(values[side])) for side in SIDES},
        "new/old": {**asdict(measure.Spread.of(ratio)), "rounds": ratio},
    }


def report(found: Mapping[str, Any], unit: str) -> str:
    rows = [
        [name, *(cell for clock in CLOCKS for cell in cells(found[clock][name]))]
        for name in (*SIDES, "new/old")
    ]
    head = ["", unit, "least .. most", f"{unit} of processor", "least .. most"]
    return measure.table(head, rows)


def cells(figure: Mapping[str, Any]) -> list[str]:
    return measure.spread_cells(measure.Spread(figure["median"], figure["least"], figure["most"]))


def losses(answers: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """One line: whether both sides had the same losses after the same epochs."""
    old, new = ([answer["loss"] for answer in answers[side]] for side in SIDES)
    if old == new:
        return f"loss {new[-1]:.4f} in the end, on both sides the same to the last bit"
    return f"loss {old[-1]:.6g} in the end, new {new[-1]:.6g}"


def first_compiled(sides: Mapping[str, Path], folder: Path, rounds: int) -> list[dict[str, Any]]:
    """Seconds of a first start, whose cache is empty, and of a second; each side in turn."""
    net, threads = NETS["ref"], usable_cores()
    rows = save_rows(net, net.batch, folder)
    print(f"\nfirst step of ref: {net}; {measure.threaded(threads)}", flush=True)
    taken: dict[str, dict[str, dict[str, list[float]]]] = {
        start: {clock: {side: [] for side in sides} for clock in CLOCKS}
        for start in ("empty cache", "filled cache")
    }
    for _ in range(rounds):
        for side, root in sides.items():
            with tempfile.TemporaryDirectory() as cache:
                for of in taken.values():
                    given = arguments(root, rows, net, threads)
                    wall, cpu = fresh(FIRST_STEP, given, threads, {"NUMBA_CACHE_DIR": cache})
                    of["wall"][side].append(wall)
                    of["cpu"][side].append(float(cpu))
    results = []
    for start, of in taken.items():
        found = {clock: compared(values) for clock, values in of.items()}
        print(f"{start}\n{report(found, 's')}", flush=True)
        results.append({"start": start, **found})
    return results


if __name__ == "__main__":
    sys.exit(main())
