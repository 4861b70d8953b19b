"""Every array operation of a training step in plain NumPy: this is the definition.

Parts say ``from .. import kernels as k`` and call ``k.bias_relu(a, b)``. A kernel is a function on
plain arrays under the decorator `kernel`: it runs, or while a training step is recorded, is written
down (`seam`). It never writes to its inputs (`adam` alone does: it is the update), knows no
randomness and no globals, and takes real or complex arrays of any float type. A backward stands
directly under its forward and takes first the gradients of its outputs.

Axes: B batch, K samples, Z latent, D data, H hidden, M mixture components; R rows, which are B or
K·B. Sums over D or Z that users see come out in float64 (complex128 for complex input).
"""

# ruff: noqa: F401

from __future__ import annotations

from .choice import kernels_in_use, numba_installed, use_kernels
from .decoding import (
    beta_mode,
    beta_shapes,
    continuous_bernoulli_mean,
    exp,
    floor,
    likeliest_label,
    mean_label,
    negative_binomial_mode,
    restored,
    sigmoid,
    softmax,
    step,
    wide_exp,
    zero_inflated_mean,
    zero_inflated_mode,
)
from .dense import (
    add,
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
    concat,
    concat_backward,
    linear,
    linear_dw,
    linear_dx,
    take_columns,
)
from .latent import (
    gaussian_heads,
    gaussian_heads_backward,
    gaussian_kl,
    gaussian_kl_backward,
    gaussian_log_prob,
    gaussian_log_prob_backward,
    mixture_log_prob,
    mixture_log_prob_backward,
    reparameterise,
    reparameterise_backward,
    standard_normal_log_prob,
    standard_normal_log_prob_backward,
)
from .likelihoods import (
    bernoulli,
    beta,
    bounded,
    bounded_backward,
    categorical,
    continuous_bernoulli,
    filled,
    gaussian,
    gaussian_learnt,
    gaussian_learnt_backward,
    gaussian_scaled,
    in_units,
    known,
    laplace,
    log1p,
    negative_binomial,
    one_hot,
    poisson,
    scale_rows,
    student_t,
    sum_rows,
    zero_inflated_negative_binomial,
)
from .ordinal import ordinal_logits, ordinal_logits_backward
from .seam import kernel, recording
from .training import (
    adam,
    importance_weights,
    iwae,
    kl_loss,
    mean_loss,
    sampled_kl_loss,
    weighted_loss,
)
