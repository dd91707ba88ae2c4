# All paths are relative, so that a clone in a folder with spaces works.

PYTHON := $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell \
	$(name) -c 'import sys; print("$(name)" if (3, 11) <= sys.version_info < (3, 14) else "")' 2>/dev/null)))
PY := .venv/bin/python
STAMP := .venv/installed

# How hard the fault and property tests try: short (make test), ci (make test-all), full (make soak).
# One process more than two cores, since some tests wait for leases to run out.
WORKERS ?= 3
PYTEST := $(PY) -m pytest -n $(WORKERS) --dist worksteal

# What `check --deploy` looks at; nothing connects to these
PRODUCTION := DEBUG=0 ALLOWED_HOSTS=example.org SECRET_KEY=for-the-deploy-check-only-0123456789-abcdefghijklmnopqrstuvwxyz \
	DATABASE_URL=postgresql://pressroom@localhost/pressroom REDIS_URL=redis://localhost:6379/0

.DEFAULT_GOAL := help
.PHONY: help setup run test test-all soak bench check audit lock messages clean clean-data

help:
	@echo "make run        start everything on http://127.0.0.1:8000 (another port: make run PORT=8001)"
	@echo "make test       the test suite, about five minutes, on servers of its own"
	@echo "make test-all   also the browser tests, more examples, more kills"
	@echo "make soak       the fault tests at full length"
	@echo "make check      style, types, import order, migrations, API schema, translations, deploy settings"
	@echo "make bench      the benchmarks (NAME=… for one)"
	@echo "make setup      only the virtual environment; run, test and the others call it"
	@echo "make clean      remove .venv and caches; make clean-data CONFIRM=yes removes the data in var/"

setup: $(STAMP)

$(STAMP): requirements.txt
	@test -n "$(PYTHON)" || { echo "Error: Python 3.11, 3.12 or 3.13 is needed and none is on PATH."; exit 1; }
	@$(PY) -m pip --version >/dev/null 2>&1 || { echo "Creating .venv with $(PYTHON) …"; rm -rf .venv; $(PYTHON) -m venv .venv; }
	@echo "Installing the locked requirements …"
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $(STAMP)

run: setup
	@exec $(PY) -m config.supervisor

test: setup
	FAULTS=short $(PYTEST) -m "not browser and not long"

test-all: setup
	FAULTS=ci $(PYTEST)

soak: setup
	FAULTS=full $(PYTEST) --timeout=3600

bench: setup
	$(PY) -m bench $(NAME)

# mypy without its cache: the Django plugin forgets managers when only some files have changed
check: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy --no-incremental access api bench config desk distillations etl exports llm roadmaps runs watch
	$(PY) -c "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) -m config.migration_lint
	$(PY) manage.py spectacular --validate --fail-on-warn --file var/openapi.yaml
	diff -u docs/openapi.yaml var/openapi.yaml
	$(PY) -m config.catalogue --check
	$(PRODUCTION) $(PY) manage.py check --deploy --fail-level WARNING

# Needs a vulnerability database in reach, so it is not part of check
audit: setup
	$(PY) -m pip_audit --disable-pip --require-hashes -r requirements.txt

# For maintainers: uv resolves one lock for all supported Pythons and platforms
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header -o requirements.txt requirements.in

# For maintainers: compile the catalogue after editing locale/*/LC_MESSAGES/django.po
messages: setup
	$(PY) -m config.catalogue --compile

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

clean-data:
	@test "$(CONFIRM)" = yes || { echo "This deletes the database in var/. Really: make clean-data CONFIRM=yes"; exit 1; }
	rm -rf var
