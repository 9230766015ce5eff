"""Rows of ``rates`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows


def _kind(kind: str):
    return lambda row: row["kind"] == kind


def _twin(row: dict) -> bool:
    return row["factor"] > 0


# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("smooth", "holds", set_rows("bounds", smooth=1.01), "differs"),
    ("smooth", "holds", set_rows("certificate", _kind("smooth"), value=lambda r: r["N"] ** -0.5), "differs"),
    ("smooth", "holds", set_rows("certificate", _kind("smooth"), attained=0.001), "holds in part"),
    ("lipschitz", "holds in part", set_rows("bounds", kinked=1.01), "differs"),
    ("lipschitz", "holds in part", set_rows("floor", cycle=False), "holds"),
    ("slower", "holds in part", set_rows("pairs", _twin, steps=1), "holds"),
    ("slower", "holds in part", set_rows("pairs", _twin, steps=None), "differs"),
    ("cause-non-smooth", "not supported", set_rows("pairs", _twin, steps=1), "supported"),
    ("cause-non-smooth", "not supported", set_rows("pairs", _twin, steps=10_000), "undecided"),
]
