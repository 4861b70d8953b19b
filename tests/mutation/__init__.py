"""A mutation test of the mathematics: each small change of it must make some test fail.

``python -m tests.mutation`` from the project's root changes, one at a time, every operator, sign,
constant, comparison, operand, sum and transpose in the backward passes, the kernels,
`numerics`, the objectives and Adam, and runs the tests that reach the changed function. A change
that no test notices is a hole in the tests, unless it changes no value: those are listed, each with
the reason, in `equivalents`.

* `mutator.py` makes the changes, on Python's syntax tree
* `targets.py` finds what is to be changed, and puts a changed function in place of the old one
* `collect.py` has pytest collect the tests, once
* `judge.py` runs them on each change, in a fork of that process (`forks.py`)
* `kept.py` keeps the verdicts, for the next run to go on from
* `report.py` writes the result, which is kept in `docs/mutation.md`
"""
