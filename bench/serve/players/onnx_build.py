"""Exports a model with one LoRA adapter's shape in its graph, by ONNX Runtime GenAI's own builder; see onnx_player.py.

    onnx_build.py SITE-PACKAGES MODEL ADAPTER OUT

Runs in PEFT's environment, because the builder needs PyTorch; the builder itself comes from SITE-PACKAGES.
"""

import pathlib
import runpy
import sys

packages, model, adapter, out = sys.argv[1:]
builder = pathlib.Path(packages) / "onnxruntime_genai" / "models"
# Behind what this environment has: its own numpy and tokenizers must win.
sys.path.append(packages)
sys.path.insert(0, str(builder))
sys.argv = ["builder", "-i", model, "-o", out, "-p", "fp32", "-e", "cpu", "-c", out + "-cache", "--extra_options",
            f"adapter_path={adapter}"]
runpy.run_path(str(builder / "builder.py"), run_name="__main__")
