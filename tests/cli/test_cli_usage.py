"""What can be typed, what is refused, and in which words."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
from importlib import import_module

import pytest

import npvae as nv
from npvae import cli
from npvae.cli.parser import parse

COMMANDS = list(cli.COMMANDS)


def test_help_lists_the_commands_and_each_explains_itself(npvae, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = npvae("--help")
    assert (code, err) == (0, "")
    listed = re.findall(r"^    ([a-z]+) ", out, re.MULTILINE)
    assert listed == COMMANDS
    for command in COMMANDS:
        code, out, err = npvae(command, "--help")
        assert (code, err) == (0, "")
        assert out.startswith(f"usage: npvae {command} ")
        assert all(len(line) <= 80 for line in out.splitlines())


def test_every_command_is_the_function_that_the_table_names():
    for command, module in cli.COMMANDS.items():
        assert callable(getattr(import_module(f"npvae.cli.{module}"), command))


def test_version(npvae):
    assert npvae("--version") == (0, f"npvae {nv.__version__}\n", "")


def test_help_imports_no_numpy():
    code = (
        "import sys; from npvae.cli import main; code = main(['train', '--help']); "
        "sys.exit(code or sorted({'numpy', 'numba', 'matplotlib'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "give a command: train, evaluate, "),
        ("trian", "there is no command 'trian'; did you mean 'train'?"),
        ("--versoin", "there is no option --versoin; did you mean --version?"),
        ("train --epoch 3", "there is no option --epoch; did you mean --epochs?"),
        ("train --epoch=3", "there is no option --epoch; did you mean --epochs?"),
        ("train digits more", "'more' is one argument too many. See"),
        ("train t.csv --data u.csv", "the data are given once; got 't.csv' and --data u.csv"),
        ("train nowhere.csv", "no file or folder at 'nowhere.csv'"),
        ("evaluate run t.csv more", "'more' is one argument too many; did you mean --out more?"),
        ("my.csv", "a command comes first, such as npvae train my.csv; got 'my.csv'"),
        ("sample run new.csv", "'new.csv' is one argument too many; did you mean --out new.csv?"),
        ("train t.csv --label kind", "no option --label; say --columns kind=label in npvae train"),
        ("train --label=kind", "no option --label; say --columns kind=label in npvae train"),
        ("train --drop a,b", "no option --drop; say --columns a=skip,b=skip in npvae train"),
        ("train --conditional sex", "no option --conditional; --condition label, or"),
        ("train --where a=1", "no option --where; write a file of the rows to train on"),
        ("sample run --where a=1", "no option --where; --given NAME=VALUE says"),
        ("evaluate run --where a=1", "no option --where; write a file of the rows that you mean"),
        ("train --gpu", "no option --gpu; npvae computes on the CPU; leave it out"),
        ("train --sep ;", "no option --sep; npvae finds that out of the file; leave it out"),
        ("train --latent-dim 8", "no option --latent-dim; did you mean --z-dim?"),
        ("train --latent_dim 8", "no option --latent_dim; did you mean --z-dim?"),
        ("train --learning-rate 1", "no option --learning-rate; did you mean --lr?"),
        ("train --validation-split .1", "no option --validation-split; did you mean --holdout?"),
        ("train --early-stopping 3", "no option --early-stopping; did you mean --patience?"),
        ("train --output run", "no option --output; did you mean --out?"),
        ("train -o run", "no option -o; did you mean --out?"),
        ("train -v", "no option -v; npvae says what it does unless --quiet is given"),
        ("sample run --num 5", "no option --num; did you mean -n?"),
        ("evaluate run --n-samples 5", "no option --n-samples; did you mean --samples?"),
        ("train --xyzzy", "there is no option --xyzzy. See"),
        ("train --epochs 0", "--epochs: it takes a whole number, 1 or more; got '0'"),
        ("train --epochs 1.5", "--epochs: it takes a whole number, 1 or more; got '1.5'"),
        ("train --z-dim 0", "--z-dim: it takes a whole number, 1 or more; got '0'"),
        ("train --batch-size -3", "--batch-size: it takes a whole number, 1 or more; got '-3'"),
        ("train --threads 0", "--threads: it takes a whole number, 1 or more; got '0'"),
        ("train --seed -1", "--seed: it takes a whole number, 0 or more; got '-1'"),
        ("train --lr -0.1", "--lr: it takes a finite number above 0; got '-0.1'"),
        ("train --lr 0", "--lr: it takes a finite number above 0; got '0'"),
        ("train --lr nan", "--lr: it takes a finite number above 0; got 'nan'"),
        ("train --lr fast", "--lr: it takes a finite number above 0; got 'fast'"),
        ("train --beta inf", "--beta: it takes a finite number of 0 or more; got 'inf'"),
        ("train --holdout 1", "--holdout: it takes a finite number from 0 to below 1; got '1'"),
        ("train --hidden 4,x", "--hidden: it takes widths above 0 with commas between"),
        ("train --hidden 4,0", "--hidden: it takes widths above 0 with commas between"),
        ("train --hidden", "--hidden: expected one argument"),
        ("train --objective elba", "got 'elba'; did you mean 'elbo'?"),
        ("train --objective iwae --beta 2", "iwae takes n_samples=5; leave --beta out"),
        ("train --objective iwae --warmup 2", "iwae takes n_samples=5; leave --warmup out"),
        ("train --objective iwae:k=3", "objective 'iwae' takes n_samples=5; got 'k'"),
        ("train --objective iwae:n_samples=0", "n_samples is a whole number, 1 or more; got 0"),
        ("train --objective elbo:beta=2 --beta 3", "--beta 3.0 say two things; leave --beta out"),
        (
            "train --objective elbo:beta=(linear:start=0,stop=1,epochs=3) --warmup 2",
            "epochs=3) has its beta; leave --warmup out",
        ),
        ("train --likelihood student_t:fd=3", "takes df=4.0, scale=column; got 'fd'"),
        ("train --prior vamp:n_components=0", "n_components is a whole number, 1 or more; got 0"),
        ("train --patience 3 --holdout 0", "--patience watches the validation loss"),
        ("train --activation rellu", "got 'rellu'; did you mean 'relu'?"),
        ("train --likelihood bernouli", "got 'bernouli'; did you mean 'bernoulli'?"),
        ("train --image-shape 8", "--image-shape: it takes a height and a width"),
        ("train --image-shape 8,8,4", "--image-shape: it takes a height and a width"),
        ("train --image-shape 8,9", "as many pixels as a row has columns, 64; got 8,9"),
        ("train --data nowhere.npy", "no file or folder at 'nowhere.npy'"),
        ("sample", "the following arguments are required: RUN"),
        ("sample nowhere", "'nowhere' can't be read: no such file or directory"),
        ("sample run -n 0", "-n: it takes a whole number, 1 or more; got '0'"),
        ("sample run --out a.jpg", "--out: it takes a file that ends in .png, .svg, .pdf, .npy"),
        ("sample run --out .png", "--out: it takes a file that ends in"),
        ("sample run --out nowhere/a.png", "--out: there is no folder 'nowhere' to write in"),
        (
            "interpolate run --out a.csv",
            "--out: it takes a file that ends in .png, .svg, .pdf, .np",
        ),
        ("interpolate run --steps 1", "--steps: it takes a whole number, 2 or more; got '1'"),
        ("evaluate run --split tset", "--split: there is no 'tset'; did you mean 'test'?"),
        ("evaluate run --samples 0", "--samples: it takes a whole number, 1 or more; got '0'"),
    ],
)
def test_bad_usage_is_one_line_that_names_the_fix(refused, arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in refused(arguments)
    assert list(tmp_path.iterdir()) == [], "what is refused leaves nothing behind"


def test_a_usage_error_says_where_the_help_is(refused):
    assert refused("train", "--lr", "x").endswith("got 'x'. See npvae train --help.\n")
    assert refused("evaluate").endswith("See npvae evaluate --help.\n")


def test_values_arrive_as_they_were_typed():
    options = parse(
        shlex.split(
            "train --hidden 400,200 --lr 1e-2 --beta 0 --image-shape 28,20 --seed 5 --patience 3 "
            "--objective iwae --n-samples 7 --holdout 0.25 --clip-norm 5 --resume"
        )
    )
    assert options.hidden == [400, 200]
    assert options.image_shape == [28, 20]
    assert (options.lr, options.beta, options.holdout, options.clip_norm) == (0.01, 0.0, 0.25, 5.0)
    assert (options.seed, options.patience, options.n_samples) == (5, 3, 7)
    assert (options.objective, options.resume, options.quiet) == ("iwae", True, False)
    assert parse(["train", "--hidden", "none"]).hidden == []


@pytest.mark.parametrize(
    "line",
    [
        "train t.csv --epochs 3 --no-plots",
        "train --epochs 3 t.csv --no-plots",
        "train --epochs 3 --no-plots t.csv",
        "evaluate run t.csv --rows 3",
        "evaluate run --rows 3 t.csv",
        "evaluate --rows 3 run t.csv",
        "reconstruct --impute run t.csv",
        "impute run t.csv --draws 2",
        "interpolate run t.csv",
        "latent run t.csv",
    ],
)
def test_data_may_stand_anywhere_without_their_option(line):
    assert parse(line.split()).data == "t.csv"
    assert getattr(parse(line.split()), "run", "run") == "run"


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (MemoryError("Unable to allocate 9 TiB"), 2, "not enough memory for this: Unable to alloc"),
        (MemoryError(), 2, "not enough memory for this: the system gave none"),
        (PermissionError(13, "Permission denied", "a.npz"), 2, "error: 'a.npz': permission denied"),
        (OSError(28, "No space left on device"), 2, "error: no space left on device"),
        (nv.NpvaeError("one\ntwo"), 2, "npvae: error: one two\n"),
        (KeyboardInterrupt(), 130, "npvae: interrupted\n"),
    ],
)
def test_what_goes_wrong_on_the_way_is_one_line_too(npvae, monkeypatch, error, code, line):
    def fail(options):
        raise error

    monkeypatch.setattr("npvae.cli.reports.info", fail)
    answer = npvae("info")
    assert answer.code == code
    assert line in answer.err
    assert answer.err.count("\n") == 1


def test_a_bug_is_not_swallowed(npvae, monkeypatch):
    def fail(options):
        raise ZeroDivisionError

    monkeypatch.setattr("npvae.cli.reports.info", fail)
    with pytest.raises(ZeroDivisionError):
        npvae("info")


def test_paths_that_the_encoding_lacks_are_escaped(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, "ascii", line_buffering=True))
    assert cli.main(["sample", "digits–é"]) == 2
    assert b"'digits\\u2013\\xe9' can't be read" in raw.getvalue()
