"""Generating and restoring over HTTP, with a checkpoint's network: `python -m ddpm.serving`."""
