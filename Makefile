# Everything sets itself up: a virtual environment with the pinned packages, made anew when the pins change.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
USE := .venv/.ready
DEVELOP := .venv/.ready-to-develop

.PHONY: run test check demo bench clean
run: $(USE)
	@$(BIN)/ddpm-tui

demo: $(USE)
	@sh docs/demo.sh

test: $(DEVELOP)
	$(BIN)/python -m pytest -n 2 $(TESTS)

check: $(DEVELOP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Beside its peers, each in an environment of its own below .bench/; options: make bench BENCH="--rounds 9".
bench: $(DEVELOP)
	$(BIN)/python -m benchmarks.bench_peers $(BENCH)

$(USE): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Setting up .venv (the first time PyTorch is downloaded: some minutes)"
	@$(PIP) -e .
	@touch $@

$(DEVELOP): $(USE)
	@echo "Adding what tests and checks need"
	@$(PIP) -e '.[dev,peers]'
	@touch $@

clean:
	rm -rf .venv .bench build *.egg-info
