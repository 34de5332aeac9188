# Everything lives under this folder: the virtual environment, the download cache, Airflow's home, the data.
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name))))
BIN := .venv/bin
export UV_CACHE_DIR ?= $(CURDIR)/.cache/uv
export PIP_CACHE_DIR ?= $(CURDIR)/.cache/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
UV := $(BIN)/uv
# Compiled once: where PYTHONDONTWRITEBYTECODE is set, each of the tests' processes would compile Airflow again.
UV_INSTALL := $(UV) pip install --quiet --compile-bytecode --python $(BIN)/python
PROJECTS := pyproject.toml movielens-api/pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help lint lock test

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@echo "Creating .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv

$(UV): requirements/uv.lock | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --require-hashes -r $<
	@touch $@

# A stamp is newer than all that it was made from: a second run installs nothing.
.venv/.%-installed: requirements/%.lock $(PROJECTS) | $(UV)
	@echo "Installing requirements/$*.lock (hashes checked) into .venv"
	@$(UV_INSTALL) --require-hashes -r $<
	@$(UV_INSTALL) --no-deps --no-build-isolation -e . -e ./movielens-api
	@touch $@

# The older Airflows.
.venv-airflow-%/.installed: requirements/airflow-%.lock $(PROJECTS) | $(UV)
	@echo "Installing requirements/airflow-$*.lock (hashes checked) into .venv-airflow-$*"
	@$(BIN)/python -m venv --clear --without-pip .venv-airflow-$*
	@$(UV) pip install --quiet --compile-bytecode --python .venv-airflow-$*/bin/python --require-hashes -r $<
	@$(UV) pip install --quiet --python .venv-airflow-$*/bin/python --no-deps --no-build-isolation -e . -e ./movielens-api
	@touch $@

# Added to PYTHONPATH by the tests of Spark. Building PySpark leaves gigabytes in uv's cache, and takes half the time
# without compression.
.spark/.installed: requirements/spark.lock | $(UV)
	@echo "Installing requirements/spark.lock (hashes checked) into .spark"
	@rm -rf .spark
	@$(UV) pip install --quiet --no-cache --python $(BIN)/python --target .spark --require-hashes -r $< \
		--build-constraints $< --config-settings-package pyspark:--build-option=--compression=stored
	@touch $@

lint: .venv/.test-installed ## check style, types and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src movielens-api/src demo benchmarks tests/campaign
	$(BIN)/lint-imports

# What the tests take from the system: a browser, curl for the calls that the landing page offers, and Java for Spark.
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable
HAS_TEST_TOOLS = for name in $(BROWSERS); do command -v $$name; done | grep -q . && command -v curl >/dev/null && command -v java >/dev/null
AS_ROOT := $(if $(filter-out 0,$(shell id -u)),sudo -n)
.PHONY: test-tools
test-tools:
	@$(HAS_TEST_TOOLS) || { echo "Installing chromium, curl and Java (apt-get)"; \
		{ $(AS_ROOT) apt-get update -qq && $(AS_ROOT) apt-get install -qq -y chromium curl openjdk-17-jre-headless; } >/dev/null; $(HAS_TEST_TOOLS); } \
		|| { echo "The tests need Chromium or Chrome, curl, and Java 17 or later: install them so that they are on PATH." >&2; exit 1; }

# The slowest first, so that all processes end at about the same time; a group of tests (a file, for one) shares a process.
ALL_TESTS := tests/e2e tests/packaging tests/campaign tests/integration tests/docs movielens-api/tests tests/unit
# More processes than cores, because many tests wait for a server or for Airflow.
WORKERS ?= 3
PARALLEL = --numprocesses $(WORKERS) --dist loadgroup --no-loadscope-reorder
PYTEST = $(BIN)/pytest $(PARALLEL)
# Their own environment has the servers that they start, and Airflow's providers for them.
TEST_DISTRIBUTED = .venv-services/bin/pytest --numprocesses 2 --dist loadgroup --no-loadscope-reorder tests/distributed
test: lint test-tools .venv-services/.installed ## install what the tests need, check the code, run all tests except the longest (WORKERS=3 processes)
	$(PYTEST) -m "not long" $(ALL_TESTS)
	$(TEST_DISTRIBUTED) -m "not long"

.PHONY: test-distributed
test-distributed: .venv/.test-installed .venv-services/.installed ## run all tests with Celery's workers, PostgreSQL, object storage and Kubernetes' pods (5 minutes)
	$(TEST_DISTRIBUTED)

.PHONY: test-fast
test-fast: .venv/.test-installed ## run the unit tests except the slow ones (a minute)
	$(PYTEST) -m "not long and not slow" tests/unit

# Tracing coverage takes half as much CPU time again, in every process that a test starts.
.PHONY: test-long
test-long: export FUZZ_EXAMPLES ?= 500
test-long: export FETCH_EXAMPLES ?= 1000
test-long: export SCHEMATHESIS_EXAMPLES ?= 500
test-long: lint test-tools ## run all tests, also the longest, and print the coverage
	$(PYTEST) $(ALL_TESTS) --cov

# The newest Airflow is the one in .venv. All are run, whichever fails.
OLDER_AIRFLOWS := 3.1 3.2
# The page in Airflow's UI, which differs between the versions.
PAGE_TESTS := tests/e2e/test_page_in_airflow.py
.PHONY: test-airflow-versions
test-airflow-versions: $(OLDER_AIRFLOWS:%=.venv-airflow-%/.installed) .venv/.test-installed test-tools ## run unit and integration tests except the longest, and the page in a browser, on Airflow 3.1, 3.2 and 3.3
	@failed=0; for environment in $(OLDER_AIRFLOWS:%=.venv-airflow-%) .venv; do \
		$$environment/bin/pytest $(PARALLEL) -m "not long" tests/unit tests/integration $(PAGE_TESTS) || failed=1; \
	done; exit $$failed

COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock"
lock: | $(UV) ## resolve all dependencies again and write requirements/*.lock
	echo uv | $(COMPILE) - -o requirements/uv.lock --upgrade
	$(COMPILE) $(PROJECTS) --extra sample --extra openlineage --extra postgres --group demo --group test -o requirements/test.lock --upgrade
	$(COMPILE) $(PROJECTS) --extra sample --group demo -c requirements/test.lock -o requirements/demo.lock --upgrade
	$(COMPILE) $(PROJECTS) --extra sample --extra openlineage --extra postgres --group airflow-3-1 --group test -o requirements/airflow-3.1.lock --upgrade
	$(COMPILE) $(PROJECTS) --extra sample --extra openlineage --extra postgres --group airflow-3-2 --group test -o requirements/airflow-3.2.lock --upgrade
	$(COMPILE) $(PROJECTS) --group bench -c requirements/test.lock -o requirements/bench.lock --upgrade
	$(COMPILE) --group clients -o requirements/clients.lock --upgrade
	$(COMPILE) --group engines -c requirements/test.lock -o requirements/engines.lock --upgrade
	$(COMPILE) --group recommenders -c requirements/test.lock -o requirements/recommenders.lock --upgrade
	$(COMPILE) --group spark -c requirements/engines.lock -o requirements/spark.lock --upgrade
	$(COMPILE) $(PROJECTS) --extra sample --extra postgres --group demo --group services -c requirements/test.lock -o requirements/services.lock --upgrade

.PHONY: campaign
MINUTES ?= 20
campaign: .venv/.test-installed ## run server, writers, fetches and rankings under random disturbances, and check the results (20 minutes; MINUTES=20)
	$(BIN)/python -m tests.campaign --minutes $(MINUTES)

.PHONY: bench-api
ROWS ?= 25_000_000
ROUNDS ?= 5
KILLS ?= 50
bench-api: .venv/.bench-installed ## compare the ratings API with other servers (20 minutes; short run: ROWS=100_000 ROUNDS=1 KILLS=2)
	$(BIN)/python -m benchmarks.api --rows $(ROWS) --rounds $(ROUNDS) --kills $(KILLS)

# dlt cannot be installed together with Airflow.
.venv-clients/.installed: requirements/clients.lock | $(UV)
	@echo "Installing requirements/clients.lock (hashes checked) into .venv-clients"
	@$(BIN)/python -m venv --without-pip .venv-clients
	@$(UV) pip install --quiet --python .venv-clients/bin/python --require-hashes -r $<
	@touch $@

.PHONY: bench-client
bench-client: ROWS = 5_000_000
bench-client: .venv/.bench-installed .venv-clients/.installed ## compare the client with others (12 minutes; short run: ROWS=200_000 ROUNDS=1)
	$(BIN)/python -m benchmarks.client --rows $(ROWS) --rounds $(ROUNDS)

# With pyarrow, pandas behaves differently, so other engines than Polars are not in .venv.
.venv-engines/.installed: requirements/engines.lock | $(UV)
	@echo "Installing requirements/engines.lock (hashes checked) into .venv-engines"
	@$(BIN)/python -m venv --without-pip .venv-engines
	@$(UV) pip install --quiet --python .venv-engines/bin/python --require-hashes -r $<
	@touch $@

.PHONY: bench-rank
bench-rank: .venv/.test-installed .venv-engines/.installed .spark/.installed ## compare rankings with other engines (10 minutes; short run: ROWS=100_000 ROUNDS=1)
	$(BIN)/python -m benchmarks.rank --rows $(ROWS) --rounds $(ROUNDS)

.venv-recommenders/.installed: requirements/recommenders.lock | $(UV)
	@echo "Installing requirements/recommenders.lock (hashes checked) into .venv-recommenders"
	@$(BIN)/python -m venv --without-pip .venv-recommenders
	@$(UV) pip install --quiet --python .venv-recommenders/bin/python --require-hashes -r $<
	@touch $@

.PHONY: bench-recommend
bench-recommend: ROWS = 10_000_000
bench-recommend: ROUNDS = 3
bench-recommend: .venv/.test-installed .venv-recommenders/.installed ## compare recommendations with irspack and implicit (30 minutes; short run: ROWS=200_000 ROUNDS=1)
	$(BIN)/python -m benchmarks.recommend --rows $(ROWS) --rounds $(ROUNDS)

# Airflow with Celery, PostgreSQL and S3, and servers of them.
.venv-services/.installed: requirements/services.lock $(PROJECTS) | $(UV)
	@echo "Installing requirements/services.lock (hashes checked) into .venv-services"
	@$(BIN)/python -m venv --clear --without-pip .venv-services
	@$(UV) pip install --quiet --compile-bytecode --python .venv-services/bin/python --require-hashes -r $<
	@$(UV) pip install --quiet --python .venv-services/bin/python --no-deps --no-build-isolation -e . -e ./movielens-api
	@touch $@

.PHONY: bench-page
DAYS ?= 1096
bench-page: ROUNDS = 3
bench-page: .venv/.test-installed .venv-services/.installed test-tools ## measure the page in Airflow's UI with three years of data (10 minutes; short run: DAYS=60 ROUNDS=1)
	$(BIN)/python -m benchmarks.page --days $(DAYS) --rounds $(ROUNDS)

.PHONY: bench-celery
bench-celery: DAYS = 30
bench-celery: LOSSES = 5
bench-celery: .venv-services/.installed ## measure backfills on one and two of Celery's workers, and the loss of a worker (10 minutes; short run: DAYS=3 LOSSES=1)
	.venv-services/bin/python -m benchmarks.celery --days $(DAYS) --losses $(LOSSES)

.PHONY: bench-postgres
bench-postgres: ROWS = 1_000_000
bench-postgres: .venv/.test-installed ## compare loads into PostgreSQL with inserts and plain COPY (3 minutes; short run: ROWS=100_000 ROUNDS=1)
	$(BIN)/python -m benchmarks.postgres --rows $(ROWS) --rounds $(ROUNDS)

.PHONY: bench-parse
bench-parse: .venv/.test-installed ## compare the parsing of Dag files with plain operators (5 minutes; short run: ROUNDS=1)
	$(BIN)/python -m benchmarks.parse --rounds $(ROUNDS)

.PHONY: demo up clean distclean
demo: .venv/.demo-installed ## fetch, rank and recommend with real ratings and a real Airflow, then stop everything
	@$(BIN)/python -m demo run

up: $(if $(SERVICES),.venv-services/.installed,.venv/.demo-installed) ## keep movielens-api and Airflow running until Ctrl-C (with servers: SERVICES=celery,postgres,s3)
	@$(if $(SERVICES),.venv-services/bin,$(BIN))/python -m demo up$(if $(SERVICES), --services $(SERVICES))

.PHONY: screenshots
screenshots: .venv/.test-installed test-tools ## take the docs' pictures of the MovieLens page and of the connection's form (docs/images)
	@$(BIN)/python -m demo.screenshots

clean: ## remove the stack's data, logs and database
	rm -rf .local

distclean: clean ## remove also the virtual environment and the download cache
	rm -rf .venv .venv-airflow-* .venv-clients .venv-engines .venv-services .venv-recommenders .spark .cache
