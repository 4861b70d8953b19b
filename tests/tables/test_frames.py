"""Data frames of pandas and polars as tables, and back."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

import npvae as nv
from npvae.tables import frames

pl = pytest.importorskip("polars")

N = 60


pytestmark = pytest.mark.usefixtures("kernels")


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    data = pd.DataFrame(
        {
            "age": pd.array(rng.integers(18, 90, N), dtype="Int64"),
            "income": rng.lognormal(10, 1, N).round(2),
            "member": rng.random(N) < 0.3,
            "asked": pd.array(rng.random(N) < 0.5, dtype="boolean"),
            "town": rng.choice(["Rome", "Paris", "Oslo"], N),
            "size": pd.Categorical(rng.choice(["S", "L"], N), ["S", "M", "L"], ordered=True),
            "kind": pd.Categorical(rng.choice([5, 2, 1], N), [5, 2, 1]),
            "day": pd.Timestamp("2024-01-31") + pd.to_timedelta(rng.permutation(N), "D"),
            "when": pd.date_range("2024-03-30 10:11", periods=N, freq="93min", tz="Europe/Paris"),
            "only": 1.5,
            "small": rng.normal(size=N).astype("float32"),
        },
        index=pd.Index(2 * np.arange(N), name="row"),
    )
    data.loc[4, "age"], data.loc[8, "asked"] = pd.NA, pd.NA
    data.loc[10, "town"], data.loc[12, "income"], data.loc[14, "day"] = None, np.nan, pd.NaT
    data["id"], data["empty"], data["words"] = [f"u{i}" for i in range(N)], np.nan, [["a"]] * N
    return data


KINDS = {
    "age": "number", "income": "number", "member": "flag", "asked": "flag", "town": "category",
    "size": "ordered", "kind": "category", "day": "date", "when": "date", "only": "constant",
    "small": "number",
}  # fmt: skip


def test_types_of_pandas_say_what_columns_are(frame):
    table = nv.tables.read(frame)
    assert {c.name: c.kind for c in table.schema.columns} == KINDS
    assert set(table.schema.skipped) == {"id", "empty"}
    assert "'words' has lists or bytes and is left out" in table.notes
    by_name = {c.name: c for c in table.schema.columns}
    assert by_name["size"].labels == ("S", "M", "L"), "declared, though M never comes"
    assert by_name["kind"].labels == ("5", "2", "1"), "in the type's order"
    assert table.y is None


def test_values_become_the_numbers_that_they_stand_for(frame):
    table = nv.tables.read(frame)
    x = dict(zip(table.columns, table.x.T, strict=True))
    np.testing.assert_array_equal(x["age"], frame["age"].to_numpy(float, na_value=np.nan))
    np.testing.assert_array_equal(x["income"], frame["income"])
    np.testing.assert_array_equal(x["member"], frame["member"])
    np.testing.assert_array_equal(x["size"], frame["size"].cat.codes)
    np.testing.assert_array_equal(x["kind"], frame["kind"].cat.codes)
    days = (frame["day"] - frame["day"].min()) / pd.Timedelta(days=1)
    np.testing.assert_array_equal(x["day"], days)
    hours = np.diff(x["when"]) * 24
    np.testing.assert_allclose(hours, 1.55, err_msg="also over the change to summer time")
    np.testing.assert_allclose(x["small"], frame["small"], rtol=1e-7)


def test_a_frame_comes_back_with_its_types_and_its_index(frame):
    table = nv.tables.read(frame)
    again = table.schema.frame(table.x, like=frame)
    pd.testing.assert_frame_equal(again, frame[list(KINDS)], check_freq=False)


def test_without_a_frame_to_be_like_types_follow_from_the_kinds(frame):
    table = nv.tables.read(frame)
    types = table.schema.frame(table.x).dtypes.astype(str)
    assert types[["age", "income", "member", "asked"]].tolist() == [
        "Int64", "float64", "bool", "boolean",
    ]  # fmt: skip
    assert types["town"] == types["kind"] == types["size"] == "category"
    assert types["day"].startswith("datetime64")
    rows = table.schema.frame(table.x)
    assert rows["size"].cat.ordered
    assert not rows["town"].cat.ordered
    assert rows["town"].dropna().tolist() == frame["town"].dropna().tolist()
    assert rows["only"].tolist() == [1.5] * N


def test_a_model_takes_the_frame_and_finds_its_columns(frame):
    table = nv.tables.read(frame)
    model = nv.VAE(z_dim=2, hidden=(4,), **table.schema.options())
    nv.fit(model, frame, epochs=1)
    mu, _ = model.encode(frame[frame.columns[::-1]].iloc[:5])
    np.testing.assert_array_equal(mu, model.encode(table.x[:5])[0])


def test_a_schema_of_a_file_reads_a_frame_of_the_same_table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("price;day;ok\n1.234,50;31.12.2024;ja\n2.000,25;01.02.2025;nein\n")
    table = nv.tables.read(path, columns={"price": "number"})
    frame = pd.DataFrame(
        {
            "ok": ["nein", "JA", None],
            "price": [2000.25, 1.5, np.nan],
            "day": pd.to_datetime(["2024-12-31", None, "2025-02-01"]),
        }
    )
    x = nv.tables.read(frame, schema=table.schema).x
    price, day, ok = x.T
    np.testing.assert_array_equal(price, [2000.25, 1.5, np.nan])
    np.testing.assert_array_equal(day, [0, np.nan, 32])
    np.testing.assert_array_equal(ok, [0, 1, np.nan])


def test_polars_frames_are_tables_too(frame):
    plain = frame.drop(columns=["kind", "size", "words"])
    data = pl.from_pandas(plain).with_columns(
        pl.Series("size", frame["size"].astype(str), dtype=pl.Enum(["S", "M", "L"])),
        day=pl.col("day").cast(pl.Date),
    )
    table = nv.tables.read(data)
    kinds = {c.name: c.kind for c in table.schema.columns}
    assert kinds == {name: KINDS[name] for name in kinds} | {"size": "category"}
    assert table.schema.modelled[-1].labels == ("S", "M", "L")
    from_pandas = nv.tables.read(frame)
    for name in ("age", "income", "member", "town", "when"):
        i, j = table.columns.index(name), from_pandas.columns.index(name)
        np.testing.assert_array_equal(table.x[:, i], from_pandas.x[:, j])
    again = table.schema.frame(table.x, like=data)
    assert again.equals(data.select([c.name for c in table.schema.columns]))
    fresh = table.schema.frame(table.x, "polars")
    assert fresh.schema["size"] == pl.Enum(["S", "M", "L"])
    assert fresh.schema["day"] == pl.Date
    assert fresh["age"].null_count() == 1


def test_columns_and_missing_say_otherwise(frame):
    said = nv.tables.read(frame, columns={"age": "skip", "size": "label"}, missing=["Oslo"])
    assert "age" not in said.columns
    assert said.y.tolist() == frame["size"].tolist()
    town = said.x[:, said.columns.index("town")]
    np.testing.assert_array_equal(np.isnan(town), frame["town"].isna() | (frame["town"] == "Oslo"))
    with_classes = frame.assign(y=np.arange(N) % 3).dropna(subset=["town"])
    assert nv.tables.read(with_classes).y.tolist() == with_classes["y"].tolist()
    schema = nv.tables.read(with_classes).schema
    again = nv.tables.read(with_classes.iloc[:4], schema=schema)
    assert again.y.tolist() == with_classes["y"].iloc[:4].tolist()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.drop(columns="age"), "needs the columns that it was trained on; missing is"),
        (lambda f: f.assign(town="Bonn"), "row 0 (counted from 0), column 'town': a category's"),
        (lambda f: f.assign(income="x"), "row 0 (counted from 0), column 'income': every known"),
        (lambda f: f.assign(income=np.inf), "row 0 (counted from 0), column 'income': every num"),
    ],
)
def test_what_a_column_can_not_have_is_refused_with_its_place(frame, change, said):
    schema = nv.tables.read(frame).schema
    with pytest.raises(nv.DataError) as error:
        nv.tables.read(change(frame), schema=schema)
    assert said in str(error.value)
    assert "--" not in str(error.value), "a data frame's user has no command line"


def test_a_frame_that_is_not_collected_yet_is_refused():
    with pytest.raises(nv.DataError, match=r"pass x.collect\(\)"):
        nv.tables.read(pl.DataFrame({"a": [1, 2]}).lazy())


def test_frames_without_anything_to_read_are_refused():
    for empty in (pd.DataFrame(), pd.DataFrame({"a": []}), pl.DataFrame()):
        with pytest.raises(nv.DataError, match="needs rows and columns"):
            nv.tables.read(empty)
    with pytest.raises(nv.DataError, match="is of pandas or polars; got 'arrow'"):
        nv.tables.read(pd.DataFrame({"a": [1.5, 2, 4]})).schema.frame([[1]], "arrow")


def test_a_bare_model_says_how_to_take_text():
    model = nv.VAE(z_dim=1, hidden=(), likelihood="gaussian")
    with pytest.raises(nv.DataError, match=r"table = nv\.tables\.read\(x\)"):
        nv.fit(model, pd.DataFrame({"a": ["u", "v"], "b": [1.0, 2.0]}))


def test_a_file_and_the_frame_that_pandas_reads_from_it_are_one_table():
    text = "a,b,c\n" + "".join(f"{i % 7}.5,{'xyz'[i % 3]},{i % 2}\n" for i in range(40))
    frame = pd.read_csv(io.StringIO(text))
    table = nv.tables.read(frame)
    assert [c.kind for c in table.schema.columns] == ["number", "category", "flag"]
    assert frames.library_of(frame) == "pandas"
    assert frames.library_of(np.zeros(3)) is None


def test_names_need_not_be_text_nor_different():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), columns=[0, "a", "a"])
    assert nv.tables.read(frame).columns == ["0", "a", "a (2)"]
