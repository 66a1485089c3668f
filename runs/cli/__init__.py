"""The verbs of `ddpm-tui`."""
