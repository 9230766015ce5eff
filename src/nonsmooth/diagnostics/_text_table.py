"""Plain text tables for the reports of this folder."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["text_table"]


def text_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows (the first is the header) with the first column to the left and the others to the right.

    >>> print(text_table([("layer", "zeros"), ("0.weight", "12"), ("bias", "3")]))
    layer     zeros
    0.weight     12
    bias          3
    """
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in rows]
    return "\n".join("  ".join(line).rstrip() for line in lines)
