"""mistral.rs: dynamic LoRA adapters, chosen per request, as many sequences at once as there are requests."""

import importlib.metadata
import os
import pathlib
import tempfile
import time

import mistralrs

from common import play


def start(settings):
    os.environ["RAYON_NUM_THREADS"] = str(settings["threads"])
    arch = {"qwen2": mistralrs.Architecture.Qwen2, "llama": mistralrs.Architecture.Llama}[settings["architecture"]]
    adapters = [mistralrs.LoraAdapter(name, path) for name, path in settings["adapters"].items()]
    common = {"model_id": settings["model"], "arch": arch, "dtype": mistralrs.ModelDType.BF16}
    if adapters:
        which = mistralrs.Which.Lora(adapters=adapters, max_adapters=max(16, len(adapters)), **common)
    else:
        which = mistralrs.Which.Plain(**common)
    # The prompt as it stands, without the conversation that the model's own template puts around it.
    template = pathlib.Path(tempfile.mkdtemp(prefix="bench-")) / "plain.jinja"
    template.write_text("{{ messages[0]['content'] }}")
    # No prefix cache: no prompt comes twice, and filling it costs.
    runner = mistralrs.Runner(which, max_seqs=settings["rows"], prefix_cache_n=0, token_source="none",
                              jinja_explicit=str(template))

    def send(request):
        chosen = {"adapter": request["adapter"]} if request["adapter"] else {}
        # Only streams let one runner have many requests at once.
        return runner.send_chat_completion_request(mistralrs.ChatCompletionRequest(
            messages=[{"role": "user", "content": request["text"]}], model="default", max_tokens=request["tokens"], temperature=0.0, stream=True,
            ignore_eos=True, enable_thinking=False, **chosen))

    def run(requests):
        begin = time.perf_counter()
        streams = [send(request) for request in requests]
        usages, first = [], []
        # The engine runs all of them whichever is read first, so only the first one's first token has a true time.
        for stream in streams:
            usage = None
            for chunk in stream:
                if not first:
                    first.append(time.perf_counter() - begin)
                usage = chunk.usage or usage
            usages.append(usage)
        seconds = time.perf_counter() - begin
        for usage, request in zip(usages, requests):
            if usage is None or usage.prompt_tokens != len(request["ids"]):
                return {"error": f"a request of {len(request['ids'])} prompt tokens ended with usage {usage}"}
        return {"seconds": seconds, "tokens": sum(usage.completion_tokens for usage in usages), "first": first}

    told = f"mistralrs {importlib.metadata.version('mistralrs')}, bf16, max_seqs {settings['rows']}, no prefix cache"
    return {"told": told, "dtype": "bf16"}, run


play(start)
