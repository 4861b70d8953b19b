"""``npvae train``."""

from __future__ import annotations

import shlex
import time
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from ..errors import MissingDependency, NonFiniteLoss
from ..history import History
from ..plots import save as save_picture
from . import runs
from .exits import DONE, INTERRUPTED, tell
from .job import Job, prepare


def train(options: Namespace) -> int:
    """Train a model, and write its run folder."""
    say = _say_nothing if options.quiet else _say
    job = prepare(options)
    say(job.plan())
    started = time.perf_counter()
    ...
