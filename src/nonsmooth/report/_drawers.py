"""Claims drawn and encoded by several workers at once: drawing is the longest part of making the page.

A worker gets a claim's rows and gives back the bytes of its figures; they are written here, so an unwritable
folder is met once. What a claim draws depends on its rows and its name alone, never on the worker.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Future, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonsmooth.report._figures import Encoded, SavedFigure, encode, prefixes, save
from nonsmooth.runs import ClaimSource, Engine, engine, load_claim
from nonsmooth.runs._engine import check_jobs

if TYPE_CHECKING:
    from nonsmooth.claims import Claim, Outcome

__all__ = ["draw_claims"]

# Below this many claims, starting a worker takes longer than drawing.
_FEW = 3
# A worker needs some 200 MB; beyond this many they wait for the slowest claim.
_MOST = 8

_Drawn = list[Encoded] | str
_Row = dict[str, Any]


def _drawn(claim: Claim, rows: Sequence[_Row], prefix: str) -> _Drawn:
    """A claim's figures, or why there are none: one broken drawing must cost the others nothing."""
    try:
        return encode(claim.drawings(rows), prefix)
    except Exception as error:
        return f"drawing failed: {' '.join(f'{type(error).__name__}: {error}'.split())}"


def _draw_there(source: ClaimSource, rows: Sequence[_Row], prefix: str) -> _Drawn:
    try:
        claim = load_claim(source)
    except Exception as error:
        return f"drawing failed: {' '.join(f'{type(error).__name__}: {error}'.split())}"
    return _drawn(claim, rows, prefix)


def draw_claims(
    outcome: Outcome,
    folder: Path | str,
    *,
    sources: Mapping[str, ClaimSource] | None = None,
    engine_name: str = "processes",
    jobs: int | None = None,
    on_drawn: Callable[[str, int, int], None] | None = None,
) -> tuple[dict[str, tuple[SavedFigure, ...]], dict[str, str]]:
    """Draw every claim of an outcome and write the figures, as :func:`save_figures` would.

    Args:
        outcome: what ``reproduce`` or ``rebuild`` gave.
        folder: for the figures; made if it is not there.
        sources: where workers find the claims; without them, or for few claims, all is drawn in this process.
        engine_name, jobs: as for ``nonsmooth.runs.engine``.
        on_drawn: called with (claim, how many are drawn, how many there are).

    Returns:
        The figures by claim, as :func:`write_page` takes them, and by claim why it could not be drawn.

    Raises:
        InputError: the folder cannot be written.
    """
    names = prefixes(outcome.claims)
    drawn: dict[str, _Drawn] = {}
    with contextlib.closing(_each(outcome, names, sources, engine_name, jobs)) as each:
        for id, given in each:
            drawn[id] = given
            if on_drawn is not None:
                on_drawn(id, len(drawn), len(names))
    figures = {id: save(id, given, folder) for id in names if not isinstance(given := drawn[id], str)}
    return figures, {id: why for id in names if isinstance(why := drawn[id], str)}


def _each(
    outcome: Outcome,
    names: Mapping[str, str],
    sources: Mapping[str, ClaimSource] | None,
    engine_name: str,
    jobs: int | None,
) -> Generator[tuple[str, _Drawn]]:
    """Each claim with its figures, as they are finished."""
    rows = outcome.rows_by_claim
    if sources is None or len(names) < _FEW or engine_name == "inline" or jobs == 1:
        for id, prefix in names.items():
            yield id, _drawn(outcome.claims[id], rows[id], prefix)
        return
    with engine(engine_name, min(_MOST, len(names), check_jobs(jobs))) as workers:
        yield from _by_workers(workers, {id: (sources[id], rows[id], names[id]) for id in names})


def _by_workers(
    workers: Engine, tasks: Mapping[str, tuple[ClaimSource, Sequence[_Row], str]]
) -> Generator[tuple[str, _Drawn]]:
    running = {_submitted(workers, task): id for id, task in tasks.items()}
    lost = []
    for future in as_completed(running):
        if isinstance(future.exception(), BrokenExecutor):
            lost.append(running[future])
        else:
            yield running[future], future.result()
    # One worker's death takes the whole pool: each of the others once more, alone.
    for id in lost:
        workers.restart()
        again = _submitted(workers, tasks[id])
        died = isinstance(again.exception(), BrokenExecutor)
        yield id, "drawing failed: its worker process died" if died else again.result()


def _submitted(workers: Engine, task: tuple[ClaimSource, Sequence[_Row], str]) -> Future[_Drawn]:
    try:
        return workers.submit(_draw_there, *task)
    except BrokenExecutor as error:
        broken: Future[_Drawn] = Future()
        broken.set_exception(error)
        return broken
