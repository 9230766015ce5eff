"""No verdict is hard-wired: with other rows, each part of each claim answers otherwise.

The real rows of a quick run are altered as if the experiment had come out differently.
"""

import copy
from collections.abc import Callable

import pytest

from nonsmooth.claims import load

Rows = list[dict]


def _set(experiment: str, where: Callable[[dict], bool] = lambda r: True, **values) -> Callable[[Rows], None]:
    def alter(rows: Rows) -> None:
        hit = [r for r in rows if r["experiment"] == experiment and where(r)]
        assert hit, "the alteration meets no row"
        for r in hit:
            r.update({k: v(r) if callable(v) else v for k, v in values.items()})

    return alter


def _smooth(r: dict) -> bool:
    return r["kind"] == "smooth"


CASES = [
    # claim, part, what it answers on the real rows, how the rows are altered, what it must answer then
    ("penalty-paradox", "printed-orbits", "holds", _set("exact", upper=0.5), "differs"),
    ("penalty-paradox", "larger-norm", "holds",
     _set("worked", lambda r: r["l1"] == 1, norm_high=2.0), "differs"),
    ("penalty-paradox", "cause-step", "supported", _set("floor", ratio_high=1.5), "not supported"),
    ("penalty-paradox", "cause-kink", "not supported", _set("twins", _smooth, norm_low=0.0), "supported"),
    ("toy-lasso-orbit", "non-zero", "holds", _set("rationals", surprises=1), "differs"),
    ("toy-lasso-orbit", "orbit", "holds", _set("orbits", cycles=0), "differs"),
    ("toy-lasso-orbit", "formula-8", "holds in part", _set("formula", common=lambda r: r["n"]), "holds"),
    ("toy-lasso-orbit", "formula-8", "holds in part",
     _set("formula", lambda r: r["P"] > 1, common=0), "differs"),
    ("toy-lasso-orbit", "cause-kink", "supported", _set("twins", converged=0), "not supported"),
    ("lasso-paradox", "larger-norm", "holds", _set("random", norm_low=0.0), "differs"),
    ("lasso-paradox", "printed-numbers", "holds in part", _set("random", norm=1e-3), "differs"),
    ("lasso-paradox", "other-data", "holds", _set("real", hits=0), "differs"),
    ("lasso-paradox", "cause-subgradient", "supported", _set("random", gap=1e-6), "undecided"),
    ("lasso-paradox", "cause-subgradient", "supported", _set("random", prox=1.0), "not supported"),
    ("lasso-paradox", "cause-kink", "not supported", _set("random", narrow_low=0.0), "supported"),
    ("capture", "figure-1", "holds", _set("figure", rises=3), "differs"),
    ("capture", "figure-1", "holds", _set("figure", lambda r: r["seed"] % 2 == 0, rises=3), "holds in part"),
    ("capture", "proposition-3.1", "differs", _set("proposition", broken=0, smallest=None), "holds"),
    ("capture", "cause-not-gd", "not supported",
     _set("figure", lambda r: r["kind"] != "relu", rises=3), "supported"),
    ("huber", "no-divergence", "holds",
     _set("grid", lambda r: r["loss"] == "huber", diverged=True), "differs"),
    ("huber", "oscillation", "holds in part", _set("grid", frequency=lambda r: r["factor"] / 200), "holds"),
    ("huber", "oscillation", "holds in part", _set("printed", rises=1), "differs"),
    ("huber", "non-smooth", "holds in part", _set("class", worst=2.0), "holds"),
    ("huber", "non-smooth", "holds in part", _set("class", second_right=1.0), "differs"),
    ("huber", "growth", "holds", _set("class", growth_spread=0.5), "differs"),
    ("huber", "cause-non-smooth", "not supported", _set("printed", diverged=True), "supported"),
    ("huber", "cause-bounded-slope", "supported", _set("grid", diverged=False), "not supported"),
    ("unstable-convergence", "loss", "holds", _set("families", diverged=True), "differs"),
    ("unstable-convergence", "iterates", "differs", _set("unbounded", power=0.0), "holds"),
    ("unstable-convergence", "bound", "differs",
     _set("cycles", smallest=None, clean=None, best=1.0), "holds"),
    ("unstable-convergence", "cause-lipschitz", "supported",
     _set("growth", lambda r: r["lipschitz"], diverged=lambda r: r["n"]), "not supported"),
    ("unstable-convergence", "cause-non-smooth", "not supported",
     _set("growth", lambda r: r["stepsize"] > 1, diverged=lambda r: r["n"] * r["kinked"]), "supported"),
]  # fmt: skip


@pytest.mark.parametrize(("claim", "part", "real", "alter", "altered"), CASES)
def test_other_rows_give_another_answer(quick, claim, part, real, alter, altered) -> None:
    outcome, _ = quick(claim)
    rows = outcome.rows_by_claim[claim]

    def answer(rows: Rows) -> str:
        return next(str(r.answer) for r in load(claim).verdict(rows).rulings if r.part == part)

    assert answer(rows) == real
    other = copy.deepcopy(rows)
    alter(other)
    assert answer(other) == altered


def test_every_part_of_every_built_claim_is_altered_above() -> None:
    from nonsmooth.claims import built

    asked = {(claim, part.name) for claim in built() for part in load(claim).parts}
    assert asked == {(claim, part) for claim, part, *_ in CASES}
