# Every target sets up what it needs. `make help` lists them.
# CARGO_TARGET_DIR, if set, says where compiled files go (default: target/).

SHELL := /bin/bash
BIN = $${CARGO_TARGET_DIR:-target}/debug
.DEFAULT_GOAL := help
.PHONY: help setup model build demo test lint check-state check-try-runtime bench bench-economy bench-serve bench-gpu kernels compare-peft weights fuzz dev-chain net metadata clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what this machine lacks (Debian, Ubuntu)
	@scripts/setup.sh

model: setup ## Fetch the demo model into the user's cache
	@scripts/model.sh

build: setup ## Build the node, the worker and the command line
	@scripts/build.sh

demo: setup ## Show the whole promise at work; ARGS=--keep leaves it running
	@scripts/demo.sh $(ARGS)

test: ## Run all tests; ARGS go to cargo test
	@scripts/test.sh $(ARGS)

lint: setup ## Check formatting and lints, warnings denied
	@scripts/lint.sh

check-state: setup ## Check every invariant of a living chain; URL=ws://… of a node
	@SKIP_WASM_BUILD=1 cargo run --locked -q -p openledger-tests --bin check-state -- $(URL) $(ARGS)

check-try-runtime: setup ## Compile the runtime with the SDK's checks, and run its tests with them
	@SKIP_WASM_BUILD=1 cargo test --locked -p openledger-runtime --features try-runtime $(ARGS)

bench: model ## Measure the engine's speed and what fits into a block
	@cargo run --locked -p openledger-engine --example bench
	@SKIP_WASM_BUILD=1 cargo test --locked -q -p openledger-runtime --test weights -- --nocapture

bench-economy: setup ## Print what collusion loses and what a large network costs the chain
	@SKIP_WASM_BUILD=1 cargo run --locked -q -p openledger-economy --bin collusion
	@SKIP_WASM_BUILD=1 cargo run --locked -q -p openledger-economy --bin scale

compare-peft: model ## Compare texts and logits of five trained adapters with PEFT; PYTHON=… names one that has it
	@bench/peft/five.sh $(ARGS)

bench-serve: setup ## Compare serving with its peers, and soak it; ARGS="--rows ROW…", see docs/serving.md
	@bench/serve/run.sh $(ARGS)

bench-gpu: ## Measure adapters on a GPU and write the table; or ARGS="pack", "conformance decode …", "report", --twin: bench/gpu
	@bench/gpu/run.sh $(or $(ARGS),all)

kernels: ## Compile the GPU kernels without a GPU; prints registers, shared memory, spills
	@scripts/kernels.sh

weights: setup ## Measure what calls weigh; ARGS="PALLET…", --quick or --check
	@scripts/weights.sh $(ARGS)

fuzz: ## Fuzz every decoder of strangers' bytes; ARGS="RUNS TARGET…", needs nightly and cargo-fuzz
	@scripts/fuzz.sh $(ARGS)

dev-chain: setup ## Run a one-validator chain from a fresh state; ARGS go to the node
	@scripts/build.sh >/dev/null
	@$(BIN)/openledger-node --dev --tmp $(ARGS)

net: setup ## Run four validators as processes; ARGS="--keep DIR" keeps their data
	@scripts/net.sh $(ARGS)

metadata: setup ## Write the runtime's metadata to client/metadata.scale
	@SKIP_WASM_BUILD=1 UPDATE_METADATA=1 \
		cargo test --locked -p openledger-runtime --test metadata committed_metadata

clean: ## Delete compiled files
	@cargo clean
