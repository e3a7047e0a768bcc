# `make sweep` and `make test` do all set-up on the first call.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STORAGE ?= results/tickets
STUDY ?= results/study
export RAY_USAGE_STATS_ENABLED := 0

.PHONY: sweep study test test-all test-slow test-cluster check docs columns setup lock wheel sbom image bench clean

sweep: setup
	$(BIN)/hedgesweep run search_spaces/tickets.yaml --storage $(STORAGE)
	$(BIN)/hedgesweep report $(STORAGE)

# Results in README.md and docs/: two sweeps over seeds, their tables, figures and sentences.
study: setup
	$(BIN)/hedgesweep run search_spaces/tickets_seeds.yaml --storage $(STUDY)/tickets_seeds
	$(BIN)/hedgesweep run search_spaces/xnn_seeds.yaml --storage $(STUDY)/xnn_seeds
	$(BIN)/python -m benchmarks.study $(STUDY)

# Three processes: tests that start Ray mostly wait, so three fill two cores. The files of the first
# include some that do not start Ray, so that all end at about the same time.
RAY_PART = tests/analysis/xnn tests/hedgecore/insurance tests/golden tests/reliability \
  $(shell grep -rl --include='test_*.py' 'mark\.ray' tests/sweeps tests/test_*.py)
ANALYSIS_PART = tests/analysis tests/hedgecore/hedging tests/search_spaces
QUICK := not slow and not gpu and not cluster
# BLAS kernels of the golden runs (x86 with AVX2), which are skipped where others compute.
test test-all: export OPENBLAS_CORETYPE ?= Haswell
test: setup
	@$(BIN)/pytest $(RAY_PART) -m "$(QUICK)" >.ray-tests.log 2>&1 & ray=$$!; \
	$(BIN)/pytest $(ANALYSIS_PART) --ignore=tests/analysis/xnn -m "$(QUICK)" >.analysis-tests.log 2>&1 & analysis=$$!; \
	trap 'kill $$ray $$analysis' INT TERM; \
	echo "tests that start Ray, and those of the analysis, run in parallel; their reports come last"; \
	$(BIN)/pytest $(addprefix --ignore=,$(RAY_PART) $(ANALYSIS_PART)) -m "$(QUICK)"; others=$$?; \
	wait $$analysis; analysis=$$?; cat .analysis-tests.log; \
	wait $$ray; ray=$$?; cat .ray-tests.log; exit $$((others | analysis | ray))

# Slow tests that run in CI, in two processes and one that mostly waits: simulated sweeps with a known truth, growth, a
# driver that is killed, storages on S3, a submitted sweep where ray[default] is installed.
SLOW_HALF := tests/analysis/test_error_rates.py tests/sweeps/test_growth.py tests/sweeps/test_third_experiment.py \
  tests/benchmarks tests/sweeps/test_jobs_head.py \
  tests/sweeps/test_documented_commands.py $(addprefix tests/, \
  reliability/test_killed_sweep.py::test_a_driver_killed_while_it_trains_ends_as_if_it_had_never_been \
  sweeps/test_run.py sweeps/test_diverged.py sweeps/test_stock.py sweeps/test_steered_workers.py \
  sweeps/test_side_effects.py sweeps/test_command_line.py sweeps/test_disclosure.py sweeps/test_export.py \
  sweeps/test_cures.py::test_a_shipped_space_is_planned_and_printed_as_yaml \
  sweeps/test_hostile_records.py::test_one_mutation_in_many_is_a_line_or_harmless)
SLOW_OTHERS := tests/analysis/xnn/test_error_rates_xnn.py tests/analysis/test_claims_error_rates.py \
  tests/analysis/test_error_rates_stopping.py tests/analysis/test_kendall.py \
  tests/analysis/test_claims.py tests/sweeps/test_data_files.py tests/test_aws_bootstrap.py tests/test_image.py \
  tests/test_typing.py tests/test_distribution.py tests/hedgecore/kernel/test_memory.py tests/analysis/test_report_page.py \
  tests/test_documentation.py tests/test_origin.py tests/hedgecore/market $(addprefix tests/, \
  analysis/test_duplicates.py analysis/test_contrast.py analysis/test_report_files.py $(addprefix analysis/test_column_types.py::, \
  test_an_axis_of_every_kind_with_gaps_is_reported test_a_sweep_is_reported_however_it_ended \
  test_a_single_trial_is_reported) \
  $(addprefix reliability/test_hostile_content.py::, test_no_text_of_a_log_is_obeyed_by_a_terminal \
  test_a_forged_file_of_a_preparation_is_refused_by_every_command test_another_users_storage_is_a_line) \
  reliability/test_hostile_files.py::test_every_command_has_a_verdict_and_touches_nothing_outside[pipe-1])
test-slow: setup
	@$(BIN)/pytest -m slow $(SLOW_OTHERS) >.slow-tests.log 2>&1 & others=$$!; \
	$(BIN)/pytest -m slow tests/objects >.object-tests.log 2>&1 & objects=$$!; \
	trap 'kill $$others $$objects' INT TERM; \
	$(BIN)/pytest -m slow $(SLOW_HALF); half=$$?; \
	wait $$objects; objects=$$?; cat .object-tests.log; \
	wait $$others; others=$$?; cat .slow-tests.log; exit $$((half | others | objects))

# Clusters that `ray up` starts on isolated hosts of this machine; needs root and a few programs,
# and names those that are missing.
test-cluster: setup
	$(BIN)/pytest tests/cluster

test-all: setup
	$(BIN)/pytest -m "not gpu"

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The site, dist/docs/index.html; a warning is an error. It needs no network.
docs: setup
	$(BIN)/python -m sphinx -q -W --keep-going -b html -d dist/.doctrees docs dist/docs

# Writes analysis/columns.json; run it after a column has changed in hedgecore.
columns: setup
	$(BIN)/python -m tests.column_dictionary

# Speed beside pfhedge, plain loops and plain Tune scripts, in one run: benchmarks/results.json and results.md.
bench: setup
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --upgrade --target .peers -r benchmarks/peers.txt
	PYTHONPATH=.peers $(BIN)/python -m benchmarks

setup: .venv/installed

# Hashes are checked for every file. If no CPU build of torch is available, the CUDA build is installed.
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

# Equal to the byte wherever it is built from one commit.
wheel: setup
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) PYTHON=$(BIN)/python deploy/wheel.sh dist

# Bill of materials of all locked packages, in the JSON of CycloneDX 1.6.
sbom: setup
	mkdir -p dist
	$(BIN)/python .ci/sbom.py > dist/sbom.cdx.json

# BASE is a Python image by digest; see docs/kubernetes.md.
IMAGE ?= hedgesweep
image:
	@BASE='$(BASE)' deploy/image.sh $(IMAGE)

clean:
	rm -rf dist .peers .cluster-times.csv .ray-tests.log .analysis-tests.log .slow-tests.log .object-tests.log .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache
