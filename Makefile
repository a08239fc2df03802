# Two commands do everything: `make demo` and `make test`. Both set the machine up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)
DEMO_OUT ?= runs/demo

.PHONY: demo test check setup chromium system clean

demo: setup
	@$(BIN)/python -m eyehand demo --out $(DEMO_OUT)

test: setup system check
	$(BIN)/python -m pytest -q

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --explicit-package-bases tests
	$(BIN)/lint-imports

setup: $(STAMP) chromium

$(STAMP): pyproject.toml constraints.txt
	@bash scripts/make_venv.sh "$(PYTHON)" "$(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

chromium: $(STAMP)
	@bash scripts/install_chromium.sh "$(BIN)"

system:
	@bash scripts/install_test_system.sh

clean:
	rm -rf $(VENV) build dist runs .pytest_cache .mypy_cache .ruff_cache
