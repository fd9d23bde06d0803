# Weir: `make run`, `make demo`, `make test`, `make bench`. Everything else is a step of these.
# Build output goes to CARGO_TARGET_DIR, else to a cache folder that the environment names, else to ./target.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

cache := $(or $(WEIR_CACHE),$(CI_CACHE_DIR),$(CACHE_DIR),$(XDG_CACHE_HOME))
export CARGO_TARGET_DIR ?= $(if $(cache),$(cache)/weir-target,$(CURDIR)/target)
export CARGO_INCREMENTAL ?= 0
# Private items may be linked: the readers of these pages read the sources too.
export RUSTDOCFLAGS ?= -D warnings -A rustdoc::private_intra_doc_links

ifneq ($(cache),)
export npm_config_cache ?= $(cache)/npm
endif

weir := $(CARGO_TARGET_DIR)/release/weir

# What the console is made of. Folders too: a file that was deleted changes its folder.
ui_sources := $(shell find ui/src ui/public) $(addprefix ui/,index.html package.json tsconfig.json \
	svelte.config.js vite.config.ts tools/precompress.mjs)

.PHONY: help setup ui build run demo test check unit console bench clean

help: ## List what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: ## Install what the build needs (as root), or name the command that does
	@tools/setup

# Each stamp lies in the folder that its step empties first, so that half a step leaves none.
ui/node_modules/.installed: ui/package.json ui/package-lock.json ui/.npmrc | setup
	cd ui && npm ci --prefer-offline --loglevel=error
	@touch $@

ui/dist/.built: ui/node_modules/.installed $(ui_sources) | setup
	cd ui && npm run --silent build
	@touch $@

ui: ui/dist/.built ## Build the console (ui/dist), which the binary embeds

build: setup ui ## Build the release binary with the console in it
	cargo build --release --locked -p weir
	@echo "built $(weir)"

run: build ## Set up, build and start Weir; data in ./weir-data
	exec "$(weir)" serve

demo: build ## Start Weir on real captures, replayed in a loop as if they came now
	exec "$(weir)" serve --demo

test: setup check unit console ## Set up and run every check and test

check: setup ui ## Formatting, lints, docs, invariants, licences
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo doc --workspace --no-deps --locked --quiet
	cargo run --quiet --locked -p xtask -- check
	@if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; \
	else echo "SKIPPED cargo deny: not installed (cargo install cargo-deny)"; fi

unit: setup ui ## Unit, property, golden, simulation and end-to-end tests
	@tools/setup test
	cargo test --workspace --locked

# The browser drives the binary that the tests have built: a release build would cost minutes and
# show nothing else, and so would `cargo build`, whose features are not those of the tests.
console: ui ## Types, units and sizes of the console, and its pages in a browser
	@tools/setup test
	cargo test --workspace --locked --quiet --no-run
	cd ui && WEIR_BIN="$(abspath $(CARGO_TARGET_DIR))/debug/weir" WEIR_BROWSER=required npm run --silent ci

bench: setup ## Run the benchmarks and print the table of bars (takes minutes)
	bench/run

clean: ## Remove build output and the data of `make run` and `make demo`
	cargo clean
	rm -rf ui/dist ui/node_modules ui/test-artifacts weir-data weir-demo-data
