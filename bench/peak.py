"""How many multiply-adds the processor does in a second: the limit of any matrix product.

The loop has its numbers in registers and touches no memory: 12 independent sums of a vector each,
more than the multiply-adds that are under way at a time. A share of this limit is a share of what
the processor can do, not of what one library makes of it.

    python -m bench.peak [--isa avx2]
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Sequence
from typing import Any

from . import measure

LOOP = {"npvae": "the compiled loop"}
SUMS = 12
TURNS = 1_000_000
SECONDS = 0.3


def main(argv: Sequence[str] | None = None) -> None:
    parser = measure.options(__doc__, LOOP, rounds=5, without=["peers", "plot"])
    args = measure.read(parser, argv)
    facts = measure.print_header(__doc__, args)
    results = [
        {"threads": threads, "gflops": max(rate(threads) for _ in range(args.rounds))}
        for threads in args.threads
    ]
    rows = [[measure.threaded(r["threads"]), f"{r['gflops']:.0f}"] for r in results]
    print(measure.table(["multiply-adds", "GFLOP/s"], rows))
    measure.write_json(args.json, facts, results)


def rate(threads: int) -> float:
    """GFLOP/s of so many threads together, each of which repeats the loop for some time."""
    lanes, loop = _loop()
    done = [0] * threads
    start = threading.Barrier(threads)

    def run(number: int) -> None:
        start.wait()
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            loop(TURNS)
            done[number] += TURNS

    workers = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return 2.0 * lanes * SUMS * sum(done) / (time.perf_counter() - began) / 1e9


@functools.cache
def _loop() -> tuple[int, Any]:
    """A vector's numbers, and a compiled function that does so many turns of the sums."""
    import numba
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    from npvae.executor.operations.tiles import LANES

    number, long = ir.FloatType(), ir.IntType(64)
    vector = ir.VectorType(number, LANES)

    @intrinsic
    def multiply_adds(context: Any, turns: Any) -> Any:
        def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = ir.FunctionType(vector, [vector] * 3)
            name = f"llvm.fmuladd.v{LANES}f32"
            multiply_add = cgutils.get_or_insert_function(builder.module, kind, name)
            factor = ir.Constant(vector, [ir.Constant(number, 0.999)] * LANES)
            entry, loop = builder.block, builder.append_basic_block("turn")
            after = builder.append_basic_block("after")
            builder.branch(loop)
            builder.position_at_end(loop)
            turn = builder.phi(long)
            sums = [builder.phi(vector) for _ in range(SUMS)]
            new = [builder.call(multiply_add, [total, factor, factor]) for total in sums]
            more = builder.add(turn, ir.Constant(long, 1))
            turn.add_incoming(ir.Constant(long, 0), entry)
            turn.add_incoming(more, loop)
            for i, (total, next_total) in enumerate(zip(sums, new, strict=True)):
                start = ir.Constant(vector, [ir.Constant(number, float(i))] * LANES)
                total.add_incoming(start, entry)
                total.add_incoming(next_total, loop)
            builder.cbranch(builder.icmp_signed("<", more, arguments[0]), loop, after)
            builder.position_at_end(after)
            whole = new[0]
            for other in new[1:]:
                whole = builder.fadd(whole, other)
            return builder.extract_element(whole, ir.Constant(ir.IntType(32), 0))

        return types.float32(types.int64), generate

    @numba.njit(nogil=True)
    def loop(turns: int) -> float:
        return multiply_adds(turns)

    loop(1)
    return LANES, loop


if __name__ == "__main__":
    main()
