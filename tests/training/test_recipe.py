"""What a recipe allows."""

from typing import Any

import pytest

from nonsmooth.errors import InputError
from nonsmooth.training import Recipe


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", -1),
        ("epochs", 1.5),
        ("batch", 0),
        ("batch", True),
        ("seed", -1),
        ("chunk", 0),
        ("evaluate_every", -1),
        ("shuffle", 1),
        ("augment", "yes"),
        ("l1", -1e-9),
        ("l1", float("nan")),
        ("l1_on", "biases"),
        ("precision", "float16"),
        ("mode", "test"),
        ("stop_loss", float("inf")),
    ],
)
def test_values_out_of_range_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"^{name} = "):
        Recipe(**{"epochs": 1, name: value})


def test_the_text_tells_recipes_apart() -> None:
    assert Recipe(epochs=2, batch=None).to_json() == Recipe(epochs=2, batch=None).to_json()
    assert Recipe(epochs=2).to_json() != Recipe(epochs=2, l1=1e-9).to_json()
