"""How long a training step of each model family takes, beside the same model in PyTorch and JAX.

All are of the reference sizes, 784-400-20 with ReLU on batches of 128: a VAE with 16 planar flows,
one with 4 inverse autoregressive flows, two latent levels (20 and 10, top-down), a VAE conditioned
on the label, and a semi-supervised one of 10 classes in which a row in 100 has its label. Every
peer trains one model without a break, in a process of its own; a round is an epoch of each in turn.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import npvae as nv
from npvae.core.threads import usable_cores
from npvae.executor.record import trace

from . import measure, nets, pictures, train
from .nets import NETS, Net
from .peers import TRAINING, families_npvae
from .processes import Job, interleaved

FAMILIES = {
    "planar": "16 planar flows",
    "iaf": "4 inverse autoregressive flows",
    "levels": "two levels, top-down",
    "conditional": "conditioned on the label",
    "semi": "semi-supervised, 10 classes",
}
PEERS = ("npvae", "torch_compile", "jax_scan")
KNOWN = {peer: text for peer, text in TRAINING.items() if peer != "jax_step"}
ROWS = {"semi": 5_120}
ALL_ROWS = 25_600


def main(argv: Sequence[str] | None = None) -> None:
    parser = measure.options(__doc__, KNOWN, 5, PEERS, threads=[usable_cores()])
    parser.add_argument(
        "--families",
        type=_families,
        default=list(FAMILIES),
        metavar="A,B",
        help=f"of {', '.join(FAMILIES)}; by default all",
    )
    measure.add_data(parser)
    args = measure.read(parser, argv)
    net, data = nets.on_data(NETS["ref"], args.data)
    measure.need_data(parser, [data])
    facts = measure.print_header(__doc__, args)
    results = []
    for family in args.families:
        rows = train.QUICK_STEPS * net.batch if args.quick else ROWS.get(family, ALL_ROWS)
        for threads in args.threads:
            print(f"\n{family}: {FAMILIES[family]}; {measure.threaded(threads)}", flush=True)
            results += run(family, net, data, rows, threads, args)
    measure.write_json(args.json, facts, results)
    pictures.save(args.plot, lambda: pictures.training(results))


def _families(text: str) -> list[str]:
    for name in text.split(","):
        if name not in FAMILIES:
            raise argparse.ArgumentTypeError(f"no family {name!r}; known: {', '.join(FAMILIES)}")
    return text.split(",")


def run(
    family: str, net: Net, data: str, rows: int, threads: int, args: argparse.Namespace
) -> list[dict[str, Any]]:
    """A row of figures for each peer, which are printed."""
    jobs = {peer: Job("train", peer, threads, net, data, rows, family) for peer in args.peers}
    answers = interleaved({**jobs, "peak": Job("peak", "peak", threads)}, args.rounds)
    found, peak = train.figures(answers, net, rows, step_flop(family, net))
    cpu = {peer: processor_ms(given, rows / net.batch) for peer, given in answers.items()}
    found = [{**row, "cpu_ms_per_step": cpu[row["peer"]]} for row in found]
    print(train.report(found))
    print(
        "processor time, ms/step: " + ", ".join(f"{r['peer']} {cpu[r['peer']]:.2f}" for r in found)
    )
    for line in [] if args.quick else train.warnings(found):
        print(line)
    return [{"net": family, "threads": threads, "peak_gflops": peak, **row} for row in found]


def processor_ms(answers: Sequence[Mapping[str, float]], steps: float) -> float:
    """The least processor time of a step, of all threads: other programs hardly change it."""
    return min(answer["cpu_seconds"] for answer in answers[1:]) / steps * 1e3


def step_flop(family: str, net: Net) -> int:
    """Floating-point operations of the matrix products of npvae's step."""
    return trace(families_npvae.model_of(family, net), nv.ELBO(), net.batch).flop


if __name__ == "__main__":
    main()
