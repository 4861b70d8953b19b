"""The programs held side by side, npvae's and the peers', each as its users write it.

A module of this package has ``train(peer, net, x, epochs, threads, after_epoch)``, which calls
``after_epoch(loss)`` with the epoch's mean loss in nats per example, and may have
``infer(peer, net, threads, answer)``, which calls ``answer`` with three functions that each take an
array and return a call to be timed: encode, decode and score, which is the ELBO with one draw.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from typing import Any

TRAINING = {
    "npvae": "npvae as it comes: compiled kernels where numba is installed",
    "numpy": "npvae on its NumPy kernels, as without numba",
    "torch_classic": "PyTorch as tutorials have it: sigmoid, binary_cross_entropy, Adam",
    "torch_fused": "PyTorch from logits, with fused Adam",
    "torch_compile": "the same through torch.compile",
    "jax_step": "JAX, a jitted function that takes one step",
    "jax_scan": "JAX, a jitted lax.scan over the whole epoch",
}
CONVOLVING = {
    "npvae": TRAINING["npvae"],
    "numpy": TRAINING["numpy"],
    "torch_fused": "PyTorch, eager, with fused Adam",
    "torch_last": "the same with channels last in memory",
    "torch_compile": "torch_fused through torch.compile",
    "torch_compile_last": "torch_last through torch.compile",
    "jax_step": TRAINING["jax_step"],
    "jax_scan": TRAINING["jax_scan"],
}
INFERENCE = {
    "npvae": "npvae's encode, decode and elbo on NumPy alone, their checks included",
    "npvae_compiled": "encode and decode by nv.compiled, their checks included",
    "torch": "PyTorch in inference mode, on tensors",
    "torch_compile": "the same through torch.compile, one compilation for each shape",
    "onnx": "ONNX Runtime, a session's run on NumPy arrays",
}
NAMES = {
    "npvae_compiled": "npvae, compiled",
    "numpy": "npvae on NumPy",
    "torch": "PyTorch",
    "torch_classic": "PyTorch, eager",
    "torch_fused": "PyTorch, fused Adam",
    "torch_compile": "PyTorch, compiled",
    "torch_last": "PyTorch, channels last",
    "torch_compile_last": "PyTorch, channels last, compiled",
    "jax": "JAX",
    "jax_step": "JAX, a jitted step",
    "jax_scan": "JAX, an epoch in one scan",
    "onnx": "ONNX Runtime",
}
"""What pictures call a peer, where not by its own name."""

MODULES = {
    "npvae": "with_npvae",
    "numpy": "with_npvae",
    "torch": "with_torch",
    "jax": "with_jax",
    "onnx": "with_onnx",
}
_NEEDS = {"torch": ("torch",), "jax": ("jax", "optax"), "onnx": ("onnx", "onnxruntime")}


def family(peer: str) -> str:
    """What a peer is a program of: npvae, numpy, torch, jax or onnx."""
    return peer.split("_")[0]


def module(peer: str) -> Any:
    """The module with the peer's programs."""
    return importlib.import_module(f".{MODULES[family(peer)]}", __name__)


def families_module(peer: str) -> Any:
    """The module with the peer's programs of the model families; `train` also takes its name, and
    the rows' labels."""
    return importlib.import_module(f".families_{MODULES[family(peer)].partition('_')[2]}", __name__)


def missing(peer: str) -> list[str]:
    """The packages that the peer needs and that are not installed."""
    needs = _NEEDS.get(family(peer), ())
    return [package for package in needs if importlib.util.find_spec(package) is None]


def installed(peers: Sequence[str]) -> list[str]:
    """The peers that can run; a line on stderr for each other says how it could."""
    for peer in peers:
        if missing(peer):
            print(
                f"{peer} is skipped: {' and '.join(missing(peer))} not installed; "
                "pip install 'npvae[bench]'",
                file=sys.stderr,
            )
    return [peer for peer in peers if not missing(peer)]
