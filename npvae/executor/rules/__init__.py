"""How each kernel's call becomes operations: as declared, or by a rule of the kernel's own."""

from . import declared, dense, densities, images, labels, norms  # noqa: F401  (they enter themselves)
