"""Differences between two ledgers: in words, answers first."""

import copy

import pytest

from nonsmooth.claims import Ledger, compare, in_words


def _claim(id="toy", **more):
    ruling = {"part": "p", "answer": "holds", "n": 5, "region": "", "why": "because", "rule": "r"}
    finding = {"name": "norm", "measured": "1.62", "n": 5, "interval": [1.5, 1.7], "part": "p"}
    return {
        "id": id, "where": "eq. 1", "statement": "s", "tier": "quick", "result": "holds", "attribution": None,
        "rulings": [ruling, {**ruling, "part": "q"}], "findings": [finding], "settings": {"stepsize": 0.01},
        "data": None, "unstated": [], "notes": [], "sweep": [], "seconds": 1.5, **more,
    }  # fmt: skip


def _ledger(*claims):
    return Ledger.of(claims or [_claim()], {"date": "today"})


def _changed(change):
    other = copy.deepcopy(_claim())
    change(other)
    return [(c.kind, str(c)) for c in compare(_ledger(), _ledger(other))]


def test_no_difference():
    assert compare(_ledger(), _ledger()) == []
    assert compare(_ledger(_claim(seconds=1)), _ledger(_claim(seconds=2))) == []
    swapped = compare(_ledger(_claim("a"), _claim("b")), _ledger(_claim("b"), _claim("a")))
    assert [str(change) for change in swapped] == ["the same claims in another order"]
    assert in_words(swapped) == "the same claims in another order"


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (lambda c: c.update(attribution="supported"), "answer", "toy: attribution none -> supported"),
        (lambda c: c["settings"].update(stepsize=0.1), "asked", "toy: setting stepsize 0.01 -> 0.1"),
        (lambda c: c["settings"].update(new=1), "asked", "toy: setting new none -> 1"),
        (lambda c: c.update(tier="paper"), "asked", "toy: tier quick -> paper"),
        (lambda c: c["rulings"][0].update(rule="x"), "asked", "toy: part p: rule r -> x"),
        (lambda c: c["rulings"][0].update(n=6), "number", "toy: part p: n 5 -> 6"),
        (lambda c: c["rulings"].pop(), "lacking", "toy: part q only in the first"),
        (
            lambda c: c["findings"][0].update(interval=None, measured="1.7"),
            "number",
            "toy: finding p / norm: measured 1.62 -> 1.7; interval [1.5, 1.7] -> none",
        ),
        (
            lambda c: c["findings"][0].update(interval=[1.5, 1.70000001]),
            "number",
            "toy: finding p / norm: interval [1.5, 1.7] -> [1.5, 1.70000001]",
        ),
        (lambda c: c["findings"].append({"name": "x"}), "number", "toy: finding x only in the second"),
        (lambda c: c.update(notes=["a note"]), "number", "toy: notes changed"),
        (lambda c: c.update(unstated=[{"name": "x", "value": 1}]), "number", "toy: unstated changed"),
    ],
)  # fmt: skip
def test_one_difference(change, kind, words):
    assert _changed(change) == [(kind, words)]


def _differs(claim, *parts, result="differs"):
    claim["result"] = result
    for ruling in claim["rulings"]:
        if ruling["part"] in parts:
            ruling.update(answer="differs", why="it  does\nnot")


def test_another_answer_is_said_first_with_the_parts_that_moved_it():
    said = _changed(
        lambda c: (c["settings"].update(stepsize=1), c["rulings"][0].update(n=9), _differs(c, "q"))
    )
    assert said == [
        ("answer", "toy: result holds -> differs, because part q holds -> differs"),
        ("answer", "toy: part q holds -> differs: it does not"),
        ("asked", "toy: setting stepsize 0.01 -> 1"),
        ("number", "toy: part p: n 5 -> 9"),
    ]


def test_the_way_back_names_the_parts_that_were_the_weakest():
    before = copy.deepcopy(_claim())
    _differs(before, "p")
    before["rulings"][1]["answer"] = "holds in part"
    first = compare(_ledger(before), _ledger())[0]
    assert str(first) == "toy: result differs -> holds, because part p differs -> holds"


def test_for_a_reader_it_is_grouped_and_summed_up():
    graver, other, number = (copy.deepcopy(_claim(id)) for id in ("graver", "gone", "number"))
    after = copy.deepcopy([number, graver])
    _differs(after[1], "p")
    after[0]["rulings"][0]["n"] = 6
    words = in_words(compare(_ledger(number, other, graver), _ledger(*after, _claim("new"))))
    assert words.splitlines() == [
        "1 claim with another answer; 1 claim with the same answers but other numbers, words or settings; "
        "2 claims in one of the two only.",
        "",
        "graver:",
        "  result holds -> differs, because part p holds -> differs",
        "  part p holds -> differs: it does not",
        "number: the answers are the same",
        "  part p: n 5 -> 6",
        "gone: only in the first",
        "new: only in the second",
    ]
