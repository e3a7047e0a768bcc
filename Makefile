# `make sweep` and `make test` do all their own set-up; a second call finds it done.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STORAGE ?= results/tickets
export RAY_USAGE_STATS_ENABLED := 0

.PHONY: sweep test test-all check columns setup lock benchmarks clean

sweep: setup
	$(BIN)/hedgesweep run search_spaces/tickets.yaml --storage $(STORAGE)
	$(BIN)/hedgesweep report $(STORAGE)

# What starts Ray waits for processes most of the time; all else runs beside it, and a part of that
# after it, so that both come to their end together.
AFTER_RAY := tests/analysis/xnn tests/search_spaces tests/hedgecore/insurance
QUICK := not ray and not slow and not gpu
test: setup
	@{ $(BIN)/pytest -m "ray and not slow and not gpu"; ray=$$?; \
	  $(BIN)/pytest $(AFTER_RAY) -m "$(QUICK)"; exit $$((ray | $$?)); } >.ray-tests.log 2>&1 & ray=$$!; \
	trap 'kill $$ray' INT TERM; \
	echo "tests that start Ray run beside the others; their report comes last"; \
	$(BIN)/pytest $(addprefix --ignore=,$(AFTER_RAY)) -m "$(QUICK)"; others=$$?; \
	wait $$ray; ray=$$?; cat .ray-tests.log; exit $$((others | ray))

test-all: setup
	$(BIN)/pytest -m "not gpu"

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The dictionary of columns that analysis ships, after a column has changed in hedgecore.
columns: setup
	$(BIN)/python -m tests.column_dictionary

benchmarks: setup
	$(BIN)/python -m benchmarks.heston_paths

setup: .venv/installed

# Every file is held to its hash. Where no CPU build of torch is to be had, it is the one with CUDA.
LOCKED := $(BIN)/python -m pip install --quiet --require-hashes --no-deps
.venv/installed: pyproject.toml $(wildcard locks/*.lock)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "hedgesweep needs Python 3.11 or newer; call make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(LOCKED) -r locks/sweep.lock -r locks/dev.lock
	$(LOCKED) -r locks/torch-cpu.lock || $(LOCKED) -r locks/torch-cuda.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

lock: setup
	$(LOCKED) -r locks/installer.lock
	$(BIN)/python .ci/lock.py

clean:
	rm -rf .ray-tests.log .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache
