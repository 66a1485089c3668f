"""Runs: their directories, their processes, their catalogue and the command."""
