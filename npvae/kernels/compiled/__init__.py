"""The Numba twins of the reference kernels: same names, same meaning, for real arrays.

The mathematics, the shapes and the reasons stand in `reference/`. Here each kernel is one pass over
its arrays.
"""

# ruff: noqa: F401

from __future__ import annotations

# Matrix products stay in BLAS, and these gain nothing from being compiled.
from ..reference import (
    add,
    beta,
    bounded,
    bounded_backward,
    categorical,
    concat,
    concat_backward,
    filled,
    gaussian_heads,
    gaussian_heads_backward,
    gaussian_learnt,
    gaussian_learnt_backward,
    gaussian_log_prob,
    gaussian_log_prob_backward,
    in_units,
    iwae,
    kl_loss,
    known,
    laplace,
    linear,
    linear_dw,
    linear_dx,
    log1p,
    mean_loss,
    one_hot,
    sampled_kl_loss,
    standard_normal_log_prob,
    standard_normal_log_prob_backward,
    student_t,
    take_columns,
    weighted_loss,
)
from .dense import (
    bias_elu,
    bias_elu_backward,
    bias_gelu,
    bias_gelu_backward,
    bias_identity,
    bias_identity_backward,
    bias_leaky_relu,
    bias_leaky_relu_backward,
    bias_relu,
    bias_relu_backward,
    bias_sigmoid,
    bias_sigmoid_backward,
    bias_silu,
    bias_silu_backward,
    bias_softplus,
    bias_softplus_backward,
    bias_tanh,
    bias_tanh_backward,
)
from .latent import (
    gaussian_kl,
    gaussian_kl_backward,
    mixture_log_prob,
    mixture_log_prob_backward,
    reparameterise,
    reparameterise_backward,
)
from .likelihoods import (
    bernoulli,
    continuous_bernoulli,
    gaussian,
    gaussian_scaled,
    negative_binomial,
    poisson,
    scale_rows,
    sum_rows,
    zero_inflated_negative_binomial,
)
from .training import adam
