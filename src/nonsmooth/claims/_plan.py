"""What is asked of ``reproduce``, checked as a whole before anything runs.

Each claim becomes one or more *cases*: its settings as they are, and one case a value of a sweep.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nonsmooth.claims._claim import TIERS, Claim, Row, Tier
from nonsmooth.claims._inventory import inventory
from nonsmooth.claims._registry import built, source_of, sources_in
from nonsmooth.claims._sweep import Sweep
from nonsmooth.errors import InputError
from nonsmooth.runs import ClaimSource, RunSpec, load_claim

__all__ = ["Case", "Given", "Plan", "Value", "find_sources", "make_plan", "specs_of"]

Value = float | int | str


@dataclass
class Case:
    """One claim at one choice of settings; ``value`` is the swept one, None for the claim's own."""

    claim: Claim
    source: ClaimSource
    settings: dict[str, Any]
    specs: list[RunSpec]
    value: Value | None = None

    def rows(self, by_spec: Mapping[str, list[Row]]) -> list[Row]:
        return [row for spec in self.specs for row in by_spec[spec.id]]


@dataclass(frozen=True)
class Given:
    """What the caller brings for the claims that take it.

    Args:
        data: a regression problem, .npz or .csv, for claims with ``accepts_data = True``.
        images: where CIFAR-10 (or other images) lies, for claims with ``accepts_images = True``.
        device: a torch device, for the same claims.
    """

    data: str | Path | None = None
    images: str | Path | None = None
    device: str | None = None


# The claim's attribute that says it takes something, and the setting that it arrives in.
_TAKERS = {"data": "accepts_data", "images": "accepts_images", "device": "accepts_images"}
_OPTIONS = {"data": "--data", "images": "--data-dir", "device": "--device"}
_NOUNS = {"data": "a data set", "images": "images", "device": "a device"}


@dataclass
class Plan:
    """Everything asked for, checked before anything runs; ``why`` some claims cannot be run."""

    tier: Tier
    brought: dict[str, Any] = field(default_factory=dict)
    cases: dict[str, list[Case]] = field(default_factory=dict)
    sweep: Sweep | None = None
    why: dict[str, str] = field(default_factory=dict)

    def source_for(self, claim: Claim) -> Any:
        """The caller's data set or images, where the claim takes them, for each worker to register."""
        wanted = (what for what in ("data", "images") if what in self.brought and _takes(claim, what))
        return self.brought.get(next(wanted, ""))


def find_sources(ids: Sequence[str] | None, files: Sequence[str | Path]) -> dict[str, ClaimSource]:
    """Sources by id, in the inventory's order whatever the order asked for."""
    if isinstance(ids, str):
        ids = [ids]
    own = sources_in(files)
    wanted = dict.fromkeys([*built(), *own] if ids is None else ids)
    found = {name: own[name] if name in own else source_of(name, files) for name in wanted}
    order = {entry.id: k for k, entry in enumerate(inventory())}
    return dict(sorted(found.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))


def _takes(claim: Claim, what: str) -> bool:
    """Whether a claim takes what the caller brings: its class says so."""
    return bool(getattr(claim, _TAKERS[what], False))


def _read(what: str, given: Any) -> Any:
    """What a caller brings, checked; data are made known to this process, which judges and draws."""
    if what == "device":
        return _device(str(given))
    from nonsmooth import datasets

    found = datasets.read_regression(given) if what == "data" else datasets.find_images(given)
    datasets.register(found)
    return found


def _device(name: str) -> str:
    if name != "cpu":
        import torch

        try:
            torch.empty(1, device=name)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            why = " ".join(str(error).split()).rstrip(".")
            raise InputError(
                f"device {name!r} cannot be used here ({why[:120]}); give cpu, or a device that torch finds"
            ) from None
    return name


def specs_of(claim: Claim, tier: Tier, settings: Mapping[str, Any]) -> list[RunSpec]:
    """What a claim runs at a tier, each spec once."""
    specs = list({spec.id: spec for spec in claim.runs(tier, settings)}.values())
    foreign = [spec for spec in specs if spec.claim != claim.id]
    if foreign:
        raise ValueError(f"a spec names claim {foreign[0].claim!r}; `runs` must use its own id")
    if not specs:
        raise ValueError(f"`runs` gives nothing to run at tier {tier!r}")
    return specs


def _known_somewhere(name: str, claims: Mapping[str, Claim]) -> None:
    known = {each: [s.name for s in claim.unstated] for each, claim in claims.items()}
    if not any(name in names for names in known.values()):
        listed = "; ".join(f"{each}: {', '.join(names) or 'none'}" for each, names in known.items())
        raise InputError(f"no claim asked for has a setting {name!r}; they have: {listed}")


@contextlib.contextmanager
def _refusals_name(claim: str) -> Iterator[None]:
    """Several claims may have a setting of one name, with other limits: say whose refuses."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{claim}: {error}") from None


def make_plan(
    sources: Mapping[str, ClaimSource],
    tier: str,
    settings: Mapping[str, Value],
    sweep: Sweep | None,
    given: Given,
) -> Plan:
    """The cases of each claim, in the order of ``sources``.

    Raises:
        InputError: a tier, setting, sweep or data set that cannot be, before anything runs.
    """
    if tier not in TIERS:
        raise InputError(f"tier {tier!r} is not known; choose one of {', '.join(TIERS)}")
    claims: dict[str, Claim] = {name: load_claim(source) for name, source in sources.items()}
    for name in [*settings, *([sweep.name] if sweep else [])]:
        _known_somewhere(name, claims)
    brings = {what: value for what, value in vars(given).items() if value is not None}
    taken = [*settings, *([sweep.name] if sweep else []), *brings]
    twice = [name for name in taken if taken.count(name) > 1]
    if twice:
        option = f", {_OPTIONS[twice[0]]}" if twice[0] in _OPTIONS else ""
        raise InputError(f"setting {twice[0]!r} is given twice (two of --set, --over{option}); give it once")
    plan = Plan(tier, sweep=sweep)
    for what, value in brings.items():
        if not any(_takes(claim, what) for claim in claims.values()):
            raise InputError(
                f"none of {', '.join(claims)} takes {_NOUNS[what]}; leave {_OPTIONS[what]} out or ask for "
                "one that does"
            )
        plan.brought[what] = _read(what, value)
    for name, claim in claims.items():
        mine = {setting.name for setting in claim.unstated}
        with _refusals_name(name):
            own = claim.settings({each: value for each, value in settings.items() if each in mine})
        for what, thing in plan.brought.items():
            if _takes(claim, what):
                own[what] = getattr(thing, "name", thing)
        choices: dict[Value | None, dict[str, Any]] = {None: own}
        if sweep and sweep.name in mine:
            for value in sweep.values:
                with _refusals_name(name):
                    checked = claim.settings({sweep.name: value})[sweep.name]
                choices[checked] = {**own, sweep.name: checked}
        try:
            with _refusals_name(name):
                plan.cases[name] = [
                    Case(claim, sources[name], values, specs_of(claim, plan.tier, values), value)
                    for value, values in choices.items()
                ]
        except InputError:
            raise
        except Exception as error:  # one claim's own fault must not lose the others
            plan.why[name] = f"planning its runs failed: {type(error).__name__}: {error}"
    return plan
