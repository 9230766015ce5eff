"""What each of the listing's choices does, and listing and clean protocol side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims.deep_l1._judgement import percent, shown, spread
from nonsmooth.claims.deep_l1._protocols import FAR, LARGE, OPTIMISERS, SMALL, THRESHOLDS
from nonsmooth.claims.deep_l1._rows import by_seed, changed, legs, of_experiment
from nonsmooth.findings import Finding, number

__all__ = ["choices", "protocols"]

_CHOICES = {
    "order": "0.002 before 2",
    "shuffled": "images shuffled",
    "head": "10 classes in place of 1000",
    "biases": "biases not penalised",
}
_CHANCE = 0.15  # test accuracy up to which a network is said to have learnt nothing of ten classes


def choices(rows: Sequence[Row]) -> list[Finding]:
    """One choice of the listing changed at a time: what it does to norm, share and loss."""
    findings = []
    for name in OPTIMISERS:
        for protocol, words in _CHOICES.items():
            for strength in (SMALL, LARGE):
                pairs = changed(rows, protocol, name, strength)
                if not pairs:
                    continue
                state = protocol == "order" and strength == SMALL
                what = "a fresh optimiser in place of the state that the run at 2 leaves" if state else words
                findings.append(_change(f"listing with one change, {what}", name, strength, pairs))
    # On its way too, where the network may still be alive.
    runs = [r for r in rows if r["experiment"] in ("part", "leg") and r["protocol"] == "listing"]
    if runs:
        ratios = [_over(r["test_loss_dropout"], r["test_loss"]) for r in runs]
        divided = [_over(r["test_loss_listed"], r["test_loss_dropout"]) for r in runs]
        moved = [_over(r["norm_next"], r["norm_penalised"]) for r in runs]
        findings += [
            Finding(
                "dropout on in validation: test loss over that with dropout off",
                spread(ratios),
                len(runs),
                "The listing never calls eval(). Same weights: every run of the listing at its end, at 0.002 "
                "on its way too. Norm and share do not depend on it.",
            ),
            Finding(
                "validation divisor: the printed loss over the mean loss an image",
                spread(divided),
                len(runs),
                "The listing adds up the means of batches of 128 and divides by the number of images: about "
                "1/128.",
            ),
            Finding(
                "L1 norm one step later, over the one recorded",
                spread(moved),
                len(runs),
                "The listing records an epoch's norm before its last step; orbits around 0 make one step "
                "matter where weights move in step (RMSProp).",
            ),
        ]
    return findings


def _over(a: float, b: float) -> float:
    """a / b; NaN where b is 0, as where every weight is."""
    return a / b if b else math.nan


def _change(what: str, name: str, strength: float, pairs: Sequence[tuple[Row, Row]]) -> Finding:
    def told(field: str, form=number) -> str:
        before, after = ([pair[k][field] for pair in pairs] for k in (0, 1))
        return f"{spread(before, form)} → {spread(after, form)}"

    old, new = pairs[0]
    after = (
        f"after {new['steps']:,} steps"
        if old["steps"] == new["steps"]
        else f"{told('steps', lambda n: format(n, ','))} steps"
    )
    start = "the same start" if old["classes"] == new["classes"] else "the same start but for the head"
    gone = sum(row["diverged"] for pair in pairs for row in pair)
    return Finding(
        f"{what}: {name}, λ1 = {strength:g}",
        f"L1 norm {told('norm')}; below 1e-5 {told('share', percent)}",
        len(pairs),
        f"Listing → changed run, {start}, {after}. Data loss of the last epoch {told('loss')}; "
        f"test loss an image, dropout off, {told('test_loss')}.{f' Diverged: {gone} runs.' if gone else ''}",
    )


def protocols(rows: Sequence[Row]) -> list[Finding]:
    """Listing and clean side by side, and what the network was before."""
    findings = []
    for name in OPTIMISERS:
        for strength in (SMALL, LARGE):
            cells = [by_seed(rows, protocol, name, strength) for protocol in ("listing", "clean")]
            seeds = sorted(set(cells[0]) & set(cells[1]))
            if seeds:
                pairs = [(cells[0][s], cells[1][s]) for s in seeds]
                findings.append(_change("listing → clean protocol", name, strength, pairs))
    findings += [_thresholds(rows, name) for name in OPTIMISERS if legs(rows, "listing", name, LARGE)]
    starts = {r["seed"]: r for r in of_experiment(rows, "leg") if r["protocol"] == "listing"}
    if starts:
        findings.append(_start(list(starts.values())))
    return findings


def _thresholds(rows: Sequence[Row], name: str) -> Finding:
    """The shares below other thresholds than the paper's."""
    told = []
    runs = {strength: legs(rows, "listing", name, strength) for strength in (SMALL, LARGE)}
    for strength, mine in runs.items():
        each = [spread([r["shares"][k] for r in mine], percent) for k in range(len(THRESHOLDS))]
        told.append(f"λ1 = {strength:g}: {', '.join(each)}")
    far = [spread([_over(r["norm_far"], r["norm"]) for r in mine], percent) for mine in runs.values()]
    return Finding(
        f"listing, {name}: parameters below {', '.join(f'{t:g}' for t in THRESHOLDS)}",
        "; ".join(told),
        len(runs[LARGE]),
        "The paper's 1e-5 is one choice: what it finds prunable depends on how it compares with the "
        f"optimiser's step. Of the L1 norm, {far[0]} (0.002) and {far[1]} (2) lie in parameters beyond "
        f"{FAR:g}, farther than any orbit reaches: held by the data, or not arrived yet.",
    )


def _start(each: Sequence[Row]) -> Finding:
    known = [r["start_accuracy"] for r in each if r["start_accuracy"] is not None]
    reached = f"test accuracy {spread(known, percent)}, " if known else ""
    learnt = (
        " At this size it has learnt nothing: what these runs say is about weights that no data hold."
        if known and max(known) <= _CHANCE
        else ""
    )
    return Finding(
        f"the network that is penalised: {each[0]['weights']}",
        f"{reached}L1 norm {spread([r['start_norm'] for r in each])}",
        len(each),
        f"VGG16 at width {each[0]['width']:.3g}, {each[0]['size']:,} parameters, largest "
        f"{spread([r['start_largest'] for r in each])}, {shown(each[0])}.{learnt} The penalty at its start "
        "is λ1 times this norm: at 0.002 already more than the cross-entropy of a constant in "
        f"{sum(SMALL * r['start_norm'] > 2.31 for r in each)} of {len(each)}.",
    )
