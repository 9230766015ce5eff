"""No verdict is hard-wired: with other rows, each part of each claim answers otherwise.

The real rows of a quick run are altered as if the experiment had come out differently (see ``altering``).
"""

import copy
from importlib import import_module
from importlib.util import find_spec

import pytest

from nonsmooth.claims import built, load


def _cases(claim: str) -> list[tuple]:
    name = f"claims.altering.{claim.replace('-', '_').lower()}"
    return [(claim, *case) for case in import_module(name).CASES] if find_spec(name) else []


CASES = [case for claim in built() for case in _cases(claim)]


@pytest.mark.parametrize(("claim", "part", "real", "alter", "altered"), CASES)
def test_other_rows_give_another_answer(quick, claim, part, real, alter, altered) -> None:
    outcome, _ = quick(claim)
    rows = outcome.rows_by_claim[claim]

    def answer(rows: list[dict]) -> str:
        return next(str(r.answer) for r in load(claim).verdict(rows).rulings if r.part == part)

    assert answer(rows) == real
    other = copy.deepcopy(rows)
    alter(other)
    assert answer(other) == altered


def test_every_part_of_every_built_claim_is_altered() -> None:
    asked = {(claim, part.name) for claim in built() for part in load(claim).parts}
    assert asked == {(claim, part) for claim, part, *_ in CASES}
