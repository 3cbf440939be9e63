# From nothing but make and Python 3.11 or newer. `make help` lists the commands.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DOCS_VENV := .venv-docs
PAIR ?=
# One more than processors: tests in the browser wait a part of their time, for timers and for other
# programs.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

.DEFAULT_GOAL := help
.PHONY: help run test fuzz cluster check lint format demo docs screenshots bench clean

help: ## list the commands
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

run: $(VENV)/.run-ready ## install what is missing and open the app on the demo pair
	@echo "modeldiff: starting the app (Ctrl+C stops it)"
	@$(BIN)/python -m streamlit run streamlit_app.py

test: $(VENV)/.dev-ready ## lint, types and all tests, the browser's included
	@echo "modeldiff: looking for a Chromium for the browser tests"
	@sh scripts/ensure_chromium.sh $(BIN)/python
	@$(MAKE) --no-print-directory lint
	@echo "modeldiff: tests, and mypy --strict beside them (it says what it found at the end)"
	@log=$$(mktemp); $(BIN)/mypy > $$log 2>&1 & types=$$!; \
	trap 'kill $$types 2> /dev/null; rm -f $$log' EXIT INT TERM; \
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup; tests=$$?; \
	wait $$types || { cat $$log; exit 1; }; exit $$tests

fuzz: $(VENV)/.dev-ready ## bend files of every kind that is read, 5,000 new ones a kind (EXAMPLES=n)
	@FUZZ_EXAMPLES=$(or $(EXAMPLES),5000) $(BIN)/python -m pytest -q -n auto tests/fuzz

cluster: $(VENV)/.dev-ready ## diffs on real Ray nodes of this machine, killed in the middle (minutes)
	@REAL_RAY_NODES=yes $(BIN)/python -m pytest -q tests/unit/test_ray.py

check: lint ## lint and types only
	@echo "modeldiff: mypy --strict"
	@$(BIN)/mypy

lint: $(VENV)/.dev-ready
	@echo "modeldiff: ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(VENV)/.dev-ready ## format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

demo: $(VENV)/.run-ready ## what changed between the two demo checkpoints, in the terminal
	@$(BIN)/python -m modeldiff demo

docs: $(DOCS_VENV)/.ready ## the documentation as a site, into build/site
	@NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/python -m mkdocs build --clean
	@echo "modeldiff: open build/site/index.html, or serve it: python3 -m http.server -d build/site"

screenshots: $(VENV)/.dev-ready ## every page, light and dark, three sizes, into screenshots/
	@sh scripts/ensure_chromium.sh $(BIN)/python
	@$(BIN)/python -m scripts.screenshots

bench: $(VENV)/.dev-ready ## time a diff of two 1B models beside cat and a plain script
	@$(BIN)/python -m benchmarks $(PAIR)

clean: ## delete the environment and everything made
	rm -rf $(VENV) $(DOCS_VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis screenshots build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps, so that a second call starts at once and a changed pin installs again.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "modeldiff needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "modeldiff: creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run-ready: requirements.txt | $(VENV)/.created
	@echo "modeldiff: installing requirements.txt (some minutes the first time; torch is large)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev-ready: requirements-dev.txt requirements.txt | $(VENV)/.created
	@echo "modeldiff: installing requirements-dev.txt (some minutes the first time; torch is large)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.run-ready

# Apart: the site is written from sources alone, and needs nothing of what they import.
$(DOCS_VENV)/.ready: requirements-docs.txt
	@echo "modeldiff: installing requirements-docs.txt"
	@$(PYTHON) -m venv $(DOCS_VENV)
	@$(DOCS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	@touch $@
