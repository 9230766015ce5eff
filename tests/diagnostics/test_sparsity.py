"""Counts against loops over entries."""

import itertools
import json

import numpy as np
import pytest
import torch
from torch import nn

from nonsmooth.diagnostics._sparsity import sparsity
from nonsmooth.errors import InputError


def sparse(module: nn.Module, seed: int) -> nn.Module:
    """Zero entries, rows, columns and kernels, at random."""
    rng = np.random.default_rng(seed)
    for parameter in module.parameters():
        parameter.data *= torch.as_tensor(rng.random(tuple(parameter.shape)) < 0.6)
        if parameter.ndim >= 2:
            parameter.data *= torch.as_tensor(
                rng.random((*parameter.shape[:2], *[1] * (parameter.ndim - 2))) < 0.5
            )
            parameter.data[torch.as_tensor(rng.random(parameter.shape[0]) < 0.3)] = 0
            parameter.data[:, torch.as_tensor(rng.random(parameter.shape[1]) < 0.3)] = 0
    return module


def reads(module, weight: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
    """The kernel with which each output reads each input, straight from the documentation of the layers."""
    if isinstance(module, nn.Linear):
        return {(o, i): weight[o, i] for o, i in np.ndindex(weight.shape)}
    groups = module.groups
    outputs, inputs = module.out_channels // groups, module.in_channels // groups
    kernels = {}
    for g, o, i in itertools.product(range(groups), range(outputs), range(inputs)):
        place = (g * outputs + o, i)
        if isinstance(module, (nn.ConvTranspose1d, nn.ConvTranspose2d)):
            place = (g * inputs + i, o)
        kernels[g * outputs + o, g * inputs + i] = weight[place]
    return kernels


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "module",
    [
        nn.Linear(7, 5),
        nn.Conv1d(4, 6, 3),
        nn.Conv2d(6, 9, (2, 3), groups=3),
        nn.Conv2d(4, 4, 3, groups=4),
        nn.ConvTranspose1d(6, 4, 2, groups=2),
        nn.ConvTranspose2d(3, 5, 2),
    ],
    ids=str,
)
def test_rows_columns_and_kernels(module: nn.Module, seed: int) -> None:
    found = sparsity(sparse(module, seed)).tensors[0]
    weight = module.weight.detach().numpy()  # type: ignore[union-attr]
    kernels = reads(module, weight)
    zero = {pair for pair, kernel in kernels.items() if not np.any(kernel)}
    outputs, inputs = {o for o, _ in kernels}, {i for _, i in kernels}
    rows = sum(all(pair in zero for pair in kernels if pair[0] == o) for o in outputs)
    columns = sum(all(pair in zero for pair in kernels if pair[1] == i) for i in inputs)
    assert found.rows == (rows, len(outputs))
    assert found.columns == (columns, len(inputs))
    assert found.kernels == (None if isinstance(module, nn.Linear) else (len(zero), len(kernels)))
    assert (found.zeros, found.entries) == (int((weight == 0).sum()), weight.size)


@pytest.mark.parametrize("block", [(1, 1), (2, 3), (4, 4), (9, 50)])
def test_blocks(block: tuple[int, int]) -> None:
    module = sparse(nn.Conv2d(3, 7, 2), 3)
    matrix = module.weight.detach().reshape(7, 12).numpy()  # type: ignore[operator]
    corners = list(itertools.product(range(0, 7, block[0]), range(0, 12, block[1])))
    zero = sum(not matrix[r : r + block[0], c : c + block[1]].any() for r, c in corners)
    assert sparsity(module, block=block).tensors[0].blocks == (zero, len(corners))
    assert sparsity(module, block=4).block == (4, 4)


def test_tied_weights_count_once() -> None:
    model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5, bias=False))
    model[1].weight = model[0].weight
    model[0].weight.data[2] = 0.0
    (only,) = sparsity(model).tensors
    assert (only.name, only.also) == ("0.weight", ("1.weight",))
    assert (only.entries, only.zeros, only.rows) == (20, 4, (1, 5))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_thresholds_precisions_and_not_a_number(dtype: torch.dtype) -> None:
    model = nn.Linear(4, 1, bias=False).to(dtype)
    model.weight.data[:] = torch.tensor([0.0, -0.25, 0.5, float("nan")])
    assert [sparsity(model, t).zeros for t in (0.0, 0.25, 0.4, 1e9)] == [1, 2, 2, 3]
    assert "|w| <= 0.25: not exactly zero" in str(sparsity(model, 0.25))


def test_table_and_json() -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.PReLU())
    model[0].weight.data[1:, 0] = 0.0
    report = sparsity(model, block=2)
    lines = str(report).splitlines()
    assert " ".join(lines[0].split()) == "parameter shape entries zeros share rows columns kernels 2x2 blocks"
    assert lines[1].split()[:5] == ["0.weight", "4x2x3x3", "72", "27", "37.5%"]
    assert lines[-1].split()[0] == "total"
    plain = json.loads(json.dumps(report.as_dict()))
    assert plain["tensors"][0]["kernels"] == [3, 8]
    assert plain["share"] == pytest.approx(report.zeros / report.entries)
    assert sparsity(nn.ReLU()).share == 0.0


def test_bad_input() -> None:
    with pytest.raises(InputError, match=r"give a torch\.nn\.Module"):
        sparsity([torch.ones(2)])  # type: ignore[arg-type]
    for threshold in (-1.0, float("nan"), float("inf"), "small"):
        with pytest.raises(InputError, match="threshold = "):
            sparsity(nn.Linear(1, 1), threshold)  # type: ignore[arg-type]
    for block in (0, (2, 0), (1, 2, 3), 2.5, (2, 1.5), "two"):
        with pytest.raises(InputError, match="block = "):
            sparsity(nn.Linear(1, 1), block=block)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="run the model once"):
        sparsity(nn.LazyLinear(2))
