"""Run specs, the engines that work through them, and the store that keeps their rows.

``run_tasks`` is the whole of it::

    task  = Task(RunSpec(...), ClaimSource(...))      what to run, and where its claim is found
    with engine("processes") as workers, Store(path) as store:
        rows = run_tasks(tasks, store, workers)       cached, resumable, one thread a task
"""

from nonsmooth.runs._engine import ENGINES, Engine, engine
from nonsmooth.runs._environment import environment, versions
from nonsmooth.runs._events import Done, Event, Failed, Failure, Interrupted, Planned, Retried, RunsError
from nonsmooth.runs._fingerprint import fingerprint, key
from nonsmooth.runs._loop import run_tasks
from nonsmooth.runs._parquet import atomic
from nonsmooth.runs._scratch import scratch
from nonsmooth.runs._spec import RunSpec, batches, canonical_json, stream
from nonsmooth.runs._store import Store, remove_store
from nonsmooth.runs._task import ClaimSource, Task, TaskResult, execute, import_file, load_claim

__all__ = [
    "ENGINES",
    "ClaimSource",
    "Done",
    "Engine",
    "Event",
    "Failed",
    "Failure",
    "Interrupted",
    "Planned",
    "Retried",
    "RunSpec",
    "RunsError",
    "Store",
    "Task",
    "TaskResult",
    "atomic",
    "batches",
    "canonical_json",
    "engine",
    "environment",
    "execute",
    "fingerprint",
    "import_file",
    "key",
    "load_claim",
    "remove_store",
    "run_tasks",
    "scratch",
    "stream",
    "versions",
]
