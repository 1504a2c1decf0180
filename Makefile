# Everything one does with this repository. `make` alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Where `make start` and `make demo` keep their data and listen.
DATA_DIR ?= ./data
LISTEN ?= 127.0.0.1:8080
# How many runs `make torture` makes, and the seed of the first.
COUNT ?= 200
SEED ?= 1
# What `make load` does, with its arguments.
LOAD ?= --help
# Further arguments for the comparison with peers.
PEERS_ARGS ?=
# Further arguments for `ordercast serve`.
ARGS ?=

TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target))

# Two stamps beside the files they speak of, in a folder that is never tracked: packages installed as the
# lock file says, pages built from the sources as they are. The server embeds web/dist, so the pages are
# built once, before anything that is linked.
WEB_PACKAGES := web/node_modules/.packages-installed
PEERS := bench/peers/node_modules/.packages-installed
SDK_JAVASCRIPT := sdk/javascript/node_modules/.packages-installed
SDK_PYTHON := sdk/python/.venv/.packages-installed
WEB_PAGES := web/node_modules/.pages-built
WEB_SOURCES := $(shell find web/src web/public web/scripts web/*.html web/*.ts web/*.json -type f 2>/dev/null)
ifeq ($(wildcard web/dist),)
.PHONY: $(WEB_PAGES)
endif

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install what is needed (Debian as root: through apt; else: say what is missing)
	scripts/setup

.PHONY: build
build: pages ## Build the pages and the release binary, target/release/ordercast
	cargo build --release --locked --bin ordercast

.PHONY: start
start: build ## Build and serve on LISTEN with the data in DATA_DIR
	$(TARGET_DIR)/release/ordercast serve --listen $(LISTEN) --data-dir $(DATA_DIR) $(ARGS)

.PHONY: demo
demo: build ## Build and serve on http://127.0.0.1:8080 with moving demo orders in ./data
	$(TARGET_DIR)/release/ordercast serve --demo --listen $(LISTEN) --data-dir $(DATA_DIR) $(ARGS)

.PHONY: test
test: ## Everything CI runs: format, lints, tidy, web, Rust, browser; then times and totals
	+@MAKE='$(MAKE)' scripts/test setup lint test-web test-rust test-browser test-sdk

.PHONY: lint
lint: ## Format, clippy and the house rules (cargo xtask tidy)
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo xtask tidy

.PHONY: test-web
test-web: $(WEB_PACKAGES) ## Types, unit tests and build of the pages
	cd web && npm run check
	cd web && npm test
	$(MAKE) pages

.PHONY: test-rust
test-rust: build-tests ## All Rust tests
	cargo test --workspace --locked

.PHONY: test-browser
test-browser: build-tests ## The pages in a real browser against the debug binary
	cd web && ORDERCAST_BIN=$(TARGET_DIR)/debug/ordercast npm run test:browser

.PHONY: test-sdk
test-sdk: build-tests $(SDK_JAVASCRIPT) $(SDK_PYTHON) ## The official Centrifuge SDKs against the debug binary
	cd sdk/javascript && ORDERCAST_BIN=$(TARGET_DIR)/debug/ordercast npm test
	cd sdk/python && ORDERCAST_BIN=$(TARGET_DIR)/debug/ordercast .venv/bin/python -m unittest --verbose

.PHONY: bench
bench: build ## The benchmarks, and beside peers: about 18 minutes
	ORDERCAST_BIN=$(TARGET_DIR)/release/ordercast cargo run --release --locked --package ordercast-loadgen -- bench
	cargo bench --locked --package ordercast-engine --bench commit
	cargo bench --locked --package ordercast-hub --bench figures
	@$(MAKE) --no-print-directory bench-peers

.PHONY: bench-peers
bench-peers: build ## Beside BullMQ and graphile-worker, about 7 minutes; PEERS_ARGS='--rounds 5', --help lists them
	@$(MAKE) --no-print-directory $(PEERS) || echo "bench-peers: the peers' packages are not installed; see above" >&2
	ORDERCAST_BIN=$(TARGET_DIR)/release/ordercast \
		cargo run --release --locked --package ordercast-loadgen -- peers $(PEERS_ARGS)

.PHONY: load
load: build ## One load: make load LOAD='storm --clients 5000'; without LOAD it lists them
	ORDERCAST_BIN=$(TARGET_DIR)/release/ordercast \
		cargo run --release --locked --package ordercast-loadgen -- $(LOAD)

.PHONY: torture
torture: build ## Kill and restart it COUNT times from SEED on, and look for anything lost
	ORDERCAST_BIN=$(TARGET_DIR)/release/ordercast \
		cargo run --release --locked --package ordercast-loadgen -- torture --count $(COUNT) --seed $(SEED)

.PHONY: clean
clean: ## Remove everything built; data stays
	cargo clean
	rm -rf web/dist web/node_modules web/.test-build sdk/javascript/node_modules sdk/python/.venv bench/peers/node_modules

.PHONY: pages
pages: $(WEB_PAGES)

# The tests and the binary in one go: built apart, Cargo would choose other features for what they share
# and compile it twice.
.PHONY: build-tests
build-tests: pages
	cargo build --workspace --locked --bins --tests

$(WEB_PACKAGES): web/package.json web/package-lock.json | node
	cd web && npm ci
	@touch $@

$(WEB_PAGES): $(WEB_PACKAGES) $(WEB_SOURCES)
	cd web && npm run build
	@touch $@

$(SDK_JAVASCRIPT): sdk/javascript/package.json sdk/javascript/package-lock.json | node
	cd sdk/javascript && npm ci --ignore-scripts
	@touch $@

$(PEERS): bench/peers/package.json bench/peers/package-lock.json | node
	cd bench/peers && npm ci --ignore-scripts
	@touch $@

$(SDK_PYTHON): sdk/python/requirements.txt
	python3 -m venv --clear sdk/python/.venv
	sdk/python/.venv/bin/pip install --quiet --disable-pip-version-check --requirement sdk/python/requirements.txt
	@touch $@

.PHONY: node
node:
	@scripts/need-node
