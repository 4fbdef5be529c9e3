# Everything a person does here. "make demo" and "make test" need nothing but Python 3.11 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
POWER_CUT := tests/edge/store/power_cut
REHEARSAL := .rehearsal

.PHONY: help demo test check format dist clean rehearse-store rehearse-update

help:
	@echo "make demo     recognise animals now"
	@echo "make test     run the tests"
	@echo "make check    lint, types and import rules, as CI runs them"
	@echo "make format   put the code in shape"
	@echo "make dist     build the wheel"
	@echo "make rehearse-store   cut the power of an event store at every write, then 200 times at random"
	@echo "make rehearse-update  cut the power of a device at every write of its updates, and again while it recovers"
	@echo "make clean    remove the environment and what was built"

demo: $(VENV)/base
	@$(BIN)/trailcam demo

test: $(VENV)/dev
	$(BIN)/pytest

check: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

dist: $(VENV)/dev
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

rehearse-store: $(VENV)/dev
	mkdir -p $(REHEARSAL) && $(CC) -O1 -shared -fPIC -o $(REHEARSAL)/power_cut.so $(POWER_CUT)/power_cut.c -ldl
	rm -rf $(REHEARSAL)/writes $(REHEARSAL)/kills && mkdir $(REHEARSAL)/writes
	LD_PRELOAD=$(CURDIR)/$(REHEARSAL)/power_cut.so $(BIN)/python $(POWER_CUT)/rehearse.py $(REHEARSAL)/writes
	$(BIN)/python $(POWER_CUT)/rehearse_kills.py $(REHEARSAL)/kills 200

rehearse-update: $(VENV)/dev
	mkdir -p $(REHEARSAL) && $(CC) -O1 -shared -fPIC -o $(REHEARSAL)/power_cut.so $(POWER_CUT)/power_cut.c -ldl
	rm -rf $(REHEARSAL)/update
	LD_PRELOAD=$(CURDIR)/$(REHEARSAL)/power_cut.so $(BIN)/python tests/edge/update/rehearse.py $(REHEARSAL)/update

clean:
	rm -rf $(VENV) $(REHEARSAL) dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Trailcam needs Python 3.11 or newer, this is " + sys.version.split()[0] + ". Name another: make demo PYTHON=python3.13") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

# An editable install: what runs is this checkout.
$(VENV)/base: $(VENV)/bin/python pyproject.toml
	@echo "Installing what a camera needs (130 MB to fetch, a minute or two) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/dev: $(VENV)/bin/python pyproject.toml
	@echo "Installing what training, export and the tests need (930 MB to fetch, a few minutes) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[train,export,dev]'
	@touch $@ $(VENV)/base
