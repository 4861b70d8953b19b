"""The largest number that a window sees of an image, and the way back.

Images lie by feature, (places, channels, n). What is linear, such as a mean or an image made
larger, is a convolution's sum (`convolve`).
"""

from __future__ import annotations

from .declare import operation
from .options import fast, floats
from .scalars import ZERO


@operation()
@fast
def max_pool(x, y, width, out_width, place, tall, wide, down, right, lo, hi):
    """Places lo to hi of y, of so many numbers each; a NaN is larger than all."""
    for at in range(lo, hi):
        first = at // out_width * down * width + at % out_width * right
        out = floats(y + 4 * at * place, place)
        for i in range(tall):
            for j in range(wide):
                seen = floats(x + 4 * (first + i * width + j) * place, place)
                for c in range(place):
                    one, most = seen[c], out[c]
                    larger = one > most or one != one or i + j == 0
                    out[c] = one if larger else most


@operation()
@fast
def max_pool_backward(
    dy, x, y, dx, n, channels, places, width, out_places, out_width, tall, wide, down, right,
    lo, hi, scratch,
):  # fmt: skip
    """Channels lo to hi of dx: each dy goes to the first tap that was as large as y."""
    left = floats(scratch, n)
    for c in range(lo, hi):
        for at in range(places):
            slopes = floats(dx + 4 * n * (at * channels + c), n)
            for k in range(n):
                slopes[k] = ZERO
        for at in range(out_places):
            here = 4 * n * (at * channels + c)
            given, most = floats(dy + here, n), floats(y + here, n)
            for k in range(n):
                left[k] = given[k]
            first = at // out_width * down * width + at % out_width * right
            for i in range(tall):
                for j in range(wide):
                    there = 4 * n * ((first + i * width + j) * channels + c)
                    seen, slopes = floats(x + there, n), floats(dx + there, n)
                    for k in range(n):
                        one, top, rest = seen[k], most[k], left[k]
                        own = one == top or (one != one and top != top)
                        slopes[k] += rest if own else ZERO
                        left[k] = ZERO if own else rest
