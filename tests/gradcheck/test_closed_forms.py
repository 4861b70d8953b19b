"""What npvae is held against, held against SciPy, scikit-learn and quadrature."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats
from sklearn.decomposition import PCA

import npvae as nv
from npvae.gradcheck import check_gradients, evidence, ppca
from npvae.gradcheck.claim import sigmas_for
from npvae.gradcheck.linear_gaussian import (
    LinearGaussian,
    cubature,
    encode_posterior,
    exact_elbo,
    gaussian_kl,
    linear_vae,
    log_overlap,
)


class TestClosedForms:
    """What npvae is held against, held against SciPy, scikit-learn and quadrature."""

    rng = np.random.default_rng(11)
    model = linear_vae(rng, x_dim=5, z_dim=3, scale=0.6)
    exact = LinearGaussian.of(model)
    x = rng.normal(size=(4, 5))

    def joint(self):
        """Mean and covariance of (z, x)."""
        W, noise = self.exact.W, self.exact.noise
        zz, zx = np.eye(3), W.T
        return np.block([[zz, zx], [zx.T, W @ W.T + noise * np.eye(5)]])

    def test_evidence(self):
        cov = self.joint()[3:, 3:]
        want = stats.multivariate_normal(self.exact.b, cov).logpdf(self.x)
        np.testing.assert_allclose(self.exact.log_px(self.x), want, rtol=1e-12)

    def test_posterior(self):
        cov = self.joint()
        gain = cov[:3, 3:] @ np.linalg.inv(cov[3:, 3:])
        mean = self.exact.posterior_mean(self.x)
        np.testing.assert_allclose(mean, (self.x - self.exact.b) @ gain.T, rtol=1e-10)
        left = np.linalg.inv(cov[:3, :3] - gain @ cov[3:, :3])
        np.testing.assert_allclose(self.exact.precision, left, rtol=1e-10)

    def test_gradient_of_the_evidence(self):
        def log_px(W, b):
            return LinearGaussian(W, b, self.exact.noise).log_px(self.x).mean()

        def gradient(W, b):
            return LinearGaussian(W, b, self.exact.noise).d_log_px(self.x)

        report = check_gradients(
            (log_px, gradient), (self.exact.W, self.exact.b), methods=["central", "taylor"]
        )
        assert report.ok, str(report)

    def test_learnt_scale_is_read(self):
        model = nv.VAE(5, 2, hidden=(), likelihood="gaussian_learnt_scale", dtype="float64")
        model.likelihood.log_scale[0] = np.log(0.3)
        assert LinearGaussian.of(model).noise == pytest.approx(0.09)

    def test_samples_have_the_models_covariance(self):
        x = self.exact.sample(200_000, np.random.default_rng(0))
        cov, n = self.exact.covariance, 200_000
        error = np.sqrt((cov**2 + np.outer(np.diag(cov), np.diag(cov))) / n)
        assert (np.abs(np.cov(x.T) - cov) < sigmas_for(25) * error).all()
        assert (np.abs(x.mean(0) - self.exact.b) < 5 * np.sqrt(np.diag(cov) / n)).all()

    def test_cubature_has_the_moments_of_the_normal_up_to_the_third(self):
        eps = cubature(2, 3)
        assert eps.shape == (6, 2, 3)
        np.testing.assert_allclose(eps.mean(0), 0, atol=1e-15)
        second = np.einsum("kbi,kbj->bij", eps, eps) / 6
        np.testing.assert_allclose(second, np.broadcast_to(np.eye(3), (2, 3, 3)), atol=1e-15)
        third = np.einsum("kbi,kbj,kbl->bijl", eps, eps, eps)
        np.testing.assert_allclose(third, 0, atol=1e-14)

    def test_best_diagonal_posterior(self):
        model = self.model.copy()
        encode_posterior(model)
        best = exact_elbo(model, self.x).mean()
        rng = np.random.default_rng(2)
        for _ in range(30):
            other = model.copy()
            other.encoder.layers[0].b += 0.01 * rng.normal(size=6)
            assert exact_elbo(other, self.x).mean() < best

    def test_kl_between_a_diagonal_and_any_gaussian(self):
        rng = np.random.default_rng(4)
        mu, mean = rng.normal(size=(2, 2, 3))
        variance = rng.uniform(0.2, 2, (2, 3))
        precision = self.exact.precision
        got = gaussian_kl(mu, variance, mean, precision)
        for b in range(2):
            z = mu[b] + np.sqrt(variance[b]) * cubature(1, 3)[:, 0]  # both logs are quadratic
            log_q = stats.multivariate_normal(mu[b], np.diag(variance[b])).logpdf(z)
            log_p = stats.multivariate_normal(mean[b], np.linalg.inv(precision)).logpdf(z)
            assert got[b] == pytest.approx((log_q - log_p).mean(), rel=1e-12)

    @pytest.mark.parametrize("power", [0.5, 2.0, 3.0])
    def test_moments_of_importance_weights(self, power):
        p, q = stats.norm(0.3, 0.5), stats.norm(-0.2, 0.7)
        want, _ = integrate.quad(lambda z: p.pdf(z) ** power * q.pdf(z) ** (1 - power), -9, 9)
        got = log_overlap(
            power, np.array([0.3]), np.array([[4.0]]), np.array([-0.2]), np.array([[1 / 0.49]])
        )
        assert got == pytest.approx(math.log(want), rel=1e-9)

    def test_moments_of_importance_weights_in_dimensions_multiply(self):
        one = log_overlap(2, np.array([0.3]), np.eye(1) * 4, np.array([-0.2]), np.eye(1) * 2)
        three = log_overlap(2, np.full(3, 0.3), np.eye(3) * 4, np.full(3, -0.2), np.eye(3) * 2)
        assert three == pytest.approx(3 * one)

    def test_an_infinite_moment(self):
        narrow = np.array([0.0]), np.array([[3.0]])
        assert log_overlap(2, np.array([0.0]), np.array([[1.0]]), *narrow) == math.inf

    def test_moments_of_weights_from_a_box(self):
        precision = np.array([[9.0]])
        p = stats.norm(0.4, 1 / 3)
        for got, power in zip(
            evidence._log_moments_from_box(precision, 4.0), (0.5, 2.0), strict=True
        ):
            want, _ = integrate.quad(lambda z, a=power: p.pdf(z) ** a * 8.0 ** (a - 1), -4, 4)
            assert got == pytest.approx(math.log(want), rel=1e-6)

    def test_ppca(self):
        x = nv.datasets.digits()[0].astype(float)
        witness = PCA(10, svd_solver="full").fit(x)
        spectrum = ppca.Spectrum.of(x)
        share = (len(x) - 1) / len(x)  # scikit-learn divides by N - 1, the likelihood by N
        noise = spectrum.noise(10)
        assert noise == pytest.approx(share * witness.noise_variance_, rel=1e-10)
        model = stats.multivariate_normal(x.mean(0), share * witness.get_covariance())
        want = model.logpdf(x).mean()
        assert spectrum.log_likelihood(10, noise) == pytest.approx(want, rel=1e-9)
        span = witness.components_ @ spectrum.vectors[:, :10]
        np.testing.assert_allclose(np.linalg.svd(span)[1], 1, rtol=1e-9)

    def test_ppca_at_a_fixed_noise(self):
        rng = np.random.default_rng(6)
        x = rng.normal(size=(200, 5)) * [2.0, 1.5, 1.0, 0.5, 0.4]
        spectrum = ppca.Spectrum.of(x)
        values, U = spectrum.values, spectrum.vectors
        W = U[:, :3] * np.sqrt(np.maximum(values[:3] - 1.5, 0))
        best = LinearGaussian(W, x.mean(0), 1.5).log_px(x).mean()
        assert spectrum.log_likelihood(3, 1.5) == pytest.approx(best, rel=1e-12)
        for _ in range(30):
            other = LinearGaussian(W + 0.05 * rng.normal(size=W.shape), x.mean(0), 1.5)
            assert other.log_px(x).mean() < best
