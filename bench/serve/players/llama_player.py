"""llama.cpp's server, in the process of `xllamacpp`: one slot per client, an adapter per request.

It only starts the server and tells where it listens; the harness asks it over HTTP, as it asks our worker.
"""

import importlib.metadata
import time

import xllamacpp

from common import play


def start(settings):
    params = xllamacpp.CommonParams()
    params.model.path = settings["model"]
    params.n_parallel = settings["rows"]
    params.n_ctx = settings["rows"] * settings["context"]
    params.kv_unified = False
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"]
    params.n_threads_http = settings["rows"] + 2
    params.cont_batching = True
    params.cache_prompt = False
    params.cache_ram_mib = 0
    params.warmup = True
    params.endpoint_metrics = False
    params.hostnames = ["127.0.0.1"]
    params.port = settings["port"]
    if settings["adapters"]:
        listed = []
        for path in settings["adapters"].values():
            info = xllamacpp.CommonAdapterLoraInfo()
            info.path, info.scale = path, 0.0
            listed.append(info)
        params.lora_adapters = listed
        params.lora_init_without_apply = True
    server = xllamacpp.Server(params)
    told = (f"xllamacpp {importlib.metadata.version('xllamacpp')}, {settings['rows']} slots, {settings['threads']} threads; "
            f"{xllamacpp.get_system_info().strip()}")

    def run(_):
        time.sleep(0)
        raise RuntimeError(f"the server listens at {server.listening_address}; ask it over HTTP")

    return {"told": told, "dtype": settings["dtype"], "address": server.listening_address}, run


play(start)
