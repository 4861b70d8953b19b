"""The dense variational autoencoder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part, Terms, clone, resolve
from ..core.checks import number, relative_weights, whole
from ..core.errors import ConfigError, DataError
from ..data.reader import Reader
from ..data.units import Units
from ..layers import Concat, mlp
from .base import Model

Array = np.ndarray

OUT_GAIN = 0.1
"""What the decoder's last weights start multiplied by, so that it starts near the mean that its
bias gives, whatever z is. On MNIST that is worth 0.5 nats after ten epochs (docs/training.md)."""

_DRAWS = 1
"""With the seed it makes the stream of draws of x, so that it is no stream that z comes from."""


class VAE(Model):
    """x -> encoder -> q(z given x) -> z -> decoder -> p(x given z), all dense.

    Parameters
    ----------
    x_dim, z_dim : int
        Columns of the data, and dimensions of the latent space.
    hidden : sequence of int
        Widths of the encoder's hidden layers; the decoder has them mirrored.
    activation : str or Activation
    likelihood : str or Likelihood
    posterior : str or posterior part
    prior : str or Prior
        Of prior and likelihood the model takes a copy: their parameters, if they have any, are
        among the model's.
    dtype : {"float32", "float64"}
    seed : int
        Of the initial weights.
    context_dim : int
        Columns of a context c that encoder and decoder are conditioned on: p(x given z, c).
    init : str
        The weights' initialiser: glorot_uniform, glorot_normal, he_uniform or he_normal.
    scale : float, optional
        What integer input is divided by; `fit` finds it where it is not given.
    missing : {None, "mask"}
        With "mask", NaN in x is an entry that is missing: log p is that of the others, and the
        encoder gets 0 in its place and a mask, 1 where an entry is known, beside x. Else NaN is
        refused.
    standardise : bool or dict
        With True, the first `fit` finds the mean and the standard deviation of each column that the
        likelihood takes for real numbers, and the model works on (x - mean) / scale from then on;
        all that goes in and comes out, log p too, stays in the units of x. A dict has them already:
        ``{"mean": [...], "scale": [...]}``.
    schema : Schema or dict, optional
        What the columns are, of a table that `npvae.tables.read` has read. The model computes
        nothing with it: it keeps it for those who want rows in the table's own terms.
    parameters : mapping, optional
        Values by name instead of random ones, as ``model.params`` gives them.

    Raises
    ------
    ConfigError
        If a size is not a whole number above 0, or a name is unknown.

    Source: Kingma & Welling 2014; with a context, Sohn, Lee & Yan 2015.
    """

    def __init__(
        self,
        x_dim: int,
        z_dim: int,
        *,
        hidden: Sequence[int] = (400,),
        activation: Any = "relu",
        likelihood: Any = "bernoulli",
        posterior: Any = "gaussian",
        prior: Any = "standard",
        dtype: Any = "float32",
        seed: int = 0,
        context_dim: int = 0,
        init: str = "glorot_uniform",
        scale: float | None = None,
        missing: str | None = None,
        standardise: Any = False,
        schema: Any = None,
        parameters: Mapping[str, Array] | None = None,
    ) -> None:
        self.x_dim = whole("x_dim", x_dim)
        self.z_dim = whole("z_dim", z_dim)
        self.hidden = tuple(whole("each width in hidden", width) for width in _widths(hidden))
        self.context_dim = whole("context_dim", context_dim, least=0)
        self.seed = whole("seed", seed, least=0)
        self.init = init
        self.scale = None if scale is None else number("scale", scale, above=0)
        self.activation = resolve("activation", activation)
        self.posterior = resolve("posterior", posterior)
        # Of prior and likelihood a copy, so that their parameters are this model's own.
        self.prior = clone(resolve("prior", prior))
        self.likelihood = clone(resolve("likelihood", likelihood))
        self.likelihood.declare(self.x_dim)
        self.missing = _missing(missing, self.likelihood)
        self._standardise = isinstance(standardise, bool) and standardise
        if not isinstance(standardise, bool):
            self.units = Units.given(standardise, self.x_dim)
        self.schema = None if schema is None else _schema(schema, self.x_dim)
        self.join = Concat()
        n_inputs = self.likelihood.n_features(self.x_dim) + self.context_dim
        if self.missing:
            n_inputs += self.x_dim
        self.encoder = mlp(
            n_inputs,
            self.hidden,
            self.posterior.n_outputs(self.z_dim),
            self.activation,
            init,
        )
        self.decoder = mlp(
            self.z_dim + self.context_dim,
            self.hidden[::-1],
            self.likelihood.n_outputs(self.x_dim),
            self.activation,
            init,
            out_gain=OUT_GAIN,
        )
        self.prior.build(self.z_dim, n_inputs)
        self._own(dtype, self.seed, parameters)
        if self._standardise and not self.likelihood.real_columns(self.x_dim).any():
            raise ConfigError(
                f"standardise=True needs columns of real numbers; {self.likelihood.name} has none. "
                "Leave it out, or take a likelihood such as GaussianColumnScale()."
            )

    def forward(
        self,
        x: Array,
        eps: Array,
        context: Array | None = None,
        needs: Collection[str] = ("log_px", "kl"),
    ) -> tuple[Terms, Any]:
        """What an objective needs of a batch.

        x (B, D) as `reader` gives it, in the likelihood's support, eps (K, B, Z), context (B, C).
        Where the prior has no closed-form KL, the terms have log_qz and log_pz for it.
        """
        if "kl" in needs and self.prior.kl is None:
            needs = {*needs, "log_qz", "log_pz"} - {"kl"}
        terms = Terms()
        stats, c_encoder = self.encoder.forward(self._encoder_input(x, context))
        (mu, logvar), c_posterior = self.posterior.forward(stats)
        z, c_sample = self.posterior.sample.forward(mu, logvar, eps)
        theta, c_decoder = self.decoder.forward(self._joined(z, context))
        terms.log_px, c_likelihood = self.likelihood.forward(theta, x)
        if self.units is not None:  # a shift, on which no gradient depends
            terms.log_px = k.in_units(terms.log_px, x, self.units.log_scale)
        c_kl = c_log_qz = c_log_pz = None
        if "kl" in needs:
            kl, c_kl = self.prior.kl.forward(mu, logvar)
            terms.kl = [kl]
        if "log_qz" in needs:
            log_qz, c_log_qz = self.posterior.log_prob.forward(z, mu, logvar)
            terms.log_qz = [log_qz]
        if "log_pz" in needs:
            log_pz, c_log_pz = self._prior_forward(z)
            terms.log_pz = [log_pz]
        if "z" in needs:
            terms.z = [z]
        if "posterior" in needs:
            terms.posterior = [(mu, logvar)]
        return terms, (
            c_encoder, c_posterior, c_sample, c_decoder, c_likelihood, c_kl, c_log_qz, c_log_pz,
        )  # fmt: skip

    def backward(self, cache: Any, d_terms: Terms) -> None:
        """Add the parameters' gradients to their views.

        The forward's lines from the last to the first; z, mu and logvar each have several uses,
        and a variable's gradient is the sum over its uses.
        """
        (
            c_encoder, c_posterior, c_sample, c_decoder, c_likelihood, c_kl, c_log_qz, c_log_pz,
        ) = cache  # fmt: skip
        dtheta, _ = self.likelihood.backward(c_likelihood, d_terms.log_px)
        dz = self.decoder.backward(c_decoder, dtheta)
        if self.context_dim:
            dz = dz[..., : self.z_dim]
        if d_terms.z:
            dz = k.add(dz, d_terms.z[0])
        if d_terms.log_pz:
            dz = k.add(dz, self._prior_backward(c_log_pz, d_terms.log_pz[0]))
        uses = []
        if d_terms.log_qz:
            dz_q, dmu, dlogvar = self.posterior.log_prob.backward(c_log_qz, d_terms.log_qz[0])
            dz = k.add(dz, dz_q)
            uses.append((dmu, dlogvar))
        if d_terms.kl:
            uses.append(self.prior.kl.backward(c_kl, d_terms.kl[0]))
        if d_terms.posterior:
            uses.append(d_terms.posterior[0])
        dmu, dlogvar, _ = self.posterior.sample.backward(c_sample, dz)
        for dmu_use, dlogvar_use in uses:
            dmu, dlogvar = k.add(dmu, dmu_use), k.add(dlogvar, dlogvar_use)
        dstats = self.posterior.backward(c_posterior, dmu, dlogvar)
        self.encoder.backward(c_encoder, dstats, wrt_input=False)

    def _prior_forward(self, z: Array) -> tuple[Array, Any]:
        """log p(z) (K, B)."""
        components, c_components = self._components()
        log_pz, c_prior = self.prior.forward(z, *components)
        return log_pz, (c_components, c_prior)

    def _prior_backward(self, cache: Any, d_log_pz: Array) -> Array:
        c_components, c_prior = cache
        if c_components is None:
            return self.prior.backward(c_prior, d_log_pz)
        c_u, c_encoder, c_posterior = c_components
        dz, dmu, dlogvar = self.prior.backward(c_prior, d_log_pz)
        dstats = self.posterior.backward(c_posterior, dmu, dlogvar)
        self.prior.pseudo_inputs.backward(c_u, self.encoder.backward(c_encoder, dstats))
        return dz

    def _components(self) -> tuple[tuple[Array, ...], Any]:
        """q(z given u), mu and logvar (M, Z), of the prior's pseudo-inputs; () if it has none."""
        if self.prior.pseudo_inputs is None:
            return (), None
        u, c_u = self.prior.pseudo_inputs.forward()
        stats, c_encoder = self.encoder.forward(u)
        components, c_posterior = self.posterior.forward(stats)
        return components, (c_u, c_encoder, c_posterior)

    def start_from(self, mean: Array, n: int, rows: Array, context: Array | None = None) -> None:
        """Set the output's bias, the likelihood and the prior, unless they were trained before."""
        self.prior.start_from(self._encoder_input(rows, context))
        bias = self.decoder.layers[-1].b
        if bias.any():
            return
        self.likelihood.start_from(rows)
        start = self.likelihood.output_bias(mean, n)
        if start is not None:
            bias[...] = start

    @property
    def largest_row(self) -> int:
        return max(self.x_dim, self.prior.n_components)

    def draw_noise(self, batch: int, n_samples: int, rng: np.random.Generator) -> Array:
        """Standard normal eps, (K, B, Z): what `forward` takes for K = n_samples."""
        return rng.standard_normal((n_samples, batch, self.z_dim), dtype=self.flat.real.dtype)

    def check_noise(self, eps: Any, batch: int) -> Array:
        """`eps` in the model's type; raises `DataError` if it is not (K, batch, Z)."""
        eps = np.asarray(eps)
        if eps.ndim != 3 or eps.shape[1:] != (batch, self.z_dim) or len(eps) == 0:
            raise DataError(
                f"eps needs shape (K, {batch}, {self.z_dim}) for this batch and model; got "
                f"{eps.shape}. Draw it with model.draw_noise(batch, n_samples, rng)."
            )
        return eps.astype(self.flat.real.dtype, copy=False)

    def encode(self, x: Any, context: Any = None) -> tuple[Array, Array]:
        """Mean and log-variance of q(z given x), each (N, Z)."""
        pairs = [
            self.posterior.forward(self.encoder.forward(self._encoder_input(xb, cb))[0])[0]
            for xb, cb in self.batches(x, context)
        ]
        if len(pairs) == 1:
            return pairs[0]
        mus, logvars = zip(*pairs, strict=True)
        return np.concatenate(mus), np.concatenate(logvars)

    def decode(self, z: Any, context: Any = None, take: str = "mean", seed: int = 0) -> Array:
        """What latent vectors z (N, Z) stand for: of p(x given z) its mean, a draw or its mode.

        Parameters
        ----------
        z : (N, Z) array
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
        taken = []
        for rows in reader.chunks():
            zb = reader.checked(rows)
            cb = None if contexts is None else contexts.checked(rows)
            taken.append(output(self.decoder.forward(self._joined(zb, cb))[0]))
        return taken[0] if len(taken) == 1 else np.concatenate(taken)

    def reconstruct(self, x: Any, context: Any = None, take: str = "mean", seed: int = 0) -> Array:
        """`decode` at the posterior's mean, (N, D), the entries that are missing in x included."""
        return self.decode(self.encode(x, context)[0], context, take, seed)

    def sample(self, n: int, seed: int = 0, context: Any = None, take: str = "mean") -> Array:
        """New examples, (n, D): `decode` at z drawn from the prior.

        Draws, ``take="draw"``, are distributed as the model says that x is; means vary less. A
        context of one row serves all n.
        """
        n = whole("n", n)
        rng = np.random.default_rng(whole("seed", seed, least=0))
        z = self.prior.sample(n, self.z_dim, rng, *self._components()[0])
        if context is not None:
            context = np.atleast_2d(context)
            context = np.repeat(context, n, axis=0) if len(context) == 1 else context
        return self.decode(z, context, take, seed)

    def elbo(
        self,
        x: Any,
        n_samples: int = 1,
        seed: int = 0,
        context: Any = None,
        weights: Any = None,
    ) -> Array:
        """The evidence lower bound of each row, (N,), in nats.

        E_q[log p(x given z)] is estimated with n_samples draws; the KL is its closed form or, where
        the prior has none, E_q[log q(z given x) - log p(z)] is estimated with the same draws.
        With weights (N,) each row's is multiplied by its weight over their mean: the mean of the
        result is then the weighted mean.
        """
        log_px, kl = self.elbo_terms(x, n_samples, seed, context)
        bound = log_px - kl
        return bound if weights is None else bound * relative_weights(weights, len(bound))

    def elbo_terms(
        self, x: Any, n_samples: int = 1, seed: int = 0, context: Any = None
    ) -> tuple[Array, Array]:
        """The two terms of `elbo`, each (N,): E_q[log p(x given z)] and KL(q(z given x) ‖ p(z))."""
        n_samples = whole("n_samples", n_samples)
        rng = np.random.default_rng(whole("seed", seed, least=0))
        log_pxs, kls = [], []
        for xb, cb in self.batches(x, context):
            log_px, kl = np.zeros((2, len(xb)))
            for _ in range(n_samples):  # one draw at a time: memory does not grow with them
                terms, _ = self.forward(xb, self.draw_noise(len(xb), 1, rng), cb)
                log_px += terms.log_px[0]
                kl += terms.kl_per_row[0]
            log_pxs.append(log_px / n_samples)
            kls.append(kl / n_samples)
        return np.concatenate(log_pxs), np.concatenate(kls)

    @property
    def standardise(self) -> Any:
        return self._standardise if self.units is None else self.units.config

    def _output(self, take: str, seed: int) -> Callable[[Array], Array]:
        """From the decoder's output to what of p(x given z) is taken, in the units of x."""
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

    def _encoder_input(self, x: Array, context: Array | None) -> Array:
        """The features of x, with a mask of what is known where some may be missing, and c."""
        features = self.likelihood.features(x)
        if self.missing:
            features = k.concat(k.filled(features), k.known(x))
        return self._joined(features, context)

    def _joined(self, a: Array, context: Array | None) -> Array:
        return a if context is None else self.join.forward(a, context)[0]

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        model = cls(6, 2, hidden=(5, 4), activation="tanh", dtype="float64", context_dim=2)
        model.flat += 0.1 * rng.normal(size=model.n_params)  # biases too
        context = rng.normal(size=(3, 2))
        return model, (rng.random((3, 6)), model.draw_noise(3, 2, rng), context)


def _missing(missing: Any, likelihood: Any) -> str | None:
    if missing not in (None, "mask"):
        raise ConfigError(f"missing is None or 'mask'; got {missing!r}.")
    if missing and not likelihood.takes_missing:
        raise ConfigError(
            f"missing='mask' needs a likelihood that leaves NaN out; {likelihood.name!r} does not "
            "say that it does. Set takes_missing = True in its class, once its log p and gradients "
            "are 0 where x is NaN."
        )
    return missing


def _schema(schema: Any, x_dim: int) -> Any:
    from ..tables import Schema  # here, since most models have none

    schema = Schema.of(schema)
    if len(schema.modelled) != x_dim:
        raise ConfigError(
            f"the model of a table needs {len(schema.modelled)} columns, as many as its schema; "
            f"got x_dim {x_dim}."
        )
    return schema


def _widths(hidden: Any) -> list[Any]:
    if isinstance(hidden, (str, bytes)) or not isinstance(hidden, Iterable):
        raise ConfigError(f"hidden is a sequence of widths such as (400,); got {hidden!r}.")
    return list(hidden)
