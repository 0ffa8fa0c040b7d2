"""ONNX Runtime GenAI: an adapter replaces inputs of the graph, so one generator has one adapter.

Requests are grouped by adapter, the groups run one after the other, each as one batch: the best it can do for a mix.

Its builder puts one adapter into the graph as constants; they are made inputs with defaults here, which is what adapters
can replace, and each adapter is written in ONNX Runtime's format. The arithmetic is f32: the builder knows no other for
unquantised weights on the CPU.
"""

import importlib.metadata
import os
import pathlib
import shutil
import subprocess
import sys
import time

import numpy as np
import onnx
import onnxruntime
import onnxruntime_genai

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import models
from common import play

PACKAGES = pathlib.Path(onnxruntime_genai.__file__).resolve().parents[1]


def convert(folder, adapter):
    """The model as GenAI reads it, in a folder beside the weights; made once."""
    made = folder / "onnx"
    if models.finished(made):
        return made
    aside = folder / ".onnx"
    for leftover in [aside, folder / ".onnx-cache"]:
        shutil.rmtree(leftover, ignore_errors=True)
    command = [os.environ.get("BENCH_PEFT_PYTHON", "python3"), "-B", str(pathlib.Path(__file__).with_name("onnx_build.py")), str(PACKAGES),
               str(folder), adapter, str(aside)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    shutil.rmtree(folder / ".onnx-cache", ignore_errors=True)
    if done.returncode != 0:
        raise RuntimeError(f"the builder failed: {done.stdout[-1500:]}")
    graph = onnx.load(aside / "model.onnx", load_external_data=False)
    for constant in graph.graph.initializer:
        if ".lora_" in constant.name:
            graph.graph.input.append(onnx.helper.make_tensor_value_info(constant.name, constant.data_type, list(constant.dims)))
    onnx.save(graph, aside / "model.onnx")
    models.finish(aside, made)
    return made


def name_in_graph(tensor):
    """`base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight` as the builder calls it."""
    _, _, _, _, layer, block, site, matrix, _ = tensor.split(".")
    return f"model.layers.{layer}.{'attn' if block == 'self_attn' else 'mlp'}.{site}.{matrix}.MatMul.weight"


def in_their_format(path):
    """The adapter beside its safetensors, scaled and transposed as the graph wants it; alpha equals the rank here."""
    made = path / "adapter.onnx_adapter"
    if not made.exists():
        parameters = {}
        for name, read in models.read_safetensors(path / "adapter_model.safetensors").items():
            values = read()
            if values.dtype == np.uint16:
                values = (values.astype(np.uint32) << 16).view(np.float32)
            parameters[name_in_graph(name)] = onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(values.T))
        file = onnxruntime.AdapterFormat()
        file.set_adapter_version(1)
        file.set_model_version(1)
        file.set_parameters(parameters)
        file.export_adapter(str(made))
    return made


def start(settings):
    paths = {name: pathlib.Path(path) for name, path in settings["adapters"].items()}
    folder = convert(pathlib.Path(settings["model"]), str(next(iter(paths.values()))))
    config = onnxruntime_genai.Config(str(folder))
    model = onnxruntime_genai.Model(config)
    adapters = onnxruntime_genai.Adapters(model)
    for name, path in paths.items():
        adapters.load(str(in_their_format(path)), name)

    def generate(members, adapter):
        ids, tokens = np.array([member["ids"] for member in members], dtype=np.int32), members[0]["tokens"]
        params = onnxruntime_genai.GeneratorParams(model)
        length = ids.shape[1] + tokens
        params.set_search_options(max_length=length, min_length=length, do_sample=False, batch_size=len(members))
        generator = onnxruntime_genai.Generator(model, params)
        if adapter:
            generator.set_active_adapter(adapters, adapter)
        generator.append_tokens(ids)
        made = 0
        while not generator.is_done():
            generator.generate_next_token()
            made += len(members)
        return made

    def run(requests):
        groups = {}
        for request in requests:
            groups.setdefault(request["adapter"], []).append(request)
        begin = time.perf_counter()
        tokens = sum(generate(members, adapter) for adapter, members in groups.items())
        return {"seconds": time.perf_counter() - begin, "tokens": tokens}

    told = (f"onnxruntime-genai {importlib.metadata.version('onnxruntime-genai')} on onnxruntime "
            f"{importlib.metadata.version('onnxruntime')}, f32, one adapter after the other")
    return {"told": told, "dtype": "f32"}, run


play(start)
