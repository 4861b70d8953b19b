"""Damaged and hostile model files: one clear error, never another one, never much memory."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import npvae as nv

W = "params/encoder.layers.0.W.npy"


def small():
    return nv.VAE(4, 2, hidden=(3,), seed=1)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """The bytes of a saved model."""
    path = tmp_path_factory.mktemp("model") / "model.npz"
    nv.save(small(), path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def members(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(members, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return buffer.getvalue()


def with_header(members, **changes):
    header = {**json.loads(members["npvae.json"]), **changes}
    return archive_of({**members, "npvae.json": json.dumps(header).encode()})


def with_config(members, **changes):
    return with_header(members, config={**json.loads(members["npvae.json"])["config"], **changes})


def nested(depth):
    """A network in a network in a network: what it holds is right, and of another name."""
    if depth == 0:
        return {"name": "dense", "n_in": 4, "n_out": 4}
    return {"name": "sequential", "layers": [nested(depth - 1)]}


def npy(header, data=bytes(48), version=(1, 0)):
    header = header.encode("latin-1")
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(header)) + header + data


def refusal(content):
    """Load what must be refused: one line, in little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(nv.ModelFileError) as caught:
            nv.load(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40e6
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 700
    return message


def equal_or_refused(content):
    try:
        loaded = nv.load(content)
    except nv.ModelFileError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return False
    np.testing.assert_array_equal(loaded.flat, small().flat)
    assert loaded.config == small().config
    return True


# Damage by accident


def test_a_file_cut_anywhere_is_refused(content):
    for end in [*range(0, len(content), 7), *range(len(content) - 30, len(content))]:
        with pytest.raises(nv.ModelFileError):
            nv.load(content[:end])


@pytest.mark.slow
def test_a_byte_changed_anywhere_is_noticed_or_does_not_matter(content):
    unharmed = 0
    for at in range(len(content)):
        damaged = bytearray(content)
        damaged[at] ^= 1 << (at % 8)
        unharmed += equal_or_refused(bytes(damaged))
    assert unharmed < 0.2 * len(content)  # dates, attributes and such


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_many_bytes_changed_at_once(content, data):
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        damaged[at : at + 1] = data.draw(st.binary(min_size=0, max_size=4))
    equal_or_refused(bytes(damaged))


def test_bytes_around_a_file(content):
    assert equal_or_refused(b"#!/bin/sh\n" + content)  # zip files are read from their end
    equal_or_refused(content + b"trailing")
    equal_or_refused(content + content)


# Headers that lie: archives that are whole, with a correct checksum


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (99, "format 99, and this npvae reads up to 2; upgrade npvae"),
        (3, "format 3"), (10**300, "format 1000"), (0, "format"), (-1, "format"),
        (True, "format"), (1.0, "format"), ("1", "format"), (None, "format"), ([1], "format"),
    ],
)  # fmt: skip
def test_formats(members, version, message):
    assert message in refusal(with_header(members, format=version))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_dim": 10**12}, "a model of 1,000,000,000,000 columns"), ({"x_dim": 1000}, "(3, 1000)"),
        ({"x_dim": 10**30}, ""), ({"x_dim": 10**300}, ""), ({"x_dim": -4}, "x_dim"),
        ({"x_dim": 4.0}, "x_dim"), ({"x_dim": 5}, "shape"), ({"z_dim": 3}, "shape"),
        ({"z_dim": 0}, "z_dim"), ({"z_dim": None}, "z_dim"),
        ({"hidden": [10**6]}, "shape"), ({"hidden": [10**20]}, ""), ({"hidden": [3, 3]}, "shape"),
        ({"hidden": []}, "shape"), ({"hidden": [1] * 4_000}, "config"), ({"hidden": 3}, "hidden"),
        ({"hidden": [[[]]]}, "hidden"), ({"hidden": {"a": 1}}, "hidden"),
        ({"context_dim": 1}, "shape"), ({"context_dim": -1}, "context_dim"),
        ({"dtype": "object"}, "dtype"), ({"dtype": "i4,,"}, "dtype"), ({"dtype": [[]]}, "dtype"),
        ({"dtype": {"names": [1]}}, "dtype"), ({"dtype": None}, "dtype"),
        ({"scale": 0}, "scale"), ({"scale": "255"}, "scale"), ({"scale": 10**400}, ""),
        ({"scale": float("nan")}, "scale"), ({"seed": -1}, "seed"), ({"seed": "x"}, "seed"),
        ({"activation": "relux"}, "relu"), ({"activation": {"name": []}}, "activation"),
        ({"activation": {"name": "relu", "slope": 2}}, "slope"), ({"activation": 5}, "activation"),
        ({"likelihood": {"name": "gaussian", "scale": 10**400}}, ""),
        ({"likelihood": {"name": "gaussian", "scale": "1"}}, "scale"),
        ({"likelihood": {"name": "\n"}}, "likelihood"), ({"prior": "x" * 200}, "prior"),
        ({"init": "zeros"}, "init"), ({"init": []}, ""),
        ({"encoder": {"name": "dense", "n_in": 4, "n_out": 10**12}}, "of memory, and this"),
        ({"encoder": {"name": "dense", "n_in": 4, "n_out": 5}}, "maps rows of 4 numbers"),
        ({"encoder": {"name": "dense", "n_in": 4, "n_out": 4}}, "'encoder.W'"),
        ({"encoder": {"name": "os.system", "command": "x"}}, "layer must be a registered name"),
        ({"encoder": {"name": "gaussian"}}, "layer must be a registered name"),
        ({"encoder": {"name": "dense", "n_in": 4, "n_out": 4, "activation": 5}}, "activation"),
        ({"encoder": {"name": "sequential", "layers": {"name": "dense"}}}, "layer"),
        ({"encoder": {"name": "sequential", "layers": ["dense:n_in=1,n_out=1"] * 10**5}}, "config"),
        ({"encoder": nested(20)}, "encoder.layers.0"), ({"encoder": nested(240)}, ""),
        ({"encoder": "dense:n_in=[" + "[" * 5_000}, "brackets"), ({"encoder": [[]]}, "layer"),
        ({"prior": {"name": "vamp", "n_components": 10**12}}, "of memory, and this"),
        ({"prior": {"name": "vamp", "n_components": 12}}, "'prior.pseudo_inputs.u'"),
        ({"prior": {"name": "mixture", "n_components": [10**12]}}, "n_components"),
        ({"posterior": "planar:n=1000000000"}, "flows are 1,000 at most"),
        ({"posterior": {"name": "gaussian", "z_dim": 3}}, "takes no arguments; got 'z_dim'"),
        ({"parameters": {}}, "parameters"), ({"self": 1}, ""), ({"unknown": 1}, "unknown"),
    ],
)  # fmt: skip
def test_configs_that_make_no_such_model(members, changes, message):
    assert message in refusal(with_config(members, **changes))


def test_a_config_that_load_would_refuse_is_not_saved(tmp_path):
    model = small()
    model.hidden = (1,) * 5_000
    with pytest.raises(nv.ConfigError, match="longer than `load` takes"):
        nv.save(model, tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


def test_a_network_of_many_layers_is_saved_and_read(tmp_path):
    layers = [nv.layers.Dense(4, 4, "leaky_relu:slope=0.25") for _ in range(300)]
    model = nv.VAE(4, 2, encoder=nv.layers.Sequential(layers))
    nv.save(model, tmp_path / "model.npz")
    assert nv.load(tmp_path / "model.npz").config == model.config


@pytest.mark.parametrize("config", [None, [], "x", 5, {}, {"x_dim": 4}])
def test_configs_that_are_none(members, config):
    refusal(with_header(members, config=config))


@pytest.mark.parametrize("model", [None, 5, ["vae"], "", "vea", "relu", "__class__"])
def test_models_that_are_not_known(members, model):
    assert "vae" in refusal(with_header(members, model=model))


@pytest.mark.parametrize(
    "header",
    [b"", b"{", b"[]", b"5", b"null", b"\xff\xfe", b"[" * 100_000, b'{"format": 1}', b"9" * 5000],
)
def test_headers_that_are_no_header(members, header):
    refusal(archive_of({**members, "npvae.json": header}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({W: None}, "parameter 'encoder.layers.0.W'"),
        ({"params/more.npy": W}, "no parameter 'more'"),
        ({"params/encoder.layers.0.b.npy": W}, "'encoder.layers.0.b' needs shape (3,); got (3, 4)"),
        ({"npvae.json": None}, "no 'npvae.json'"),
        ({"readme.txt": b"hello"}, "'readme.txt' can't be read"),
        ({W: b""}, "can't be read"),
        ({W: b"\x93NUMPY\1\0\5"}, "can't be read"),
    ],
)
def test_missing_extra_and_mixed_up_members(members, changes, message):
    changed = dict(members)
    for name, value in changes.items():
        if value is None:
            del changed[name]
        else:
            changed[name] = members.get(value, value) if isinstance(value, str) else value
    assert message in refusal(archive_of(changed))


GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }"


@pytest.mark.parametrize(
    "header",
    [
        GOOD.replace("(3, 4)", "(1000000000, 1000000000)"), GOOD.replace("(3, 4)", "(10**9,)"),
        GOOD.replace("(3, 4)", "(99999999999999999999, 99999999999999999999)"),
        GOOD.replace("(3, 4)", "(-3, -4)"), GOOD.replace("(3, 4)", "(4, 3)"),
        GOOD.replace("(3, 4)", "(12,)"), GOOD.replace("(3, 4)", "()"),
        GOOD.replace("(3, 4)", "(3, 4.0)"), GOOD.replace("(3, 4)", "[3, 4]"),
        GOOD.replace("False", "True"), GOOD.replace("<f4", "<f8"), GOOD.replace("<f4", "|O"),
        GOOD.replace("<f4", "<U1"), GOOD.replace("<f4", "<c8"), GOOD.replace("<f4", "<m8[s]"),
        GOOD.replace("<f4", "|V4"), GOOD.replace("<f4", "f4,f4"), GOOD.replace("<f4", "zzz"),
        GOOD.replace("'<f4'", "[('a', '<f4')]"), GOOD.replace("'<f4'", "('<f4', (3,))"),
        GOOD.replace("'<f4'", "5"), GOOD.replace("'shape'", "'size'"),
        "", "(((", "'", "{", "{[]: 1}", "-" * 9000 + "1", "[" * 9000, "x" * 60_000, "\xff\0",
        "__import__('os')", "1e999",
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Reading `.npy`:UserWarning")
def test_array_headers_that_lie(members, header):
    message = refusal(archive_of({**members, W: npy(header)}))
    assert "encoder.layers.0.W" in message


@pytest.mark.parametrize("version", [(2, 0), (3, 0), (0, 0), (9, 9)])
def test_array_versions(members, version):
    refusal(archive_of({**members, W: npy(GOOD, version=version)}))


def test_arrays_longer_or_shorter_than_they_say(members):
    for length in (0, 47, 49, 96):
        assert "length" in refusal(archive_of({**members, W: npy(GOOD, bytes(length))}))
    loaded = nv.load(archive_of({**members, W: npy(GOOD)}))  # and the helper is no liar itself
    assert (loaded.params["encoder.layers.0.W"] == 0).all()


def test_nothing_is_ever_unpickled(members):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("it was unpickled",))

    for data in (pickle.dumps(Trap()), npy(GOOD.replace("<f4", "|O"), pickle.dumps(Trap()))):
        refusal(archive_of({**members, W: data}))
        refusal(archive_of({**members, "extra.npy": data}))
    buffer = io.BytesIO()
    np.save(buffer, np.array([Trap()], dtype=object), allow_pickle=True)
    refusal(archive_of({**members, W: buffer.getvalue()}))
    refusal(pickle.dumps(Trap()))


# Archives that lie


def test_compressed_members_are_refused(members):
    bomb = {**members, "extra.npy": npy("{}", bytes(30_000_000))}
    assert "compressed" in refusal(archive_of(bomb, zipfile.ZIP_DEFLATED))
    assert "compressed" in refusal(archive_of(members, zipfile.ZIP_BZIP2))


def test_members_that_claim_more_than_the_file_has(content):
    """Sizes in the zip's directory, raised one member at a time and all at once."""
    size = struct.pack("<I", 0x7FFFFFF0)
    entries, at = [], content.find(b"PK\1\2")
    while at != -1:
        entries.append(at)
        at = content.find(b"PK\1\2", at + 4)
    assert len(entries) == 9
    for chosen in [*([entry] for entry in entries), entries]:
        damaged = bytearray(content)
        for entry in chosen:
            damaged[entry + 20 : entry + 28] = size * 2  # compressed and not
        refusal(bytes(damaged))


def test_a_directory_that_lists_one_member_many_times(content):
    """A few bytes per listing would have the member read again and again."""
    start, end = content.find(b"PK\1\2"), content.find(b"PK\5\6")
    entry = content[start : content.find(b"PK\1\2", start + 4)]
    times = 500
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, times, times, len(entry) * times, start, 0)
    assert len(tail) == len(content) - end
    assert "claims to be larger" in refusal(content[:start] + entry * times + tail)


def test_members_that_share_their_bytes(content):
    """Every directory entry points to the same, first member."""
    directory = content.find(b"PK\1\2")
    damaged = bytearray(content)
    at = directory
    while at != -1:
        damaged[at + 42 : at + 46] = bytes(4)  # the offset of the member's own header
        at = content.find(b"PK\1\2", at + 4)
    refusal(bytes(damaged))


@settings(
    max_examples=300, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(st.data())
@pytest.mark.filterwarnings("ignore:Reading `.npy`:UserWarning")
def test_random_damage_behind_a_correct_checksum(members, data):
    name = data.draw(st.sampled_from(sorted(members)))
    damaged = bytearray(members[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(len(damaged), 128) - 1))
        damaged[at : at + 1] = data.draw(st.binary(min_size=0, max_size=3))
    try:
        nv.load(archive_of({**members, name: bytes(damaged)}))
    except nv.ModelFileError as error:
        assert "\n" not in str(error)  # noqa: PT017


# Files that ask for much


@pytest.mark.parametrize(
    "likelihood",
    ["categorical", {"name": "categorical", "classes": 10**9}, "one_hot", "ordinal", "gaussian"],
)
@pytest.mark.parametrize("changes", [{"x_dim": 10**8}, {"x_dim": 10**9}, {"standardise": True}])
def test_few_bytes_take_little_memory(members, likelihood, changes):
    big = {"x_dim": 10**8, **changes}
    assert "columns has as many weights" in refusal(
        with_config(members, likelihood=likelihood, **big)
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_file_is_refused_and_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "model.npz")
    for source in (tmp_path / "model.npz", tmp_path, os.devnull):
        with pytest.raises(nv.ModelFileError, match="a pipe or a device"):
            nv.load(source)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite(content, members, tmp_path, value):
    model = nv.load(content)
    model.params["decoder.layers.1.b"][0] = value
    with pytest.raises(nv.ConfigError, match=r"'decoder.layers.1.b' has some that are NaN or inf"):
        nv.save(model, tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())
    wrong = np.array([[value] * 4] * 3, "<f4")
    assert "'encoder.layers.0.W' has weights that are NaN" in refusal(
        archive_of({**members, W: npy(GOOD, wrong.tobytes())})
    )


def test_weights_that_overflow_in_the_models_type(members):
    header = GOOD.replace("<f4", "<f8")
    assert "NaN or infinite" in refusal(
        archive_of({**members, W: npy(header, np.full((3, 4), 1e300, "<f8").tobytes())})
    )
