"""The ledger: strict JSON, and a digest of what was found."""

import json

import numpy as np
import pytest

from nonsmooth.claims import Ledger, rerun
from nonsmooth.errors import InputError


def _claim(id="toy", **more):
    ruling = {
        "part": "p",
        "answer": "holds",
        "n": 5,
        "region": "",
        "why": "because",
        "rule": "r",
        "statement": "s",
    }
    finding = {
        "name": "norm", "reported": "1.6", "measured": "1.62", "n": 5, "interval": [1.5, 1.7], "agrees": True,
        "why": "so", "part": "p",
    }  # fmt: skip
    return {
        "id": id, "where": "eq. 1", "statement": "s", "tier": "quick", "result": "holds", "attribution": None,
        "rulings": [ruling], "findings": [finding], "settings": {"stepsize": 0.01}, "data": None,
        "unstated": [], "notes": [], "sweep": [], "seconds": 1.5, **more,
    }  # fmt: skip


def _ledger(*claims):
    return Ledger.of(claims or [_claim()], {"date": "today"})


def test_it_comes_back_as_it_was_written(tmp_path):
    ledger = _ledger(_claim(), _claim("other", statement="“λ₁” <b>"))
    ledger.write(tmp_path / "ledger.json")
    assert Ledger.read(tmp_path / "ledger.json") == ledger
    assert list(json.loads((tmp_path / "ledger.json").read_text())) == ["claims", "environment", "digest"]


def test_the_digest_covers_all_but_times_and_environment():
    digest = _ledger().digest
    assert Ledger.of([_claim(seconds=99)], {"date": "tomorrow"}).digest == digest
    swept = [{"setting": "a", "value": 1, "seconds": 3}]
    assert _ledger(_claim(sweep=swept)).digest == _ledger(_claim(sweep=[{**swept[0], "seconds": 4}])).digest
    for name, value in _claim().items():
        if name != "seconds":
            assert _ledger(_claim(**{name: [value, "more"]})).digest != digest


def test_values_become_strict_json(tmp_path):
    ledger = _ledger(
        _claim(settings={"a": np.float64(0.1), "b": float("nan"), "c": (1, np.int64(2)), "d": np.bool_(1)})
    )
    assert ledger.claims[0]["settings"] == {"a": 0.1, "b": None, "c": [1, 2], "d": True}
    ledger.write(tmp_path / "ledger.json")
    assert Ledger.read(tmp_path / "ledger.json").digest == ledger.digest


def _text(**changes):
    data = {**_ledger().as_dict(), **changes}
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (None, "cannot be read"),
        ("", "no JSON"),
        ("{", "no JSON"),
        ("\xff", "no ledger|no JSON"),
        ("NaN", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no ledger"),
        ("{}", "no ledger"),
        ('{"claims": {}, "environment": {}, "digest": ""}', "no ledger"),
        ('{"claims": [1], "environment": {}, "digest": ""}', "no ledger"),
        ('{"claims": [{"id": "a"}], "environment": {}, "digest": ""}', "a claim has no where"),
        (_text(digest="0" * 64), "changed after it was written"),
        (_text(claims=[_claim(result="differs")]), "changed after it was written"),
    ],
)
def test_what_is_no_ledger(tmp_path, text, word):
    path = tmp_path / "ledger.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=word) as caught:
        Ledger.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "ledger.json"
    path.write_bytes(b"\xff\xfe\x00{}")
    with pytest.raises(InputError, match="no JSON"):
        Ledger.read(path)


def test_it_cannot_be_written_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        _ledger().write(tmp_path / "file" / "ledger.json")


@pytest.mark.parametrize(
    "more",
    [
        {"rulings": {"part": 1}},
        {"rulings": ["p"]},
        {"rulings": [{"part": "p"}]},
        {"findings": [{}]},
        {"settings": []},
        {"unstated": [{"name": "stepsize"}]},
        {"sweep": [{"value": 1}]},
    ],
)
def test_an_entry_without_the_shape_of_one(tmp_path, more):
    _ledger(_claim(**more)).write(tmp_path / "ledger.json")
    with pytest.raises(InputError, match="no ledger: a claim's"):
        Ledger.read(tmp_path / "ledger.json")


def test_the_command_that_judges_an_entry_again():
    swept = [{"setting": "stepsize", "value": 0.1}, {"setting": "stepsize", "value": 1.0}]
    unstated = [{"name": "steps", "value": 7, "default": 9}, {"name": "kind", "value": "a", "default": "a"}]
    entry = _claim(unstated=unstated, sweep=swept, claim_file="my claim.py")
    command = "nonsmooth reproduce toy --tier quick --claims 'my claim.py' --set steps=7"
    assert rerun(entry, sweep=False) == command
    assert rerun(entry) == f"{command} --over stepsize=0.1,1.0"
    assert rerun({"id": "toy"}) == "nonsmooth reproduce toy --tier quick"
