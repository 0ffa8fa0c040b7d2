#!/usr/bin/env bash
# Compiles kernels/cuda for GPUs: machine code for sm_90 and PTX for compute_80 into kernels/cuda/built, which the next
# cargo build takes into the binary. Prints what each kernel takes, and fails when one spills registers that is not
# listed below. Needs no GPU and no toolkit: the compiler comes from PyPI into the user's cache.
# With --nvrtc it also compiles the sources as a worker without built-in kernels does (58 MB more).
set -euo pipefail
cd "$(dirname "$0")/../kernels/cuda"

# Kernels that may spill, each with its reason:   name=reason
MAY_SPILL=()

venv=${XDG_CACHE_HOME:-$HOME/.cache}/openledger/nvcc
packages=(
	nvidia-cuda-nvcc==13.0.88
	nvidia-nvvm==13.0.88
	nvidia-cuda-crt==13.0.88
	nvidia-cuda-runtime==13.0.96
	nvidia-cuda-cccl==13.0.85
)
stamp=$venv/installed
if [ "$(cat "$stamp" 2>/dev/null)" != "${packages[*]}" ]; then
	python3 -m venv "$venv"
	"$venv/bin/pip" install -q --disable-pip-version-check --no-deps "${packages[@]}"
	echo "${packages[*]}" >"$stamp"
fi
CUDA_HOME=$(echo "$venv"/lib/python3*/site-packages/nvidia/cu13)
export CUDA_HOME PATH=$CUDA_HOME/bin:$PATH

sources=(rows.cu gemm.cu attention.cu lora.cu sample.cu)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for source in "${sources[@]}"; do
	echo "#include \"$PWD/$source\""
done >"$work/kernels.cu"

flags=(-std=c++17 -Werror all-warnings)
nvcc "${flags[@]}" -cubin -arch=sm_90 -Xptxas -v "$work/kernels.cu" -o "$work/sm_90.cubin" 2>"$work/sm_90.log" ||
	{ cat "$work/sm_90.log" >&2; exit 1; }
nvcc "${flags[@]}" -ptx -arch=compute_80 "$work/kernels.cu" -o "$work/compute_80.ptx"
# PTX must also become machine code for the oldest device.
ptxas -arch=sm_80 -v "$work/compute_80.ptx" -o "$work/sm_80.cubin" 2>"$work/sm_80.log" ||
	{ cat "$work/sm_80.log" >&2; exit 1; }

MAY_SPILL="${MAY_SPILL[*]-}" python3 - "$work/sm_90.log" "$work/sm_80.log" <<'PY'
import os, re, sys

may = dict(entry.split("=", 1) for entry in os.environ["MAY_SPILL"].split() if "=" in entry)


def read(path):
    kernels, name = {}, None
    for line in open(path):
        if found := re.search(r"Compiling entry function '(\w+)'", line):
            name = found.group(1)
            kernels[name] = {"registers": 0, "shared": 0, "stack": 0, "spills": 0}
        elif found := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
            stack, stores, loads = map(int, found.groups())
            kernels[name].update(stack=stack, spills=stores + loads)
        elif found := re.search(r"Used (\d+) registers", line):
            kernels[name]["registers"] = int(found.group(1))
            if shared := re.search(r"(\d+) bytes smem", line):
                kernels[name]["shared"] = int(shared.group(1))
    return kernels


new, old = read(sys.argv[1]), read(sys.argv[2])
print(f"{'kernel':30} {'sm_90: registers':>17} {'shared':>7} {'stack':>6} {'spills':>7}   {'sm_80: registers':>17} {'spills':>7}")
bad = []
for name in sorted(new):
    n, o = new[name], old[name]
    print(f"{name:30} {n['registers']:17} {n['shared']:7} {n['stack']:6} {n['spills']:7}   {o['registers']:17} {o['spills']:7}")
    if n["spills"] and name not in may:
        bad.append(name)
print("gemm_tile_* take 65,536 (int8) or 98,304 (bf16) bytes of dynamic shared memory beside that.")
if bad:
    sys.exit("these spill registers on sm_90: " + ", ".join(bad) + "; give them fewer, or list them with a reason")
PY

if [ "${1-}" = --nvrtc ]; then
	"$venv/bin/pip" install -q --disable-pip-version-check --no-deps nvidia-cuda-nvrtc==13.0.88
	cat common.cuh tables.cuh "${sources[@]}" | grep -v -e '^#include' -e '^#pragma once' >"$work/program.cu"
	LD_LIBRARY_PATH=$CUDA_HOME/lib python3 - "$CUDA_HOME"/lib/libnvrtc.so.13 "$work/program.cu" <<'PY'
import ctypes, sys

nvrtc = ctypes.CDLL(sys.argv[1])
source = open(sys.argv[2], "rb").read()
for target in (80, 90):
    program = ctypes.c_void_p()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, b"kernels.cu", 0, None, None) == 0
    options = (ctypes.c_char_p * 2)(b"--std=c++17", f"--gpu-architecture=compute_{target}".encode())
    result = nvrtc.nvrtcCompileProgram(program, 2, options)
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    if result:
        sys.exit(log.value.decode())
    nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size))
    print(f"NVRTC compiles the sources for compute_{target}: {size.value} bytes of PTX")
PY
fi

mkdir -p built
cat common.cuh tables.cuh "${sources[@]}" >built/sources
cp "$work/sm_90.cubin" "$work/compute_80.ptx" built/
echo "written to kernels/cuda/built ($(stat -c %s built/sm_90.cubin) and $(stat -c %s built/compute_80.ptx) bytes); the next cargo build takes them in"
