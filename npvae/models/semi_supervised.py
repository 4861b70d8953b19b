"""The semi-supervised VAE: a label that is known for some rows, and summed out for the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import LevelTerms, Part, Terms
from ..core.arrays import constant
from ..core.checks import number, whole
from ..core.errors import ConfigError, DataError
from ..core.numerics import log_softmax
from ..core.public import public
from ..data.conditions import PartialLabels
from ..layers.by_class import ByClass
from ..levels import Level
from ..posteriors import DiagonalGaussian
from ..priors import StandardNormal
from .noise import Rng
from .observed import OUT_GAIN, Observed

Array = np.ndarray


class SemiSupervisedVAE(Observed):
    """p(x, y, z) = p(y) p(z) p(x given y, z), q(y given x) q(z given x, y): the paper's M2.

    Each row's label y is given, or -1 where it is not known. With L_c(x) the bound on log p(x given
    y = c), a labelled row has the bound L_y(x) + log p(y), and an unlabelled one, q standing for
    q(y given x),

        U(x) = Σ_c q_c (L_c(x) + log p(y = c)) - Σ_c q_c log q_c.

    p(y) is uniform. So that q(y given x) learns from the labels as well, labelled rows have log q_y
    added, `alpha` times the number of rows over that of labelled ones (the paper's equation 9).
    Losses are those of the ELBO: rec with that addition, and kl with the label's.

    Derivation, with known labels as unit vectors k (B, C), s = Σ_c k_c (1 or 0), and
    r = k + (1 - s) q, q = softmax(logits):
      (1) log p(x) and the KL of z are means over the classes, weighted by r
      (2) the KL of the label is Σ_c q_c log q_c + log C, and of a known one log C
      (3) log p(x) has α Σ_c k_c log q_c added
      (4) dr_c = Σ_K (dlog_px log_px_c + Σ_Z dkl kl_c);  dlog_px_c = r_c dlog_px, dkl_c = r_c dkl
      (5) dq_c = (1 - s) (dr_c + D (log q_c + 1)), D the gradient of the label's KL
      (6) ∂q_c/∂logit_j = q_c ([c = j] - q_j)   ->  dlogits = q (dq - Σ_c q_c dq_c)
      (7) ∂log q_y/∂logit_j = [y = j] - q_j     ->  dlogits += α Σ_K dlog_px (k - s q)
    Every class's z and theta are computed, which costs C times a VAE's step, but for what the
    encoder's first layer makes of x.

    Parameters
    ----------
    x_dim, z_dim : int
    n_classes : int or sequence
        How many classes there are, 0, 1, ...; or their names.
    hidden : sequence of int
        Widths of the hidden layers of classifier and encoder; the decoder has them mirrored.
    alpha : float
        How much log q(y given x) of a label counts, on the paper's scale.
    labelled : float, optional
        The share of rows that have a label; the first `fit` finds it.
    activation, likelihood, dtype, seed, init, scale, missing, standardise, schema, inputs,
    parameters
        As in `VAE`.

    Raises
    ------
    ConfigError
        If a size is not a whole number above 0, or a name is unknown.

    Source: Kingma, Rezende, Mohamed & Welling 2014, equations 6 to 9.
    """

    name = "semi"
    has_density = False
    predicts = True

    def __init__(
        self,
        x_dim: int | None = None,
        z_dim: int | None = None,
        n_classes: Any = None,
        *,
        hidden: Sequence[int] = (400,),
        activation: Any = "softplus",
        likelihood: Any = "bernoulli",
        alpha: float = 0.1,
        labelled: float | None = None,
        dtype: Any = "float32",
        seed: int = 0,
        init: str = "glorot_uniform",
        scale: float | None = None,
        missing: str | None = None,
        standardise: Any = False,
        schema: Any = None,
        inputs: Any = None,
        parameters: Mapping[str, Array] | None = None,
    ) -> None:
        self.z_dim = whole("z_dim", z_dim)
        self.alpha = number("alpha", alpha, least=0)
        self.labelled = None if labelled is None else number("labelled", labelled, above=0)
        if n_classes is None:
            raise ConfigError("n_classes is how many classes there are, or their names; got None.")
        labels = PartialLabels(n_classes)
        self.n_classes = labels.classes
        self._describe(
            x_dim, hidden, activation, dtype=dtype, seed=seed, context_dim=0, init=init,
            scale=scale, standardise=standardise, schema=schema, condition=labels,
        )  # fmt: skip
        self._observe(likelihood, missing)
        self._build_or_wait(inputs, parameters)

    def _build(self, inputs: Any, parameters: Mapping[str, Array] | None) -> None:
        n_inputs = self._build_input(inputs) - self.context_dim
        n_classes, n_theta = self.context_dim, self.likelihood.n_outputs(self.x_dim)
        self.classifier = self._mlp(n_inputs, n_classes, self.hidden)
        n_in, n_z = n_inputs + n_classes, self.z_dim + n_classes
        heard = self._heard(n_in)
        self.encoder = ByClass(self._mlp(n_in, 2 * self.z_dim, self.hidden, in_gain=heard))
        self.decoder = self._mlp(n_z, n_theta, self.hidden[::-1], OUT_GAIN, self._heard(n_z))
        self.levels = [Level(DiagonalGaussian(), StandardNormal())]
        self._own(self._dtype, self.seed, parameters)

    def forward(
        self,
        x: Array,
        eps: Array,
        context: Array | None = None,
        needs: Collection[str] = ("log_px", "kl"),
    ) -> tuple[Terms, Any]:
        """What an objective needs of a batch; eps (K·C, B, Z), context (B, C) the known labels."""
        asked = sorted({*needs} - {"log_px", "kl"})
        if asked:
            raise ConfigError(
                "a semi-supervised VAE sums the label out of the ELBO; got an objective or a "
                f"measure that asks for {', '.join(asked)}. Take nv.ELBO()."
            )
        inputs, n, known = self._encoder_input(x, None), self.context_dim, self._known(context, x)
        logits, c_classifier = self.classifier.forward(inputs)
        stats, c_encoder = self.encoder.each(inputs, len(eps))
        (z, level), c_level = self.levels[0].forward(stats, eps)
        theta, c_decoder = self.decoder.forward(k.with_each_class(z, n))
        log_px, c_likelihood = self._log_px(theta, x)
        of_each = (log_px, level.kl, logits, known, self._weight)
        log_p, kl = k.over_labels(*of_each)
        caches = (c_classifier, c_encoder, c_level, c_decoder, c_likelihood, of_each)
        return Terms(log_p, [LevelTerms(kl=kl)]), caches

    def backward(self, cache: Any, d_terms: Terms) -> None:
        """Add the parameters' gradients to their views: the forward's lines, from the last up."""
        c_classifier, c_encoder, c_level, c_decoder, c_likelihood, of_each = cache
        d_kl = d_terms.levels[0].kl if d_terms.levels else None
        if d_kl is None:
            d_kl = constant(np.zeros((*d_terms.log_px.shape, self.z_dim + 1), self.flat.dtype))
        d_log_px, d_kl, d_logits = k.over_labels_backward(d_terms.log_px, d_kl, *of_each)
        dtheta, _ = self.likelihood.backward(c_likelihood, d_log_px)
        dz = self.decoder.backward(c_decoder, dtheta)[..., : self.z_dim]
        dstats, _ = self.levels[0].backward(c_level, dz, LevelTerms(kl=d_kl))
        self.encoder.each_backward(c_encoder, dstats)
        self.classifier.backward(c_classifier, d_logits, wrt_input=False)

    @property
    def _weight(self) -> float:
        """What log q(y given x) of a labelled row counts."""
        return self.alpha / (self.labelled or 1.0)

    def _known(self, context: Array | None, x: Array) -> Array:
        if context is not None:
            return context
        return constant(np.zeros((len(x), self.context_dim), self.flat.dtype))

    def draw_noise(self, batch: int, n_samples: int, rng: Rng) -> Any:
        """Standard normal eps, (K·C, B, Z): each class of each of the K samples has its own."""
        return super().draw_noise(batch, n_samples * self.context_dim, rng)

    def check_noise(self, eps: Any, batch: int) -> Any:
        eps = super().check_noise(eps, batch)
        if len(eps) % self.context_dim:
            raise DataError(
                f"eps needs shape (K·{self.context_dim}, {batch}, {self.z_dim}), noise for each "
                f"class; got {eps.shape}. Draw it with model.draw_noise(batch, n_samples, rng)."
            )
        return eps

    def context_reader(self, context: Any, n: int) -> Any:
        """Labels that are not given are not known."""
        return super().context_reader(np.full(n, -1) if context is None else context, n)

    def start_from_context(self, contexts: Any) -> None:
        """Find the share of rows that have a label, unless it was found or given before."""
        if self.labelled is None:
            known = sum(float(contexts.batch(rows).sum()) for rows in contexts.chunks())
            if not known:
                raise DataError(
                    "y has no label at all; give the labels of some rows, or take nv.VAE."
                )
            self.labelled = known / len(contexts)

    def start_from(self, mean: Array, n: int, rows: Array, context: Array | None = None) -> None:
        super().start_from(mean, n, rows, None)

    @public
    def predict_proba(self, x: Any) -> Array:
        """q(y given x) of each class, (N, C), in float64."""
        logits = [
            self.classifier.forward(self._encoder_input(batch, None))[0]
            for batch, _ in self.batches(x, None)
        ]
        return np.exp(log_softmax(np.concatenate(logits).T)).T

    @public
    def predict(self, x: Any) -> Array:
        """The likeliest class of each row, (N,): its number, or its name if classes have names."""
        classes = np.arange(self.n_classes) if isinstance(self.n_classes, int) else self.n_classes
        return np.asarray(classes)[self.predict_proba(x).argmax(-1)]

    @public
    def reconstruct(self, x: Any, context: Any = None, take: str = "mean", seed: int = 0) -> Array:
        """`decode` at the centre of q(z given x, y), y the given label or else the likeliest."""
        labels = self.labels(x, context)
        return self.decode(self.centres(x, labels)[0], labels, take, seed)

    @public
    def encode(self, x: Any, context: Any = None) -> Any:
        """Mean and log-variance of q(z given x, y), each (N, Z), y given or else the likeliest."""
        return super().encode(x, self.labels(x, context))

    @public
    def sample(
        self,
        n: int,
        seed: int = 0,
        context: Any = None,
        take: str = "mean",
        label: Any = None,
    ) -> Array:
        """New examples (n, D) of a label, or of labels drawn from p(y); else as `VAE.sample`."""
        context = label if context is None else context
        if context is None:
            rng = np.random.default_rng([whole("seed", seed, least=0), 2])
            context = np.eye(self.context_dim)[rng.integers(self.context_dim, size=whole("n", n))]
        return super().sample(n, seed, context, take)

    @public
    def labels(self, x: Any, y: Any = None) -> Array:
        """The labels as unit vectors, (N, C): those of y that are known, else the likeliest."""
        likeliest = np.eye(self.context_dim)[self.predict_proba(x).argmax(-1)]
        if y is None:
            return likeliest
        return _known_or(likeliest, np.asarray(self._context_rows(y)))

    def posteriors(self, x: Array, context: Array | None) -> list[tuple[Array, ...]]:
        inputs = k.concat(self._encoder_input(x, None), self._known(context, x))
        return [self.levels[0].posterior.forward(self.encoder.forward(inputs)[0])[0]]

    def drawn_theta(self, x: Array, eps: Any, context: Array | None) -> Array:
        """At draws of z with the known label, or else the likeliest."""
        logits, _ = self.classifier.forward(self._encoder_input(x, None))
        labels = np.eye(self.context_dim, dtype=self.flat.dtype)[logits.argmax(-1)]
        if context is not None:
            labels = _known_or(labels, context)
        own = eps.reshape(-1, self.context_dim, *eps.shape[1:])[:, 0]  # of one class of each sample
        params = self.posteriors(x, labels)[0]
        return self.theta(self.levels[0].posterior.draw(params, own, density=False)[0][0], labels)

    def theta(self, z: Array, context: Array | None) -> Array:
        if context is None or not context.sum(-1).all():
            raise DataError(
                "this model decodes z with a label; got rows without one. Pass context=labels."
            )
        return super().theta(z, context)

    def draw_z(self, n: int, rng: np.random.Generator, context: Array | None) -> Array:
        return self.levels[0].prior.sample(n, self.z_dim, rng)

    @property
    def arguments(self) -> dict[str, Any]:
        return {n: v for n, v in super().arguments.items() if n != "condition"}

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        model = cls(5, 2, 3, hidden=(4,), activation="tanh", labelled=0.5, dtype="float64")
        model.flat += 0.2 * rng.normal(size=model.n_params)
        known = np.eye(3)[[0, 2, 1, 0]] * [[1], [0], [1], [0]]
        return model, (rng.random((4, 5)), model.draw_noise(4, 2, rng), known)


def _known_or(likeliest: Array, known: Array) -> Array:
    """The labels as unit vectors (N, C): those known, which are not zeros, or the likeliest."""
    return np.where(known.sum(-1, keepdims=True) > 0, known, likeliest)
