"""`floor` and `fingerprint`: what they print, what they refuse, and optimisers of the user's own."""

import pytest
from calling import assert_refused, call, strict_json

ADAM = "torch.optim:Adam"
FLOOR = ["floor", ADAM, "--strength", "2", "--lr", "0.01", "--steps", "400", "--weights", "200", "--quiet"]
PRINT = ["fingerprint", ADAM, "--lr", "0.01", "--steps", "400", "--weights", "50", "--quiet"]

MINE = """
import torch

print("imported")

def make(parameters, lr=0.02, **settings):
    return torch.optim.SGD(parameters, lr=lr, **settings)

def coupled(parameters):
    return torch.optim.LBFGS(parameters)
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module of the user's in the present folder; each test's has a name of its own."""
    monkeypatch.chdir(tmp_path)
    name = f"mine_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MINE)
    return name


def test_the_floor_in_words():
    result = call("floor", "torch.optim:SGD", "--lr", "3e-3", "--strength", "2")
    assert result.exit_code == 0
    assert "|w| < 1e-05  0.167 %" in result.stdout
    assert "closed form; law stationary" in result.stdout
    assert result.stderr == ""


def test_the_floor_as_json():
    result = call(*FLOOR, "--size", "10", "--json")
    assert result.exit_code == 0
    found = strict_json(result.stdout)
    assert found["optimiser"] == "Adam(lr=0.01)"
    assert found["l1_norm"] == pytest.approx(10 * found["mean_abs"])
    assert found["weights"] == 200
    assert found["mean_interval"][0] < found["mean_abs"] < found["mean_interval"][1]


def test_a_floor_that_is_no_number_is_null_in_json():
    result = call("floor", "torch.optim:SGD", "--lr", "inf", "--strength", "1", "--steps", "9", "--json")
    assert result.exit_code == 0
    assert strict_json(result.stdout)["mean_abs"] is None


def test_the_start_is_passed_on():
    result = call(*FLOOR, "--start", "0.01", "--json")
    assert strict_json(result.stdout)["start"] == "normal, standard deviation 0.01"


def test_a_fingerprint_in_words_and_as_json():
    result = call(*PRINT)
    assert result.exit_code == 0
    assert "brought to exactly 0           weights leave" in result.stdout
    found = strict_json(call(*PRINT, "--json").stdout)
    assert found["at_zero"] == "leave"
    assert found["zero_float32"]["n"] == 50


def test_settings_of_the_optimiser():
    result = call(
        *PRINT[:1],
        "torch.optim:SGD",
        *PRINT[2:],
        "--option",
        "momentum=0.5",
        "--option",
        "nesterov=TRUE",
        "--json",
    )
    assert strict_json(result.stdout)["optimiser"] == "SGD(lr=0.01, momentum=0.5, nesterov=True)"


def test_all_of_them_as_a_page_and_as_json():
    small = ["fingerprint", "--all", "--steps", "64", "--weights", "10", "--quiet"]
    page = call(*small, "--format", "markdown")
    assert page.exit_code == 0
    assert page.stdout.startswith("# Fingerprints")
    assert "| `RMSprop(lr=0.01)` |" in page.stdout
    found = strict_json(call(*small, "--json").stdout)
    assert {row["optimiser"] for row in found["refused"]} >= {"LBFGS", "SparseAdam"}
    assert len(found["fingerprints"]) > 12


def test_one_as_a_page():
    assert "| `Adam(lr=0.01)` |" in call(*PRINT, "--format", "markdown").stdout


@pytest.mark.parametrize("command", ["floor", "fingerprint"])
def test_an_optimiser_of_the_users(mine, command):
    strength = ["--strength", "1"]
    args = ["--option", "momentum=0.9", "--steps", "200", "--weights", "20", "--quiet", "--json"]
    result = call(command, f"{mine}:make", *strength, *args)
    assert result.exit_code == 0, result.output
    assert strict_json(result.stdout)["optimiser"] == "SGD(lr=0.02, momentum=0.9)"
    assert_refused(call(command, f"{mine}:coupled", *strength, "--quiet"))
    assert_refused(call(command, f"{mine}:missing", *strength, "--quiet"))


def test_a_log_gets_a_line_now_and_then(monkeypatch):
    from nonsmooth.cli import _optimiser

    now = iter(range(0, 10_000, 3))
    monkeypatch.setattr(_optimiser.time, "monotonic", lambda: float(next(now)))
    result = call(*FLOOR[:-1], "--steps", "2000")
    lines = result.stderr.splitlines()
    assert lines
    assert all(line.startswith(f"{ADAM}: ") and line.endswith("%") for line in lines)


@pytest.mark.parametrize(
    "args",
    [
        ["floor"],
        ["floor", ADAM],
        ["floor", "Adam", "--strength", "1"],
        ["floor", "torch.optim:", "--strength", "1"],
        ["floor", ":Adam", "--strength", "1"],
        ["floor", "torch.optim:Adm", "--strength", "1"],
        ["floor", "torch.optim:__name__", "--strength", "1"],
        ["floor", "no_such_module:Adam", "--strength", "1"],
        ["floor", "..:Adam", "--strength", "1"],
        ["floor", "a\nb:Adam", "--strength", "1"],
        ["floor", "torch:ones", "--strength", "1"],
        ["floor", "torch.optim:LBFGS", "--strength", "1"],
        ["floor", "torch.optim:SparseAdam", "--strength", "1"],
        ["floor", ADAM, "--strength", "0"],
        ["floor", ADAM, "--strength", "nan"],
        ["floor", ADAM, "--strength", "x"],
        ["floor", ADAM, "--strength", "1", "--lr", "-1"],
        ["floor", ADAM, "--strength", "1", "--lr", "fast"],
        ["floor", ADAM, "--strength", "1", "--steps", "0"],
        ["floor", ADAM, "--strength", "1", "--steps", "1e3"],
        ["floor", ADAM, "--strength", "1", "--size", "0"],
        ["floor", ADAM, "--strength", "1", "--weights", "1"],
        ["floor", ADAM, "--strength", "1", "--threshold", "-1"],
        ["floor", ADAM, "--strength", "1", "--dtype", "int8"],
        ["floor", ADAM, "--strength", "1", "--start", "normal"],
        ["floor", ADAM, "--strength", "1", "--start", "-1"],
        ["floor", ADAM, "--strength", "1", "--start", "inf"],
        ["floor", ADAM, "--strength", "1", "--seed", "-1"],
        ["floor", ADAM, "--strength", "1", "--option", "amsgrad"],
        ["floor", ADAM, "--strength", "1", "--option", "=1"],
        ["floor", ADAM, "--strength", "1", "--option", "no-name=1"],
        ["floor", ADAM, "--strength", "1", "--option", "unknown=1"],
        ["floor", ADAM, "--strength", "1", "--option", "eps=tiny"],
        ["floor", ADAM, "--strength", "1", "--option", "eps=((((("],
        ["floor", ADAM, "--strength", "1", "--lr", "1", "--option", "lr=1"],
        ["fingerprint"],
        ["fingerprint", ADAM, "--all"],
        ["fingerprint", "--all", "--lr", "1"],
        ["fingerprint", "--all", "--option", "eps=1"],
        ["fingerprint", "--all", "--steps", "10"],
        ["fingerprint", ADAM, "--steps", "10"],
        ["fingerprint", ADAM, "--strength", "-1"],
        ["fingerprint", ADAM, "--format", "html"],
        ["fingerprint", "torch.optim:Muon"],
    ],
)
def test_bad_input_is_one_line(args):
    assert_refused(call(*args, "--quiet"))
