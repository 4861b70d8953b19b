"""The identities hold, their closed forms are right, and a slip in npvae makes them fail."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats
from sklearn.decomposition import PCA

import npvae as nv
from npvae.gradcheck import check_gradients, estimators, evidence, ppca
from npvae.gradcheck import identities as module
from npvae.gradcheck.identity import SIGMAS, Identity, compare, estimate, rounding, sigmas_for
from npvae.gradcheck.linear_gaussian import (
    LinearGaussian,
    cubature,
    encode_posterior,
    exact_elbo,
    gaussian_kl,
    linear_vae,
    log_overlap,
)
from npvae.gradcheck.verify import Verification
from npvae.kernels import reference
