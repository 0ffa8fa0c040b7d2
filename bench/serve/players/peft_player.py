"""PEFT and transformers on PyTorch: rows of one batch with different adapters by `adapter_names`.

Best flags: attention by torch's fused kernel, no gradients, all threads, adapters kept in the base's dtype, and of bf16
and f32 the one that is faster here.
"""

import os
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from common import play


def load(settings, dtype):
    model = AutoModelForCausalLM.from_pretrained(settings["model"], dtype=dtype, attn_implementation="sdpa")
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    names = list(settings["adapters"])
    for number, name in enumerate(names):
        path = settings["adapters"][name]
        if number == 0:
            model = PeftModel.from_pretrained(model, path, adapter_name=name, autocast_adapter_dtype=False)
        else:
            model.load_adapter(path, adapter_name=name, autocast_adapter_dtype=False)
    return model.to(dtype).eval()


def generate(model, requests, tokens, with_adapters):
    ids = torch.tensor([request["ids"] for request in requests])
    more = {}
    if with_adapters:
        more["adapter_names"] = [request["adapter"] or "__base__" for request in requests]
    with torch.inference_mode():
        out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=tokens,
                             min_new_tokens=tokens, use_cache=True, **more)
    return out.shape[0] * (out.shape[1] - ids.shape[1])


def start(settings):
    torch.set_num_threads(settings["threads"])
    with_adapters = bool(settings["adapters"])
    kinds = {"bf16": torch.bfloat16, "f32": torch.float32}
    speeds = {}
    # A short run of either dtype; the loser is dropped before the winner is loaded again.
    names = list(settings["adapters"])[:settings["rows"]] or [None] * settings["rows"]
    probe = [{"ids": list(range(1000, 1032)), "adapter": name} for name in names]
    for name, dtype in kinds.items():
        model = load(settings, dtype)
        # The second run of the same shapes: the first one builds oneDNN's kernels for them.
        generate(model, probe, 8, with_adapters)
        begin = time.perf_counter()
        made = generate(model, probe, 8, with_adapters)
        speeds[name] = round(made / (time.perf_counter() - begin), 2)
        del model
    best = max(speeds, key=speeds.get)
    model = load(settings, kinds[best])

    def run(requests):
        tokens = requests[0]["tokens"]
        begin = time.perf_counter()
        made = generate(model, requests, tokens, with_adapters)
        return {"seconds": time.perf_counter() - begin, "tokens": made}

    told = f"torch {torch.__version__} {best} (probed, tok/s: {speeds}), sdpa, {settings['threads']} threads"
    return {"told": told, "dtype": best}, run


play(start)
