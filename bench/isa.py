"""Holding all peers to an older instruction set, so that one machine shows what others will see."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

AVX2 = {
    "NUMBA_CPU_NAME": "x86-64-v3",
    "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+bmi,+bmi2,+f16c,+sse4.2,+popcnt,+lzcnt,+movbe",
    "OPENBLAS_CORETYPE": "Haswell",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
}
ISAS: dict[str, dict[str, str]] = {"native": {}, "avx2": AVX2}
"""For each instruction set, what tells the libraries to use no other; children inherit it."""


def hold_to(name: str) -> None:
    """Tell the libraries of all processes that are started from now on."""
    os.environ.update(ISAS[name])
    if name == "avx2":  # of NumPy's own loops only those that it has can be named
        found = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
        newer = [feature for feature in found if feature.startswith(("AVX512", "X86_V4"))]
        os.environ["NPY_DISABLE_CPU_FEATURES"] = " ".join(newer)
        # PyTorch's compiler takes code of another instruction set from its cache, and trains to NaN
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(
            Path(tempfile.gettempdir(), "torchinductor_avx2")
        )


_ASK = """
import contextlib, json
import numpy
found = {}
with contextlib.suppress(ImportError):
    from npvae.executor.operations.tiles import LANES
    found["npvae"] = f"{LANES} numbers a vector"
with contextlib.suppress(ImportError):
    from threadpoolctl import threadpool_info
    blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    found["NumPy's BLAS"] = blas[0].get("architecture") or blas[0]["internal_api"]
with contextlib.suppress(ImportError):
    import torch
    found["PyTorch"] = torch.backends.cpu.get_cpu_capability()
print(json.dumps(found))
"""


def in_use() -> dict[str, str]:
    """What a new process says that each library uses; JAX has no word for it."""
    done = subprocess.run([sys.executable, "-c", _ASK], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {}
