"""Tables of numbers, flags, counts and categories, as people keep them, for models and back.

``read`` infers what each column is and gives x and its `Schema`; a model that is built with
``**schema.options()`` keeps the schema, which gives rows of x in the table's own terms.
"""

from __future__ import annotations

from ..gaps import impute
from .assess import column_nats, guess, nats_saved
from .column import Column, Constant
from .conditions import Columns, parted
from .distributions import fitted_to
from .draws import sample
from .kinds import KINDS
from .labelled import Category, Flag, Ordered
from .numeric import Count, Date, Duration, Number
from .on_disk import SHEETS, SUFFIXES, Table, read, write, write_filled
from .schema import Schema

__all__ = [
    "KINDS", "SHEETS", "SUFFIXES", "Category", "Column", "Columns", "Constant", "Count", "Date",
    "Duration", "Flag", "Number", "Ordered", "Schema", "Table", "column_nats", "fitted_to", "guess",
    "impute", "nats_saved", "parted", "read", "sample", "write", "write_filled",
]  # fmt: skip
