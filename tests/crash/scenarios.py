"""What is cut short, and what must then be found: the old run, or a whole new one.

Each scenario prepares a folder, has an action that a fate meets, and judges what is left of it.
Every run is deterministic, so it is known byte by byte what may be found.
"""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np

import npvae as nv
from npvae.cli import main, takeover
from npvae.models import storage

from .fates import in_child

X = np.random.default_rng(0).random((60, 5)).astype(np.float32)
LONGER = 4
"""The epochs to which what was cut short is resumed."""


def train(folder, seed, epochs, *more):
    line = f"train --quiet --no-plots --hidden 4 --z-dim 2 --batch-size 600 --seed {seed}"
    return main([*line.split(), "--epochs", str(epochs), "--out", str(folder), *more])


def go_on(folder):
    line = ["train", "--quiet", "--no-plots", "--resume", "--epochs", str(LONGER)]
    return main([*line, "--out", str(folder)])


def fit(path, seed, epochs, resume=False):
    model = nv.VAE(5, 2, hidden=(4,), seed=seed)
    nv.fit(model, X, epochs=epochs, batch_size=20, seed=seed, checkpoint=path, resume=resume)


def model_of(seed):
    return nv.VAE(5, 2, hidden=(4,), seed=seed)


def plain(action, *arguments):
    """An action of Python's, as one with an exit code."""
    try:
        action(*arguments)
    except nv.NpvaeError:
        return 2
    return 0


class Scenario:
    """One kind of work in a folder.

    Attributes
    ----------
    name : str
    old, new : int or None
        The seeds of the run that the folder holds and of the one that is written.
    """

    def __init__(self, name, old, new):
        self.name, self.old, self.new = name, old, new
        self.whole = {}

    def ready(self, scratch):
        """Make, once, what may be found: for each seed the bytes along the way and at the end."""
        self.start = scratch / "start"
        self.start.mkdir(parents=True)
        for seed in {self.old, self.new} - {None}:
            self.whole[seed] = self.found_along(scratch / f"seed-{seed}", seed)
        if in_child(lambda: self.prepare(self.start)) != 0:
            raise SystemExit(f"{self.name}: can't be prepared")

    def judge(self, folder):
        """What is wrong with what is left; an empty text if nothing is."""
        raise NotImplementedError


class Runs(Scenario):
    """`npvae train` in a folder."""

    def __init__(self, name, old, new, resume=False, killed_before=None):
        super().__init__(name, old, new)
        self.resume, self.killed_before = resume, killed_before

    def prepare(self, folder):
        if self.old is not None:
            train(folder / "run", self.old, 2)
        if self.killed_before is not None:
            new = folder / "run" / takeover.NEW
            train(new, self.new, 1)
            (new / takeover.HISTORY).unlink()
            if self.killed_before == "moving":
                (new / takeover.MODEL).replace(folder / "run" / takeover.MODEL)
        return 0

    def action(self, folder):
        if self.killed_before is not None:
            return main(["info", str(folder / "run")])
        return go_on(folder / "run") if self.resume else train(folder / "run", self.new, 2)

    def found_along(self, scratch, seed):
        models = []
        for epochs in (1, 2, 3):
            in_child(partial(train, scratch / str(epochs), seed, epochs))
            models.append((scratch / str(epochs) / takeover.MODEL).read_bytes())
        shutil.copytree(scratch / "2", scratch / "end")
        in_child(partial(go_on, scratch / "end"))
        models.append((scratch / "end" / takeover.MODEL).read_bytes())
        return models, records(scratch / "end" / takeover.CHECKPOINT)

    def judge(self, folder):
        run = folder / "run"
        holds = None
        if (run / takeover.MODEL).exists():
            found = (run / takeover.MODEL).read_bytes()
            holds = next((s for s, (models, _) in self.whole.items() if found in models), None)
            if holds is None:
                return "the model is none that any run wrote"
            nv.load(run)
            if in_child(lambda: main(["info", str(run)])) != 0:
                return "npvae info fails"
        elif self.old is not None:
            return "there is no model"
        again = partial(go_on, run) if holds is not None else partial(train, run, self.new, LONGER)
        if in_child(again) != 0:
            return "it can't be resumed"
        return self.judge_end(run, self.new if holds is None else holds)

    def judge_end(self, run, holds):
        models, ended = self.whole[holds]
        if (run / takeover.MODEL).read_bytes() != models[-1]:
            return f"resumed, it is not the unbroken run of seed {holds}"
        if json.loads((run / takeover.CONFIG).read_text())["training"]["seed"] != holds:
            return "the settings are another run's"
        if records(run / takeover.CHECKPOINT) != ended:
            return "the history is another run's"
        left = {path.name for path in run.iterdir()} - set(takeover.FILES)
        return f"left behind: {', '.join(sorted(left))}" if left else ""


class Fits(Scenario):
    """`nv.fit` with a checkpoint."""

    def __init__(self, name, old, new, resume):
        super().__init__(name, old, new)
        self.resume = resume

    def prepare(self, folder):
        return plain(fit, folder / "c.npz", self.old, 2)

    def action(self, folder):
        return plain(fit, folder / "c.npz", self.new, LONGER if self.resume else 2, self.resume)

    def found_along(self, scratch, seed):
        scratch.mkdir()
        models = []
        for epochs in range(1, LONGER + 1):
            in_child(partial(plain, fit, scratch / f"{epochs}.npz", seed, epochs))
            models.append(nv.load(scratch / f"{epochs}.npz").flat.tobytes())
        return models, records(scratch / f"{LONGER}.npz")

    def judge(self, folder):
        found = nv.load(folder / "c.npz").flat.tobytes()
        holds = next((s for s, (models, _) in self.whole.items() if found in models), None)
        if holds is None:
            return "the checkpoint is none that any run wrote"
        if in_child(partial(plain, fit, folder / "c.npz", holds, LONGER, True)) != 0:
            return "it can't be resumed"
        models, ended = self.whole[holds]
        if nv.load(folder / "c.npz").flat.tobytes() != models[-1]:
            return f"resumed, it is not the unbroken run of seed {holds}"
        if records(folder / "c.npz") != ended:
            return "the history is another run's"
        left = {path.name for path in folder.iterdir()} - {"c.npz"}
        return f"left behind: {', '.join(sorted(left))}" if left else ""


class Saves(Scenario):
    """`nv.save` over a model."""

    def prepare(self, folder):
        return plain(nv.save, model_of(self.old), folder / "m.npz")

    def action(self, folder):
        return plain(nv.save, model_of(self.new), folder / "m.npz")

    def found_along(self, scratch, seed):
        scratch.mkdir()
        nv.save(model_of(seed), scratch / "m.npz")
        return (scratch / "m.npz").read_bytes()

    def judge(self, folder):
        if (folder / "m.npz").read_bytes() not in self.whole.values():
            return "the model is neither the old one nor the new one"
        if in_child(partial(plain, nv.save, model_of(self.new), folder / "m.npz")) != 0:
            return "it can't be saved again"
        left = {path.name for path in folder.iterdir()} - {"m.npz"}
        return f"left behind: {', '.join(sorted(left))}" if left else ""


def records(checkpoint):
    """The history in a checkpoint, without times."""
    found = storage.read(Path(checkpoint))[0]["training"]["records"]
    return [{k: v for k, v in record.items() if k != "seconds"} for record in found]


SCENARIOS = (
    Runs("npvae train where a run is", 1, 2),
    Runs("npvae train in a new folder", None, 2),
    Runs("npvae train --resume", 1, 1, resume=True),
    Runs("sweeping a run without its place", 1, 2, killed_before="writing"),
    Runs("ending a run's taking its place", 1, 2, killed_before="moving"),
    Fits("nv.fit over another run's checkpoint", 1, 2, resume=False),
    Fits("nv.fit(resume=True)", 1, 1, resume=True),
    Saves("nv.save over a model", 1, 2),
)
