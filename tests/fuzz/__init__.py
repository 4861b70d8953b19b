"""Mutants of what npvae reads, run folders, models, checkpoints and tables: no traceback, ever.

``python -m tests.fuzz`` damages files in the ways that disks, editors and people do, hands them to
the commands and readers, and demands of each a result or one sentence, in little time and memory.
The default tests take a few hundred of the mutants.
"""
