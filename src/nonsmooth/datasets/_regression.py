"""Data for the LASSO: random as in the paper, scikit-learn's diabetes data, or a user's own file.

Data are named by strings that a run spec can carry: ``random``, ``diabetes`` or ``file:<sha256>``. A file is
read once (``read_regression``) and made known to the process that needs it (``register``).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nonsmooth.errors import InputError

__all__ = ["Dataset", "diabetes", "read_regression"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A regression problem: X (N, P) and y (N,), float64, each column and y with mean 0 and variance 1.

    ``name`` is how a run spec refers to it; ``sha256`` is of the numbers, so the same data have one name.
    ``source`` says to a reader where they are from: a file's name without its folder. Nothing depends on it.
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    sha256: str
    source: str = ""

    @property
    def shape(self) -> tuple[int, int]:
        return (self.X.shape[0], self.X.shape[1])


def _standardised(name: str | None, X: np.ndarray, y: np.ndarray, origin: str) -> Dataset:
    X, y = np.asarray(X), np.asarray(y)
    if X.ndim != 2 or y.ndim != 1 or X.shape[0] != y.shape[0]:
        raise InputError(f"{origin}: X has shape {X.shape} and y {y.shape}; give X (N, P) and y (N,)")
    if X.shape[0] < 2 or X.shape[1] < 1:
        raise InputError(f"{origin}: X has shape {X.shape}; give at least 2 rows and 1 column")
    try:
        if np.iscomplexobj(X) or np.iscomplexobj(y):
            raise TypeError("complex")
        X, y = X.astype(np.float64), y.astype(np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{origin}: X or y is not numeric; give numbers only") from None
    for label, array in (("X", X), ("y", y)):
        if not np.isfinite(array).all():
            raise InputError(f"{origin}: {label} holds NaN or infinite entries; remove or impute those rows")
        with np.errstate(over="ignore"):
            spread = array.std(axis=0)
        if not np.isfinite(spread).all():
            raise InputError(f"{origin}: {label} holds numbers too large to standardise; rescale it")
        if not np.all(spread > 0):
            raise InputError(f"{origin}: {label} has a constant column; remove it")
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = (y - y.mean()) / y.std()
    digest = hashlib.sha256(repr(X.shape).encode() + X.tobytes() + y.tobytes()).hexdigest()
    return Dataset(name or f"file:{digest}", X, y, digest, name or Path(origin).name)


def diabetes() -> Dataset:
    """scikit-learn's diabetes data (442 patients, 10 measurements; Efron et al. 2004), standardised.

    >>> diabetes().shape
    (442, 10)
    """
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(scaled=False)
    return _standardised("diabetes", bunch.data, bunch.target, "diabetes")  # pyright: ignore


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        # Opened here, because numpy leaves a file open that it finds to be no archive.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            if not hasattr(archive, "files") or not {"X", "y"} <= set(archive.files):
                names = ", ".join(getattr(archive, "files", ())) or "none"
                raise InputError(f"{path}: needs arrays named X and y; it holds: {names}")
            return archive["X"], archive["y"]
    except InputError:
        raise
    except Exception:  # a damaged archive fails in zipfile, zlib or numpy, in a dozen ways
        raise InputError(
            f"{path}: not a readable .npz file; write one with numpy.savez(path, X=X, y=y)"
        ) from None


def _read_csv(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import csv

    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = [row for row in csv.reader(stream) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a readable CSV file ({error}); give comma-separated numbers") from None
    if rows and not _numeric(rows[0]):
        rows = rows[1:]
    if len(rows) < 2 or len(rows[0]) < 2:
        raise InputError(f"{path}: needs at least 2 rows and 2 columns of numbers, the last column being y")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]) or not _numeric(row):
            raise InputError(
                f"{path}: data row {number} has {len(row)} cells or a cell that is no number; "
                f"every row needs {len(rows[0])} numbers"
            )
    table = np.array(rows, dtype=np.float64)
    return table[:, :-1], table[:, -1]


def _numeric(cells: list[str]) -> bool:
    try:
        [float(cell) for cell in cells]
    except ValueError:
        return False
    return True


def read_regression(path: str | Path) -> Dataset:
    """Read X and y from an ``.npz`` (arrays X and y) or a CSV file (last column y, header optional).

    Columns and y are standardised, so that step sizes and strengths mean the same on every data set.

    Raises:
        InputError: no such file, another format, wrong shapes, text, NaN, constant columns.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; give a .npz with arrays X and y, or a CSV whose last column is y"
        )
    if path.suffix.lower() not in {".npz", ".csv"}:
        raise InputError(f"{path}: the ending {path.suffix!r} is not known; give a .npz or .csv file")
    X, y = _read_npz(path) if path.suffix.lower() == ".npz" else _read_csv(path)
    return _standardised(None, X, y, str(path))
