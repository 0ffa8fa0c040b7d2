#!/usr/bin/env bash
# Install the peers, build our worker and measure; arguments go to bench.py (see there, or docs/serving.md).
set -euo pipefail
cd "$(dirname "$0")/../.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/openledger
bench/serve/install.sh
OPENLEDGER_MODEL=$(scripts/model.sh)
export OPENLEDGER_MODEL
if [ -z "${BENCH_PROGRAMS:-}" ]; then
	echo "bench: building the worker (release)" >&2
	SKIP_WASM_BUILD=1 cargo build --release --locked -p openledger-worker -p openledger-engine --bins --example play
	target=${CARGO_TARGET_DIR:-target}/release
	# Copies: what is measured must not change when somebody builds meanwhile.
	mkdir -p "$cache/bench-serve/programs"
	cp "$target/openledger-worker" "$target/examples/play" "$cache/bench-serve/programs/"
fi
export BENCH_PYTHON=$cache/bench-serve/venv/bin/python BENCH_PEFT_PYTHON=$cache/peft-venv/v/bin/python
exec "$BENCH_PYTHON" -B bench/serve/bench.py "$@"
