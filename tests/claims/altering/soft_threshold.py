"""Rows of ``soft-threshold`` altered as if its experiments had come out differently."""

from claims.altering.rows import Rows, drop_rows, set_rows


def _relu(row: dict) -> bool:
    return row["activation"] == "relu"


def _smooth(row: dict) -> bool:
    return not _relu(row)


def _in_turn(*alterations):
    def alter(rows: Rows) -> None:
        for each in alterations:
            each(rows)

    return alter


_known_missed = set_rows("one-sample", excess=0.1)
_relu_fails = set_rows("trained", _relu, value=9.0, live=1, zeros=60)
_smooth_fails = set_rows("trained", _smooth, value=9.0, live=1)
_smooth_settles = set_rows("trained", _smooth, value=0.2, descended=0.2, minimum=0.2, moved=0.0, strict=True)

# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("not-optimal", "holds in part", set_rows("lasso", gap=1.0, zeros=3), "holds"),
    ("not-optimal", "holds in part", set_rows("lasso", gap=0.0), "differs"),
    ("necessarily", "differs", set_rows("network", excess=0.1), "holds"),
    ("necessarily", "differs", set_rows("network", excess=lambda r: r["seed"] % 2), "holds in part"),
    ("cause-L-smooth", "undecided", set_rows("deviations", fading_late=9.0), "supported"),
    ("cause-L-smooth", "undecided", set_rows("deviations", twin_below=1.0), "not supported"),
    ("network-not-optimal", "differs", _in_turn(_known_missed, _relu_fails), "holds"),
    (
        "network-not-optimal",
        "differs",
        _in_turn(_known_missed, set_rows("trained", zeros=0)),
        "holds in part",
    ),
    (
        "network-not-optimal",
        "differs",
        _in_turn(_known_missed, set_rows("trained", strict=False)),
        "holds in part",
    ),
    ("network-not-optimal", "differs", set_rows("trained", live=0), "not judged"),
    ("network-not-optimal", "differs", drop_rows("one-sample", lambda r: r["seed"] > 9), "not judged"),
    ("cause-network", "undecided", _in_turn(_relu_fails, _smooth_settles), "supported"),
    ("cause-network", "undecided", _smooth_fails, "not supported"),
]
