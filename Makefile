# Two commands do everything: `make demo` and `make test`. Both set the machine up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_OUT ?= runs/demo
# Tests of one file stay in one process: they share browsers and servers. tests/conftest.py orders them.
WORKERS ?= 4
# Most of what is installed is never imported: compiling all of it takes a minute.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt
# The doctor starts what it looks for, and installs what does not start.
FIX := $(BIN)/python -m eyehand doctor --fix

.PHONY: demo test check docs constraints fuzz machine clean

demo: $(VENV)/.installed
	@$(FIX) chromium fonts adb
	@$(BIN)/python -m eyehand demo --out $(DEMO_OUT)

# Checking needs a processor and the machine's packages need the network: both at once.
test: $(VENV)/.installed-dev
	@$(MAKE) --no-print-directory -j2 check docs machine
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

machine: $(VENV)/.installed-dev
	@$(FIX) chromium fonts adb xvfb mujoco drawing

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --explicit-package-bases tests benchmarks examples
	$(BIN)/lint-imports

# The site, from docs/ and the docstrings: a link that leads nowhere ends it. It needs no network.
docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

# Writes down every version that is installed, also of what others ask for. To take newer ones,
# install them into $(VENV) and run the tests first.
constraints: $(VENV)/.installed-dev
	@{ echo '# Versions that the tests pass with, also of what others ask for: made by `make constraints`.'; \
	  echo '# torch is pinned to one exact release: a loose range lets pip choose builds of several'; \
	  echo '# gigabytes.'; \
	  $(BIN)/python -m pip freeze --exclude-editable | sed 's/+[A-Za-z0-9.]*$$//'; } > constraints.new
	@mv constraints.new constraints.txt

# Half-broken checkpoint folders, so many for each of nine kinds of file; prints the figures.
FUZZ_EXAMPLES ?= 3000
fuzz: $(VENV)/.installed-dev
	EYEHAND_FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/python -m pytest -q tests/model/test_checkpoint_fuzz.py

$(VENV)/.installed: pyproject.toml constraints.txt scripts/make_venv.sh
	@bash scripts/make_venv.sh "$(PYTHON)" "$(VENV)"
	@echo "installing Python packages; the first time this takes minutes"
	@$(PIP) -e .
	@touch $@

# All of it in one go: the packages above are among them.
$(VENV)/.installed-dev: pyproject.toml constraints.txt scripts/make_venv.sh
	@bash scripts/make_venv.sh "$(PYTHON)" "$(VENV)"
	@echo "installing Python packages, the tests' too; the first time this takes minutes"
	@$(PIP) -e '.[dev]'
	@touch $(VENV)/.installed $@

clean:
	rm -rf $(VENV) build dist runs .pytest_cache .mypy_cache .ruff_cache
