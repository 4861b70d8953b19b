"""Training steps captured once and replayed by compiled code.

`record.py` runs a step on values and gets a `graph.py`; `lower.py` turns that, by the `rules`,
into operations, which `memory.py` places and synchronises and `program.py` runs. `steps.py` is
what `fit` sees of all this.
"""
