"""Small problems, and the Hessian entry by entry: an oracle without anything of the package."""

import copy
import math

import numpy as np
import torch
from torch import nn

MSE = nn.MSELoss()


def data(rows: int = 30, seed: int = 0, dtype: torch.dtype = torch.float64):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 4, generator=generator, dtype=torch.float64)
    return x.to(dtype), torch.randn(rows, 2, generator=generator, dtype=torch.float64).to(dtype)


def network(activation: type = nn.Tanh, *, extra: tuple[nn.Module, ...] = ()) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), *extra, activation(), nn.Linear(6, 2)).double()


class PlainNorm(nn.Module):
    """Batch norm in plain operations: torch.func derives torch's own wrongly twice (torch 2.13)."""

    def __init__(self, norm: nn.BatchNorm1d) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - x.mean(0)) / (x.var(0, correction=0) + self.eps).sqrt() * self.weight + self.bias


def dense(net: nn.Module, x: torch.Tensor, y: torch.Tensor, loss=MSE) -> np.ndarray:
    """The Hessian, entry by entry: torch.func on a copy, nothing of the package."""
    net = copy.deepcopy(net)
    for name, part in net.named_children():
        if isinstance(part, nn.BatchNorm1d) and part.training:
            net.set_submodule(name, PlainNorm(part))
    names, shapes = zip(*((n, p.shape) for n, p in net.named_parameters()), strict=True)
    sizes = [math.prod(shape) for shape in shapes]

    def of(flat: torch.Tensor) -> torch.Tensor:
        parts = [part.view(shape) for part, shape in zip(flat.split(sizes), shapes, strict=True)]
        return loss(torch.func.functional_call(net, dict(zip(names, parts, strict=True)), (x,)), y)

    flat = torch.cat([p.detach().reshape(-1) for p in net.parameters()])
    return torch.func.jacrev(torch.func.jacrev(of))(flat).detach().numpy()


def train(net: nn.Module, optimizer, x, y):
    optimizer.zero_grad()
    MSE(net(x), y).backward()
    optimizer.step()
