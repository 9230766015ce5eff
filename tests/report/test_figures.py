"""Figures on disk: names that stay in their folder, and bytes that depend on the drawing alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from nonsmooth.errors import InputError
from nonsmooth.findings import Drawing, canvas
from nonsmooth.report import save_figures


def draw(name: str = "orbit", height: float = 1.0) -> Drawing:
    figure, axes = canvas(columns=1)
    axes[0, 0].plot([0, height], label="λ₁")
    axes[0, 0].legend()
    return Drawing(name, "A line.", figure)


def test_a_drawing_is_an_svg_and_a_pdf_named_after_its_claim(tmp_path: Path) -> None:
    saved = save_figures({"toy": [draw()]}, tmp_path / "new" / "figures")
    (figure,) = saved["toy"]
    assert (figure.claim, figure.name, figure.caption) == ("toy", "orbit", "A line.")
    assert sorted(path.name for path in figure.svg.parent.iterdir()) == ["toy--orbit.pdf", "toy--orbit.svg"]
    assert figure.svg.read_text(encoding="utf-8").rstrip().endswith("</svg>")
    assert figure.pdf.read_bytes().startswith(b"%PDF")


def test_the_same_drawing_gives_the_same_bytes_and_another_gives_others(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b", tmp_path / "c"]
    for folder, height in zip(folders, (1.0, 1.0, 2.0), strict=True):
        save_figures({"toy": [draw(height=height)]}, folder)
    for name in ("toy--orbit.svg", "toy--orbit.pdf"):
        a, b, c = ((folder / name).read_bytes() for folder in folders)
        assert a == b
        assert a != c
    assert b"<dc:date>" not in (folders[0] / "toy--orbit.svg").read_bytes()
    assert b"CreationDate" not in (folders[0] / "toy--orbit.pdf").read_bytes()


def test_text_is_drawn_as_paths_so_no_font_is_needed(tmp_path: Path) -> None:
    (figure,) = save_figures({"toy": [draw()]}, tmp_path)["toy"]
    svg = figure.svg.read_text(encoding="utf-8")
    assert "<text" not in svg
    assert "font-family" not in svg


def test_names_cannot_leave_the_folder_nor_collide(tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    hostile = [draw("../../x"), draw("<script>"), draw("a b"), draw("a-b"), draw("")]
    saved = save_figures({"../evil/<b>": hostile}, folder)
    written = [path for figure in saved["../evil/<b>"] for path in (figure.svg, figure.pdf)]
    assert len(set(written)) == 10
    assert {path.parent for path in written} == {folder}
    assert all(path.is_file() for path in written)
    assert not any(set(path.name) & set('<>"/\\ ') for path in written)


def test_only_a_figure_whose_colours_are_values_is_tinted(tmp_path: Path) -> None:
    figure, axes = canvas(columns=2)
    axes[0, 0].scatter([0, 1], [0, 1], color="C0")
    axes[0, 1].pcolormesh([[0, 1], [2, 3]])
    scattered = canvas(columns=1)
    scattered[1][0, 0].scatter([0, 1], [0, 1], color="C0")
    drawings = [Drawing("map", "", figure), Drawing("scatter", "", scattered[0]), draw()]
    assert [saved.tinted for saved in save_figures({"toy": drawings}, tmp_path)["toy"]] == [
        True,
        False,
        False,
    ]


def test_the_figure_is_left_as_it_was(tmp_path: Path) -> None:
    drawing = draw()
    before = drawing.figure.get_layout_engine()
    save_figures({"toy": [drawing]}, tmp_path)
    assert drawing.figure.get_layout_engine() is before


def test_a_folder_that_is_a_file_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(InputError, match=r"cannot make the folder .*taken.*--out") as caught:
        save_figures({"toy": [draw()]}, tmp_path / "taken")
    assert "\n" not in str(caught.value)
