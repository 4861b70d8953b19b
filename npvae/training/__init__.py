"""The training loop, and what it needs: steps, optimiser, callbacks, history."""
