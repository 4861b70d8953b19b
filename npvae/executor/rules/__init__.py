"""How each kernel's call becomes operations: as declared, or by a rule of the kernel's own."""

from . import aggregate, declared, dense, densities, images, labels, norms, resize  # noqa: F401
