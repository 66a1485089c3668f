"""The peers of `make bench`: their environments, their workers, and what comes of the turns they take."""
