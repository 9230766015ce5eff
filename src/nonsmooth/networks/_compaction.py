"""What a compaction did, layer by layer, and what it was worth."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Compaction", "LayerChange"]


@dataclass(frozen=True)
class LayerChange:
    """One layer before and after.

    Attributes:
        name: path in the model.
        kind: its class.
        units_before, units_after: filters of a convolution, neurons of a fully connected layer.
        inputs_before, inputs_after: channels or features read.
        constant: units removed because their output is the same number for every input; that number went
            into the bias of the next layer.
        unused: units removed because no later layer gives them a weight.
        merged: constant units before a zero-padded convolution, removed into one of them that stays and
            carries them all. (No bias can stand for a constant with a border of zeros.)
        kept: the units of the given model that are left, in order.
        note: why a unit that does nothing stayed, or why none was looked for; "" if nothing is to say.
    """

    name: str
    kind: str
    units_before: int
    units_after: int
    inputs_before: int
    inputs_after: int
    constant: int
    unused: int
    merged: int
    kept: tuple[int, ...]
    note: str


@dataclass(frozen=True)
class Compaction:
    """The report of :func:`nonsmooth.compact`; print it for a table.

    Attributes:
        layers: every convolution and fully connected layer, in the order of the computation.
        parameters_before, parameters_after: numbers of the two models.
        bytes_before, bytes_after: parameters and buffers.
        max_difference: largest absolute difference of the two models' outputs on the example.
        scale: largest absolute output of the given model on the example.
        speed: time of the given model over time of the new one on the example, median of paired runs; None if
            it was not asked for.
    """

    layers: tuple[LayerChange, ...]
    parameters_before: int
    parameters_after: int
    bytes_before: int
    bytes_after: int
    max_difference: float
    scale: float
    speed: float | None

    @property
    def removed(self) -> int:
        """Units removed in all layers."""
        return sum(layer.units_before - layer.units_after for layer in self.layers)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, strings, lists and dictionaries, for JSON."""
        layers = [asdict(layer) | {"kept": list(layer.kept)} for layer in self.layers]
        return asdict(self) | {"removed": self.removed, "layers": layers}

    def __str__(self) -> str:
        rows = [["layer", "units", "inputs", "constant", "unused", "merged", ""]]
        for each in self.layers:
            name = f"{each.name} ({each.kind})"
            units = f"{each.units_before} -> {each.units_after}"
            inputs = f"{each.inputs_before} -> {each.inputs_after}"
            counts = [str(n) if n else "" for n in (each.constant, each.unused, each.merged)]
            rows.append([name, units, inputs, *counts, each.note])
        widths = [max(len(row[k]) for row in rows) for k in range(6)]
        lines = [
            "  ".join(
                [row[0].ljust(widths[0]), *(row[k].rjust(widths[k]) for k in range(1, 6)), row[6]]
            ).rstrip()
            for row in rows
        ]
        lines.append(
            f"parameters {self.parameters_before:,} -> {self.parameters_after:,}, "
            f"bytes {self.bytes_before:,} -> {self.bytes_after:,}"
        )
        lines.append(
            f"outputs differ by at most {self.max_difference:.2g} on the example (largest {self.scale:.2g})"
        )
        if self.speed is not None:
            lines.append(f"{self.speed:.2f} times as fast on the example")
        return "\n".join(lines)
