"""Parts and objectives as a user writes them: plain NumPy, parameters, counts and views."""

from __future__ import annotations

import math

import numpy as np

import npvae as nv
from npvae import kernels as k
from npvae.layers import Activation
from npvae.levels import GaussianKL, closed_form
from npvae.objectives import Losses


class Scaled(nv.Gaussian, abstract=True):
    """A Gaussian in plain NumPy whose log-scales, one a column, are parameters."""

    def __init__(self, width=5):
        self.width = width
        self.parameter("log_scale", (width,), lambda rng, shape: 0.1 * rng.normal(size=shape))

    def forward(self, mean, x):
        u = (x - mean) * np.exp(-self.log_scale)
        density = (-0.5 * (u * u + math.log(2 * math.pi)) - self.log_scale).sum(-1)
        return density, (u, u * np.exp(-self.log_scale))

    def backward(self, cache, d):
        u, r = cache
        self.dlog_scale += (d[..., None] * (u * u - 1)).sum((0, 1)).astype(u.dtype)
        return d[..., None] * r, None


class Float32(Scaled, abstract=True):
    """The same with gradients in float32, as one who watches his types has them."""

    def backward(self, cache, d):
        dmean, _ = super().backward(cache, d)
        return dmean.astype("float32"), None


class InPlace(nv.Gaussian, abstract=True):
    """Works in the arrays that it is given."""

    def forward(self, mean, x):
        mean -= x
        mean *= -1
        return -0.5 * (mean * mean).sum(-1, dtype=float), mean

    def backward(self, r, d):
        r *= d[..., None]
        return r, None


class Bent(Activation, abstract=True):
    """tanh(s) + slope · s, with a slope that all layers share as a parameter."""

    def __init__(self):
        self.parameter("slope", (1,), lambda rng, shape: np.full(shape, 0.3))

    def forward(self, a, b):
        s = a + b
        return np.tanh(s) + self.slope * s, s

    def backward(self, s, dh):
        self.dslope += (dh * s).sum()
        da = dh * (1 - np.tanh(s) ** 2 + self.slope)
        return da, da.sum(0)


class Through(Activation, abstract=True):
    """Gives back what it is given: views."""

    def forward(self, a, b):
        return a[:], None

    def backward(self, cache, dh):
        return dh[:], 0 * dh[0]


class Shifted(nv.StandardNormal, abstract=True):
    """N(1, I), whose KL is in plain NumPy too."""

    def forward(self, z):
        return -0.5 * ((z - 1) ** 2 + math.log(2 * math.pi)).sum(-1, dtype=float), z

    def backward(self, z, d):
        return -d[..., None].astype(z.dtype) * (z - 1)


@closed_form(nv.DiagonalGaussian, Shifted)
class ShiftedKL(nv.Part, abstract=True):
    def forward(self, mu, logvar):
        return 0.5 * ((mu - 1) ** 2 + np.expm1(logvar) - logvar)[None], (mu, logvar)

    def backward(self, cache, dkl):
        mu, logvar = cache
        return dkl[0] * (mu - 1), dkl[0] * 0.5 * np.expm1(logvar)


class Halves(nv.DiagonalGaussian, abstract=True):
    """Without bounds; gives views of its input."""

    def forward(self, stats):
        z_dim = stats.shape[-1] // 2
        return (stats[..., :z_dim], stats[..., z_dim:]), None

    def backward(self, cache, dmu, dlogvar):
        return np.concatenate([dmu, dlogvar], axis=-1)


closed_form(Halves, nv.StandardNormal)(GaussianKL)
closed_form(Halves, Shifted)(ShiftedKL)


class Counting(nv.ELBO, abstract=True):
    """Counts its calls and keeps the epochs."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.count, self.epochs = 0, []

    def __call__(self, terms, epoch=math.inf):
        self.count += 1
        self.epochs.append(epoch)
        return super().__call__(terms, epoch)


class Spread:
    """-ELBO without its KL, plus penalties on z and on the posterior, in float64."""

    needs = ("log_px", "z", "posterior")
    n_samples = 2

    def __init__(self):
        self.beta = nv.Linear(0, 1, epochs=2)

    def __call__(self, terms, epoch=math.inf):
        (level,) = terms.levels
        z, (mu, logvar) = level.z.astype(float), level.posterior
        beta, rec = self.beta(epoch), -terms.log_px.mean()
        kl = (z**4).mean() + (mu**2).mean() + (logvar**2).mean()
        d_level = nv.LevelTerms(
            z=beta * 4 * z**3 / z.size,
            posterior=(beta * 2 * mu / mu.size, beta * 2 * logvar / logvar.size),
        )
        d_terms = nv.Terms(np.full(terms.log_px.shape, -1 / terms.log_px.size), [d_level])
        return Losses(rec + beta * kl, rec, kl), d_terms


class Squared(nv.ELBO, abstract=True):
    """rec + ½ Σ kl² / B, whose gradient by kl is kl / B: here even the same array for B = 1."""

    def __call__(self, terms, epoch=math.inf):
        rec, d = k.mean_loss(terms.log_px)
        kl = terms.levels[0].kl
        half = 0.5 * (kl**2).sum() / kl.shape[1]
        d_kl = kl if kl.shape[1] == 1 else kl / kl.shape[1]
        return Losses(rec + half, rec, half), nv.Terms(d, [nv.LevelTerms(kl=d_kl)])
