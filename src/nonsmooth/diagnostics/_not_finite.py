"""A measurement that cannot be made because something in it is NaN or infinite: the run has diverged."""

from nonsmooth.errors import InputError

__all__ = ["NotFiniteError"]


class NotFiniteError(InputError):
    """Weights, a loss or a second derivative that is NaN or infinite; who follows a training goes on."""
