"""The commands and the processes that they start; with npvae alone, whatever else is installed."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys

import pytest

from bench import infer, memory, peers, processes, programs, train, worker
from bench.nets import Net
from bench.processes import Job, WorkerFailed, attempt, fresh, fresh_interleaved, interleaved

QUALITY = ("mnist_elbo", "conv_quality", "semi_supervised", "hierarchical", "flows", "conditional")
COMMANDS = (
    "train", "infer", "startup", "memory", "scaling", "families", "operations", "products",
    *QUALITY,
)  # fmt: skip
TINY = Net(12, (8,), 2, batch=16)


@pytest.fixture
def without_frameworks(monkeypatch):
    find = importlib.util.find_spec
    hidden = {"torch", "jax", "optax"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in hidden else find(name)
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains(command, capsys, monkeypatch):
    module = importlib.import_module(f"bench.{command}")
    monkeypatch.setattr(sys, "argv", [command, "--help"])
    with pytest.raises(SystemExit) as stopped:
        module.main()
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert module.__doc__.splitlines()[0].split(":")[0][:40] in text
    if command not in QUALITY:
        of_peers = ("--threads", "--peers") if command != "operations" else ()
        drawn = ("--plot",) if command not in ("operations", "products") else ()
        for option in ("--quick", "--json", "--rounds", *of_peers, *drawn):
            assert option in text


def test_importing_a_command_needs_no_peer():
    code = f"""
import sys
for name in ("torch", "jax", "optax"):
    sys.modules[name] = None
import importlib
for name in {COMMANDS}:
    importlib.import_module("bench." + name)
print("imported")
"""
    assert fresh(code)[1] == "imported\n"


@pytest.mark.slow
def test_training_is_measured_and_a_missing_peer_is_one_line(without_frameworks, capsys, tmp_path):
    argv = ["--quick", "--peers", "npvae,torch_fused,jax_scan", "--nets", "12-8-2"]
    path = tmp_path / "train.json"
    train.main([*argv, "--threads", "1", "--rounds", "1", "--json", str(path)])
    out, err = capsys.readouterr()
    assert err.splitlines() == [
        "torch_fused is skipped: torch not installed; pip install 'npvae[bench]'",
        "jax_scan is skipped: jax and optax not installed; pip install 'npvae[bench]'",
    ]
    assert "12-8-2 relu, batch 128" in out
    (row,) = json.loads(path.read_text())["results"]
    assert (row["peer"], row["threads"], row["ratio"]) == ("npvae", 1, 1)
    assert len(row["losses"]) == 2
    assert row["losses"][1] < row["losses"][0]
    assert row["of_peak"] > 0


@pytest.mark.parametrize("threads", [1, 2])
def test_each_operation_of_a_step_is_timed_and_the_step_still_trains(threads, monkeypatch):
    from bench.operations import together
    from bench.timed import timed

    monkeypatch.setattr("npvae.executor.program.BARRIER", -1e9)  # so that it pays to share
    program, history = timed(TINY, "random", epochs=2, threads=threads)
    found, sharing = list(program.parts()), program.operations
    assert [part.name for part in found].count("adam") == 1
    assert all(0 < part.seconds < 1 and 0 <= part.waiting < 1 for part in found)
    assert program.threads == threads
    flop = [part.flop * each.sharing for part, each in zip(found, sharing, strict=True)]
    assert sum(flop) == TINY.flop()
    assert sum(part.flop for part in together(found)) == sum(part.flop for part in found)
    assert len(program.steps) > 0
    assert len(history) == 2
    assert history["train_loss"][1] < history["train_loss"][0]


def test_no_peer_left_is_an_error(without_frameworks, capsys):
    with pytest.raises(SystemExit) as stopped:
        infer.main(["--peers", "torch"])
    assert stopped.value.code == 2
    assert "none of the peers is installed" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("command", ["train", "memory"])
def test_without_mnist_there_is_one_line(command, monkeypatch, capsys):
    monkeypatch.delenv("NPVAE_DATA", raising=False)
    with pytest.raises(SystemExit) as stopped:
        importlib.import_module(f"bench.{command}").main(["--peers", "npvae"])
    assert stopped.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "NPVAE_DATA is not set" in line
    assert line.endswith("or pass --data digits")


@pytest.mark.slow
def test_inference_is_measured():
    answers = infer.run(["npvae"], TINY, threads=1, rounds=1)
    found = infer.figures(answers)
    assert {row["call"] for row in found} == {
        f"{name} {n}" for name in ("encode", "decode", "score") for n in worker.ROWS
    }
    assert all(row["us"]["median"] > 0 and row["agrees"] for row in found)


def test_peers_take_turns_and_one_that_fails_is_left_out(capsys):
    jobs = {
        "good": Job("train", "numpy", 1, TINY, rows=32),
        "bad": Job("no such task", "numpy", 1, TINY, rows=32),
    }
    answers = interleaved(jobs, rounds=2)
    assert list(answers) == ["good"]
    assert len(answers["good"]) == 3
    assert capsys.readouterr().err == "bad failed and is left out: KeyError: 'no such task'\n"


def test_jobs_survive_their_way_through_json():
    for job in (Job("train", "npvae", 2, TINY, "digits", 32), Job("peak", "peak", 1)):
        assert Job.from_json(job.to_json()) == job


def test_a_program_that_fails_gives_its_last_line(capsys):
    with pytest.raises(WorkerFailed, match="ZeroDivisionError: division by zero"):
        fresh("1 / 0")
    assert attempt("it", lambda: fresh("raise SystemExit(3)")) is None
    assert capsys.readouterr().err == "it failed and is left out: exit 3\n"
    runs = fresh_interleaved({"bad": "1 / 0", "good": "print(7)"}, {}, rounds=1, threads=1)
    assert {name: [out for _, out in of] for name, of in runs.items()} == {"good": ["7\n", "7\n"]}


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system has no affinity")
def test_a_child_is_held_to_its_cores_and_threads():
    before = os.sched_getaffinity(0)
    code = "import os; print(len(os.sched_getaffinity(0)), os.environ['OPENBLAS_NUM_THREADS'])"
    assert fresh(code, threads=1)[1] == "1 1\n"
    assert os.sched_getaffinity(0) == before


def test_npvae_and_numpy_by_hand_encode_the_same(tmp_path):
    arguments = programs.saved_models(tmp_path, ["npvae", "numpy"])
    results = [float(fresh(programs.ENCODE[p], arguments[p])[1]) for p in ("npvae", "numpy")]
    assert results[0] == pytest.approx(results[1], rel=1e-5)


def test_a_first_training_step_gives_its_loss(tmp_path):
    digits = programs.saved_digits(tmp_path)
    assert 0 < float(fresh(programs.FIRST_STEP["numpy"], [digits, "1"])[1]) < 100


def test_peak_memory_is_a_programs_own_and_counts_what_was_freed():
    held = bytearray(150 << 20)  # what the parent holds is not the child's
    held[::4096] = b"\1" * len(held[::4096])
    small = float(fresh("print()" + programs.PEAK)[1].split()[-1])
    large = float(fresh("a = b'x' * (100 << 20); del a; print()" + programs.PEAK)[1].split()[-1])
    assert 1 < small < 100 <= large < small + 110


def test_memory_of_training_has_npvae_cold_and_then_warm(monkeypatch):
    caches = []

    def peak_of(job, env):
        caches.append((job.peer, env["NUMBA_CACHE_DIR"]))
        return float(len(caches))

    monkeypatch.setattr(memory, "peak_of", peak_of)
    jobs = {peer: Job("train", peer, 1, TINY, rows=32) for peer in ("npvae", "numpy")}
    peaks = memory.of_training(jobs, rounds=2)
    assert peaks == {memory.COLD: [1, 4], "npvae": [2, 5], "numpy": [3, 6]}
    assert caches[0] == caches[1] != caches[3] == caches[4]


def test_memory_of_training_is_measured():
    assert memory.peak_of(Job("train", "numpy", 1, TINY, rows=32), {}) > 10


def test_every_peer_has_a_program():
    for peer in {*peers.TRAINING, *peers.INFERENCE}:
        assert importlib.util.find_spec(
            f"bench.peers.with_{'npvae' if peer == 'numpy' else peers.family(peer)}"
        )
    assert set(programs.IMPORT) == set(programs.FIRST_STEP) == set(programs.PEERS)
    assert peers.missing("npvae") == []


def test_a_worker_ends_when_its_input_is_closed():
    job = Job("train", "numpy", 1, TINY, rows=32)
    command = [sys.executable, "-m", "bench.worker", job.to_json()]
    done = subprocess.run(
        command, input="go\n", capture_output=True, text=True, timeout=60,
        env=processes.environment(1),
    )  # fmt: skip
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2
