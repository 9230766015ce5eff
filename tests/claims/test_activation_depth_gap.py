"""The experiment's own parts: times, censoring, pairing, intervals; and twins that must coincide."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nonsmooth.claims import load
from nonsmooth.claims.activation_depth_gap._effects import effects
from nonsmooth.claims.activation_depth_gap._experiments import time_to, train_networks
from nonsmooth.claims.activation_depth_gap._judgement import gap_widens
from nonsmooth.claims.activation_depth_gap._plan import KINKED_GELU, NARROW, PAIR, groups
from nonsmooth.claims.activation_depth_gap._times import (
    best_step,
    by_setting,
    censored,
    log_rank,
    paired,
    pooled,
    ratio,
    tuned,
)
from nonsmooth.errors import InputError
from nonsmooth.networks import smoothness
from nonsmooth.runs import RunSpec

TINY = {
    "images": "digits",
    "device": "cpu",
    "batch": 128,
    "count": 256,
    "side": 16,
    "targets": [0.9, 0.8],
    "depth": 11,
    "batch_norm": False,
    "activation": "relu",
    "init": "torch",
    "optimiser": "adam",
    "stepsize": 1e-3,
    "epochs": 3,
}


def trained(seeds: tuple[int, ...] = (0,), **changed) -> list[dict]:
    return train_networks(RunSpec("activation-depth-gap", "race", {**TINY, **changed}, seeds))


def row(time: int | None, seed: int = 0, horizon: int = 100, **more) -> dict:
    return {"times": [time, time], "seed": seed, "horizon": horizon, **more}


@given(losses=st.lists(st.floats(0, 3), max_size=30), target=st.floats(0, 3), window=st.integers(1, 8))
def test_the_time_is_the_first_step_with_a_low_mean(losses: list[float], target: float, window: int) -> None:
    found = None
    for step in range(window, len(losses) + 1):
        if np.mean(losses[step - window : step]) <= target:
            found = step
            break
    assert time_to(losses, target, window) == found


def test_losses_that_are_no_numbers_reach_nothing() -> None:
    assert time_to([1.0, math.nan, math.nan], 2.0, 2) is None
    assert time_to([1.0, 1.0, math.nan], 2.0, 2) == 2


def test_a_kinked_gelu_of_spacing_5_is_relu_and_an_analytic_one_of_width_8_5_is_gelu() -> None:
    """The ends of both roads, step for step: the same start, the same batches, the same function."""
    for name, twin in (("relu", "kinked-gelu:5"), ("gelu", "analytic-relu:8.5")):
        (plain,), (other,) = trained(activation=name), trained(activation=twin)
        assert plain["losses"] == other["losses"]
        assert plain["lowest"] == other["lowest"]
    assert trained(activation="gelu")[0]["losses"] != trained()[0]["losses"]


def test_seeds_change_the_start_and_a_spec_with_more_seeds_has_the_same_runs() -> None:
    both = trained((0, 1))
    assert both[0]["losses"] != both[1]["losses"]
    assert trained((1,)) == [both[1]]


def test_a_run_ends_once_both_targets_are_reached_and_is_censored_if_they_are_not() -> None:
    easy, hard = trained(targets=[1.1, 1.05])[0], trained(targets=[1.1, 1e-6])[0]
    assert easy["times"] == [2, 2]
    assert easy["steps"] == [2]
    assert hard["times"] == [2, None]
    assert hard["steps"][-1] == hard["horizon"] == 6
    assert hard["losses"][0] == easy["losses"][0]


def test_a_run_that_diverges_is_a_row_and_counts_as_censored() -> None:
    (found,) = trained(optimiser="sgd", stepsize=1e6, init="he")
    assert found["diverged"]
    assert found["times"] == [None, None]
    assert math.isfinite(found["lowest"])


def test_the_step_size_is_chosen_on_the_other_seeds() -> None:
    """A seed with a lucky run at one step size does not get that step size for it."""
    steps = {
        0.1: {seed: row(20, seed) for seed in range(4)},
        0.2: {**{seed: row(40, seed) for seed in range(3)}, 3: row(1, 3)},
    }
    chosen = tuned(steps)
    assert chosen[3]["times"] == [20, 20]
    assert best_step(steps) == 0.2  # the lucky run carries it, where it is not left out
    assert tuned({}) == {}


def test_pairs_share_step_sizes_and_seeds() -> None:
    activations = {
        "relu": {0.1: {0: row(50), 1: row(60), 2: row(70)}, 0.2: {0: row(5), 1: row(6)}},
        "gelu": {0.1: {0: row(25), 1: row(30)}},
    }
    runs = paired(activations, ("relu", "gelu"))
    assert [[r["times"][0] for r in each.values()] for each in runs.values()] == [[50, 60], [25, 30]]
    found = ratio(runs["relu"], runs["gelu"])
    assert (found.value, found.n) == (pytest.approx(2), 2)
    assert paired(activations, ("relu", "elu")) == {}


@given(
    logs=st.lists(st.floats(-2, 2), min_size=2, max_size=9).filter(lambda x: np.std(x) > 1e-3),
    comparisons=st.integers(1, 12),
)
def test_intervals_are_students(logs: list[float], comparisons: int) -> None:
    found = pooled(logs, comparisons)
    low, high = stats.ttest_1samp(logs, 0).confidence_interval(1 - 0.05 / comparisons)
    assert np.log(found.value) == pytest.approx(np.mean(logs), abs=1e-9)
    assert np.log(found.interval) == pytest.approx(np.clip([low, high], -700, 700), rel=1e-6, abs=1e-9)


def test_censored_runs_enter_the_survival_curve_and_the_test() -> None:
    runs = [row(10), row(20), row(None), row(None)]
    curve = stats.ecdf(censored(runs)).sf
    assert curve.evaluate([5, 15, 50]).tolist() == [1, 0.75, 0.5]
    early = [row(3), row(4), row(5), row(6)]
    p = log_rank(early, runs)
    assert p == pytest.approx(float(stats.logrank(censored(early), censored(runs)).pvalue))
    assert p is not None
    assert p < 0.05
    assert log_rank([row(None)], [row(None)]) is None


def test_the_twins_are_of_the_classes_that_the_control_needs() -> None:
    assert all(smoothness(name) in ("C1,1", "analytic") for name in NARROW)
    assert smoothness(KINKED_GELU) == smoothness("relu") == "Lipschitz"
    assert smoothness("gelu") == "analytic"


@pytest.mark.parametrize("tier", ["laptop", "paper"])
def test_at_the_larger_tiers_each_activation_has_its_step_sizes_and_seeds(tier) -> None:
    for group in groups(tier, 5e-4):
        assert group.seeds >= 5
        swept = group.experiment == "race" and group.activations == PAIR and group.init != "he"
        assert len(group.stepsizes) >= (4 if swept else 1)
    kinds = {(g.batch_norm, g.optimiser) for g in groups(tier, 5e-4) if g.experiment == "race"}
    assert kinds == {(norm, name) for norm in (False, True) for name in ("adam", "sgd")}


def test_tier_paper_refuses_digits() -> None:
    claim = load("activation-depth-gap")
    spec = claim.runs("paper", claim.settings())[0]
    with pytest.raises(InputError, match=r"trains on all of CIFAR-10, not on digits; .* --data-dir"):
        claim.measure(spec)


def test_images_that_are_not_square_are_refused(monkeypatch) -> None:
    from nonsmooth import datasets

    digits = datasets.images("digits")
    wide = dataclasses.replace(digits, name="wide", train=digits.train[:, :, :6], test=digits.test[:, :, :6])
    monkeypatch.setattr(datasets, "images", {"wide": wide}.__getitem__)
    with pytest.raises(InputError, match="6 x 8 pixels; give square ones"):
        trained(images="wide")


def raced(time, depths=(11, 19), stepsizes=(0.001, 0.003)) -> list[dict]:
    """Eight seeds of ReLU and GELU with Adam, no batch norm; ``time`` of a row gives its steps or None."""
    rows = []
    for depth in depths:
        for init in ("torch", "matched"):
            for name in PAIR:
                for stepsize in stepsizes:
                    for seed in range(8):
                        made = {"experiment": "race", "depth": depth, "batch_norm": False, "init": init}
                        made |= {"optimiser": "adam", "activation": name, "stepsize": stepsize, "seed": seed}
                        made |= {"horizon": 400, "targets": [2.0, 1.9], "classes": 10, "lowest": 1.8}
                        made |= {"count": 2048, "images": "digits", "size": 8, "diverged": False}
                        steps = time(made)
                        rows.append({**made, "times": [steps and steps + seed] * 2})
    return rows


def test_a_gap_that_opens_the_other_way_round_is_said() -> None:
    """At one step size ReLU trains at depth 19 and GELU does not: never an argument for the claim."""

    def stays(made: dict) -> int | None:
        deep = made["depth"] == 19 and made["stepsize"] == 0.003 and made["init"] == "torch"
        return None if deep and made["activation"] == "gelu" else 50

    ruling, _ = gap_widens(raced(stays))
    assert ruling.answer == "differs"
    assert "The other way round" in ruling.why
    assert "torch initialisation, Adam, α = 0.003 for all" in ruling.why
    plain, _ = gap_widens(raced(lambda made: 50))
    assert "other way round" not in plain.why


def test_where_no_run_trains_no_ratio_is_told() -> None:
    rows = raced(lambda made: None if made["init"] == "torch" and made["depth"] == 19 else 50)
    _, findings = gap_widens(rows)
    (found,) = (each for each in findings if each.name.endswith("11: torch initialisation, Adam"))
    assert found.measured == "no run trains at depth 19, 1.00 at 11"
    assert found.interval is None
    told = {(what, depth): note for what, depth, _, note in effects(rows)}
    assert ("ReLU → GELU, torch's initialisation", 19) not in told
    assert told["ReLU → GELU, torch's initialisation", 11] == ""
    assert told["initialisation: torch's → matched, ReLU", 19] == " (8 of 8 and 0 of 8 censored)"


def test_rows_are_sorted_into_settings() -> None:
    rows = [
        {**row(5, seed), "experiment": experiment, "depth": 11, "batch_norm": False, "init": "torch"}
        | {"optimiser": "adam", "activation": "relu", "stepsize": 0.1}
        for seed in (0, 1)
        for experiment in ("race", "curves")
    ]
    ((setting, found),) = by_setting(rows).items()
    assert str(setting) == "depth 11, no batch norm, torch initialisation, Adam"
    assert set(found["relu"][0.1]) == {0, 1}
