# vitals-gateway: `make` alone says what there is.
#
# Everything happens in .venv, which holds exactly what requirements/*.txt lock. What is already there is not installed again.

BIN := .venv/bin
# mosquitto lives in sbin, which a plain user's PATH on Debian leaves out.
export PATH := $(PATH):/usr/sbin:/sbin
# What `make test` leaves out, and which target runs it.
LEFT_OUT := not long and not vm
# Extra words for the command: make demo ARGS="--days 3", make test ARGS=tests/buffer
ARGS ?=
BENCHES = $(basename $(subst /,.,$(sort $(filter-out bench/_%,$(wildcard bench/*.py)))))

.DEFAULT_GOAL := help
.PHONY: help venv venv-run venv-dev demo test check bench test-long test-vm lock clean broker

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: ## make .venv: the command, the demo and the reference backend
	@requirements/install demo

venv-run: ## make .venv with what a hub needs and nothing more
	@requirements/install run

venv-dev:
	@requirements/install dev

broker:
	@command -v mosquitto >/dev/null || requirements/need mosquitto "the tests talk to a real MQTT broker"

demo: venv ## the whole path on this machine, from virtual devices to the day ledger
	@$(BIN)/vitals-gateway demo $(ARGS)

test: venv-dev broker ## every test but the long and the virtual machine ones; lint, types and floors are among them
	@echo 'Left out here: tests marked "long" (make test-long) and "vm" (make test-vm). Skipped ones are listed with their reason.'
	@$(BIN)/python -m pytest -m "$(LEFT_OUT)" $(ARGS)

check: venv-dev ## format, lint, types and floors alone
	@$(BIN)/ruff format --check --quiet . || { $(BIN)/ruff format --diff --quiet .; false; }
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: venv-dev broker ## measure; prints ratios against a bare peer in the same run
	@failed=""; for bench in $(BENCHES); do \
	  echo "== $$bench"; $(BIN)/python -m "$$bench" $(ARGS) || failed="$$failed $$bench"; \
	done; [ -z "$$failed" ] || { echo "These did not finish:$$failed" >&2; false; }

test-long: venv-dev broker ## the longer crash, soak and scale tests
	@$(BIN)/python -m pytest -m long $(ARGS)

# Where the virtual machine's image is kept; how often its power is cut: make test-vm VM_CUTS=300
VM_IMAGE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vitals-gateway-vm
VM_CUTS ?= 25
export VM_CUTS
test-vm: venv-dev ## tests in a virtual machine with its own kernel, whose power is cut (VM_CUTS=300: longer)
	@command -v mke2fs >/dev/null && command -v qemu-system-x86_64 >/dev/null && command -v mmdebstrap >/dev/null || \
	  requirements/need "qemu-system-x86 mmdebstrap debian-archive-keyring e2fsprogs" "a virtual machine, and what makes its image"
	@PYTHON=$(BIN)/python tests/vm/build-image "$(VM_IMAGE)"
	@VM_IMAGE="$(VM_IMAGE)" $(BIN)/python -m pytest -m vm $(ARGS)

# A pin stays as it is unless LOCK=--upgrade says otherwise.
LOCK ?=
UV_COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url $(LOCK)
lock: ## lock requirements/*.txt again after a change in pyproject.toml or *.in (needs uv); LOCK=--upgrade takes newer versions
	@command -v uv >/dev/null || { echo "Locking needs uv: https://docs.astral.sh/uv/" >&2; exit 69; }
	$(UV_COMPILE) pyproject.toml -o requirements/run.txt
	$(UV_COMPILE) pyproject.toml --extra sign --extra demo -c requirements/run.txt -o requirements/demo.txt
	$(UV_COMPILE) requirements/build.in -o requirements/build.txt
	$(UV_COMPILE) pyproject.toml requirements/dev.in --extra sign --extra demo -c requirements/demo.txt -c requirements/build.txt -o requirements/dev.txt

clean: ## remove .venv and what the tools leave behind
	rm -rf .venv .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
