"""Random streams that go on as if nothing had been drawn."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["randomness_kept"]


@contextmanager
def randomness_kept(devices: Sequence[int] = ()) -> Iterator[None]:
    """Python's, numpy's and torch's random streams are afterwards as before.

    Args:
        devices: of CUDA, whose streams are kept as well.

    >>> before = random.getstate()
    >>> with randomness_kept():
    ...     _ = random.random()
    >>> random.getstate() == before
    True
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=list(devices)):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
