# "make demo" and "make test" need Python 3.11 to 3.13 and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check

.PHONY: help demo test check format docs dist system mutate fuzz clean

help:
	@echo "make demo     recognise animals now, on real photographs"
	@echo "make test     run the tests"
	@echo "make check    lint, types, import rules and prose"
	@echo "make format   format the code"
	@echo "make docs     build the documentation site into site/"
	@echo "make dist     build the wheel and the source archive into dist/"
	@echo "make system TEST=NAME [ARGS=...]   a test against real systems, some as root; docs/system-tests.md lists them"
	@echo "make mutate   change the pure modules and list the changes that no test notices"
	@echo "make fuzz     read mutated pictures, models, videos and other files, with a bound of memory"
	@echo "make clean    remove the environment and everything that was built"

demo: $(VENV)/base
	@$(BIN)/trailcam demo

test: $(VENV)/dev
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile

check: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_prose.py

format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The documentation is in site/index.html; its search needs a server: python3 -m http.server --directory site"

dist: $(VENV)/dev
	$(PIP) build
	$(BIN)/python -m build --outdir dist .

# The pure modules and their tests are a table in tools/mutation.py. MODULES="visits retention" JOBS=2 MINUTES=60
MODULES ?=
JOBS ?= 2
MINUTES ?= 60
mutate: $(VENV)/dev
	@$(PIP) --editable '.[mutation]'
	$(BIN)/python tools/mutation.py $(MODULES) --jobs $(JOBS) --minutes $(MINUTES)

# The readers are a table in tools/fuzz_targets.py. TARGETS="pictures models"
TARGETS ?=
fuzz: MINUTES = 10
fuzz: $(VENV)/dev
	$(BIN)/python tools/fuzz.py $(TARGETS) --minutes $(MINUTES)

TEST ?=
ARGS ?=
system: $(VENV)/dev
	$(BIN)/python tests/system/run.py $(TEST) $(ARGS)

clean:
	rm -rf $(VENV) $(VENV)-* site dist .mutation .fuzz .flips .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Trailcam needs a 64-bit system, and this Python is a 32-bit one: install the 64-bit Raspberry Pi OS.") if sys.maxsize < 2**32 else None'
	@$(PYTHON) -c 'import sys; sys.exit("Trailcam needs Python 3.11 or newer, this is " + sys.version.split()[0] + ". Name another: make demo PYTHON=python3.13") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -c 'import sys; sys.exit("Trailcam is tested on Python 3.11 to 3.13, and TensorFlow has no release for a newer one; this is " + sys.version.split()[0] + ". Name another: make demo PYTHON=python3.13") if sys.version_info >= (3, 14) else None'
	$(PYTHON) -m venv $(VENV)

# Editable installs: the checkout is what runs.
$(VENV)/base: $(VENV)/bin/python pyproject.toml
	@echo "Installing what a camera needs (130 MB to download, a minute or two) ..."
	@$(PIP) --editable '.[opencv,completion]'
	@touch $@

$(VENV)/dev: $(VENV)/bin/python pyproject.toml
	@echo "Installing what training, export and the tests need (930 MB to download, a few minutes) ..."
	@$(PIP) --editable '.[train,export,dev]'
	@touch $@ $(VENV)/base

$(VENV)/docs: $(VENV)/bin/python pyproject.toml
	@echo "Installing what the documentation needs (60 MB to download) ..."
	@$(PIP) --editable '.[docs]'
	@touch $@ $(VENV)/base
