"""Sharpness over 2/alpha during training, one panel a loss and kind of network."""

from __future__ import annotations

from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims._edge_judgement import BAND
from nonsmooth.claims._edge_plan import KINKED, SMOOTH
from nonsmooth.findings import COLOURS, Drawing, canvas

__all__ = ["edge_figure"]

# Kinked networks in full lines, smooth ones dashed.
_LINES = dict.fromkeys(KINKED, "-") | dict(zip(SMOOTH, ("--", ":", "-."), strict=True))
_NAMES = {"huber": "Huber's loss", "square": "square loss", "cross-entropy": "cross-entropy"}
_MOST = 2.5


def edge_figure(rows: Sequence[Row]) -> Drawing:
    """Seed 0 of every network; the band in which a run counts as being at the edge."""
    runs = [r for r in rows if r["experiment"] == "network-edge" and r["seed"] == 0]
    panels = sorted(
        {(r["network"], r["loss"]) for r in runs}, key=lambda p: (p[0] != "fully connected", p[1])
    )
    figure, axes = canvas(max(1, len(panels)), width=3.6, sharey=True)
    for ax, (network, loss) in zip(axes[0], panels or [("", "")], strict=True):
        for name, colour in zip(_LINES, COLOURS, strict=False):
            for row in runs:
                if (row["network"], row["loss"], row["activation"]) == (network, loss, name):
                    ax.plot(
                        row["at"],
                        [min(ratio, _MOST) for ratio in row["ratios"]],
                        _LINES[name],
                        color=colour,
                        lw=2.2 if name == KINKED[1] else 1.4,
                        label=name,
                    )
        ax.axhspan(*BAND, color="0.9", lw=0)
        ax.axhline(1, color="0.2", lw=1)
        ax.set(
            xlabel="step",
            ylim=(0, _MOST),
            title=f"{network}, {_NAMES.get(loss, loss)}" if network else "not run",
        )
        if ax.get_legend_handles_labels()[0]:
            ax.legend(ncols=2, loc="upper right")
    axes[0, 0].set_ylabel("sharpness over 2/α")
    caption = (
        "Sharpness in units of 2/α during full-batch gradient descent, seed 0; values above 2.5 are drawn "
        "there. Kinked networks (ReLU, hardtanh) in full lines. Grey: the band in which a run counts as "
        "being at the edge. A run ends when its loss is a tenth of the first. float32, residual 1e-3."
    )
    return Drawing("edge-of-stability", caption, figure)
