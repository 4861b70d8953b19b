"""The compiled executor: it replays a captured training step, operation by operation.

`loop.py` is the loop, which calls operations at addresses, and `declare.py` has what each takes.
`build.py` compiles both, in a process that `compiler.py` starts; `cache.py` keeps their machine
code, and `machine.py` finds it or has it compiled.

Most modules are operations; the matrix products are in `products.py`, the convolutions in
`convolve.py`, and densities of `spreads.py` and `counts.py` are run by the loops of `entries.py`.
The vectorisable exp, log and tanh are in `scalars.py`, and what threads need in `sync.py`.
Nothing but these files imports numba, and `build.py` alone as soon as it is imported.

All arrays are addresses: of float32 by feature, (F, K·B), a feature's numbers side by side; what is
one number per row of data, (K·B,), and every scalar that users see is float64.
"""
