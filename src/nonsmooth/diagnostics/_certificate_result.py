"""What a certificate holds, how it reads, and what it can and cannot say."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass
from typing import Any

from nonsmooth.diagnostics._text_table import text_table

__all__ = ["Certificate", "CertificateRow"]


@dataclass(frozen=True)
class CertificateRow:
    """One trained parameter.

    Attributes:
        name, shape: of the parameter.
        support: entries that are not exactly zero.
        entries: all of them.
        penalty: the kind of its penalty, "" without one.
        penalty_value: the penalty's value.
        gradient: max norm of the loss's gradient, coupled weight decay included.
        distance, distance_l2, scaled_distance: as for the whole, over this parameter.
    """

    name: str
    shape: tuple[int, ...]
    support: int
    entries: int
    penalty: str
    penalty_value: float
    gradient: float
    distance: float
    distance_l2: float
    scaled_distance: float | None


@dataclass(frozen=True)
class Certificate:
    """How far a model is from stationary for loss + penalty; print it for a table and what it says.

    With g the gradient of the mean loss (plus coupled weight decay), w the weights and h the penalty:

    Attributes:
        distance: max norm of the shortest way from -g to the (limiting) subdifferential of h at w. 0 is
            stationary.
        distance_l2: its Euclidean length, over all parameters.
        scaled_distance: max norm of w - prox(w - s g), s the optimiser's effective step: how far the next
            step would move a weight if the gradient were g and the momentum at rest. In units of w, and
            proportional to the learning rate. None where no step has been taken, or no optimiser is known.
        interval: an interval for ``distance`` over all the data: the number itself twice where all were used;
            None where one batch of several was used, which says nothing of their spread.
        confidence: of the interval.
        loss, decay, penalty: mean loss, weight decay's share (weight_decay/2 ||w||^2), penalty; see
            ``objective``.
        objective: what is minimised, their sum (minus the loss where the optimiser maximises it).
        gap: objective minus a lower bound of its minimum over all weights: only for a convex problem, else
            None.
        lower_bound: that bound, None likewise. Both in float64, to rounding.
        why_no_gap: in words; "" where there is one.
        samples, total: samples used, and in the data (None where that is not known).
        batches: used.
        dtype: precision of the parameters, in which the model computed each batch's gradient.
        rounding: 10 eps of that precision times the largest entry of any batch's gradient: an order of
            magnitude below which ``distance`` is rounding (on small trained networks in float32 it was 0.001
            to 0.6 of it).
        kinks: inputs of ReLU modules that were exactly 0, where autograd picks one of many slopes.
        kinks_of: how many inputs they had; functions such as torch.relu are not seen.
        rows: one for each trained parameter.
        notes: what else to know of this problem, in words.
    """

    distance: float
    distance_l2: float
    scaled_distance: float | None
    interval: tuple[float, float] | None
    confidence: float
    loss: float
    decay: float
    penalty: float
    objective: float
    gap: float | None
    lower_bound: float | None
    why_no_gap: str
    samples: float
    total: float | None
    batches: int
    dtype: str
    rounding: float
    kinks: int
    kinks_of: int
    rows: tuple[CertificateRow, ...]
    notes: tuple[str, ...]

    @property
    def support(self) -> int:
        """Entries of all trained parameters that are not exactly zero."""
        return sum(row.support for row in self.rows)

    @property
    def entries(self) -> int:
        """Entries of all trained parameters."""
        return sum(row.entries for row in self.rows)

    @property
    def partial(self) -> bool:
        """Whether only part of the data was used."""
        return self.total is None or self.samples < self.total

    def converged(self, tol: float) -> bool:
        """Whether the distance over all the data is shown to be at most ``tol``: the interval's upper end is.

        False for a NaN, and where there is no interval.
        """
        return self.interval is not None and self.interval[1] <= tol

    @property
    def what_it_says(self) -> str:
        """What the numbers can and cannot say, in words."""
        return "\n".join(textwrap.fill(f"- {line}", 110, subsequent_indent="  ") for line in _sayings(self))

    def as_dict(self) -> dict[str, Any]:
        """Everything as numbers, strings, lists and dictionaries, for JSON."""
        return asdict(self) | {
            "support": self.support,
            "entries": self.entries,
            "partial": self.partial,
            "what_it_says": self.what_it_says,
        }

    def __str__(self) -> str:
        head = ("parameter", "shape", "support", "penalty", "value", "|gradient|", "distance", "l2", "scaled")
        rows = [head, *(_cells(row) for row in self.rows)]
        total = ("total", "", f"{self.support:,} of {self.entries:,}", "", f"{self.penalty:.4g}", "")
        rows.append(
            (*total, f"{self.distance:.3g}", f"{self.distance_l2:.3g}", _optional(self.scaled_distance))
        )
        parts = [f"loss {self.loss:.6g}"] + ([f"decay {self.decay:.6g}"] if self.decay else [])
        lines = [text_table(rows), ""]
        lines.append(f"objective {self.objective:.6g} = {' + '.join(parts)} + penalty {self.penalty:.6g}")
        if self.gap is not None:
            lines.append(f"duality gap {self.gap:.3g}: the minimum is at least {self.lower_bound:.10g}")
        lines.append(f"distance {self.distance:.3g}{_interval(self)}")
        return "\n".join([*lines, self.what_it_says])


def _cells(row: CertificateRow) -> tuple[str, ...]:
    return (
        row.name,
        "x".join(map(str, row.shape)) or "scalar",
        f"{row.support:,} of {row.entries:,}",
        row.penalty,
        f"{row.penalty_value:.4g}" if row.penalty else "",
        f"{row.gradient:.3g}",
        f"{row.distance:.3g}",
        f"{row.distance_l2:.3g}",
        _optional(row.scaled_distance),
    )


def _optional(number: float | None) -> str:
    return "" if number is None else f"{number:.3g}"


def _interval(c: Certificate) -> str:
    of = "" if c.total is None else f" of {c.total:,.0f}"
    used = f" from {c.samples:,.0f}{of} samples in {c.batches:,} batches"
    if not c.partial:
        return used + ", all of the data"
    if c.interval is None:
        return used
    return (
        f" ({c.confidence:.0%} interval for all the data: {c.interval[0]:.3g} to {c.interval[1]:.3g}){used}"
    )


def _sayings(c: Certificate) -> list[str]:
    said = list(c.notes)
    if c.distance != c.distance:
        return [
            *said,
            "The distance is NaN: a loss, a gradient or a weight is not a number. Nothing is certified.",
        ]
    said.append(
        f"Gradients were computed in {c.dtype}: a distance below about {c.rounding:.1g} is rounding, not "
        "optimisation."
    )
    if c.partial:
        said.append(_sampling(c))
    if c.gap is not None:
        said.append(
            f"The problem is convex: no weights give an objective below {c.lower_bound:.10g}, so this one is "
            f"within {c.gap:.3g} of the minimum. This bound needs no trust in the optimiser."
        )
        return said
    said.append(
        "The distance is that of 0 to g + the penalty's subdifferential, g the gradient that autograd "
        "returned. Where the loss is continuously differentiable at these weights, 0 means stationary. It "
        "does not mean a minimum, local or global: saddle points are stationary too, and no gap to the "
        f"minimum is known here ({c.why_no_gap})."
    )
    said.append(
        "For a network with kinks (ReLU, max pooling, absolute values) autograd's answer is an element of a "
        "conservative field, which is the gradient at almost all weights but at a kink need not be a "
        "subgradient of any kind (Bolte and Pauwels, Math. Program. 188, 2021): torch gives relu(w) - "
        "relu(-w) = w the slope 0 at w = 0. So at a kink a distance of 0 shows criticality for that field "
        "only. And a large one shows little: it is an upper bound of the distance to the field, and of that "
        "to the Clarke subdifferential only where the loss is regular and autograd's answer a subgradient. "
        "Local minima do lie at kinks: with hinge loss all of a ReLU network, except where the loss is flat "
        "(Laurent and von Brecht, ICML 2018)."
    )
    if c.kinks:
        said.append(
            f"{c.kinks:,} of {c.kinks_of:,} inputs of ReLU modules were exactly 0, on the kink: these "
            "weights are not known to be ones where the loss is differentiable. Units whose weights and bias "
            "are all zero are there for every sample; torch's slope 0 then says that they never come back, "
            "not that they should not."
        )
    elif c.kinks_of:
        said.append(
            f"None of {c.kinks_of:,} inputs of ReLU modules lay on the kink, so these did not hinder the "
            "loss from being differentiable here (ReLUs called as functions, pooling and others were not "
            "watched)."
        )
    return said


def _sampling(c: Certificate) -> str:
    if c.interval is None:
        return (
            "One batch of several was used: its sampling error is not known. Use at least two (max_batches)."
        )
    return (
        f"The interval holds jointly for all {c.entries:,} coordinates (Bonferroni), by Student's t with "
        f"{c.batches - 1} degrees of freedom: it takes batches drawn at random (a shuffled loader) whose "
        "gradients are about normal, and it cannot see what no batch showed (a coordinate without spread in "
        "the sample counts as known). The single distance is too large on average, as the noise of the "
        "gradient adds to it. Many small batches narrow the interval more than few large ones."
    )
