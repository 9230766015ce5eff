"""What every claim promises, held for each that is built: adding a claim adds a row here by itself."""

import json
import random

import pytest

from nonsmooth.claims import TIERS, Claim, built, load, source_of
from nonsmooth.findings import Attribution, Result
from nonsmooth.runs import Store, Task, canonical_json, execute

pytestmark = pytest.mark.parametrize("id", built())

_SILENT = (Result.NOT_JUDGED, Attribution.UNDECIDED)


def test_it_says_what_it_judges(id):
    claim = load(id)
    assert isinstance(claim, Claim)
    assert claim.id == id
    for text in (claim.where, claim.statement):
        assert text.strip()
    assert claim.parts
    names = [part.name for part in claim.parts]
    assert len(set(names)) == len(names)
    for part in claim.parts:
        assert part.statement.strip()
        assert part.rule.strip()
        assert part.least_n >= 1
        assert part.comparisons >= 1
    settings = [setting.name for setting in claim.unstated]
    assert len(set(settings)) == len(settings)
    for setting in claim.unstated:
        assert setting.why.strip()
        assert setting.check(setting.default) == setting.default
    assert all(note.strip() for note in claim.notes)


@pytest.mark.parametrize("tier", TIERS)
def test_its_specs_are_its_own_and_stable(id, tier):
    claim = load(id)
    specs = claim.runs(tier, claim.settings())
    assert specs
    assert {spec.claim for spec in specs} == {id}
    assert len({spec.id for spec in specs}) == len(specs)
    again = claim.runs(tier, claim.settings())
    assert [spec.id for spec in specs] == [spec.id for spec in again]
    for spec in specs:
        assert json.loads(canonical_json(spec.as_dict())) == spec.as_dict()


def test_measuring_again_gives_the_same_bits(id, quick):
    _, folder = quick(id)
    claim, source = load(id), source_of(id)
    with Store(folder / "store.sqlite") as store:
        specs = {spec.id: spec for spec in claim.runs("quick", claim.settings())}
        seconds = store.seconds(specs)
        cheapest = specs[min(seconds, key=lambda spec_id: (seconds[spec_id], spec_id))]
        kept = store.latest(cheapest.id)
    # The first was measured in a worker process, this one here.
    assert json.dumps(execute(Task(cheapest, source)).rows) == json.dumps(kept)


def _answers(verdict):
    return {ruling.part: (ruling.answer, ruling.n) for ruling in verdict.rulings}


def test_nothing_is_judged_on_nothing(id):
    said = {part: answer for part, answer in _answers(load(id).verdict([])).items() if answer[1] > 0}
    assert said == {}
    assert all(answer in _SILENT for answer, _ in _answers(load(id).verdict([])).values())


def test_few_rows_decide_no_more_than_the_rule_allows(id, quick):
    outcome, folder = quick(id)
    claim = load(id)
    whole = _answers(claim.verdict(outcome.rows_by_claim[id]))
    specs = claim.runs("quick", claim.settings())
    with Store(folder / "store.sqlite") as store:
        rows = [store.latest(spec.id) or [] for spec in specs]
    for few in (rows[:1], rows[-1:], rows[: len(rows) // 2], rows[::3], rows[1:]):
        answers = _answers(claim.verdict([row for some in few for row in some]))
        for part in claim.parts:
            answer, n = answers[part.name]
            assert n <= whole[part.name][1], part.name
            assert n >= part.least_n or answer in _SILENT, part.name


def _difference(a, b, place=""):
    """Where two verdicts differ by more than a sum in another order, or nothing."""
    if isinstance(a, float) and isinstance(b, float):
        return "" if a == pytest.approx(b, rel=1e-9, nan_ok=True) else f"{place}: {a} / {b}"
    if isinstance(a, dict) and a.keys() == b.keys():
        return next(filter(None, (_difference(a[name], b[name], f"{place}.{name}") for name in a)), "")
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return next(filter(None, (_difference(a[k], b[k], f"{place}[{k}]") for k in range(len(a)))), "")
    return "" if a == b else f"{place}: {a} / {b}"


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_does_not_matter(id, quick, seed):
    outcome, _ = quick(id)
    claim, rows = load(id), list(outcome.rows_by_claim[id])
    verdict = claim.verdict(rows).as_dict()
    random.Random(seed).shuffle(rows)
    assert _difference(verdict, claim.verdict(rows).as_dict()) == ""


def test_a_cause_is_judged_only_where_one_is_given(id, quick):
    outcome, _ = quick(id)
    verdict = load(id).verdict(outcome.rows_by_claim[id])
    assert (verdict.attribution is not None) == any(part.asks_for_cause for part in load(id).parts)
    parts = {part.name for part in load(id).parts}
    for finding in verdict.findings:
        assert finding.part in {"", *parts}
        assert finding.why.strip()
        assert finding.n >= 0
        if finding.reported is None:  # nothing printed to agree with
            assert finding.agrees is None, finding.name


def test_it_draws_figures_with_labelled_axes(id, quick):
    outcome, _ = quick(id)
    drawings = load(id).draw(outcome.rows_by_claim[id])
    assert drawings
    assert len({drawing.name for drawing in drawings}) == len(drawings)
    for drawing in drawings:
        assert drawing.caption.strip()
        assert drawing.figure.axes
        for axes in drawing.figure.axes:
            if not axes.axison or axes.get_label() == "<colorbar>":
                continue
            where = f"{drawing.name}: {axes.get_title(loc='left') or axes.get_title() or axes}"
            beside = axes.get_shared_x_axes().get_siblings(axes)
            below = axes.get_shared_y_axes().get_siblings(axes)
            assert any(each.get_xlabel() for each in beside) or drawing.figure.get_supxlabel(), where
            assert any(each.get_ylabel() for each in below) or drawing.figure.get_supylabel(), where
