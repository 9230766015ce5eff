"""Rows of ``subquadratic`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows


def _twin(row: dict) -> bool:
    return row["loss"] != "huber"


# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("differences", "holds", set_rows("differences", measured=lambda r: [r["exact"]] * 9), "differs"),
    ("challenge", "holds", set_rows("huber", bounded=False), "differs"),
    ("challenge", "holds", set_rows("huber", lambda r: r["seed"] % 2 == 0, minimum=1.0), "holds in part"),
    (
        "all-L-smooth",
        "differs",
        set_rows("functions", twice=True, at_least_quadratic=False),
        "holds",
    ),
    ("cause-twice", "not supported", set_rows("huber", _twin, bounded=False), "supported"),
    ("cause-twice", "not supported", set_rows("huber", bounded=False), "undecided"),
]
