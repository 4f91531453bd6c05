# Everything runs in .venv, which is made from PyPI wheels on first use.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# a worker a core; one that is done takes over half of what another has left, so that they end together
PARALLEL := -n logical --maxprocesses 8 --dist worksteal

.PHONY: demo test test-all mutants prove bench docs lint setup tools clean

demo: setup
	$(BIN)/leadlag demo

test: setup tools lint
	$(BIN)/python -m pytest -q $(PARALLEL) -m "not slow"

test-all: setup tools lint
	$(BIN)/python -m pytest -q $(PARALLEL)

mutants: setup
	$(BIN)/python tests/mutants.py

prove: setup
	$(BIN)/python tests/prove.py

bench: setup tools
	$(BIN)/leadlag bench

# the site, which opens without a server: build/site/index.html
docs: setup
	@$(BIN)/python -c 'import material, mkdocstrings, mkdocs_click' || \
	    { echo "the site needs mkdocs-material, mkdocstrings and mkdocs-click: $(BIN)/pip install -e '.[docs]'" >&2; \
	      exit 2; }
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "written: build/site/index.html"

lint: setup
	$(BIN)/ruff check .

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "leadlag needs Python 3.11 or newer, $(PYTHON) is older; set PYTHON=..." >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || $(MAKE) --no-print-directory apt-python3-venv
	@command -v g++ >/dev/null && command -v perl >/dev/null || $(MAKE) --no-print-directory apt-g++ apt-make apt-perl
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,test]'
	@touch $@

# the tools without a wheel: Icarus Verilog, and a browser that opens the pages of the reports
tools:
	@command -v iverilog >/dev/null || $(MAKE) --no-print-directory apt-iverilog
	@command -v chromium >/dev/null || $(MAKE) --no-print-directory apt-chromium || \
	    echo "without Chromium the tests of the pages are skipped" >&2

APT := apt-get install -y -qq --no-install-recommends
apt-%:
	@if [ "$$(id -u)" = 0 ]; then apt-get update -qq && $(APT) $* >/dev/null; \
	elif sudo -n true 2>/dev/null; then sudo apt-get update -qq && sudo $(APT) $* >/dev/null; \
	else echo "leadlag needs the Debian package $*; install it with: sudo apt-get install $*" >&2; exit 2; fi

clean:
	rm -rf build $(VENV)
