"""One file a claim: how its rows are altered, and what each part must answer then."""
