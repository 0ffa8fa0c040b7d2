#!/usr/bin/env bash
# Check formatting, and lint every crate with warnings denied.
#
# Clippy runs as the compiler of our own crates inside an ordinary build, not as `cargo clippy`,
# which would check a thousand dependencies that the tests compile anyway.
set -euo pipefail
cd "$(dirname "$0")/.."

heading() { printf '\n== %s\n' "$*"; }

heading "format"
cargo fmt --all --check

heading "clippy"
driver=$(rustup which clippy-driver 2>/dev/null || command -v clippy-driver) ||
	{ echo "lint: no clippy; run: rustup component add clippy" >&2; exit 1; }
# How cargo hands arguments to clippy. The runtime's Wasm is built when testing.
SKIP_WASM_BUILD=1 RUSTC_WORKSPACE_WRAPPER=$driver CLIPPY_ARGS=-Dwarnings__CLIPPY_HACKERY__ \
	cargo build --locked --workspace --all-targets
