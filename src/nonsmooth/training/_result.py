"""What a training run leaves behind besides the trained model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Training"]


@dataclass(frozen=True, eq=False)
class Training:
    """The course of a training run; the model itself has been trained in place.

    Attributes:
        history: a row for every epoch: ``epoch`` (from 1), ``steps`` (taken so far), ``loss`` (mean of the
            data losses of the epoch's steps, each before its step), ``accuracy`` (share of the epoch's images
            classified rightly, likewise), ``l1_norm`` (sum of |w| over the parameters of the L1 term, after
            the epoch), ``test_loss`` (mean over the test images, after the epoch) and ``test_accuracy`` (both
            None where not evaluated), ``seconds`` (of the steps, without the evaluation).
        step_losses: the data loss of every step, before it; the L1 term is no part of it.
        diverged: a loss or the L1 norm was not finite. Training ended with that epoch, the last row of the
            history.
        seconds: of the whole run, with evaluation and checkpoints, and of the runs that it resumed.
        images_per_second: trained on, by the rows' seconds; None before the first epoch.
        peak_memory: bytes: allocated on a CUDA device since the call began, or the largest resident size that
            the process has had; None where the system does not tell.
        resumed_from: the epoch after which a checkpoint was taken up; 0 for none.
    """

    history: list[dict[str, Any]]
    step_losses: list[float]
    diverged: bool
    seconds: float
    images_per_second: float | None
    peak_memory: int | None
    resumed_from: int = 0
