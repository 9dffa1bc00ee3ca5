"""What is wrong with a trace, for a person."""


class TraceError(ValueError):
    """A trace, or a file of one, that breaks the format (docs/trace-format.md)."""
