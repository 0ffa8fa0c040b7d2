"""Write a small LoRA adapter for the demo model, of random weights: adapter.py DIR SEED."""

import json
import pathlib
import random
import struct
import sys

LAYERS, HIDDEN, RANK = 30, 576, 2


def main():
    folder, seed = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(parents=True)
    chance = random.Random(seed)
    header, body = {}, bytearray()
    for layer in range(LAYERS):
        for part, shape, spread in (("A", [RANK, HIDDEN], 0.04), ("B", [HIDDEN, RANK], 0.3)):
            values = [chance.uniform(-spread, spread) for _ in range(RANK * HIDDEN)]
            begin = len(body)
            body += struct.pack(f"<{len(values)}f", *values)
            name = f"base_model.model.model.layers.{layer}.self_attn.q_proj.lora_{part}.weight"
            header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, len(body)]}
    head = json.dumps(header).encode()
    (folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + body)
    (folder / "adapter_config.json").write_text(json.dumps({
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": 2 * RANK, "bias": "none",
        "target_modules": ["q_proj"],
    }))


main()
