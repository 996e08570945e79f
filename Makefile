# Everything runs from .venv, which `make install` builds from the lock with nothing but python3 and pip.
PYTHON ?= python3
BIN := .venv/bin
# A shell may carry this variable; without compiled files every start costs a second more.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo test test-more test-long test-destinations test-orchestration lint types generate measures \
	bench bench-quick lock clean

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: .venv/installed ## Builds .venv with the command .venv/bin/conversync

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q .venv/lib conversync sources || true
	@touch $@

demo: install ## Three nights of conversions from the sandbox into demo/warehouse.duckdb
	@$(BIN)/conversync demo

test: install ## The tests, one or more of each fault: about twelve minutes on two cores
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-more: install ## What CI runs, too: further cases, kills, both ways of decoding; twice as long
	$(BIN)/python -m pytest -n 2 --dist worksteal -m more

test-long: install ## The long suites: hundreds of kills, thousands of generated feeds
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'long or more'

test-destinations: install ## One story in DuckDB, PostgreSQL, MariaDB and DuckLake, held against the oracle; lakes as others read them (about nine minutes)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
		-r tests/destinations/requirements.lock
	$(BIN)/python -m pytest -n 2 --dist worksteal -m destinations

test-orchestration: install .venv-dagster/installed .venv-airflow/installed .venv-dask/installed .venv-kubernetes/installed .venv-spark/installed ## Dagster, Airflow, Dask and Spark run their pipelines; the CronJob is one that Kubernetes takes
	$(BIN)/python -m pytest -n 2 --dist worksteal -m orchestration

.venv-%/installed: tests/orchestration/%/requirements.lock
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

lint: install ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install ## mypy --strict
	$(BIN)/mypy

generate: install ## dbt's sources and staging models, from the tables that the vendors declare
	$(BIN)/python -m conversync.staging

measures: install ## What the code measures: lines, functions, imports
	$(BIN)/python -m benchmarks.measures

bench: install ## Everybody beside us, nights, build, report, send; writes docs/speed.md (about forty minutes)
	$(BIN)/python -m benchmarks

bench-quick: install ## What CI looks at: ratios at 100,000 rows, and a night into a million (about a minute)
	$(BIN)/python -m benchmarks --quick

lock: ## Writes requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-strip-extras --no-annotate --no-header --constraint constraints.txt -o requirements.lock
	uv pip compile tests/destinations/requirements.in --universal --python-version 3.11 --generate-hashes \
		--no-annotate --no-header --constraint requirements.lock -o tests/destinations/requirements.lock
	uv pip compile pyproject.toml pipelines/container/requirements.in --extra dbt --extra report --universal \
		--python-version 3.11 --generate-hashes --no-strip-extras --no-annotate --no-header \
		--constraint requirements.lock -o pipelines/container/requirements.lock
	for one in dagster airflow dask kubernetes spark; do uv pip compile tests/orchestration/$$one/requirements.in --universal \
		--python-version 3.11 --generate-hashes --no-annotate --no-header \
		-o tests/orchestration/$$one/requirements.lock; done

clean: ## Removes what was built, loaded and cached
	rm -rf .venv .venv-* build dist demo bench-data .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
