"""The error that says what is wrong with a trace."""


class TraceError(ValueError):
    """A trace or file that breaks the format (docs/trace-format.md), or a trace that cannot be built or written."""
