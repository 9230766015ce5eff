# Everything a fresh machine needs is Python 3.11 or later and make.
PYTHON ?= python3
TIER   ?= quick
DATA   ?=
JOBS   ?=
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: reproduce test test-all lint bench clean help

help:
	@echo "make reproduce   install, run every built claim at tier TIER=$(TIER), write out/$(TIER)/report.html"
	@echo "                 DATA=PATH: CIFAR-10 for the claims on networks, in place of digits"
	@echo "make test        the fast tests (minutes; no browser, no kills)"
	@echo "make test-all    everything: a real browser, real kills, every slow test"
	@echo "make lint        ruff and pyright"
	@echo "make bench       benchmarks against peers, as ratios"

$(VENV)/run: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	@touch $@

$(VENV)/dev: $(VENV)/run
	$(PIP) --editable ".[test,dev]"
	@touch $@

reproduce: $(VENV)/run
	$(BIN)/nonsmooth reproduce --tier $(TIER) --out out/$(TIER) $(if $(JOBS),--jobs $(JOBS)) $(if $(DATA),--data-dir $(DATA))

# As many test processes as cores: one thread each.
test test-all: export OMP_NUM_THREADS := 1

test: $(VENV)/dev
	$(BIN)/python -m pytest -n auto -m "not slow"

test-all: $(VENV)/dev $(if $(FAST_PASSED),,test)
	$(BIN)/python -m pytest -n auto -m slow

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: $(VENV)/dev
	$(BIN)/python benchmarks/populations.py
	$(BIN)/python benchmarks/strength.py
	$(BIN)/python benchmarks/noise.py
	$(BIN)/python benchmarks/cost.py
	$(BIN)/python benchmarks/compact.py
	$(BIN)/python benchmarks/listing.py
	$(BIN)/python benchmarks/kinks.py
	$(BIN)/python benchmarks/sharpness.py

clean:
	rm -rf $(VENV) out build dist .pytest_cache .ruff_cache .hypothesis
