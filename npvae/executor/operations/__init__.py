"""The compiled executor: it replays a captured training step, operation by operation.

`loop.py` is the loop, `dispatch.py` its choice between operations, which `generate.py` writes from
what `declare.py` holds of each. The operations are in `products.py` (matrix products),
`activations.py`, `elementwise.py`, `latent.py`, `densities.py` and `updates.py`, the vectorisable
exp, log and tanh in `scalars.py`, and what threads need in `sync.py`. What most models do without
is compiled apart (`libraries.py`), when first needed: `columns.py`, `labels.py`, `log_probs.py`,
`mixtures.py`, `cells.py`, and by the loops of `entries.py` the densities in `spreads.py` and
`counts.py`. Nothing but these files imports numba.

All arrays are addresses: of float32 by feature, (F, K·B), a feature's numbers side by side; what is
one number per row of data, (K·B,), and every scalar that users see is float64.
"""
