"""Objects from text and back: `resolve`, `parsed`, `text`, `plain` and `arguments_of`."""

from __future__ import annotations

import json

import numpy as np
import pytest

from npvae import Categorical, Gaussian, Mixed, StudentT
from npvae.core import Registered, arguments_of, registry, resolve
from npvae.core.errors import ConfigError
from npvae.core.registry import REQUIRED, parsed, plain, text
from npvae.core.schedules import Constant, Cosine, Linear, schedule
from npvae.layers import Dense, Sequential


@pytest.fixture(autouse=True)
def registry_of_this_test(monkeypatch):
    copied = {family: dict(known) for family, known in registry._registry.items()}
    monkeypatch.setattr(registry, "_registry", copied)


@pytest.mark.parametrize(
    ("given", "config"),
    [
        ("relu", {"name": "relu"}),
        ("student_t:df=3", {"name": "student_t", "df": 3}),
        ("student_t:df=3.5,scale=decoder", {"name": "student_t", "df": 3.5, "scale": "decoder"}),
        (" student_t : df = -3e-2 ", {"name": "student_t", "df": -0.03}),
        ("poisson:library=true", {"name": "poisson", "library": True}),
        ("poisson:library=False", {"name": "poisson", "library": False}),
        ("a:b=none,c=[]", {"name": "a", "b": None, "c": []}),
        ("categorical:classes=[3, 2]", {"name": "categorical", "classes": [3, 2]}),
        ("a:b=[[1,x],[true]]", {"name": "a", "b": [[1, "x"], [True]]}),
        ("a:b=(c:d=1,e=2),f=3", {"name": "a", "b": "c:d=1,e=2", "f": 3}),
        ("a:b=[(c:d=1,e=2),f]", {"name": "a", "b": ["c:d=1,e=2", "f"]}),
        ("a:", {"name": "a"}),
        ("", {"name": ""}),
    ],
)
def test_parsed(given, config):
    assert parsed(given) == config
    types = [type(value) for value in parsed(given).values()]
    assert types == [type(value) for value in config.values()]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("a:3", "arguments are given as name:argument=value,argument=value; got '3' in 'a:3'."),
        ("a:b=1,b=2", "arguments are given once each; got 'b=2' in 'a:b=1,b=2'."),
        ("a:name=b", "the name stands before the colon; got 'name=b' behind it too."),
        ("a:b=1, b=2", "arguments are given once each; got ' b=2' in 'a:b=1, b=2'."),
        ("a:b=[1", "brackets come in pairs; got 'a:b=[1'."),
        ("a:b=" + 11 * "[" + 11 * "]", "brackets are nested up to 10 deep; got 'a:b=[[[[[[[[[[[]]"),
        ("a:b=1)", "brackets come in pairs; got 'a:b=1)'."),
        ("a:b=)(", "brackets come in pairs; got 'a:b=)('."),
    ],
)
def test_text_that_is_refused(given, message):
    with pytest.raises(ConfigError) as caught:
        parsed(given)
    assert str(caught.value).startswith(message)


def test_the_same_by_text_dict_and_object():
    for choice in ("student_t:df=3", {"name": "student_t", "df": 3}, StudentT(3)):
        assert resolve("likelihood", choice).config == {
            "name": "student_t", "df": 3.0, "scale": "column",
        }  # fmt: skip
    assert resolve("likelihood", "categorical:classes=[3,2]").classes == (3, 2)


@pytest.mark.parametrize(
    "config",
    [
        "bernoulli",
        {"name": "student_t", "df": 3.0, "scale": "decoder"},
        {"name": "poisson", "library": True},
        {"name": "categorical", "classes": [3, 2]},
    ],
)
def test_text_is_the_way_back(config):
    assert resolve("likelihood", text(config)).config == config


def test_text_of_nested_configs():
    config = {"name": "elbo", "beta": Linear(0, 1, 20).config, "free_bits": None}
    assert text(config) == "elbo:beta=(linear:start=0.0,stop=1.0,epochs=20.0),free_bits=none"
    assert resolve("schedule", parsed(text(config))["beta"]).config == config["beta"]
    assert text({"name": "a", "b": [{"name": "c", "d": 1}, "e"]}) == "a:b=[(c:d=1),e]"


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("student_t:dof=3", "likelihood 'student_t' takes df=4.0, scale=column; got 'dof'."),
        ("bernoulli:p=1", "likelihood 'bernoulli' takes no arguments; got 'p'."),
        ("mixed", "likelihood 'mixed' takes groups; 'groups' is missing."),
        (
            "student_t:df=linear:start=0,stop=1",
            "likelihood 'student_t' takes df=4.0, scale=column; got 'stop'. Put parentheses around "
            "what belongs together: df=(linear:start=0,stop=1).",
        ),
        ("studentt:df=3", "likelihood must be a registered name; got 'studentt'; did you mean 'st"),
    ],
)
def test_resolve_says_what_a_class_takes(choice, message):
    with pytest.raises(ConfigError) as caught:
        resolve("likelihood", choice)
    assert str(caught.value).startswith(message)


def test_arguments_of():
    assert arguments_of("likelihood", "student_t") == {"df": 4.0, "scale": "column"}
    assert arguments_of("likelihood", "mixed") == {"groups": REQUIRED}
    assert arguments_of("activation", "tanh") == {}
    with pytest.raises(ConfigError, match="must be a registered name; got 'no such'"):
        arguments_of("likelihood", "no such")


def test_configs_of_parts_in_parts():
    parts = Sequential([Dense(4, 3, "tanh"), Sequential([Dense(3, 2)])])
    config = json.loads(json.dumps(parts.config))
    again = resolve("layer", config)
    assert again.config == parts.config == config
    assert repr(again) == repr(parts)
    assert config["layers"][1]["layers"][0]["n_out"] == 2
    table = Mixed([(Gaussian(2.0), (0, 2)), (Categorical(3), (1,))])
    assert resolve("likelihood", json.loads(json.dumps(table.config))).config == table.config


def test_a_dict_of_parts_and_arguments_left_out_of_the_config():
    class Held(Registered):
        family = "toy"
        not_in_config = ("secret",)

        def __init__(self, parts, secret=None):
            self.parts, self.secret = parts, secret

    held = Held({"a": Gaussian(2.0), "b": [StudentT(), (1, np.float64(2.5))]}, "s")
    assert json.loads(json.dumps(held.config)) == held.config == {
        "name": "held",
        "parts": {
            "a": {"name": "gaussian", "scale": 2.0},
            "b": [{"name": "student_t", "df": 4.0, "scale": "column"}, [1, 2.5]],
        },
    }  # fmt: skip


def warm_up(epoch):
    return min(epoch, 1.0)


def test_plain_values():
    assert plain(np.arange(3)) == [0, 1, 2]
    assert plain(np.float32(0.5)) == 0.5
    assert plain(warm_up) == "<warm_up>"
    assert plain((None, True, "x")) == [None, True, "x"]


@pytest.mark.parametrize("given", [Constant(0.5), Linear(0, 1, 3), Cosine(1, 0, 2.5)])
def test_schedules_have_a_config(given):
    again = schedule("beta", json.loads(json.dumps(given.config)))
    assert type(again) is type(given)
    assert [again(t) for t in (0, 0.7, 9)] == [given(t) for t in (0, 0.7, 9)]


def test_schedules_by_text():
    assert schedule("beta", "linear:start=0,stop=2,epochs=4")(1.0) == 0.5
    with pytest.raises(ConfigError, match="schedule must be a registered name; got 'lineer'"):
        schedule("beta", "lineer:start=0")
