"""What went wrong with a run, for a person."""


class RunError(Exception):
    """One clear line: what is wrong, and what to try where that is known."""


class BadValueError(RunError):
    """What was given could never do, whatever runs there are: bad usage of a command."""


class UnwritableError(RunError):
    """Nothing can be written there, as on a full disk or one to read only; what lies there may be read."""
