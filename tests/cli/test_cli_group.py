"""The group: unknown commands, exit codes, one line an error, closed pipes, terminals without the letter."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import nonsmooth
from nonsmooth.cli import _group, cli
from nonsmooth.cli._words import one_line
from nonsmooth.errors import InputError

NONSMOOTH = [sys.executable, "-m", "nonsmooth"]


def failing_with(monkeypatch, error):
    """The command `info`, made to raise `error`."""

    @click.command()
    def command():
        raise error

    monkeypatch.setattr(_group._Group, "get_command", lambda self, ctx, name: command)
    return CliRunner().invoke(cli, ["info"])


def test_version_and_bare_call():
    assert CliRunner().invoke(cli, ["--version"]).output == f"nonsmooth {nonsmooth.__version__}\n"
    bare = CliRunner().invoke(cli, [])
    assert bare.exit_code == 0
    assert "reproduce" in bare.output


def test_an_unknown_command_is_named_with_the_nearest():
    result = CliRunner().invoke(cli, ["lst"])
    assert result.exit_code == 2
    assert "'lst'" in result.stderr
    assert "did you mean 'list'?" in result.stderr


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (InputError("strength = -1 is out of range"), 2, "Error: strength = -1 is out of range\n"),
        (InputError("no claim 'a\nError: b\x1b[2J'"), 2, "Error: no claim 'a\\nError: b\\x1b[2J'\n"),
        (
            PermissionError(13, "Permission denied", "/x"),
            2,
            "Error: cannot use '/x': Permission denied; check",
        ),
        (click.ClickException("no"), 2, "Error: no\n"),
        (KeyboardInterrupt(), 130, "the same command resumes\n"),
        (click.Abort(), 130, "the same command resumes\n"),
    ],
)
def test_an_error_is_one_line_and_its_code(monkeypatch, error, code, text):
    result = failing_with(monkeypatch, error)
    assert result.exit_code == code
    assert text in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


def test_a_fault_of_the_package_shows_its_traceback(monkeypatch):
    result = failing_with(monkeypatch, ZeroDivisionError("division by zero"))
    assert result.exit_code == 3
    assert "Traceback" in result.stderr
    assert "please report" in result.stderr


def test_a_caller_in_python_gets_the_exception_itself(monkeypatch):
    @click.command()
    def command():
        raise InputError("bad")

    monkeypatch.setattr(_group._Group, "get_command", lambda self, ctx, name: command)
    with pytest.raises(InputError, match="bad"):
        cli.main(["info"], standalone_mode=False)


@pytest.mark.parametrize("text", ["plain é α", "a\nb", "\x1b[31m", "\udc80", "\u2028"])
def test_one_line_is_one_printable_line(text):
    assert one_line(text).isprintable()
    assert one_line(one_line("α")) == "α"


@pytest.mark.parametrize("args", [["--help"], ["list"], ["list", "--json"], ["reproduce", "--help"]])
def test_a_closed_pipe_is_silent(args):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run([*NONSMOOTH, *args], stdout=gone, stderr=subprocess.PIPE, check=False)
    assert done.stderr == b""
    assert done.returncode == 128 + signal.SIGPIPE


def test_head_takes_what_it_wants():
    shell = shutil.which("sh")
    assert shell
    command = f"{sys.executable} -m nonsmooth list | head -1"
    done = subprocess.run([shell, "-c", command], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 1
    assert "Error" not in done.stderr


def test_a_full_disk_behind_standard_output_is_one_line():
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*NONSMOOTH, "list", "--json"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 2
    assert done.stderr.decode().count("Error: ") == len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_the_letter_gets_a_stand_in(encoding):
    env = os.environ | {"PYTHONIOENCODING": encoding, "COLUMNS": "200"}
    for args in (["list"], ["show", "penalty-paradox"], ["show", "no-such-α"]):
        done = subprocess.run([*NONSMOOTH, *args], env=env, capture_output=True, check=False)
        assert done.returncode in (0, 2), done.stderr
        assert b"Traceback" not in done.stderr
