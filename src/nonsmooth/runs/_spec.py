"""What to run: a frozen, hashable description of one batch of runs, and its random streams.

A :class:`RunSpec` names the claim, the experiment inside it, its parameters and the seeds that are
computed together. Its canonical JSON is hashed to its ``id``: two specs with the same id are the same
work, and a result is stored under it. The batch (the tuple of seeds) is part of the identity, because
the last bits of a batched matrix product can depend on how many runs share it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nonsmooth.errors import InputError

__all__ = ["RunSpec", "batches", "canonical_json", "stream"]


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, non-finite numbers refused.

    >>> canonical_json({"b": 1, "a": [0.5, None]})
    '{"a":[0.5,null],"b":1}'
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{value!r} has no canonical JSON ({error}); use finite numbers, strings, lists"
        ) from None


def stream(axis: str, seed: int) -> np.random.Generator:
    """The random stream of one axis ("data", "start", ...) for one seed.

    It depends on nothing else, so competing methods and step sizes see the same data and starts.

    >>> bool(stream("start", 3).random() == stream("start", 3).random())
    True
    """
    entropy = int.from_bytes(hashlib.sha256(axis.encode()).digest()[:8], "big")
    return np.random.default_rng(np.random.SeedSequence([entropy, int(seed)]))


def batches(seeds: int, size: int) -> list[tuple[int, ...]]:
    """The seeds from 0 on, cut into batches that are computed together, one spec each.

    >>> batches(5, 2)
    [(0, 1), (2, 3), (4,)]
    """
    return [tuple(range(first, min(first + size, seeds))) for first in range(0, seeds, size)]


@dataclass(frozen=True)
class RunSpec:
    """One batch of runs, frozen.

    Args:
        claim: id of the claim that measures it.
        experiment: which of the claim's experiments this is.
        parameters: JSON values only (finite numbers, strings, booleans, lists, null).
        seeds: the seeds computed together; empty for a deterministic experiment.

    >>> RunSpec("toy", "orbit", {"stepsize": 0.01}, (0, 1)).id
    '9339a3714c10d1e1'
    """

    claim: str
    experiment: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", json.loads(canonical_json(dict(self.parameters))))
        object.__setattr__(self, "seeds", tuple(int(seed) for seed in self.seeds))

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]

    def __hash__(self) -> int:
        return hash(self.id)

    def rng(self, axis: str, seed: int) -> np.random.Generator:
        """The random stream of one axis for one seed (see :func:`stream`)."""
        return stream(axis, seed)

    def as_dict(self) -> dict[str, Any]:
        return {
            "claim": self.claim,
            "experiment": self.experiment,
            "parameters": dict(self.parameters),
            "seeds": list(self.seeds),
        }

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits of the SHA-256 of the canonical JSON."""
        return hashlib.sha256(canonical_json(self.as_dict()).encode()).hexdigest()[:16]
