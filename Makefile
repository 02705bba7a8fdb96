# `make help` tells what there is. Everything runs in .venv; data, logs and sockets stay below .local/.

PYTHON ?= python3
WEB_PORT ?= 8000
CLINIKO_PORT ?= 8100
JOBS ?= 3
ARGS ?=
export WEB_PORT CLINIKO_PORT

BIN := .venv/bin
INSTALLED := .venv/.installed

# What a production environment sets. The values are made up; nothing but the checks ever sees them.
CHECK_ENVIRONMENT = DATABASE_URL=postgresql://checks@127.0.0.1:9/checks CELERY_BROKER_URL=redis://127.0.0.1:9/0 \
	BASE_DOMAIN=sidechart.example PUBLIC_SCHEME=https \
	SECRET_KEY=only-for-checks-V7cQ2mZr9tXw4LkD8sYb3nHf6pJg1eUa5oTi0RqW \
	SEALING_KEYS=only-for-checks-B4xN8vKc2mQz7wRt5yLp9sHd3fJg6aEu \
	CLINIKO_CONTACT_EMAIL=ops@sidechart.example EMAIL_URL=submission://user:password@mail.sidechart.example:587 DEBUG=false

.DEFAULT_GOAL := help
.PHONY: help setup demo manage services stop backup test pictures bench check lock up down clean

help: ## This list
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '%-16s %s\n' "$$name" "$$text"; done

setup: $(INSTALLED) ## The virtual environment with the pinned dependencies

$(INSTALLED): requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Sidechart needs Python 3.11 or later as $(PYTHON); name another one: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) comes without venv; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: setup ## The whole product with two clinics and a stand-in Cliniko, until Ctrl-C
	@exec $(BIN)/python -m sandbox demo $(ARGS)

manage: setup ## A command in the running demo (ARGS="clinic list")
	@$(BIN)/python -m sandbox manage $(ARGS)

services: setup ## Embedded PostgreSQL and broker, left running
	@$(BIN)/python -m sandbox services start

stop: setup ## Stop them
	@$(BIN)/python -m sandbox services stop

backup: setup ## The whole database, every clinic, into one file (ARGS=folder; docs/runbooks/restore.md)
	@$(BIN)/python manage.py backup $(ARGS)

test: setup ## Every test (ARGS="-k launch", JOBS=4)
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(ARGS)

pictures: setup ## Every screen into docs/pictures/ (needs Chromium; ARGS=folder: narrow and dark too, there)
	@$(BIN)/python -m tests.end_to_end.pictures $(ARGS)

bench: setup ## How fast and how right the mirror is, beside other importers (ARGS="sync --quick", ARGS=--help)
	@$(BIN)/python -m bench $(ARGS)

check: setup ## Style, types, layers, settings, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	git ls-files 'templates/*.html' 'sandbox/**/*.html' | xargs $(BIN)/djade --check --target-version 5.2
	$(BIN)/lint-imports
	$(BIN)/mypy .
	$(CHECK_ENVIRONMENT) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(CHECK_ENVIRONMENT) $(BIN)/python -W "ignore:Got an error checking a consistent" manage.py makemigrations --check --dry-run

lock: setup ## Pin the dependencies (ARGS=--upgrade: anew)
	cd requirements && for set in base dev; do ../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
		--generate-hashes --no-header --no-emit-index-url --no-emit-find-links $(ARGS) -o $$set.txt $$set.in || exit; done
	cd bench/requirements && for set in dlt singer plot; do ../../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
		--generate-hashes --no-strip-extras --no-header --no-emit-index-url --no-emit-find-links $(ARGS) -o $$set.txt $$set.in || exit; done

up: ## The product in containers (docker compose, .env)
	docker compose up --build --detach --wait

down: ## Stop the containers
	docker compose down

clean: ## Remove the virtual environment, and all data, logs and keys of the demo
	@if [ -d .venv ] && [ -d .local ]; then $(BIN)/python -m sandbox services stop || true; fi
	rm -rf .venv .local .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis staticfiles test-results
