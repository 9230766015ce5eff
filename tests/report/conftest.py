"""A ledger and drawings invented for the layout (no results), and the page made from them."""

from __future__ import annotations

import copy
import json
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from nonsmooth.claims import Ledger, errata
from nonsmooth.findings import COLOURS, Drawing, canvas, style
from nonsmooth.report import save_figures, write_errata, write_page

_SAMPLE = json.loads((Path(__file__).parent / "sample_ledger.json").read_text(encoding="utf-8"))
Entry = namedtuple("Entry", "id section where summary")
SECTIONS = (*["4. The LASSO penalty"] * 3, "3. Convergence", *["5. The edge of stability"] * 2)
INVENTORY = [
    *(
        Entry(claim["id"], section, claim["where"], "")
        for claim, section in zip(_SAMPLE["claims"], SECTIONS, strict=True)
    ),
    Entry(
        "rates", "3", "Sec. 3", "O(1/ε) steps on L-smooth convex functions, O(1/ε²) on Lipschitz convex ones."
    ),
    Entry("deep-l1", "4", "Fig. 3, Table 2", "L1 norms and shares of small weights of VGG16 on CIFAR-10."),
    Entry("testbed", "5", "Sec. 5", "The convex single-layer network as a test problem for theory."),
]
BUILT = [entry.id for entry in INVENTORY[:7]]


@style()
def drawings() -> dict[str, list[Drawing]]:
    """Two figures of the kind that claims draw: a run beside its twin, and a dependence on a setting."""
    steps = np.arange(1, 400)
    figure, axes = canvas(columns=2, sharey=True)
    for ax, title, amplitude in zip(
        axes[0], ("NDGM, as printed", "twin: Huberised"), (1.0, 0.02), strict=True
    ):
        for colour, strength in zip(COLOURS, (0.1, 1, 10), strict=False):
            norm = strength * (0.5 + amplitude * 0.3 * np.sin(steps / 4)) + 20 * np.exp(-steps / 30)
            ax.plot(steps, norm, color=colour, label=f"λ₁ = {strength:g}")
        ax.set(title=title, xlabel="step", yscale="log")
    axes[0, 0].set_ylabel("L1 norm")
    axes[0, 1].legend()
    beside = Drawing(
        "beside-twin", "L1 norm over 400 steps, the kinked penalty left and its twin right.", figure
    )
    figure, axes = canvas(columns=1)
    axes[0, 0].plot([0.25, 0.5, 1, 2, 4], [0.998, 0.94, 0.31, 0, 0], "o-", color=COLOURS[6])
    axes[0, 0].set(xlabel="smoothing width / αλ₁", ylabel="alternation of the twin / αλ₁", xscale="log")
    axes[0, 0].set_xticks([0.25, 0.5, 1, 2, 4], ["¼", "½", "1", "2", "4"])
    axes[0, 0].minorticks_off()
    swept = Drawing(
        "smoothing", "How far the twin alternates, against its smoothing width (`smoothing`).", figure
    )
    figure, axes = canvas(columns=1)
    mesh = axes[0, 0].pcolormesh(np.add.outer(np.arange(4), np.arange(5)), cmap="viridis")
    figure.colorbar(mesh, label="share of starts")
    axes[0, 0].set(xlabel="strength", ylabel="step")
    tinted = Drawing("map", "Share of starts over strength and step.", figure)
    return {"penalty-paradox": [beside], "toy-lasso-orbit": [beside, swept], "lasso-paradox": [tinted]}


@pytest.fixture
def ledger() -> dict:
    return copy.deepcopy(_SAMPLE)


@pytest.fixture(scope="session")
def known() -> dict:
    return {"inventory": INVENTORY, "built": BUILT}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, known: dict) -> Path:
    """An output folder as ``reproduce`` leaves it, without its store."""
    folder = tmp_path_factory.mktemp("out")
    (folder / "ledger.json").write_text(json.dumps(_SAMPLE), encoding="utf-8")
    found = errata(Ledger.of(_SAMPLE["claims"], _SAMPLE["environment"]))
    write_errata(found, folder / "errata.html", beside=["report.html"])
    write_page(_SAMPLE, save_figures(drawings(), folder / "figures"), folder / "report.html", **known)
    return folder
