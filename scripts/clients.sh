#!/usr/bin/env bash
# Unmodified clients against a worker without a chain: Python's openai and LangChain, npm's openai, curl.
#
# The worker and the model must be there: OPENLEDGER_BIN_DIR names the folder of the programs (default: the debug
# folder of the build).
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'clients: %s\n' "$*" >&2; }
programs=${OPENLEDGER_BIN_DIR:-$(realpath "${CARGO_TARGET_DIR:-target}/debug")}
[ -x "$programs/openledger-worker" ] || { say "no openledger-worker in $programs: run scripts/build.sh"; exit 1; }
model=$(scripts/model.sh)

venv=${XDG_CACHE_HOME:-$HOME/.cache}/openledger/clients-venv
if ! cmp --silent tests/clients/requirements.txt "$venv/installed.txt"; then
	say "installing the Python clients"
	python3 -m venv --clear "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check --requirement tests/clients/requirements.txt
	cp tests/clients/requirements.txt "$venv/installed.txt"
fi
(cd tests/clients && npm ci --no-audit --no-fund --ignore-scripts >/dev/null)

folder=$(mktemp -d)
worker=
cleanup() {
	[ -z "$worker" ] || { kill "$worker" 2>/dev/null && wait "$worker" || true; }
	rm -rf "$folder"
}
trap cleanup EXIT
python3 tests/clients/adapter.py "$folder/store/fine" 1
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$programs/openledger-worker" serve --offline --model "$model" --base-name smol --store "$folder/store" --data "$folder/data" \
	--grpc 127.0.0.1:0 --http "127.0.0.1:$port" --kv-budget 512 2>"$folder/log" &
worker=$!
export OPENLEDGER_URL=http://127.0.0.1:$port
for _ in $(seq 300); do
	curl --silent --output /dev/null "$OPENLEDGER_URL/health" && break
	kill -0 "$worker" 2>/dev/null || break
	sleep 0.2
done
curl --silent --output /dev/null "$OPENLEDGER_URL/health" || { say "the worker did not start"; cat "$folder/log" >&2; exit 1; }
OPENLEDGER_TOKEN=$(cat "$folder/data/operator.token")
export OPENLEDGER_TOKEN

failed=0
LANGSMITH_TRACING=false "$venv/bin/python" -B tests/clients/test_python.py || failed=1
(cd tests/clients && node --test) || failed=1
bash tests/clients/curl.sh || failed=1
if [ "$failed" != 0 ]; then
	say "the worker's log ends so:"
	tail -20 "$folder/log" >&2
fi
exit "$failed"
