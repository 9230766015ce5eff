"""Rows of ``variants-table`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows


def _rms(row: dict) -> bool:
    return row["optimiser"] == "RMSProp"


def _table_as_printed(rows: list[dict]) -> None:
    set_rows("ends", starts=1.0)(rows)


def _all_follow(rows: list[dict]) -> None:
    set_rows("shadow", apart=0.0)(rows)
    set_rows("zeros", digit_follow=lambda r: r["digit_starts"])(rows)


def _none_follows(rows: list[dict]) -> None:
    set_rows("shadow", apart=1.0)(rows)
    set_rows("zeros", digit_follow=0)(rows)


# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("table", "holds in part", _table_as_printed, "holds"),
    ("table", "holds in part", set_rows("ends", _rms, strengths=1.0), "differs"),
    ("table", "holds in part", set_rows("at-zero", _rms, stays=False, leaves=True), "differs"),
    ("jump", "holds", set_rows("jump", lambda r: r["eta"] == 0.5, jumps=False), "holds in part"),
    ("jump", "holds", set_rows("jump", jumps=False), "differs"),
    ("first-step", "holds in part", set_rows("first-step", printed=10.0), "holds"),
    ("first-step", "holds in part", set_rows("first-step", printed=lambda r: r["strength"]), "differs"),
    ("never-zero", "holds in part", set_rows("zeros", zeros=0), "holds"),
    ("never-zero", "holds in part", set_rows("zeros", digit_zeros=1), "differs"),
    ("vanilla-like", "holds in part", _all_follow, "holds"),
    ("vanilla-like", "holds in part", _none_follows, "differs"),
    ("cause-kink", "not supported", set_rows("twins", apart=1.0), "supported"),
]
