"""`audit`: factories of the user's own, what is printed, exit codes, and what is refused."""

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from calling import strict_json
from click.testing import CliRunner

from nonsmooth.cli._audit import command
from nonsmooth.cli._group import _exit_code

ROOT = Path(__file__).parents[2]
EXAMPLES, README = ROOT / "examples", ROOT / "README.md"

MINE = """
import torch
from torch import nn

class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Linear(3, 1)
    def forward(self, x):
        raise RuntimeError("no\\nway")

class Odd(torch.optim.Optimizer):
    def __init__(self, params):
        super().__init__(params, {"lr": 0.1})
    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p -= 0.1 * p.grad.sign() * p.abs()

def parts(model=None, make=torch.optim.SGD):
    print("made")
    torch.manual_seed(0)
    model = model or nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    x = torch.randn(9, 3)
    y = x.sum(1, keepdim=True)
    optimizer = make(model.parameters(), lr=0.01) if make is torch.optim.SGD else make(model.parameters())
    return {"model": model, "example": (x, y), "loss": nn.MSELoss(), "optimizer": optimizer}

def named(): return parts()
def short(): return tuple(parts().values())[:3]
def odd(): return parts(make=Odd)
def broken(): return parts(Broken())
def number(): return 3
def nothing(): return {}
def strange(): return parts() | {"optimiser": 1}
def fails(): raise ValueError("no\\ndata")
def lost():
    made = parts()
    made["model"][0].weight.data[0, 0] = float("nan")
    return made
def lazy(): return parts(nn.Sequential(nn.LazyLinear(2)))
def wrong(): return parts() | {"steps": -1}
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = f"audited_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MINE)
    return name


def call(*args):
    return CliRunner().invoke(command, [str(arg) for arg in args])


def refused(capsys, *args):
    """The exit code and what stands on standard error."""
    code = _exit_code(lambda: command.main([str(arg) for arg in args], standalone_mode=False))
    return code, capsys.readouterr().err.replace("made\n", "")


def test_in_words_and_as_json(mine):
    result = call(f"{mine}:named", "--steps", 100)
    assert result.exit_code == 0, result.output
    assert "at worst Lipschitz" in result.stdout
    assert "edge-of-stability" in result.stdout
    assert "made" not in result.stdout
    found = strict_json(call(f"{mine}:named", "--json").stdout)
    assert found["worst"] in ("unknown", "note")  # a theorem may be out of reach; nothing is wrong
    assert found["failing"] == []
    assert {"id", "level", "evidence", "remedy", "source"} <= found["observations"][0].keys()
    assert found["assumptions"]


def test_a_tuple_of_the_first_arguments_will_do(mine):
    result = call(f"{mine}:short", "--brief")
    assert result.exit_code == 0, result.output
    assert "at worst Lipschitz" in result.stdout


def test_it_fails_as_asked_and_only_then(mine, capsys):
    assert call(f"{mine}:named", "--fail-on", "problem").exit_code == 0
    result = call(f"{mine}:named", "--fail-on", "problem,smoothness")
    assert result.exit_code == 1
    assert "failing as asked: smoothness" in result.stderr
    code, said = refused(capsys, f"{mine}:named", "--fail-on", "probelm")
    assert code == 2
    assert "did you mean problem?" in said


def test_the_page_is_written(mine, tmp_path):
    result = call(f"{mine}:named", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "out" / "audit.html").read_text()
    assert f"{mine}:named" in page
    assert "Why it matters" in page
    assert json.loads((tmp_path / "out" / "audit.json").read_text())["observations"]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("broken", "RuntimeError"),
        ("number", "must return a mapping"),
        ("nothing", "no 'model'"),
        ("strange", "'optimiser'"),
        ("fails", "ValueError: no data"),
        ("missing", "no optimiser or function"),
        ("lazy", "lazy"),
        ("wrong", "steps = -1"),
    ],
)
def test_bad_input_is_one_line_and_code_2(mine, name, word, capsys):
    code, said = refused(capsys, f"{mine}:{name}")
    assert code == 2, said
    assert word in said
    assert said.startswith("Error: ")
    assert said.count("\n") == 1


def test_an_optimiser_it_never_saw_has_no_edge_and_that_is_said(mine):
    result = call(f"{mine}:odd", "--json")
    assert result.exit_code == 0, result.output
    found = {each["id"]: each for each in strict_json(result.stdout)["observations"]}
    assert "edge-of-stability" not in found
    assert "edge is not known: " in found["sharpness"]["evidence"]


def test_weights_that_are_not_numbers_are_a_problem(mine):
    result = call(f"{mine}:lost", "--json")
    assert result.exit_code == 0, result.output
    found = {each["id"]: each for each in strict_json(result.stdout)["observations"]}
    assert found["not-finite-weights"]["level"] == "problem"
    assert found["not-finite-weights"]["numbers"]["tensors"] == ["0.weight"]


@pytest.mark.slow
def test_three_true_things_in_fifteen_seconds():
    """Of processor time: the machine may be busy with other tests."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(
        [sys.executable, "-m", "nonsmooth", "audit", "digits_with_l1:build", "--json"],
        cwd=EXAMPLES,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    taken = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    assert done.returncode == 0, done.stderr
    found = {each["id"]: each for each in json.loads(done.stdout)["observations"]}
    assert found["l1-in-loss"]["level"] == "problem"
    assert set(found["penalty-on-all"]["numbers"]["parameters"]) == {"0.bias", "1.weight", "1.bias", "4.bias"}
    kinks = found["kinks-crossed"]["numbers"]
    assert 0 < max(kinks["crossed"]) < kinks["margins"]
    for id in ("l1-in-loss", "penalty-on-all"):
        assert found[id]["evidence"]
        assert found[id]["remedy"]
    assert taken < 15


def test_the_readmes_lines_are_what_it_prints(monkeypatch):
    """But for the digits, which differ a little between processors."""
    block = README.read_text().split("audit digits_with_l1:build --brief\n")[1].split("```")[0]
    monkeypatch.chdir(EXAMPLES)
    printed = re.sub("[0-9]+", "0", call("digits_with_l1:build", "--brief").stdout).splitlines()
    shown = re.sub("[0-9]+", "0", block).splitlines()
    assert len(shown) == 6
    assert [line for line in shown if line not in printed] == []
