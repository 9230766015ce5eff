"""The key of a result: every file that can change it, and no other."""

import pytest

from nonsmooth.errors import InputError
from nonsmooth.runs import ClaimSource, RunSpec, fingerprint, key
from nonsmooth.runs import _fingerprint as module_under_test
from nonsmooth.runs._fingerprint import modules


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package in the place of nonsmooth; a function writes its files."""
    root = tmp_path / "nonsmooth"

    def write(name, text):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    for name in ("_task", "_threads"):
        write(f"runs/{name}.py", "")
    monkeypatch.setattr(module_under_test, "_PACKAGE", root)
    return write


def _reached(text, package, name="claims/mine.py"):
    package(name, text)
    found = modules(ClaimSource("id", "nonsmooth.claims.mine:Mine"))
    return set(found) - {"nonsmooth.runs._task", "nonsmooth.runs._threads", "nonsmooth.claims.mine"}


@pytest.fixture
def files(package):
    package(
        "__init__.py",
        "if TYPE_CHECKING:\n    from nonsmooth.b import Late\n",
    )
    package("a/__init__.py", "from nonsmooth.a._one import One\nfrom nonsmooth.a._two import Two as Deux\n")
    package("a/_one.py", "class One: pass\n")
    package("a/_two.py", "def f():\n    from ..b import Late\n")
    package("b/__init__.py", "HERE = 1\nfrom ._late import Late\n")
    package("b/_late.py", "from nonsmooth.c import x\n")
    package("c.py", "import numpy\nx = 1\n")
    return package


LATE = {"nonsmooth.b._late", "nonsmooth.c"}
ALL = {"nonsmooth", "nonsmooth.a", "nonsmooth.a._one", "nonsmooth.a._two", "nonsmooth.b", *LATE}


@pytest.mark.parametrize(
    ("text", "reached"),
    [
        ("", set()),
        ("import numpy, os\nfrom scipy import linalg", set()),
        ("from nonsmooth.a import One", {"nonsmooth.a._one"}),
        ("from nonsmooth.a import Deux", {"nonsmooth.a._two", *LATE}),
        ("def g():\n    from nonsmooth.a._one import One", {"nonsmooth.a._one"}),
        ("from nonsmooth import Late", LATE),
        ("from nonsmooth.b import HERE", {"nonsmooth.b", *LATE}),
        ("from nonsmooth.a import *", {"nonsmooth.a", "nonsmooth.a._one", "nonsmooth.a._two", *LATE}),
        ("from nonsmooth import a", {"nonsmooth.a", "nonsmooth.a._one", "nonsmooth.a._two", *LATE}),
        ("import nonsmooth.c as c", {"nonsmooth.c"}),
        ("from ..c import x", {"nonsmooth.c"}),
        ("from .. import c", {"nonsmooth.c"}),
        ("import nonsmooth as ns", ALL),
        ("from nonsmooth.no_such import thing", set()),
    ],
)
def test_what_an_import_reaches(files, text, reached):
    assert _reached(text, files) == reached


def test_circles_end(package):
    package("claims/other.py", "from nonsmooth.claims.mine import Mine")
    assert _reached("from nonsmooth.claims.other import Other", package) == {"nonsmooth.claims.other"}


def test_only_code_that_matters_changes_the_key(files):
    files("claims/mine.py", "from nonsmooth.a import One")
    source = ClaimSource("id", "nonsmooth.claims.mine:Mine")
    spec = RunSpec("mine", "x")
    before = key(spec, source)
    files("b/_late.py", "# another\n")
    assert key(spec, source) == before
    files("a/_one.py", "class One: pass  # another\n")
    assert key(spec, source) != before
    files("a/_one.py", "class One: pass\n")
    assert key(spec, source) == before == key(spec, fingerprint(source))
    assert key(RunSpec("mine", "x", {}, (1,)), source) != before
    files("runs/_task.py", "# carried out differently\n")
    assert key(spec, source) != before


_CLAIM = """
from nonsmooth.a import One
from nonsmooth.b import HERE
from nonsmooth.c import x

class Mine:
    "It holds."
    id = "mine"
    parts = (HERE,)

    def runs(self, tier, settings):
        return [HERE]

    def measure(self, spec):
        return One

    def judge(self, rows):
        return x

    def draw(self, rows):
        from nonsmooth.c import x
"""


def test_what_judges_and_draws_is_not_part_of_the_key(files):
    assert _reached(_CLAIM, files) == {"nonsmooth.a._one"}
    source = ClaimSource("id", "nonsmooth.claims.mine:Mine")
    before = fingerprint(source)
    for old, new in (("return x", "return x + 1"), ("(HERE,)", "()"), ("It holds.", "It does not.")):
        files("claims/mine.py", _CLAIM.replace(old, new))
        assert fingerprint(source) == before
    files("claims/mine.py", _CLAIM.replace("return One", "return One()"))
    assert fingerprint(source) != before


@pytest.mark.parametrize(
    ("measured", "old", "new", "reached"),
    [
        ("self.parts", "(HERE,)", "()", "nonsmooth.b"),
        ("self.judge([])", "return x", "return x + 1", "nonsmooth.c"),
        ("getattr(self, 'draw')", "def draw(self, rows)", "def draw(self, lines)", "nonsmooth.c"),
        ("HERE", "from nonsmooth.b import HERE", "HERE = 2", "nonsmooth.b"),
        ("f(self.runs)", "return [HERE]", "return []", "nonsmooth.b"),
    ],
)
def test_it_is_where_measuring_uses_it(files, measured, old, new, reached):
    text = _CLAIM.replace("return One", f"return One, {measured}")
    assert reached in _reached(text, files)
    source = ClaimSource("id", "nonsmooth.claims.mine:Mine")
    before = fingerprint(source)
    files("claims/mine.py", text.replace(old, new))
    assert fingerprint(source) != before


def test_versions_change_the_key(files, monkeypatch):
    files("claims/mine.py", "")
    source = ClaimSource("id", "nonsmooth.claims.mine:Mine")
    before = fingerprint(source)
    monkeypatch.setattr(module_under_test, "versions", lambda: {"numpy": "0"})
    assert fingerprint(source) != before


def test_a_file_has_one_key_wherever_it_lies(files, tmp_path):
    prints = []
    for name in ("here", "there"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "helper.py").write_text("y = 1")
        (folder / f"{name}.py").write_text("import helper\nfrom nonsmooth.c import x")
        source = ClaimSource("file", f"{folder / name}.py:Mine")
        assert {"helper", "nonsmooth.c"} <= set(modules(source))
        prints.append(fingerprint(source))
    assert prints[0] == prints[1]
    (tmp_path / "there" / "helper.py").write_text("y = 2")
    assert fingerprint(ClaimSource("file", f"{tmp_path / 'there' / 'there'}.py:Mine")) != prints[0]


def test_another_package_is_followed_in_its_own_files(tmp_path, monkeypatch):
    folder = tmp_path / "other_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "claim.py").write_text(
        "from other_package.deep import z\nfrom nonsmooth.errors import InputError"
    )
    (folder / "deep.py").write_text("z = 1")
    monkeypatch.syspath_prepend(tmp_path)
    found = set(modules(ClaimSource("id", "other_package.claim:Claim")))
    assert {"other_package.claim", "other_package.deep", "nonsmooth.errors"} <= found


def test_a_file_that_cannot_be_parsed(files):
    files("a/_one.py", "def")
    with pytest.raises(InputError, match="cannot be parsed"):
        _reached("from nonsmooth.a import One", files)
