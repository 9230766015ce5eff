"""A long reason where there is room for one line only: its first sentence."""

from __future__ import annotations

import re

__all__ = ["brief", "first_sentence"]

# A reason longer than this is cut, in a table of verdicts, to its first sentence.
_LINE = 220
# A full stop after one of these ends no sentence.
_ABBREVIATIONS = ("Prop", "Sec", "Fig", "App", "Eq", "eq", "e.g", "i.e", "cf", "et al", "vs", "approx", "no")


def first_sentence(text: str) -> str:
    """The first sentence of a text, not fooled by "Prop. B.6" or "0.5".

    >>> first_sentence("Prop. B.6 holds for P = 2. It fails above.")
    'Prop. B.6 holds for P = 2.'
    """
    for stop in re.finditer(r"[.!?](?=\s+[A-Z0-9“\"(])", text):
        if not text[: stop.start()].endswith(_ABBREVIATIONS):
            return text[: stop.end()]
    return text.strip()


def brief(why: str) -> str:
    """A reason as it stands, or its first sentence where it is long.

    >>> brief("Short. And whole.")
    'Short. And whole.'
    >>> brief("It holds. " + "And so on. " * 30)
    'It holds.'
    """
    return why if len(why) <= _LINE else first_sentence(why)
