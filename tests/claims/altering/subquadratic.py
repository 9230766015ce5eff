"""Rows of ``subquadratic`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows


def _twin(row: dict) -> bool:
    return row["loss"] != "huber"


def _relu(row: dict) -> bool:
    return row["activation"] == "relu"


def _smooth(row: dict) -> bool:
    return row["activation"] != "relu"


def _exact(row: dict) -> list[float]:
    return [row["exact"]] * 9


_BELOW = [0.5] * 4


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
    ("network-differences", "holds in part", set_rows("network-differences", measured=_exact), "differs"),
    (
        "network-differences",
        "holds in part",
        set_rows("network-differences", _relu, measured=lambda r: [9 * r["exact"]] * 9),
        "holds",
    ),
    ("network-differences", "holds in part", set_rows("network-differences", reached=False), "not judged"),
    ("network-growth", "holds", set_rows("edge", growth=_BELOW), "differs"),
    (
        "network-growth",
        "holds",
        set_rows("edge", lambda r: r["seed"] % 2 == 0, growth=_BELOW),
        "holds in part",
    ),
    ("network-growth", "holds", set_rows("edge", sharpness=0.5), "not judged"),
    ("network-cause", "not supported", set_rows("edge", _smooth, growth=_BELOW), "supported"),
    ("network-cause", "not supported", set_rows("edge", growth=_BELOW), "undecided"),
]
