"""Figure 3 with the clean and the attached runs beside it, Table 2 as dots, the listing's choices, and
noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nonsmooth.claims._claim import Row
from nonsmooth.claims.deep_l1._judgement import shown
from nonsmooth.claims.deep_l1._protocols import LARGE, OPTIMISERS, PRINTED, SMALL
from nonsmooth.claims.deep_l1._rows import by_seed, changed, legs, of_experiment
from nonsmooth.findings import COLOURS, Drawing, canvas

__all__ = ["figure_3", "noise", "switches", "table_2"]

_COLOUR = dict(zip(OPTIMISERS, (COLOURS[2], COLOURS[0], COLOURS[1]), strict=True))
_MARK = dict(zip(OPTIMISERS, "os^", strict=True))
_LEAST = 1e-3  # percent; smaller shares are drawn there


def figure_3(rows: Sequence[Row]) -> Drawing:
    """L1 norm over the steps, λ1 = 0.002 left and 2 right."""
    figure, axes = canvas(2, width=4.4, height=3.6)
    for ax, strength in zip(axes[0], (SMALL, LARGE), strict=True):
        for name in OPTIMISERS:
            for protocol, line in (("listing", "-"), ("clean", "--"), ("attached", ":")):
                for k, row in enumerate(legs(rows, protocol, name, strength)):
                    steps = [0, *row["curve_steps"]]
                    norms = [row["start_norm"], *row["curve_norms"]]
                    ax.plot(
                        steps,
                        [max(norm, 1e-2) for norm in norms],
                        color=_COLOUR[name],
                        ls=line,
                        lw=1.2,
                        marker=_MARK[name],
                        ms=3.5,
                        markevery=max(1, len(steps) // 6),
                        label=f"{name}, {protocol}" if not k else None,
                    )
        ax.set(
            yscale="log", xlabel="step", ylabel="L1 norm of the penalised weights", title=f"λ1 = {strength:g}"
        )
    handles, labels = axes[0, 0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
    row = next(iter(of_experiment(rows, "leg")), None)
    where = f"VGG16 at width {row['width']:.3g} on {shown(row)}" if row else "No runs"
    caption = (
        f"Figure 3: {where}. Solid: the listing; dashed: the clean protocol (biases not penalised, 10 "
        "classes); dotted: the penalty attached (0 drawn at 0.01). All seeds."
    )
    return Drawing("figure-3", caption, figure)


def table_2(rows: Sequence[Row]) -> Drawing:
    """Every cell: printed, measured, predicted, attached."""
    figure, axes = canvas(1, width=7.6, height=4.4)
    ax = axes[0, 0]
    cells = list(PRINTED)
    kinds: tuple[tuple[str, str, str, Any], ...] = (
        (
            "listing",
            "o",
            COLOURS[0],
            lambda n, s: [r["share"] for r in legs(rows, "listing", n, s)],
        ),
        ("free weights, same start", "+", COLOURS[0], lambda n, s: _predicted(rows, "listing", n, s)),
        ("clean", "s", COLOURS[1], lambda n, s: [r["share"] for r in legs(rows, "clean", n, s)]),
        ("free weights, printed size", "x", COLOURS[3], lambda n, s: _at_size(rows, n, s)),
        ("attached", "^", COLOURS[2], lambda n, s: [r["share"] for r in legs(rows, "attached", n, s)]),
    )
    for k, (label, mark, colour, values) in enumerate(kinds):
        points = [
            (max(100 * v, _LEAST), y + 0.14 * (2 - k)) for y, cell in enumerate(cells) for v in values(*cell)
        ]
        if points:
            x, y = zip(*points, strict=True)
            ax.plot(x, y, ls="none", marker=mark, color=colour, mfc="none", ms=6, label=label)
    ax.plot(
        [float(text) for text in PRINTED.values()],
        range(len(cells)),
        ls="none",
        marker="*",
        ms=12,
        color="black",
        label="printed",
    )
    ax.set_yticks(range(len(cells)), [f"{name}, {strength:g}" for name, strength in cells])
    ax.invert_yaxis()
    ax.set(
        xscale="log",
        xlim=(_LEAST / 2, 200),
        xlabel="parameters below 1e-5 (%)",
        ylabel="optimiser, λ1",
        title="Table 2",
    )
    ax.legend(loc="upper center", bbox_to_anchor=(0.45, -0.16), ncols=3)
    caption = (
        "Shares of parameters below 1e-5: printed for VGG16 with ImageNet weights, measured here, and "
        "predicted without network or data (ns.floor; with the state that the listing carries over). All "
        "seeds; 0 is drawn at the left edge."
    )
    return Drawing("table-2", caption, figure)


def _predicted(rows: Sequence[Row], protocol: str, name: str, strength: float) -> list[float]:
    return [r["free"]["share"] for r in legs(rows, protocol, name, strength)]


def _at_size(rows: Sequence[Row], name: str, strength: float) -> list[float]:
    mine = [r for r in of_experiment(rows, "printed") if (r["optimiser"], r["strength"]) == (name, strength)]
    # Where the listing carries a state over, that is its case.
    return [r["share"] for r in mine if r["carried"] or not any(other["carried"] for other in mine)]


_CHANGES = {
    "order": "0.002 before 2 (fresh state at 0.002)",
    "shuffled": "shuffled",
    "head": "10 classes",
    "biases": "biases free",
    "clean": "all of them: clean",
}


def switches(rows: Sequence[Row]) -> Drawing:
    """What one changed choice of the listing multiplies norm, share and test loss by."""
    figure, axes = canvas(4, width=2.9, height=3.3, sharey=True)
    fields = (
        ("norm_penalised", "L1 norm"),
        ("share", "share below 1e-5"),
        ("loss", "training loss"),
        ("test_loss", "test loss"),
    )
    for ax, (field, title) in zip(axes[0], fields, strict=True):
        for y, protocol in enumerate(_CHANGES):
            for k, name in enumerate(OPTIMISERS):
                for strength in (SMALL, LARGE):
                    if protocol == "clean":
                        mine, listing = (by_seed(rows, p, name, strength) for p in (protocol, "listing"))
                        pairs = [(listing[s], mine[s]) for s in mine if s in listing]
                    else:
                        pairs = changed(rows, protocol, name, strength)
                    ratios = [new[field] / old[field] for old, new in pairs if old[field] and new[field]]
                    ax.plot(
                        ratios,
                        [y + 0.24 * (k - 1) + (0.08 if strength == LARGE else -0.08)] * len(ratios),
                        ls="none",
                        marker=_MARK[name],
                        color=_COLOUR[name],
                        mfc=_COLOUR[name] if strength == LARGE else "none",
                        ms=5,
                    )
        ax.axvline(1, color="0.5", lw=0.8)
        ax.set(xscale="log", xlabel="times the listing's", title=title)
        ax.set_yticks(range(len(_CHANGES)), list(_CHANGES.values()))
    runs = [r for name in OPTIMISERS for s in (SMALL, LARGE) for r in legs(rows, "listing", name, s)]
    losses = (("test_loss", "test_loss_dropout"), ("test_loss_dropout", "test_loss_listed"))
    for y, (under, over) in enumerate(losses, start=len(_CHANGES)):
        for r in runs:
            axes[0, 3].plot(
                r[under] / r[over],
                y + 0.24 * (OPTIMISERS.index(r["optimiser"]) - 1),
                ls="none",
                marker=_MARK[r["optimiser"]],
                color=_COLOUR[r["optimiser"]],
                mfc=_COLOUR[r["optimiser"]] if r["strength"] == LARGE else "none",
                ms=5,
            )
    axes[0, 0].set_yticks(range(len(_CHANGES) + 2), [*_CHANGES.values(), "dropout off", "right divisor"])
    axes[0, 0].set_ylim(len(_CHANGES) + 1.5, -0.5)
    axes[0, 0].set_ylabel("changed in the listing")
    for name in OPTIMISERS:
        for strength in (SMALL, LARGE):
            axes[0, 0].plot(
                [],
                [],
                ls="none",
                marker=_MARK[name],
                color=_COLOUR[name],
                mfc=_COLOUR[name] if strength == LARGE else "none",
                label=f"{name}, λ1 = {strength:g}",
            )
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    caption = (
        "The listing with one choice changed at a time, from the same start. How validation is computed (the "
        "two lowest lines) changes the printed test loss only."
    )
    return Drawing("switches", caption, figure)


def noise(rows: Sequence[Row]) -> Drawing:
    """Share below 1e-5 of free weights over the size of their data gradient."""
    figure, axes = canvas(1, width=5.6, height=3.8)
    ax = axes[0, 0]
    mine = of_experiment(rows, "noise")
    for name in OPTIMISERS:
        points = sorted(
            (r["ratio"] or 1e-10, max(100 * r["share"], _LEAST)) for r in mine if r["optimiser"] == name
        )
        if points:
            ax.plot(*zip(*points, strict=True), color=_COLOUR[name], marker=_MARK[name], ms=5, label=name)
            ax.axhline(float(PRINTED[name, LARGE]), color=_COLOUR[name], ls=":", lw=1)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="noise of the data gradient over λ1 (left: none)",
        ylabel="weights below 1e-5 (%)",
        title="λ1 = 2, no network",
    )
    if mine:
        ax.legend()
    caption = (
        "Weights under the penalty and normal gradient noise, new every step. Dotted: printed for VGG16 at "
        "λ1 = 2. RMSProp's exact zeros do not survive the smallest noise."
    )
    return Drawing("noise", caption, figure)
