"""`--help` and completion stay light; a command imports its parts when it runs, not before."""

import os
import subprocess
import sys
import time

import click
import pytest

from nonsmooth.cli import cli

HEAVY = ("torch", "matplotlib", "numpy", "numba", "scipy", "sklearn", "pandas", "pyarrow")
COMMANDS = cli.list_commands(click.Context(cli))

PROBE = """
import sys
sys.argv = ["nonsmooth", *sys.argv[1:]]
from nonsmooth.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
loaded = [name for name in {heavy!r} if name in sys.modules]
assert not loaded, loaded
"""


@pytest.mark.parametrize("args", [["--help"], ["--version"], [], *([name, "--help"] for name in COMMANDS)])
def test_help_imports_nothing_heavy(args):
    probe = PROBE.format(heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", probe, *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_list_imports_neither_compilers_nor_plots():
    probe = PROBE.format(heavy=("torch", "matplotlib", "numba", "sklearn", "pyarrow"))
    done = subprocess.run([sys.executable, "-c", probe, "list"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_is_fast():
    def seconds() -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "nonsmooth", "--help"], capture_output=True, check=True)
        return time.perf_counter() - start

    # The best of a few: what is measured is the program, not what else the machine does meanwhile.
    assert min(seconds() for _ in range(5)) < 0.3


@pytest.mark.parametrize(
    ("words", "expected"), [("reproduce penalty-p", "penalty-paradox"), ("rep", "reproduce")]
)
def test_shell_completion(words, expected):
    env = os.environ | {
        "_NONSMOOTH_COMPLETE": "bash_complete",
        "COMP_WORDS": f"nonsmooth {words}",
        "COMP_CWORD": str(len(words.split())),
    }
    probe = "from nonsmooth.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", probe], env=env, capture_output=True, text=True, check=False)
    assert f"plain,{expected}" in done.stdout.splitlines(), done.stderr
