"""Tables to read, and what refuses them."""

from __future__ import annotations

import pytest

from npvae import tables
from npvae.core.errors import NpvaeError

pytest.register_assert_rewrite("messy")


@pytest.fixture
def write(tmp_path):
    """Write a table of columns, ``write(age=[1, 2], name=["a", ""])``; gives its path."""

    def call(columns=None, file="t.csv", **more):
        columns = {**(columns or {}), **more}
        rows = [list(columns), *zip(*columns.values(), strict=True)]
        path = tmp_path / file
        path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
        return path

    return call


@pytest.fixture
def refusal():
    """The one line with which a table is refused."""

    def call(path, *arguments, **options):
        with pytest.raises(NpvaeError) as caught:
            tables.read(path, *arguments, **options)
        message = str(caught.value)
        assert "\n" not in message
        return message

    return call
