"""The store: what is kept, and that nothing is lost or deleted when something is wrong with its file."""

import sqlite3
import subprocess
import sys
import textwrap
import time

import pyarrow.parquet as pq
import pytest

from nonsmooth.errors import InputError
from nonsmooth.runs import RunSpec, Store, TaskResult, remove_store
from nonsmooth.runs._task import pack


def _spec(k, claim="toy"):
    return RunSpec(claim, "orbit", {"k": k}, (k,))


def _result(*rows, seconds=0.5):
    return TaskResult(pack(rows), seconds)


def _filled(path, n=50):
    with Store(path) as store:
        for k in range(n):
            store.put(f"key{k}", _spec(k), _result({"k": k, "text": f"{k}" * 500}))
    return path


def _refused(path, *words, do=lambda store: store.get("key1")):
    before = path.read_bytes()
    with pytest.raises(InputError) as caught, Store(path, timeout=0.1) as store:
        do(store)
    said = str(caught.value)
    assert "\n" not in said
    for word in (str(path), *words):
        assert word in said
    assert path.read_bytes() == before


def test_what_is_put_is_there_after_reopening(tmp_path):
    path = tmp_path / "deep" / "er" / "store.sqlite"
    with Store(path) as store:
        assert store.get("a") is None
        store.put("a", _spec(1), _result({"x": float("inf"), "y": float("-0.0")}))
        store.put("b", _spec(1), _result({"x": 2}, seconds=3.0))
        store.put("c", _spec(2, "other"), _result())
    with Store(path) as store:
        assert store.get("a") == [{"x": float("inf"), "y": 0.0}]
        assert store.get("c") == []
        assert store.latest(_spec(1).id) == [{"x": 2}]
        assert store.latest("nothing") is None
        assert store.seconds([_spec(1).id, "nothing"]) == {_spec(1).id: 3.0}
        assert (store.count(), store.count("toy")) == (3, 2)
        assert store.clear("toy") == 2
        assert (store.count(), store.clear(), store.count()) == (1, 1, 0)


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "store.sqlite"
    path.write_bytes(b"these are no results, " * 500)
    _refused(path, "corrupt", f"nonsmooth clean --out {tmp_path}")


def test_another_programs_database(tmp_path):
    path = tmp_path / "store.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE photos (id)")
    db.close()
    _refused(path, "another program")


def test_a_truncated_file(tmp_path):
    path = _filled(tmp_path / "store.sqlite")
    path.write_bytes(path.read_bytes()[:-6000])
    _refused(path, "corrupt", do=lambda store: [store.get(f"key{k}") for k in range(50)])


def test_pages_overwritten(tmp_path):
    path = _filled(tmp_path / "store.sqlite")
    data = bytearray(path.read_bytes())
    data[4096 * 2 : -4096] = b"\xff" * (len(data) - 3 * 4096)
    path.write_bytes(data)
    _refused(path, "corrupt", do=lambda store: [store.get(f"key{k}") for k in range(50)])


def test_a_damaged_result(tmp_path):
    path = _filled(tmp_path / "store.sqlite", 2)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE results SET rows = substr(rows, 1, 20) WHERE key = 'key1'")
    db.close()
    _refused(path, "corrupt")


def test_locked_by_another_process(tmp_path):
    path = _filled(tmp_path / "store.sqlite", 3)
    code = f"""
        import sqlite3, sys
        db = sqlite3.connect({str(path)!r}, isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        print("locked", flush=True)
        sys.stdin.read()
    """
    other = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "locked\n"
        with Store(path, timeout=0.2) as store:
            assert store.get("key1")  # reading goes on
            with pytest.raises(InputError, match=r"locked by another process.*another --out"):
                store.put("new", _spec(9), _result())
        other.stdin.close()
    with Store(path) as store:
        store.put("new", _spec(9), _result())
        assert store.count() == 4


def test_two_processes_may_write_at_once(tmp_path):
    path = tmp_path / "store.sqlite"
    code = """
        import sys
        from nonsmooth.runs import RunSpec, Store, TaskResult
        from nonsmooth.runs._task import pack
        with Store(sys.argv[1]) as store:
            for k in range(100):
                result = TaskResult(pack([{"k": k}]), 0.1)
                store.put(sys.argv[2] + str(k), RunSpec("toy", "x", {"k": k}), result)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(path)]
    writers = [subprocess.Popen([*command, name]) for name in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    with Store(path) as store:
        assert store.count() == 200


def test_several_processes_may_make_one_store_at_once(tmp_path):
    code = """
        import sys, time
        from nonsmooth.runs._store import Store
        while time.time() < float(sys.argv[2]):
            pass
        for k in range(40):
            Store(f"{sys.argv[1]}{k}").close()
    """
    together = str(time.time() + 2)
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "store"), together]
    makers = [subprocess.Popen(command) for _ in range(4)]
    assert [maker.wait() for maker in makers] == [0] * 4


def test_a_full_disk_keeps_what_is_there(tmp_path):
    path = _filled(tmp_path / "store.sqlite", 5)
    with Store(path) as store:
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(InputError, match=r"no space left.*run it again"):
            store.put("big", _spec(7), TaskResult(bytes(range(256)) * 400, 1.0))
        assert store.count() == 5
    with Store(path) as store:
        store.put("big", _spec(7), _result({"k": 7}))
        assert store.count() == 6


@pytest.mark.parametrize("place", ["file.txt/out", "file.txt", "a\0b", "x" * 300])
def test_folders_that_cannot_be(tmp_path, place):
    (tmp_path / "file.txt").write_text("a regular file")
    with pytest.raises(InputError, match=r"output folder .* cannot be made .*--out") as caught:
        Store(tmp_path / place / "store.sqlite")
    assert "\n" not in str(caught.value)


def test_a_folder_in_the_files_place(tmp_path):
    (tmp_path / "store.sqlite").mkdir()
    with pytest.raises(InputError, match="cannot be read or written"):
        Store(tmp_path / "store.sqlite")


def test_remove_store_takes_a_corrupt_one(tmp_path):
    path = tmp_path / "store.sqlite"
    assert not remove_store(path)
    path.write_bytes(b"no database")
    (tmp_path / "store.sqlite-wal").write_bytes(b"")
    (tmp_path / "kept.txt").write_bytes(b"")
    assert remove_store(path)
    assert [each.name for each in tmp_path.iterdir()] == ["kept.txt"]


def test_parquet_copes_with_rows_of_any_shape(tmp_path):
    rows = [
        {"a": 1, "mixed": 1, "claim": "mine", "list": [1.0, 2.0], "empty": [], "big": 2**70},
        {"a": 2.5, "mixed": "one", "nested": {"b": [1]}, "none": None, "flag": True, "big": 1},
        {"a": float("nan"), "mixed": [1], "nested": {}, "late": 3},
    ]
    with Store(tmp_path / "store.sqlite") as store:
        store.put("k1", _spec(1), _result(*rows))
        store.put("k2", _spec(2), _result({"a": 7}))
        assert store.export_parquet(tmp_path / "all.parquet") == 4
        assert store.export_parquet(tmp_path / "one.parquet", {"k2"}) == 1
        assert store.export_parquet(tmp_path / "none.parquet", set()) == 0
    lines = sorted(pq.read_table(tmp_path / "all.parquet").to_pylist(), key=lambda line: line["key"])
    assert [line["key"] for line in lines] == ["k1", "k1", "k1", "k2"]
    assert {line["claim"] for line in lines} == {"toy"}
    assert lines[0]["claim_"] == "mine"
    assert [line["a"] for line in lines[:2]] == [1.0, 2.5]
    assert [line["mixed"] for line in lines] == ["1", '"one"', "[1]", None]
    assert lines[1]["nested"] == '{"b": [1]}'
    assert lines[0]["list"] == [1.0, 2.0]
    assert lines[0]["big"] == str(2**70)
    assert lines[2]["late"] == 3
    assert pq.read_table(tmp_path / "one.parquet").to_pylist() == [
        {"claim": "toy", "experiment": "orbit", "spec_id": _spec(2).id, "key": "k2", "a": 7}
    ]


def test_parquet_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "runs.parquet"
    target.write_bytes(b"the old one")

    def breaks(table, file, **options):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", breaks)
    with Store(tmp_path / "store.sqlite") as store:
        store.put("k", _spec(1), _result({"a": 1}))
        with pytest.raises(InputError, match="no space left"):
            store.export_parquet(target)
    assert target.read_bytes() == b"the old one"
    assert not list(tmp_path.glob("*.part"))
