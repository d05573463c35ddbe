.DEFAULT_GOAL := help
# Where it is set, each process that tests start would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help serve console screenshots bench-console fresh-clone test test-core check coverage format schema schema-diff release migration golden lock faults pgbouncer bench-ingest bench-overload bench-reads bench-request-log bench-counting bench-hostile bench-live bench-versus bench-export bench-claims bench-growth bench-commits bench-idle bench-writes bench-sizes house oracle
.PHONY: cluster haproxy previous

PYTHON ?= python3
BIN = .venv/bin
RUNTIME = .venv/runtime.stamp
TOOLS = .venv/tools.stamp
NODE = .venv/node.stamp

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(RUNTIME)  ## Install what is needed, start a database, serve on 127.0.0.1:8000
	@[ "$(DREAMNET_CONSOLE)" = off ] || $(MAKE) --no-print-directory console & exec $(BIN)/dreamnet serve

console: $(NODE)  ## Build the console into src/gateway/console, unless it is newer than its sources
	@$(BIN)/python hatch_build.py

test: $(TOOLS)  ## Install what tests need and run them all
	$(BIN)/pytest -n auto --dist worksteal

test-core: $(TOOLS)  ## Run all tests with graphql-core instead of plans, and HTTP without the short path
	$(AS_CORE) $(BIN)/pytest -n auto --dist worksteal

AS_CORE = DREAMNET_EXECUTOR=core DREAMNET_SHORT_PATH=off

pgbouncer:  ## Install PgBouncer on Debian as root, for the tests that need one
	@command -v pgbouncer || { $(APT) update -qq && $(APT) install -qq --no-install-recommends pgbouncer; }

haproxy:  ## Install HAProxy on Debian as root, for `make cluster` and the test of its configuration
	@command -v haproxy || { $(APT) update -qq && $(APT) install -qq --no-install-recommends haproxy; }

# No questions, short timeouts, and no service is started.
APT = RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive timeout 180 apt-get -o Acquire::Retries=1 -o Acquire::http::Timeout=20

faults: $(TOOLS)  ## Kill database, gateway and archive, ten times each, and act at random, in four seeds
	TEST_CYCLES=10 TEST_SEEDS=4 TEST_STALLED=200,50 $(BIN)/pytest -n0 tests/faults tests/db/test_archive_killed.py \
	  tests/db/test_rollups.py tests/graph/test_progress_by_model.py

cluster: $(TOOLS)  ## Kill each part of a cluster under load, and upgrade it: make cluster options="--only Valkey"
	@PYTHONPATH=bench $(BIN)/python -m cluster $(options)

previous: $(TOOLS)  ## Run the golden tests of the previous version on the schema of this one
	@PYTHONPATH=bench $(BIN)/python -m cluster.previous

oracle: $(TOOLS)  ## Compare the answers of both executors: make oracle cases=4000
	ORACLE_CASES=$(or $(cases),4000) $(BIN)/pytest -n0 --timeout=0 tests/golden/test_executors.py

bench-hostile: $(TOOLS)  ## Measure how long hostile documents and inputs hold the event loop, in ms of CPU
	PYTHONPATH=tests $(BIN)/python bench/hostile.py

bench-ingest: $(TOOLS)  ## Measure rows ingested per second: make bench-ingest seconds=60
	$(BIN)/python bench/ingest.py --seconds $(or $(seconds),20)

bench-live: $(TOOLS)  ## Measure the delay of updates to subscribers: make bench-live watchers="1000 5000"
	$(BIN)/python bench/live.py --watchers $(or $(watchers),1000) $(options)

bench-versus: $(TOOLS)  ## Compare with other GraphQL servers: make bench-versus rounds=3 seconds=4 peers="limit mercurius ours"
	@PYTHONPATH=bench $(BIN)/python -m versus $(if $(rounds),--rounds $(rounds)) $(if $(seconds),--seconds $(seconds)) \
	  $(if $(peers),--peers $(peers)) $(options)

bench-growth: $(TOOLS)  ## Measure what statements cost in large databases: make bench-growth rows=300000 only="order filter write"
	@PYTHONPATH=bench $(BIN)/python -m growth --rows $(or $(rows),300000) $(if $(keep),--keep $(keep)) $(if $(only),--only $(only))

bench-overload: $(TOOLS)  ## Measure how fast a gateway refuses batches under overload
	$(BIN)/python bench/overload.py --seconds $(or $(seconds),20)

bench-reads: $(TOOLS)  ## Measure reads of many clients, small beside large ones, and CPU per row
	@PYTHONPATH=bench $(BIN)/python bench/reads.py --seconds $(or $(seconds),4) $(options)

bench-counting: $(TOOLS)  ## Measure the time that counting adds to requests and statements
	@$(BIN)/python bench/counting.py

bench-request-log: $(TOOLS)  ## Measure the time that the request log adds to a request
	$(BIN)/python bench/request_log.py

bench-console: $(TOOLS)  ## Measure the wall of agents in a browser: make bench-console agents=143 rate=5 seconds=60
	@PYTHONPATH=tests $(BIN)/python bench/console.py --agents $(or $(agents),143) --rate $(or $(rate),5) --seconds $(or $(seconds),60)

fresh-clone: $(TOOLS)  ## Measure the first start of a fresh clone, and build and serve its wheel without Node on PATH
	@PYTHONPATH=tests $(BIN)/python bench/fresh_clone.py

screenshots: $(TOOLS)  ## Capture every page of the console over real data: make screenshots folder=screenshots
	PYTHONPATH=tests SCREENSHOTS=$(or $(folder),screenshots) $(BIN)/pytest -n0 -q tests/console/test_console_pages.py

bench-export: $(TOOLS)  ## Measure rows per second and memory of exports: make bench-export rows=200000
	$(BIN)/python bench/export.py --rows $(or $(rows),200000)

bench-claims: $(TOOLS)  ## Measure tests of the work queue claimed per second: make bench-claims rows=20000
	$(BIN)/python bench/claims.py --rows $(or $(rows),20000)

bench-commits: $(TOOLS)  ## Measure changes of many writers with slow flushes: make bench-commits writers=64 options="--commit-delay 2000"
	@PYTHONPATH=bench $(BIN)/python bench/commits.py --writers $(or $(writers),64) --seconds $(or $(seconds),8) $(options)

bench-idle: $(TOOLS)  ## Count transactions of gateways whose subscribers wait: make bench-idle options="--workers 1 4 --pooled --direct"
	@PYTHONPATH=bench $(BIN)/python bench/idle.py $(options)

bench-writes: $(TOOLS)  ## Measure dreams created and tests recorded per second: make bench-writes seconds=8
	@PYTHONPATH=bench $(BIN)/python bench/writes.py --seconds $(or $(seconds),8)

bench-sizes: $(TOOLS)  ## Measure bytes of typical screens on the wire: make bench-sizes files="a.jsonl b.jsonl"
	@$(BIN)/python bench/sizes.py $(files)

house: | .venv/bin/python  ## Measure the structure of the code: rooms, Any, docstrings, imports
	@PYTHONPATH=tests $(BIN)/python bench/house.py

schema-diff: $(RUNTIME)  ## List changes of the schema that break clients of the last release
	$(BIN)/dreamnet schema --since releases

release: schema  ## Keep the schema as that of this version, in releases/
	$(BIN)/dreamnet schema --write releases/$$($(BIN)/dreamnet --version | cut -d' ' -f2).graphql

check: $(TOOLS)  ## Check format, lint, types, schema and tests, as CI does
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/dreamnet schema --check schema.graphql --since releases
	$(AS_CORE) $(BIN)/pytest -n auto --dist worksteal -q tests/golden tests/graph/test_row_rules.py
	$(BIN)/pytest -n auto --dist worksteal

coverage: $(TOOLS)  ## Measure the branches that tests reach, in every process that they start
	$(BIN)/pytest -n auto --dist worksteal --cov --cov-report=term-missing --cov-fail-under=90

format: $(TOOLS)  ## Format the code and apply the fixes of the linter
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

schema: $(RUNTIME)  ## Write schema.graphql from the code
	$(BIN)/dreamnet schema --write schema.graphql

migration: $(TOOLS)  ## Write the next migration: make migration name="create prizes"
	$(BIN)/dreamnet migrate new "$(name)"
	$(BIN)/ruff format --quiet migrations
	$(BIN)/ruff check --quiet --fix migrations

golden: $(TOOLS)  ## Write the golden answers, permissions and scopes; then review the diff
	WRITE_GOLDEN=1 $(BIN)/pytest --quiet tests/golden/test_golden.py tests/test_permission_matrix.py tests/test_scopes.py

# A stamp has the time of its installation, so that nothing is installed twice.
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11")'
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

$(RUNTIME): requirements.lock pyproject.toml | .venv/bin/python
	@echo "Installing the gateway into .venv. The first time, this takes a minute."
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(NODE): requirements-console.lock | $(RUNTIME)
	@$(INSTALL) --require-hashes -r requirements-console.lock
	@touch $@

$(TOOLS): requirements-dev.lock $(RUNTIME)
	@echo "Installing what tests need into .venv. The first time, this takes a minute."
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

PIN = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header
COMPILE = $(PIN) pyproject.toml --group build
PEERS = bench/versus/peers/python/requirements
CODEGEN = tests/front_ends/python/requirements

# Until 23.3, pip takes `coverage` and `coverage[toml]` for two packages: each gets a pin, and so does
# each of several extras.
define PIN_EACH_EXTRA
function flush(  extras, count, i, name) {
  if (match(pin, /^[^ =]+\[[^]]*\]/)) {
    name = substr(pin, 1, index(pin, "[") - 1)
    count = split(substr(pin, index(pin, "[") + 1, RLENGTH - index(pin, "[") - 1), extras, /, */)
    pin = substr(pin, RLENGTH + 1)
    printf "%s", name pin
    for (i = 1; i <= count; i++) printf "%s", name "[" extras[i] "]" pin
  } else printf "%s", pin
  pin = ""
}
/^[a-z0-9]/ { flush() }
{ pin = pin $$0 "\n" }
END { flush() }
endef
export PIN_EACH_EXTRA

lock: $(RUNTIME)  ## Pin every dependency with its hashes
	$(INSTALL) uv==0.13.8
	$(COMPILE) -o requirements.lock
	$(COMPILE) --group dev -c requirements.lock -o requirements-dev.lock
	$(PIN) --group pyproject.toml:console -o requirements-console.lock
	$(PIN) $(PEERS).in -c requirements.lock -o $(PEERS).lock
	$(PIN) $(CODEGEN).in -o $(CODEGEN).lock
	for lock in requirements.lock requirements-dev.lock $(PEERS).lock $(CODEGEN).lock; do \
	  awk "$$PIN_EACH_EXTRA" $$lock > $(BIN)/pinned.lock && mv $(BIN)/pinned.lock $$lock || exit; \
	done
