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

weir := $(CARGO_TARGET_DIR)/release/weir

.PHONY: help setup build run demo test check unit bench clean

help: ## List what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: ## Install what the build needs (as root), or name the command that does
	@tools/setup

build: setup ## Build the release binary
	cargo build --release --locked -p weir
	@echo "built $(weir)"

run: build ## Set up, build and start Weir; data in ./weir-data
	exec "$(weir)" serve

demo: build ## Start Weir on real captures, replayed in a loop as if they came now
	exec "$(weir)" serve --demo

test: setup check unit ## Set up and run every check and test

check: setup ## Formatting, lints, docs, invariants, licences
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo doc --workspace --no-deps --locked --quiet
	cargo run --quiet --locked -p xtask -- check
	@if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; \
	else echo "SKIPPED cargo deny: not installed (cargo install cargo-deny)"; fi

unit: setup ## Unit, property, golden, simulation and end-to-end tests
	cargo test --workspace --locked

bench: setup ## Run the benchmarks and print the table of bars (takes minutes)
	bench/run

clean: ## Remove build output and the data of `make run` and `make demo`
	cargo clean
	rm -rf weir-data weir-demo-data
