#!/usr/bin/env bash
# Build the three programs: the node (with the runtime's Wasm), the worker and the command line.
# They land in ${CARGO_TARGET_DIR:-target}/debug, whose path is printed last.
set -euo pipefail
cd "$(dirname "$0")/.."

toolchain=$(scripts/wasm-toolchain.sh)
eval "$toolchain"
# The whole workspace, so that the tests find every crate compiled with the same features.
cargo build --locked --workspace --bins
realpath "${CARGO_TARGET_DIR:-target}/debug"
