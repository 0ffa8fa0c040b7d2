#!/usr/bin/env bash
# Install what the serving benchmarks compare with, into environments of their own. Safe to run again.
#
# A peer that cannot be installed is left out with a message; its rows then say why. The environments:
#   bench-serve/venv  the harness, mistral.rs, llama.cpp, OpenVINO GenAI, ONNX Runtime GenAI
#   peft-venv/v       PEFT and PyTorch for the CPU, without the 2 GB of CUDA libraries that pip would fetch
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/openledger
venv=$cache/bench-serve/venv
peft=$cache/peft-venv/v
export PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '%s\n' "bench: $*" >&2; }
has() { "$venv/bin/python" -c "import sys; from importlib.metadata import version
sys.exit(any(version(p.split('==')[0]) != p.split('==')[1] for p in sys.argv[1:]))" "$@" 2>/dev/null; }
# want NAME PACKAGE==VERSION...: what the harness cannot do without is required by the caller.
want() {
	local name=$1
	shift
	has "$@" && return 0
	say "installing $name"
	"$venv/bin/pip" install --quiet "$@" >&2 || { say "$name could not be installed; pip's message stands above"; return 1; }
}

mkdir -p "$cache/bench-serve"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
want "the harness" numpy==2.4.6 aiohttp==3.14.5 safetensors==0.8.0 gguf==0.19.0 tokenizers==0.23.3
want mistral.rs mistralrs==0.9.5 || true
want llama.cpp xllamacpp==2026.10.11549 || true
want "OpenVINO GenAI" openvino-genai==2026.4.1 || true
want "ONNX Runtime GenAI" onnxruntime-genai==0.18.0 onnx==1.23.2 onnx-ir==1.1.0 || true

peft_works() {
	"$peft/bin/python" -c "import peft, torch, transformers
assert (peft.__version__, torch.__version__[:6], transformers.__version__) == ('0.21.2', '2.15.0', '5.23.0')" 2>/dev/null
}
install_peft() {
	say "installing PEFT and PyTorch, 600 MB"
	mkdir -p "$(dirname "$peft")"
	python3 -m venv --clear "$peft"
	local pip="$peft/bin/pip install --quiet"
	# Never with torch's dependencies: they are CUDA's. Its libraries do link to CUDA's, so those are made as stubs.
	$pip --no-deps torch==2.15.0 nvidia-cuda-runtime==13.2.75
	$pip numpy filelock typing-extensions sympy networkx jinja2 fsspec
	python3 "$here/stubs.py" "$peft"/lib/python3.*/site-packages
	$pip --no-deps transformers==5.23.0 peft==0.21.2 accelerate==1.15.0 huggingface-hub==2.4.0 safetensors==0.8.0 \
		tokenizers==0.23.3 gguf==0.19.0
	$pip httpx2 click pyyaml regex requests tqdm packaging psutil typer hf-xet sentencepiece
	peft_works
}
peft_works || (install_peft) >&2 || say "PEFT could not be installed; the messages stand above"

if ! command -v wrk >/dev/null; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		say "installing wrk"
		{ apt-get install -y --no-install-recommends wrk || { apt-get update && apt-get install -y --no-install-recommends wrk; }; } \
			>/dev/null 2>&1 || say "apt-get could not install wrk; its row will fail"
	else
		say "wrk is missing: sudo apt-get install wrk; its row will fail"
	fi
fi
