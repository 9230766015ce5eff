"""At both ends of every setting's range each claim still runs, judges, draws, and speaks of numbers."""

import re

import pytest

from nonsmooth.claims import built, load
from nonsmooth.errors import InputError
from nonsmooth.runs._threads import one_thread

ENDS = [
    (id, setting.name, end)
    for id in built()
    for setting in load(id).unstated
    for end in (setting.low, setting.high)
    if end is not None
]


@pytest.mark.slow
@pytest.mark.parametrize(("id", "name", "end"), ENDS)
def test_the_ends_of_a_setting_can_be_run(id: str, name: str, end: float) -> None:
    claim = load(id)
    try:
        specs = claim.runs("quick", claim.settings({name: end}))
    except InputError as error:  # a pair of settings may be refused, in words
        if "choose" not in str(error):
            raise
        return
    # The first batch of seeds is enough to reach every text; of networks, which take long, an eighth of it.
    first = [spec for spec in specs if not spec.seeds or spec.seeds[0] == 0]
    networks = [spec for spec in first if "images" in spec.parameters]
    with one_thread():
        rows = [
            row
            for spec in first
            if spec not in networks or spec in networks[::8]
            for row in claim.measure(spec)
        ]
    verdict = claim.verdict(rows)
    texts = [t for f in verdict.findings for t in (f.name, f.measured, f.why)]
    texts += [t for r in verdict.rulings for t in (r.why, r.region)]
    assert not [text for text in texts if re.search(r"\b(nan|inf)\b", text)]
    for finding in verdict.findings:
        assert finding.agrees is None or finding.reported is not None
    assert claim.drawings(rows)


def test_every_built_claim_has_ends_to_try() -> None:
    assert {id for id, *_ in ENDS} == set(built())
