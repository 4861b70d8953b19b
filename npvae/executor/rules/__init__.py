"""How each kernel's call becomes operations: one rule a kernel, in modules as the kernels' own."""

from . import dense, latent, likelihoods, objectives  # noqa: F401  (they enter themselves)
