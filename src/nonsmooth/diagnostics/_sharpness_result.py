"""Sharpness as a value: eigenvalues, how exact they are, the optimiser's edge, and how all this reads."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nonsmooth.findings import Observation

__all__ = ["Sharpness"]

_SOURCE = (
    "Cohen et al., Gradient descent on neural networks typically occurs at the edge of stability, ICLR 2021"
)


@dataclass(frozen=True, eq=False)
class Sharpness:
    """The largest eigenvalues of the Hessian of the mean loss, or of it in an optimiser's metric.

    Attributes:
        eigenvalues: (k,) float64, the largest first (algebraically: negative curvature comes last).
        residuals: (k,) ||Hv - lv|| / |l| of each pair, formed from H's own products. An eigenvalue of H lies
            within ``residuals[i] * abs(eigenvalues[i])`` of ``eigenvalues[i]``; that none is larger is
            certain only with probability 1 over the random start. NaN, like the eigenvalues and the loss, in
            a tracker's row where there was no Hessian (``finite`` is False).
        converged: whether every residual is at most ``tolerance``.
        why: in words why not; "" if converged.
        products: Hessian-vector products used, in any precision; the gradient is not counted.
        tolerance: that was asked for.
        vectors: (k, n) unit eigenvectors over the parameters' entries, flat and in their order; in the
            metric, P^1/2 times a direction of the weights.
        dtype: precision of the products that the residuals are made of.
        size: n.
        samples, batches: of the data.
        loss: mean over the samples.
        metric: "" for the Hessian itself, else the optimiser whose metric is used.
        edge: the sharpness at which that optimiser's step stops being stable, 2/step for SGD without
            momentum; None without an optimiser.
        warm: whether a former result was the start.
        notes: what else to know, in words.
    """

    eigenvalues: np.ndarray
    residuals: np.ndarray
    converged: bool
    why: str
    products: int
    tolerance: float
    vectors: torch.Tensor
    dtype: str
    size: int
    samples: int
    batches: int
    loss: float
    metric: str = ""
    edge: float | None = None
    warm: bool = False
    notes: tuple[str, ...] = ()

    @property
    def finite(self) -> bool:
        """Whether there was a Hessian: False where weights, loss or products were not finite."""
        return bool(np.isfinite(self.eigenvalues).all())

    @property
    def value(self) -> float:
        """The largest eigenvalue; read it with ``converged``."""
        return float(self.eigenvalues[0])

    @property
    def ratio(self) -> float | None:
        """Sharpness over the edge: above 1 a step is unstable along the first eigenvector. None without."""
        return None if self.edge is None else self.value / self.edge

    def as_dict(self) -> dict[str, Any]:
        """Everything but the vectors as JSON values; None for what is NaN."""
        row = {name: value for name, value in vars(self).items() if name != "vectors"}
        row |= {
            "eigenvalues": self.eigenvalues.tolist(),
            "residuals": self.residuals.tolist(),
            "notes": list(self.notes),
            "ratio": self.ratio,
        }
        if not self.finite:  # JSON has no NaN
            none = [None] * len(self.eigenvalues)
            row |= {"eigenvalues": none, "residuals": none, "ratio": None, "loss": None}
        return row

    def observations(self) -> list[Observation]:
        """One observation: where the sharpness stands against the edge; "unknown" if it has not converged."""
        numbers = self.as_dict()
        if not self.finite:
            return [
                Observation(
                    "sharpness-unconverged",
                    "unknown",
                    "There is no sharpness.",
                    self.why,
                    remedy="Load weights from before the run diverged.",
                    numbers=numbers,
                )
            ]
        evidence = self._first_lines()
        if not self.converged:
            return [
                Observation(
                    "sharpness-unconverged",
                    "unknown",
                    f"The sharpness is not known to the residual asked for, {self.tolerance:g}.",
                    f"{evidence}. {self.why}",
                    remedy="Allow more products, a looser tolerance, or float64.",
                    numbers=numbers,
                )
            ]
        if self.edge is None or self.ratio is None:
            return [Observation("sharpness", "note", "The sharpness of the loss.", evidence, numbers=numbers)]
        level, title, remedy = "fine", "The step is below the edge of stability.", ""
        if self.ratio > 1.05:
            level, title = "warning", "The step is above the edge of stability."
            remedy = (
                f"Divide the learning rate by {self.ratio:.3g} for a step that descends on the quadratic "
                "model; networks may go on at the edge, oscillating, as the sharpness falls."
            )
        elif self.ratio > 0.95:
            level, title = "note", "Training stands at the edge of stability."
        why = (
            "On a quadratic a step above the edge diverges along the sharpest direction. The descent lemma's "
            "premise, step < 2/L, fails there."
        )
        return [
            Observation("edge-of-stability", level, title, evidence, why, _SOURCE, remedy, numbers=numbers)
        ]

    def _first_lines(self) -> str:
        values = ", ".join(
            f"{value:.6g} (relative residual {residual:.1e})"
            for value, residual in zip(self.eigenvalues, self.residuals, strict=True)
        )
        edge = "" if self.edge is None else f"; edge {self.edge:.6g}, ratio {self.ratio:.3f}"
        return f"sharpness {values}{edge}; {self.dtype}, {self.samples:,} samples, {self.size:,} parameters"

    def __str__(self) -> str:
        if not self.finite:
            return f"NO SHARPNESS: {self.why}."
        what = f"in the metric of {self.metric}" if self.metric else "of the Hessian"
        many = "s" if len(self.eigenvalues) > 1 else ""
        lines = [f"Largest eigenvalue{many} {what}, {self.size:,} parameters, {self.samples:,} samples:"]
        if not self.converged:
            lines.insert(0, f"NOT CONVERGED to the relative residual {self.tolerance:g}: {self.why}.")
        for value, residual in zip(self.eigenvalues, self.residuals, strict=True):
            said = "" if residual <= self.tolerance else "   above the tolerance"
            lines.append(f"  {value:<14.8g} relative residual {residual:.1e}{said}")
        if self.edge is not None and self.ratio is not None:
            side = "above" if self.ratio > 1 else "below"
            lines.append(
                f"  edge           {self.edge:.8g}: the first is {self.ratio:.4g} times that, {side} it"
            )
        batches = f"{self.batches:,} batch{'es' if self.batches > 1 else ''}"
        lines.append(f"  {self.products} products in {self.dtype}, {batches}; loss {self.loss:.6g}")
        for note in self.notes:
            lines.append(textwrap.fill(f"- {note}", 110, subsequent_indent="  "))
        return "\n".join(lines)
