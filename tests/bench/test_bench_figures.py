"""What the figures of the benchmarks mean: arithmetic, medians, ratios, tables."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

import npvae as nv
from bench import (
    infer,
    measure,
    memory,
    nets,
    peers,
    pictures,
    products,
    recorded,
    scaling,
    startup,
    train,
)
from bench.measure import Spread
from bench.nets import NETS, Net
from npvae import kernels
from npvae.executor.rules import windows


def test_flop_of_a_step_by_hand():
    net = Net(4, (3,), 2, batch=5)
    assert net.products() == [(5, 4, 3), (5, 3, 4), (5, 2, 3), (5, 3, 4)]
    forward = 2 * 5 * (12 + 12 + 6 + 12)
    assert net.flop() == 3 * forward - 2 * 5 * 12 == 1140
    assert Net(4, (3,), 2, batch=5, samples=2).flop() == 3 * (240 + 360) - 120
    assert NETS["ref"].flop() == 419_840_000


@pytest.mark.parametrize("net", [Net(6, (5, 4), 2, batch=3), Net(6, (5, 4), 2, batch=3, samples=7)])
def test_flop_is_that_of_the_products_that_npvae_takes(net, monkeypatch):
    taken = []

    def counted(function):
        def product(a, b):
            out = function(a, b)
            taken.append(2 * np.sqrt(a.size * b.size * out.size))  # their sizes: Rm, mn, Rn
            return out

        return product

    for name in ("linear", "linear_dw", "linear_dx"):
        monkeypatch.setattr(kernels, name, counted(getattr(kernels, name)))
    model = nv.VAE(net.x_dim, net.z_dim, hidden=net.hidden)
    x = np.full((net.batch, net.x_dim), 0.5)
    eps = model.draw_noise(net.batch, net.samples, np.random.default_rng(0))
    nv.value_and_grad(model, nv.ELBO(n_samples=net.samples), x, eps)
    assert round(sum(taken)) == net.flop()


@pytest.mark.parametrize("name", nets.IMAGES)
def test_flop_of_convolutions_is_without_padding(name):
    """Each axis of a convolution that halves 2s places meets them 4s - 2 times."""
    net, _ = nets.IMAGES[name]
    found, batch = [], net.batch
    for (height, width, channels), (rows, _, out) in zip(net.images, net.images[1:], strict=False):
        down = windows.meetings(rows, height, 4, 2, 1, 1)
        found.append(batch * sum(map(len, down)) ** 2 * channels * out)
        assert height == width
    *_, (_, side, last) = net.images
    dense = batch * side * side * last * net.z_dim
    forward = [*found, 2 * dense, dense, *found[::-1]]
    assert net.flop() == 2 * (3 * sum(forward) - found[0])


def test_faces_are_squares_of_means(monkeypatch, tmp_path):
    monkeypatch.setenv("NPVAE_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"orl_faces\.npz"):
        nets.faces()
    np.savez(tmp_path / "orl_faces.npz", X=np.full((2, 112, 92), 7, np.uint8))
    assert (nets.faces() == 7).all()
    assert nets.load("faces", nets.SIDE**2, 5).shape == (5, nets.SIDE**2)


def test_a_net_is_named_or_given_by_its_widths():
    assert Net.parse("k50") is NETS["k50"]
    assert Net.parse("30-64-32-8") == Net(30, (64, 32), 8)
    assert str(NETS["small"]) == "30-64-8 relu, batch 64, K = 1"
    for text in ("7", "a-b-c", "", "reff"):
        with pytest.raises(
            ValueError, match="a net is one of ref, small, k50, wide, wider, or widths"
        ):
            Net.parse(text)


def test_rows_fill_whole_batches_and_are_repeated_where_there_are_few():
    assert [nets.whole_batches(NETS["ref"], n) for n in (60_000, 128, 5)] == [59_904, 128, 128]
    assert nets.on_data(NETS["ref"], "digits") == (Net(64, (400,), 20), "digits")
    assert nets.on_data(NETS["small"], "mnist") == (NETS["small"], "random")
    x = nets.load("digits", 64, 2000)
    assert (x.shape, x.dtype, x.max()) == ((2000, 64), np.float32, 1)
    np.testing.assert_array_equal(x[1797:], x[: 2000 - 1797])
    random = nets.load("random", 3, 10)
    assert random.shape == (10, 3)
    assert nets.floats(random) is random
    floats = nets.floats(np.array([[0, 51, 255]], np.uint8))
    assert floats.dtype == np.float32
    np.testing.assert_allclose(floats, [[0, 0.2, 1]], rtol=1e-6)


def test_mnist_is_asked_for_by_the_name_of_its_variable(monkeypatch, tmp_path):
    monkeypatch.delenv("NPVAE_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="NPVAE_DATA is not set"):
        nets.mnist_folder()
    monkeypatch.setenv("NPVAE_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="folder without mnist/"):
        nets.mnist_folder()
    (tmp_path / "mnist").mkdir()
    assert nets.mnist_folder() == tmp_path / "mnist"


def test_medians_and_ratios():
    assert Spread.of([3.0, 1.0, 10.0]) == Spread(3.0, 1.0, 10.0)
    assert Spread.of([1.0, 2.0]).median == 1.5
    figures = {"npvae": Spread(2, 1, 3), "other": Spread(5, 1, 9)}
    assert measure.ratios(figures) == {"npvae": 1, "other": 2.5}
    del figures["npvae"]
    assert measure.ratios(figures) == {"other": None}


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (2.5512, 4, "2.551"), (0.00012345, 3, "0.000123"), (123456.0, 4, "123456"),
        (0.0, 4, "0.000"), (None, 4, "-"), (12.0, 3, "12.0"),
    ],
)  # fmt: skip
def test_numbers_are_shown_without_exponents(value, digits, text):
    assert measure.significant(value, digits) == text


def test_tables_are_aligned():
    assert measure.table(["peer", "ms"], [["a", "1.0"], ["longer", "10.5"]]).splitlines() == [
        "peer      ms", "------  ----", "a        1.0", "longer  10.5",
    ]  # fmt: skip


def answers(seconds, losses):
    return [{"seconds": s, "loss": n} for s, n in zip(seconds, losses, strict=True)]


@pytest.fixture
def trained():
    """Twenty steps a round; the first round is a warm-up."""
    given = {
        "npvae": answers([9.0, 0.02, 0.04, 0.06], [5, 4, 3, 2.0]),
        "other": answers([0.1, 0.08, 0.08, 0.08], [9, 9, 9, 9.0]),
        "peak": [{"gflops": 1e-3}, {"gflops": 4e-3}, {"gflops": 2e-3}],
    }
    return train.figures(given, Net(4, (3,), 2, batch=5), rows=100)


def test_figures_of_training(trained):
    found, peak = trained
    npvae, other = found
    assert peak == 4e-3
    assert npvae["ms_per_step"] == pytest.approx({"median": 2, "least": 1, "most": 3})
    assert npvae["losses"] == [5, 4, 3, 2]
    assert (npvae["ratio"], other["ratio"]) == pytest.approx((1, 2))
    assert npvae["of_peak"] == pytest.approx(1140 / 2e-3 / 4e6)


def test_a_loss_that_is_too_high_or_no_number_is_pointed_out(trained):
    found, _ = trained
    assert [line.split()[0] for line in train.warnings(found)] == ["other"]
    found[1]["losses"][-1] = 2.4
    assert train.warnings(found) == []
    found[0]["losses"][-1] = float("nan")
    assert [line.split()[0] for line in train.warnings(found)] == ["npvae"]


def row(net="ref", threads=1, peer="jax_scan", ratio=2.0):
    return {"net": net, "threads": threads, "peer": peer, "ratio": ratio}


def test_ratios_below_the_recorded_ones_are_named():
    before = [
        row(),
        row(peer="torch_fused"),
        row(threads=2),
        row("wide"),
        row(peer="x", ratio=None),
    ]
    found = [row(ratio=1.79), row(peer="torch_fused", ratio=1.81), row(threads=2, ratio=9.0)]
    (line,) = recorded.short([*found, row(peer="new", ratio=0.1), row(peer="x")], before)
    assert line == "ref, 1 threads: jax_scan takes 1.79 times as long as npvae, and took 2.00 times"
    assert recorded.short([row("other")], before) == ["nothing that was recorded was measured"]
    assert recorded.short([row(ratio=None)], before) == ["nothing that was recorded was measured"]


def test_recorded_ratios_are_those_of_the_same_instructions(tmp_path):
    path = tmp_path / "figures.json"
    measure.write_json(path, {"instructions": {"isa": "avx2"}}, [row()])
    assert recorded.read(path, "avx2") == [row()]
    with pytest.raises(ValueError, match="measured with --isa avx2"):
        recorded.read(path, "native")
    for text in ("", "[]", "{}", "7", '{"results": [], "header": {}}'):
        path.write_text(text)
        with pytest.raises(ValueError, match="no file that --json wrote"):
            recorded.read(path, "native")
    with pytest.raises(SystemExit) as stopped:
        train.main(["--check", str(tmp_path / "missing.json"), "--peers", "npvae"])
    assert stopped.value.code == 2


def test_the_recorded_files_can_be_compared_with():
    files = sorted(Path(recorded.__file__).with_name("recorded").glob("*.json"))
    assert files
    for path in files:
        rows = recorded.read(path, path.stem)
        assert recorded.short(rows, rows) == []
        assert {row["net"] for row in rows} <= set(NETS)
        assert {row["peer"] for row in rows} <= set(peers.TRAINING)


def test_long_loss_curves_are_thinned_and_keep_their_ends():
    assert train.curve([1.0, 2.0]).split() == ["1.00", "2.00"]
    assert train.curve([float(i) for i in range(101)]).split() == [
        "0.00", "20.00", "40.00", "60.00", "80.00", "100.00",
    ]  # fmt: skip


def test_figures_of_inference_compare_results():
    def given(us, total):
        return [{"us": {"encode 1": u}, "sums": {"encode 1": total}} for u in us]

    found = infer.figures({"npvae": given([9, 2, 2], 1.0), "torch": given([9, 1, 3], 1.00001)})
    assert [row["us"]["median"] for row in found] == [2, 2]
    assert [row["agrees"] for row in found] == [True, True]
    wrong = infer.figures({"npvae": given([9, 2], 1.0), "torch": given([9, 1], 1.1)})
    assert [row["agrees"] for row in wrong] == [True, False]
    noisy = [{"us": {"score 1": 2}, "sums": {"score 1": total}} for total in (1.0, 1.01, 1.03)]
    found = infer.figures({str(i): [answer, answer] for i, answer in enumerate(noisy)})
    assert [row["agrees"] for row in found] == [True, True, False]
    assert "DIFFERS" in infer.report(wrong).splitlines()[-1]
    assert infer.figures({}) == []


def test_figures_of_starting_leave_the_first_start_out():
    npvae, numpy = [(9.0, "\n"), (0.3, "\n")], [(8.0, "\n"), (0.1, "\n"), (0.2, "\n")]
    found = startup.figures({"npvae": npvae, "numpy": numpy})
    assert [row["ms"]["median"] for row in found] == pytest.approx([300, 150])
    assert found[0]["first_ms"] == 9000
    (note,) = startup.notes("import", found)
    assert note == "import npvae takes 150.0 ms on top of import numpy"
    (note,) = startup.notes("first training step", found)
    assert "9000 ms" in note


def test_points_of_scaling():
    grid = scaling.points((64, 400), (16, 128))
    assert [(net.hidden, net.batch) for net in grid] == [((64,), 128), ((400,), 128), ((400,), 16)]
    assert [scaling.doublings(n) for n in (1, 2, 6, 8)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]
    assert scaling.steps(Net(784, (3200,), 20, batch=4096)) == 8
    assert scaling.steps(Net(4, (3,), 2)) == 500


@pytest.mark.slow
def test_every_kind_of_figure_can_be_drawn_and_tabled(trained, tmp_path):
    found, _ = trained
    results = [
        {**row, "net": "tiny", "threads": 1, "hidden": h, "batch": b}
        for row in found
        for h, b in ((64, 128), (400, 128), (400, 16))
    ]
    spread = {"median": 2.0, "least": 1.0, "most": 3.0}
    processes = [
        {"section": "import", "threads": 1, "peer": peer, "mib": spread, "ratio": 1.0}
        for peer in ("npvae", "numpy")
    ]
    calls = [
        {"net": "tiny", "threads": 2, "call": call, "peer": "npvae", "us": spread, "ratio": None,
         "agrees": True}
        for call in ("encode 1", "encode 256", "decode 1", "decode 256")
    ]  # fmt: skip
    for i, draw in enumerate(
        [
            lambda: pictures.training(results),
            lambda: pictures.scaling(results, NETS["ref"]),
            lambda: pictures.bars(processes, "mib", "MiB", "memory"),
            lambda: pictures.inference(calls),
        ]
    ):
        pictures.save(tmp_path / f"{i}.png", draw)
        assert (tmp_path / f"{i}.png").stat().st_size > 1000
    pictures.save(None, lambda: pytest.fail("nothing to draw"))
    times, losses = pictures.training(results).axes[:2]
    assert "tiny; 1 thread" in times.get_title(loc="left")
    named = [text.get_text() for text in losses.get_legend().get_texts()]
    assert named == [peers.NAMES.get(row["peer"], row["peer"]) for row in results]
    assert {text.get_text() for text in times.get_yticklabels()} == set(named)
    alone = pictures.bars(processes, "mib", "MiB", "memory").axes[0]
    assert [text.get_text() for text in alone.get_yticklabels()] == ["npvae", "NumPy"]
    assert all({*known} <= {"npvae", *peers.NAMES} for known in (peers.TRAINING, peers.INFERENCE))
    assert len(scaling.report(results).splitlines()) == 2 + len(results)
    assert len(memory.report(processes).splitlines()) == 2 + len(processes)


def test_header_and_json(tmp_path):
    facts = measure.header()
    assert facts["numpy"] == np.__version__
    assert facts["usable cores"] >= 1
    measure.write_json(tmp_path / "figures.json", facts, [{"a": 1}])
    assert json.loads((tmp_path / "figures.json").read_text())["results"] == [{"a": 1}]
    measure.write_json(None, facts, [])


def test_options_have_defaults_that_depend_on_each_other(monkeypatch):
    monkeypatch.setattr(measure, "usable_cores", lambda: 4)
    known = {"npvae": "this", "numpy": "that"}

    def read(*argv):
        return measure.read(measure.options("A test.", known, rounds=5), argv, ("numpy",))

    args = read()
    assert (args.rounds, args.threads, args.peers) == (5, [1, 4], ["npvae", "numpy"])
    args = read("--quick")
    assert (args.rounds, args.threads, args.peers) == (2, [4], ["npvae"])
    args = read("--quick", "--rounds", "3", "--threads", "2,1", "--peers", "numpy")
    assert (args.rounds, args.threads, args.peers) == (3, [2, 1], ["numpy"])


def test_what_a_command_has_no_use_for_it_does_not_take(capsys):
    parser = measure.options("A test.", {"npvae": "this"}, rounds=5, without=["plot", "peers"])
    args = measure.read(parser, [])
    assert (args.plot, args.peers) == (None, ["npvae"])
    with pytest.raises(SystemExit):
        measure.read(parser, ["--plot", "a.png"])
    assert "unrecognized arguments: --plot" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--peers", "nupmy"], "no peer 'nupmy'; known: npvae"),
        (["--threads", "0"], "a whole number above 0; got '0'"),
        (["--threads", "1,x"], "a whole number above 0; got 'x'"),
        (["--threads", "100000"], "100000 threads for"),
        (["--rounds", "-1"], "a whole number above 0"),
        (["--json", "no/such/folder/a.json"], "there is no folder"),
        (["--plot", "a.bmp"], "a picture is one of .png"),
    ],
)
def test_wrong_options_are_answered_in_one_line(argv, message, capsys):
    parser = measure.options("A test.", {"npvae": "this"}, rounds=5)
    assert isinstance(parser, argparse.ArgumentParser)
    with pytest.raises(SystemExit) as stopped:
        measure.read(parser, argv)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_rates_of_products_are_of_medians_and_leave_out_the_warm_up():
    answers = {
        "npvae": [{"each": [9.0]}, {"each": [1e-9]}, {"each": [2e-9]}, {"each": [4e-9]}],
        "numpy": [{"each": [9.0]}, {"each": [4e-9]}, {"each": [4e-9]}, {"each": [4e-9]}],
    }
    found = products.rates(answers, [(2, 3, 4)])
    assert found == [{"size": [2, 3, 4], "gflops": {"npvae": 24.0, "numpy": 12.0}}]
    assert "200%" in products.report(found, ["npvae", "numpy"])


@pytest.mark.parametrize("text", ["", "3", "3x4", "3x4x0", "ax3x4", "3x4x5x6"])
def test_sizes_that_are_none_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="such as 400x128x784"):
        products.parsed(text)
