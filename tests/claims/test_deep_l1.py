"""The runs against the listing, written out; the predictions and the rounded penalty against their laws."""

import copy
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from torch import nn

import nonsmooth as ns
from nonsmooth.claims import load
from nonsmooth.claims.deep_l1 import _stand_in
from nonsmooth.claims.deep_l1._experiments import chain, rounded
from nonsmooth.claims.deep_l1._free import walk
from nonsmooth.claims.deep_l1._protocols import LISTING, SIZES, SWITCHES, make_optimizer, norm_of_constants
from nonsmooth.claims.deep_l1._rows import changed
from nonsmooth.claims.deep_l1._stand_in import data_of, network, seed_of, start_of
from nonsmooth.errors import InputError
from nonsmooth.runs import RunSpec
from nonsmooth.runs._scratch import using
from nonsmooth.training._checkpoint import Checkpoint
from nonsmooth.training._recipe import derived_seed


def _spec(optimiser: str, **changed) -> RunSpec:
    size = {
        **asdict(SIZES["quick"]),
        "count": 84,
        "test_count": 200,
        "epochs_small": [1, 1],
        "epochs_large": [2],
        "pretrained": 2,
        "free_weights": 50,
    }
    given = {"images": "digits", "device": "cpu", "weights": "stand-in"}
    return RunSpec(
        "deep-l1",
        "leg",
        {**size, **given, "optimiser": optimiser, "protocol": LISTING.as_dict(), **changed},
        (0,),
    )


def _listing(spec: RunSpec) -> dict[tuple[float, int], dict[str, float]]:
    """Appendix C, as printed, with the repairs named in the claim's notes; dropout drawn as the loop does."""
    data = data_of(spec)
    model = network(spec, data, 1000)
    initial_state = copy.deepcopy(start_of(spec, data, 1000, 0)[0])
    criterion = nn.CrossEntropyLoss()
    optimizer = make_optimizer(spec["optimiser"], model.parameters())
    found, batches = {}, list(zip(data.train.split(14), data.train_labels.split(14), strict=True))
    for lambda1 in [2, 0.002]:
        model.load_state_dict(copy.deepcopy(initial_state))
        steps = 0
        for part, epochs in enumerate(spec["epochs_large" if lambda1 == 2 else "epochs_small"]):
            for epoch in range(epochs):
                torch.manual_seed(derived_seed("dropout", seed_of(spec, f"order {part}", 0), epoch + 1, 0))
                for inputs, labels in batches:
                    loss_ce = criterion(model(inputs), labels)
                    l1_penalty = 0
                    for param in model.parameters():
                        l1_penalty += torch.abs(param).sum()
                    loss = loss_ce + lambda1 * l1_penalty
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    steps += 1
            found[lambda1, steps] = _as_listed(spec, model, data, criterion)
    return found


def _as_listed(spec: RunSpec, model: nn.Module, data, criterion: nn.Module) -> dict[str, float]:
    total, small = 0, 0
    for param in model.parameters():
        total += param.numel()
        small += torch.sum(torch.abs(param) < 1e-5).item()
    val_loss, count = 0.0, 0
    torch.manual_seed(seed_of(spec, "validation", 0))
    with torch.no_grad():
        for inputs, labels in zip(data.test.split(128), data.test_labels.split(128), strict=True):
            val_loss += criterion(model(inputs), labels).item()
            count += labels.size(0)
    norm = sum(p.abs().double().sum().item() for p in model.parameters())
    return {"norm": norm, "share": small / total, "test_loss_listed": val_loss / count}


@pytest.mark.parametrize("optimiser", ["SGD", "Adam"])
def test_the_runs_are_the_listings(optimiser: str) -> None:
    spec = _spec(optimiser)
    with torch.random.fork_rng():
        expected = _listing(spec)
    rows = chain(spec)
    assert [(r["experiment"], r["strength"], r["steps"]) for r in rows] == [
        ("leg", 2.0, 12),
        ("part", 0.002, 6),
        ("leg", 0.002, 12),
    ]
    for row in rows:
        told = expected[row["strength"], row["steps"]]
        assert row["norm"] == pytest.approx(told["norm"], rel=2e-3)
        assert row["share"] == pytest.approx(told["share"], abs=2e-3)
        assert row["test_loss_listed"] == pytest.approx(told["test_loss_listed"], rel=2e-3)
        assert row["curve_steps"] == list(range(6, row["steps"] + 1, 6))
        assert not row["diverged"]


def test_a_changed_run_stands_beside_the_listing_after_as_many_steps() -> None:
    """It is shorter than the listing, which is measured on its way."""
    rows = [
        *chain(_spec("Adam")),
        *chain(_spec("Adam", protocol=SWITCHES["shuffled"].as_dict(), epochs_small=[1])),
    ]
    ((old, new),) = changed(rows, "shuffled", "Adam", 0.002)
    assert (old["experiment"], old["steps"], new["experiment"], new["steps"]) == ("part", 6, "leg", 6)
    ((old, new),) = changed(rows, "shuffled", "Adam", 2.0)
    assert (old["experiment"], old["steps"], new["steps"]) == ("leg", 12, 12)
    assert old["start_norm"] == new["start_norm"]
    rows[-1].update(steps=3, diverged=True)  # shorter than planned: still shown, beside the listing's end
    ((old, new),) = changed(rows, "shuffled", "Adam", 0.002)
    assert (old["steps"], new["steps"]) == (12, 3)


def test_the_order_switched_has_a_fresh_optimiser_first() -> None:
    """Its run at 0.002 is what an uncarried listing's would be."""
    apart = replace(LISTING, name="apart", carried=False)
    switched = chain(_spec("Adam", protocol=SWITCHES["order"].as_dict()))
    uncarried = chain(_spec("Adam", protocol=apart.as_dict()))
    ends = [
        next(r for r in rows if r["experiment"] == "leg" and r["strength"] == 0.002)
        for rows in (switched, uncarried)
    ]
    assert ends[0]["norm"] == ends[1]["norm"]
    assert ends[0]["share"] == ends[1]["share"]


def test_the_stand_in_lies_within_bounds_of_its_own() -> None:
    """At most 0.06, so that 10,000 steps of 6e-6 suffice; no two weights at the same bound."""
    spec = _spec("SGD")
    state, _ = start_of(spec, data_of(spec), 1000, 0)
    sizes = torch.cat([p.reshape(-1) for p in state.values()]).abs()
    assert 0.055 < float(sizes.max()) <= 0.06
    large = sizes[sizes > 0.03]
    assert len(large) > 1000
    assert len(large.unique()) > 0.95 * len(large)


def test_adam_brings_its_second_moment_along() -> None:
    """Fresh, Adam walks 0.003 a step at any strength; after a run at 2 it hardly moves at 0.002."""
    starts = torch.linspace(-1, 1, 101)
    alone = walk("Adam", starts, [(0.002, 200)])
    after = walk("Adam", starts, [(2.0, 3000), (0.002, 200)])
    moved = float(starts.abs().mean()) - after["mean"]
    # 0.003 * 0.002 / 2 a step, as v is nearly 4 for the first hundred steps, and some momentum at the first.
    assert 0 < moved < 200 * 0.003 * 0.002 / 2 * 3
    assert alone["arrived"] > 0.55 > 0.02 > after["arrived"] - 1 / 101


@pytest.mark.parametrize("optimiser", ["SGD", "RMSProp", "Adam"])
def test_a_walk_is_the_floor(optimiser: str) -> None:
    starts = torch.from_numpy(np.random.default_rng(0).uniform(-0.2, 0.2, 400)).float()
    found = walk(optimiser, starts, [(2.0, 1200)])
    floor = ns.floor(
        lambda p: make_optimizer(optimiser, p), strength=2.0, start=starts, steps=1200, dtype="float32"
    )
    assert found["mean"] == pytest.approx(floor.mean_abs, rel=0.1)
    assert found["share"] == pytest.approx(floor.share_below, abs=0.02)
    assert found["arrived"] == floor.share_arrived == 1


def test_noise_moves_rmsprop_off_its_zeros() -> None:
    starts = torch.linspace(-0.02, 0.02, 300)
    still = walk("RMSProp", starts, [(2.0, 3000)])
    noisy = walk("RMSProp", starts, [(2.0, 3000)], 1e-2, torch.Generator().manual_seed(0))
    assert still["zero"] > 0.7
    assert noisy["zero"] < 0.01
    assert noisy["share"] < 0.05


def test_the_rounded_penalty_has_its_own_gradient() -> None:
    w = nn.Parameter(torch.tensor([-1.0, -0.2, 0.0, 0.1, 0.31]))
    optimizer = torch.optim.SGD([w], lr=1.0)
    handle = rounded(optimizer, [w], 2.0, 0.3)
    value = torch.where(w.abs() <= 0.3, w * w / 0.6, w.abs() - 0.15).sum() * 2.0
    (slope,) = torch.autograd.grad(value, w)
    before = w.detach().clone()
    w.grad = torch.full_like(w, 0.5)
    optimizer.step()
    assert before - w.detach() == pytest.approx(slope + 0.5)
    handle.remove()
    w.grad = torch.zeros_like(w)
    optimizer.step()
    assert before - w.detach() == pytest.approx(slope + 0.5)


@pytest.mark.parametrize("classes", [10, 1000])
def test_the_bound_on_a_living_networks_norm(classes: int) -> None:
    k = np.linspace(0, 20, 200_001)
    best = (np.log(10 + (classes - 10) * np.exp(-k)) + 0.02 * k).min()
    assert norm_of_constants(classes, 0.002) == pytest.approx(best / 0.002, rel=1e-4)


def test_weights_of_another_width_are_refused_before_anything_runs() -> None:
    claim = load("deep-l1")
    with pytest.raises(InputError, match="need VGG16 at width 1; use tier paper"):
        claim.runs("quick", claim.settings({"weights": "vgg16.pth"}))


def test_the_printed_size_is_refused_on_digits() -> None:
    claim = load("deep-l1")
    with pytest.raises(InputError, match="give CIFAR-10 by --data-dir"):
        claim.measure(claim.runs("paper", claim.settings())[0])


def test_a_missing_weights_file_is_named(tmp_path) -> None:
    spec = _spec("SGD", weights=str(tmp_path / "none.pth"))
    with pytest.raises(InputError, match=r"none\.pth"):
        chain(spec)


def test_a_killed_run_goes_on_where_it_was(tmp_path, monkeypatch) -> None:
    """Killed in the second run: the first one's checkpoint gives back the state that is carried."""
    spec = _spec("Adam")
    whole = chain(spec)
    with using(tmp_path):
        monkeypatch.setattr(_stand_in, "_kept", {})
        chain(spec)
        assert sorted(p.name for p in tmp_path.iterdir()) == [
            "listing-0.002-0.pt",
            "listing-0.002-1.pt",
            "listing-2-0.pt",
            "stand-in-0.pt",
        ]
        (tmp_path / "listing-0.002-1.pt").unlink()
        monkeypatch.setattr(_stand_in, "_kept", {})
        assert chain(spec) == whole


def test_a_stand_in_killed_while_its_bounds_fall_goes_on(tmp_path, monkeypatch) -> None:
    spec = _spec("Adam")
    monkeypatch.setattr(_stand_in, "_kept", {})
    whole, reached = start_of(spec, data_of(spec), 1000, 0)
    save = Checkpoint.save

    def save_and_die(self, progress) -> None:
        save(self, progress)
        raise KeyboardInterrupt

    with using(tmp_path):
        monkeypatch.setattr(_stand_in, "_kept", {})
        with monkeypatch.context() as patched:
            patched.setattr(Checkpoint, "save", save_and_die)
            data = data_of(spec)
            with pytest.raises(KeyboardInterrupt):
                start_of(spec, data, 1000, 0)
        again, same = start_of(spec, data_of(spec), 1000, 0)
    assert same == reached
    assert all(torch.equal(again[name], p) for name, p in whole.items())


def test_tier_paper_is_the_printed_size() -> None:
    claim = load("deep-l1")
    specs = claim.runs("paper", claim.settings({"device": "cuda", "weights": "vgg16.pth"}))
    legs = [s for s in specs if s.experiment == "leg"]
    listing = [s for s in legs if s["protocol"]["name"] == "listing"]
    assert {s["optimiser"] for s in listing} == {"SGD", "RMSProp", "Adam"}
    assert {s.seeds for s in listing} == {(0,), (1,), (2,)}
    for spec in listing:
        assert (spec["width"], spec["side"], spec["batch"], spec["count"]) == (1.0, 32, 512, None)
        assert (sum(spec["epochs_small"]), sum(spec["epochs_large"])) == (200, 200)
    assert {s["device"] for s in legs} == {"cuda"}


def test_quick_rows_tell_the_papers_cells(quick) -> None:
    outcome, _ = quick("deep-l1")
    rows = outcome.rows_by_claim["deep-l1"]
    cells = {
        (r["optimiser"], r["strength"], r["carried"]): r["share"]
        for r in rows
        if r["experiment"] == "printed"
    }
    assert cells["SGD", 2.0, False] == pytest.approx(0.00167, rel=0.3)  # printed 0.18 %
    assert cells["SGD", 0.002, False] == 1  # printed 99.89 %
    assert cells["Adam", 2.0, False] == pytest.approx(0.0228, abs=0.01)  # printed 2.28 %
    assert cells["Adam", 0.002, True] < 0.6 * cells["Adam", 0.002, False]


def test_diverged_runs_are_judged_and_drawn(quick) -> None:
    outcome, _ = quick("deep-l1")
    rows = copy.deepcopy(outcome.rows_by_claim["deep-l1"])
    lost = {"norm": np.nan, "norm_penalised": np.nan, "share": 0.0, "loss": np.nan, "test_loss": np.nan}
    hit = [r for r in rows if r["experiment"] == "leg" and r["optimiser"] == "Adam" and r["strength"] == 2]
    for row in hit:
        row.update(lost, diverged=True, curve_norms=[np.nan] * len(row["curve_norms"]))
    claim = load("deep-l1")
    told = [f.why for f in claim.verdict(rows).findings if f.part == "larger-norm-Adam"]
    assert any("Diverged: 1 runs" in why for why in told)
    assert len(claim.drawings(rows)) == 4
