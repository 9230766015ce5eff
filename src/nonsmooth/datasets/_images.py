"""Labelled images in memory, in two parts: one to train on, one to test on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Images", "every"]


@dataclass(frozen=True, eq=False)
class Images:
    """A classification problem.

    Attributes:
        name: how a run spec refers to it: ``digits``, ``cifar10:<16 hex>`` or ``images:<16 hex>``.
        train: (N, C, H, W) uint8, 0 to 255; C is 1 (grey) or 3 (red, green, blue).
        train_labels: (N,) int64, each an index into ``classes``.
        test: (M, C, H, W) uint8.
        test_labels: (M,) int64.
        classes: the classes' names.
        source: where they are from, for a reader; nothing depends on it.
        note: what a reader of a result must know about them, or "".
    """

    name: str
    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]
    source: str
    note: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        _, channels, height, width = self.train.shape
        return (channels, height, width)


def every(k: int, labels: np.ndarray) -> np.ndarray:
    """A fixed stratified choice of one in k: of the images sorted by class, numbers 0, k, 2k, ...

    Args:
        k: at least 2.
        labels: (N,) int64.

    Returns:
        (N,) bool; of n images of a class, the floor or the ceiling of n / k are chosen.

    >>> every(2, np.array([1, 0, 1, 0])).tolist()
    [True, True, False, False]
    """
    chosen = np.zeros(len(labels), dtype=bool)
    chosen[np.argsort(labels, kind="stable")[::k]] = True
    return chosen
