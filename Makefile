# Everything sets itself up: a virtual environment with the pinned packages, made once per change of the pins.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: run test check demo clean
run: $(READY)
	@$(BIN)/ddpm-tui

test: $(READY)
	$(BIN)/python -m pytest -n 2 $(TESTS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

demo: $(READY)
	@sh docs/demo.sh

$(READY): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Setting up .venv (the first time this downloads PyTorch: a few minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,peers]'
	@touch $@

clean:
	rm -rf .venv build *.egg-info
