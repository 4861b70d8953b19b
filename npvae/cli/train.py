"""``npvae train``."""

from __future__ import annotations

import shlex
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import checkpoint, kernels
from .._version import __version__
from ..callbacks import EarlyStopping
from ..datasets import Dataset
from ..errors import ConfigError, MissingDependency, NonFiniteLoss
from ..files import make_folder
from ..history import History
from ..models import VAE
from ..objectives import ELBO
from ..optim import Adam
from ..plots import Shape
from ..threads import usable_cores
from ..train import fit
from . import runs
from .data import hold_out, has_test_split, image_shape_of, read, take, value_range
from .exits import DONE, INTERRUPTED, tell
from .gallery import run_pictures
from .parser import DEFAULT_RUN
from .settings import Settings, choose, choose_likelihood, objective

Say = Callable[[str], None]


def train(options: Namespace) -> int:
    """Train a model, and write the run folder."""
    say: Say = _nothing if options.quiet else _line
    job = _prepare(options, say)
    started = time.perf_counter()
    try:
        history = _fit(job, progress=not options.quiet)
    except NonFiniteLoss:
        runs.save_history(job.folder)
        raise
    except (KeyboardInterrupt, BrokenPipeError) as stop:
        tell(_interrupted(job))
        if isinstance(stop, BrokenPipeError):
            raise
        return INTERRUPTED
    _write(job, history)
    _summarise(job, history, time.perf_counter() - started, say)
    if not options.no_plots:
        _draw(job, history, say)
    say(f"\nMore: npvae sample {_quoted(job.folder)} -n 100   npvae evaluate {_quoted(job.folder)}")
    return DONE
