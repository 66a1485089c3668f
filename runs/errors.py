"""What went wrong with a run, for a person."""


class RunError(Exception):
    """One clear line: what is wrong, and what to try where that is known."""
