"""Data files as people have them, and every way they go wrong."""

import numpy as np
import pytest

from nonsmooth.datasets import diabetes, read_regression, register, registered
from nonsmooth.errors import InputError

X = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0]])
Y = np.array([1.0, 0.0, 2.0])


def test_npz_and_csv_of_the_same_numbers_have_one_name(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", X=X, y=Y)
    table = "p,q,y\n" + "\n".join(",".join(map(str, [*x, y])) for x, y in zip(X, Y, strict=True))
    (tmp_path / "a.csv").write_text(table)
    (tmp_path / "b.csv").write_text(table.split("\n", 1)[1])
    sets = [read_regression(tmp_path / name) for name in ("a.npz", "a.csv", "b.csv")]
    assert len({s.name for s in sets}) == 1
    assert sets[0].name == f"file:{sets[0].sha256}"
    np.testing.assert_allclose(sets[0].X.mean(axis=0), 0, atol=1e-15)
    np.testing.assert_allclose(sets[0].X.std(axis=0), 1)
    register(sets[0])
    assert registered(sets[0].name) is sets[0]


def test_diabetes_is_standardised() -> None:
    data = diabetes()
    assert data.shape == (442, 10)
    np.testing.assert_allclose(data.y.std(), 1)
    assert registered("diabetes").sha256 == data.sha256


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "1,2\n3,4\n", "'.txt'"),
        ("a.csv", "", "at least 2 rows"),
        ("a.csv", "1,2\n3,4,5\n1,2\n", "data row 2"),
        ("a.csv", "1,2\n3,x\n5,6\n", "data row 2"),
        ("a.csv", "1,2\n3,nan\n5,6\n", "NaN"),
        ("a.csv", "1,2\n1,3\n1,4\n", "constant column"),
        ("a.csv", "1\n2\n", "2 columns"),
        ("a.npz", "not an archive", "not a readable .npz"),
    ],
)
def test_bad_text_is_named(tmp_path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        read_regression(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"A": X, "y": Y}, "needs arrays named X and y; it holds: A, y"),
        ({"X": X, "y": Y[:2]}, "give X \\(N, P\\) and y \\(N,\\)"),
        ({"X": X[:1], "y": Y[:1]}, "at least 2 rows"),
        ({"X": X * np.inf, "y": Y}, "NaN or infinite"),
        ({"X": X * 2e307, "y": Y}, "too large"),
        ({"X": X.astype(str), "y": Y}, None),
        ({"X": X + 1j, "y": Y}, "X"),
        ({"X": X, "y": np.array([object()] * 3)}, None),
    ],
)
def test_bad_arrays_are_named(tmp_path, arrays, message) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    if message is None and arrays["X"].dtype.kind == "U":
        assert read_regression(path).shape == (3, 2)  # numbers written as text are numbers
        return
    with pytest.raises(InputError, match=message):
        read_regression(path)


def test_missing_file_and_unknown_name_are_named(tmp_path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_regression(tmp_path / "none.npz")
    with pytest.raises(InputError, match="'file:0'"):
        registered("file:0")


def test_a_data_set_says_where_it_is_from(tmp_path) -> None:
    (tmp_path / "a b.csv").write_text("1,2\n3,4\n5,7\n")
    read = read_regression(tmp_path / "a b.csv")
    assert (read.source, read.name) == ("a b.csv", f"file:{read.sha256}")
    assert registered("diabetes").source == "diabetes"
