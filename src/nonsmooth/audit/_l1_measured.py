"""The L1 terms of the trace, held against the jumps that the slope of the loss really has at 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nonsmooth.audit._l1_terms import KinkedTerm, L1Term
from nonsmooth.audit._slope_jumps import SlopeJump
from nonsmooth.audit._smoothness_observations import few
from nonsmooth.findings import Observation, number

__all__ = ["held_against", "not_traced"]

_HOW = "the gradient of the loss on either side of 0, for two entries of each parameter"


def held_against(
    terms: Sequence[L1Term], jumps: Mapping[str, SlopeJump]
) -> tuple[list[L1Term], list[Observation]]:
    """The terms with a strength only where it was not found to be another one; and what is said of others.

    A term without any gradient (``.detach()``, ``.data``, ``no_grad``) is a finding of its own.
    """
    kept: list[L1Term] = []
    said: list[Observation] = []
    for term in terms:
        groups: dict[str, list[str]] = {}
        for name in term.parameters:
            groups.setdefault(_verdict(term, jumps.get(name)), []).append(name)
        for verdict, names in groups.items():
            if verdict == "no gradient":
                said.append(_no_gradient(names, term.strength))
            else:
                kept.append(L1Term(tuple(names), None if verdict else term.strength, verdict or term.why))
    return kept, said


def _verdict(term: L1Term, jump: SlopeJump | None) -> str:
    """ "": nothing against the term as it is; "no gradient"; or why its strength is not known.

    A jump that differs between entries and with other weights is the network's own, with the term's or
    without it: it says nothing.
    """
    strength = term.strength
    if jump is None or jump.strength is None:
        return term.why
    if strength is None:
        like = f"at two entries, with the weights as they are, like {number(jump.strength, 3)} * |w|"
        return f"{term.why}; {like}" if jump.strength else term.why
    if not jump.constant or abs(strength) < 4 * jump.noise or jump.says(strength):
        return ""
    if jump.strength == 0:
        return "no gradient"
    return (
        f"it reads as one of the strength {number(strength, 3)}, but the slope of the loss jumps at 0 as for "
        f"{number(jump.strength, 3)}"
    )


def _no_gradient(names: Sequence[str], strength: float | None) -> Observation:
    return Observation(
        "l1-without-gradient",
        "problem",
        "The L1 term in the loss has no gradient: it changes the loss's value, and no weight.",
        f"{number(float(strength or 0), 3)} * |w| on {few(names, 3)} is in the loss, but its slope does not "
        "jump at 0 at either of two entries tried of each.",
        "Of .detach(), .data, numpy and code under no_grad torch differentiates nothing, nor of rounded "
        "quotients.",
        _HOW,
        "Attach the penalty to the optimiser; or write strength * w.abs().sum() without these.",
        "prox = ns.attach(optimizer, ns.L1(strength), params=model)",
        {"strength": strength, "parameters": list(names)},
    )


def not_traced(
    terms: Sequence[L1Term], kinked: Sequence[KinkedTerm], jumps: Mapping[str, SlopeJump]
) -> list[Observation]:
    """Parameters with jumps of one size, or without bound, of which the trace shows no L1 term."""
    known = {name for term in terms for name in term.parameters}
    written = {name for term in kinked for name in term.parameters}
    like: dict[str, list[str]] = {}
    for name, jump in jumps.items():
        if name not in known and (kind := _kind(jump)):
            like.setdefault(kind, []).append(name)
    if not like:
        return []
    names = [name for some in like.values() for name in some]
    seen = "in a form that the trace does not recognise" if written >= set(names) else "unseen by the trace"
    return [
        Observation(
            "penalty-not-recognised",
            "unknown",
            f"The loss has a kink where weights are 0, as an L1 term gives, {seen}.",
            "; ".join(f"{kind} on {few(some, 3)}" for kind, some in like.items())
            + ", by the jump of its slope there.",
            "A subgradient step on such a term makes weights small, hardly ever 0. Whether it stays the same "
            "during training is not known, and so not what it reaches.",
            _HOW,
            "Write an L1 term as strength * w.abs().sum(), or attach it to the optimiser.",
            "prox = ns.attach(optimizer, ns.L1(strength), params=model)",
            {"parameters": names, "jumps": {name: jumps[name]._asdict() for name in names}},
        )
    ]


def _kind(jump: SlopeJump) -> str:
    """What a jump is like; "" if there is none, or one that depends on other weights, as a network's do."""
    if jump.unbounded:
        return "steeper the nearer to 0, like |w|^p with p < 1,"
    if not jump.constant or min(map(abs, jump.halves)) <= 4 * jump.noise:
        return ""
    if jump.strength:
        return f"like {number(jump.strength, 3)} * |w|"
    return f"like |w| times {' or '.join(number(each, 3) for each in jump.halves)}, by entry"
