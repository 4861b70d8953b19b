"""What the commands share: their options, the header, medians with their spread, and tables."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import npvae as nv
from npvae.core.threads import usable_cores

from . import isa, nets, peers

PICTURES = (".png", ".svg", ".pdf")
PACKAGES = ("numpy", "numba", "scipy", "threadpoolctl", "torch", "jax", "optax")


@dataclass(frozen=True)
class Spread:
    """A median, and the least and the greatest of what it is the median of."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))


def ratios(figures: Mapping[str, Spread], base: str = "npvae") -> dict[str, float | None]:
    """Each median over the base's; None where the base was not measured."""
    if base not in figures:
        return dict.fromkeys(figures)
    return {name: figure.median / figures[base].median for name, figure in figures.items()}


def significant(value: float | None, digits: int = 4) -> str:
    """A number to so many digits and never with an exponent; a dash for none."""
    if value is None:
        return "-"
    decimals = digits - 1 - (int(np.floor(np.log10(abs(value)))) if value else 0)
    return f"{value:.{max(0, decimals)}f}"


def threaded(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"


def percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def spread_cells(figure: Spread) -> list[str]:
    """The cells of a median and its spread."""
    least, most = significant(figure.least), significant(figure.most)
    return [significant(figure.median), f"{least} .. {most}"]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns under a rule: the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        return "  ".join([first[0].ljust(first[1]), *(c.rjust(w) for c, w in others)]).rstrip()

    return "\n".join([line(head), line(["-" * w for w in widths]), *map(line, rows)])


def options(
    doc: str,
    peers_known: Mapping[str, str],
    rounds: int,
    peers: Sequence[str] = (),
    threads: Sequence[int] = (),
    without: Collection[str] = (),
) -> argparse.ArgumentParser:
    """A parser with what commands take, but for those `without`, and their defaults.

    A command may add its own.
    """
    peers = list(peers or peers_known)
    threads = list(threads or sorted({1, usable_cores()}))
    known = "\n".join(f"  {name:14} {text}" for name, text in peers_known.items())
    parser = argparse.ArgumentParser(
        description=doc.strip(),
        epilog=None if "peers" in without else f"peers:\n{known}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )

    def add(flag: str, **described: Any) -> None:
        if flag[2:] in without:
            parser.set_defaults(**{flag[2:]: None})
        else:
            parser.add_argument(flag, **described)

    add("--quick", action="store_true", help="a smoke test of a minute: its figures mean nothing")
    add("--json", type=Path, metavar="FILE", help="write the figures there as well")
    add("--plot", type=Path, metavar="FILE", help=f"draw them: {', '.join(PICTURES)}")
    add("--peers", type=_names(peers_known), metavar="A,B", help=f"by default {','.join(peers)}")
    add(
        "--threads",
        type=_thread_counts,
        metavar="1,2",
        help=f"counts, each measured by itself; by default {','.join(map(str, threads))}",
    )
    add("--rounds", type=count, metavar="N", help=f"turns of each peer; by default {rounds}")
    add(
        "--isa",
        choices=list(isa.ISAS),
        default="native",
        help="the newest instructions that any peer may use; by default the processor's",
    )
    parser.set_defaults(_rounds=rounds, _threads=threads, _peers=peers)
    return parser


def read(
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None,
    not_quick: Sequence[str] = ("torch_compile",),
    quick_rounds: int = 2,
) -> argparse.Namespace:
    """The options, with the defaults that depend on others, and only peers that can run.

    What can't be written is refused here, not after the measurement.
    """
    args = parser.parse_args(argv)
    isa.hold_to(args.isa)
    for path in filter(None, (args.json, args.plot)):
        if not path.parent.is_dir():
            parser.error(f"{path} can't be written: there is no folder {path.parent}")
    if args.plot and not importlib.util.find_spec("matplotlib"):
        parser.error("--plot needs matplotlib; pip install matplotlib")
    if args.plot and args.plot.suffix not in PICTURES:
        parser.error(f"a picture is one of {', '.join(PICTURES)}; got {args.plot}")
    if args.rounds is None:
        args.rounds = quick_rounds if args.quick else args._rounds
    if args.threads is None:
        args.threads = args._threads[-1:] if args.quick else args._threads
    wanted = args.peers or [p for p in args._peers if not (args.quick and p in not_quick)]
    args.peers = peers.installed(wanted)
    if not args.peers:
        parser.error("none of the peers is installed")
    return args


def _names(known: Mapping[str, str]) -> Any:
    def names(text: str) -> list[str]:
        for name in text.split(","):
            if name not in known:
                raise argparse.ArgumentTypeError(f"no peer {name!r}; known: {', '.join(known)}")
        return text.split(",")

    return names


def _thread_counts(text: str) -> list[int]:
    counts = [count(part) for part in text.split(",")]
    if max(counts) > usable_cores():
        raise argparse.ArgumentTypeError(f"{max(counts)} threads for {usable_cores()} usable cores")
    return counts


def count(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"a whole number above 0; got {text!r}")
    return value


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        choices=nets.DATA,
        default="mnist",
        help="what nets of 784 columns are trained on; mnist is in the folder that NPVAE_DATA "
        "names; digits come with npvae and have 64 columns",
    )


def need_data(parser: argparse.ArgumentParser, data: Sequence[str]) -> None:
    """End here, with one line, where MNIST or the faces are wanted and not found."""
    if "mnist" in data:
        try:
            nets.mnist_folder()
        except FileNotFoundError as error:
            parser.error(f"{error}, or pass --data digits")
    if "faces" in data:
        try:
            nets.faces_file()
        except FileNotFoundError as error:
            parser.error(str(error))


def header() -> dict[str, Any]:
    """What a figure depends on besides the code: printed first, and kept beside the figures."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "npvae": f"{nv.__version__}, kernels: {nv.kernels_in_use()}",
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "blas": f"{blas['name']} {blas['version']}",
        "cpu": _cpu(),
        "usable cores": usable_cores(),
        "system": platform.platform(),
        "load before": _load(),
    }


def print_header(doc: str, args: argparse.Namespace) -> dict[str, Any]:
    print(doc.strip().splitlines()[0])
    facts = header()
    for name, value in facts.items():
        print(f"  {name:14}{value}")
    facts["instructions"] = {"isa": args.isa, **isa.in_use()}
    print(
        f"  {'instructions':14}" + ", ".join(f"{k} {v}" for k, v in facts["instructions"].items())
    )
    print(f"  {'threads':14}{', '.join(map(str, args.threads))}")
    print(f"  {'rounds':14}{args.rounds}" + (", quick: no figures to quote" * args.quick))
    sys.stdout.flush()
    return facts


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            lines = [line for line in file if line.startswith("model name")]
        return lines[0].split(":", 1)[1].strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def _load() -> str:
    return f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"


def write_json(path: Path | None, header: Mapping[str, Any], results: Sequence[Any]) -> None:
    if path is not None:
        path.write_text(json.dumps({"header": header, "results": results}, indent=1) + "\n")
