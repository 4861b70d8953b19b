"""log p(x) by Monte Carlo: from the posterior, from a refined one, or naively from the prior."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..core.checks import warn_of_infinite, whole
from ..core.errors import ConfigError
from ..core.public import public
from ..core.row_streams import row_streams
from ..data.reader import CHUNK, slices
from ..models import Model
from ..models.blocks import Batches
from ..models.observed import in_units
from .refine import Proposal, can_refine

Array = np.ndarray
Weights = Callable[[Any], Array]
Streams: TypeAlias = "list[np.random.Generator]"

_BLOCK = 1 << 20
"""Numbers in the largest array of an importance sampling block: few enough to stay in a cache."""
_ROWS, _DRAWS = 16, 1 << 16
"""Rows taken at a time, and draws of them all that are worth while: more rows where there are fewer
of each."""
_WORTHWHILE = 2e11
"""Multiply-adds, some seconds of NumPy's time, from which on the forward is captured. Whether it is
compiled already makes no difference, since the results' bits must not depend on that."""

MOST_THREADS = 8
"""Each has blocks of its own: this bounds memory."""

FEW = 10
"""Effective samples below which an estimate is not to be relied on."""

_DRAWN, _DRAWN_AGAIN = 3, 4
"""Purposes of a row's random streams."""

PROPOSALS = ("posterior", "refined", "adaptive", "prior")


@public
def log_likelihood(
    model: Model,
    x: Any,
    n_samples: int = 5000,
    seed: int = 0,
    context: Any = None,
    progress: bool = False,
    diagnostics: bool = False,
    proposal: str = "posterior",
) -> Any:
    """log p(x) of each row by importance sampling, (N,), in nats.

        log p(x) ≈ log 1/K Σ_k w_k,   w_k = p(x given z_k) p(z_k) / r(z_k),   z_k ~ r

    A lower bound in expectation that rises to log p(x) with K = n_samples. Each row has noise of
    its own, by `seed` and by what stands in it: so its estimate is the same alone, among other rows
    and in another order, to rounding. With `progress` a bar shows on a terminal. Memory does not
    grow with K; all usable cores are used, and where there is much to do compiled code, as in
    training.

    With `diagnostics` three arrays (N,) come: log p(x); its standard error, which by the delta
    method is that of the mean of w over the mean, √((K/E - 1)/(K - 1)); and E = (Σw)²/Σw², the
    effective sample size, from 1 to K. Where E is below 10, one draw or another carries nearly all
    the weight: then log p(x) is too low, and the standard error does not say by how much.

    Parameters
    ----------
    model : Model
    x : (N, D) array
    n_samples, seed : int
    context : (N, C) array, optional
    progress, diagnostics : bool
    proposal : {"posterior", "refined", "adaptive", "prior"}
        r: q(z given x); `refine` of it, for rows to whose posterior the encoder is far off; with
        "adaptive" first the one, and of 100 samples or more also the other for rows where E is
        below 10, of which that with the greater E is taken (q(z given x) alone where `refine` is
        not for the model); or p(z), naive Monte Carlo, which fails in more than a few dimensions.

    Returns
    -------
    (N,) array
        With `diagnostics` three of them.

    Raises
    ------
    DataError
        If x is not such data as the model takes.

    Source: Rezende, Mohamed & Wierstra 2014, appendix E; Burda et al. 2016, theorem 1; effective
    sample size: Kong 1992.
    """
    n_samples = whole("n_samples", n_samples)
    if proposal not in PROPOSALS:
        raise ConfigError(f"proposal is one of {', '.join(PROPOSALS)}; got {proposal!r}.")
    if proposal == "prior" and not model.has_density:
        raise ConfigError(
            f"naive Monte Carlo is a mean over p(z); {model.name!r} has no density of z alone."
        )
    seed = whole("seed", seed, least=0)
    met: tuple[Counter[bytes], ...] = (Counter(), Counter())
    first = "posterior" if proposal == "adaptive" else proposal
    refines = proposal == "adaptive" and n_samples >= 10 * FEW and can_refine(model)
    read, found = Batches(model, x, context), []
    captured = _captured(model, read, n_samples) if first == "posterior" else None
    with _counting(progress, n_samples * len(read)) as count:
        for rows in _chunks(len(read), n_samples):
            xb, cb = read(rows)
            rng = row_streams(xb, cb, seed, _DRAWN, met=met[0])
            sampler = _sampler(first, model, xb, cb, rng, n_samples, captured)
            estimates = _estimates(sampler, n_samples, count)
            few = np.flatnonzero(estimates[1] < np.log(FEW)) if refines else ()
            if len(few):
                again_of = xb[few], None if cb is None else cb[few]
                rng = row_streams(*again_of, seed, _DRAWN_AGAIN, met=met[1])
                sampler = _sampler("refined", model, *again_of, rng, n_samples)
                other = _estimates(sampler, n_samples, lambda done: None)
                better = other[1] > estimates[1][few]
                estimates[:, few[better]] = other[:, better]
            found.append(estimates)
    log_p, log_effective = np.concatenate(found, axis=1)
    warn_of_infinite("log-likelihood", log_p, model.dtype)
    return (log_p, *_diagnosis(log_effective, n_samples)) if diagnostics else log_p


class _Sampler(NamedTuple):
    """How z of a batch are drawn, and weighed.

    Attributes
    ----------
    draw : from n to n draws, or their noise
    weigh : from these to the logarithms of their weights (n, B)
    block : how many are weighed at a time
    work : multiply-adds for each of them
    """

    draw: Callable[[int], Any]
    weigh: Weights
    block: int
    work: float


def _estimates(sampler: _Sampler, n_samples: int, count: Callable[[int], Any]) -> Array:
    """log p(x) of a batch, and the logarithms of its effective sample sizes, (2, B)."""
    block = min(sampler.block, n_samples)
    sizes = [min(block, n_samples - at) for at in range(0, n_samples, block)]
    total = squares = np.float64(-np.inf)
    work = block * sampler.work if len(sizes) > 1 else 0
    with np.errstate(invalid="ignore"):  # of what is no finite number
        for log_w in _in_threads(sampler.weigh, map(sampler.draw, sizes), work):
            total = np.logaddexp(total, np.logaddexp.reduce(log_w, axis=0))
            squares = np.logaddexp(squares, np.logaddexp.reduce(2 * log_w, axis=0))
            count(log_w.size)
        return np.stack([total - np.log(n_samples), 2 * total - squares])


def _chunks(n: int, n_samples: int) -> list[slice]:
    """Slices that cover n rows, of which draws are made together."""
    return slices(n, _at_once(n_samples))


def _at_once(n_samples: int) -> int:
    """How many rows are taken at a time, where there are so many."""
    return int(min(-(-_DRAWS // (n_samples * _ROWS)) * _ROWS, CHUNK))


def _captured(model: Any, read: Batches, n_samples: int) -> Any:
    """What weighs draws from the posterior by compiled code, or None where that does not pay."""
    if n_samples * len(read) * model.flat.size < _WORTHWHILE:
        return None
    from .captured import captured_weights  # which small jobs can do without

    return captured_weights(model, read)


def _diagnosis(log_effective: Array, n_samples: int) -> tuple[Array, Array]:
    """The standard error of log p(x), and the effective sample size."""
    with np.errstate(invalid="ignore", divide="ignore"):
        effective = np.exp(log_effective)
        spread = np.maximum(n_samples / effective - 1, 0) / (n_samples - 1)
    return np.sqrt(spread) if n_samples > 1 else np.full(len(effective), np.nan), effective


def _sampler(
    proposal: str,
    model: Any,
    x: Array,
    context: Array | None,
    rng: Streams,
    n_samples: int,
    captured: Any = None,
) -> _Sampler:
    """How draws from this proposal are made for a batch, each row's by a stream of its own."""
    # The same however many rows are left: a prior may draw other z where it draws more at a time.
    block = max(1, _BLOCK // (_at_once(n_samples) * model.largest_row))
    work = len(x) * model.flat.size
    if captured is not None:
        weigh = captured.of_rows(x, context)
        return _Sampler(_noise(model, x, rng), weigh, captured.block(len(x)), work)
    return _Sampler(*_by_numpy(proposal, model, x, context, rng), block, work)


def _noise(model: Any, x: Array, rng: Streams) -> Callable[[int], Any]:
    return lambda n: model.draw_noise(len(x), n, rng)


def _by_numpy(
    proposal: str, model: Any, x: Array, context: Array | None, rng: Streams
) -> tuple[Callable[[int], Any], Weights]:
    """How n draws are made, and the logarithms of their weights (n, B)."""
    if proposal == "prior":
        contexts = [None] * len(x) if context is None else list(context[:, None])

        def draw(n: int) -> Array:
            given = (None if c is None else np.repeat(c, n, axis=0) for c in contexts)
            drawn = [model.draw_z(n, r, c) for r, c in zip(rng, given, strict=True)]
            return np.stack(drawn, axis=1)

        return draw, lambda z: log_px(model, z, x, context)
    if proposal == "refined":
        return Proposal.found(model, x, context, rng).draws(x, context, rng)
    if can_refine(model):  # whose posterior need not be encoded for each block anew
        encoded = Proposal(model, model.posteriors(x, context)[0])
        return encoded.draws(x, context, rng)
    needs = ("log_px", "log_pz", "log_qz")
    return (
        _noise(model, x, rng),
        lambda eps: model.forward(x, eps, context, needs=needs)[0].log_w,
    )


def log_px(model: Any, z: Array, x: Array, context: Array | None) -> Array:
    """log p(x given z), (K, B), for z (K, B, Z) and a batch as `Model.batches` gives it."""
    density = model.likelihood.log_px(model.theta(z, context), x)
    return in_units(model.units, density, x)


def _in_threads(weigh: Weights, draws: Iterator[Any], multiply_adds: float) -> Iterator[Array]:
    """`weigh` of each draw, in their order: the threads change no bit of the results."""

    def quietly(draw: Any) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            return weigh(draw)

    if multiply_adds == 0:
        yield from map(quietly, draws)
        return
    from ..core.threads import shared  # which small jobs can do without

    yield from shared(quietly, ((draw,) for draw in draws), multiply_adds, MOST_THREADS)


def _counting(progress: bool, total: int) -> AbstractContextManager[Any]:
    if not progress:
        return nullcontext(lambda done: None)
    from ..core.progress import counting  # scoring without a bar needs no such module

    return counting(total, "samples")
