"""One observation with its evidence: what was printed, what was measured, and whether they agree."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """One observation.

    Args:
        name: a short sentence naming the quantity.
        measured: what was found, as text with its unit or dtype where that matters.
        n: how many independent runs (seeds, starts, instances) it rests on.
        why: what the number means and how it was obtained, in one or two sentences.
        part: name of the part of the claim it bears on.
        reported: what the paper prints, digit for digit; None where the paper is silent.
        interval: what ``measured`` lies in (which interval it is, is said in ``why`` or ``measured``).
        agrees: True or False where ``reported`` can be compared with ``measured``, else None.
    """

    name: str
    measured: str
    n: int
    why: str
    part: str = ""
    reported: str | None = None
    interval: tuple[float, float] | None = None
    agrees: bool | None = None

    def as_dict(self) -> dict[str, Any]:
        """The finding as JSON values; a non-finite end of an interval becomes None."""
        row = asdict(self)
        if self.interval is not None:
            row["interval"] = [end if math.isfinite(end) else None for end in self.interval]
        return row
