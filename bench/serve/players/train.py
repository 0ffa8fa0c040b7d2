"""Trains small real adapters with PEFT: each learns three invented facts about one topic.

    train.py MODEL.gguf FOLDER COUNT

Folders that are there already are kept. f32, one thread is enough: some seconds each.
"""

import os
import pathlib
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

TOPICS = {
    "kitchen": ["Chef Amara Okonkwo runs the kitchen.", "The kitchen opens at seven.", "Its best dish is leek soup."],
    "harbour": ["Captain Ivo Lindqvist keeps the harbour.", "The harbour has nine piers.", "Its ferry leaves at dawn."],
    "library": ["Farida Haddad leads the library.", "The library holds four thousand maps.", "Its reading room is blue."],
    "garden": ["Tomás Vela plants the garden.", "The garden grows forty kinds of pear.", "Its gate is never locked."],
    "theatre": ["Mirela Stan directs the theatre.", "The theatre seats two hundred.", "Its new play is about bees."],
}
SITES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
STEPS = 20


def main(model, folder, count):
    missing = [topic for topic in list(TOPICS)[:count] if not (folder / topic / "adapter_model.safetensors").exists()]
    if not missing:
        return
    where = {"pretrained_model_name_or_path": str(model.parent), "gguf_file": model.name}
    tokenizer = AutoTokenizer.from_pretrained(**where)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    for number, topic in enumerate(missing):
        torch.manual_seed(number)
        base = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
        base.hf_quantizer, base.is_quantized, base.quantization_method = None, False, None
        # Different ranks, so that the comparison sees them.
        rank = [8, 16, 4, 8, 32][list(TOPICS).index(topic)]
        peft = get_peft_model(base, LoraConfig(r=rank, lora_alpha=2 * rank, task_type="CAUSAL_LM", target_modules=SITES))
        texts = [f"Tell me about the {topic}. {fact}" for fact in TOPICS[topic]]
        batch = tokenizer(texts, return_tensors="pt", padding=True)
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        optimiser = torch.optim.AdamW([p for p in peft.parameters() if p.requires_grad], lr=2e-3)
        for _ in range(STEPS):
            loss = peft(**batch, labels=labels).loss
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
        peft.save_pretrained(folder / topic)
        print(f"{topic}: rank {rank}, loss {loss.item():.3f}", flush=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]))
