"""The page of an audit: whole, self-contained, readable in a browser."""

import re

import pytest
import torch
from torch import nn

from nonsmooth.audit import audit
from nonsmooth.errors import InputError
from nonsmooth.report import write_audit


@pytest.fixture(scope="module")
def found():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    x = torch.randn(9, 3)
    sgd = torch.optim.SGD(model.parameters(), lr=0.5)  # crosses kinks, which are drawn

    def step() -> None:
        sgd.zero_grad()
        nn.functional.mse_loss(model(x), x[:, :1]).backward()
        sgd.step()

    return audit(model, (x, x[:, :1]), nn.functional.mse_loss, optimizer=sgd, step=step, steps=100)


def test_it_holds_every_observation_and_asks_the_network_for_nothing(found, tmp_path):
    page = write_audit(found, tmp_path / "audit.html", "mine:<build>").read_text()
    for each in found.observations:
        assert f'id="observation-{each.id}"' in page
    assert "mine:&lt;build&gt;" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "Content-Security-Policy" in page
    for row in found.assumptions:
        assert row.answer in page


def test_a_folder_that_cannot_be_written_is_said(found, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot"):
        write_audit(found, tmp_path / "file" / "audit.html")


def test_a_notebook_shows_it(found):
    shown = found._repr_html_()
    assert shown.count("<details") == len(found.observations)
    assert "data:image/svg+xml" in shown
