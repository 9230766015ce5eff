"""How rows are altered."""

from collections.abc import Callable

Rows = list[dict]


def set_rows(
    experiment: str, where: Callable[[dict], bool] = lambda row: True, **values
) -> Callable[[Rows], None]:
    """Set fields of an experiment's rows; a value may be a function of the row."""

    def alter(rows: Rows) -> None:
        hit = [row for row in rows if row["experiment"] == experiment and where(row)]
        assert hit, "the alteration meets no row"
        for row in hit:
            row.update({name: value(row) if callable(value) else value for name, value in values.items()})

    return alter


def drop_rows(experiment: str, where: Callable[[dict], bool] = lambda row: True) -> Callable[[Rows], None]:
    """Leave out an experiment's rows."""

    def alter(rows: Rows) -> None:
        kept = [row for row in rows if row["experiment"] != experiment or not where(row)]
        assert len(kept) < len(rows), "the alteration meets no row"
        rows[:] = kept

    return alter
