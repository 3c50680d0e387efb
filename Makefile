# Every target works in a fresh clone: whatever it needs is set up first, and that is quick when done.
# Needed beforehand: python3.11, a C compiler, GNU make, Node 20 and npm.

# The environment may speak of another Python, environment or place to install to; it is not ours.
unexport PYTHON PYTHONHOME PYTHONPATH VIRTUAL_ENV CONDA_PREFIX NODE_ENV
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER PIP_PYTHON PIP_REQUIRE_VIRTUALENV PIP_CONSTRAINT
unexport PIP_REQUIREMENT PIP_NO_DEPS PIP_DRY_RUN PIP_IGNORE_INSTALLED PIP_ONLY_BINARY PIP_NO_BINARY
unexport UV_PROJECT_ENVIRONMENT UV_PYTHON UV_SYSTEM_PYTHON UV_TARGET UV_PREFIX UV_CONSTRAINT
unexport DJANGO_SETTINGS_MODULE PYTEST_ADDOPTS MYPYPATH

# Scripts' first lines break under long paths, so that every tool is run as a module.
override python := .venv/bin/python
override stamp := .venv/.requirements-dev.lock
override bench_stamp := .venv/.requirements-bench.lock

override lock_options := --quiet --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock"

# Two workers, whatever the machine has: each may run a database, a chain and a whole exchange.
override workers := -n 2 --dist loadgroup

.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-slow bench check lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

setup: $(stamp) node_modules/.package-lock.json ## install what Python and Node need (once)

# One interpreter for all: the locks are made for it.
.venv/bin/python:
	@echo "creating .venv"
	@python3.11 -m venv --clear .venv

$(stamp): requirements-dev.lock | .venv/bin/python
	@echo "installing Python packages into .venv"
	@$(python) -m pip install --disable-pip-version-check --require-hashes --no-deps \
		--progress-bar on -r requirements-dev.lock
	@cp requirements-dev.lock $(stamp)

$(bench_stamp): requirements-bench.lock $(stamp)
	@echo "installing what is measured beside ours into .venv"
	@$(python) -m pip install --disable-pip-version-check --require-hashes --no-deps \
		--progress-bar on -r requirements-bench.lock
	@cp requirements-bench.lock $(bench_stamp)

node_modules/.package-lock.json: package.json package-lock.json
	@echo "installing Node packages into node_modules"
	@npm ci --no-audit --no-fund --no-global
	@touch $@

# How many of the last months of real prices the demo walks through: 1 to 24.
MONTHS ?= 24

demo: setup ## trade, clear and settle once, and print what happened (MONTHS=3: a short walk)
	@$(python) -m exchange.demo --months $(MONTHS)

up: setup ## run the exchange until Ctrl-C
	@$(python) -m exchange.stack up

test: setup ## run the tests
	@$(python) -m pytest $(workers)

test-slow: setup ## run the tests that take long
	@$(python) -m pytest $(workers) -m slow

bench: setup $(bench_stamp) ## measure speed and memory; BENCH="core rest" chooses
	@$(python) -m tests.benchmarks $(BENCH)

check: setup ## lint, format, types, import contracts, migrations, contract artefacts
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy
	$(python) -c "from importlinter.cli import lint_imports_command as run; run()" --no-logo
	$(python) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(python) settlement/contracts/build.py --check

lock: setup ## resolve the direct dependencies of pyproject.toml anew into the locks
	$(python) -m uv pip compile $(lock_options) -o requirements.lock pyproject.toml
	$(python) -m uv pip compile $(lock_options) --group embedded --group dev \
		-o requirements-dev.lock pyproject.toml
	$(python) -m uv pip compile $(lock_options) --group bench -c requirements-dev.lock \
		-o requirements-bench.lock pyproject.toml

clean: ## remove caches, builds and instances; keep what setup installed
	@if test -x .venv/bin/python; then $(python) -m exchange.stack reset --all; fi
	rm -rf build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf settlement/contracts/out settlement/contracts/cache
