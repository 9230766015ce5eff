"""Rows of ``strong-duality`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows


def _about(*names: str):
    return lambda row: row["about"] in names


def _lines(*names: str, **values):
    return set_rows("lines", _about(*names), **values)


# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("A.1", "holds", _lines("A.1", fails=1, smallest="f"), "differs"),
    ("A.1", "holds", _lines("A.1 improper", fails=1, smallest="f"), "differs"),
    ("A.2", "holds", _lines("A.2", fails=1, smallest="f"), "differs"),
    ("A.2", "holds", set_rows("polytopes", crossing=-1.0), "differs"),
    ("A.3", "holds", _lines("A.3", fails=1, smallest="f"), "differs"),
    ("never-vertical", "differs", set_rows("polytopes", vertical=True), "differs"),
    ("A.4", "differs", _lines("A.4", fails=0), "holds"),
    ("A.4-converse", "differs", _lines("A.4 converse", "proper", fails=0), "holds"),
    ("A.5", "holds in part", _lines("A.5 literal", fails=0), "holds"),
    ("A.5", "holds in part", _lines("A.5 translated", fails=1, smallest="f"), "differs"),
    ("one-or-many", "holds", _lines("one or many", fails=1, smallest="f"), "differs"),
    ("kink-eq-3", "holds in part", set_rows("loss", family=1), "holds"),
    ("kink-eq-3", "holds in part", set_rows("loss", family=0), "differs"),
    ("kink-eq-3", "holds in part", set_rows("loss", wrong=1), "not judged"),
]


def _never(rows):
    _lines("vertical", fails=0)(rows)
    set_rows("polytopes", vertical=False)(rows)


CASES.append(("never-vertical", "differs", _never, "holds"))
