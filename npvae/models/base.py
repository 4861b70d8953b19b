"""What all models share: checked input, noise, and what people encode, decode and sample with."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from .. import discrete, flows, likelihoods, posteriors, priors  # noqa: F401  (their names get registered)
from ..core import Terms
from ..core.arrays import as_array
from ..core.checks import relative_weights, warn_of_infinite, whole
from ..core.errors import ConfigError, DataError
from ..core.public import public
from ..core.wording import cut
from ..data.functions import Functions
from ..data.linear import LinearGuesses
from ..data.neighbours import Neighbours
from ..data.reader import Reader
from ..data.redraws import Redraws, mended
from ..data.tilt import Tilt
from ..data.units import Units
from ..data.widths import Widths
from ..levels import Level
from . import noise
from .blocks import Batches, by_blocks, draws, in_threads, joined
from .owner import CALIBRATED, Owner
from .tilted import tilted_rows

Array = np.ndarray
AnyModel = TypeVar("AnyModel", bound="Model")

START_ROWS = 1000
"""How many rows a model can start from, besides their mean."""

_DRAWS = 1
"""Draws of x come from the stream of (seed, _DRAWS), so that they are not those of z."""


class Model(Owner, abstract=True):
    """Base of the models: what every model offers people, and what training asks of it.

    A new model defines `forward`, `backward` and `start_from`, and three steps from which all that
    people ask of it is built: `posteriors`, `theta` and `draw_z`.

    Attributes
    ----------
    levels : sequence of Level
        The latent levels, the one next to x first.
    noise_widths : sequence of int
        How many numbers of noise each level takes; by default its dimensions, `z_widths`.
    scale : float or None
        What integer input is divided by; `fit` sets it.
    units : Units or None
        By which columns are standardised; `fit` finds them where ``standardise`` is True.
    condition : Condition or None
        What a context is, if it is more than rows of context_dim numbers.
    missing : "mask" or None
        Whether NaN in x is an entry that is missing, or an error.
    tilt, linear, neighbours, functions, widths, redraws
        What `calibrate` finds, or None; the constructor of `VAE` says what they are for.
    has_density : bool
        Whether `forward` gives the densities by which log p(x) is importance-sampled.
    has_kl : bool, whether its loss has a KL, which an objective's beta weighs
    predicts : bool, whether its context is a label that it predicts
    """

    family = "model"
    x_dim: int
    z_dim: int
    context_dim: int
    levels: Sequence[Level]
    scale: float | None
    likelihood: Any
    units: Units | None = None
    missing: str | None = None
    schema: Any = None
    condition: Any = None
    tilt: Tilt | None = None
    linear: LinearGuesses | None = None
    neighbours: Neighbours | None = None
    functions: Functions | None = None
    widths: Widths | None = None
    redraws: Redraws | None = None
    has_density = True
    has_kl = True
    predicts = False
    _awaited = ("flat", "_params", "levels", "join", "encoder", "decoder")

    @abstractmethod
    def forward(
        self, x: Any, eps: Any, context: Any = None, needs: Collection[str] = ("log_px", "kl")
    ) -> tuple[Terms, Any]:
        """(terms, cache): what an objective needs of a batch."""

    @abstractmethod
    def backward(self, cache: Any, d_terms: Terms) -> None:
        """Add the parameters' gradients to the views that `with_gradients` bound."""

    @abstractmethod
    def start_from(self, mean: Array, n: int, rows: Array, context: Array | None = None) -> None:
        """Set what training starts from, unless the model was trained before.

        `mean` (D,) is that of the known entries of all n rows; `rows` are some of them, at most
        `START_ROWS`, with their context.
        """

    def start_from_context(self, contexts: Reader) -> None:
        """Set what training takes of the context of all rows, unless it was trained before."""
        return

    @abstractmethod
    def posteriors(self, x: Array, context: Array | None) -> list[tuple[Array, ...]]:
        """The parameters of each level's posterior, for a batch as `batches` gives it."""

    @abstractmethod
    def theta(self, z: Array, context: Array | None) -> Array:
        """The parameters of p(x given z) for z (B, Z) or (K, B, Z) of the level next to x."""

    def drawn_theta(self, x: Array, eps: Any, context: Array | None) -> Array:
        """The parameters of p(x given z), (K, B, ...), at draws of z from q(z given x)."""
        terms, _ = self.forward(x, eps, context, needs=("log_px", "z"))
        return self.theta(terms.levels[0].z, context)

    @abstractmethod
    def draw_z(self, n: int, rng: np.random.Generator, context: Array | None) -> Array:
        """n draws (n, Z) from the prior of the level next to x."""

    @property
    def standardise(self) -> Any:
        """Mean and scale of each column, as a dict, or whether `fit` is to find them."""
        return False

    @property
    def largest_row(self) -> int:
        """How many numbers the largest array of a forward holds per sample and row, roughly."""
        return self.x_dim

    def __str__(self) -> str:
        from .summary import summary  # which is for people, and inference needs none

        return summary(self)

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(str(self))}</pre>"

    def __repr__(self) -> str:
        config = {n: v for n, v in self.config.items() if n not in ("dtype", "seed", "schema")}
        for name in ("standardise", "inputs", *CALIBRATED):
            if isinstance(config.get(name), dict):
                config[name] = True  # not the numbers of every column
        arguments = ", ".join(f"{n}={cut(repr(value), 60)}" for n, value in config.items())
        size = f"{self.n_params:,} parameters" if self.is_built else "fit finds x_dim"
        return f"{type(self).__name__}({arguments}): {size}, {self.dtype}"

    def built_for(self: AnyModel, x: Any) -> AnyModel:
        """This model; one that has no x_dim yet stays as it is, and gives one for x's columns."""
        if self.is_built:
            return self
        shape = as_array(x, "x").shape
        if len(shape) != 2:
            raise DataError(f"x needs shape (N, D), an example a row; got {shape}.")
        make: Any = type(self)
        built: AnyModel = make(**{**self.config, "x_dim": shape[1]})
        return built

    def reader(self, x: Any, what: str = "x") -> Reader:
        """`x` as batches as this model takes them; raises `DataError` for a wrong form.

        A model of a table takes data frames as well, and finds its columns by their names.
        """
        if self.schema is not None and hasattr(x, "columns"):
            from ..tables.frames import array_of, library_of  # which most models never need

            if library_of(x) is not None:
                x = array_of(x, self.schema.modelled, self.schema.missing)
        missing = self.missing is not None
        return Reader(x, self.x_dim, self.flat.real.dtype, self.scale, what, self.units, missing)

    def context_reader(self, context: Any, n: int) -> Reader | None:
        """The same for the context of n rows; None where the model takes none."""
        if context is None and self.context_dim == 0:
            return None
        if self.context_dim == 0:
            raise DataError(
                f"this model takes no context; got one of shape {np.shape(context)}. "
                "Build it with condition=nv.Labels(...) or context_dim= to condition on something."
            )
        if context is None:
            raise DataError(
                f"this model needs a context of shape ({n}, {self.context_dim}); got none. "
                "Pass context=, for held-out rows in the pair valid=(x, context)."
            )
        reader = Reader(
            self._context_rows(context), self.context_dim, self.flat.real.dtype, what="context"
        )
        if len(reader) != n:
            what = "y" if self.predicts else "context"
            raise DataError(
                f"{what} needs one row for each of the {n} examples; got {len(reader)} rows."
            )
        return reader

    def _context_rows(self, context: Any) -> Any:
        """The context as rows of numbers, whatever people give it as."""
        return context if self.condition is None else self.condition.rows(context)

    def batches(
        self, x: Any, context: Any, support: bool = True
    ) -> Iterator[tuple[Array, Array | None]]:
        """Checked batches that cover x in order, each with its context."""
        read = Batches(self, x, context, support)
        for rows in read.reader.chunks():
            yield read(rows)

    def prior_inputs(self, context: Array | None) -> tuple[Array, ...]:
        """What the prior of the one level is made of besides its parameters: most need nothing."""
        return ()

    @property
    def z_widths(self) -> Sequence[int]:
        """The latent dimensions of each level, the one next to x first."""
        return (self.z_dim,)

    @property
    def noise_widths(self) -> Sequence[int]:
        return self.z_widths

    def draw_noise(self, batch: int, n_samples: int, rng: noise.Rng) -> Any:
        """Standard normal eps, (K, B, Z): what `forward` takes for K = n_samples.

        With several latent levels it is a list of one array for each level, cut from one draw. In
        place of one generator there may be a list of B: each row's noise is then of its own.
        """
        return noise.drawn(self.noise_widths, batch, n_samples, rng, self.flat.real.dtype)

    def check_noise(self, eps: Any, batch: int) -> Any:
        """`eps` in the model's type; raises `DataError` if it is not as `draw_noise` gives it."""
        return noise.checked(eps, self.noise_widths, batch, self.flat.real.dtype)

    @public
    def encode(self, x: Any, context: Any = None) -> Any:
        """Mean and log-variance of q(z given x), each (N, Z).

        With several latent levels it is a list of such pairs, that of the level next to x first.
        Where the posterior has flows, they are those of the Gaussian that the flows start from; of
        codes it is the probabilities of their ones, (N, Z), in place of the pair.
        """
        encoded = zip(self.levels, self._encoded(x, context), strict=True)
        levels = [level.posterior.encoded(params) for level, params in encoded]
        return levels[0] if len(levels) == 1 else levels

    @public
    def centres(self, x: Any, context: Any = None) -> list[Array]:
        """For each level the z (N, Z) at the centre of each row's posterior: `Posterior.centre`."""
        encoded = zip(self.levels, self._encoded(x, context), strict=True)
        return [level.posterior.centre(params) for level, params in encoded]

    def _encoded(self, x: Any, context: Any) -> list[tuple[Array, ...]]:
        read = Batches(self, x, context)
        blocks = by_blocks(self, lambda rows: self.posteriors(*read(rows)), len(read))
        if len(blocks) == 1:
            return blocks[0]
        levels = zip(*blocks, strict=True)
        return [tuple(map(np.concatenate, zip(*level, strict=True))) for level in levels]

    @public
    def decode(self, z: Any, context: Any = None, take: str = "mean", seed: int = 0) -> Array:
        """What latent vectors z (N, Z) stand for: the mean of p(x given z), a draw or the mode.

        Parameters
        ----------
        z : (N, Z) array
            Of the level next to x.
        context : (N, C) array, optional
        take : {"mean", "draw", "mode"}
        seed : int
            Of the draws.

        Returns
        -------
        (N, D) array
            In the units of x: in float64 if they are not the model's own.
        """
        output = self._output(take, seed)
        reader = Reader(z, self.z_dim, self.flat.real.dtype, what="z")
        contexts = self.context_reader(context, len(reader))

        def taken(rows: slice) -> Array:
            zb = reader.checked(rows)
            return output(self.theta(zb, None if contexts is None else contexts.checked(rows)))

        if take == "draw":  # in order, from one stream
            return joined([taken(rows) for rows in reader.chunks()])
        return joined(by_blocks(self, taken, len(reader)))

    @public
    def reconstruct(self, x: Any, context: Any = None, take: str = "mean", seed: int = 0) -> Array:
        """`decode` at the posterior's centre, (N, D); entries that are missing in x are filled.

        Of codes it is the likeliest one.
        """
        params = self._encoded(x, context)[0]
        z = self.levels[0].posterior.likeliest(params) if self.levels else params[0]
        return self.decode(z, context, take, seed)

    @public
    def sample(self, n: int, seed: int = 0, context: Any = None, take: str = "mean") -> Array:
        """New examples, (n, D): `decode` at z drawn from the prior.

        With ``take="draw"`` they follow the model's distribution of x, as `calibrate` left it;
        means vary less. A context of one row serves all n.
        """
        n = whole("n", n)
        rng = np.random.default_rng(whole("seed", seed, least=0))
        if take == "draw" and self.tilt is not None:
            return tilted_rows(self, n, rng)
        context = self._context_of(n, context)
        contexts = self.context_reader(context, n)
        z = self.draw_z(n, rng, None if contexts is None else contexts.checked(slice(0, n)))
        drawn = self.decode(z, context, take, seed)
        return mended(drawn, self.functions, self.redraws, rng) if take == "draw" else drawn

    def _context_of(self, n: int, context: Any) -> Any:
        """The context of n new rows, as rows of numbers; one serves all."""
        if context is None:
            return None
        rows = np.atleast_2d(as_array(self._context_rows(context), "context"))
        return np.repeat(rows, n, axis=0) if len(rows) == 1 else rows

    @public
    def elbo(
        self,
        x: Any,
        n_samples: int = 1,
        seed: int = 0,
        context: Any = None,
        weights: Any = None,
    ) -> Array:
        """The evidence lower bound of each row, (N,), in nats.

        E_q[log p(x given z)] is estimated with n_samples draws. So is the KL where it has no closed
        form: as E_q[log q(z given x) - log p(z)], with the same draws.
        With weights (N,) each row's bound is multiplied by its weight over the mean weight: the
        mean of the result is then the weighted mean.
        """
        log_px, kl = self.elbo_terms(x, n_samples, seed, context)
        bound = log_px - kl
        return bound if weights is None else bound * relative_weights(weights, len(bound))

    @public
    def elbo_terms(
        self, x: Any, n_samples: int = 1, seed: int = 0, context: Any = None
    ) -> tuple[Array, Array]:
        """The two terms of `elbo`, each (N,): E_q[log p(x given z)] and KL(q(z given x) ‖ p(z))."""
        n_samples = whole("n_samples", n_samples)
        rng = np.random.default_rng(whole("seed", seed, least=0))
        read = Batches(self, x, context)

        def terms_of(rows: slice, eps: Any) -> tuple[slice, Array, Array]:
            xb, cb = read(rows)
            with np.errstate(over="ignore", invalid="ignore"):
                terms, _ = self.forward(xb, eps, cb)
            return rows, terms.log_px[0], terms.kl_per_row[0]

        log_px, kl = np.zeros((2, len(read)))
        jobs = draws(self, read.reader, n_samples, rng)
        for rows, one, other in in_threads(self, terms_of, jobs, len(read) * n_samples):
            log_px[rows] += one
            kl[rows] += other
        log_px, kl = log_px / n_samples, kl / n_samples
        warn_of_infinite("ELBO", log_px - kl, self.dtype)
        return log_px, kl

    def save(self, path: Any) -> None:
        """`npvae.save` of this model."""
        from .storage import save  # which is about models

        save(self, path)

    def _output(self, take: str, seed: int) -> Callable[[Array], Array]:
        """From the parameters of p(x given z) to what is taken of it, in the units of x."""
        output: Callable[[Array], Array]
        if take == "draw":
            rng = np.random.default_rng([whole("seed", seed, least=0), _DRAWS])
            output = partial(self.likelihood.sample, rng=rng)
        elif take in ("mean", "mode"):
            output = getattr(self.likelihood, take)
        else:
            raise ConfigError(f"take is 'mean', 'draw' or 'mode'; got {take!r}.")
        units = self.units
        return output if units is None else lambda theta: units.restored(output(theta))
