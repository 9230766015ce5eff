"""Settings: values in their own type, or an error that names what is allowed."""

import pytest

from nonsmooth.claims import Setting
from nonsmooth.errors import InputError

STEP, COUNT = Setting("step", 0.1, "why", 1e-3, 1.0), Setting("count", 10, "why", 1, 100)
WORD, FREE = Setting("word", "a", "why", choices=("a", "b")), Setting("free", "random", "why")


@pytest.mark.parametrize(
    ("setting", "given", "value"),
    [
        (STEP, "0.5", 0.5),
        (STEP, 1, 1.0),
        (COUNT, "20", 20),
        (COUNT, 2e1, 20),
        (WORD, "b", "b"),
        (FREE, "x", "x"),
    ],
)
def test_values_take_the_settings_type(setting: Setting, given, value) -> None:
    checked = setting.check(given)
    assert checked == value
    assert type(checked) is type(setting.default)


@pytest.mark.parametrize(
    ("setting", "given", "message"),
    [
        (STEP, "2", "out of range; allowed: 0.001 to 1"),
        (STEP, "-1", "out of range"),
        (STEP, "nan", "not a finite number"),
        (STEP, "1e999", "not a finite number"),
        (STEP, "much", "not a finite number"),
        (COUNT, "2.5", "not a whole number"),
        (COUNT, "0", "allowed: 1 to 100"),
        (WORD, "c", "choose one of a, b"),
    ],
)
def test_bad_values_are_named(setting: Setting, given: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        setting.check(given)
