"""`npvae verify`: every part, every model and every identity, proven on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from .. import (  # noqa: F401  (they register)
    discrete,
    layers,
    likelihoods,
    models,
    objectives,
    posteriors,
    priors,
)
from ..core import registered, registered_parts
from ..core.errors import ConfigError
from ..core.public import public
from ..posteriors import REAL
from .check import check_gradients
from .claim import Claim
from .identities import identities
from .report import Report, Row
from .whole_level import fitting, level_of

COMMON = ("ELBO", "ELBO with beta, free bits, 2 samples", "IWAE")
"""Objectives that every prior and posterior is proven under, by every method."""
ALL, QUICK = ("central", "complex", "taylor"), ("complex", "taylor")


class Verification:
    """What `verify` found.

    Attributes
    ----------
    reports : dict of Report
        One for each part, and for each model with each objective.
    identities : list of Claim
    ok : bool
    """

    def __init__(self, reports: dict[str, Report], identities: Sequence[Claim] = ()) -> None:
        self.reports = reports
        self.identities = list(identities)

    @property
    def ok(self) -> bool:
        return self._gradients_ok and all(identity.ok for identity in self.identities)

    @property
    def _gradients_ok(self) -> bool:
        return all(report.ok for report in self.reports.values())

    def as_dict(self) -> dict[str, Any]:
        """The whole as JSON can hold it."""
        return {
            "ok": self.ok,
            "checks": {name: report.as_dicts() for name, report in self.reports.items()},
            "identities": [identity.as_dict() for identity in self.identities],
        }

    def __str__(self) -> str:
        sections = [self._gradients()] if self.reports else []
        sections += [self._identities()] if self.identities else []
        return "\n\n".join(sections)

    def _gradients(self) -> str:
        lines = [_summary(name, report) for name, report in self.reports.items()]
        width = max(len(name) for name, *_ in lines)
        head = f"{'':6}{'':{width}}  {'complex step':>13}{'central':>10}{'Taylor':>9}"
        body = [
            f"{'ok' if ok else 'WRONG':6}{name:{width}}  {c:>13}{d:>10}{t:>9}"
            for name, ok, c, d, t in lines
        ]
        failed = [str(report) for report in self.reports.values() if not report.ok]
        checks = sum(len(report.rows) for report in self.reports.values())
        verdict = (
            f"{checks} checks of {len(lines)} targets hold: every gradient is proven."
            if self._gradients_ok
            else f"{len(failed)} of {len(lines)} targets FAIL; details above."
        )
        note = (
            "worst relative error; order of the Taylor remainder (2, or exact where it is linear)"
        )
        return "\n".join([head, *body, f"{'':6}{note}", *failed, verdict])

    def _identities(self) -> str:
        width = max(len(identity.name) for identity in self.identities)
        head = f"{'':6}{'':{width}}{'measured':>14}{'expected':>17}{'off by':>10}{'allowed':>10}"
        body = [
            f"{'ok' if i.ok else 'WRONG':6}{i.name:{width}}{i.measured:>14.7g}"
            f"{i.relation:>4}{i.expected:>13.6g}{i.off:>10.1e}{i.allowed:>10.1e}"
            for i in self.identities
        ]
        failed = [i for i in self.identities if not i.ok]
        details = [f"{i.name}: {i.note} (allowed: {i.basis})" for i in failed]
        verdict = (
            f"{len(failed)} of {len(self.identities)} identities FAIL; details above."
            if failed
            else f"{len(self.identities)} identities of the theory hold."
        )
        note = "allowed: rounding, 4 standard errors or a derived bound; the worst entry of many"
        return "\n".join([head, *body, f"{'':6}{note}", *details, verdict])


@public
def verify(seed: int = 0) -> Verification:
    """Check every part, level, model under every objective, and identity.

    Parts and models are checked on their own examples, levels of every posterior with every prior.
    A part of a user's own is found as soon as the module that defines it is imported.

    Parameters
    ----------
    seed : int
        Of the random inputs and directions.

    Returns
    -------
    Verification
        ``.ok``, ``.reports`` and ``.identities``; a table when printed.
    """
    reports = {}
    for name, cls in registered_parts().items():
        if not issubclass(cls, models.Model):
            reports[name] = check_gradients(cls, seed=seed)
            continue
        for title, objective in _objectives().items():
            methods = ALL if title in COMMON else QUICK
            try:
                report = check_gradients(cls, objective=objective, methods=methods, seed=seed)
            except ConfigError:  # by which an objective says that it is not for such a model
                if title == "ELBO":
                    raise
                continue
            reports[f"{name} under {title}"] = report
        if not _differs_by_networks(cls):
            reports.update(_with_others(name, cls, "posterior", seed))
            reports.update(_with_others(name, cls, "prior", seed))
    reports.update(_levels(seed))
    return Verification(reports, identities(seed))


def _levels(seed: int) -> dict[str, Report]:
    """The level of every posterior with every prior over the same z, alone and conditioned by
    another level."""
    pairs = product(registered("posterior").items(), registered("prior").items(), (False, True))
    return {
        f"level of {q} and {p}{', conditioned' if conditioned else ''}": check_gradients(
            *level_of(posterior, prior, np.random.default_rng(seed), conditioned), seed=seed
        )
        for (q, posterior), (p, prior), conditioned in pairs
        if fitting(posterior, prior)
    }


def _differs_by_networks(cls: Any) -> bool:
    """Whether it uses levels as `VAE` does, with which every posterior and prior is tried."""
    return cls is not models.VAE and cls.backward is models.VAE.backward


def _with_others(name: str, cls: Any, family: str, seed: int) -> dict[str, Report]:
    """The model with each prior or posterior that its example has not.

    Under a few objectives: the others take the same terms.
    """
    rng, reports = np.random.default_rng(seed), {}
    config = cls.example(rng)[0].config
    for other, part in registered(family).items():
        if config.get(family) in (None, other):
            continue
        for title, changed in _changes(family, other, part.example(rng)[0], config).items():
            model = cls(**{**config, **changed})
            for goal, objective in _objectives().items():
                if goal in COMMON and _is_for(objective, model.levels[0]):
                    key = f"{name} under {goal}, {family} {title}"
                    reports[key] = check_gradients(model, objective=objective, seed=seed)
    return reports


def _changes(family: str, name: str, part: Any, config: Any) -> dict[str, dict[str, Any]]:
    """By title, the arguments with which a model has this prior or posterior."""
    if family == "prior":  # one over codes goes with their posterior, and is tried there
        return {name: {"prior": part.config}} if part.support == REAL else {}
    whole = {"prior": None, "z_dim": part.own_z_dim or config["z_dim"]}
    found = {name: {**whole, "posterior": part.config}}
    if part.relaxes:
        summed = {"name": name, **part.arguments, "estimator": "exact"}
        found[f"{name}, exact"] = {**whole, "posterior": summed}
    return found


def _is_for(objective: Any, level: Any) -> bool:
    """Whether an objective takes what the level gives where gradients are asked for."""
    if level.posterior.relaxes and "log_qz" in objective.needs:
        return False
    return level.kl is not None or not getattr(objective, "free_bits", 0)


def _objectives() -> dict[str, Any]:
    """All whose gradient is the derivative of their loss; `identities` has the others."""
    known = [cls for cls in registered("objective").values() if cls.derivative]
    return {title: made for cls in known for title, made in cls.examples().items()}


def _summary(name: str, report: Report) -> tuple[str, bool, str, str, str]:
    def worst(method: str) -> str:
        errors = [row.error for row in _of(report, method) if row.error is not None]
        return f"{max(errors):.1e}" if errors else "-"

    orders = [row.error for row in _of(report, "taylor") if row.error is not None]
    taylor = f"{min(orders):.2f}" if orders else "exact"
    return name, report.ok, worst("complex"), worst("central"), taylor


def _of(report: Report, method: str) -> list[Row]:
    return [row for row in report.rows if row.method == method]
