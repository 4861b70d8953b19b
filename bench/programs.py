"""Small programs that are run in fresh interpreters, as users would write them.

Each prints one line when it has done what is measured: a number by which the peers can be compared,
or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

import npvae as nv

from . import peers
from .nets import NETS
from .processes import fresh

PEERS = {
    "npvae": "npvae as it comes",
    "numpy": "NumPy alone, by hand; for the training step npvae on its NumPy kernels",
    "torch": "PyTorch, eager, with fused Adam",
    "jax": "JAX, its step jitted (it takes part in imports and training)",
}

IMPORT = {
    "npvae": "import numpy, npvae; print()",
    "numpy": "import numpy; print()",
    "torch": "import torch; print()",
    "jax": "import jax; print()",
}

ENCODE = {
    "npvae": """
import sys
import numpy as np
import npvae as nv
model = nv.load(sys.argv[1])
mu, logvar = model.encode(np.full((1, 784), 0.5, np.float32))
print(mu.sum(), flush=True)
""",
    "numpy": """
import sys
import numpy as np
with np.load(sys.argv[1]) as file:
    params = {name: file[name] for name in file.files if name.startswith("params/")}
(W1, b1), (W2, b2) = (
    [params[f"params/encoder.layers.{i}.{kind}"] for kind in "Wb"] for i in (0, 1)
)
h = np.maximum(np.full((1, 784), 0.5, np.float32) @ W1.T + b1, 0)
mu, logvar = np.split(h @ W2.T + b2, 2, axis=1)
print(mu.sum(), flush=True)
""",
    "torch": """
import sys
import torch
from bench.peers.with_torch import TorchVAE
model = TorchVAE(784, (400,), 20)
model.load_state_dict(torch.load(sys.argv[1]))
with torch.inference_mode():
    mu, logvar = model.encode(torch.full((1, 784), 0.5))
print(mu.sum().item(), flush=True)
""",
}

_FIT = """
import sys
import numpy as np
import npvae as nv
{kernels}
model = nv.VAE(64, 8, hidden=(256,))
history = nv.fit(model, np.load(sys.argv[1]), epochs=1, threads=int(sys.argv[2]))
print(history.records[0]["train_loss"], flush=True)
"""
_PEER = """
import sys
import numpy as np
from bench.nets import Net
from bench.peers import module
show = lambda loss: print(loss, flush=True)
x = np.load(sys.argv[1])
module({peer!r}).train({peer!r}, Net(64, (256,), 8), x, 1, int(sys.argv[2]), show)
"""
FIRST_STEP = {
    "npvae": _FIT.format(kernels=""),
    "numpy": _FIT.format(kernels='nv.use_kernels("numpy")'),
    "torch": _PEER.format(peer="torch_fused"),
    "jax": _PEER.format(peer="jax_step"),
}

PEAK = """
from bench.resident import peak_mib
print(peak_mib())
"""

_TORCH_STATE = """
import sys
import numpy as np
import torch
from bench.peers.with_torch import state_of
with np.load(sys.argv[1]) as file:
    params = {n[len("params/"):]: file[n] for n in file.files if n.startswith("params/")}
torch.save(state_of(params), sys.argv[2])
print()
"""


def saved_models(folder: Path, wanted: Sequence[str]) -> dict[str, list[str]]:
    """A 784-400-20 model with random weights, as each peer keeps it: the arguments of ENCODE."""
    net, npz, state = NETS["ref"], str(folder / "model.npz"), str(folder / "state.pt")
    nv.save(nv.VAE(net.x_dim, net.z_dim, hidden=net.hidden), npz)
    if "torch" in wanted and not peers.missing("torch"):
        fresh(_TORCH_STATE, [npz, state])
    return {"npvae": [npz], "numpy": [npz], "torch": [state]}


def saved_digits(folder: Path) -> str:
    """128 digits as .npy: the rows of one training step."""
    path = folder / "digits.npy"
    np.save(path, nv.datasets.digits()[0][:128].astype(np.float32))
    return str(path)
