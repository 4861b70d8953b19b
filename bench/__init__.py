"""npvae measured, beside PyTorch and JAX: each module is a command, ``python -m bench.train``."""
