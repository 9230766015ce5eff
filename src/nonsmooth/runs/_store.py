"""The store: one SQLite file that keeps every finished run, whatever happens next.

Only the parent process writes. A row is committed as its run completes (write-ahead log), so a kill
loses what was in flight and nothing else. Runs of older code stay until they are cleared: going back to
that code finds them again.
"""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import time
import zlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from nonsmooth.errors import InputError
from nonsmooth.runs._parquet import write_parquet
from nonsmooth.runs._spec import RunSpec, canonical_json
from nonsmooth.runs._task import TaskResult, unpack

__all__ = ["Store", "remove_store"]

Row = dict[str, Any]

_APPLICATION = 0x6E736D74  # "nsmt", so that another program's database is not taken for ours
_SCHEMA = """
CREATE TABLE IF NOT EXISTS results (
    key TEXT PRIMARY KEY,
    spec_id TEXT NOT NULL,
    claim TEXT NOT NULL,
    experiment TEXT NOT NULL,
    spec TEXT NOT NULL,
    rows BLOB NOT NULL,
    seconds REAL NOT NULL,
    created REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS results_spec ON results (spec_id, created);
CREATE INDEX IF NOT EXISTS results_claim ON results (claim);
"""


def _explain(error: Exception, path: Path) -> InputError:
    """One line: which file, what is wrong with it, what to do."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    where = f"store {str(path)!r}"
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or isinstance(error, zlib.error | ValueError):
        return InputError(
            f"{where} is corrupt or no store ({error}); "
            f"remove it with `nonsmooth clean --out {path.parent}`, or choose another --out"
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return InputError(
            f"{where} is locked by another process; wait for it to end, or choose another --out"
        )
    if code == sqlite3.SQLITE_FULL or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return InputError(
            f"no space left on the disk of {where}; free some and run it again: finished runs are kept"
        )
    return InputError(
        f"{where} cannot be read or written ({error}); make its folder writable, or choose another --out"
    )


class Store:
    """Finished runs by key, in the SQLite file at ``path`` (made, with its folder, if it is not there).

    Args:
        path: the file.
        timeout: seconds to wait for another process that is writing.

    Raises:
        InputError: from any method, for a file that is corrupt, locked, not writable, or a full disk.
    """

    def __init__(self, path: str | Path, timeout: float = 10.0) -> None:
        self.path = Path(path)
        self._timeout = timeout
        make_folder(self.path.parent)
        with self._explained():
            self._db = sqlite3.connect(self.path, timeout=timeout, isolation_level=None)
            try:
                self._open()
            except BaseException:
                self._db.close()
                raise

    def _open(self) -> None:
        """Make the tables where there are none yet; several processes may do so at once.

        What the file is and whether it is empty are read in one transaction, and the mark and the tables are
        written in one, so that no process sees another's half-made store.
        """
        with self._transaction("DEFERRED"):
            empty = self._is_empty()
        if empty:
            with self._transaction("IMMEDIATE"):
                if self._is_empty():
                    self._db.execute(f"PRAGMA application_id = {_APPLICATION}")
                    for statement in _SCHEMA.split(";"):
                        self._db.execute(statement)
        self._write_ahead()
        self._db.execute("PRAGMA synchronous = NORMAL")

    def _is_empty(self) -> bool:
        """Whether there is nothing in the file; ValueError if what is there is not ours."""
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        kind = self._db.execute("PRAGMA application_id").fetchone()[0]
        if tables and kind != _APPLICATION:
            raise ValueError("a database of another program")
        return tables == 0

    def _write_ahead(self) -> None:
        """Switch to the write-ahead log; SQLite does not wait for readers here, so this does."""
        give_up = time.monotonic() + self._timeout
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
                if not busy or time.monotonic() > give_up:
                    raise
                time.sleep(0.005)

    @contextlib.contextmanager
    def _transaction(self, kind: str) -> Iterator[None]:
        self._db.execute(f"BEGIN {kind}")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:  # SQLite itself rolls back on a full disk
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except (sqlite3.Error, zlib.error, OSError, ValueError) as error:
            raise _explain(error, self.path) from error

    def get(self, key: str) -> list[Row] | None:
        """The rows kept under a key, None if there are none."""
        with self._explained():
            found = self._db.execute("SELECT rows FROM results WHERE key = ?", (key,)).fetchone()
            return None if found is None else unpack(found[0])

    def put(self, key: str, spec: RunSpec, result: TaskResult) -> None:
        """Keep a result; committed when this returns."""
        values = (
            key,
            spec.id,
            spec.claim,
            spec.experiment,
            canonical_json(spec.as_dict()),
            result.payload,
            result.seconds,
            time.time(),
        )
        with self._explained():
            self._db.execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def latest(self, spec_id: str) -> list[Row] | None:
        """The rows last kept for a spec, whatever the code that measured it."""
        with self._explained():
            found = self._db.execute(
                "SELECT rows FROM results WHERE spec_id = ? ORDER BY created DESC, rowid DESC LIMIT 1",
                (spec_id,),
            ).fetchone()
            return None if found is None else unpack(found[0])

    def seconds(self, spec_ids: Iterable[str]) -> dict[str, float]:
        """Seconds that each spec took when it was last measured; unknown specs are left out."""
        found = {}
        with self._explained():
            for spec_id in spec_ids:
                row = self._db.execute(
                    "SELECT seconds FROM results WHERE spec_id = ? ORDER BY created DESC, rowid DESC LIMIT 1",
                    (spec_id,),
                ).fetchone()
                if row is not None:
                    found[spec_id] = row[0]
        return found

    def count(self, claim: str | None = None) -> int:
        """How many results are kept, of one claim or of all."""
        with self._explained():
            return self._db.execute(
                "SELECT count(*) FROM results WHERE ?1 IS NULL OR claim = ?1", (claim,)
            ).fetchone()[0]

    def claims(self) -> tuple[str, ...]:
        """The claims with results kept, by name."""
        with self._explained():
            found = self._db.execute("SELECT DISTINCT claim FROM results ORDER BY claim").fetchall()
            return tuple(name for (name,) in found)

    def clear(self, claim: str | None = None) -> int:
        """Forget the results of one claim, or all, give the space back, and say how many there were."""
        with self._explained():
            gone = self._db.execute("DELETE FROM results WHERE ?1 IS NULL OR claim = ?1", (claim,)).rowcount
            self._db.execute("VACUUM")
            return gone

    def export_parquet(self, path: str | Path, keys: Collection[str] | None = None) -> int:
        """Write one wide table, a line a row, atomically; returns how many lines.

        Columns: claim, experiment, spec_id, key, then every field that any row has. Where rows
        disagree on a field's type, that column is JSON text.

        Args:
            path: the Parquet file.
            keys: only the results kept under these; None for all.
        """
        with self._explained():
            return write_parquet(self._lines(keys), Path(path))

    def _lines(self, keys: Collection[str] | None) -> Iterator[tuple[dict[str, str], Row]]:
        wanted = None if keys is None else set(keys)
        found = self._db.execute(
            "SELECT claim, experiment, spec_id, key, rows FROM results "
            "ORDER BY claim, experiment, spec_id, key"
        )
        for claim, experiment, spec_id, key, payload in found:
            if wanted is None or key in wanted:
                labels = {"claim": claim, "experiment": experiment, "spec_id": spec_id, "key": key}
                for row in unpack(payload):
                    yield labels, row

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def make_folder(path: Path) -> None:
    """Make a folder and its parents, or say in one line why that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise _explain(error, path / "store.sqlite") from None
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"output folder {str(path)!r} cannot be made ({why}); give a folder you can write to with --out"
        ) from None


def remove_store(path: str | Path) -> bool:
    """Delete a store's files unopened, corrupt or not; True if there was one."""
    path = Path(path)
    there = path.exists()
    try:
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}-journal"):
            path.with_name(name).unlink(missing_ok=True)
    except OSError as error:
        raise _explain(error, path) from None
    return there
