# Tresor's one door. The logic is in deploy/bootstrap (Python, standard library until the environment is there).

PYTHON := $(shell for p in python3.11 python3.12 python3.13 python3; do \
	if "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then command -v "$$p"; break; fi; done)
BIN := .venv/bin
LAB := deploy/lab/openstack
export PYTHONPATH := deploy

.DEFAULT_GOAL := help
.PHONY: help python env lock lint format test demo bench faults contracts up down deployment lab-up lab-demo lab-test lab-record lab-down lab-slurm-up lab-slurm-test lab-slurm-down clean

help: ## Show this help
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

python:
	@test -n "$(PYTHON)" || { echo "Tresor can't go on: no Python 3.11 or later is in PATH (Debian: python3.11)" >&2; exit 69; }

env: python ## Get uv and the locked environment (.venv); at once when they are there
	@"$(PYTHON)" -m bootstrap env

lock: python ## Write the locks (hashes, no addresses); UPGRADE=1 takes the newest allowed versions
	@"$(PYTHON)" -m bootstrap lock $(if $(UPGRADE),--upgrade)

lint: env ## ruff, mypy --strict, import-linter, and the contracts' committed schemas
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python -m contracts.generate --check
	$(BIN)/python -m docs.generate --check

format: env ## Format the code and apply ruff's safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

WORKERS ?= 3
test: env ## The whole suite on a real broker and a real database, WORKERS=3 files side by side; ARGS= goes to pytest
	$(BIN)/pytest -n $(WORKERS) --dist loadfile -m "not lab and not campaign" $(ARGS)

demo: env ## The chain from a signed command to a proven workspace, on the twin; KEEP=1 leaves it running
	@$(BIN)/python deploy/demo/run.py $(ARGS)

bench: env ## Ingest beside other consumers, latency, commands, the proof, drift, quarantine
	$(BIN)/python -m tests.bench $(ARGS)

faults: env ## The long seeded fault campaign
	$(BIN)/pytest -m campaign tests/faults $(ARGS)

contracts: env ## Write the schemas, asyncapi.yaml and the references of messages and settings from the code
	$(BIN)/python -m contracts.generate
	$(BIN)/python -m docs.generate

up: env ## Start a RabbitMQ and a PostgreSQL that later runs use
	@$(BIN)/python -m bootstrap up

down: env ## Stop what `make up` started
	@$(BIN)/python -m bootstrap down

deployment: env ## Write the secrets and definitions compose.yaml needs into DIR (.run/deployment)
	@$(BIN)/python -m bootstrap deployment $(or $(DIR),.run/deployment)

lab-up: env ## Install and start the real OpenStack control plane on loopback
	$(LAB)/up.sh

lab-demo: env ## The demo, against the real OpenStack
	$(LAB)/demo.sh

lab-test: env ## The suite the twin passes, against the real OpenStack
	$(LAB)/test.sh

lab-record: ## Record the lab's notifications anew into tests/recordings
	$(LAB)/record.sh

lab-down: ## Stop the lab
	$(LAB)/down.sh

lab-slurm-up: env ## Install and start a real Slurm with cloud nodes on loopback
	@$(BIN)/python -m lab.slurm up

lab-slurm-test: env ## The hooks' suite on a real Slurm (part of `make test`)
	$(BIN)/pytest -m slurm tests/slurm $(ARGS)

lab-slurm-down: ## Stop the real Slurm; ARGS=--wipe removes its folder
	@$(BIN)/python -m lab.slurm down $(ARGS)

clean: ## End what is left running in this checkout and delete .run, .venv and .tools
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m bootstrap clean; fi
	rm -rf .run .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
