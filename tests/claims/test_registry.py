"""Finding claims, without importing them where only their names are asked for."""

import subprocess
import sys
from importlib import metadata

import pytest

from nonsmooth.claims import Claim, Entry, built, inventory, load, source_of
from nonsmooth.claims import _registry as registry
from nonsmooth.errors import InputError

_EMPTY = """
from nonsmooth.claims import Claim, Judgement
class Mine(Claim):
    id = "mine"; where = "here"; statement = "so"; parts = ()
    def runs(self, tier, settings): return []
    def measure(self, spec): return []
    def judge(self, rows): return Judgement([], [])
    def draw(self, rows): return []
"""


def test_the_inventory_is_the_papers():
    entries = inventory()
    assert len(entries) == len({entry.id for entry in entries}) == 24
    assert entries[0].id == "objective-family"
    assert entries[-1].id == "testbed"
    assert [entry.section[0] for entry in entries] == sorted(entry.section[0] for entry in entries)
    for entry in entries:
        assert isinstance(entry, Entry)
        assert all((entry.where, entry.summary.endswith("."), len(entry.summary) <= 120))


def test_listing_imports_nothing_heavy():
    code = (
        "import sys; from nonsmooth.claims import built, inventory; inventory(); built();"
        "print(*sorted({'numpy', 'numba', 'torch', 'matplotlib', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_file_is_the_claim_it_is_named_after():
    for id in built():
        claim = load(id)
        assert isinstance(claim, Claim)
        assert claim.id == id
        assert source_of(id).value.endswith(f":{type(claim).__name__}")


def test_files_and_folders_are_found_by_name(tmp_path, monkeypatch):
    """None is imported: each of these would raise."""
    for name in ("a_file.py", "a_folder/__init__.py", "a_folder/_part.py", "_private/__init__.py", "_own.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise ImportError")
    (tmp_path / "no_package").mkdir()
    monkeypatch.setattr(registry, "_FOLDER", tmp_path)
    assert registry._in_package() == {
        "a-file": "nonsmooth.claims.a_file",
        "a-folder": "nonsmooth.claims.a_folder",
    }


def test_built_ids_are_in_the_inventorys_order():
    order = [entry.id for entry in inventory()]
    known = [id for id in built() if id in order]
    assert known == sorted(known, key=order.index)


@pytest.mark.parametrize(
    ("id", "word"),
    [
        ("penalty-paradoxx", "did you mean penalty-paradox"),
        ("PENALTY-PARADOX", "did you mean penalty-paradox"),
        ("", "not known"),
        ("../../etc", "not known"),
        ("_claim", "not known"),
        ("relu-not-l-smooth", "did you mean relu-not-L-smooth"),
    ],
)
def test_unknown_ids(id, word):
    with pytest.raises(InputError, match="`nonsmooth list` shows all") as caught:
        load(id)
    assert word in str(caught.value)


def test_not_built_yet(monkeypatch):
    monkeypatch.setattr(registry, "_in_package", dict)
    with pytest.raises(InputError, match="'huber' is not built yet"):
        load("huber")


def test_a_users_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(_EMPTY)
    claim = load("mine", [path])
    assert claim.id == "mine"
    assert source_of("mine", [str(path), path]).value == f"{path}:Mine"
    with pytest.raises(InputError, match="did you mean mine"):
        load("mime", [path])


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "found none"),
        (_EMPTY + _EMPTY.replace("Mine", "Yours"), "found Mine and Yours"),
        (_EMPTY.replace("def draw", "def drew"), "Mine lacks draw"),
        (_EMPTY.replace('where = "here";', ""), "lacks where"),
        (_EMPTY.replace('"mine"', '"penalty-paradox"'), "'penalty-paradox' is taken"),
        ("from nonsmooth.claims import Claim", "found none"),
    ],
)
def test_files_that_define_no_claim_of_their_own(tmp_path, text, word):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(InputError, match=r"mine\.py") as caught:
        load("mine", [path])
    assert word in str(caught.value)


def test_two_files_with_one_id(tmp_path):
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(_EMPTY)
    with pytest.raises(InputError, match="is taken"):
        load("mine", [tmp_path / "a.py", tmp_path / "b.py"])


def test_other_packages_offer_claims(tmp_path, monkeypatch):
    (tmp_path / "theirs.py").write_text(_EMPTY.replace('"mine"', '"their-claim"'))
    monkeypatch.syspath_prepend(tmp_path)
    point = metadata.EntryPoint("their-claim", "theirs:Mine", "nonsmooth.claims")
    monkeypatch.setattr(registry.metadata, "entry_points", lambda group: [point])
    assert built()[-1] == "their-claim"
    assert load("their-claim").statement == "so"
