"""Training steps captured once and replayed by compiled code.

`record.py` runs a step on values and gets a `graph.py`; `lower.py` turns that, by the `rules`,
into operations, which `memory.py` places and synchronises and `program.py` runs. `forward.py` runs
what a model infers of a few rows in the same way, and `inference.py` is what people see of that.
"""
