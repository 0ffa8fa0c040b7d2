#!/usr/bin/env bash
# Run every test: units, whole-system tests with a real node and a real worker, and JavaScript.
# Arguments go to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")/.."

started=$SECONDS
heading() { printf '\n== [%3d min %02d s] %s\n' $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60)) "$*"; }

heading "set-up"
scripts/setup.sh
toolchain=$(scripts/wasm-toolchain.sh)
eval "$toolchain"
scripts/model.sh >/dev/null

heading "build"
# All targets at once, so that programs and tests share one set of compiled dependencies.
cargo build --locked --workspace --all-targets
OPENLEDGER_BIN_DIR=$(realpath "${CARGO_TARGET_DIR:-target}/debug")
export OPENLEDGER_BIN_DIR

heading "rust tests"
cargo test --locked --workspace "$@"

if [ -f tests/js/package.json ]; then
	heading "javascript tests"
	(cd tests/js && npm ci --no-audit --no-fund && node --test --test-concurrency=3)
fi

heading "sdk tests"
(cd sdk && npm ci --no-audit --no-fund --ignore-scripts && npm test)

heading "unmodified clients: openai (Python, npm), LangChain, curl"
scripts/clients.sh

heading "docker-compose.yml, its services run bare"
# Debian's Python, which has the yaml that docker-compose depends on.
/usr/bin/python3 deploy/check.py --programs "$OPENLEDGER_BIN_DIR" \
	--models "${XDG_CACHE_HOME:-$HOME/.cache}/openledger/models"

heading "the whole way, with little training: the demo"
demo=$(mktemp -d)
trap 'rm -rf "$demo"' EXIT
scripts/demo.sh --folder "$demo/demo" --records 6 --train "--steps 3 --layers 2 --rank 4 --max-tokens 128"

heading "all tests passed"
