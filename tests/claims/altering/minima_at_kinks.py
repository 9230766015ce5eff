"""Rows of ``minima-at-kinks`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows


def _interpolating(row: dict) -> bool:
    return row["name"] == "interpolating"


def _narrow_settles(row: dict) -> dict:
    return {**row["twins"], "smoothed-relu:1e-05": {"kept": 0.001, "own_gradient": 1e-8}}


def _wide_stays(row: dict) -> dict:
    return {**row["twins"], "smoothed-relu:1": {"kept": 1.0, "own_gradient": 1e-8}}


# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("generic", "holds in part", set_rows("ends", _interpolating, kind="kink"), "holds"),
    ("generic", "holds in part", set_rows("minima", kinks=0), "differs"),
    ("generic", "holds in part", set_rows("minima", strict=False), "not judged"),
    ("source", "holds", set_rows("hinge", margins=0, kinks=0, gradient=0.0, curvature=0.1), "differs"),
    ("source", "holds", set_rows("hinge", trace=0.1), "differs"),
    ("source", "holds", set_rows("hinge", stationary=False), "not judged"),
    ("access", "holds in part", set_rows("near", bfgs=1e-3), "holds"),
    ("access", "holds in part", set_rows("near", constant=0.0, falling=0.0), "differs"),
    ("cause-access", "not supported", set_rows("near", twins=_narrow_settles), "supported"),
    ("cause-access", "not supported", set_rows("near", twins=_wide_stays), "undecided"),
]
