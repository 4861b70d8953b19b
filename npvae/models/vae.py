"""The dense variational autoencoder."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import LevelTerms, Part, Terms, clone, resolve
from ..core.checks import whole
from ..core.errors import ConfigError
from ..core.registry import text
from ..data.functions import Functions
from ..data.linear import LinearGuesses
from ..data.neighbours import Neighbours
from ..data.redraws import Redraws
from ..data.tilt import Tilt
from ..data.widths import Widths
from ..levels import Level
from ..posteriors import DiagonalGaussian
from .observed import OUT_GAIN, Observed

Array = np.ndarray

_HEADS = DiagonalGaussian()
"""From a network's output to a mean and a log-variance: it has no parameters, and serves all."""


def _z_dim(given: Any, posterior: Any) -> int:
    """The latent dimensions: as given, unless the posterior says how many there are."""
    own: int | None = posterior.own_z_dim
    if own is not None and given not in (None, own):
        raise ConfigError(
            f"posterior {text(posterior.config)!r} has {own} latent dimensions; got z_dim "
            f"{given!r}. Leave z_dim out."
        )
    return own or whole("z_dim", given)


class VAE(Observed):
    """x -> encoder -> q(z given x) -> z -> decoder -> p(x given z).

    Encoder and decoder are dense (`hidden`, `activation` and `init` say how), or networks of your
    own.

    Parameters
    ----------
    x_dim, z_dim : int
        Columns of the data, and dimensions of the latent space. Without x_dim, as in
        ``VAE(z_dim=8)``, the model takes it of its schema, or else of the data that it is first
        fitted to; it has no parameters until then.
    hidden : sequence of int
        Widths of the encoder's hidden layers; the decoder has them mirrored.
    activation : str or Activation
    likelihood : str or Likelihood
    posterior : str or Posterior
        Of codes, such as "categorical:n=10,classes=8", it says z_dim too.
    prior : str or Prior, optional
        By default the posterior's usual one: standard normal, or of codes uniform. With
        "conditional" it is p(z given c), a Gaussian whose mean and variance a network makes
        of the context; else p(z) does not depend on a context.
        The model copies likelihood, posterior, prior and networks: their parameters become its own.
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
        With "mask", NaN in x is a missing entry: log p is that of the other entries, and the
        encoder gets 0 in its place, and beside x a mask, 1 where an entry is known. With None, NaN
        is refused.
    standardise : bool or dict
        With True, the first `fit` finds the mean and the standard deviation of each column that the
        likelihood takes for real numbers, and the model works on (x - mean) / scale from then on.
        What goes in and comes out, log p too, stays in the units of x. A dict gives the two:
        ``{"mean": [...], "scale": [...]}``.
    schema : Schema or dict, optional
        The columns of a table, as `npvae.tables.read` gives them. The model keeps it, so that rows
        can be given in the table's own terms, and computes nothing with it.
    encoder, decoder : Layer, optional
        Networks of your own, such as ``Sequential([Dense(6, 5, "gelu"), Dense(5, 4)])``. An encoder
        maps rows of features of x, with the mask and the context beside them where there are any,
        to what the posterior takes (2 z_dim numbers for "gaussian"). A decoder maps z, with the
        context beside it, to what the likelihood takes (x_dim numbers for "bernoulli").
    inputs : dict, optional
        ``{"mean": [...], "scale": [...]}``, by which the encoder's inputs, features and mask, are
        standardised. The first `fit` finds it where features are large or rows are wide.
    tilt : dict, optional
        What drawn rows are chosen by, as `calibrate` finds it: `data.tilt.Tilt`.
    linear : dict, optional
        What numbers that fill gaps are moved towards, as `calibrate` finds it:
        `data.linear.LinearGuesses`.
    neighbours : dict, optional
        What they are moved towards after that, as `calibrate` finds it:
        `data.neighbours.Neighbours`.
    functions : dict, optional
        Which columns of drawn rows and gaps follow from others, as `calibrate` finds it:
        `data.functions.Functions`.
    widths : dict, optional
        How wide draws that fill gaps are beside the model's, as `calibrate` finds it:
        `data.widths.Widths`.
    redraws : dict, optional
        Which labels of drawn rows are drawn anew, as `calibrate` finds it: `data.redraws.Redraws`.
    condition : Condition, str or dict, optional
        ``nv.Labels(10)`` or ``nv.Labels(["cat", "dog"])``: the context is then a label for each
        example, in place of rows of context_dim numbers; or ``nv.Vector(n)``, rows of n numbers.
    parameters : mapping, optional
        Values by name instead of random ones, as ``model.params`` gives them.

    Raises
    ------
    ConfigError
        If a size is not a whole number above 0, a name is unknown, or a network does not fit.

    Source: Kingma & Welling 2014; with a context, Sohn, Lee & Yan 2015.
    """

    def __init__(
        self,
        x_dim: int | None = None,
        z_dim: int | None = None,
        *,
        hidden: Sequence[int] = (400,),
        activation: Any = "relu",
        likelihood: Any = "bernoulli",
        posterior: Any = "gaussian",
        prior: Any = None,
        dtype: Any = "float32",
        seed: int = 0,
        context_dim: int = 0,
        init: str = "glorot_uniform",
        scale: float | None = None,
        missing: str | None = None,
        standardise: Any = False,
        schema: Any = None,
        encoder: Any = None,
        decoder: Any = None,
        inputs: Any = None,
        condition: Any = None,
        tilt: Any = None,
        linear: Any = None,
        neighbours: Any = None,
        functions: Any = None,
        widths: Any = None,
        redraws: Any = None,
        parameters: Mapping[str, Array] | None = None,
    ) -> None:
        self.posterior = clone(resolve("posterior", posterior))
        self.z_dim = _z_dim(z_dim, self.posterior)
        self._describe(
            x_dim, hidden, activation, dtype=dtype, seed=seed, context_dim=context_dim, init=init,
            scale=scale, standardise=standardise, schema=schema, condition=condition,
        )  # fmt: skip
        self.posterior.build(self.z_dim)
        # Copies, so that their parameters are this model's own.
        prior = self.posterior.usual_prior if prior is None else prior
        self.prior = clone(resolve("prior", prior))
        self._observe(likelihood, missing)
        self._take_networks(encoder, decoder)
        self._build_or_wait(inputs, parameters)
        self.tilt = None if tilt is None else Tilt.given(tilt, self.x_dim or 0)
        self.linear = None if linear is None else LinearGuesses.given(linear, self.x_dim or 0)
        given = None if neighbours is None else Neighbours.given(neighbours, self.x_dim or 0)
        self.neighbours = given
        self.functions = None if functions is None else Functions.given(functions, self.x_dim or 0)
        self.widths = None if widths is None else Widths.given(widths, self.x_dim or 0)
        self.redraws = None if redraws is None else Redraws.given(redraws, self.x_dim or 0)

    def _build(self, inputs: Any, parameters: Mapping[str, Array] | None) -> None:
        n_inputs, n_stats = self._build_input(inputs), self.posterior.n_outputs(self.z_dim)
        self.encoder = self._network("encoder", n_inputs, n_stats, self.hidden)
        n_z, n_theta = self.z_dim + self.context_dim, self.likelihood.n_outputs(self.x_dim)
        self.decoder = self._network("decoder", n_z, n_theta, self.hidden[::-1], OUT_GAIN)
        self.prior.build(self.z_dim, n_inputs)
        if self.prior.of_context:
            self.conditioner = self._conditioner()
        self.levels = [Level(self.posterior, self.prior)]
        made_of_posteriors = self.prior.pseudo_inputs is not None
        if made_of_posteriors and not isinstance(self.posterior, DiagonalGaussian):
            raise ConfigError(
                f"prior {self.prior.name!r} is made of Gaussian posteriors; got "
                f"{self.posterior.name!r}. Take posterior='gaussian', or prior='mixture'."
            )
        self._own(self._dtype, self.seed, parameters)

    def forward(
        self,
        x: Array,
        eps: Array,
        context: Array | None = None,
        needs: Collection[str] = ("log_px", "kl"),
    ) -> tuple[Terms, Any]:
        """What an objective needs of a batch.

        x (B, D) as `reader` gives it, in the likelihood's support, eps (K, B, Z), context (B, C).
        """
        compared = not {"kl", "log_pz"}.isdisjoint(needs)
        prior_inputs, c_inputs = self._prior_inputs(context) if compared else ((), None)
        stats, c_encoder = self.encoder.forward(self._encoder_input(x, context))
        (z, level), c_level = self.levels[0].forward(stats, eps, needs, prior_inputs)
        theta, c_decoder = self._decoded(z, level, context)
        of_each, c_likelihood = self._log_px(theta, x)
        log_px, c_mean = self.levels[0].expected(of_each, level)
        caches = (c_inputs, c_encoder, c_level, c_decoder, c_likelihood, c_mean)
        said = theta if "theta" in needs else None
        return Terms(log_px, [level], theta=said), caches

    def backward(self, cache: Any, d_terms: Terms) -> None:
        """Add the parameters' gradients to their views: the forward's lines, from the last up."""
        c_inputs, c_encoder, c_level, c_decoder, c_likelihood, c_mean = cache
        d_level = d_terms.levels[0] if d_terms.levels else LevelTerms()
        d_each, d_level = self.levels[0].expected_backward(c_mean, d_terms.log_px, d_level)
        dtheta, _ = self.likelihood.backward(c_likelihood, d_each)
        dz = self._decoded_backward(c_decoder, dtheta)
        dstats, d_inputs = self.levels[0].backward(c_level, dz, d_level)
        if d_inputs:
            self._prior_inputs_backward(c_inputs, *d_inputs)
        self.encoder.backward(c_encoder, dstats, wrt_input=False)

    def _decoded(self, z: Array, level: LevelTerms, context: Array | None) -> tuple[Array, Any]:
        """theta (K, B, ·). Where z is every code, and nothing beside it, one decoding serves all
        rows, so that its gradient is the sum of theirs."""
        once = level.log_share is not None and not self.context_dim
        given = self.posterior.once(z.dtype) if once else self._joined(z, context)
        theta, c_decoder = self.decoder.forward(given)
        return k.shared_by_rows(theta, z.shape[1]) if once else theta, (c_decoder, once)

    def _decoded_backward(self, cache: Any, dtheta: Array) -> Array:
        c_decoder, once = cache
        dtheta = k.shared_by_rows_backward(dtheta) if once else dtheta
        dz: Array = self.decoder.backward(c_decoder, dtheta)
        return dz[..., : self.z_dim] if self.context_dim else dz

    def _conditioner(self) -> Any:
        """The network from a context to the prior's mean and log-variance."""
        if not self.context_dim:
            raise ConfigError(
                f"prior {self.prior.name!r} depends on a context, and this model takes none; give "
                "condition=nv.Labels(...) or context_dim= too."
            )
        return self._mlp(self.context_dim, 2 * self.z_dim, self.hidden[-1:], OUT_GAIN)

    def _prior_inputs(self, context: Array | None) -> tuple[tuple[Array, ...], Any]:
        """What the prior is made of besides its parameters, mu and logvar; () if there is nothing.

        (M, Z) of the posteriors q(z given u) of its pseudo-inputs, or (B, Z) of each context.
        """
        if self.prior.of_context:
            stats, c_network = self.conditioner.forward(context)
            c_u: Any = None
        elif self.prior.pseudo_inputs is not None:
            u, c_u = self.prior.pseudo_inputs.forward()
            stats, c_network = self.encoder.forward(u)
        else:
            return (), None
        params, c_heads = _HEADS.forward(stats)
        return params, (c_u, c_network, c_heads)

    def _prior_inputs_backward(self, cache: Any, *d_params: Array) -> None:
        c_u, c_network, c_heads = cache
        dstats = _HEADS.backward(c_heads, *d_params)
        if self.prior.of_context:
            self.conditioner.backward(c_network, dstats, wrt_input=False)
        else:
            self.prior.pseudo_inputs.backward(c_u, self.encoder.backward(c_network, dstats))

    def _start_latent(self, inputs: Array) -> None:
        self.prior.start_from(inputs)

    @property
    def largest_row(self) -> int:
        return max(self.x_dim, self.prior.n_components)

    def posteriors(self, x: Array, context: Array | None) -> list[tuple[Array, ...]]:
        stats, _ = self.encoder.forward(self._encoder_input(x, context))
        return [self.posterior.forward(stats)[0]]

    def draw_z(self, n: int, rng: np.random.Generator, context: Array | None) -> Array:
        return self.levels[0].prior.sample(n, self.z_dim, rng, *self.prior_inputs(context))

    def prior_inputs(self, context: Array | None) -> tuple[Array, ...]:
        return self._prior_inputs(context)[0]

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        model = cls(6, 2, hidden=(5, 4), activation="tanh", dtype="float64", context_dim=2)
        model.flat += 0.1 * rng.normal(size=model.n_params)  # biases too
        context = rng.normal(size=(3, 2))
        return model, (rng.random((3, 6)), model.draw_noise(3, 2, rng), context)
