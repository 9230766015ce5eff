"""The one loop that works through tasks: cached, resumable, the same for every engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

from nonsmooth.runs._engine import Engine
from nonsmooth.runs._events import Done, Event, Failed, Failure, Interrupted, Planned, Retried, RunsError
from nonsmooth.runs._fingerprint import fingerprint, key
from nonsmooth.runs._scratch import discard, scratch_folder
from nonsmooth.runs._store import Store
from nonsmooth.runs._task import Task, TaskResult, attempt

__all__ = ["run_tasks"]

Row = dict[str, Any]


class _Loop:
    def __init__(self, store: Store, engine: Engine, on_event: Callable[[Event], None]) -> None:
        self.store = store
        self.engine = engine
        self.tell = on_event
        self.keys: dict[str, str] = {}
        self.rows: dict[str, list[Row]] = {}
        self.total = 0
        self.waiting: deque[Task] = deque()
        self.suspects: deque[Task] = deque()
        self.running: dict[Future[TaskResult | Failure], Task] = {}
        self.failures: list[Failure] = []

    def plan(self, tasks: Iterable[Task]) -> None:
        unique = {task.spec.id: task for task in tasks}
        codes = {source: fingerprint(source) for source in {task.source for task in unique.values()}}
        self.total = len(unique)
        missing = []
        for spec_id, task in unique.items():
            self.keys[spec_id] = key(task.spec, codes[task.source])
            rows = self.store.get(self.keys[spec_id])
            if rows is None:
                missing.append(task)
            else:
                self.rows[spec_id] = rows
        costs = self.store.seconds(task.spec.id for task in missing)
        # Longest first fills the workers evenly to the end; what was never timed may be long.
        missing.sort(key=lambda task: -costs.get(task.spec.id, float("inf")))
        self.waiting.extend(missing)
        known = len(costs) == len(missing)
        expected = sum(costs.values()) / self.engine.workers if known else None
        self.tell(Planned(self.total, len(self.rows), expected))

    def scratch(self, task: Task) -> Path:
        return scratch_folder(self.store.path.parent.resolve(), self.keys[task.spec.id])

    def keep(self, task: Task, result: TaskResult) -> None:
        self.store.put(self.keys[task.spec.id], task.spec, result)
        discard(self.scratch(task))
        self.rows[task.spec.id] = result.rows
        self.tell(Done(task.spec, result.seconds, len(self.rows), self.total))

    def fail(self, failure: Failure) -> None:
        self.failures.append(failure)
        claim = failure.spec.claim
        # The claim can no longer be judged; the others can.
        self.waiting = deque(task for task in self.waiting if task.spec.claim != claim)
        self.suspects = deque(task for task in self.suspects if task.spec.claim != claim)
        self.tell(Failed(failure))

    def submit(self, task: Task) -> None:
        try:
            given = replace(task, scratch=self.scratch(task))
            self.running[self.engine.submit(attempt, given)] = task
        except BrokenExecutor as error:
            broken: Future[TaskResult | Failure] = Future()
            broken.set_exception(error)
            self.running[broken] = task

    def fill(self) -> None:
        # A task whose worker died runs alone, so that one which kills its worker is known by name.
        if self.suspects:
            if not self.running:
                self.submit(self.suspects.popleft())
            return
        while self.waiting and len(self.running) < 2 * self.engine.workers:
            self.submit(self.waiting.popleft())

    def settle(self, alone: bool) -> None:
        finished, _ = wait(self.running, return_when=FIRST_COMPLETED)
        died = []
        for future in finished:
            task = self.running.pop(future)
            error = future.exception()
            if isinstance(error, BrokenExecutor):
                died.append(task)
            elif error is not None:
                self.fail(Failure(task.spec, " ".join(f"{type(error).__name__}: {error}".split())))
            else:
                outcome = future.result()
                self.fail(outcome) if isinstance(outcome, Failure) else self.keep(task, outcome)
        if died:
            self.recover(died, alone)

    def recover(self, died: list[Task], alone: bool) -> None:
        """Every future of a broken pool is lost: gather them, start again, retry each alone, once."""
        for future, task in list(self.running.items()):
            if future.done() and future.exception() is None:
                continue
            del self.running[future]
            died.append(task)
        self.engine.restart()
        if alone:
            why = "its worker process died twice (killed, out of memory, or a crash in compiled code)"
            for task in died:
                self.fail(Failure(task.spec, why))
            return
        for task in died:
            self.tell(Retried(task.spec))
        self.suspects.extend(died)

    def run(self) -> None:
        while self.waiting or self.suspects or self.running:
            alone = bool(self.suspects) and not self.running
            self.fill()
            if self.running:
                self.settle(alone)

    def interrupt(self) -> None:
        """Keep what has finished but was not looked at yet, and stop everything else."""
        for future, task in self.running.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                outcome = future.result()
                if isinstance(outcome, TaskResult) and task.spec.id not in self.rows:
                    self.keep(task, outcome)
        self.engine.cancel()


def run_tasks(
    tasks: Iterable[Task],
    store: Store,
    engine: Engine,
    on_event: Callable[[Event], None] | None = None,
) -> dict[str, list[Row]]:
    """Measure every task that the store does not hold yet, and return all rows by spec id.

    At most twice as many tasks as workers are handed out at a time, and each result is stored as it
    arrives, so whatever ends this early loses that many at most. If a worker dies, what was in flight
    is tried once more, one by one.

    Args:
        tasks: what to run; equal specs are run once.
        store: where finished runs are kept.
        engine: where they run, entered already.
        on_event: called in this thread with each :data:`Event`.

    Raises:
        Interrupted: Ctrl-C; all that finished is kept.
        RunsError: some specs could not be measured; all that finished is kept, other claims' runs too.
        InputError: the store cannot be read or written, or no worker starts.
    """
    loop = _Loop(store, engine, on_event or (lambda event: None))
    try:
        loop.plan(tasks)
        loop.run()
    except KeyboardInterrupt:
        loop.interrupt()
        raise Interrupted(len(loop.rows), loop.total) from None
    # In the order asked for, whatever finished first.
    rows = {spec_id: loop.rows[spec_id] for spec_id in loop.keys if spec_id in loop.rows}
    if loop.failures:
        raise RunsError(loop.failures, rows)
    return rows
