"""The outcome last written to a folder: drawn anew, or judged anew by rules that have changed since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nonsmooth.claims._claim import Claim, Row
from nonsmooth.claims._entry import entry_of
from nonsmooth.claims._ledger import Ledger
from nonsmooth.claims._plan import Case, Plan, specs_of
from nonsmooth.claims._registry import built, source_of, sources_in
from nonsmooth.claims._reproduce import Outcome
from nonsmooth.claims._sweep import Sweep
from nonsmooth.errors import InputError
from nonsmooth.runs import ClaimSource, Store, fingerprint, key, load_claim

__all__ = ["rebuild"]


def rebuild(out: str | Path, claim_files: Sequence[str | Path] = (), *, judge: bool = False) -> Outcome:
    """The outcome last written to a folder, from its ledger and store, running nothing.

    Args:
        out: a folder that :func:`~nonsmooth.claims.reproduce` wrote.
        claim_files: the files of claims that are not built in.
        judge: judge the stored runs by the claims' present rules and write the ledger anew. Runs that an
            older version of the code measured are taken as they are, and counted in ``older_runs``.

    Raises:
        InputError: no ledger or store there, a claim that is not found, or runs no longer in the store.
    """
    folder = Path(out)
    ledger = Ledger.read(folder / "ledger.json")
    if not (folder / "store.sqlite").is_file():
        raise InputError(
            f"there is no store.sqlite in {str(folder)!r}; run `nonsmooth reproduce --out {folder}` first"
        )
    own = sources_in(claim_files)
    cases: dict[str, list[Case]] = {}
    by_spec: dict[str, list[Row]] = {}
    entries: list[dict[str, Any]] = []
    with Store(folder / "store.sqlite") as store:
        for entry in ledger.claims:
            name = entry["id"]
            cases[name] = _cases(entry, _source(entry, own), sweep=judge)
            for spec in (spec for case in cases[name] for spec in case.specs):
                kept = store.latest(spec.id)
                if kept is None:
                    raise InputError(
                        f"a run of {name!r} is not in {str(folder / 'store.sqlite')!r}; "
                        f"run `nonsmooth reproduce {name} --tier {entry['tier']} --out {folder}` first"
                    )
                by_spec[spec.id] = kept
            if judge:
                entries.append(_judged(entry, cases[name], by_spec, store))
    if judge:
        ledger = Ledger.of(entries, ledger.environment)
        ledger.write(folder / "ledger.json")
    rows = {name: each[0].rows(by_spec) for name, each in cases.items()}
    return Outcome(ledger, rows, {name: each[0].claim for name, each in cases.items()})


def _source(entry: Mapping[str, Any], own: Mapping[str, ClaimSource]) -> ClaimSource:
    name = entry["id"]
    if name not in own and name not in built():
        file = entry.get("claim_file") or "FILE.py"
        raise InputError(
            f"claim {name!r} is not known; if it is your own, give its file with --claims {file}"
        )
    return own[name] if name in own else source_of(name)


def _cases(entry: Mapping[str, Any], source: ClaimSource, *, sweep: bool) -> list[Case]:
    """The claim at the settings of the ledger, and at each value of its sweep where that is wanted."""
    claim: Claim = load_claim(source)
    points = entry.get("sweep") or () if sweep else ()
    choices = [(None, entry["settings"])]
    choices += [(each["value"], {**entry["settings"], each["setting"]: each["value"]}) for each in points]
    return [
        Case(claim, source, settings, specs_of(claim, entry["tier"], settings), value)
        for value, settings in choices
    ]


def _judged(
    entry: Mapping[str, Any], cases: Sequence[Case], by_spec: Mapping[str, list[Row]], store: Store
) -> dict[str, Any]:
    """The entry with the verdict of the present rules; what was run, on what and for how long stays."""
    points = entry.get("sweep") or ()
    sweep = Sweep(points[0]["setting"], tuple(point["value"] for point in points)) if points else None
    verdicts = [case.claim.verdict(case.rows(by_spec)) for case in cases]
    code = fingerprint(cases[0].source)
    older = sum(store.get(key(spec, code)) is None for spec in cases[0].specs)
    fresh = entry_of(Plan(entry["tier"], sweep=sweep), cases, verdicts, entry.get("seconds") or 0.0)
    return {**fresh, "data": entry.get("data"), "older_runs": older}
