"""Imports run downwards only, and in no circle: read from the source, function bodies included."""

import ast
from pathlib import Path

import nonsmooth

ROOT = Path(nonsmooth.__file__).parent

# From the top down; a folder may import those on lower lines, and its own line where no circle results.
LINES = (
    ("cli", "report"),
    ("claims", "audit", "callbacks"),
    ("findings", "runs", "diagnostics"),
    ("training", "trajectories", "testbed"),
    ("methods",),
    ("objectives", "penalties", "networks", "datasets"),
    ("_download", "errors", "_version"),
)
RANK = {name: len(LINES) - k for k, line in enumerate(LINES) for name in line}


def _imported(path: Path) -> set[str]:
    """The folders (or modules) directly below nonsmooth that a file imports."""
    inside = ("nonsmooth", *path.relative_to(ROOT).with_suffix("").parts)
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(inside[: len(inside) - node.level]) if node.level else ""
            source = ".".join(part for part in (base, node.module) if part)
            # `from nonsmooth import claims` imports a folder, `from nonsmooth.runs import x` names one.
            names += (
                [f"nonsmooth.{alias.name}" for alias in node.names] if source == "nonsmooth" else [source]
            )
    return {name.split(".")[1] if "." in name else "" for name in names if name.split(".")[0] == "nonsmooth"}


def _edges() -> dict[str, dict[str, set[str]]]:
    edges: dict[str, dict[str, set[str]]] = {}
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if path.parent == ROOT and place in ("__init__", "__main__"):
            continue  # the public face shows everything
        for target in _imported(path) - {place}:
            edges.setdefault(place, {}).setdefault(target, set()).add(str(path.relative_to(ROOT)))
    return edges


def test_every_folder_has_a_line():
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    modules = {path.stem for path in ROOT.glob("*.py")} - {"__init__", "__main__"}
    assert folders | modules <= set(RANK)


def test_imports_run_downwards():
    upwards = [
        f"{file} imports {target or 'nonsmooth itself'}"
        for place, targets in _edges().items()
        for target, files in targets.items()
        for file in sorted(files)
        if target not in RANK or RANK[target] > RANK[place]
    ]
    assert not upwards


def test_there_is_no_circle():
    edges = {place: set(targets) for place, targets in _edges().items()}
    done: set[str] = set()

    def visit(place: str, path: tuple[str, ...]) -> None:
        assert place not in path, " -> ".join((*path, place))
        if place not in done:
            for target in sorted(edges.get(place, ())):
                visit(target, (*path, place))
            done.add(place)

    for place in sorted(edges):
        visit(place, ())


def test_the_walk_sees_what_it_should(tmp_path, monkeypatch):
    """The test above is worth nothing if it sees no imports."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "runs" / "x.py"
    path.parent.mkdir()
    path.write_text(
        "import numpy, nonsmooth\nimport nonsmooth.cli as c\nfrom .. import claims\nfrom ..report import y\n"
        "def f():\n    from nonsmooth.findings import z\n    from nonsmooth import methods\n"
        "    from . import own\n"
    )
    assert _imported(path) == {"", "cli", "claims", "report", "findings", "methods", "runs"}
