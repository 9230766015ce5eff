"""Observations: levels, and the one component that shows them as HTML."""

import pytest

from nonsmooth.errors import InputError
from nonsmooth.findings import LEVELS, Drawing, Observation, canvas, observations_html, worst


def _one(level="warning", **fields):
    return Observation("an-id", level, "A title.", "seen 3 of 4", **fields)


def test_the_worst_level_counts():
    assert worst([]) == "fine"
    assert worst([_one("note"), _one("unknown")]) == "unknown"
    assert worst([_one(level) for level in reversed(LEVELS)]) == LEVELS[0]


def test_a_level_that_is_none_is_refused():
    with pytest.raises(InputError, match="choose one of problem, warning"):
        _one("bad")


def test_everything_is_escaped_and_nothing_fetched():
    hostile = '<img src="http://x" onerror=alert(1)>'
    shown = observations_html(
        [Observation("a", "problem", hostile, hostile, hostile, hostile, hostile, hostile)],
        [(hostile, hostile)],
    )
    assert "<img" not in shown
    assert shown.count("&lt;img") == 8
    assert "http://" not in shown.replace("http://x", "")


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_is_a_word_and_a_shape_and_only_what_matters_is_open(level):
    shown = observations_html([_one(level, why="because", remedy="do", snippet="x = 1", source="a book")])
    assert f"ns-{level}" in shown
    assert "</span> " + level in shown
    assert "<details" in shown
    assert (" open>" in shown) == (level in ("problem", "warning", "unknown"))
    for text in ("seen 3 of 4", "because", "do", "x = 1", "a book"):
        assert text in shown


def test_the_evidence_is_drawn():
    figure, axes = canvas(1)
    axes[0, 0].plot([0, 1])
    drawn = _one(drawings=(Drawing("d", "what it shows", figure),))
    assert "data:image/svg+xml;base64," in observations_html([drawn])
    assert "data:image" not in observations_html([drawn], figures=False)
    assert drawn.as_dict()["drawings"] == ["d"]
