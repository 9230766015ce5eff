"""Interrupted runs end as the others do; damaged and foreign checkpoints are refused in words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import nonsmooth as ns
from nonsmooth.errors import InputError
from nonsmooth.training import Recipe, train
from training import interrupted
from training.toys import same, toy_data, toy_network, weights_of

SCRIPT = Path(interrupted.__file__)


def _stop_after(epoch: int) -> Any:
    def on_epoch(row: dict[str, Any]) -> None:
        if row["epoch"] == epoch:
            raise KeyboardInterrupt

    return on_epoch


def _but_for_seconds(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


@pytest.mark.parametrize("epoch", [1, 5, 11])
def test_an_interrupted_run_ends_bit_for_bit_as_the_other(epoch: int, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("nonsmooth.training._checkpoint._SHARE", 1e9)  # write after every epoch
    model, whole = interrupted.run(None)
    with pytest.raises(KeyboardInterrupt):
        interrupted.run(tmp_path / "run.pt", _stop_after(epoch))
    again, result = interrupted.run(tmp_path / "run.pt")
    assert result.resumed_from == epoch
    assert same(weights_of(model), weights_of(again))
    assert result.step_losses == whole.step_losses
    assert _but_for_seconds(result.history) == _but_for_seconds(whole.history)
    assert any((p == 0).any() for p in again.parameters())


def test_the_same_objects_go_on_too(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("nonsmooth.training._checkpoint._SHARE", 1e9)
    whole, _ = interrupted.run(None)
    model, optimizer, schedule = interrupted.parts()
    common: dict[str, Any] = {"scheduler": schedule, "checkpoint": tmp_path / "run.pt"}
    with pytest.raises(KeyboardInterrupt):
        train(model, toy_data(400), optimizer, interrupted.RECIPE, on_epoch=_stop_after(4), **common)
    assert train(model, toy_data(400), optimizer, interrupted.RECIPE, **common).resumed_from == 4
    assert same(weights_of(whole), weights_of(model))


def test_a_finished_run_is_loaded_not_run_again(tmp_path: Path) -> None:
    model, first = interrupted.run(tmp_path / "run.pt")
    again, second = interrupted.run(tmp_path / "run.pt", lambda row: pytest.fail("an epoch was run"))
    assert second.resumed_from == interrupted.EPOCHS
    assert same(weights_of(model), weights_of(again))
    assert second.history == first.history
    assert second.seconds == first.seconds
    assert [each.name for each in tmp_path.iterdir()] == ["run.pt"]


def test_stopped_and_diverged_runs_stay_so(tmp_path: Path) -> None:
    for name, rate, stop in (("stopped", 0.2, 0.8), ("diverged", 1e20, None)):
        recipe, results = Recipe(epochs=100, batch=16, stop_loss=stop), []
        for _ in range(2):
            model = toy_network()
            optimizer = torch.optim.SGD(model.parameters(), lr=rate)
            results.append(train(model, toy_data(), optimizer, recipe, checkpoint=tmp_path / name))
        assert len(results[0].history) == len(results[1].history) < 100
        assert results[0].diverged == results[1].diverged == (name == "diverged")


def test_writing_takes_a_small_share_of_the_time(tmp_path: Path) -> None:
    model, written = nn.Linear(128, 3), []
    data = toy_data()
    model = nn.Sequential(nn.Flatten(), model)

    def watch(row: dict[str, Any]) -> None:
        written.append((tmp_path / "run.pt").stat().st_mtime_ns)

    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    recipe = Recipe(epochs=300, batch=None, evaluate_every=0)
    train(model, data, optimizer, recipe, checkpoint=tmp_path / "run.pt", on_epoch=watch)
    assert len(set(written)) < 150
    contents = torch.load(tmp_path / "run.pt", weights_only=True)
    assert contents["progress"]["epoch"] == 300


@pytest.mark.parametrize(
    "make",
    [
        lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [2, 3]),
        lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda epoch: 0.9**epoch),
        lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=8),
        lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0),
        lambda o: torch.optim.lr_scheduler.SequentialLR(
            o,
            [torch.optim.lr_scheduler.LinearLR(o), torch.optim.lr_scheduler.ExponentialLR(o, 0.9)],
            [2],
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step")  # torch's SequentialLR calls it
def test_schedules_resume(make: Any, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("nonsmooth.training._checkpoint._SHARE", 1e9)
    ends = []
    for stops in ([], [1, 3]):
        for stop in (*stops, None):
            model = toy_network()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
            schedule, stopped = make(optimizer), None if stop is None else _stop_after(stop)
            path = tmp_path / f"{len(stops)}.pt"
            try:
                train(
                    model, toy_data(), optimizer, Recipe(5, 16), scheduler=schedule, checkpoint=path,
                    on_epoch=stopped,
                )  # fmt: skip
            except KeyboardInterrupt:
                continue
            ends.append(weights_of(model))
    assert len(ends) == 2
    assert same(*ends)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: ns.ProxAdam(p, penalty=ns.L1(0.01)),
        lambda p: ns.ProxSGD(p, lr=0.1, momentum=0.9, penalty=ns.L1(0.01)),
        lambda p: ns.RegularizedDualAveraging(p, lr=0.1, penalty=ns.L1(0.01)),
        lambda p: torch.optim.NAdam(p),
        lambda p: torch.optim.Adagrad(p),
        lambda p: torch.optim.Adam(p, lr=torch.tensor(0.01), amsgrad=True),
    ],
)
def test_optimisers_resume(make: Any, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("nonsmooth.training._checkpoint._SHARE", 1e9)
    ends = []
    for name, stop in (("whole", None), ("cut", 2), ("cut", None)):
        model = toy_network()
        stopped = None if stop is None else _stop_after(stop)
        try:
            train(
                model, toy_data(), make(model.parameters()), Recipe(4, 16), checkpoint=tmp_path / name,
                on_epoch=stopped,
            )  # fmt: skip
        except KeyboardInterrupt:
            continue
        ends.append(weights_of(model))
    assert len(ends) == 2
    assert same(*ends)


def _train(path: Path, *, model: Any = None, data: Any = None, **changes: Any) -> Any:
    model = model or toy_network()
    kind = changes.pop("kind", torch.optim.SGD)
    optimizer = kind(model.parameters(), lr=changes.pop("lr", 0.1))
    if strength := changes.pop("attached", None):
        ns.attach(optimizer, ns.L1(strength), params=model)
    loss = changes.pop("loss", nn.functional.cross_entropy)
    return train(
        model, data or toy_data(), optimizer, Recipe(**{"epochs": 2, **changes}), loss=loss, checkpoint=path
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch": 64}, """its recipe has "batch":128 where this run's has "batch":64"""),
        ({"l1": 0.1}, "its recipe"),
        ({"epochs": 3}, "its recipe"),
        ({"model": toy_network(batch_norm=True)}, "its model has .*Identity.* BatchNorm"),
        ({"model": toy_network().double(), "precision": "float64"}, "its recipe"),
        ({"data": toy_data(90)}, "its data"),
        ({"lr": 0.2}, "its optimizer has 'lr': 0.1 where this run's has 'lr': 0.2"),
        ({"kind": torch.optim.Adam}, "its optimizer has"),
        ({"attached": 0.1}, "its penalties"),
        ({"loss": lambda outputs, labels: outputs.mean()}, "its loss has cross_entropy"),
    ],
)
def test_the_checkpoint_of_another_run_is_refused(changes: dict, words: str, tmp_path: Path) -> None:
    _train(tmp_path / "run.pt")
    before = (tmp_path / "run.pt").read_bytes()
    data = {"data": toy_data(dtype=torch.float64)} if changes.get("precision") == "float64" else {}
    with pytest.raises(InputError, match=words) as caught:
        _train(tmp_path / "run.pt", **{**data, **changes})
    assert "delete the file to start anew" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "run.pt").read_bytes() == before


def _schedules() -> list[tuple[Any, Any]]:
    make = torch.optim.lr_scheduler
    return [
        (lambda o: make.CosineAnnealingLR(o, 4), lambda o: make.CosineAnnealingLR(o, 8)),
        (lambda o: make.StepLR(o, 2), lambda o: make.StepLR(o, 2, gamma=0.5)),
        (lambda o: make.MultiStepLR(o, [2, 3]), lambda o: make.MultiStepLR(o, [2, 5])),
        (lambda o: make.ReduceLROnPlateau(o), lambda o: make.ReduceLROnPlateau(o, patience=1)),
    ]


@pytest.mark.parametrize(("first", "other"), _schedules())
def test_another_setting_of_the_schedule_is_another_run(first: Any, other: Any, tmp_path: Path) -> None:
    """Loading the schedule's state would bring back the old setting unseen."""

    def run(make: Any) -> Any:
        model = toy_network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        path = tmp_path / "run.pt"
        return train(model, toy_data(), optimizer, Recipe(2), scheduler=make(optimizer), checkpoint=path)

    run(first)
    assert run(first).resumed_from == 2
    with pytest.raises(InputError, match="checkpoint of another run: its scheduler has"):
        run(other)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"the folder of checkpoint .*run\.pt cannot be made \("):
        _train(tmp_path / "file" / "run.pt")


def test_another_activation_is_another_model(tmp_path: Path) -> None:
    model = toy_network()
    _train(tmp_path / "run.pt", model=model)
    other = toy_network()
    other[2] = nn.GELU()
    with pytest.raises(InputError, match=r"its model has .*ReLU.* GELU"):
        _train(tmp_path / "run.pt", model=other)


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage", [_cut, _flipped, lambda content: b"", lambda content: b"no checkpoint", lambda content: b"PK"]
)
def test_damage_is_found(damage: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    # One large tensor, so that the middle of the file is a weight.
    model = nn.Sequential(nn.Flatten(), nn.Linear(128, 3000), nn.Linear(3000, 3))
    _train(path, model=model, epochs=1)
    path.write_bytes(damage(path.read_bytes()))
    before = weights_of(model)
    with pytest.raises(InputError, match=r"run.pt is not a readable checkpoint .*delete it to start anew"):
        _train(path, model=model, epochs=1)
    assert same(before, weights_of(model))


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"model": {}}, tmp_path / "run.pt")
    with pytest.raises(InputError, match="not written by"):
        _train(tmp_path / "run.pt")


def test_no_code_is_loaded(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return Path.touch, (tmp_path / "run by the loader",)

    torch.save(Evil(), tmp_path / "run.pt")
    with pytest.raises(InputError, match="not a readable checkpoint"):
        _train(tmp_path / "run.pt")
    assert not (tmp_path / "run by the loader").exists()


def test_the_folder_is_made(tmp_path: Path) -> None:
    _train(tmp_path / "one" / "two" / "run.pt")
    assert (tmp_path / "one" / "two" / "run.pt").exists()


def _start(folder: Path) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPT.parent.parent)}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder)], stdout=subprocess.PIPE, text=True, env=environment
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("delay", [0.0, 0.004, 0.03])
def test_kill_9_at_any_moment(delay: float, tmp_path: Path) -> None:
    """Killed again and again, each time a little after one more epoch, until nothing is left to kill."""
    whole = _start(tmp_path / "whole")
    whole.communicate(timeout=240)
    assert whole.returncode == 0
    kills, begun = 0, []
    for epochs in (1, 3, 2, 1):
        process = _start(tmp_path / "cut")
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(epochs)]
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate(timeout=60)
        kills += process.returncode == -signal.SIGKILL
        begun.append(int(lines[0]))
        assert not (tmp_path / "cut" / "end.pt").exists(), rest
    assert kills == 4
    assert begun == sorted(begun)
    assert begun[-1] > 1, "no kill left a checkpoint to go on from"
    last = _start(tmp_path / "cut")
    last.communicate(timeout=240)
    assert last.returncode == 0
    one, other = (torch.load(tmp_path / each / "end.pt", weights_only=True) for each in ("whole", "cut"))
    assert same(one, other)
