"""Likelihoods: p(x given z), from the decoder's output.

A new one is one class here or anywhere else: `forward` gives log p(x given z) per sample and row,
`backward` its gradient; `mean`, `check` and the rest say how people use it.
"""

from .bernoulli import Bernoulli, ContinuousBernoulli
from .categorical import Categorical, OneHot
from .counts import NegativeBinomial, Poisson, ZeroInflatedNegativeBinomial
from .gaussian import Gaussian, GaussianColumnScale, GaussianHeteroscedastic, GaussianLearntScale
from .heavy_tailed import Laplace, StudentT
from .likelihood import Likelihood
from .mixed import Mixed
from .ordinal import Ordinal
from .rates import Beta
from .transformed import Transformed
