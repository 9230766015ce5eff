"""Small fully connected networks, many at once: loss, gradient and curvature for all seeds in one tensor.

Every seed's parameters are a row of theta, (S, P), in the order of ``nonsmooth.networks.mlp``'s: a layer's
weight, then its bias. A layer is one batched matrix product (``torch.baddbmm``) over the seeds; the gradient
is one backward pass of the sum of the seeds' losses, which share no term. Each seed may have its own samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from nonsmooth.datasets import images
from nonsmooth.networks import activation, initialise, mlp
from nonsmooth.runs import RunSpec
from nonsmooth.training import Resident

__all__ = ["LOSSES", "Dense", "Pass", "one_hot", "parity", "small_images", "starts"]

# Losses of K outputs o against K targets (-1 or 1 for "logistic" and "hinge"), or against a class index.
LOSSES = ("square", "logistic", "hinge", "cross-entropy")


def starts(spec: RunSpec) -> list[int]:
    """A seed of torch's generator for each of the spec's seeds, from the stream of starts."""
    return [int(spec.rng("start", seed).integers(2**62)) for seed in spec.seeds]


def small_images(
    spec: RunSpec, samples: int, side: int, *, pool: int = 1000, own: bool = True
) -> tuple[Tensor, Tensor]:
    """Training images shrunk to side x side as rows of numbers, classes balanced.

    Args:
        spec: with the parameters ``images`` and ``device``; its stream "data" draws each seed's samples.
        samples: a seed, a multiple of the number of classes.
        side: pixels of a side, a divisor of the images' own; blocks are averaged.
        pool: the first so many training images are drawn from; mean 0 and standard deviation 1 a channel
        there. own: each seed has its own samples; else all have the first seed's.

    Returns:
        Images (S, samples, channels * side^2), float64, and class indices (S, samples); without the first
        axis if not ``own``.

    >>> spec = RunSpec("claim", "experiment", {"images": "digits", "device": "cpu"}, (0, 1))
    >>> x, labels = small_images(spec, 50, 4)
    >>> x.shape, torch.bincount(labels[1]).tolist()
    (torch.Size([2, 50, 16]), [5, 5, 5, 5, 5, 5, 5, 5, 5, 5])
    """
    source = images(spec["images"])
    shrink = source.train.shape[-1] // side
    data = Resident.of(
        source, device=spec["device"], dtype=torch.float64, count=pool, test_count=0, shrink=shrink
    )
    x, labels = data.train.flatten(1), data.train_labels
    classes = len(source.classes)
    chosen = []
    for seed in spec.seeds if own else spec.seeds[:1]:
        order = torch.from_numpy(spec.rng("data", seed).permutation(len(labels))).to(labels.device)
        each = [order[labels[order] == k][: samples // classes] for k in range(classes)]
        chosen.append(torch.cat(each))
    at = torch.stack(chosen) if own else chosen[0]
    return x[at], labels[at]


def parity(labels: Tensor) -> Tensor:
    """Targets of one output, with a last axis of 1: 1 for odd classes, -1 for even ones.

    >>> parity(torch.tensor([0, 1, 4])).flatten().tolist()
    [-1.0, 1.0, -1.0]
    """
    return (2.0 * (labels % 2) - 1).to(torch.float64)[..., None]


def one_hot(labels: Tensor, classes: int = 10) -> Tensor:
    """Targets of the square loss with an output a class, float64."""
    return functional.one_hot(labels, classes).to(torch.float64)


@dataclass(frozen=True)
class Pass:
    """Pre-activations and activations of the hidden layers, each (S, N, m), and outputs (S, N, K)."""

    inner: list[Tensor]
    hidden: list[Tensor]
    outputs: Tensor


class Dense:
    """f(theta) = mean of the samples' losses + ridge/2 ||theta||^2, of a fully connected network.

    Args:
        sizes: features from the input to the output.
        activation_name: as ``nonsmooth.networks.activation``.
        loss: one of ``LOSSES``: (o - y)^2/2 summed over the outputs, log(1 + exp(-y o)), max(0, 1 - y o), or
            softmax cross-entropy.
        x: inputs (N, sizes[0]), or (S, N, sizes[0]) where each seed has its own.
        y: targets (..., N, sizes[-1]); for "cross-entropy" class indices (..., N).
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
        self.size = sum(into * out + out for into, out in pairwise(sizes))
        self._bend = activation(activation_name)

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
            yield (
                theta[:, at : at + into * out].unflatten(1, (out, into)),
                theta[:, at + into * out :][:, :out],
            )
            at += into * out + out

    def forward(self, theta: Tensor, seeds: Tensor | None = None) -> Pass:
        """Through the network. ``seeds`` (S,) says whose samples each row of theta reads, if they differ."""
        x = self.x if seeds is None or self.x.ndim == 2 else self.x[seeds]
        h = x.expand(len(theta), *x.shape[-2:])
        inner, hidden = [], []
        for k, (weight, bias) in enumerate(self.layers(theta)):
            z = torch.baddbmm(bias[:, None, :], h, weight.transpose(1, 2))
            if k == len(self.sizes) - 2:
                return Pass(inner, hidden, z)
            h = self._bend(z)
            inner.append(z)
            hidden.append(h)
        raise AssertionError("a network has a last layer")

    def values(self, theta: Tensor, seeds: Tensor | None = None) -> Tensor:
        """(S,) losses with the ridge; differentiable."""
        return self.losses(self.forward(theta, seeds).outputs, seeds) + self.ridge / 2 * (theta * theta).sum(
            1
        )

    def slopes(self, theta: Tensor, seeds: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Losses (S,) and gradients (S, P), torch's choice at a kink."""
        with torch.enable_grad():
            theta = theta.detach().requires_grad_()
            values = self.values(theta, seeds)
            (gradient,) = torch.autograd.grad(values.sum(), theta)
        return values.detach(), gradient

    def curvatures(self, theta: Tensor, ways: Tensor) -> Tensor:
        """(S, P) Hessian-vector products by a second backward pass: exact inside a cell of activations."""
        with torch.enable_grad():
            theta = theta.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.values(theta).sum(), theta, create_graph=True)
            (product,) = torch.autograd.grad((gradient * ways).sum(), theta)
        return product

    def losses(self, o: Tensor, seeds: Tensor | None = None) -> Tensor:
        """(S,) mean losses of outputs (S, N, K); differentiable."""
        y = self.y if seeds is None or self.x.ndim == 2 else self.y[seeds]
        if self.loss == "cross-entropy":
            target = y.expand(o.shape[:2]).reshape(-1)
            each = functional.cross_entropy(o.flatten(0, 1), target, reduction="none")
            return each.view(o.shape[:2]).mean(1)
        if self.loss == "square":
            return ((o - y) ** 2).sum(2).mean(1) / 2
        if self.loss == "logistic":
            return functional.softplus(-y * o, threshold=40).sum(2).mean(1)
        return torch.clamp(1 - y * o, min=0).sum(2).mean(1)
