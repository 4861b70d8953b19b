"""How each kernel's call becomes operations: as declared, or by a rule of the kernel's own."""

from . import (  # noqa: F401
    aggregate,
    codes,
    declared,
    dense,
    densities,
    images,
    labels,
    norms,
    resize,
)
