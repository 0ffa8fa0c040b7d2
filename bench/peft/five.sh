#!/usr/bin/env bash
# Trains five adapters on real records and compares the engine with PEFT on them: bench/peft/five.sh [FOLDER]
#
# PYTHON is a Python with bench/peft/requirements.txt. FINETUNE and LOGITS may name built examples; otherwise cargo
# builds them. Adapters that are in FOLDER already are not trained again.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${PYTHON:-python3}
folder=$(realpath -m "${1:-bench/peft/five}")
model=$(scripts/model.sh)
"$python" -c 'import peft, transformers, torch' || {
	echo "five: $python lacks PEFT; see bench/peft/README.md" >&2
	exit 1
}
if [ ! -d "$folder/texts" ]; then
	"$python" scripts/demo/corpora.py "$folder/texts" --records 24
fi
if [ -n "${FINETUNE:-}" ]; then
	finetune=("$FINETUNE")
else
	finetune=(cargo run --quiet --locked -p openledger-trainer --example finetune --)
fi
all='["q_proj","k_proj","v_proj","o_proj","gate_proj","up_proj","down_proj"]'
train() {
	[ -f "$folder/$1/training_manifest.json" ] || "${finetune[@]}" "$model" "$folder/$1" "$3" "$folder/texts/$2"
}
train soups cooking/amara '{"steps":16,"batch":2,"rank":8}'
train dishes cooking/bruno "{\"steps\":16,\"batch\":2,\"rank\":16,\"alpha\":32,\"targets\":$all}"
train infections medicine/chiara '{"steps":16,"batch":2,"rank":4,"alpha":8,"targets":["q_proj","k_proj","v_proj","o_proj"]}'
train chapters medicine/dmitri '{"steps":16,"batch":2,"rank":8,"layers":12}'
train flying aviation/esther '{"steps":16,"batch":2,"rank":12,"alpha":12,"targets":["q_proj","up_proj","down_proj"]}'
exec "$python" bench/peft/compare.py "$model" "$folder"/{soups,dishes,infections,chapters,flying} --tokens 128
