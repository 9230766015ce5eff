"""What a ledger says against the paper: every ruling that does not hold exactly once, no other, in order."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nonsmooth.claims import Ledger, errata, inventory
from nonsmooth.findings import Attribution, Result

SAMPLE = json.loads((Path(__file__).parents[1] / "report" / "sample_ledger.json").read_text(encoding="utf-8"))
ANSWERS = [str(answer) for answer in (*Result, *Attribution)]
AGAINST = {"differs", "holds in part", "not supported"}


def _claim(id, answers, **more):
    rulings = [{"part": f"p{k}", "answer": answer, "n": 5, "why": "w"} for k, answer in enumerate(answers)]
    return {
        "id": id, "where": "eq. 1", "statement": "s", "tier": "quick", "result": "holds", "attribution": None,
        "rulings": rulings, "findings": [], "settings": {}, **more,
    }  # fmt: skip


def _found(*claims):
    return errata(Ledger.of(claims, {}))


@given(
    st.lists(
        st.tuples(
            st.sampled_from([entry.id for entry in inventory()] + ["mine", "yours"]),
            st.lists(st.sampled_from([*ANSWERS, "holds twice over"]), max_size=5),
        ),
        max_size=6,
        unique_by=lambda claim: claim[0],
    )
)
def test_every_ruling_is_sorted_once(claims):
    found = _found(*(_claim(id, answers) for id, answers in claims))
    everything = [*found.points, *found.causes, *found.held, *found.undecided]
    said = sorted((point.claim, point.part, point.answer) for point in everything)
    assert said == sorted((id, f"p{k}", a) for id, answers in claims for k, a in enumerate(answers))
    assert {point.answer for point in found.points} <= {"differs", "holds in part"}
    assert {point.answer for point in found.causes} <= {"not supported"}
    assert {point.answer for point in found.held} <= {"holds", "supported"}
    assert not AGAINST & {point.answer for point in found.undecided}
    order = {entry.id: k for k, entry in enumerate(inventory())}
    for group in (found.points, found.causes, found.held, found.undecided):
        places = [order.get(point.claim, len(order)) for point in group]
        assert places == sorted(places)


def test_a_claim_that_is_not_in_the_inventory_comes_last():
    found = _found(_claim("mine", ["differs"]), _claim("huber", ["differs"]), _claim("capture", ["differs"]))
    assert [(point.claim, point.section) for point in found.points] == [
        ("capture", "3. Convergence"),
        ("huber", "5. The edge of stability"),
        ("mine", "Other claims"),
    ]


def test_a_point_holds_what_its_ruling_says():
    found = errata(Ledger.of(SAMPLE["claims"], SAMPLE["environment"]))
    points = {(point.claim, point.part): point for point in (*found.points, *found.causes)}
    for claim in SAMPLE["claims"]:
        for ruling in claim["rulings"]:
            if ruling["answer"] not in AGAINST:
                continue
            point = points.pop((claim["id"], ruling["part"]))
            assert point.where == (ruling["where"] or claim["where"])
            assert (point.printed, point.found) == (ruling["statement"] or claim["statement"], ruling["why"])
            assert (point.region, point.n, point.repair) == (
                ruling["region"],
                ruling["n"],
                ruling["repair"],
            )
            mine = [f for f in claim["findings"] if f["part"] == ruling["part"] and f["agrees"] is False]
            assert [finding["name"] for finding in point.findings] == [finding["name"] for finding in mine]
            assert [finding["reported"] for finding in point.findings] == [f["reported"] for f in mine]
    assert not points


def test_an_older_ledger_is_read():
    claims = copy.deepcopy(SAMPLE["claims"])
    for claim in claims:
        for field in ("unstated", "data", "claim_file", "sweep", "notes"):
            claim.pop(field, None)
        for ruling in claim["rulings"]:
            for field in set(ruling) - {"part", "answer"}:
                del ruling[field]
    found = errata(Ledger.of(claims, {}))
    assert all(point.repair == "" and point.where and point.printed for point in found.points)


@pytest.mark.parametrize(
    ("reported", "number"),
    [
        ("1000 fold", True),
        ("at most 0.0106", True),
        ("−0.0047", True),
        ("< 1e-05", False),  # one digit: too little to tell a number from a count
        ("1", False),
        ("below α λ1 = 0.01", False),
        ("2 / L", False),
        ("none", False),
    ],
)
def test_whether_a_printed_number_is_concerned(reported, number):
    finding = {"name": "x", "part": "p0", "agrees": False, "reported": reported, "measured": "7", "n": 1}
    (point,) = _found(_claim("huber", ["differs"], findings=[finding])).points
    assert point.number is number
    (point,) = _found(_claim("huber", ["differs"], findings=[{**finding, "agrees": True}])).points
    assert not point.number
    assert not point.findings


def test_what_a_run_had_of_its_own_is_said():
    more = {
        "data": {"name": "my.csv", "sha256": "ab" * 32},
        "claim_file": "my_claim.py",
        "settings": {"data": "file:ab", "steps": 7, "stepsize": 0.1},
        "unstated": [
            {"name": "data", "value": "file:ab", "default": "random", "why": ""},
            {"name": "steps", "value": 7, "default": 9, "why": ""},
            {"name": "stepsize", "value": 0.1, "default": 0.1, "why": ""},
        ],
        "sweep": [{"setting": "stepsize", "value": 1.0, "rulings": [{"part": "p0", "answer": "differs"}]}],
    }
    (point,) = _found(_claim("huber", ["differs", "holds"], **more)).points  # the sweep's are not its own
    file, data, setting = point.circumstances
    assert "my_claim.py" in file
    assert "my.csv (SHA-256 abababababababab…), not the paper's" in data
    assert "steps = 7" in setting
    assert point.command == "nonsmooth reproduce huber --tier quick --claims my_claim.py --data my.csv --set steps=7"  # fmt: skip  # noqa: E501


def test_as_json_it_is_strict_and_whole():
    found = errata(Ledger.of(SAMPLE["claims"], SAMPLE["environment"]))
    data = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert data["claims"] == 6
    assert len(data["points"]) == len(found.points)
    assert data["digest"] == found.digest
