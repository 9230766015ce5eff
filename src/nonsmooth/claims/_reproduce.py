"""Run claims, judge them, write the ledger: the whole of ``nonsmooth reproduce`` but its page.

The plan (``_plan.py``) has one or more cases a claim, each a list of specs; equal specs of several cases
run once. Then each case is judged on its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nonsmooth.claims._claim import Claim, Row
from nonsmooth.claims._entry import entry_of
from nonsmooth.claims._ledger import Ledger
from nonsmooth.claims._plan import Case, Given, Value, find_sources, make_plan
from nonsmooth.claims._sweep import Sweep
from nonsmooth.errors import InputError
from nonsmooth.findings import Verdict
from nonsmooth.runs import (
    Done,
    Event,
    Interrupted,
    Planned,
    RunsError,
    Store,
    Task,
    environment,
    fingerprint,
    key,
    run_tasks,
)
from nonsmooth.runs import engine as open_engine

__all__ = ["ClaimsError", "ClaimsInputError", "Judged", "Outcome", "reproduce"]


@dataclass(frozen=True)
class Judged:
    """Event: a claim was judged."""

    claim: str
    verdict: Verdict


@dataclass(frozen=True)
class Outcome:
    """What was reproduced: the ledger, each claim's rows (at its own settings), and the claims."""

    ledger: Ledger
    rows_by_claim: dict[str, list[Row]]
    claims: dict[str, Claim]


class ClaimsError(RuntimeError):
    """Some claims could not be run or judged: ``why`` by id. All others are in ``outcome`` and written."""

    def __init__(self, why: Mapping[str, str], outcome: Outcome) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in why.items()))
        self.why = dict(why)
        self.outcome = outcome


class ClaimsInputError(ClaimsError, InputError):
    """The same, where every one of them refused its input."""


def _words(error: BaseException) -> str:
    text = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())


def _verdicts(cases: Sequence[Case], by_spec: Mapping[str, list[Row]]) -> list[Verdict]:
    return [case.claim.verdict(case.rows(by_spec)) for case in cases]


def reproduce(
    ids: Sequence[str] | None = None,
    *,
    tier: str = "quick",
    engine: str = "processes",
    jobs: int | None = None,
    out: str | Path,
    settings: Mapping[str, Value] | None = None,
    over: Sweep | str | None = None,
    data: str | Path | None = None,
    images: str | Path | None = None,
    device: str | None = None,
    claim_files: Sequence[str | Path] = (),
    on_event: Callable[[Event | Judged], None] | None = None,
) -> Outcome:
    """Run and judge claims; write ``store.sqlite`` as it goes, then ``ledger.json`` and ``runs.parquet``.

    Args:
        ids: the claims; None for every built one and those of ``claim_files``.
        tier: "quick", "laptop" or "paper".
        engine: where the runs go, one of ``nonsmooth.runs.ENGINES``.
        jobs: workers; None for every available CPU. No result depends on it.
        out: folder for everything written; made if it is not there. A second call there resumes.
        settings: values for what the paper leaves unstated, by name, for the claims that have them.
        over: a sweep (see ``Sweep.parse``): each claim with that setting is judged at its own value and
            once at each of the sweep's.
        data: an .npz or .csv file of the caller's, for the claims that take one.
        images: a folder or archive of CIFAR-10 or other images, for the claims that train networks; without
            one they run on scikit-learn's digits.
        device: a torch device for the same claims; None for "cpu". On another, ``jobs`` is 1 unless given.
        claim_files: Python files that define one claim each.
        on_event: called with each event of the runs, and with :class:`Judged`.

    Raises:
        InputError: anything asked for that cannot be; nothing finished is lost.
        Interrupted: Ctrl-C; what finished is kept.
        ClaimsError: a claim's own code failed; the others are judged, written, and in ``.outcome``.
            ``ClaimsInputError``, which is an InputError as well, if each of them refused its input.
    """
    progress = _Progress(on_event)
    try:
        return _reproduce(
            ids,
            tier,
            engine,
            jobs if jobs is not None or device in (None, "cpu") else 1,
            Path(out),
            settings or {},
            over,
            Given(data, images, device),
            claim_files,
            progress,
        )
    except Interrupted:
        raise
    except KeyboardInterrupt:  # outside of the runs: while claims are imported, or judged
        raise Interrupted(progress.done, progress.total) from None


class _Progress:
    """Passes events on, and remembers how many runs are done."""

    def __init__(self, on_event: Callable[[Event | Judged], None] | None) -> None:
        self._on_event = on_event
        self.done = 0
        self.total = 0

    def __call__(self, event: Event | Judged) -> None:
        if isinstance(event, Planned):
            self.done, self.total = event.cached, event.total
        elif isinstance(event, Done):
            self.done = event.done
        if self._on_event is not None:
            self._on_event(event)


def _reproduce(
    ids: Sequence[str] | None,
    tier: str,
    engine: str,
    jobs: int | None,
    folder: Path,
    settings: Mapping[str, Value],
    over: Sweep | str | None,
    given: Given,
    claim_files: Sequence[str | Path],
    tell: _Progress,
) -> Outcome:
    sweep = Sweep.parse(over) if isinstance(over, str) else over
    workers = open_engine(engine, jobs)
    plan = make_plan(find_sources(ids, claim_files), tier, settings, sweep, given)
    every = [case for cases in plan.cases.values() for case in cases]
    tasks = [Task(spec, case.source, plan.source_for(case.claim)) for case in every for spec in case.specs]
    codes = {source: fingerprint(source) for source in {case.source for case in every}}
    keys = {key(spec, codes[case.source]) for case in every for spec in case.specs}
    tell.total = len({task.spec.id for task in tasks})
    why = dict(plan.why)
    refused = not why
    with Store(folder / "store.sqlite") as store:
        with workers:
            try:
                by_spec = run_tasks(tasks, store, workers, tell)
            except RunsError as failed:
                by_spec = dict(failed.rows)
                refused = refused and all(failure.refused for failure in failed.failures)
                for failure in failed.failures:
                    why.setdefault(failure.spec.claim, str(failure))
        entries, rows, judged = [], {}, {}
        for name, cases in plan.cases.items():
            if name in why:
                continue
            took = store.seconds({spec.id for case in cases for spec in case.specs})
            try:
                verdicts = _verdicts(cases, by_spec)
                entries.append(entry_of(plan, cases, verdicts, sum(took.values())))
            except Exception as error:  # one claim's judge must not lose the others
                why[name] = f"judging failed: {_words(error)}"
                refused = refused and isinstance(error, InputError)
                continue
            rows[name], judged[name] = cases[0].rows(by_spec), cases[0].claim
            tell(Judged(name, verdicts[0]))
        ledger = Ledger.of(entries, environment(engine=engine, workers=workers.workers))
        ledger.write(folder / "ledger.json")
        store.export_parquet(folder / "runs.parquet", keys)
    outcome = Outcome(ledger, rows, judged)
    if why:
        raise (ClaimsInputError if refused else ClaimsError)(why, outcome)
    return outcome
