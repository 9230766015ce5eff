"""The outcome last written to a folder, for drawing it anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nonsmooth.claims._claim import Claim, Row
from nonsmooth.claims._ledger import Ledger
from nonsmooth.claims._plan import specs_of
from nonsmooth.claims._registry import built, source_of, sources_in
from nonsmooth.claims._reproduce import Outcome
from nonsmooth.errors import InputError
from nonsmooth.runs import Store, load_claim

__all__ = ["rebuild"]


def rebuild(out: str | Path, claim_files: Sequence[str | Path] = ()) -> Outcome:
    """The outcome last written to a folder, from its ledger and store, running and judging nothing.

    Args:
        out: a folder that :func:`reproduce` wrote.
        claim_files: the files of claims that are not built in.

    Raises:
        InputError: no ledger or store there, a claim that is not found, or runs no longer in the store.
    """
    folder = Path(out)
    ledger = Ledger.read(folder / "ledger.json")
    rows: dict[str, list[Row]] = {}
    claims: dict[str, Claim] = {}
    if not (folder / "store.sqlite").is_file():
        raise InputError(
            f"there is no store.sqlite in {str(folder)!r}; run `nonsmooth reproduce --out {folder}` first"
        )
    own = sources_in(claim_files)
    with Store(folder / "store.sqlite") as store:
        for entry in ledger.claims:
            name = entry["id"]
            if name not in own and name not in built():
                file = entry.get("claim_file") or "FILE.py"
                raise InputError(
                    f"claim {name!r} is not known; if it is your own, give its file with --claims {file}"
                )
            claims[name] = load_claim(own[name] if name in own else source_of(name))
            rows[name] = []
            for spec in specs_of(claims[name], entry["tier"], entry["settings"]):
                kept = store.latest(spec.id)
                if kept is None:
                    raise InputError(
                        f"a run of {name!r} is not in {str(folder / 'store.sqlite')!r}; "
                        f"run `nonsmooth reproduce {name} --tier {entry['tier']} --out {folder}` first"
                    )
                rows[name] += kept
    return Outcome(ledger, rows, claims)
