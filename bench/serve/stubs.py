"""Makes empty stand-ins for the CUDA libraries that PyTorch's own libraries link to, so that it runs on a CPU without them.

    stubs.py SITE-PACKAGES

Every function that is looked up is there and returns an error, under the version its library would give it. CUDA's
run-time is the real one, from its package; libcuda must stay absent, so that PyTorch sees no device.
"""

import collections
import glob
import os
import re
import subprocess
import sys

# A symbol without a version belongs to the library whose names begin like that.
PREFIXES = {
    "libcublas.so.13": r"^cublas(?!Lt)", "libcublasLt.so.13": r"^cublasLt", "libcudnn.so.9": r"^cudnn",
    "libcusparse.so.12": r"^cusparse(?!Lt)", "libcusparseLt.so.0": r"^cusparseLt", "libcufft.so.12": r"^cufft",
    "libcufile.so.0": r"^cuFile", "libnccl.so.2": r"^nccl", "libnvrtc.so.13": r"^nvrtc", "libcupti.so.13": r"^cupti",
    "libcusolver.so.12": r"^cusolver", "libnvshmem_host.so.3": r"^nvshmem",
}
REAL = {"libcudart.so.13", "libcuda.so.1"}
NODES = {"libnvshmem_host.so.3": "NVSHMEM"}


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main(packages):
    folder = os.path.join(packages, "nvidia", "cu13", "lib")
    os.makedirs(folder, exist_ok=True)
    needed, symbols = set(), collections.defaultdict(set)
    for library in sorted(glob.glob(packages + "/torch/lib/*.so")):
        needed |= set(re.findall(r"NEEDED.*\[(lib(?:cu|nv|nccl)[^\]]*)\]", output("readelf", "-d", "-W", library)))
        for line in output("nm", "-D", "--undefined-only", "--with-symbol-versions", library).splitlines():
            found = re.search(r"[Uw] (\S+?)(?:@+(\S+))?$", line)
            if found:
                symbols[found.group(2)].add(found.group(1))
    every = set().union(*symbols.values())
    for name in sorted(needed - REAL):
        node = NODES.get(name, name)
        wanted = set(symbols.get(node, ()))
        if name in PREFIXES:
            wanted |= {symbol for symbol in every if re.match(PREFIXES[name], symbol)}
        base = os.path.join(folder, name)
        functions = [f"int {symbol}(void) {{ return 1; }}" for symbol in sorted(wanted) if re.fullmatch(r"\w+", symbol)]
        with open(base + ".c", "w") as file:
            file.write("\n".join(functions) or "int unused;")
        command = ["gcc", "-shared", "-fPIC", "-w", "-o", base, base + ".c", "-Wl,-soname," + name]
        if node in symbols:
            with open(base + ".map", "w") as file:
                file.write(node + " { global: *; };\n")
            command.append("-Wl,--version-script=" + base + ".map")
        subprocess.run(command, check=True)
        for end in [".c", ".map"]:
            if os.path.exists(base + end):
                os.remove(base + end)


if __name__ == "__main__":
    main(sys.argv[1])
