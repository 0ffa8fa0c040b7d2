#!/usr/bin/env bash
# Build the three programs: the node (with the runtime's Wasm), the worker and the command line.
# They land in ${CARGO_TARGET_DIR:-target}/debug, whose path is printed last.
set -euo pipefail
cd "$(dirname "$0")/.."

toolchain=$(scripts/wasm-toolchain.sh)
eval "$toolchain"
cargo build --locked -p openledger-node -p openledger-worker -p openledger-cli
realpath "${CARGO_TARGET_DIR:-target}/debug"
