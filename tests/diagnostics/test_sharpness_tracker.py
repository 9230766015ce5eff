"""The tracker follows the sharpness during training."""

import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from diagnostics.dense_hessian import MSE, data, dense, network, train
from nonsmooth import InputError
from nonsmooth.diagnostics import sharpness
from nonsmooth.diagnostics._sharpness_tracker import SharpnessTracker


def test_the_tracker_follows_with_few_products() -> None:
    net, (x, y) = network(), data()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    tracker = SharpnessTracker(net, MSE, iter([(x, y)]), optimizer)
    for _ in range(60):
        train(net, optimizer, x, y)
        found = tracker.record()
        exact = np.linalg.eigvalsh(dense(net, x, y))[-1]
        assert found is not None
        assert abs(found.value - exact) <= 1e-3 * exact
    assert tracker.steps == list(range(1, 61))
    assert tracker.edges == [40.0] * 60
    warm = [each.products for each in tracker.results if each.warm]
    assert sum(warm) / len(warm) <= 3
    assert [k for k, each in enumerate(tracker.results) if not each.warm] == [0, 25, 50]
    assert sum(len(each.vectors) for each in tracker.results) == 1


def test_the_tracker_finds_what_has_overtaken() -> None:
    """Two directions that do not mix: the second becomes the sharper one, unseen by the first eigenvector."""
    w = nn.Linear(2, 1, bias=False).double()
    x = torch.diag(torch.tensor([1.0, 1.0])).double()
    weights = torch.tensor([4.0, 1.0]).double()

    def loss(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (weights[:, None] * out * out).sum()

    optimizer = torch.optim.SGD(w.parameters(), lr=1e-9)
    tracker = SharpnessTracker(w, loss, [(x, x[:, :1])], optimizer)
    tracker.record()
    weights[1] = 9.0
    for _ in range(26):
        tracker.record()
    assert tracker.values[0] == pytest.approx(8.0)
    assert tracker.values[25:] == pytest.approx([18.0, 18.0])


def test_the_tracker_every_so_many_steps_and_its_drawing() -> None:
    net, (x, y) = network(), data()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    tracker = SharpnessTracker(net, MSE, [(x, y)], optimizer, every=4, max_products=3)
    seen = []
    for _ in range(9):
        train(net, optimizer, x, y)
        seen.append(tracker.record() is not None)
    assert seen == [True, False, False, False, True, False, False, False, True]
    assert tracker.steps == [1, 5, 9]
    assert not all(tracker.converged)
    drawing = tracker.draw()
    labels = [text.get_text() for text in drawing.figure.axes[0].get_legend().get_texts()]
    assert labels == ["sharpness", "edge of Adam", f"not converged ({tracker.converged.count(False)})"]
    assert drawing.figure.axes[0].get_xlabel() == "step"
    assert "have not converged" in drawing.caption


def test_a_run_that_diverges_is_a_row_and_no_error() -> None:
    net, (x, y) = network(), data()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    tracker = SharpnessTracker(net, MSE, [(x, y)], optimizer, k=2)
    tracker.record()
    kept = net[0].weight.detach().clone()
    torch.nn.init.constant_(net[0].weight, math.nan)
    row = tracker.record()
    assert row is not None
    assert (row.finite, row.converged, row.products, row.edge) == (False, False, 0, 40.0)
    assert np.isnan(row.eigenvalues).tolist() == np.isnan(row.residuals).tolist() == [True, True]
    assert row.why.startswith("0.weight holds NaN or infinity")
    assert str(row).startswith("NO SHARPNESS: 0.weight holds NaN")
    (seen,) = row.observations()
    assert (seen.level, seen.remedy) == ("unknown", "Load weights from before the run diverged.")
    assert "NaN" not in json.dumps(row.as_dict()["eigenvalues"], allow_nan=False)
    assert "1 of these are not finite" in tracker.draw().caption
    net[0].weight.data.copy_(kept)
    again = tracker.record()
    assert again is not None
    assert (again.finite, again.converged, again.warm) == (True, True, False)
    assert again.value == pytest.approx(tracker.values[0], rel=1e-3)
    assert tracker.steps == [1, 2, 3]


def test_a_result_whose_vectors_are_dropped_is_no_start() -> None:
    net, (x, y) = network(), data()
    tracker = SharpnessTracker(net, MSE, [(x, y)], torch.optim.SGD(net.parameters(), lr=0.05))
    for _ in range(5):
        tracker.record()
    with pytest.raises(InputError, match="holds no vectors any more"):
        sharpness(net, MSE, [(x, y)], start=tracker.results[0])


def test_a_loss_or_a_product_that_is_not_finite_is_a_row_too() -> None:
    net, (x, y) = network(), data()
    rooted = SharpnessTracker(
        net, lambda out, y: (out - out.detach()).abs().sqrt().sum(), [(x, y)], None
    ).record()
    assert rooted is not None
    assert "not finite" in rooted.why
    large = SharpnessTracker(net, lambda out, y: out.mean() * math.inf, [(x, y)], None).record()
    assert large is not None
    assert "the loss is" in large.why
    assert (large.edge, large.ratio, large.samples) == (None, None, len(x))
