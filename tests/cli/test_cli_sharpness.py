"""`sharpness`: factories of the user's own, what is printed, exit codes, and what is refused."""

import math

import pytest
from calling import strict_json
from click.testing import CliRunner

from nonsmooth.cli._group import _exit_code
from nonsmooth.cli._sharpness import command

MINE = """
import torch
from torch import nn

def parts(lr=None):
    print("made")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    x = torch.randn(9, 3).double()
    rest = () if lr is None else (torch.optim.SGD(model.parameters(), lr=lr),)
    return (model, nn.MSELoss(), [(x, x.sum(1, keepdim=True))], *rest)

def plain(): return parts()
def as_audited(): return dict(zip(("model", "loss", "batches"), parts()))
def example():
    model, loss, ((x, y),) = parts()
    return {"model": model, "loss": loss, "example": (x, y), "steps": 9}
def half(): return {"model": parts()[0]}
def stable(): return parts(1e-3)
def unstable(): return parts(1e3)
def pair(): return 1, 2
def number(): return 3
def broken(): raise RuntimeError("no\\ndata")
def misfit():
    model, loss, ((x, y),) = parts()
    return model, loss, [(x[:, :2], y)]
def lost():
    made = parts()
    made[0][0].weight.data[0, 0] = float("nan")
    return made
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = f"sharp_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MINE)
    return name


def call(*args):
    return CliRunner().invoke(command, [str(arg) for arg in args])


def test_what_the_audit_takes_will_do(mine):
    values = [
        strict_json(call(f"{mine}:{name}", "--json").stdout)["eigenvalues"]
        for name in ("plain", "as_audited", "example")
    ]
    assert values[0] == values[1] == values[2]
    assert "a mapping with model" in str(call(f"{mine}:half").exception)


def test_in_words_and_as_json(mine):
    result = call(f"{mine}:plain")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Largest eigenvalue of the Hessian, 21 parameters, 9 samples:")
    assert "relative residual" in result.stdout
    assert "made" not in result.stdout
    found = strict_json(call(f"{mine}:plain", "--k", "2", "--tolerance", "1e-8", "--json").stdout)
    assert found["converged"] is True
    assert len(found["eigenvalues"]) == 2
    assert max(found["residuals"]) <= 1e-8
    assert found["edge"] is None


def test_with_an_optimiser_and_without(mine):
    found = strict_json(call(f"{mine}:stable", "--json").stdout)
    assert (found["metric"], found["edge"]) == ("SGD", pytest.approx(2000.0))
    assert strict_json(call(f"{mine}:stable", "--plain", "--json").stdout)["edge"] is None


def test_failing_as_asked(mine):
    assert call(f"{mine}:unstable").exit_code == 0
    assert call(f"{mine}:unstable", "--fail-on", "above-edge").exit_code == 1
    assert call(f"{mine}:stable", "--fail-on", "above-edge", "--fail-on", "unconverged").exit_code == 0
    few = ("--tolerance", "1e-9", "--max-products", "2")
    result = call(f"{mine}:plain", *few, "--fail-on", "unconverged")
    assert result.exit_code == 1
    assert result.stdout.startswith("NOT CONVERGED")
    assert call(f"{mine}:plain", *few).exit_code == 0
    assert math.isfinite(strict_json(call(f"{mine}:plain", *few, "--json").stdout)["eigenvalues"][0])


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("pair", [], "returns 2 values"),
        ("number", [], "returns a int"),
        ("broken", [], "fails: RuntimeError"),
        ("missing", [], "has no optimiser or function"),
        ("lost", [], "holds NaN or infinity"),
        ("misfit", [], "fails on batch 0: RuntimeError: mat1"),
        ("plain", ["--k", "99"], "k = 99"),
        ("plain", ["--tolerance", "0"], "tolerance = 0"),
        ("plain", ["--max-products", "0"], "max_products = 0"),
    ],
)
def test_what_is_refused(mine, capsys, name, args, words):
    code = _exit_code(lambda: command.main([f"{mine}:{name}", *args], standalone_mode=False))
    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    lines = [line for line in said.err.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1
    assert words in lines[0]
