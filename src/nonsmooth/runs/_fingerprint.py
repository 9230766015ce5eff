"""What a result depends on: its spec, the code that measures it, and the versions beneath.

The code is followed by its import statements (parsed, never executed), function bodies included.
``from nonsmooth.runs import RunSpec`` leads to the file that defines ``RunSpec`` and not to the rest of
the package, so a change to an engine does not throw away results. What cannot be followed statically
(``import nonsmooth``, a star) counts as the whole folder.

Rows are a pure function of a spec, so what a claim says, asks, judges and draws is not part of their key, nor
are the files that only this part of it imports: another threshold or figure runs nothing anew.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import platform
from pathlib import Path

from nonsmooth.errors import InputError
from nonsmooth.runs._environment import versions
from nonsmooth.runs._spec import RunSpec, canonical_json
from nonsmooth.runs._task import ClaimSource

__all__ = ["fingerprint", "key", "modules"]

_PACKAGE = Path(__file__).resolve().parents[1]
_FILE = "<file>"  # the user's own file: the same key wherever it lies

# What a claim's class holds that cannot change a row, unless its other code mentions it.
_BESIDE = frozenset(
    ("where", "statement", "reported", "unstated", "parts", "notes", "accepts_images", "accepts_data")
) | {"runs", "judge", "draw"}

# (module, name, bound as); name None for `import module`
_Import = tuple[str, str | None, str]


def _mentions(tree: ast.AST) -> set[str]:
    """Every name, attribute and string in a tree: what it could refer to."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found


def _defines(statement: ast.stmt) -> str | None:
    """The one name that a statement of a class's body gives a value."""
    if isinstance(statement, ast.FunctionDef):
        return statement.name
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else None


def _measuring(path: Path) -> ast.Module:
    """A claim's module without what cannot change a row: docstrings, ``_BESIDE``, what only that imports."""
    kept: set[str] = set()
    while True:
        tree = ast.parse(path.read_bytes(), str(path))
        beside: set[str] = set()
        for body in [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]:
            body.body = [each for each in body.body if not _is_text(each)]
            if isinstance(body, ast.ClassDef):
                taken = [each for each in body.body if _defines(each) in _BESIDE - kept]
                beside = beside.union(*map(_mentions, taken))
                body.body = [each for each in body.body if each not in taken]
        used = _mentions(tree)
        if not _BESIDE & used - kept:
            break
        kept |= _BESIDE & used
    for each in tree.body:
        if isinstance(each, ast.Import | ast.ImportFrom):
            bound = {alias: (alias.asname or alias.name).partition(".")[0] for alias in each.names}
            each.names = [alias for alias, name in bound.items() if name in used or name not in beside]
    return tree


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


@functools.cache
def _imports(path: Path, module: str, stamp: tuple[int, int], own: bool) -> tuple[_Import, ...]:
    del stamp  # only part of the cache's key
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: list[_Import] = []
    for node in ast.walk(_measuring(path) if own else ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            found += [(alias.name, None, alias.asname or alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            found += [(source, alias.name, alias.asname or alias.name) for alias in node.names]
    return tuple(found)


class _Walk:
    """Files reached from the claim's module; ``roots`` are the top-level names that are followed."""

    def __init__(self, claim: str, roots: dict[str, Path]) -> None:
        self.claim = claim
        self.roots = roots
        self.files: dict[str, Path] = {}
        self._names: set[tuple[str, str]] = set()

    def locate(self, module: str) -> Path | None:
        top, *rest = module.split(".")
        base = self.roots.get(top)
        if base is None or (base.is_file() and rest):
            return None
        path = base.joinpath(*rest)
        for candidate in (path, path / "__init__.py", path.with_name(f"{path.name}.py")):
            if candidate.is_file():
                return candidate
        return None

    def _bindings(self, module: str, path: Path) -> tuple[_Import, ...]:
        state = path.stat()
        try:
            return _imports(path, module, (state.st_mtime_ns, state.st_size), module == self.claim)
        except SyntaxError as error:
            raise InputError(f"{path} cannot be parsed ({error}); mend it first") from None

    def visit(self, module: str) -> None:
        """One module's file, and whatever it imports."""
        path = self.locate(module)
        if path is None or module in self.files:
            return
        self.files[module] = path
        for source, name, _ in self._bindings(module, path):
            self._follow(source, name)

    def _follow(self, source: str, name: str | None) -> None:
        if name is None or name == "*":
            self._whole(source)
        else:
            self._name(source, name)

    def _whole(self, module: str) -> None:
        path = self.locate(module)
        self.visit(module)
        if path is not None and path.name == "__init__.py":
            for child in sorted(path.parent.rglob("*.py")):
                steps = child.relative_to(path.parent).with_suffix("").parts
                self.visit(".".join([module, *(steps[:-1] if steps[-1] == "__init__" else steps)]))

    def _name(self, module: str, name: str) -> None:
        if (module, name) in self._names:
            return
        self._names.add((module, name))
        path = self.locate(module)
        if self.locate(f"{module}.{name}") is not None:
            self._whole(f"{module}.{name}")
        elif path is not None and path.name == "__init__.py":
            bound = [each for each in self._bindings(module, path) if each[2] == name]
            for source, original, _ in bound:
                self._follow(source, original)
            if not bound:
                self._whole(module)
        else:
            self.visit(module)


def modules(source: ClaimSource) -> dict[str, Path]:
    """The files whose text can change what a claim measures, by module name."""
    roots = {"nonsmooth": _PACKAGE}
    if source.kind == "file":
        path = Path(source.place)
        beside = {each.stem: each for each in path.parent.glob("*.py")}
        beside |= {each.parent.name: each.parent for each in path.parent.glob("*/__init__.py")}
        walk = _Walk(_FILE, {**beside, _FILE: path, **roots})
    else:
        top = source.place.partition(".")[0]
        if top not in roots:
            found = importlib.util.find_spec(top)
            if found is not None and found.origin is not None:
                origin = Path(found.origin)
                roots[top] = origin.parent if origin.name == "__init__.py" else origin
        walk = _Walk(source.place, roots)
    walk.visit(walk.claim)
    # How a task is carried out matters too, though no claim imports it.
    for name in ("_task", "_threads"):
        walk.files[f"nonsmooth.runs.{name}"] = _PACKAGE / "runs" / f"{name}.py"
    return walk.files


def fingerprint(source: ClaimSource) -> str:
    """SHA-256 over the source of all that measures, the versions of what computes, and the architecture."""
    own = _FILE if source.kind == "file" else source.place
    texts = {
        name: ast.dump(_measuring(path)).encode() if name == own else path.read_bytes()
        for name, path in modules(source).items()
    }
    files = {name: hashlib.sha256(text).hexdigest() for name, text in texts.items()}
    text = canonical_json({"files": files, "versions": versions(), "machine": platform.machine()})
    return hashlib.sha256(text.encode()).hexdigest()


def key(spec: RunSpec, source: ClaimSource | str) -> str:
    """What a result is stored under: the spec and the fingerprint of the code that measures it.

    Args:
        spec: the run.
        source: its claim, or that claim's :func:`fingerprint` where it is known already.
    """
    code = source if isinstance(source, str) else fingerprint(source)
    return hashlib.sha256(f"{spec.id}:{code}".encode()).hexdigest()
