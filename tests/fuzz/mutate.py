"""Ways to damage a file: its bytes, its JSON, its arrays, its cells."""

from __future__ import annotations

import csv
import io
import json
import warnings
import zipfile

import numpy as np

NAN, INF = float("nan"), float("inf")
VALUES = (
    None, True, False, 0, 1, -1, 2, 255, 10**9, 10**19, 10**400, -(10**30), 0.5, -0.0, 1e308,
    NAN, INF, -INF, "", "x", "\0", "0", "nan", "\ud800", "\x1b[31m", "a\nb", "x" * 10_000, "=1+1",
    [], [1], ["x"], [[]], {}, {"name": "relu"}, {"x": 1}, [None], "elbo:beta=" + "(" * 30,
)  # fmt: skip
"""What stands in place of a value of JSON."""
CELLS = (
    "", " ", "NA", "nan", "x", "-1", "1e400", "1e-400", "0x10", "1_000", "007", "1,5", "1.234,56",
    "12%", "(3)", "$5", "€", "31.12.2024", "2024-13-45", "24:61", "10000-01-01", '"', "'", "a;b",
    "a,b", "\t", "\r", "\n", "\0", "\x1b[31m", "=1+1", "東京", "é", "9" * 400, "x" * 70_000, "true",
    "low", "∞", "١٢", "1 000", "#", "# x", "sep=;", "\u2028", "\ufeff", "+", "@x", "1/2", "--1",
)  # fmt: skip
"""What stands in place of a cell of a table."""
DTYPES = ("<f8", ">f4", "<f2", "<i8", "|u1", "|b1", "<U3", "|S2", "<c8", "|O", "<m8[s]", "f4,f4")
_WANTED = ("training", "config", "schema", "columns", "records", "callbacks", "likelihood",
           "layout", "format", "standardise")  # fmt: skip
"""Keys under which there is much that can be wrong."""
_JSON_MEMBER = "npvae.json"


def any_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """Flip, cut, double, insert or zero a few places of a file."""
    changed = bytearray(data)
    for _ in range(_few(rng)):
        if not changed:
            break
        at = int(rng.integers(len(changed)))
        n = int(min(len(changed) - at, rng.choice([1, 1, 2, 8, 100])))
        match rng.integers(7):
            case 0:
                changed[at] ^= 1 << int(rng.integers(8))
            case 1:
                changed[at] = int(rng.integers(256))
            case 2:
                del changed[at:]
            case 3:
                del changed[at : at + n]
            case 4:
                changed[at:at] = changed[at : at + n]
            case 5:
                changed[at:at] = rng.bytes(n)
            case _:
                changed[at : at + n] = bytes(n)
    return bytes(changed)


def any_json(data: bytes, rng: np.random.Generator) -> bytes:
    """Change a few values or keys of a JSON file, wherever in it they stand."""
    value = json.loads(data)
    for _ in range(_few(rng)):
        value = _changed(value, rng)
    return _dumped(value)


def _few(rng: np.random.Generator) -> int:
    """How many changes: one mostly, since the first that is noticed hides the others."""
    return int(rng.choice([1, 1, 1, 2, 5]))


def _dumped(value: object) -> bytes:
    return json.dumps(value).encode()


def _changed(value: object, rng: np.random.Generator) -> object:
    """A value with one change in it, the deeper the likelier."""
    if not isinstance(value, (dict, list)) or not value or rng.random() < 0.03:
        return _odd(value, rng)
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[int(rng.integers(len(keys)))]
    wanted = [name for name in _WANTED if name in keys]
    if wanted and rng.random() < 0.7:
        key = wanted[int(rng.integers(len(wanted)))]
    value = value.copy()
    if rng.random() < 0.75:
        value[key] = _changed(value[key], rng)
        return value
    other = keys[int(rng.integers(len(keys)))]
    match rng.integers(4):
        case 0:
            del value[key]
        case 1:
            value[key], value[other] = value[other], value[key]
        case 2 if isinstance(value, dict):
            value["\x1b[0m" if rng.random() < 0.5 else "more"] = value[key]
        case 2:
            value.insert(int(rng.integers(len(keys))), value[key])
        case _:
            value[key] = value[other]
    return value


def _odd(value: object, rng: np.random.Generator) -> object:
    near = []
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and abs(value) < 1e300:
        near = [-value, value + 1, value - 1, value * 1000, float(value), str(value), value / 3]
    elif isinstance(value, str):
        near = [value + "x", value[:-1], value.upper(), value * 2, [value]]
    choices = [*near, *VALUES] if rng.random() < 0.5 or not near else near
    return choices[int(rng.integers(len(choices)))]


def any_npz(data: bytes, rng: np.random.Generator) -> bytes:
    """Change a member of an archive whose checksums are right afterwards."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
        stored = all(i.compress_type == zipfile.ZIP_STORED for i in archive.infolist())
    at = int(rng.integers(len(members)))
    if members[0][0] == _JSON_MEMBER and rng.random() < 0.5:
        at = 0
    name, content = members[at]
    other = members[int(rng.integers(len(members)))]
    match rng.integers(10):
        case 0:
            del members[at]
        case 1:
            members[at] = (other[0], content)  # twice the same name
        case 2:
            members[at] = (name, other[1])
        case 3:
            members.append((("../" if rng.random() < 0.3 else "more") + name, content))
        case 4:
            members[at] = (name, any_bytes(content[:200], rng) + content[200:])
        case 5:
            stored = not stored
        case _ if name == _JSON_MEMBER:
            members[at] = (name, any_json(content, rng))
        case _:
            members[at] = (name, _any_array(content, rng))
    buffer = io.BytesIO()
    method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(buffer, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that come twice
        for member, content in members:
            archive.writestr(zipfile.ZipInfo(member), content, method)
    return buffer.getvalue()


def any_npy(data: bytes, rng: np.random.Generator) -> bytes:
    return _any_array(data, rng) if rng.random() < 0.7 else any_bytes(data, rng)


def _any_array(content: bytes, rng: np.random.Generator) -> bytes:
    """An array of other values, another type, shape or order, or a header that lies."""
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except ValueError:
        return any_bytes(content, rng)
    match rng.integers(8):
        case 0 if array.dtype.kind == "f" and array.size:
            array.flat[int(rng.integers(array.size))] = rng.choice([NAN, INF, -INF, 3e38, -1e30])
        case 1:
            array = np.asarray(array, order="F") if array.ndim > 1 else array[::-1]
        case 2:
            array = array.reshape(-1) if rng.random() < 0.5 else array[None]
        case 3:
            array = array[:-1] if array.ndim and len(array) > 1 else np.concatenate([[0.0], [1.0]])
        case 4:
            dtype = np.dtype(DTYPES[int(rng.integers(len(DTYPES)))])
            if not dtype.hasobject and dtype.names is None and array.dtype.kind in "fiub":
                with np.errstate(all="ignore"):
                    array = array.real.astype(dtype)
        case 5:
            array = array.T
        case 6:
            array = np.zeros((0, 3)) if rng.random() < 0.5 else np.float32(1)
        case _:
            return _lying_header(array, rng)
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asanyarray(array), allow_pickle=False)
    return buffer.getvalue()


def _lying_header(array: np.ndarray, rng: np.random.Generator) -> bytes:
    sizes = [-1, 0, 1, 7, 2**31, 2**62]
    shape = [*array.shape]
    if shape and rng.random() < 0.7:
        shape[int(rng.integers(len(shape)))] = sizes[int(rng.integers(len(sizes)))]
    descr = array.dtype.str if rng.random() < 0.5 else DTYPES[int(rng.integers(len(DTYPES)))]
    buffer = io.BytesIO()
    header = {"descr": descr, "fortran_order": bool(rng.integers(2)), "shape": tuple(shape)}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + array.tobytes()


def any_table(data: bytes, rng: np.random.Generator) -> bytes:
    """Change cells, rows, columns, names, delimiters, line ends or the encoding of a table."""
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    for _ in range(_few(rng)):
        rows = _changed_rows(rows, rng)
    delimiter = ",;\t|: "[int(rng.integers(6))] if rng.random() < 0.3 else ","
    end = ["\n", "\r\n", "\r"][int(rng.integers(3))]
    text = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if rng.random() < 0.2 else csv.QUOTE_MINIMAL
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)
    written = text.getvalue()
    if rng.random() < 0.1:
        written = ["sep=;\n", "# made by\n", "\ufeff", "\n\n", '"'][int(rng.integers(5))] + written
    codec = ["utf-8", "utf-16", "latin-1", "cp1252", "utf-8-sig", "utf-16-le"][
        int(rng.integers(6)) if rng.random() < 0.3 else 0
    ]
    encoded = written.encode(codec, "replace")
    return any_bytes(encoded, rng) if rng.random() < 0.2 else encoded


def _changed_rows(rows: list[list[str]], rng: np.random.Generator) -> list[list[str]]:
    rows = [row.copy() for row in rows]
    if not rows or not rows[0]:
        return [["a", "b"], ["1", "2"]]
    i = 0 if rng.random() < 0.3 else int(rng.integers(len(rows)))
    j = int(rng.integers(len(rows[0])))
    odd = CELLS[int(rng.integers(len(CELLS)))]
    match rng.integers(10):
        case 0 | 1 | 2:
            if j < len(rows[i]):
                rows[i][j] = odd
        case 3:
            for row in rows[1:]:  # a whole column
                if j < len(row) and rng.random() < rng.choice([0.05, 0.5, 1]):
                    row[j] = odd
        case 4:
            for row in rows[1:]:
                if j < len(row):
                    row[j] = row[j].replace(".", ",") if rng.random() < 0.5 else row[j] + " €"
        case 5:
            del rows[i]
        case 6:
            rows.insert(i, rows[int(rng.integers(len(rows)))].copy())
        case 7:
            rows = [row[:j] + row[j + 1 :] for row in rows]
        case 8:
            rows = [[*row, row[j] if j < len(row) else ""] for row in rows]
        case _:
            rows[i] = rows[i][: int(rng.integers(len(rows[i]) + 1))]
    return rows
