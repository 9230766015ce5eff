"""Which data a certificate has seen, and how its batches are put together."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset

import nonsmooth as ns


def _setting(rows: int = 43) -> tuple[nn.Linear, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return (
        nn.Linear(5, 3).double(),
        torch.randn(rows, 5, dtype=torch.float64),
        torch.randint(0, 3, (rows,)),
    )


def test_a_loader_that_drops_the_last_batch_has_not_given_all() -> None:
    net, x, y = _setting()
    loss, penalty, data = nn.CrossEntropyLoss(), ns.L1(0.05), TensorDataset(x, y)
    found = ns.certificate(net, loss, DataLoader(data, 10, drop_last=True), penalty)
    assert (found.partial, found.samples, found.total, found.gap) == (True, 40, 43, None)
    assert found.interval is not None
    assert found.interval[0] < found.distance < found.interval[1]
    assert "40 of 43 samples" in str(found)
    whole = ns.certificate(net, loss, [(x, y)], penalty).distance
    assert found.interval[0] < whole < found.interval[1]
    for loader in (DataLoader(data, 10), DataLoader(TensorDataset(x[:40], y[:40]), 10, drop_last=True)):
        found = ns.certificate(net, loss, loader, penalty)
        assert (found.partial, found.interval) == (False, (found.distance,) * 2)
        assert found.gap is not None


def test_the_data_of_a_sampler_are_what_it_draws_from() -> None:
    net, x, y = _setting()
    loader = DataLoader(TensorDataset(x, y), 5, sampler=SubsetRandomSampler(range(20)))
    found = ns.certificate(net, nn.CrossEntropyLoss(), loader, ns.L1(0.05), max_batches=2)
    assert (found.samples, found.total) == (10, 20)


def test_a_loader_of_ready_batches_does_not_say_how_many_samples_there_are() -> None:
    """Its data set's length is the number of batches, of which so many samples would be more than all."""
    net, x, y = _setting(60)
    batches = [*zip(x.split(10), y.split(10), strict=True)]
    loader = DataLoader(batches, batch_size=None)  # type: ignore[arg-type]
    found = ns.certificate(net, nn.CrossEntropyLoss(), loader, ns.L1(0.05), max_batches=3)
    assert (found.samples, found.total, found.partial) == (30, None, True)
    assert found.interval is not None
    assert found.interval[0] < found.interval[1]


@pytest.mark.parametrize(
    "loss", [nn.CrossEntropyLoss(weight=torch.tensor([1.0, 9.0, 0.2])), nn.CrossEntropyLoss(ignore_index=1)]
)
def test_means_that_are_weighted_within_a_batch(loss: nn.CrossEntropyLoss) -> None:
    net, x, y = _setting()
    loss = loss.double()
    weight = torch.tensor([1.0, 0.0, 1.0]) if loss.weight is None else loss.weight
    batches, penalty = [*zip(x.split(10), y.split(10), strict=True)], ns.L1(0.05)
    whole = ns.certificate(net, loss, [(x, y)], penalty)
    assert "divides by the weights" not in whole.what_it_says
    by_length = ns.certificate(net, loss, batches, penalty)
    assert "divides by the weights of a batch's samples" in by_length.what_it_says.replace("\n  ", " ")
    assert abs(by_length.loss - whole.loss) > 1e-3
    by_weight = ns.certificate(net, loss, batches, penalty, size=lambda batch: weight[batch[1]].sum())
    assert "divides by the weights" not in by_weight.what_it_says
    assert by_weight.distance == pytest.approx(whole.distance, rel=1e-12)
