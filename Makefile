# `make help` lists the targets. Everything runs in .venv; data, logs and sockets are below .local/.

PYTHON ?= python3
WEB_PORT ?= 8000
CLINIKO_PORT ?= 8100
JOBS ?= 3
ARGS ?=
export WEB_PORT CLINIKO_PORT

BIN := .venv/bin
INSTALLED := .venv/.installed

# A production environment with made-up values, for the checks only.
CHECK_ENVIRONMENT = DATABASE_URL=postgresql://checks@127.0.0.1:9/checks CELERY_BROKER_URL=redis://127.0.0.1:9/0 \
	BASE_DOMAIN=sidechart.example PUBLIC_SCHEME=https \
	SECRET_KEY=only-for-checks-V7cQ2mZr9tXw4LkD8sYb3nHf6pJg1eUa5oTi0RqW \
	SEALING_KEYS=only-for-checks-B4xN8vKc2mQz7wRt5yLp9sHd3fJg6aEu \
	CLINIKO_CONTACT_EMAIL=ops@sidechart.example EMAIL_URL=submission://user:password@mail.sidechart.example:587 DEBUG=false

.DEFAULT_GOAL := help
.PHONY: help setup demo manage services stop backup test pictures bench check lock up down clean

help: ## List the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '%-16s %s\n' "$$name" "$$text"; done

setup: $(INSTALLED) ## Create .venv with the pinned dependencies

$(INSTALLED): requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Sidechart needs Python 3.11 or later as $(PYTHON). To use another one: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: setup ## Run everything with two clinics and a stand-in Cliniko, until Ctrl-C
	@exec $(BIN)/python -m sandbox demo $(ARGS)

manage: setup ## Run a manage.py command in the running demo (ARGS="clinic list")
	@$(BIN)/python -m sandbox manage $(ARGS)

services: setup ## Start the embedded PostgreSQL and broker
	@$(BIN)/python -m sandbox services start

stop: setup ## Stop the embedded PostgreSQL and broker
	@$(BIN)/python -m sandbox services stop

backup: setup ## Back up all clinics to one file (ARGS=directory; docs/runbooks/restore.md)
	@$(BIN)/python manage.py backup $(ARGS)

test: setup ## Run the tests (ARGS="tests/sync -k tick", JOBS=4)
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(ARGS)

pictures: setup ## Take screenshots for docs/pictures/ (needs Chromium; ARGS=directory: every size and scheme)
	@$(BIN)/python -m tests.end_to_end.pictures $(ARGS)

bench: setup ## Measure speed and lost records beside other importers (ARGS="sync --quick", ARGS=--help)
	@$(BIN)/python -m bench $(ARGS)

check: setup ## Check style, types, imports, settings and migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	git ls-files 'templates/*.html' 'sandbox/**/*.html' | xargs $(BIN)/djade --check --target-version 5.2
	$(BIN)/lint-imports
	$(BIN)/mypy .
	$(CHECK_ENVIRONMENT) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(CHECK_ENVIRONMENT) $(BIN)/python -W "ignore:Got an error checking a consistent" manage.py makemigrations --check --dry-run

lock: setup ## Pin the dependencies (ARGS=--upgrade: newest versions)
	cd requirements && for set in base dev; do ../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
		--generate-hashes --no-header --no-emit-index-url --no-emit-find-links $(ARGS) -o $$set.txt $$set.in || exit; done
	cd bench/requirements && for set in dlt singer plot; do ../../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
		--generate-hashes --no-strip-extras --no-header --no-emit-index-url --no-emit-find-links $(ARGS) -o $$set.txt $$set.in || exit; done

up: ## Start the containers (Docker Compose, .env)
	docker compose up --build --detach --wait

down: ## Stop the containers
	docker compose down

clean: ## Delete .venv and all data, logs and keys of the demo
	@if [ -d .venv ] && [ -d .local ]; then $(BIN)/python -m sandbox services stop || true; fi
	rm -rf .venv .local .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis staticfiles test-results
