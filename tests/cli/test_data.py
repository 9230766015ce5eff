"""`nonsmooth data check` and `nonsmooth data fetch`."""

import hashlib

import pytest
from calling import assert_refused, call, strict_json

from datasets.image_files import CLASSES, pack, small, write_images, write_parquet, write_python
from nonsmooth.datasets import _fetch, check_images, fetch_cifar10

DATA = small()


def test_check_says_what_is_there(tmp_path):
    folder = write_python(tmp_path / "cifar-10-batches-py", DATA)
    for path in (folder, tmp_path, pack(folder, tmp_path / "a.tar.gz")):
        result = call("data", "check", path)
        assert result.exit_code == 0
        assert result.stderr == ""
        for words in (
            "CIFAR-10 python archive",
            check_images(path).name,
            "50 to train on, 10 to test on, 3 x 32 x 32",
            "no: CIFAR-10 has 5000 training",
            "a part of CIFAR-10",
        ):
            assert words in result.stdout
        counts = [line.split() for line in result.stdout.splitlines()[-10:]]
        assert counts == [[name, "5", "1"] for name in CLASSES]


def test_check_as_json(tmp_path):
    folder = write_parquet(tmp_path / "a", DATA, kind="JPEG")
    found = strict_json(call("data", "check", folder, "--json").stdout)
    expected = check_images(folder).as_dict()
    assert found == {
        key: list(value) if isinstance(value, tuple) else value for key, value in expected.items()
    }
    assert "a JPEG re-encoding" in found["note"]
    assert found["official"] == "no"


def test_check_of_the_embedded_digits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = strict_json(call("data", "check", "digits", "--json").stdout)
    assert (found["name"], found["path"], found["shape"]) == ("digits", "", [1, 8, 8])
    assert sum(found["train"]) + sum(found["test"]) == 1797
    text = call("data", "check", "digits").stdout
    assert "no: other data" in text
    assert not any(line.startswith(("path", "SHA-256 of files")) for line in text.splitlines())


def test_names_from_a_disk_cannot_write_to_the_terminal(tmp_path):
    names = ("\x1b[31mred", *(f"[bold]{k}" for k in range(9)))
    result = call("data", "check", write_images(tmp_path / "a", DATA, classes=tuple(sorted(names))))
    assert "\x1b" not in result.stdout
    assert "\\x1b[31mred" in result.stdout
    assert "[bold]0" in result.stdout


def test_a_damaged_file_is_one_line_that_names_it(tmp_path):
    folder = write_python(tmp_path / "cifar-10-batches-py", DATA)
    path = folder / "data_batch_3"
    path.write_bytes(path.read_bytes()[:-100])
    result = call("data", "check", folder)
    assert_refused(result)
    assert f"Error: {path}: " in result.stderr


@pytest.mark.parametrize(
    "args",
    [
        ["check"],
        ["check", "no-such-folder"],
        ["check", ""],
        ["check", "x" * 300],
        ["check", ".", "."],
        ["check", "."],
        ["fetch", "here"],
        ["chek", "digits"],
    ],
)
def test_what_cannot_be_is_refused(tmp_path, monkeypatch, args):
    monkeypatch.chdir(tmp_path)
    result = call("data", *args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("Error: ") == 1
    assert list(tmp_path.iterdir()) == []


def test_bare_it_shows_its_help():
    result = call("data")
    assert result.exit_code == 0
    assert "check" in result.stdout
    assert "fetch" in result.stdout


def test_fetch_puts_it_where_it_is_told(tmp_path, monkeypatch):
    archive = pack(write_python(tmp_path / "cifar-10-batches-py", DATA), tmp_path / "cifar-10-python.tar.gz")
    monkeypatch.setattr(_fetch, "_SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    result = call("data", "fetch", "--to", tmp_path)
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{archive}\n", "")
    assert fetch_cifar10(tmp_path) == archive
    assert strict_json(call("data", "fetch", "--to", tmp_path, "--json").stdout) == {"path": str(archive)}
    assert strict_json(call("data", "check", tmp_path, "--json").stdout)["train"] == [5] * 10


def test_fetch_without_a_network_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(_fetch, "_URL", "http://127.0.0.1:9/cifar-10-python.tar.gz")
    result = call("data", "fetch", "--to", tmp_path, "--quiet")
    assert_refused(result)
    assert "check the network" in result.stderr
