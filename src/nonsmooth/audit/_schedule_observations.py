"""What a schedule's facts mean: does it end in time, was it restarted, can a weight travel far enough?"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from nonsmooth.audit._penalty import factory_like
from nonsmooth.audit._schedules import ScheduleFacts
from nonsmooth.errors import InputError
from nonsmooth.findings import Observation, number

__all__ = ["reach", "schedule_observations", "too_short"]

_RESUME = "torch.optim, How to adjust learning rate: save and load optimiser and scheduler together"
_SIMULATED = 20_000


def schedule_observations(facts: ScheduleFacts) -> list[Observation]:
    """What a schedule does that its author may not have meant; the facts themselves if nothing.

    Returns:
        of the ids ``schedule-foreign``, ``schedule-restarted``, ``schedule-astray``, ``schedule-stops``,
        ``schedule-idle``, ``schedule-unfinished``, ``schedule-rises``; else one ``schedule``, level "fine".
    """
    found = [*_where(facts), *_ending(facts)]
    if found:
        return found
    name = facts.name or "no scheduler"
    return [
        Observation(
            "schedule",
            "fine",
            f"The schedule ({name}) runs as it is written.",
            _told(facts),
            numbers=facts.as_dict(),
        )
    ]


def _told(facts: ScheduleFacts) -> str:
    sizes = facts.step_sizes[0]
    said = (
        f"{facts.step_sizes.shape[1]:,} steps, {facts.how}: step size {number(float(sizes[0]), 3)} at first, "
        f"{number(float(sizes.max()), 3)} at most, {number(float(sizes[-1]), 3)} at last; sum "
        f"{number(float(facts.sum[0]), 3)}, sum of squares {number(float(facts.sum_of_squares[0]), 3)}"
    )
    if facts.warm_up:
        said += f"; warm-up of {facts.warm_up:,} steps"
    if not facts.exact:
        said += f"; a metric that never improves: {number(float(facts.least[0, -1]), 3)} at last"
    return f"{said}. If it went on for ever: {facts.tail.why}."


def _where(facts: ScheduleFacts) -> list[Observation]:
    found = []
    if facts.foreign:
        found.append(
            Observation(
                "schedule-foreign",
                "problem",
                "The scheduler drives another optimiser than the one given.",
                f"{facts.name}.optimizer is another object; the step sizes of this one stay as they are.",
                "The training runs at constant step sizes.",
                remedy="Make the scheduler from the optimiser that is stepped.",
                snippet=f"scheduler = {facts.name}(optimizer, ...)",
                numbers=facts.as_dict(),
            )
        )
    if facts.restarted:
        done = "some" if facts.expected is None else f"{facts.expected:,}"
        now = float(facts.step_sizes[0, 0])
        told = f"{facts.name} is at its step {facts.position:,}; the training has taken {done} of its steps."
        told += f" The step size is {number(now, 3)}; {number(facts.initial, 3)} is where the schedule begins"
        told += "." if facts.due is None else f"; by now it should be {number(facts.due, 3)}."
        back = now > 0.99 * facts.initial
        found.append(
            Observation(
                "schedule-restarted",
                "problem",
                "The resumed training has begun its schedule anew."
                if facts.position is not None and facts.position <= (facts.expected or 0)
                else "The schedule is ahead of the resumed training.",
                told,
                (
                    "The step size jumps back to where it began"
                    if back
                    else "What has fallen already falls again"
                )
                + ": warm-up, decay and the end of the schedule come at other steps than planned.",
                _RESUME,
                "Save the scheduler's state with the optimiser's, and load both.",
                "scheduler.load_state_dict(checkpoint['scheduler'])",
                facts.as_dict(),
            )
        )
    elif facts.says is not None:
        found.append(
            Observation(
                "schedule-astray",
                "warning",
                "The optimiser's step size is not the one that the schedule has at this step.",
                f"{facts.name} at its step {facts.position:,} says {number(facts.says, 3)}; the optimiser "
                f"has {number(float(facts.step_sizes[0, 0]), 3)}.",
                "Most of torch's schedulers multiply what they find, so they carry this on to the end.",
                _RESUME,
                "Load the optimiser's state too, or set the step size before the scheduler is made.",
                "optimizer.load_state_dict(checkpoint['optimizer'])",
                facts.as_dict(),
            )
        )
    return found


def _ending(facts: ScheduleFacts) -> list[Observation]:
    found, taken = [], facts.step_sizes.shape[1]
    if facts.stopped:
        found.append(
            Observation(
                "schedule-stops",
                "problem",
                f"The scheduler raises after {taken:,} of {facts.steps:,} steps.",
                f"{facts.name}: {facts.stopped}",
                "The training ends there.",
                remedy="Give the scheduler the number of steps that the training takes.",
                numbers=facts.as_dict(),
            )
        )
    if facts.idle > 0.01 * taken + facts.per_epoch:
        found.append(
            Observation(
                "schedule-idle",
                "warning",
                f"The last {facts.idle:,} of {taken:,} steps have step size 0.",
                _told(facts),
                "They cost as much as the others and move nothing.",
                remedy="Let the schedule end with the training.",
                numbers=facts.as_dict(),
            )
        )
    end = (
        None
        if facts.horizon is None or facts.position is None
        else facts.position + -(-facts.steps // facts.per_epoch)
    )
    if end is not None and facts.horizon is not None and not facts.foreign:
        per = "scheduler steps" if facts.per_epoch == 1 else f"scheduler steps, one every {facts.per_epoch:,}"
        if end < 0.95 * facts.horizon:
            found.append(
                Observation(
                    "schedule-unfinished",
                    "warning",
                    f"The training ends at {end / facts.horizon:.0%} of the schedule.",
                    f"{facts.name} decays over {facts.horizon:,} {per}; the training takes {end:,}. The last "
                    f"size is {number(float(facts.final[0]), 3)}, the largest {number(facts.largest, 3)}.",
                    "The small steps at the end, which the schedule was chosen for, are never taken.",
                    remedy="Give the scheduler as many steps as it is stepped; mind epochs and batches.",
                    numbers=facts.as_dict(),
                )
            )
        elif (
            facts.name == "CosineAnnealingLR"
            and end > facts.horizon + 1
            and facts.final[0] > 1.5 * facts.step_sizes[0].min()
        ):
            found.append(
                Observation(
                    "schedule-rises",
                    "warning",
                    f"The cosine ends after T_max = {facts.horizon:,} of {end:,} scheduler steps, and rises.",
                    _told(facts),
                    "CosineAnnealingLR is periodic: after T_max the step size grows back to where it began.",
                    "torch.optim.lr_scheduler.CosineAnnealingLR",
                    "Set T_max to the number of scheduler steps; mind epochs and batches.",
                    f"CosineAnnealingLR(optimizer, T_max={end})",
                    facts.as_dict(),
                )
            )
    return found


def reach(facts: ScheduleFacts, optimizer: torch.optim.Optimizer, pull: float, group: int = 0) -> float:
    """How far a weight travels in the schedule's steps under a gradient that is ``pull`` all the time.

    For L1 in the loss ``pull`` is its strength: from farther away no weight comes to 0 where the data do not
    help. SGD moves by lr * pull a step, and 1/(1 - momentum) times that once its momentum has settled;
    Adam by lr, whatever the pull. The optimiser's own update is run on one weight; weight decay is left out.

    Args:
        facts: of this optimiser.
        optimizer: its class and the settings of the group are used; it is not stepped.
        pull: > 0.
        group: index of the parameter group.

    Raises:
        InputError: ``pull`` is not positive, or the optimiser cannot be run on one weight.

    >>> from nonsmooth.audit._schedules import schedule_of
    >>> sgd = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    >>> round(reach(schedule_of(sgd, None, 100), sgd, pull=0.01), 9)
    0.1
    """
    if not pull > 0:
        raise InputError(f"pull = {pull!r} is not allowed; give a gradient > 0")
    sizes = facts.step_sizes[group]
    kind, options = type(optimizer), optimizer.param_groups[group]
    if kind is torch.optim.SGD:
        return float((sizes * _gains(options, len(sizes))).sum()) * pull
    if kind in (torch.optim.Adam, torch.optim.AdamW):
        return float(sizes.sum()) * pull / (pull + float(options["eps"]))
    return _run(optimizer, group, sizes, pull)


def _gains(options: Any, count: int) -> np.ndarray:
    """What of a constant gradient each step of SGD takes: the buffer's part, see ``methods._metric``."""
    m, d = float(options["momentum"]), float(options["dampening"])
    if m == 0:
        return np.ones(count)
    if m == 1:
        gains = 1 + (1 - d) * np.arange(count)
        return 1 + gains if options["nesterov"] else gains
    settled = (1 - d) / (1 - m)
    gains = settled + (1 - settled) * m ** np.arange(count)
    return 1 + m * gains if options["nesterov"] else gains


def _run(optimizer: torch.optim.Optimizer, group: int, sizes: np.ndarray, pull: float) -> float:
    w = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    try:
        with torch.random.fork_rng([]):
            twin = factory_like(optimizer)([w])
            kept = {k: v for k, v in optimizer.param_groups[group].items() if k not in ("params", "lr")}
            twin.param_groups[0].update(copy.deepcopy(kept))
            twin.param_groups[0]["weight_decay"] = 0.0
            for size in sizes[:_SIMULATED]:
                twin.param_groups[0]["lr"] = float(size)
                w.grad = torch.full_like(w, pull)
                twin.step()
    except Exception as error:
        said = " ".join(str(error).split())[:120]
        raise InputError(
            f"{type(optimizer).__name__} cannot be run on one weight ({type(error).__name__}: {said})"
        ) from error
    rest = sizes[_SIMULATED:]
    moved = abs(float(w.detach()))
    # a bound from the mean move of the steps run; exact for all whose move settles to a multiple of lr
    return moved * (1 + float(rest.sum()) / max(float(sizes[:_SIMULATED].sum()), 1e-300))


def too_short(
    facts: ScheduleFacts,
    optimizer: torch.optim.Optimizer,
    weights: torch.Tensor | np.ndarray | Sequence[float],
    pull: float,
    what: str = "the penalty",
    group: int = 0,
) -> list[Observation]:
    """Whether the schedule's steps are enough to bring the weights to 0 by ``pull`` alone.

    Args:
        facts, optimizer, pull, group: as in :func:`reach`.
        weights: as they are at the start of the steps.
        what: pulls, for the words.

    Returns:
        one observation ``schedule-too-short``: "problem" where more than half of the weights lie beyond
        reach, "warning" from 1 %, else "fine"; "unknown" where the reach cannot be found.
    """
    w = weights.detach().cpu().double().numpy() if isinstance(weights, torch.Tensor) else np.asarray(weights)
    size = np.abs(w.astype(float)).ravel()
    id = "schedule-too-short"
    if not size.size or not np.isfinite(size).all():
        return [Observation(id, "unknown", "The weights' distance to 0 is not known.", "none, or not finite")]
    try:
        far = reach(facts, optimizer, pull, group)
    except InputError as error:
        return [
            Observation(id, "unknown", "How far the schedule lets a weight travel is not known.", str(error))
        ]
    share = float((size > far).mean())
    needed = float(np.quantile(size, 0.99))
    told = (
        f"{type(optimizer).__name__} under {what}'s pull of {number(pull, 3)} carries a weight by "
        f"{number(far, 3)} in {facts.step_sizes.shape[1]:,} steps (step sizes sum to "
        f"{number(float(facts.sum[group]), 3)}). |w| of {size.size:,} weights: median "
        f"{number(float(np.median(size)), 3)}, 99 % below {number(needed, 3)}."
    )
    numbers = {"reach": far, "share_beyond": share, "pull": pull, "needed": needed, **facts.as_dict()}
    if share < 0.01:
        title = "The schedule is long enough for the weights to reach 0."
        return [Observation(id, "fine", title, told, numbers=numbers)]
    longer = needed / far if far > 0 else float("inf")
    return [
        Observation(
            id,
            "problem" if share > 0.5 else "warning",
            f"The schedule is too short: {share:.0%} of the weights cannot reach 0 by {what} alone.",
            told,
            "Where the data do not help, a weight moves by at most the sum of its steps. What has not "
            "arrived when the schedule ends is not zero, whatever the penalty.",
            "the triangle inequality on the steps; S. K. Kumar, GD doesn't make the cut (arXiv 2401.08426), "
            "Section 4",
            f"Make the sum of the step sizes times the strength {number(longer, 2)} times as large: more "
            "steps, larger steps, or a stronger penalty.",
            numbers=numbers,
        )
    ]
