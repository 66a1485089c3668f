"""What goes wrong for reasons that a person can mend."""


class EngineError(ValueError):
    """One clear line: what failed, and what to do about it."""
