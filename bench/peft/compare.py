#!/usr/bin/env python3
"""The engine against PEFT: the same weights, the same adapters, the same prompts.

    bench/peft/compare.py <model.gguf> <adapter folder>... [--tokens 128] [--stop]

Prints, for each adapter and prompt, whether both write the same greedy text, and how far their logits are apart when
both read the engine's answer. An answer goes on after its end token, so that every text has all its tokens; --stop
ends it there. Ends with status 1 if a text differs or the logits are more than 1e-4 of the largest apart.

LOGITS may name a built `logits` example; otherwise cargo builds and runs it.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

TOLERANCE = 1e-4
PROMPTS = [
    "What is the capital of France?",
    "How do I make leek soup?",
    "What does ICD-10-CM A00 stand for?",
    "What must a pilot know about stalls?",
]


def engine(model, adapter, tokens, stop, out):
    built = os.environ.get("LOGITS")
    program = [built] if built else ["cargo", "run", "--quiet", "--locked", "--example", "logits", "-p", "openledger-engine", "--"]
    command = [*program, str(model), str(adapter), str(tokens), str(out), *PROMPTS]
    environment = {**os.environ, "PAST_END": "0" if stop else "1"}
    subprocess.run(command, check=True, cwd=pathlib.Path(__file__).resolve().parents[2], env=environment)
    return json.loads((out / "answers.json").read_text())


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("model", type=lambda text: pathlib.Path(text).resolve())
    arguments.add_argument("adapter", type=lambda text: pathlib.Path(text).resolve(), nargs="+")
    arguments.add_argument("--tokens", type=int, default=128)
    arguments.add_argument("--stop", action="store_true")
    given = arguments.parse_args()

    folder = {"pretrained_model_name_or_path": str(given.model.parent), "gguf_file": given.model.name}
    tokenizer = AutoTokenizer.from_pretrained(**folder)
    base = AutoModelForCausalLM.from_pretrained(**folder, dtype=torch.float32)
    if not given.stop:
        # What a setting leaves open is taken from the model's own.
        base.generation_config.eos_token_id = None
    greedy = GenerationConfig(do_sample=False, max_new_tokens=given.tokens, pad_token_id=2,
                              eos_token_id=base.generation_config.eos_token_id)
    failed, worst, texts = False, 0.0, 0
    for adapter in given.adapter:
        peft = PeftModel.from_pretrained(base, str(adapter)).eval()
        print(f"== {adapter.name}: {peft.peft_config['default'].r=}, "
              f"{sorted(peft.peft_config['default'].target_modules)}")
        with tempfile.TemporaryDirectory() as out, torch.no_grad():
            out = pathlib.Path(out)
            answers = engine(given.model, adapter, given.tokens, given.stop, out)
            for number, (prompt, answer) in enumerate(zip(PROMPTS, answers)):
                same_tokens = tokenizer(answer["text"], add_special_tokens=False)["input_ids"] == answer["prompt"]
                asked = torch.tensor([answer["prompt"]])
                written = peft.generate(input_ids=asked, attention_mask=torch.ones_like(asked), generation_config=greedy)
                theirs = written[0, asked.shape[1]:].tolist()
                ours = np.fromfile(out / f"{number}.f32", dtype="<f4").reshape(len(answer["ids"]), -1)
                read = torch.tensor([answer["prompt"] + answer["ids"][:-1]])
                rows = peft(input_ids=read).logits[0, asked.shape[1] - 1:].numpy()
                apart = float(np.abs(ours - rows).max() / np.abs(rows).max())
                with peft.disable_adapter():
                    plain = peft(input_ids=read).logits[0, asked.shape[1] - 1:].numpy()
                moved = float(np.abs(plain - rows).max() / np.abs(rows).max())
                same = theirs == answer["ids"]
                print(f"{prompt!r}\n  tokens of the prompt {'equal' if same_tokens else 'DIFFER'}; "
                      f"greedy text of {len(theirs)} tokens {'equal' if same else 'DIFFERS'}; "
                      f"logits {apart:.1e} apart (the adapter moves them by {moved:.1e})\n  {answer['answer']!r}", flush=True)
                if not same:
                    at = next((i for i, (a, b) in enumerate(zip(theirs, answer["ids"])) if a != b), None)
                    print(f"  PEFT: {tokenizer.decode(theirs)!r}, first other token at {at}")
                failed |= not same or not same_tokens or apart > TOLERANCE
                worst, texts = max(worst, apart), texts + same
        base = peft.unload()
    print(f"{texts} of {len(given.adapter) * len(PROMPTS)} texts of up to {given.tokens} tokens equal, "
          f"logits at most {worst:.1e} apart")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
