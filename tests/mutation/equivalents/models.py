"""Those of models, their levels, priors and posteriors, and what checks them."""

from __future__ import annotations

EQUIVALENTS: dict[str, dict[str, list[str]]] = {
    "The VAE has one latent level, so the first entry of the list is its last.": {
        "models.vae.VAE.backward": [
            "d_level = d_terms.levels[-1] if d_terms.levels else LevelTerms()",
            "dstats, d_inputs = self.levels[-1].backward(c_level, dz, d_level)",
            "d_each, d_level = self.levels[-1].expected_backward(c_mean, d_terms.log_px, d_level)",
        ],
        "models.vae.VAE.forward": [
            "(z, level), c_level = self.levels[-1].forward(stats, eps, needs, prior_inputs)",
            "log_px, c_mean = self.levels[-1].expected(of_each, level)",
        ],
        "models.semi_supervised.SemiSupervisedVAE.forward": [
            "(z, level), c_level = self.levels[-1].forward(stats, eps)",
        ],
        "models.semi_supervised.SemiSupervisedVAE.backward": [
            "d_kl = d_terms.levels[-1].kl if d_terms.levels else None",
            "dstats, _ = self.levels[-1].backward(c_level, dz, LevelTerms(kl=d_kl))",
        ],
    },
    "Only whether it is true is asked, and a minus leaves that as it is.": {
        "levels.Level.draw": [
            "(z, log_qz), c_z = self.posterior.draw(params, eps, -self._gives('log_qz', needs))",
        ],
        "levels.Level.draw_backward": [
            "d_params = self.posterior.draw_backward(c_z, dz, d_level.log_qz, -d_level.score, d_level.dz_scale)",
        ],
    },
    "Without a context the decoder's input is z alone, and the first Z columns are all of it.": {
        "models.autoencoder.Autoencoder.backward": [
            "if self.context_dim: -> if True:",
        ],
        "models.hierarchical.HierarchicalVAE.backward": [
            "if self.context_dim: -> if True:",
        ],
    },
    "Only the square of the number is used, or its product with one whose sign changes too.": {
        "levels.GaussianKL.forward": [
            "return (k.gaussian_kl(-mu, logvar), (mu, logvar))",
        ],
        "priors.StandardNormal.forward": [
            "return (k.standard_normal_log_prob(-z), z)",
        ],
        "posteriors.GaussianLogProb.forward": [
            "return (k.gaussian_log_prob(mu, z, logvar), (z, mu, logvar))",
        ],
        "priors.Conditional.forward": [
            "return (k.gaussian_log_prob(mu, z, logvar), (z, mu, logvar))",
        ],
    },
    "Weights that are equal stay so, and their softmax with them.": {
        "priors.VampPrior.forward": [
            "equal = constant(np.ones(len(mu), z.dtype))",
            "equal = -constant(np.zeros(len(mu), z.dtype))",
            "log_p, r = k.mixture_log_prob(z, mu, logvar, -equal)",
        ],
    },
    "Only a recorded step asks whether the array can change; no value depends on it.": {
        "priors.VampPrior.forward": [
            "equal = np.zeros(len(mu), z.dtype)",
        ],
        "models.semi_supervised.SemiSupervisedVAE.backward": [
            "d_kl = np.zeros((*d_terms.log_px.shape, self.z_dim + 1), self.flat.dtype)",
        ],
        "discrete.categorical.UniformPrior.forward": [
            "log_p = np.full(z.shape, -math.log(self.classes), z.dtype)",
        ],
        "discrete.bernoulli.BernoulliPrior.forward": [
            "logits = np.full(z.shape, self.logit, z.dtype)",
        ],
        "models.inference._nothing": [
            "zeros = np.zeros((*stats.shape[:-1], stats.shape[-1] // 2), stats.dtype)",
        ],
    },
    "Noise of the other sign is as good.": {
        "gradcheck.whole_level.WholeLevel.forward": [
            "(z, terms), cache = self.level.forward(stats, -self.eps, self.needs, prior_inputs)",
        ],
    },
    "The bend's slope is even: its bounds are each other's opposite.": {
        "models.inference.Chain.backward": [
            "dstats = self.heads.backward(-c_heads, *d_prior)",
        ],
        "posteriors.DiagonalGaussian.forward": [
            "return (k.gaussian_heads(stats, *LOGVAR_BOUNDS), -stats)",
        ],
        "posteriors.DiagonalGaussian.backward": [
            "return k.gaussian_heads_backward(dmu, dlogvar, -stats, *LOGVAR_BOUNDS)",
        ],
    },
    "The sign of an argument does not matter to its size, its type or its finiteness.": {
        "models.semi_supervised.SemiSupervisedVAE.forward": [
            "inputs, n, known = (self._encoder_input(x, None), self.context_dim, self._known(context, -x))",
        ],
    },
    "The other way around takes longer and gives the same.": {
        "models.vae.VAE.forward": [
            "prior_inputs, c_inputs = self._prior_inputs(context)",
        ],
    },
    "A sum's terms and a product's factors may stand in any order.": {
        "discrete.categorical.CodeLogProb.forward": [
            "return (k.code_log_prob(log_q, z), (z, log_q))",
        ],
        "discrete.categorical.UniformPrior.forward": [
            "return (k.code_log_prob(log_p, z), (z, log_p))",
        ],
    },
    "-0.0 equals 0.0, and nothing divides by it.": {
        "models.inference._nothing": [
            "return (-zeros, zeros)",
            "return (zeros, -zeros)",
            "zeros = -constant(np.zeros((*stats.shape[:-1], stats.shape[-1] // 2), stats.dtype))",
        ],
        "models.semi_supervised.SemiSupervisedVAE.backward": [
            "d_kl = -constant(np.zeros((*d_terms.log_px.shape, self.z_dim + 1), self.flat.dtype))",
        ],
    },
    "A posterior of codes has one parameter, so the first is the last.": {
        "discrete.codes.Code.every": [
            "z = self._each(params[-1].shape[-2], params[0].dtype)",
            "z = self._each(params[0].shape[-2], params[-1].dtype)",
        ],
    },
}
