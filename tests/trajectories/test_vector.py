"""The compiled number type against NumPy, lane by lane, with what IEEE leaves to be decided."""

import numpy as np
import pytest
from numba import njit

from nonsmooth.trajectories import _vector as v

SPECIAL = [0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan, 3e-5]


@njit
def _apply(a, b, out, counts):
    x, y, rows = v.rows_of_vectors(1, a), v.rows_of_vectors(1, a), v.rows_of_vectors(out.shape[0], a)
    x[0], y[0] = a, b
    p, q, r = v.load(v.pointer(x), 0), v.load(v.pointer(y), 0), v.pointer(rows)
    v.store(r, 0, p + q)
    v.store(r, 1, p - q)
    v.store(r, 2, p * q)
    v.store(r, 3, p / q)
    v.store(r, 4, v.magnitude(p))
    v.store(r, 5, v.root(p))
    v.store(r, 6, v.with_sign(p, q))
    v.store(r, 7, v.pick(p, q, p, q))
    v.store(r, 8, v.splat(v.entry(v.pointer(y), 2), p))
    v.store(r, 9, v.fused(p, q, p))
    v.count(v.pointer(counts), 1, p, q)
    out[:] = rows
    return v.total(q), v.peak(q), v.above(q, q), v.above(p, p), v.above(q, v.splat(-9, q)), rows.ctypes.data


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_operation_is_numpys_in_every_lane(dtype) -> None:
    lanes = v.LINE // np.dtype(dtype).itemsize
    a = np.resize(np.array(SPECIAL, dtype), lanes)
    b = np.linspace(-2, 3, lanes).astype(dtype)
    out, counts = np.zeros((10, lanes), dtype), np.zeros((2, lanes), np.int64)
    total, peak, same, nan, over, address = _apply(a, b, out, counts)
    with np.errstate(all="ignore"):
        expected = [
            a + b, a - b, a * b, a / b, np.abs(a), np.sqrt(a), np.copysign(a, b), np.where(a > b, a, b),
            np.full(lanes, b[2]),
        ]  # fmt: skip
        fused = a.astype(np.longdouble) * b + a
    for k, row in enumerate(expected):
        np.testing.assert_array_equal(out[k], row, err_msg=str(k))
        np.testing.assert_array_equal(np.signbit(out[k][~np.isnan(row)]), np.signbit(row[~np.isnan(row)]))
    np.testing.assert_allclose(out[9], fused.astype(dtype), rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(counts, [np.zeros(lanes), a > b])
    halves = b
    while halves.size > 1:
        halves = halves[: halves.size // 2] + halves[halves.size // 2 :]
    assert total == halves[0]
    assert peak == b.max()
    assert (same, nan, over) == (False, True, True)
    assert address % v.LINE == 0
