"""The one exception for input that cannot be used.

Everything a caller can get wrong raises :class:`InputError`: its message names the value, what is
allowed and what to do. The command line prints that one line and exits with 2.
"""

__all__ = ["InputError"]


class InputError(ValueError):
    """A value outside what is allowed; the message says which, the allowed range and the remedy."""
