# Everything here sets itself up: Python >= 3.11, pip and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
SETUP := $(VENV)/.ready
BENCH := .venv-bench
AZURITE := .azurite/node_modules/.bin/azurite-blob
CHROMIUM := /usr/bin/chromium
OTHER_ENGINE := .engines/25.1/bin/python
# Each has servers of its own: more processes need more memory.
TEST_PROCESSES ?= 2

.PHONY: demo test test-slow check format bench bench-long docs screenshots clean

demo: $(SETUP)
	$(BIN)/skyhold demo

test: $(SETUP) $(if $(CI),$(AZURITE) $(CHROMIUM))
	$(BIN)/python -m pytest -m "not slow" --numprocesses=$(TEST_PROCESSES) --dist=loadfile

test-slow: $(SETUP) $(AZURITE) $(CHROMIUM) $(OTHER_ENGINE)
	$(UV) pip install --quiet --python $(BIN)/python --group slow
	$(BIN)/python -m pytest -m "slow or not slow" --hypothesis-profile=nightly --timeout=1800

check: $(SETUP) $(if $(CI),$(AZURITE))
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q docs README.md

format: $(SETUP)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(BENCH)/.ready
	$(BENCH)/bin/python benchmarks/run.py

bench-long: $(BENCH)/.ready
	$(BENCH)/bin/python benchmarks/run.py memory-long

docs: $(SETUP)
	$(UV) pip install --quiet --python $(BIN)/python --group docs
	$(BIN)/zensical build

screenshots: $(SETUP) $(CHROMIUM)
	$(BIN)/python docs/screenshots.py

$(SETUP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(UV) || $(BIN)/python -m pip install --quiet uv
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --group dev --editable '.[all]'
	touch $(SETUP)

# A house of their own for the benchmarks: the demo's data bring pandas, which pyarrow imports wherever it is installed.
$(BENCH)/.ready: pyproject.toml $(SETUP)
	test -x $(BENCH)/bin/python || $(BIN)/python -m venv $(BENCH)
	$(UV) pip install --quiet --compile-bytecode --python $(BENCH)/bin/python --group bench --editable '.[sql,simulation]'
	touch $(BENCH)/.ready

# The Azure emulator comes from npm. Tests say so where it is missing; CI insists on it.
$(AZURITE):
	npm install --silent --no-fund --no-audit --prefix .azurite azurite

# An older EnergyPlus, in a Python of its own: one Python has one wheel of it.
$(OTHER_ENGINE): | $(SETUP)
	$(UV) venv --quiet --clear --python $(BIN)/python .engines/25.1
	$(UV) pip install --quiet --python $(OTHER_ENGINE) 'pyenergyplus-lbnl==25.1.2'

# The browser that tests open the dashboard with is a package of the system.
$(CHROMIUM):
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends chromium

clean:
	rm -rf $(VENV) $(BENCH) .azurite .engines .hypothesis .ruff_cache build dist site demo-output
