"""Standard normal numbers as NumPy draws them, to the last bit: a ziggurat of float32 over PCG64.

NumPy's own loop asks its generator for one number after the other by way of a pointer; here the
generator is merged into the loop, which takes a third of the time.

The area under exp(-x²/2) from 0 on is cut into 256 layers of the same area `AREA`. The lowest is
the tail beyond `EDGE` with the rectangle beside it, each other one has the rectangle under the next
one in it. A draw chooses a layer and a place in it; if that lies in the rectangle it is taken, as
99 of 100 are. Else it is taken if another draw finds it under the curve (in the wedge), or the
lowest layer's is replaced by one of the tail. Every attempt takes the next 32 bits of the stream.

Source: Marsaglia & Tsang 2000; Marsaglia 1964 for the tail; O'Neill 2014, PCG XSL RR 128/64;
NumPy's distributions.c, whose order of the arithmetic this has.
"""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir

from .declare import operation
from .options import FLOAT, LONG, as_written, external, floats, instruction, longs

f32 = np.float32
_LAYERS, _PLACES = 256, 1 << 23
EDGE, AREA = 3.6541528853610088, 0.00492867323399
_EDGE, _INVERSE_EDGE = f32(EDGE), f32(1 / EDGE)
_LOW_HALF, _UNIT = (1 << 32) - 1, f32(2.0**-24)
_MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645


def _ziggurat() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each layer the first place beyond the rectangle, a place's width, and the curve there."""
    edges = np.zeros(_LAYERS)  # of layer i, from the top down; the lowest has number 0
    edges[-1] = EDGE
    for i in range(_LAYERS - 2, 0, -1):
        above = AREA / edges[i + 1] + math.exp(-0.5 * edges[i + 1] ** 2)
        edges[i] = math.sqrt(-2 * math.log(above))
    heights = np.exp(-0.5 * edges**2)
    edges[0] = AREA / heights[-1]  # as if the lowest layer were a rectangle
    inside = np.append(EDGE / edges[0], edges[:-1] / edges[1:])
    inside[1] = 0
    widths = edges / _PLACES
    return np.rint(inside * _PLACES).astype(int), widths.astype(f32), heights.astype(f32)


_INSIDE, _WIDTHS, _HEIGHTS = _ziggurat()


@instruction("UniTuple(int64, 3)(int64, int64, int64, int64)")
def _pcg64(builder, high, low, more_high, more_low):
    """The generator's next state, of two words, and the 64 bits that it gives."""
    wide, word = ir.IntType(128), ir.Constant(ir.IntType(128), 64)

    def whole(first, second):
        return builder.or_(builder.shl(builder.zext(first, wide), word), builder.zext(second, wide))

    product = builder.mul(whole(high, low), ir.Constant(wide, _MULTIPLIER))
    state = builder.add(product, whole(more_high, more_low))
    high, low = builder.trunc(builder.lshr(state, word), LONG), builder.trunc(state, LONG)
    mixed, turn = builder.xor(high, low), builder.lshr(high, ir.Constant(LONG, 58))
    rotate = external(builder.module, "llvm.fshr.i64", LONG, [LONG] * 3)
    return high, low, builder.call(rotate, [mixed, mixed, turn])


@instruction("float32(float32, int64)")
def _signed(builder, x, minus):
    """x, or -x where `minus` is 1, without a branch that nobody could foretell."""
    integer = ir.IntType(32)
    sign = builder.shl(builder.trunc(minus, integer), ir.Constant(integer, 31))
    return builder.bitcast(builder.xor(builder.bitcast(x, integer), sign), FLOAT)


@as_written
def _next(high, low, more_high, more_low, kept, spare):
    """The next 32 bits of the stream, and how it goes on; of 64 the lower half comes first."""
    if kept != 0:
        return spare, high, low, 0, spare
    high, low, both = _pcg64(high, low, more_high, more_low)
    return both & _LOW_HALF, high, low, 1, (both >> 32) & _LOW_HALF


@operation(alone=True)
@as_written
def normals(state, out, n):
    """n float32 to `out`. At `state` stand six words, which are brought up to date: the generator's
    state and its increment, both the higher word first, whether 32 bits are left, and these."""
    words, numbers = longs(state, 6), floats(out, n)
    high, low, more_high, more_low, kept, spare = words
    i = 0
    while i < n:
        bits, high, low, kept, spare = _next(high, low, more_high, more_low, kept, spare)
        layer, place = bits & 255, bits >> 9
        x = _signed(f32(place) * _WIDTHS[layer], (bits >> 8) & 1)
        numbers[i] = x
        if place < _INSIDE[layer]:
            i += 1
            continue
        bits, high, low, kept, spare = _next(high, low, more_high, more_low, kept, spare)
        u = f32(bits >> 8) * _UNIT
        if layer > 0:
            height = (_HEIGHTS[layer - 1] - _HEIGHTS[layer]) * u + _HEIGHTS[layer]
            wide = np.float64(x)
            i += np.float64(height) < math.exp(-0.5 * wide * wide)
            continue
        while True:
            beyond = -_INVERSE_EDGE * f32(math.log1p(-u))
            bits, high, low, kept, spare = _next(high, low, more_high, more_low, kept, spare)
            y = -f32(math.log1p(-f32(bits >> 8) * _UNIT))
            if y + y > beyond * beyond:
                break
            bits, high, low, kept, spare = _next(high, low, more_high, more_low, kept, spare)
            u = f32(bits >> 8) * _UNIT
        numbers[i] = _signed(_EDGE + beyond, (place >> 8) & 1)
        i += 1
    words[0], words[1], words[4], words[5] = high, low, kept, spare
