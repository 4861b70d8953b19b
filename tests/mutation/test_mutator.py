"""The mutator makes the changes that it should, and the judge tells good tests from bad ones."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from npvae import kernels
from npvae.kernels import dense, latent, likelihoods

from .equivalents import entries
from .mutator import mutations
from .targets import Constant, Function, discover

ROOT = Path(__file__).parents[2]


def changed(source: str) -> set[str]:
    """What the statements of a function's body become."""
    tree = ast.parse(f"def f():\n    {source}").body[0]
    return {mutation.after for mutation in mutations(tree)}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("return a + b", {"a - b", "a * b", "a", "b", "-(a + b)"}),
        ("return a - b", {"a + b", "a * b", "a", "b", "b - a", "-(a - b)"}),
        ("return a / b", {"a * b", "a - b", "a", "b", "b / a", "-(a / b)"}),
        ("return a ** b", {"a * b", "a + b", "a", "b", "b ** a", "-a ** b"}),
        ("return a @ b", {"a * b", "a", "b", "b @ a", "a.T @ b", "a @ b.T", "-(a @ b)"}),
        ("return -a", {"a"}),
        ("return 0.5", {"1.0", "-0.5", "1.5"}),
        ("return 2", {"3", "1"}),
        ("return True", {"False"}),
        ("return a < b", {"a <= b", "a >= b"}),
        ("return a == b", {"a != b"}),
        ("return not a", {"a"}),
        ("return a and b", {"a or b", "a", "b"}),
        ("return a if b else c", {"a", "c"}),
        ("return a.T", {"a", "-a.T"}),
        ("return a[b]", {"a", "-a[b]"}),
        ("return a[:b]", {"a", "a[b:]", "a[:]", "-a[:b]"}),
        ("return a, b", {"(b, a)", "(-a, b)", "(a, -b)"}),
        ("return np.exp(a)", {"a", "np.expm1(a)", "np.exp(-a)", "-np.exp(a)"}),
        ("return a.sum(0)",
         {"a", "0", "a.sum()", "a.sum(1)", "a.sum(-1)", "a.mean(0)", "-a.sum(0)"}),
        ("return k.add(a, b)", {"a", "b", "k.add(-a, b)", "k.add(a, -b)", "-k.add(a, b)"}),
        ("return np.zeros(a)", {"a", "np.ones(a)", "np.zeros(-a)"}),
        ("return a & b", {"a", "b", "-(a & b)"}),
        ("return f(a, b=c)", {"a", "f(a)", "f(-a, b=c)", "-f(a, b=c)"}),
    ],
)  # fmt: skip
def test_changes_of_an_expression(source, expected):
    assert changed(source) == {f"return {e}" for e in expected}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a += b", {"a -= b", "a *= b", "a = b", "a[...] = b", "pass"}),
        ("self.dW += b",
         {"self.dW -= b", "self.dW *= b", "self.dW = b", "self.dW[...] = b", "pass"}),
        ("a[i] -= b", {"a[i] += b", "a[i] *= b", "a[i] = b", "pass"}),
        ("a = b", {"a = -b"}),
        ("a, b = c, d", {"a, b = (d, c)"}),
        ("a[a < 0] = 0", {"pass", "a[a <= 0] = 0", "a[a >= 0] = 0", "a[a < 1] = 0", "a[a < -1] = 0",
                          "a[a < 0] = 1", "a[a < 0] = -1"}),
        ("uses.append(a)", {"pass", "uses", "a", "uses.append(-a)"}),
    ],
)  # fmt: skip
def test_changes_of_a_statement(source, expected):
    assert changed(source) == expected


def test_branches_are_forced_and_the_code_in_them_changes_too():
    assert changed("if a:\n        b = c") == {"if True:", "if False:", "b = -c"}


def test_words_are_left_alone():
    assert changed('"""a - b"""') == set()
    assert changed('raise ValueError(f"{a - b}")') == set()


def test_one_change_at_a_time():
    source = "def f(a, b):\n    c = a + b\n    return c * a - 1"
    for mutation in mutations(ast.parse(source).body[0]):
        lines = zip(source.split("\n"), ast.unparse(mutation.tree).split("\n"), strict=True)
        assert [(old.strip(), new.strip()) for old, new in lines if old != new] == [
            (mutation.before, mutation.after)
        ]


def test_every_kernel_and_every_backward_is_a_target():
    names = {target.name for target in discover()}
    own = {n for n, f in vars(kernels).items() if hasattr(f, "__wrapped__")} - {"recording"}
    assert own <= {name.rpartition(".")[2] for name in names if "kernels." in name}
    assert {
        "layers.dense.Dense.backward", "models.vae.VAE.backward",
        "likelihoods.bernoulli.Bernoulli.backward",
        "posteriors.Reparameterise.backward", "objectives.elbo.ELBO.__call__", "optim.Adam.step",
        "core.numerics.erfc", "core.numerics._ERFC", "kernels.dense.LOG_2PI",
    } <= names  # fmt: skip


@pytest.mark.slow
def test_every_entry_of_the_equivalents_is_one_mutant():
    """Else it explains a change of a line that went, or a second change that nobody has judged."""
    explained = {name for name, _ in entries()}
    names = Counter(
        (target.name, name)
        for target in discover()
        if target.name in explained
        for mutation in mutations(target.tree)
        for name in mutation.names
    )
    assert {entry: names[entry] for entry in entries() if names[entry] != 1} == {}


def test_installing_changes_the_function_for_all_who_hold_it_and_can_be_undone():
    target = next(t for t in discover() if t.name == "kernels.dense.bias_tanh")
    assert isinstance(target, Function)
    held, a = kernels.bias_tanh, np.ones((2, 2))
    mutation = next(m for m in mutations(target.tree) if m.after == "return np.tanh(a - b)")
    try:
        target.install(mutation.tree)
        np.testing.assert_array_equal(held(a, a[0]), 0)
    finally:
        target.install(target.tree)
    np.testing.assert_array_equal(held(a, a[0]), np.tanh(2))


def test_installing_a_constant():
    target = next(t for t in discover() if t.name == "kernels.dense.LOG_2PI")
    assert isinstance(target, Constant)
    mutation = next(m for m in mutations(target.tree) if "3 * np.pi" in m.after)
    try:
        target.install(mutation.tree)
        for module in (dense, latent, likelihoods):
            assert pytest.approx(np.log(3 * np.pi)) == module.LOG_2PI
    finally:
        target.install(target.tree)
    assert pytest.approx(np.log(2 * np.pi)) == latent.LOG_2PI


GOOD = """
import numpy as np
from npvae.kernels import add

def test_values():
    np.testing.assert_array_equal(add(np.array([1.0, 2.0]), np.array([5.0, 7.0])), [6.0, 9.0])
"""
EMPTY = """
import numpy as np
from npvae.kernels import add

def test_that_judges_nothing():
    add(np.ones(2), np.ones(2))
"""
APART = """
import subprocess, sys
from npvae.kernels import add

ADD = "from npvae.kernels import add; print(add(2.0, 5.0))"

def test_against_the_unchanged_package():
    assert subprocess.check_output([sys.executable, "-c", ADD], text=True) == f"{add(2.0, 5.0)}\\n"
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("judges", "exit_code", "score"),
    [([GOOD], 0, "100 %"), ([EMPTY, APART], 1, "0 %")],
    ids=["good", "empty and apart"],
)
def test_only_a_test_that_judges_kills(tmp_path, judges, exit_code, score):
    for i, judge in enumerate(judges):
        (tmp_path / f"test_{i}.py").write_text(judge)
    command = [sys.executable, "-m", "tests.mutation", "--only", "kernels.dense.add"]
    done = subprocess.run(
        [*command, "--tests", str(tmp_path)], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, check=False,
    )  # fmt: skip
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert f"score {score}" in done.stdout
    assert ("survived: npvae/kernels/dense.py" in done.stdout) == (exit_code == 1)
