# Everything a newcomer needs: `make demo`, `make test`. Nothing is installed outside this folder.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# A uv that works is used as found; otherwise one is installed into .tools/.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .tools/bin/uv)
export UV_PYTHON_DOWNLOADS := never
RUN := .venv/bin/python
STAMP := .venv/.synced

SEED ?= 7
PRODUCTS ?= 2000
LOOKS ?= 100
EVERY ?= 3
AREA ?= matching catalog kafka
SAMPLE ?= 120

.PHONY: help setup demo shop test coverage check mutation services services-down services-setup test-services k8s k8s-tools contract-tools clients browser bench bench-peers soak clean

help:  ## This list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 12

setup: $(STAMP)  ## Locked environment in .venv (found or fetched uv, Python 3.11 or 3.12)

.tools/bin/uv:
	@python=$$(for c in python3.12 python3.11 python3; do \
	    $$c -c 'import venv' >/dev/null 2>&1 && { echo $$c; break; }; done); \
	  test -n "$$python" || { echo "no python3 with the venv module on the PATH: install Python 3.11 or 3.12"; exit 1; }; \
	  $$python -m venv .tools && .tools/bin/python -m pip install --quiet --disable-pip-version-check uv

$(STAMP): pyproject.toml uv.lock | $(filter .tools/bin/uv,$(UV))
	$(UV) sync --locked --quiet --compile-bytecode
	@touch $@

demo: $(STAMP)  ## The whole system on a drawn fashion world: SEED=7 PRODUCTS=2000 LOOKS=100
	$(RUN) -m services.cli demo --seed $(SEED) --products $(PRODUCTS) --looks $(LOOKS)

shop: $(STAMP)  ## The shop on that world, which lives on: SEED=7 PRODUCTS=2000 LOOKS=100 EVERY=3 (seconds)
	$(RUN) -m services.cli shop --seed $(SEED) --products $(PRODUCTS) --looks $(LOOKS) --every $(EVERY)

test: check k8s-tools contract-tools  ## Checks, then all tests
	$(RUN) -m pytest -n 2 --dist loadfile -m 'not services'

coverage: $(STAMP) k8s-tools contract-tools  ## The same tests with branch coverage (about twice the time)
	$(RUN) -m pytest -n 2 --dist loadfile -m 'not services' --cov --cov-report=term:skip-covered

check: $(STAMP)  ## ruff, mypy --strict, import-linter
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache

mutation: $(STAMP)  ## Mutation score of the rules, by hand: AREA=kafka SAMPLE=120 SEED=7
	@for area in $(AREA); do \
	  nice $(RUN) -m tests.mutation $$area --sample $(SAMPLE) --seed $(SEED) || exit 1; done

services: $(STAMP)  ## Real Kafka, Weaviate, Redis, vLLM on 127.0.0.1; data in var/services/
	$(RUN) -m devservers up

services-down: $(STAMP)  ## Stop what `make services` started
	$(RUN) -m devservers down

services-setup: $(STAMP)  ## Fetch and build them, without starting them
	$(RUN) -m devservers setup

test-services: $(STAMP)  ## Tests against real servers, which are started and stopped
	-$(RUN) -m devservers setup
	$(RUN) -m pytest -n 2 --dist worksteal -m services tests/real

KUSTOMIZE := .tools/bin/kustomize

k8s: $(STAMP)  ## Write the settings of every overlay in k8s/
	$(RUN) -m k8s.settings_toml

k8s-tools:  ## kustomize for the tests of k8s/, built from its Go module
	@test -x $(KUSTOMIZE) || GOBIN=$(CURDIR)/$(dir $(KUSTOMIZE)) \
	  go install sigs.k8s.io/kustomize/kustomize/v5@v5.7.1 \
	  || echo "no kustomize: the tests that build the overlays will be skipped"

OASDIFF := .tools/bin/oasdiff

CLIENTS := clients/typescript/node_modules
PYTHON_CLIENT := .tools/bin/openapi-python-client

contract-tools: $(STAMP)  ## For the tests of what is promised: oasdiff (Go), generators of clients (Node.js)
	@test -x $(OASDIFF) || GOBIN=$(CURDIR)/$(dir $(OASDIFF)) \
	  go install github.com/oasdiff/oasdiff@v1.37.0 \
	  || echo "no oasdiff: the tests that look for breaks will be skipped"
	@test -x $(PYTHON_CLIENT) || UV_TOOL_DIR=.tools/python UV_TOOL_BIN_DIR=.tools/bin \
	  $(UV) tool install --quiet openapi-python-client==0.29.1 \
	  || echo "no openapi-python-client: its test will be skipped"
	@test -d $(CLIENTS) || npm ci --silent --no-audit --no-fund --prefix clients/typescript \
	  || echo "no Node.js: the test of the TypeScript client will be skipped"

clients: contract-tools  ## Typed clients in clients/python/generated and clients/typescript/generated
	PATH="$(CURDIR)/.venv/bin:$$PATH" $(PYTHON_CLIENT) generate --path docs/openapi.json --overwrite \
	  --fail-on-warning --config clients/python/config.yml --output-path clients/python/generated
	cd clients/typescript && npm run --silent generate && npm run --silent check

browser:  ## Debian's Chromium for the tests of the shop's pages, unless there is one (as root; apt-get)
	@command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null \
	  || { test "$$(id -u)" = 0 && apt-get update -qq \
	    && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null; } \
	  || echo "no chromium: the tests of the shop's pages will be skipped"

bench: $(STAMP)  ## Benchmarks: ratios within one run
	@for name in streaming_overhead catalog_throughput look_stages catalog_memory regions ingest; do \
	  echo "== $$name"; $(RUN) -m benchmarks.$$name || exit 1; done

BROKERS ?= 127.0.0.1:9092

bench-peers: $(STAMP)  ## The flows beside Bytewax, Quix Streams and bare loops, on `make services`: BROKERS=127.0.0.1:9092
	$(RUN) -m benchmarks.record_peers $(BROKERS)
	OMP_WAIT_POLICY=PASSIVE $(RUN) -m benchmarks.price_packets $(BROKERS)
	OMP_WAIT_POLICY=PASSIVE $(RUN) -m benchmarks.peers_pictures $(BROKERS)

soak: $(STAMP)  ## 20 minutes at a steady rate on real servers; writes docs/soak.md
	$(RUN) -m benchmarks.soak

clean:  ## Forget everything that was set up or drawn
	rm -rf .venv .tools var .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
