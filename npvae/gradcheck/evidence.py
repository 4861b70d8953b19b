"""Identities of the evidence log p(x): the ELBO, IWAE, importance sampling and rotations.

Each function takes a random generator and returns what it found. `linear_gaussian.py` says what is
exact and why.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import LevelTerms, Terms
from ..core.numerics import logmeanexp
from ..evaluate import log_likelihood
from ..models import VAE, value_and_grad
from ..objectives import ELBO, IWAE
from .claim import SIGMAS, Claim, compare, estimate, rounding
from .linear_gaussian import (
    LOG_2PI,
    LinearGaussian,
    cubature,
    encode_posterior,
    exact_elbo,
    exact_terms,
    gaussian_kl,
    linear_vae,
    log_overlap,
)

Array = np.ndarray
Rng = np.random.Generator


def evidence_and_gap(rng: Rng) -> list[Claim]:
    """log p(x) = ELBO + KL(q(z given x) ‖ p(z given x)), term by term, all of them exact.

    For any q, log p(x) = log p(x, z) - log p(z given x) is a number for every z, so also in the
    mean over q; with ∓log q it falls apart into E_q[log p(x, z) - log q] + KL(q ‖ p(z given x)).
    Source: Kingma & Welling 2014, equations 1 to 3.
    """
    model = linear_vae(rng, x_dim=7, z_dim=3, scale=0.7)
    exact = LinearGaussian.of(model)
    x = exact.sample(5, rng)
    mu, logvar = model.encode(x)
    variance = np.exp(logvar)
    terms = exact_terms(model, x)

    far = ((x - exact.b - mu @ exact.W.T) ** 2).sum(-1) + variance @ (exact.W**2).sum(0)
    log_px = -0.5 * (far / exact.noise + 7 * (LOG_2PI + np.log(exact.noise)))
    kl = gaussian_kl(mu, variance, np.zeros_like(mu), np.eye(3))
    gap = gaussian_kl(mu, variance, exact.posterior_mean(x), exact.precision)
    objective: Any = ELBO(n_samples=6)
    minus_elbo, _ = value_and_grad(model, objective, x, cubature(5, 3))
    size = np.abs(log_px).max() + kl.max() + gap.max()
    return [
        compare(
            "E_q[log p(x|z)]", terms.log_px.mean(0), log_px, exact.rounding(size), "rounding",
            "the model's log_px against -½ (E‖x - W z - b‖² / s² + D log 2πs²), by row",
        ),
        compare(
            "KL(q || p(z))", terms.levels[0].kl.sum((0, -1)), kl, exact.rounding(size), "rounding",
            "the model's kl against the KL between two multivariate Gaussians, by row",
        ),
        compare(
            "log p(x) = ELBO + KL(q || p(z|x))",
            gap.mean() - minus_elbo, exact.log_px(x).mean(), exact.rounding(size), "rounding",
            f"the mean of 5 rows: ELBO {-minus_elbo:.6f} + KL {gap.mean():.6f}",
        ),
    ]  # fmt: skip


def jensen(rng: Rng) -> list[Claim]:
    """ELBO ≤ log p(x) whatever the encoder, with equality where q is the posterior.

    E_q[log w] ≤ log E_q[w] as log is concave; w = p(x, z) / q(z) has the mean p(x) under q, and is
    that constant only where q(z) = p(z given x).
    Source: Jordan et al. 1999; Kingma & Welling 2014, equation 2.
    """
    model = linear_vae(rng, x_dim=7, z_dim=3, scale=0.7, axes=True)
    exact = LinearGaussian.of(model)
    x = exact.sample(5, rng)
    encode_posterior(model)
    best = exact_elbo(model, x)
    gaps = []
    for distance in np.repeat([0.01, 0.1, 1.0], 20):
        other = model.copy()
        for part in other.encoder.layers:
            part.W += distance * rng.normal(size=part.W.shape)
            part.b += distance * rng.normal(size=part.b.shape)
        gaps.append(exact.log_px(x) - exact_elbo(other, x))
    size = np.abs(exact.log_px(x)).max()
    return [
        compare(
            "Jensen: ELBO <= log p(x)", -np.array(gaps), 0.0, exact.rounding(size), "rounding",
            "ELBO - log p(x) at 60 random encoders and 5 rows: the nearest to 0", "<=",
        ),
        compare(
            "ELBO = log p(x) where q = p(z|x)",
            best, exact.log_px(x), exact.rounding(size), "rounding",
            "W's columns are orthogonal, so that the posterior is diagonal and q can be it",
        ),
    ]  # fmt: skip


def fisher(rng: Rng) -> list[Claim]:
    """Where q is the posterior, the ELBO's gradient is that of log p(x), and 0 for the encoder.

    The gap KL(q ‖ p(z given x)) is at its minimum, 0, so its gradient is 0 for both θ and φ.
    Source: Fisher's identity; Dempster, Laird & Rubin 1977.
    """
    model = linear_vae(rng, x_dim=7, z_dim=3, scale=0.7, axes=True)
    exact = LinearGaussian.of(model)
    x = exact.sample(5, rng)
    encode_posterior(model)
    objective: Any = ELBO(n_samples=6)
    _, gradients = value_and_grad(model, objective, x, cubature(5, 3))
    dW, db = exact.d_log_px(x)
    encoder = np.concatenate([g.ravel() for n, g in gradients.items() if n.startswith("encoder")])
    decoder = np.concatenate([gradients[f"decoder.layers.0.{n}"].ravel() for n in "Wb"])
    # The terms that cancel: dtheta = (x - mean) / s², times z, W and x on the way back.
    size = np.abs(x).max() ** 2 / exact.noise * np.linalg.norm(exact.W)
    return [
        compare(
            "d ELBO/dtheta = d log p(x)/dtheta at q = p(z|x)",
            -decoder, np.concatenate([dW.ravel(), db]), exact.rounding(size), "rounding",
            "the decoder's gradient against (C⁻¹ddᵀC⁻¹ - C⁻¹)W and C⁻¹d, its largest error",
        ),
        compare(
            "d ELBO/dphi = 0 at q = p(z|x)", encoder, 0.0, exact.rounding(size), "rounding",
            "no encoder does better than the posterior: the largest of its gradients",
        ),
    ]  # fmt: skip


def entropy_form(rng: Rng) -> list[Claim]:
    """ELBO = E_q[log p(x, z)] + H(q), H = ½ Σ (logvar + 1 + log 2π), for any decoder.

    -KL(q ‖ p(z)) = E_q[log p(z)] - E_q[log q], and -E_q[log q] = H(q) is the entropy; both are
    means of quadratics in eps, so `cubature` makes them exact; log p(x given z) is common.
    Source: Kingma & Welling 2014, equation 2 and appendix B.
    """
    model = VAE(6, 3, hidden=(5,), activation="tanh", dtype="float64")
    model.flat[...] = rng.normal(0, 0.5, model.n_params)
    x = (rng.random((4, 6)) < 0.5).astype(float)
    terms = exact_terms(model, x)
    entropy = 0.5 * (terms.levels[0].posterior[1] + 1 + LOG_2PI).sum(-1)
    elbo = terms.log_px.mean(0) - terms.levels[0].kl.sum((0, -1))
    joint = (terms.log_px + terms.levels[0].log_pz).mean(0)
    allowed = rounding(np.abs(terms.log_px).max() + np.abs(terms.levels[0].log_qz).max(), 6 * 3 + 6)
    return [
        compare(
            "H(q) = -E_q[log q]", -terms.levels[0].log_qz.mean(0), entropy, allowed, "rounding",
            "the model's log_qz against ½ Σ (logvar + 1 + log 2π)",
        ),
        compare(
            "ELBO = E_q[log p(x,z)] + H(q)", joint + entropy, elbo, allowed, "rounding",
            "a tanh network with a Bernoulli likelihood: the form holds for any decoder",
        ),
    ]  # fmt: skip


def iwae_bounds(rng: Rng) -> list[Claim]:
    """ELBO = IWAE(1) ≤ IWAE(2) ≤ ... ≤ log p(x), each step on the same draws.

    log ½(a + b) ≥ ½(log a + log b), and more where a ≠ b: the bound of 2K draws is above the mean
    of its halves', whatever was drawn. By Jensen's inequality E[log mean w] ≤ log E[w] = log p(x).
    Source: Burda, Grosse & Salakhutdinov 2016, theorem 1.
    """
    model = linear_vae(rng, x_dim=7, z_dim=3, scale=0.7, axes=True)
    exact = LinearGaussian.of(model)
    _encode_badly(model, offset=0.7, extra_logvar=0.3)
    row, repeats, block = exact.sample(1, rng), 2000, 10
    eps = model.draw_noise(repeats, 64, rng)
    terms, _ = model.forward(np.repeat(row, repeats, axis=0), eps, needs=IWAE.needs)
    blocks = [slice(start, start + block) for start in range(0, repeats, block)]
    bounds = {
        k: np.array([-IWAE(k)(_groups(terms, rows, k))[0].loss for rows in blocks])
        for k in (1, 4, 16, 64)
    }
    log_px = exact.log_px(row)[0]
    means = [b.mean() for b in bounds.values()]
    rising = ", ".join(f"{k}: {m:.4f}" for k, m in zip(bounds, means, strict=True))
    return [
        estimate(
            "IWAE(1) = ELBO", bounds[1], exact_elbo(model, row)[0],
            "the bound of single samples, in the mean, against the ELBO with its closed-form KL",
        ),
        compare(
            "IWAE(K) rises with K",
            np.diff(means), rounding(log_px, 64), 0.0, "none: above rounding",
            f"its least step on the same draws; {rising}; log p(x) {log_px:.4f}", ">=",
        ),
        estimate(
            "IWAE(64) <= log p(x)", bounds[64], log_px,
            f"the mean of {repeats} estimates: {bounds[64].mean() - log_px:+.1e} from it",
            relation="<=",
        ),
    ]  # fmt: skip


def _groups(terms: Terms, rows: slice, size: int) -> Terms:
    """Each row's K samples as K / size examples of `size` samples each."""

    def fold(a: Array) -> Array:
        return a[:, rows].T.reshape(-1, size).T

    (level,) = terms.levels
    return Terms(
        fold(terms.log_px), [LevelTerms(log_pz=fold(level.log_pz), log_qz=fold(level.log_qz))]
    )


def importance_sampling(rng: Rng) -> list[Claim]:
    """p(x) = E_q[p(x, z) / q(z)], and n draws count as n / (1 + χ²(p(z given x) ‖ q)).

    The weight w = p(x, z) / (q(z) p(x)) = p(z given x) / q(z) has the mean 1 under q and the second
    moment 1 + χ². The effective sample size (Σw)² / Σw² estimates n E[w]² / E[w²]. For Gaussians
    every moment of w is a closed form, and with them the standard errors of both.
    Source: Kong, Liu & Wong 1994; Rezende, Mohamed & Wierstra 2014, appendix E.
    """
    n = 2000
    model, x = _needle(rng)
    exact = LinearGaussian.of(model)
    _encode_badly(model, offset=0.3, extra_logvar=0.2)
    mu, logvar = (a[0] for a in model.encode(x))
    q = mu, np.diag(np.exp(-logvar))
    m2, m3, m4 = (
        np.exp(log_overlap(a, exact.posterior_mean(x)[0], exact.precision, *q)) for a in (2, 3, 4)
    )
    # By the delta method on the means of w and w², whose covariances are these moments'.
    share_variance = 4 * (m2 - 1) / m2**2 - 4 * (m3 - m2) / m2**3 + (m4 - m2**2) / m2**4
    log_w = _log_weights(model, x, model.draw_noise(1, n, rng))
    estimated = log_likelihood(model, x, n, seed=int(rng.integers(2**31)))
    ratio = float(np.exp(estimated - exact.log_px(x))[0])
    return [
        Claim(
            "E_q[p(x,z)/q(z)] / p(x) = 1", ratio, 1.0, SIGMAS * float(np.sqrt((m2 - 1) / n)),
            "4.0 standard errors",
            f"nv.log_likelihood with {n} draws in {NEEDLE_Z} dimensions, q's means 0.3 sd off",
        ),
        Claim(
            "effective sample size = n / (1 + chi2)",
            _effective(log_w), n / m2, SIGMAS * float(np.sqrt(n * share_variance)),
            "4.0 standard errors", f"of {n} draws from this q; 1 + χ² = {m2:.3f}",
        ),
    ]  # fmt: skip


def naive_monte_carlo(rng: Rng) -> list[Claim]:
    """p(x) = E_p(z)[p(x given z)] is just as true, and useless: no draw meets the posterior.

    With w as in `importance_sampling` and B = ∫ √(p(z given x) q(z)) dz = E_q[√w],
      (1) E[√(mean w)] ≤ E[Σ √(w / n)] = √n B, as √(a + b) ≤ √a + √b
      (2) so by Markov's inequality P(mean w ≥ 1/e) ≤ √(n e) B:
    that is the chance that the estimate falls short of log p(x) by less than a nat.
    The measured effective sample size is 1 at the least, however few draws are of use.
    Source: Kingma & Welling 2014, section 2.1; Owen 2013, section 9.1.
    """
    n, half = 2000, 4.0
    model, x = _needle(rng)
    exact = LinearGaussian.of(model)
    posterior = exact.posterior_mean(x)[0], exact.precision
    log_px = exact.log_px(x)[0]
    for part in model.encoder.layers:
        part.W.fill(0)
        part.b.fill(0)
    standard = np.zeros(NEEDLE_Z), np.eye(NEEDLE_Z)
    from_prior = _log_weights(model, x, model.draw_noise(1, n, rng))  # now q = p(z)
    z = rng.uniform(-half, half, (n, 1, NEEDLE_Z))
    log_px_z = model.likelihood.forward(model.decoder.forward(z)[0], x)[0]
    from_box = (log_px_z + model.prior.forward(z)[0])[:, 0] + NEEDLE_Z * np.log(2 * half)
    found = []
    for source, log_w, log_B, log_second in (
        (
            "the prior", from_prior,
            log_overlap(0.5, *posterior, *standard), log_overlap(2, *posterior, *standard),
        ),
        ("a uniform", from_box, *_log_moments_from_box(exact.precision, half)),
    ):  # fmt: skip
        chance = np.exp(0.5 * (np.log(n) + 1) + log_B)
        estimated = logmeanexp(log_w, axis=0)
        note = (
            f"log p(x) {log_px:.1f}, estimated {estimated:.1f}: {n} draws are worth "
            f"{n * np.exp(-log_second):.0e}, and seem worth {_effective(log_w):.1f}; "
            f"less than a nat short has a chance of {chance:.0e} at most"
        )
        found.append(
            Claim(
                f"z from {source}: log p(x) missed, nats",
                float(log_px - estimated), 1.0, 0.0, "Markov's inequality", note, ">=",
            )
        )  # fmt: skip
    return found


NEEDLE_Z = 16
"""Latent dimensions of `_needle`."""


def _needle(rng: Rng) -> tuple[VAE, Array]:
    """A model whose posterior is narrow, and one row of its own."""
    model = linear_vae(rng, x_dim=40, z_dim=NEEDLE_Z, scale=0.1, axes=True)
    return model, LinearGaussian.of(model).sample(1, rng)


def _encode_badly(model: VAE, offset: float, extra_logvar: float) -> None:
    """q as the posterior, but with means so many of its standard deviations off, and too wide."""
    encode_posterior(model)
    std = 1 / np.sqrt(np.diag(LinearGaussian.of(model).precision))
    model.encoder.layers[0].b += np.concatenate([offset * std, np.full_like(std, extra_logvar)])


def _log_weights(model: VAE, x: Array, eps: Array) -> Array:
    """log p(x, z) - log q(z) of draws for the one row x: (K,)."""
    terms, _ = model.forward(x, eps, needs=IWAE.needs)
    return terms.log_w[:, 0]


def _log_moments_from_box(precision: Array, half: float) -> tuple[float, float]:
    """log E[√w] and log E[w²] where q is uniform on [-half, half] in every dimension.

    ∫ N^a dz = (2π)^((1-a)Z/2) a^(-Z/2) |P|^((a-1)/2), the density of q being (2 half)^-Z; the
    posterior's mass outside the box is counted in, so that the first is an upper bound.
    """
    z_dim, logdet = len(precision), np.linalg.slogdet(precision)[1]

    def log_moment(a: float) -> float:
        power = 0.5 * ((1 - a) * (z_dim * np.log(2 * np.pi) - logdet) - z_dim * np.log(a))
        return float(power - (1 - a) * z_dim * np.log(2 * half))

    return log_moment(0.5), log_moment(2)


def _effective(log_w: Array) -> float:
    """The effective sample size (Σw)² / Σw²."""
    w = np.exp(log_w - log_w.max())
    return float(w.sum() ** 2 / (w @ w))


def rotation(rng: Rng) -> list[Claim]:
    """p(x) can't tell z from a rotated z: W R with z' = Rᵀz gives the same joint density.

    W R Rᵀz = W z, ‖Rᵀz‖ = ‖z‖ and |det R| = 1, so p(x, z') = p(x, z), and integrated p(x) is the
    same: a factorised prior says nothing of which axes mean something. What tells them apart is
    the diagonal q: the best ELBO is highest where W's columns are orthogonal.
    Source: Tipping & Bishop 1999, section 3.2; Rolinek, Zietlow & Martius 2019.
    """
    model = linear_vae(rng, x_dim=7, z_dim=3, scale=0.7, axes=True)
    turned = model.copy()
    R = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turned.decoder.layers[0].W[...] = model.decoder.layers[0].W @ R
    exact = LinearGaussian.of(model)
    x, z = exact.sample(5, rng), rng.normal(size=(10, 5, 3))

    def joint(vae: VAE, z: Array) -> Array:
        log_px, _ = vae.likelihood.forward(vae.decoder.forward(z)[0], x)
        return log_px + vae.prior.forward(z)[0]

    size = np.abs(joint(model, z)).max()
    encode_posterior(model)
    encode_posterior(turned)
    elbo, elbo_turned = exact_elbo(model, x).mean(), exact_elbo(turned, x).mean()
    log_px, log_px_turned = exact.log_px(x), LinearGaussian.of(turned).log_px(x)
    gap = gaussian_kl(
        turned.encode(x)[0], np.exp(turned.encode(x)[1]),
        LinearGaussian.of(turned).posterior_mean(x), LinearGaussian.of(turned).precision,
    ).mean()  # fmt: skip
    return [
        compare(
            "p(x, R'z) under W R = p(x, z) under W",
            joint(turned, z @ R), joint(model, z), exact.rounding(size), "rounding",
            "through decoder, likelihood and prior, at 50 pairs, in logs",
        ),
        compare(
            "p(x) under W R = p(x) under W",
            log_px_turned, log_px, exact.rounding(size), "rounding",
            "in logs: a factorised prior does not disentangle",
        ),
        compare(
            "what the rotation costs a diagonal q", elbo - elbo_turned, gap, exact.rounding(size),
            "rounding", "the fall of the best ELBO, nats, is KL(q‖p(z|x)): log p(x) stays",
        ),
    ]  # fmt: skip
