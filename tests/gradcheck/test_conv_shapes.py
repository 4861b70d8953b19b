"""The gradients of convolutions of every kind of window, by each method."""

from __future__ import annotations

import pytest
from conv_shapes import N_SHAPES, convolution

from npvae.gradcheck import check_gradients


@pytest.mark.smoke(3)
@pytest.mark.parametrize("transposed", [False, True], ids=["conv", "transpose"])
@pytest.mark.parametrize("number", range(N_SHAPES))
def test_gradients(number, transposed):
    part, x = convolution(number, transposed)
    report = check_gradients(part, (x,), methods=["complex", "central"])
    assert report.ok, str(report)
    assert {row.argument for row in report} == {"x", "W", "b"}
    for row in report:
        assert row.error < {"complex": 1e-11, "central": 1e-8}[row.method], str(report)


def test_the_grid_has_every_kind_of_window():
    parts = [convolution(number, t)[0] for number in range(N_SHAPES) for t in (False, True)]
    for name, values in dict(
        kernel=(1, 2, 3, 4), stride=(1, 2, 3), padding=(0, 1, 2), dilation=(1, 2)
    ).items():
        for axis in (0, 1):
            assert {getattr(part, name)[axis] for part in parts} == {*values}
    assert {part.groups for part in parts} == {1, 2, 3}
    assert any(1 < part.groups == part.in_shape[2] for part in parts)
    assert {part.bias for part in parts} == {"channel", "pixel"}
    assert any(size % 2 for part in parts for size in part.in_shape[:2])
    assert any(any(part.output_padding) for part in parts if part.name == "conv_transpose2d")
