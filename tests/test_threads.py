"""Cores that a process may use, and holding BLAS to a number of threads."""

from __future__ import annotations

import os
import sys
import threading
import warnings

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import npvae as nv
from npvae.core import threads
from npvae.core.threads import _cgroup_quota, blas_threads, shared, usable_cores
from npvae.data import reader


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch):
    for name in threads.VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("text", "quota"),
    [
        ("max 100000\n", None), ("200000 100000\n", 2.0), ("50000 100000\n", 0.5),
        ("150000 100000", 1.5), ("-1 100000\n", None), ("100000 0\n", None),
    ],
)  # fmt: skip
def test_quota_of_cgroup_version_2(tmp_path, text, quota):
    (tmp_path / "cpu.max").write_text(text)
    assert _cgroup_quota(tmp_path, tmp_path / "none") == quota


@pytest.mark.parametrize("text", ["", "max", "a b\n", "1 2 3\n", "\x00\x00"])
def test_files_of_another_form_are_no_limit(tmp_path, text):
    (tmp_path / "cpu.max").write_text(text)
    assert _cgroup_quota(tmp_path) is None


@pytest.mark.parametrize(
    ("quota", "period", "cores"),
    [
        ("-1", "100000", None), ("200000", "100000", 2.0), ("25000", "100000", 0.25),
        ("0", "100000", None), ("100000", "0", None), ("", "", None), ("x", "y", None),
    ],
)  # fmt: skip
def test_quota_of_cgroup_version_1(tmp_path, quota, period, cores):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota + "\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text(period + "\n")
    assert _cgroup_quota(tmp_path) == cores


def test_of_both_versions_the_least_counts(tmp_path):
    test_quota_of_cgroup_version_1(tmp_path, "800000", "100000", 8.0)
    (tmp_path / "cpu.max").write_text("300000 100000")
    assert _cgroup_quota(tmp_path) == 3.0


@pytest.mark.parametrize(
    ("own", "quota"),
    [
        ("0::/jobs/mine\n", 0.5), ("0::/jobs\n", 2.0), ("0::/\n", 3.0), ("0::/gone/away\n", 3.0),
        ("4:memory:/jobs/mine\n0::/\n", 3.0), ("3:cpu,cpuacct:/small\n0::/\n", 0.25),
        ("7:cpu:/small\n", 0.25), ("0::/../jobs\n", 2.0), ("no cgroups\n", 3.0),
    ],
)  # fmt: skip
def test_the_least_quota_of_a_group_and_those_around_it_counts(tmp_path, own, quota):
    """3 cores for all, 2 for jobs, of which mine has a half; by version 1 small has a quarter."""
    for name, text in (("", "300000"), ("jobs", "200000"), ("jobs/mine", "50000")):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "cpu.max").write_text(f"{text} 100000\n")
    (tmp_path / "cpu" / "small").mkdir(parents=True)
    (tmp_path / "cpu" / "small" / "cpu.cfs_quota_us").write_text("25000\n")
    (tmp_path / "cpu" / "small" / "cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / "own").write_text(own)
    assert _cgroup_quota(tmp_path, tmp_path / "own") == quota


@pytest.mark.parametrize(
    ("set_to", "cores"),
    [
        ({"NPVAE_NUM_THREADS": "1"}, 1), ({"OMP_NUM_THREADS": "3"}, 3), ({}, 8),
        ({"NUMBA_NUM_THREADS": "2", "OMP_NUM_THREADS": "1"}, 2), ({"OMP_NUM_THREADS": "4,2"}, 4),
        ({"OMP_NUM_THREADS": "100"}, 8), ({"OMP_NUM_THREADS": "0"}, 8),
        ({"OMP_NUM_THREADS": "many"}, 8), ({"NPVAE_NUM_THREADS": "", "OMP_NUM_THREADS": "5"}, 5),
    ],
)  # fmt: skip
def test_the_environment_limits_threads(monkeypatch, set_to, cores):
    for name, value in set_to.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(threads, "_cgroup_quota", lambda: None)
    assert usable_cores() == cores


def test_no_cgroup_is_no_limit(tmp_path):
    assert _cgroup_quota(tmp_path) is None
    assert _cgroup_quota(tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("affinity", "quota", "cores"),
    [(8, None, 8), (8, 2.0, 2), (8, 1.5, 2), (8, 0.5, 1), (2, 16.0, 2), (1, None, 1), (3, 0.01, 1)],
)
def test_usable_cores_are_the_least_of_affinity_and_quota(monkeypatch, affinity, quota, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(affinity)), raising=False)
    monkeypatch.setattr(threads, "_cgroup_quota", lambda: quota)
    assert usable_cores() == cores


@pytest.mark.parametrize(("count", "cores"), [(6, 6), (None, 1)])
def test_usable_cores_where_there_is_no_affinity(monkeypatch, count, cores):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    monkeypatch.setattr(threads, "_cgroup_quota", lambda: None)
    assert usable_cores() == cores


def blas():
    np.ones((2, 2)) @ np.ones((2, 2))
    return {i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"}


def test_blas_is_held_and_restored(monkeypatch):
    with threadpool_limits(3, user_api="blas"):
        for n in (1, 2):
            with blas_threads(n):
                assert blas() == {n}
            assert blas() == {3}
        monkeypatch.setattr(threads, "usable_cores", lambda: 2)
        with blas_threads(None):
            assert blas() == {2}
        assert blas() == {3}


def test_products_that_are_too_small_for_two_threads_get_one():
    for multiply_adds, n in ((threads.WORTHWHILE - 1, 1), (threads.WORTHWHILE, 2)):
        with threadpool_limits(3, user_api="blas"), blas_threads(2, multiply_adds):
            assert blas() == {n}


def test_blas_is_restored_after_an_error():
    def fail():
        with blas_threads(1):
            raise KeyError

    with threadpool_limits(3, user_api="blas"):
        with pytest.raises(KeyError):
            fail()
        assert blas() == {3}


def test_without_threadpoolctl_training_goes_on_and_a_wish_is_answered(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    x = np.full((3, 4), 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nv.fit(nv.VAE(4, 2, hidden=(3,)), x, epochs=1)
        nv.fit(nv.VAE(4, 2, hidden=(3,)), x, epochs=1, threads=2)  # captured: no BLAS
    with pytest.warns(UserWarning, match=r"pip install threadpoolctl"):
        nv.fit(nv.VAE(4, 2, hidden=(3,), dtype="float64"), x, epochs=1, threads=2)


def cores(monkeypatch, n):
    """As many cores as that, and any work worth sharing."""
    monkeypatch.setattr(threads, "WORTHWHILE", 0)
    monkeypatch.setattr(threads, "usable_cores", lambda: n)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_shared_work_comes_back_in_order_with_blas_held_to_one_thread(monkeypatch, n):
    cores(monkeypatch, n)
    seen, inside = set(), []

    def job(a, b):
        seen.add(threading.get_ident())
        inside.append(blas())
        return a * b

    with threadpool_limits(3, user_api="blas"):
        assert list(shared(job, ((i, 2) for i in range(20)), 1.0)) == list(range(0, 40, 2))
        assert blas() == {3}
    assert inside == [{1}] * 20
    assert len(seen) <= n


def test_jobs_are_taken_when_they_are_due(monkeypatch):
    cores(monkeypatch, 2)
    taken = []

    def jobs():
        for i in range(100):
            taken.append(i)
            yield (i,)

    results = shared(lambda i: i, jobs(), 1.0)
    assert next(results) == 0
    assert len(taken) <= 6
    results.close()
    assert len(taken) <= 6


def test_the_first_of_several_errors_is_raised_and_blas_restored(monkeypatch):
    cores(monkeypatch, 2)

    def fail(i):
        if i > 2:
            raise KeyError(i)
        return i

    with threadpool_limits(3, user_api="blas"):
        with pytest.raises(KeyError, match="3"):
            list(shared(fail, ((i,) for i in range(9)), 1.0))
        assert blas() == {3}


def test_blas_is_held_until_the_last_of_those_who_share_is_done(monkeypatch):
    cores(monkeypatch, 1)
    with threadpool_limits(3, user_api="blas"):
        one = shared(lambda i: i, ((i,) for i in range(2)), 1.0)
        other = shared(lambda i: i, ((i,) for i in range(2)), 1.0)
        next(one), next(other)
        list(one)
        assert blas() == {1}
        list(other)
        assert blas() == {3}


def test_fit_s_ceiling_holds_for_what_is_computed_in_it(monkeypatch):
    cores(monkeypatch, 4)
    seen = set()
    with blas_threads(1):
        list(shared(lambda i: seen.add(threading.get_ident()), ((i,) for i in range(9)), 1.0))
    assert seen == {threading.get_ident()}


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_inference_gives_the_same_bits_with_any_number_of_threads(monkeypatch, likelihood):
    monkeypatch.setattr(reader, "CHUNK", 300)
    monkeypatch.setattr("npvae.models.blocks.BLOCK", 70)
    rng = np.random.default_rng(0)
    x, z = rng.random((1000, 20), np.float32), rng.standard_normal((1000, 4), np.float32)
    model = nv.VAE(20, 4, hidden=(50,), likelihood=likelihood)
    with np.errstate(all="raise"):
        found = []
        for n in (1, 2, 3):
            cores(monkeypatch, n)
            found.append([*model.encode(x), model.decode(z), model.elbo(x, 3, seed=2)])
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_wrong_row_is_named_by_its_place_in_the_whole(monkeypatch):
    cores(monkeypatch, 2)
    monkeypatch.setattr("npvae.models.blocks.BLOCK", 7)
    x = np.full((100, 4), 0.5)
    x[40, 1] = np.nan
    for call in (nv.VAE(4, 2, hidden=(3,)).encode, nv.VAE(4, 2, hidden=(3,)).elbo):
        with pytest.raises(nv.DataError, match="row 40, column 1"):
            call(x)
