"""Ways to call commands and to read what they say."""

import json
import re
from pathlib import Path

from click.testing import CliRunner

from nonsmooth.cli import cli

TOY = Path(__file__).parents[1] / "toys" / "toy_claim.py"
ID = '    id = "toy-mean"\n'
FAST = ("--claims", str(TOY), "--set", "delay=0", "--set", "runs=6", "--engine", "inline")


def call(*args, **options):
    return CliRunner().invoke(cli, [str(arg) for arg in args], **options)


def strict_json(text):
    """The JSON in a text which holds nothing else, NaN and infinities refused."""

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def errors_in(stderr):
    return [line for line in stderr.splitlines() if line.startswith("Error: ")]


def assert_refused(result):
    """Exit code 2, one error line (after Click's usage, if any), nothing on standard output."""
    assert result.exit_code == 2, (result.exit_code, result.output, result.exception)
    assert result.stdout == ""
    assert len(errors_in(result.stderr)) == 1, result.stderr
    rest = [line for line in result.stderr.splitlines() if line and not line.startswith("Error: ")]
    assert all(re.match(r"Usage: |Try 'nonsmooth", line) for line in rest), result.stderr


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def variant(folder, *changes, name="variant.py"):
    """A copy of the toy claim with some of its text changed."""
    text = TOY.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text)
    return path
