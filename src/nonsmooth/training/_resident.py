"""Images that stay on the device: normalised once, in channels_last order, picked by index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nonsmooth.errors import InputError

__all__ = ["Resident"]

_AT_ONCE = 2048  # images converted together: their float64 copies stay small beside the result
_TYPES = (torch.float32, torch.float64, torch.bfloat16)


@dataclass(frozen=True, eq=False)
class Resident:
    """Training and test data on one device.

    ``Resident.of`` makes it from images; for data of another kind give the tensors themselves.

    Attributes:
        train: (N, C, H, W) in channels_last order, or (N, ...), floating point.
        train_labels: (N,), int64.
        test: likewise, (M, C, H, W); M may be 0.
        test_labels: (M,), int64.
        name: of the data; a checkpoint of other data is not taken up.

    Raises:
        InputError: tensors whose lengths, devices or types do not go together.

    >>> import torch
    >>> x, y = torch.randn(6, 5), torch.arange(6) % 2
    >>> Resident(x[:4], y[:4], x[4:], y[4:]).device
    device(type='cpu')
    """

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    name: str = "tensors"

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            x, labels = getattr(self, part), getattr(self, f"{part}_labels")
            for name, each in ((part, x), (f"{part}_labels", labels)):
                if not isinstance(each, Tensor):
                    raise InputError(f"{name} is a {type(each).__name__}; give a torch.Tensor")
            if not x.is_floating_point() or x.dtype != self.train.dtype or x.device != self.train.device:
                raise InputError(
                    f"{part} is {x.dtype} on {x.device}; "
                    "give floating-point tensors of one type on one device"
                )
            if len(labels) != len(x) or labels.device != x.device:
                raise InputError(
                    f"{part}_labels has {len(labels)} entries on {labels.device}, {part} has {len(x)} on "
                    f"{x.device}; give one label for each, on the same device"
                )
        if len(self.train) == 0:
            raise InputError("train is empty; give at least one training image")

    @property
    def device(self) -> torch.device:
        return self.train.device

    @classmethod
    def of(
        cls,
        images: Any,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        count: int | None = None,
        test_count: int | None = None,
        normalise: str = "standard",
        shrink: int = 1,
    ) -> Resident:
        """The images of a data set, in [0, 1], normalised, on a device.

        Args:
            images: a ``nonsmooth.datasets.Images``, or anything with its ``train`` and ``test``, (N, C, H, W)
                and uint8, ``train_labels`` and ``test_labels``, (N,) and int64, arrays or tensors, and its
                ``name``.
            device: where they stay.
            dtype: float32, float64 or bfloat16.
            count: so many training images, the first ones of each class, classes as equal as they can be, in
                the order of the data; None for all.
            test_count: likewise of the test images.
            normalise: "standard" takes each channel's mean and standard deviation over the training images
                that are used; "half" is (x - 0.5) / 0.5, as in the paper's listing.
            shrink: take the mean of blocks of shrink x shrink pixels.

        Raises:
            InputError: a value outside its range, or images that are not as above.

        >>> from types import SimpleNamespace
        >>> x, y = torch.randint(0, 256, (20, 3, 8, 8), dtype=torch.uint8), torch.arange(20) % 2
        >>> toy = SimpleNamespace(name="toy", train=x, train_labels=y, test=x, test_labels=y)
        >>> data = Resident.of(toy, count=10, shrink=2)
        >>> data.train.shape, data.train_labels.tolist(), bool(data.train.mean().abs() < 1e-6)
        (torch.Size([10, 3, 4, 4]), [0, 1, 0, 1, 0, 1, 0, 1, 0, 1], True)
        """
        if dtype not in _TYPES:
            raise InputError(f"dtype = {dtype} is not allowed; give float32, float64 or bfloat16 of torch")
        if normalise not in ("standard", "half"):
            raise InputError(f"normalise = {normalise!r} is not allowed; give 'standard' or 'half'")
        device = _device(device)
        images = _Tensors.of(images)
        _check(images, shrink)
        chosen = balanced(images.train_labels, count, "count")
        tested = balanced(images.test_labels, test_count, "test_count")
        mean, deviation = _moments(images.train, chosen, shrink) if normalise == "standard" else (0.5, 0.5)
        parts = []
        for x, labels, places in (
            (images.train, images.train_labels, chosen),
            (images.test, images.test_labels, tested),
        ):
            parts += [
                _converted(x, places, shrink, mean, deviation, dtype).to(device),
                labels[places].to(device),
            ]
        parts[0::2] = [x.permute(0, 3, 1, 2) for x in parts[0::2]]
        made = f"{images.name}, {len(chosen)} and {len(tested)}, {normalise}, shrunk by {shrink}, {dtype}"
        return cls(*parts, name=made)


def _device(name: Any) -> torch.device:
    """A device that is there; what torch says of another is an assertion or many lines."""
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"device = {name!r} cannot be used here ({why[:200]}); give cpu, or another"
        ) from error


class _Tensors(NamedTuple):
    """Images as tensors, whether they came as arrays or not."""

    name: str
    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor

    @classmethod
    def of(cls, images: Any) -> _Tensors:
        missing = [field for field in cls._fields if not hasattr(images, field)]
        if missing:
            raise InputError(
                f"images of type {type(images).__name__} have no {', '.join(missing)}; give a "
                "nonsmooth.datasets.Images, or make a Resident of your own tensors"
            )
        parts = (getattr(images, part) for part in cls._fields[1:])
        return cls(images.name, *map(torch.as_tensor, parts))


def _check(images: _Tensors, shrink: int) -> None:
    for part in ("train", "test"):
        x, labels = getattr(images, part), getattr(images, f"{part}_labels")
        if x.dtype != torch.uint8 or x.ndim != 4:
            raise InputError(
                f"{part} is {x.dtype} of shape {tuple(x.shape)}; give uint8 images, (N, C, H, W), "
                "or make a Resident of your own tensors"
            )
        if labels.shape != x.shape[:1] or labels.dtype != torch.int64:
            raise InputError(
                f"{part}_labels is {labels.dtype} of shape {tuple(labels.shape)}; "
                f"give int64 of shape ({len(x)},)"
            )
        if isinstance(shrink, bool) or not isinstance(shrink, int) or shrink < 1:
            raise InputError(f"shrink = {shrink!r} is not allowed; give a whole number >= 1")
        if x.shape[2] % shrink or x.shape[3] % shrink:
            raise InputError(
                f"shrink = {shrink} does not divide images of {x.shape[2]} x {x.shape[3]} pixels; "
                "give a divisor of both"
            )


def balanced(labels: Tensor, count: int | None, option: str) -> Tensor:
    """Where the first ``count`` images are that share the classes as equally as can be, ascending.

    >>> balanced(torch.tensor([0, 0, 0, 1, 0, 1]), 4, "count")
    tensor([0, 1, 3, 5])
    """
    if count is None:
        return torch.arange(len(labels))
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= len(labels):
        raise InputError(f"{option} = {count!r} is not allowed; give a whole number from 0 to {len(labels)}")
    # How many of its class come before each image; the classes' first images first, then their second ones.
    before = torch.empty_like(labels)
    for label in labels.unique():
        mine = labels == label
        before[mine] = torch.arange(int(mine.sum()))
    return torch.argsort(before, stable=True)[:count].sort().values


def _pixels(x: Tensor, shrink: int, dtype: torch.dtype) -> Tensor:
    """In [0, 1], shrunk, channels last: (N, H, W, C)."""
    x = x.to(dtype).div(255).permute(0, 2, 3, 1)
    if shrink == 1:
        return x
    n, h, w, c = x.shape
    return x.reshape(n, h // shrink, shrink, w // shrink, shrink, c).mean(dim=(2, 4))


def _moments(x: Tensor, places: Tensor, shrink: int) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel, float64; 1 for the deviation of a constant channel."""
    if len(places) == 0:
        raise InputError("count = 0 leaves no training image to normalise by; give at least 1")
    total = torch.zeros(2, x.shape[1], dtype=torch.float64)
    for some in places.split(_AT_ONCE):
        pixels = _pixels(x[some], shrink, torch.float64).flatten(0, 2)
        total += torch.stack([pixels.sum(0), (pixels * pixels).sum(0)])
    mean, square = total / (len(places) * x.shape[2] * x.shape[3] // shrink**2)
    deviation = (square - mean * mean).clamp(min=0).sqrt()
    return mean, torch.where(deviation > 1e-7, deviation, 1.0)


def _converted(
    x: Tensor, places: Tensor, shrink: int, mean: Any, deviation: Any, dtype: torch.dtype
) -> Tensor:
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    if isinstance(mean, Tensor):
        mean, deviation = mean.to(wide), deviation.to(wide)
    made = torch.empty(len(places), x.shape[2] // shrink, x.shape[3] // shrink, x.shape[1], dtype=dtype)
    for start in range(0, len(places), _AT_ONCE):
        some = places[start : start + _AT_ONCE]
        made[start : start + _AT_ONCE] = _pixels(x[some], shrink, wide).sub(mean).div(deviation)
    return made
