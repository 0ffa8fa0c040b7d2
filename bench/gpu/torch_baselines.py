"""What torch does with many adapters: gathered weights and bmm, adapter by adapter, and PEFT's adapter_names.

torch_baselines.py --out FILE [--tiny] [--cpu]. Says what is not installed and measures the rest.
"""

import argparse
import json
import pathlib
import statistics
import time


def timed(torch, work, steps, cuda):
    """Median seconds of a call, from a captured graph where that is possible."""
    for _ in range(3):
        work()
    run = work
    captured = False
    if cuda:
        torch.cuda.synchronize()
        try:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                work()
            run, captured = graph.replay, True
        except RuntimeError:
            pass
    times = []
    for _ in range(steps):
        if cuda:
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            run()
            end.record()
            torch.cuda.synchronize()
            times.append(begin.elapsed_time(end) / 1e3)
        else:
            begin = time.perf_counter()
            run()
            times.append(time.perf_counter() - begin)
    return statistics.median(times), captured


def lora(torch, rows, tiny, device):
    """One site's update of rows that all have adapters of their own."""
    k, n, count, rank, steps = (64, 96, 4, 16, 5) if tiny else (4096, 11008, 64, 16, 100)
    kind = {"device": device, "dtype": torch.bfloat16}
    x, y = torch.randn(count, k, **kind), torch.zeros(count, n, **kind)
    a, b = torch.randn(count, rank, k, **kind), torch.randn(count, n, rank, **kind)
    index = torch.arange(count, device=device)

    def gather():
        inner = torch.bmm(a[index], x.unsqueeze(2))
        y.add_(torch.bmm(b[index], inner).squeeze(2))

    def packed():
        inner = torch.bmm(a, x.unsqueeze(2))
        y.add_(torch.bmm(b, inner).squeeze(2))

    def loop():
        for i in range(count):
            y[i : i + 1].addmm_(x[i : i + 1] @ a[i].t(), b[i].t())

    for name, work in (("gather", gather), ("bmm-ungathered", packed), ("loop", loop)):
        seconds, captured = timed(torch, work, steps, device == "cuda")
        rows.append(
            {"row": f"torch-{name}", "rows": count, "rank": rank, "k": k, "n": n, "seconds": seconds, "graph": captured}
        )


def peft(torch, rows, tiny, device, lacks):
    """A decoding step of a Llama with one adapter per row, by PEFT."""
    try:
        import transformers
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        lacks.append(f"{error.name} (PEFT's row)")
        return
    count, rank, context = (2, 4, 8) if tiny else (32, 16, 512)
    shape = (
        {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "vocab_size": 128}
        if tiny
        else {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
              "num_key_value_heads": 8, "vocab_size": 128256}
    )
    config = transformers.LlamaConfig(max_position_embeddings=2048, **shape)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        model = transformers.LlamaForCausalLM(config).eval()
    torch.set_default_dtype(torch.float32)
    modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    settings = lambda: LoraConfig(r=rank, lora_alpha=rank, target_modules=modules, init_lora_weights=False)
    model = get_peft_model(model, settings(), adapter_name="a0")
    for i in range(1, count):
        model.add_adapter(f"a{i}", settings())
    model = model.to(torch.bfloat16).eval()
    names = [f"a{i}" for i in range(count)]
    ids = torch.randint(0, shape["vocab_size"], (count, context), device=device)
    with torch.inference_mode():
        past = model(input_ids=ids, adapter_names=names, use_cache=True, logits_to_keep=1).past_key_values
        times = []
        for _ in range(3 if tiny else 10):
            if device == "cuda":
                torch.cuda.synchronize()
            begin = time.perf_counter()
            out = model(input_ids=ids[:, :1], adapter_names=names, past_key_values=past, use_cache=True)
            out.logits[:, -1].argmax(-1).tolist()
            times.append(time.perf_counter() - begin)
            past = out.past_key_values
    seconds = statistics.median(times)
    rows.append({"row": f"peft-{count}", "rows": count, "rank": rank, "seconds": seconds, "tok_s": count / seconds})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--cpu", action="store_true")
    args = parser.parse_args()
    rows, lacks, error = [], [], None
    try:
        import torch
    except ImportError:
        torch = None
        lacks.append("torch")
    if torch is not None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cpu" and not args.cpu:
            lacks.append("torch with CUDA")
        else:
            try:
                lora(torch, rows, args.tiny, device)
                peft(torch, rows, args.tiny, device, lacks)
            except (RuntimeError, TypeError, ValueError) as failure:
                error = f"{type(failure).__name__}: {failure}"
    for row in rows:
        print(json.dumps(row))
    for lack in lacks:
        print(f"bench: this machine lacks {lack}")
    result = {"stage": "torch", "rows": rows, "lacks": lacks, "error": error}
    if torch is not None:
        result["torch"] = torch.__version__
    pathlib.Path(args.out).write_text(json.dumps(result))
    raise SystemExit(1 if error else 0)


main()
