"""What is imported when, and by whom: inference needs NumPy alone, and imports point down."""

from __future__ import annotations

import ast
import functools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import npvae as nv

SOURCE = Path(nv.__file__).parent
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SOURCE.rglob("*.py"))
}
MODULES.pop("__init__")

# From the bottom to the top; a module may import from its own group and from those below.
GROUPS = [
    ["_version"],
    ["core"],
    ["kernels"],
    ["data"],
    ["discrete", "flows", "layers", "likelihoods", "levels", "posteriors", "priors"],
    ["datasets", "gaps"],
    ["tables"],
    ["objectives", "models", "optim"],
    ["executor"],
    ["training"],
    ["evaluate", "outliers", "plots", "gradcheck"],
    ["cli", "pyod", "sklearn"],
    ["__main__"],
]
HEIGHT = {unit: height for height, group in enumerate(GROUPS) for unit in group}

COMPILED = {n for n in MODULES if n.startswith("executor.operations.")}
COMPILER = "executor.operations.build"
OPTIONAL = {
    "numba": COMPILED,
    "llvmlite": COMPILED,  # which numba brings
    "matplotlib": {"plots", "cli"},
    "threadpoolctl": {"core.threads"},
    "tqdm": {"core.progress"},
    "openpyxl": {"tables"},
    "pyarrow": {"tables"},
    "sklearn": {"evaluate", "sklearn"},
    "pyod": {"pyod"},
}
"""Who may import an optional package: at its top level the compiled operations alone llvmlite, what
compiles them alone Numba, and `npvae.sklearn`, whose classes are scikit-learn's, scikit-learn."""

FORBIDDEN = {
    "torch", "jax", "tensorflow", "autograd", "scipy", "pandas",
    "pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve",
}  # fmt: skip


@functools.cache
def imports_of(name):
    """What a module imports: (absolute name, whether as soon as it is itself imported)."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    package = ["npvae", *name.split(".")]
    if MODULES[name].name != "__init__.py":
        package.pop()
    found = []

    def visit(node, at_once):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.extend((alias.name, at_once) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = package[: len(package) - child.level + 1] if child.level else []
                base = [*base, child.module] if child.module else base
                found.append((".".join(base), at_once))
                found.extend((".".join([*base, alias.name]), at_once) for alias in child.names)
            lazy = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            typing = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            visit(child, at_once and not lazy and not typing)

    visit(tree, True)
    return found


def own_imports(name):
    """The modules of npvae among them."""
    own = [(n.removeprefix("npvae."), at_once) for n, at_once in imports_of(name)]
    return [(n, at_once) for n, at_once in own if n in MODULES and n != name]


def test_the_parser_of_imports_sees_what_there_is():
    assert ("kernels", True) in own_imports("layers.dense")
    assert ("core", True) in own_imports("models.base")
    assert ("layers.init", True) in own_imports("layers.dense")
    assert ("numba", True) in imports_of("executor.operations.build")
    assert ("threadpoolctl", False) in imports_of("core.threads")
    assert len(MODULES) > 30


def test_imports_point_down():
    for name in MODULES:
        unit = name.split(".")[0]
        assert unit in HEIGHT, f"say in GROUPS where {unit} belongs"
        for target, _ in own_imports(name):
            height = HEIGHT[target.split(".")[0]]
            assert height <= HEIGHT[unit], f"{name} imports {target}, which is above it"


def test_no_two_units_import_each_other():
    arrows = {
        (name.split(".")[0], t.split(".")[0]) for name in MODULES for t, _ in own_imports(name)
    }
    below = {unit: {b for a, b in arrows if a == unit != b} for unit, _ in arrows}
    while below:
        free = [unit for unit, targets in below.items() if not targets & set(below)]
        assert free, f"these import each other: {sorted(below)}"
        for unit in free:
            del below[unit]


def test_only_certain_modules_import_other_packages():
    known = {"npvae", "numpy", "__future__"} | sys.stdlib_module_names
    for name, target, at_once in ((n, *found) for n in MODULES for found in imports_of(n)):
        package = target.split(".")[0]
        assert package not in FORBIDDEN, f"{name} imports {package}"
        if package in OPTIONAL:
            assert {name, name.split(".")[0]} & OPTIONAL[package], f"{name} imports {package}"
            lazy = (
                not at_once
                or package == "llvmlite"
                or name == COMPILER
                or package == name.split(".")[0]
            )
            assert lazy, f"{name} needs {package} to be imported"
        else:
            assert package in known, f"{name} imports {package}, which no extra brings"


def test_nothing_allows_pickle():
    for name, path in MODULES.items():
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)) if "allow_pickle" in source else ():
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant), name
                assert node.value.value is False, name


def run(code, *arguments):
    """Run code in a fresh process; gives what it prints, as JSON."""
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def loaded(modules, *packages):
    return sorted(m for m in modules if m.split(".")[0] in packages)


def test_import_npvae_loads_next_to_nothing():
    modules = run("import json, sys, npvae; print(json.dumps(list(sys.modules)))")
    assert loaded(modules, "npvae") == ["npvae", "npvae._version"]
    assert loaded(modules, *OPTIONAL, *FORBIDDEN - {"pickle", "marshal"}) == []


INFERENCE = """
import json, pathlib, sys
import numpy as np
import npvae as nv

model = nv.load(sys.argv[1])
x = np.linspace(0, 1, 20).reshape(5, 4)
mu, logvar = model.encode(x)
model.decode(mu), model.reconstruct(x), model.sample(3), model.elbo(x)
nv.log_likelihood(model, x, n_samples=5), nv.active_units(model, x)
nv.load(pathlib.Path(sys.argv[1]).read_bytes())
print(json.dumps(list(sys.modules)))
"""


def test_inference_loads_numpy_and_what_it_needs(tmp_path):
    nv.save(nv.VAE(4, 2, hidden=(3,)), tmp_path / "model.npz")
    modules = run(INFERENCE, tmp_path / "model.npz")
    assert loaded(modules, *OPTIONAL, *FORBIDDEN - {"pickle", "marshal"}) == []
    units = {m.split(".")[1] for m in loaded(modules, "npvae") if "." in m}
    assert "models" in units
    assert units.isdisjoint(
        {"training", "executor", "optim", "objectives", "gradcheck", "plots", "datasets", "cli"}
    )
    unused = {f"npvae.core.{name}" for name in ("schedules", "progress", "threads")}
    assert unused.isdisjoint(modules)
    assert "npvae.executor" not in modules


ENCODING = """
import json, sys
import numpy as np

own = "numpy.random" in sys.modules  # some versions of NumPy load it at once
import npvae as nv

nv.load(sys.argv[1]).encode(np.zeros((1, 4), "float32"))
print(json.dumps([own, sorted(sys.modules)]))
"""


def test_encoding_loads_nothing_to_draw_or_to_write_with(tmp_path):
    nv.save(nv.VAE(4, 2, hidden=(3,)), tmp_path / "model.npz")
    own, modules = run(ENCODING, tmp_path / "model.npz")
    assert own or "numpy.random" not in modules
    assert "npvae.models" in modules
    assert {"difflib", "tempfile"}.isdisjoint(modules) or own


EVERY_NAME = """
import importlib, json, sys
import npvae as nv

order, modules = json.loads(sys.argv[1]), json.loads(sys.argv[2])
for name in modules:
    importlib.import_module("npvae." + name)
print(json.dumps({name: type(getattr(nv, name)).__name__ for name in order}))
"""
SKIPPED = {"__main__", *COMPILED}


@pytest.mark.slow
def test_every_public_name_is_there_whatever_was_imported_before():
    names = list(nv.__all__)
    modules = sorted(set(MODULES) - SKIPPED)
    alone = run(EVERY_NAME, json.dumps(names), "[]")
    after_all_modules = run(EVERY_NAME, json.dumps(names[::-1]), json.dumps(modules))
    assert alone == after_all_modules
    assert {n for n, kind in alone.items() if kind == "module"} == {
        "datasets", "gradcheck", "layers", "plots", "tables",
    }  # fmt: skip
    assert set(names) <= set(dir(nv))


EACH_ALONE = """
import importlib, json, sys
import numpy

for name in json.loads(sys.argv[1]):
    for module in [m for m in sys.modules if m.split(".")[0] == "npvae"]:
        del sys.modules[module]
    importlib.import_module("npvae." + name)
print("true")
"""


@pytest.mark.slow
def test_every_module_can_be_the_first_to_be_imported():
    """But for those that their package imports, which is then the first."""
    names = sorted(set(MODULES) - SKIPPED)
    parents = {name: name.rpartition(".")[0] for name in names}
    first = [n for n, p in parents.items() if not p or (n, True) not in own_imports(p)]
    assert {"core", "likelihoods", "executor.graph"} < set(first)
    run(EACH_ALONE, json.dumps(first))


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="'npvae' has no attribute 'VEA'"):
        nv.VEA  # noqa: B018


def test_eager_calls_do_not_look_for_numba(monkeypatch):
    """Not even where it is installed."""
    monkeypatch.setitem(sys.modules, "numba", None)
    model = nv.VAE(4, 2, hidden=(3,))
    model.elbo(np.full((2, 4), 0.5))
    nv.value_and_grad(model, nv.ELBO(), np.full((2, 4), 0.5), np.zeros((1, 2, 2)))


def test_no_two_classes_have_one_name():
    """But for nv.Constant, a schedule, and nv.tables.Constant, a column; nv.VAE, a model, and the
    estimator that holds one: all are public."""
    homes = {}
    for name, path in MODULES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(name)
    twice = {name: found for name, found in homes.items() if len(found) > 1}
    assert twice == {
        "Constant": ["core.schedules", "tables.column"],
        "VAE": ["models.vae", "pyod", "sklearn.vae"],
    }
