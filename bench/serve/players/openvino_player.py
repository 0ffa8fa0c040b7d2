"""OpenVINO GenAI: LoRA adapters are inputs of the compiled model, so one call of it has one adapter.

Requests are grouped by adapter, the groups run one after the other, each as one batch: the best it can do for a mix.

The model comes from a GGUF file in f16 (its reader knows no bf16), which GenAI converts. The reader gives the linear
layers no names, so adapters would find nothing to change; they are named here, in the order in which it makes them.
"""

import importlib.metadata
import json
import pathlib
import shutil
import sys
import time

import openvino
import openvino_genai

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import models
from common import play

BLOCKS = {site: "mlp" if site in models.SITES[4:] else "self_attn" for site in models.SITES}


def convert(folder):
    """The model as OpenVINO reads it, in a folder beside the weights; made once."""
    made = folder / "openvino"
    if models.finished(made):
        return made
    aside = folder / ".openvino"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    config = json.loads((folder / "config.json").read_text())
    shape = models.Shape(config)
    values_of = models.read_safetensors(folder / "model.safetensors")
    tensors = [(name, size, values_of[name]) for name, size in shape.tensors()]
    models.write_gguf(aside / "model.gguf", config, shape, json.loads((folder / "tokenizer.json").read_text()), tensors, half=True)
    del tensors, values_of
    openvino_genai.LLMPipeline(str(aside / "model.gguf"), "CPU", enable_save_ov_model=True)
    (aside / "model.gguf").unlink()
    graph = openvino.Core().read_model(aside / "openvino_model.xml")
    number = lambda node: int(node.get_friendly_name().rsplit("_", 1)[1])
    linear = [node for node in graph.get_ordered_ops() if node.get_type_name() == "MatMul"
              and node.get_output_partial_shape(0)[-1].is_static and node.get_output_partial_shape(0).rank.get_length() == 3]
    linear.sort(key=number)
    if len(linear) != 7 * shape.layers + 1:
        raise RuntimeError(f"the graph has {len(linear)} linear layers, {7 * shape.layers + 1} were expected")
    for index, node in enumerate(linear[:-1]):
        layer, site = index // 7, models.SITES[index % 7]
        expected = shape.site(site)[1]
        found = node.get_output_partial_shape(0)[-1].get_length()
        if found != expected:
            raise RuntimeError(f"linear layer {index} is {found} wide, {site} is {expected}")
        node.set_friendly_name(f"__module.model.layers.{layer}.{BLOCKS[site]}.{site}/ov_ext::linear/MatMul")
    named = aside / "named.xml"
    openvino.save_model(graph, named, compress_to_fp16=False)
    for end in ["xml", "bin"]:
        named.with_suffix(f".{end}").replace(aside / f"openvino_model.{end}")
    models.finish(aside, made)
    return made


def start(settings):
    folder = convert(pathlib.Path(settings["model"]))
    adapters = {name: openvino_genai.Adapter(f"{path}/adapter_model.safetensors") for name, path in settings["adapters"].items()}
    pipeline = openvino_genai.LLMPipeline(str(folder), "CPU", adapters=openvino_genai.AdapterConfig(list(adapters.values())),
                                          INFERENCE_NUM_THREADS=settings["threads"])

    def generate(texts, adapter, tokens):
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens = config.min_new_tokens = tokens
        config.do_sample, config.ignore_eos, config.apply_chat_template = False, True, False
        config.adapters = openvino_genai.AdapterConfig(adapters[adapter], 1.0) if adapter else openvino_genai.AdapterConfig()
        metrics = pipeline.generate(texts, config).perf_metrics
        return metrics.get_num_input_tokens(), metrics.get_num_generated_tokens()

    def run(requests):
        groups = {}
        for request in requests:
            groups.setdefault(request["adapter"], []).append(request)
        begin, tokens = time.perf_counter(), 0
        for adapter, members in groups.items():
            read, made = generate([member["text"] for member in members], adapter, members[0]["tokens"])
            wanted = sum(len(member["ids"]) for member in members)
            if read != wanted:
                return {"error": f"OpenVINO read {read} prompt tokens, {wanted} were meant"}
            tokens += made
        return {"seconds": time.perf_counter() - begin, "tokens": tokens}

    told = (f"openvino-genai {importlib.metadata.version('openvino-genai')}, f16 weights, its own choice of arithmetic, "
            f"{settings['threads']} threads, one adapter after the other")
    return {"told": told, "dtype": "f16"}, run


play(start)
