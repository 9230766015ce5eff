"""What an audit says of a model's smoothness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from nonsmooth.audit._recorder import WITH_BATCH
from nonsmooth.findings import Level, Observation

if TYPE_CHECKING:
    from nonsmooth.audit._smoothness import Smoothness, Used

__all__ = ["few", "observations_of"]

_LEVEL: dict[str, Level] = {
    "analytic": "fine",
    "C1,1": "fine",
    "C1": "note",
    "Lipschitz": "note",
    "discontinuous": "warning",
    "unknown": "unknown",
}
_MEANS = {
    "analytic": "It has all derivatives: the theorems on L-smooth functions apply on bounded sets.",
    "C1,1": "Its gradient is locally Lipschitz: the descent lemma holds on bounded sets, with L from there.",
    "C1": "Its gradient is continuous but not Lipschitz: no L of the descent lemma exists near such points.",
    "Lipschitz": "It has kinks: no L exists for the descent lemma across them, gradient descent with a "
    "constant step need not converge, and what torch returns at a kink is a choice.",
    "discontinuous": "Where it jumps, or its slope has no bound, the gradient says nothing of its change: "
    "even the theorems on subgradient methods do not hold.",
    "unknown": "Nothing can be said of a function with parts that are not known.",
}
# Draws that are meant where a model samples; all others drop something.
_NOISE = frozenset(["normal", "normal_functional", "randn", "randn_like"])
_SOURCE = (
    "the table of operations, nonsmooth.audit; for the classes Clarke, Optimization and Nonsmooth Analysis "
    "(1983)"
)


def observations_of(found: Smoothness) -> list[Observation]:
    """One observation on the class, and one on each thing that deserves it."""
    seen = [_class(found)]
    if not found.depends:
        seen.append(
            Observation(
                "no-dependence",
                "problem",
                f"The result does not depend on {found.variables}.",
                "No path leads from them to it in the trace.",
                "Its gradient is 0, or torch finds none: nothing is trained.",
                "the traced operations",
                "Compute the loss from the model's output.",
            )
        )
    if found.not_finite:
        seen.append(
            Observation(
                "not-finite-weights",
                "problem",
                f"{_count(len(found.not_finite), 'tensor')} of the model hold NaN or infinity.",
                few(found.not_finite),
                "Every result is NaN from there on, and no step mends it.",
                "the model's parameters and buffers",
                "Go back to a checkpoint from before; look for a step above 2/sharpness or a logarithm of 0.",
                numbers={"tensors": list(found.not_finite)},
            )
        )
    for each in (
        _singular(found),
        _random(found),
        _batch(found),
        _choices(found),
        _l1(found),
        _kinked(found),
    ):
        seen += each
    return seen


def _class(found: Smoothness) -> Observation:
    kind = found.smoothness
    path = " -> ".join(map(str, found.cause))
    why = next((step.detail for step in found.cause if step.smoothness == kind and step.detail), "")
    parts = [
        found.stopped and f"It could not be traced: {found.stopped}",
        f"{_count(sum(row.count for row in found.operations), 'operation')} on paths from {found.variables}",
        path and f"the shortest through the roughest: {path}" + (f" ({why})" if why else ""),
        found.unknown and f"not known: {_rows(found.unknown)}; all others are {found.known} at worst",
        found.executed and "traced on this example's numbers, for its branches only",
    ]
    remedy = {
        "discontinuous": "Replace that operation, or declare its module's class if its jumps cancel.",
        "unknown": "Declare the class of the module that holds it; give weights and a real example if "
        "control flow needs numbers.",
        "Lipschitz": "Use step sizes that tend to 0, or a smooth activation, where a theorem is needed.",
    }
    return Observation(
        "smoothness",
        _LEVEL[kind] if found.depends else "unknown",
        f"As a function of {found.variables} this is {'' if kind == 'unknown' else 'at worst '}{kind}.",
        "; ".join(part for part in parts if part) + ".",
        _MEANS[kind],
        _SOURCE,
        remedy.get(kind, ""),
        "ns.audit.declare_smoothness(MyModule, 'C1,1')" if kind in ("unknown", "discontinuous") else "",
        {
            "class": kind,
            "known": found.known,
            "cause": [str(step) for step in found.cause],
            "operations": {row.operation: row.count for row in found.operations},
        },
    )


def _singular(found: Smoothness) -> list[Observation]:
    if not found.singular:
        return []
    shown = [f"{step}, {step.detail}" for step in found.singular]
    return [
        Observation(
            "unbounded-slope",
            "note",
            f"Value or slope of {_count(len(shown), 'operation')} has no bound at some points.",
            few(shown),
            "At such a point torch's gradient is infinite or NaN, and beside it no Lipschitz constant holds. "
            "The class is meant where the operations are defined.",
            "the ranges that the traced operations can have",
            "Keep the argument off that point: add a small eps inside, or use the fused form (cross_entropy, "
            "logsumexp, linalg.vector_norm).",
            numbers={"operations": shown},
        )
    ]


def _random(found: Smoothness) -> list[Observation]:
    seen = []
    if found.random and found.training:
        seen.append(
            Observation(
                "random-operations",
                "note",
                "The loss is random: its operations draw numbers at every call.",
                _rows(found.random),
                "The class holds for each fixed draw. Every gradient is stochastic, the full batch's too.",
                "the traced operations",
                "Measure curvature and certificates in model.eval().",
                numbers=_counts(found.random),
            )
        )
    drawing = [row for row in found.left_on if row.operation not in WITH_BATCH]
    noise = [row for row in drawing if row.operation in _NOISE]
    dropped = [row for row in drawing if row.operation not in _NOISE]
    if dropped:
        seen.append(
            Observation(
                "dropout-in-evaluation",
                "warning",
                "Dropout is left on in evaluation.",
                _rows(dropped) + (", after model.eval() too." if found.training else "."),
                "Two evaluations of the same weights differ, and neither is the network that was trained.",
                "Srivastava et al., Dropout (JMLR 2014): at test time no unit is dropped",
                "Call model.eval() before, and pass training=self.training to functional.dropout.",
                "model.eval()\nx = functional.dropout(x, p, training=self.training)",
                _counts(dropped),
            )
        )
    if noise:
        seen.append(
            Observation(
                "noise-in-evaluation",
                "note",
                "In evaluation the result is drawn anew at every call.",
                _rows(noise),
                "Fine for a model that samples; what is measured of it is one draw.",
                "the traced operations",
                "Fix the seed where two evaluations are compared.",
                numbers=_counts(noise),
            )
        )
    return seen


def _batch(found: Smoothness) -> list[Observation]:
    left_on = tuple(row for row in found.left_on if row.operation in WITH_BATCH)
    if left_on:
        return [
            Observation(
                "batch-norm-in-evaluation",
                "warning",
                "Batch norm is left in training mode in evaluation.",
                _rows(left_on),
                "What is computed for a sample depends on the others of its batch, and evaluation changes "
                "the running statistics.",
                "Ioffe and Szegedy, Batch Normalization (2015), on inference",
                "Call model.eval() before.",
                "model.eval()",
                _counts(left_on),
            )
        ]
    if not found.batch_statistics:
        return []
    return [
        Observation(
            "batch-statistics",
            "note",
            f"{_count(len(found.batch_statistics), 'module')} normalise with the statistics of the batch.",
            few(found.batch_statistics),
            "The loss is then no mean over samples: each sample's part depends on the others, and the "
            "full-batch gradient is not the mean of the batches' gradients.",
            "Ioffe and Szegedy, Batch Normalization (2015), on inference",
            "Certify and measure in model.eval(), where the statistics are constants.",
            numbers={"modules": list(found.batch_statistics)},
        )
    ]


def _choices(found: Smoothness) -> list[Observation]:
    by_choice: dict[float, list[str]] = {}
    for name, module, choice in found.hinges:
        by_choice.setdefault(choice, []).append(f"{name} in {module}" if module else name)
    if len(by_choice) < 2:
        return []
    shown = "; ".join(f"{choice:g} for {few(names)}" for choice, names in sorted(by_choice.items()))
    return [
        Observation(
            "kink-choices-differ",
            "warning",
            "The same kink, that of max(0, x) or min(0, x), is differentiated in different ways at 0.",
            f"Probed on torch {torch.__version__} in float64, the derivative at 0 is {shown} of the slope.",
            "Units that are exactly 0 (dead inputs, zero initialisation, padding) get a gradient in one "
            "place and none in the other, and the choice changes with torch's version.",
            "Bertoin et al., Numerical influence of ReLU'(0) on backpropagation (NeurIPS 2021)",
            "Use one form throughout.",
            "torch.relu(x)",
            {f"{choice:g}": names for choice, names in by_choice.items()},
        )
    ]


def _l1(found: Smoothness) -> list[Observation]:
    seen = []
    for k, term in enumerate(found.l1_terms):
        size = (
            f"a strength that is not known ({term.why})"
            if term.strength is None
            else f"the strength {term.strength:g}"
        )
        given = "strength" if term.strength is None else term.strength
        seen.append(
            Observation(
                "l1-in-loss" if k == 0 else f"l1-in-loss-{k + 1}",
                "unknown" if term.strength is None else "note",
                f"The loss has an L1 term on {_count(len(term.parameters), 'parameter')}, with {size}.",
                few(term.parameters),
                "Its kinks are where the weights are meant to go. A subgradient step passes over them: it "
                "makes weights small, hardly ever 0.",
                "the traced loss; S. K. Kumar, GD doesn't make the cut (arXiv 2401.08426), Section 4",
                "Take it out of the loss, and attach it to the optimiser, which then gives exact zeros.",
                f"ns.attach(optimizer, ns.L1({given}), params=...)",
                {"strength": term.strength, "parameters": list(term.parameters)},
            )
        )
    return seen


def _kinked(found: Smoothness) -> list[Observation]:
    if not found.kinked_terms:
        return []
    shown = [f"{each.operation} of {few(each.parameters)}" for each in found.kinked_terms]
    return [
        Observation(
            "penalty-not-recognised",
            "unknown",
            f"The loss has {_count(len(shown), 'term')} with kinks, of parameters alone: not recognised.",
            f"{few(shown)}.",
            "If it is a penalty that acts like L1 near 0, a subgradient step makes weights small, hardly "
            "ever 0; of its strength and of what it reaches nothing can be said.",
            "the traced loss",
            "Write an L1 term as strength * w.abs().sum(), or attach it to the optimiser.",
            "ns.attach(optimizer, ns.L1(strength), params=...)",
            {
                "terms": [
                    {"operation": x.operation, "parameters": [*x.parameters]} for x in found.kinked_terms
                ]
            },
        )
    ]


def _count(n: int, what: str) -> str:
    return f"{n} {what}" + ("" if n == 1 else "s")


def _counts(rows: Sequence[Used]) -> dict[str, dict[str, int]]:
    return {"operations": {row.operation: row.count for row in rows}}


def few(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _rows(rows: Sequence[Used]) -> str:
    return few([f"{row.operation} ({row.count}, in {few(row.modules, 3) or 'the loss'})" for row in rows])
