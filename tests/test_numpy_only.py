"""A real environment that has NumPy and npvae, and nothing else."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import venv
from pathlib import Path

import numpy as np
import pytest

import npvae as nv

CODE = """
import contextlib
import importlib
import sys
import warnings

import numpy as np

warnings.simplefilter("error")
for package in ("numba", "scipy", "matplotlib", "tqdm", "threadpoolctl", "torch", "jax", "sklearn"):
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module(package)
        raise AssertionError(f"{package} can be imported here: the test proves nothing")

import npvae as nv
from npvae.gradcheck import check_gradients

assert "site-packages" in nv.__file__ and sys.prefix in nv.__file__, nv.__file__
folder = sys.argv[1]
expected = np.load(f"{folder}/expected.npz", allow_pickle=False)
x = expected["x"]

model = nv.load(f"{folder}/model.npz")
mu, logvar = model.encode(x)
results = {
    "mu": mu, "logvar": logvar, "decode": model.decode(mu), "reconstruct": model.reconstruct(x),
    "sample": model.sample(4, seed=1), "elbo": model.elbo(x, seed=1),
    "log_likelihood": nv.log_likelihood(model, x, 20, seed=1),
}
for name, value in results.items():
    np.testing.assert_array_equal(value, expected[name], err_msg=name)

report = check_gradients(nv.VAE(4, 2, hidden=(3,), activation="tanh"), objective=nv.ELBO())
assert report.ok, report

assert nv.kernels_in_use() == "numpy"
digits, _ = nv.datasets.digits()
trained = nv.VAE(64, 4, hidden=(32,))
history = nv.fit(
    trained, digits[:600], epochs=6, batch_size=20, lr=0.01, valid=digits[600:700], progress=True,
    checkpoint=f"{folder}/new.npz",
)
assert history.records[-1]["valid_loss"] < history.records[0]["valid_loss"] - 0.5
np.testing.assert_array_equal(nv.load(f"{folder}/new.npz").flat, trained.flat)

try:
    nv.use_kernels("numba")
except nv.MissingDependency as error:
    assert "pip install numba" in str(error), error
else:
    raise AssertionError("numba was not missed")
print("all of it works")
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of a new environment, made without network from the files of this one."""
    home, builder = tmp_path_factory.mktemp("numpy_only"), venv.EnvBuilder()
    builder.create(home)
    python = builder.ensure_directories(home).env_exe
    ask = [python, "-c", "import sysconfig; print(sysconfig.get_path('platlib'))"]
    packages = Path(subprocess.check_output(ask, text=True).strip())
    numpy = importlib.metadata.distribution("numpy")
    for top in {file.parts[0] for file in numpy.files if ".." not in file.parts}:
        source = Path(numpy.locate_file(top))
        (packages / top).symlink_to(source, target_is_directory=source.is_dir())
    without_caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(nv.__file__).parent, packages / "npvae", ignore=without_caches)
    return python


def test_inference_gradient_checks_and_training_need_numpy_alone(python, tmp_path):
    model = nv.VAE(5, 2, hidden=(4,), seed=3)
    x = np.random.default_rng(0).random((6, 5))
    nv.save(model, tmp_path / "model.npz")
    mu, logvar = model.encode(x)
    np.savez(
        tmp_path / "expected.npz", x=x, mu=mu, logvar=logvar, decode=model.decode(mu),
        reconstruct=model.reconstruct(x), sample=model.sample(4, seed=1),
        elbo=model.elbo(x, seed=1), log_likelihood=nv.log_likelihood(model, x, 20, seed=1),
    )  # fmt: skip
    done = subprocess.run(
        [python, "-I", "-c", CODE, tmp_path], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "all of it works"
