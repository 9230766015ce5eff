"""Small fully connected networks, many at once: the loss, its gradient and its curvature for all seeds in one tensor.

Every seed's parameters are a row of theta, (S, P), in the order of ``nonsmooth.networks.mlp``'s parameters: a
layer's weight, then its bias. A layer is one batched matrix product (``torch.baddbmm``) over the seeds; the
gradient is one backward pass of the sum of the seeds' losses, which no two seeds share a term of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from nonsmooth.datasets import images
from nonsmooth.networks import activation, initialise, mlp
from nonsmooth.runs import RunSpec
from nonsmooth.training import Resident

__all__ = ["LOSSES", "Dense", "parity", "small_images", "start_seed"]

# Losses of one output o against y = -1 or 1, or of K outputs against K-dimensional targets.
LOSSES = ("square", "logistic", "hinge", "cross-entropy")


def start_seed(spec: RunSpec, seed: int) -> int:
    """The seed of torch's generator from the spec's stream of starts."""
    return int(spec.rng("start", seed).integers(2**62))


def small_images(name: str, count: int, side: int, device: str = "cpu") -> tuple[Tensor, Tensor]:
    """The first ``count`` training images, classes balanced, shrunk to side x side, as rows of numbers.

    Args:
        name: as ``nonsmooth.datasets.images``.
        count: how many.
        side: pixels of a side after the mean over blocks; a divisor of the images' own.
        device: where they are put.

    Returns:
        (count, channels * side^2) float64, mean 0 and standard deviation 1 a channel; (count,) class indices.

    >>> x, labels = small_images("digits", 50, 4)
    >>> x.shape, torch.bincount(labels).tolist()
    (torch.Size([50, 16]), [5, 5, 5, 5, 5, 5, 5, 5, 5, 5])
    """
    source = images(name)
    shrink = source.train.shape[-1] // side
    data = Resident.of(source, device=device, dtype=torch.float64, count=count, test_count=0, shrink=shrink)
    return data.train.flatten(1), data.train_labels


def parity(labels: Tensor) -> Tensor:
    """Targets of one output, (N, 1): 1 for odd classes, -1 for even ones.

    >>> parity(torch.tensor([0, 1, 4])).flatten().tolist()
    [-1.0, 1.0, -1.0]
    """
    return (2.0 * (labels % 2) - 1).to(torch.float64)[:, None]


class Dense:
    """f(theta) = mean of the samples' losses + ridge/2 ||theta||^2, of a fully connected network.

    Args:
        sizes: features from the input to the output.
        activation: as ``nonsmooth.networks.activation``.
        loss: one of ``LOSSES``: (o - y)^2/2 summed over the outputs, log(1 + exp(-y o)), max(0, 1 - y o), or
            softmax cross-entropy.
        x: (N, sizes[0]) inputs.
        y: (N, sizes[-1]) targets; for "cross-entropy" (N,) class indices.
        ridge: weight decay, >= 0.

    >>> x, y = torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [0.0]])
    >>> net = Dense((1, 1, 1), "relu", "square", x, y)
    >>> net.values(torch.tensor([[1.0, 0.0, 2.0, -1.0]]))  # outputs 2x - 1 = 1 and 3
    tensor([2.2500])
    """

    def __init__(
        self, sizes: Sequence[int], activation_name: str, loss: str, x: Tensor, y: Tensor, ridge: float = 0.0
    ) -> None:
        if loss not in LOSSES:
            raise ValueError(f"loss = {loss!r}; choose one of {', '.join(LOSSES)}")
        self.sizes, self.activation_name, self.loss, self.ridge = tuple(sizes), activation_name, loss, ridge
        self.x, self.y = x, y
        self._bend = activation(activation_name)

    @cached_property
    def parameters(self) -> int:
        return sum(into * out + out for into, out in pairwise(self.sizes))

    @property
    def samples(self) -> int:
        return len(self.x)

    def start(self, seeds: Sequence[int], scheme: str = "he") -> Tensor:
        """One start a seed of torch's generator, (S, P), drawn by ``nonsmooth.networks.initialise``."""
        rows = []
        for seed in seeds:
            net = initialise(mlp(self.sizes, self.activation_name), scheme, self.activation_name, seed)
            rows.append(torch.nn.utils.parameters_to_vector(net.parameters()).detach())
        return torch.stack(rows).to(self.x)

    def layers(self, theta: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Weights (S, out, in) and biases (S, out), first layer first; views."""
        at = 0
        for into, out in pairwise(self.sizes):
            yield theta[:, at : at + into * out].unflatten(1, (out, into)), theta[:, at + into * out :][:, :out]
            at += into * out + out

    def forward(self, theta: Tensor) -> tuple[list[Tensor], Tensor]:
        """Pre-activations of the hidden layers, each (S, N, m), and the outputs (S, N, K)."""
        seeds = len(theta)
        h = self.x.expand(seeds, *self.x.shape)
        inner = []
        for k, (weight, bias) in enumerate(self.layers(theta)):
            z = torch.baddbmm(bias[:, None, :], h, weight.transpose(1, 2))
            if k == len(self.sizes) - 2:
                return inner, z
            inner.append(z)
            h = self._bend(z)
        raise AssertionError("a network has a last layer")

    def values(self, theta: Tensor) -> Tensor:
        """(S,) losses; differentiable."""
        return self._of_outputs(self.forward(theta)[1]) + self.ridge / 2 * (theta * theta).sum(1)

    def slopes(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Losses (S,) and gradients (S, P), torch's choice at a kink."""
        with torch.enable_grad():
            theta = theta.detach().requires_grad_()
            values = self.values(theta)
            (gradient,) = torch.autograd.grad(values.sum(), theta)
        return values.detach(), gradient

    def curvatures(self, theta: Tensor, ways: Tensor) -> Tensor:
        """(S, P) Hessian-vector products, by a second backward pass: exact inside a cell of activations."""
        with torch.enable_grad():
            theta = theta.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.values(theta).sum(), theta, create_graph=True)
            (product,) = torch.autograd.grad((gradient * ways).sum(), theta)
        return product

    def _of_outputs(self, o: Tensor) -> Tensor:
        if self.loss == "cross-entropy":
            seeds, samples, classes = o.shape
            target = self.y.expand(seeds, samples).reshape(-1)
            each = functional.cross_entropy(o.reshape(-1, classes), target, reduction="none")
            return each.view(seeds, samples).mean(1)
        if self.loss == "square":
            return ((o - self.y) ** 2).sum(2).mean(1) / 2
        if self.loss == "logistic":
            return functional.softplus(-self.y * o, threshold=40).sum(2).mean(1)
        return torch.clamp(1 - self.y * o, min=0).sum(2).mean(1)
