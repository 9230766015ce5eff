"""The fingerprint of every optimiser in torch.optim, and the page that shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nonsmooth.diagnostics._fingerprint import Fingerprint, answer, exponent, fingerprint, share_words
from nonsmooth.diagnostics._floor_population import UnfitError
from nonsmooth.findings import number

__all__ = ["VARIANTS", "Refused", "fingerprints", "markdown", "stock"]

# Settings that change how an optimiser behaves at a kink; every optimiser is there at its defaults as well.
VARIANTS: Mapping[str, tuple[dict[str, Any], ...]] = {
    "SGD": (
        {"weight_decay": 0.1},
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.9},
        {"momentum": 0.9, "nesterov": True},
    ),
    "Adam": ({"amsgrad": True}, {"weight_decay": 0.1}),
    "RMSprop": ({"lr": 0.001}, {"momentum": 0.9}, {"centered": True}),
}

_HEAD = """\
# Fingerprints: every optimiser of torch.optim at a kink

Written by `nonsmooth fingerprint --all --format markdown`; do not edit.

The paper's Table 1 says of three methods what sets them apart on a LASSO penalty alone. This is that table
found by experiment, for every optimiser in torch.optim {torch}: weights that nothing but
strength * ||w||_1 acts on, moved by the optimiser itself. Step sizes are torch's defaults unless shown
otherwise; {weights:,} starts {start}, {steps:,} steps, strength {strength:g} (and a tenth and ten times
that).

- **strength**: does it influence where a weight ends? And k, where the mean |w| of all goes like strength^k:
  "yes" with k = 0 means that each weight ends elsewhere and the weights as a whole do not.
- **start**: does it?
- **brought to 0**: what weights do that are set to exactly 0, early and late in the run.
- **exactly 0**: share of the weights that are, in the end, with Wilson's 95 % interval.
- **orbit**: what weights do in the end; of periods, those of nine tenths of the weights. "Shrinks" compares
  the end with half-way: it may go on for ever (Adagrad) or settle later (weight decay, NAdam).
- **amplitude**: median over the weights not at 0 of the largest final |w|, in units of the step size.

The rules that decide each answer are in the docstrings of `nonsmooth.fingerprint` and of
`nonsmooth.diagnostics._fingerprint_orbit`.

"""
_COLUMNS = (
    "optimiser",
    "strength",
    "start",
    "brought to 0",
    "exactly 0, float64",
    "exactly 0, float32",
    "orbit",
    "amplitude / lr",
)
_TAIL = """
Refused, because there is no such row:

{refused}

ASGD's row is of its iterates; the average that it also keeps starts after `t0` steps, a million by default.

The same for an optimiser of yours: `nonsmooth fingerprint my_module:MyOptimizer --lr 0.01`.
"""


@dataclass(frozen=True)
class Refused:
    """An optimiser without a row, and why."""

    optimiser: str
    why: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def stock() -> list[tuple[str, dict[str, Any]]]:
    """Every optimiser class in torch.optim, at its defaults and in the variants above: name and settings."""
    import torch

    names = sorted(
        name
        for name, value in vars(torch.optim).items()
        if isinstance(value, type)
        and issubclass(value, torch.optim.Optimizer)
        and value is not torch.optim.Optimizer
    )
    return [(name, settings) for name in names for settings in ({}, *VARIANTS.get(name, ()))]


def fingerprints(
    progress: Callable[[str, float, int], None] | None = None, **options: Any
) -> Iterator[Fingerprint | Refused]:
    """The rows of all stock optimisers, one by one.

    Args:
        progress: called with an optimiser's name, the number of rows done (with the share of the present
            one as its fraction) and the number of all.
        options: as for :func:`nonsmooth.diagnostics.fingerprint`.
    """
    import torch

    rows = stock()
    for done, (name, settings) in enumerate(rows):

        def told(step: int, steps: int, name: str = name, done: int = done) -> None:
            if progress is not None:
                progress(name, done + step / steps, len(rows))

        def factory(parameters: list[Any], name: str = name, settings: Any = settings) -> Any:
            return getattr(torch.optim, name)(parameters, **settings)

        told(0, 1)
        try:
            yield fingerprint(factory, progress=told, **options)
        except UnfitError as error:
            yield Refused(name, str(error))


def markdown(rows: list[Fingerprint | Refused]) -> str:
    """The page of ``docs/fingerprints.md``."""
    import torch

    found = [row for row in rows if isinstance(row, Fingerprint)]
    refused = [row for row in rows if isinstance(row, Refused)]
    first = found[0]
    head = _HEAD.format(
        torch=torch.__version__.split("+")[0],
        weights=first.weights,
        start=first.start,
        steps=first.steps,
        strength=first.strength,
    )
    table = [_COLUMNS, ("---",) * len(_COLUMNS), *(_cells(row) for row in found)]
    lines = ["| " + " | ".join(cells) + " |" for cells in table]
    listed = "\n".join(f"- **{row.optimiser}**: {row.why}." for row in refused)
    return head + "\n".join(lines) + "\n" + _TAIL.format(refused=listed)


def _cells(row: Fingerprint) -> tuple[str, ...]:
    k = exponent(row.strength_exponent)
    return (
        f"`{row.optimiser}`",
        answer(row.depends_on_strength) + (f", k = {k}" if k else ""),
        answer(row.depends_on_start),
        row.at_zero,
        share_words(row.zero_float64),
        share_words(row.zero_float32),
        row.orbit,
        "-" if row.amplitude_in_lr is None else number(row.amplitude_in_lr, 2),
    )
