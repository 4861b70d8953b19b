"""Every array operation of a training step in plain NumPy: this is the definition.

Parts say ``from .. import kernels as k`` and call ``k.bias_relu(a, b)``. A kernel is a function on
plain arrays under the decorator `kernel`: it runs, or while a training step is recorded, is written
down (`seam`). It never writes to its inputs (`adam` alone does: it is the update), knows no
randomness and no globals, and takes real or complex arrays of any float type. A backward stands
directly under its forward and takes first the gradients of its outputs.

Axes: B batch, K samples, Z latent, D data, H hidden, M mixture components; R rows, which are B or
K·B. Sums over D or Z that users see come out in float64 (complex128 for complex input).

Matrix products are BLAS's, whose last bits depend on the machine and on BLAS's number of threads;
``OMP_NUM_THREADS=1`` holds them, and inference on many rows does that by itself. Captured training
has products of its own, which do not.
"""

# ruff: noqa: F401, F403

from __future__ import annotations

from .aggregate import *
from .choice import kernels_in_use, numba_installed, use_kernels
from .conv import *
from .decoding import *
from .dense import *
from .discrete import *
from .flows import *
from .images import *
from .labels import *
from .latent import *
from .likelihoods import *
from .marginals import *
from .norm import *
from .ordinal import *
from .seam import kernel, recording
from .training import *
