"""A model with two latent levels, as a user writes one: a file of its own, made of npvae's parts.

p(x, z1, z2) = p(x given z1) p(z1 given z2) p(z2), and z1 next to x. The posterior is built from the
bottom up, q(z1 given x) q(z2 given z1), so that z2 depends on z1's sample and the prior of z1 on
that of z2. The first level's KL is sampled, the second's has a closed form for each sample.
"""

from __future__ import annotations

import numpy as np

import npvae as nv
from npvae import kernels as k
from npvae.core import LevelTerms, Terms, clone, resolve
from npvae.layers import mlp
from npvae.levels import Level
from npvae.priors import Prior


class Conditional(Prior, abstract=True):
    """log N(z; mu, exp(logvar)), with mu and logvar (K, B, Z) from another level."""

    def forward(self, z, mu, logvar):
        return k.gaussian_log_prob(z, mu, logvar), (z, mu, logvar)

    def backward(self, cache, d_log_p):
        return k.gaussian_log_prob_backward(d_log_p, *cache)

    def sample(self, n, z_dim, rng, mu, logvar):
        return mu + np.exp(logvar / 2) * rng.standard_normal((n, z_dim))


class BottomUp(nv.Model, abstract=True):
    def __init__(
        self, x_dim, z_dims, *, hidden=(16,), activation="tanh", likelihood="bernoulli",
        dtype="float32", seed=0, scale=None, parameters=None,
    ):  # fmt: skip
        self.x_dim, self.z_dims, self.hidden = x_dim, tuple(z_dims), tuple(hidden)
        self.z_dim, self.context_dim, self.seed, self.scale = z_dims[0], 0, seed, scale
        self.activation = resolve("activation", activation)
        self.likelihood = clone(resolve("likelihood", likelihood))
        self.likelihood.declare(x_dim)
        z1, z2 = self.z_dims
        self.levels = self._levels()
        self.up = [self._network(n, 2 * z) for n, z in zip(self._seen(), z_dims, strict=True)]
        self.down = self._network(z2, 2 * z1)
        self.heads = nv.DiagonalGaussian()
        self.decoder = self._network(z1, self.likelihood.n_outputs(x_dim))
        self._own(dtype, seed, parameters)

    def _levels(self):
        q = nv.DiagonalGaussian()
        return [Level(q, Conditional()), Level(q, nv.StandardNormal())]

    def _seen(self):
        """How many numbers the posteriors of z1 and z2 see."""
        return self.x_dim, self.z_dims[0]

    def _network(self, n_in, n_out):
        return mlp(n_in, self.hidden, n_out, self.activation)

    @property
    def noise_widths(self):
        return self.z_dims

    def forward(self, x, eps, context=None, needs=("log_px", "kl")):
        lower, upper = self.levels
        stats, c_up = self.up[0].forward(self.likelihood.features(x))
        drawn, c_draw = lower.draw(stats, eps[0], needs)
        upper_stats, c_upper_up = self.up[1].forward(drawn.z)
        (z2, upper_terms), c_upper = upper.forward(upper_stats, eps[1], needs)
        prior_stats, c_down = self.down.forward(z2)
        prior, c_heads = self.heads.forward(prior_stats)
        lower_terms, c_compare = lower.compare(drawn, needs, prior)
        theta, c_decoder = self.decoder.forward(drawn.z)
        log_px, c_likelihood = self.likelihood.forward(theta, x)
        return Terms(log_px, [lower_terms, upper_terms]), (
            c_up, c_draw, c_upper_up, c_upper, c_down, c_heads, c_compare, c_decoder, c_likelihood,
        )  # fmt: skip

    def backward(self, cache, d_terms):
        """From the last line of the forward to the first; z1 and z2 have two uses each."""
        (
            c_up, c_draw, c_upper_up, c_upper, c_down, c_heads, c_compare, c_decoder, c_likelihood,
        ) = cache  # fmt: skip
        lower, upper = self.levels
        d_lower, d_upper = d_terms.levels or [LevelTerms(), LevelTerms()]
        dtheta, _ = self.likelihood.backward(c_likelihood, d_terms.log_px)
        dz1 = self.decoder.backward(c_decoder, dtheta)
        d_drawn, d_prior = lower.compare_backward(c_compare, d_lower)
        dz2 = self.down.backward(c_down, self.heads.backward(c_heads, *d_prior))
        d_upper_stats, _ = upper.backward(c_upper, dz2, d_upper)
        dz1 = k.add(dz1, self.up[1].backward(c_upper_up, d_upper_stats))
        dstats = lower.draw_backward(c_draw, dz1, d_lower, d_drawn)
        self.up[0].backward(c_up, dstats, wrt_input=False)

    def start_from(self, mean, n, rows, context=None):
        bias = self.decoder.output_bias
        start = self.likelihood.output_bias(mean, n)
        if start is not None and not bias.any():
            bias[...] = start

    def posteriors(self, x, context):
        """q(z1 given x), and q(z2 given z1) at z1's mean."""
        lower, upper = (level.posterior for level in self.levels)
        first, _ = lower.forward(self.up[0].forward(self.likelihood.features(x))[0])
        return [first, upper.forward(self.up[1].forward(first[0])[0])[0]]

    def theta(self, z, context):
        return self.decoder.forward(z)[0]

    def draw_z(self, n, rng, context):
        z2 = self.levels[1].prior.sample(n, self.z_dims[1], rng).astype(self.dtype)
        prior, _ = self.heads.forward(self.down.forward(z2)[0])
        return self.levels[0].prior.sample(n, self.z_dim, rng, *prior)
