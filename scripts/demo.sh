#!/usr/bin/env bash
# The whole promise at work: real texts, a real model, real money. `--keep` leaves everything running.
set -euo pipefail
cd "$(dirname "$0")/.."

openai=3.52.0
venv=${XDG_CACHE_HOME:-$HOME/.cache}/openledger/demo-venv

model=$(scripts/model.sh)
if ! "$venv/bin/python" -c "import openai; assert openai.__version__ == '$openai'" 2>/dev/null; then
	echo "demo: installing the OpenAI client $openai" >&2
	python3 -m venv "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check "openai==$openai"
fi
echo "demo: building the node, the worker and the command line (minutes the first time)" >&2
programs=$(scripts/build.sh | tail -1)

exec "$venv/bin/python" -B scripts/demo/demo.py --programs "$programs" --model "$model" "$@"
