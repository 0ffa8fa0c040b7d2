"""The rows of the table: what each measures, against whom, and what it should reach.

A row is a function of (Settings, model) that returns lines: `what` was measured, the `target` in words, `ours`, `peer`,
the `figure` that the target is about, the bandwidth `floor`, whether it is `met`, and `raw` figures.
"""

import asyncio
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

import engines
import models
from engines import Failed, Llama, Ours, Peer, Worker
from models import Adapters, Prompts, say

ROWS = {}
# Seconds of measuring in all, up to which a row repeats more often than asked; and how often at most.
ENOUGH, MOST_REPEATS = 90, 15
HERE = pathlib.Path(__file__).resolve().parent


@dataclass
class Settings:
    """What the command line sets."""
    repeats: int = 3
    budget: float = 900.0
    prompt: int = 128
    tokens: int = 128
    bandwidth: float = 0.0
    minutes: float = 30.0
    rate: float = 0.0
    many_rank: int = 8
    count: int = 0

    def several(self, usual):
        """A number of adapters or requests: the row's own, or the smaller one that `--count` asks for."""
        return min(usual, self.count) if self.count else usual


@dataclass
class Row:
    name: str
    title: str
    models: list
    measure: object


def row(name, title, on):
    def keep(function):
        ROWS[name] = Row(name, title, on, function)
        return function
    return keep


def median(values):
    return statistics.median(values) if values else None


def quantile(values, q):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else None


def spread(values):
    """Median, quantiles and extremes of seconds, in milliseconds."""
    if not values:
        return {"count": 0}
    ms = lambda value: round(value * 1e3, 2)
    return {"count": len(values), "median": ms(median(values)), "p90": ms(quantile(values, 0.9)),
            "p95": ms(quantile(values, 0.95)), "p99": ms(quantile(values, 0.99)), "max": ms(max(values))}


def requests_of(prompts, adapters, tokens):
    """One request for each of `adapters` (names or None), each with a prompt of its own."""
    return [{**prompts.next(), "adapter": adapter, "tokens": tokens} for adapter in adapters]


def floor(settings, model, rows, adapter_bytes):
    """Tokens per second if each step only read the base weights and each adapter of the batch once. Prompts, keys and
    values are not counted: no engine reaches it."""
    return rows * settings.bandwidth / (model.bytes + adapter_bytes)


def contest(settings, contenders):
    """Lets contenders (name: (engine, function that makes the requests of a repeat)) take turns, in changing order.

    Everybody gets the same number of turns, at least one; no new round begins when the budget is spent. Where turns are
    short there are more of them than asked for, because a moment's disturbance weighs more there.
    """
    begin = time.monotonic()
    for name, (engine, make) in contenders.items():
        for other, _ in contenders.values():
            if other is not engine:
                other.pause()
        say(f"  warming {name}")
        engine.run([{**request, "tokens": min(8, request["tokens"])} for request in make(-1)])
    runs = {name: [] for name in contenders}
    measuring = time.monotonic()
    for repeat in range(MOST_REPEATS):
        if repeat >= settings.repeats and (settings.repeats == 1 or time.monotonic() - measuring > ENOUGH):
            break
        round_begin = time.monotonic()
        names = list(contenders)
        names = names[repeat % len(names):] + names[:repeat % len(names)]
        for name in names:
            engine, make = contenders[name]
            for other, _ in contenders.values():
                if other is not engine:
                    other.pause()
            runs[name].append(engine.run(make(repeat)))
            say(f"  {repeat + 1} {name}: {runs[name][-1].rate:.1f} tok/s in {runs[name][-1].seconds:.1f} s")
        spent = time.monotonic() - begin
        if spent + (time.monotonic() - round_begin) > settings.budget:
            if repeat + 1 < settings.repeats:
                say(f"  the budget of {settings.budget:.0f} s allows {repeat + 1} of {settings.repeats} repeats")
            break
    return {name: {"rate": median([run.rate for run in of]), "rates": [round(run.rate, 2) for run in of],
                   "seconds": [round(run.seconds, 3) for run in of],
                   "first_ms": spread([first for run in of for first in run.first])} for name, of in runs.items()}


class Stage:
    """Keeps what was started, and stops it at the end, whatever happens."""

    def __enter__(self):
        self.started = []
        return self

    def start(self, make):
        # Whoever runs already must not take from the newcomer's start.
        for engine in self.started:
            engine.pause()
        engine = make()
        self.started.append(engine)
        return engine

    def __exit__(self, *_):
        for engine in reversed(self.started):
            try:
                engine.stop()
            except OSError as error:
                say(f"cannot stop {engine.name}: {error}")


def same_prompts(settings, model, names):
    """For each repeat its requests; the same ones whoever asks."""
    prompts, made = Prompts(model, settings.prompt), {}

    def make(repeat):
        if repeat not in made:
            made[repeat] = requests_of(prompts, names, settings.tokens)
        return made[repeat]

    return make


def same_texts(contenders, requests, tokens=8):
    """Whether both write the same: a check that either reads the same weights and applies the same adapters."""
    texts = {}
    for name, (engine, _) in contenders.items():
        for other, _ in contenders.values():
            if other is not engine:
                other.pause()
        texts[name] = [engine.text({**request, "tokens": tokens}) for request in requests]
    equal = sum(a == b for a, b in zip(*texts.values()))
    say(f"  {equal} of {len(requests)} answers begin with the same {tokens} tokens")
    return {"equal": equal, "of": len(requests), "tokens": tokens, "texts": texts}


def beside(settings, model, what, target, ours, peer, names, adapter_bytes):
    """One line of ours against a peer. `ours` (of a precision) and `peer` start the engines; a peer that fails is written down.

    The peers round the inputs of matrix products to bf16 or int8, so that ours does so in the figure. In exact
    arithmetic it is measured beside, for the reader.
    """
    rows, make = len(names), same_prompts(settings, model, names)
    line = {"what": f"{what}, {settings.prompt} in / {settings.tokens} out", "target": f"≥ {target}×",
            "floor": round(floor(settings, model, rows, adapter_bytes), 1), "unit": "tok/s", "met": None, "raw": {}}
    with Stage() as stage:
        contenders = {}
        starts = {"ours": lambda: ours("rounded"), "exact": lambda: ours("exact"), "peer": peer}
        for name, start in starts.items():
            try:
                engine = stage.start(start)
                contenders[name] = (engine, make)
                line["raw"][f"{name}_told"] = engine.told
            except (Failed, OSError) as error:
                line[f"{name}_error"] = str(error)
                say(f"  {name} failed: {error}")
        try:
            raw = contest(settings, contenders)
        except Failed as error:
            # Whoever failed is named in the text; ours is then measured alone.
            line["peer_error"] = str(error)
            say(f"  failed: {error}")
            raw = contest(settings, {"ours": contenders["ours"]}) if "ours" in contenders else {}
        judged = {name: contenders[name] for name in ["exact", "peer"] if name in raw}
        if len(judged) == 2 and all(hasattr(engine, "text") for engine, _ in judged.values()):
            line["raw"]["same_texts"] = same_texts(judged, make(0))
    line["raw"].update(raw)
    line["ours"] = raw.get("ours", {}).get("rate")
    line["exact"] = raw.get("exact", {}).get("rate")
    line["peer"] = raw.get("peer", {}).get("rate")
    if line["ours"] and line["peer"]:
        line["ratio"] = round(line["ours"] / line["peer"], 2)
        line["figure"] = f"{line['ratio']}×"
        line["met"] = line["ratio"] >= target
    return [line]


def peft_python():
    return os.environ.get("BENCH_PEFT_PYTHON", "python3")


def against_library(settings, model, peer, rows, target, python=None):
    adapters = Adapters(model, rows)
    paths = {name: str(adapters.path(name)) for name in adapters.names}
    return beside(settings, model, f"{rows} rows on {rows} adapters ({adapters.kind})", target,
                  lambda precision: Ours(model, adapters.store, rows, precision=precision, prompts_first=True), lambda: Peer(peer, model, paths, rows, python),
                  adapters.names, rows * adapters.bytes)


@row("peft-8", "PEFT `adapter_names`, 8 / 8", ["qwen", "smol"])
def peft_8(settings, model):
    return against_library(settings, model, "peft", 8, 3, peft_python())


@row("peft-32", "PEFT `adapter_names`, 32 / 32", ["qwen", "smol"])
def peft_32(settings, model):
    return against_library(settings, model, "peft", 32, 6, peft_python())


@row("mistralrs-8", "mistral.rs, 8 / 8", ["qwen", "smol"])
def mistralrs_8(settings, model):
    return against_library(settings, model, "mistralrs", 8, 1.5)


@row("mistralrs-32", "mistral.rs, 32 / 32", ["qwen", "smol"])
def mistralrs_32(settings, model):
    return against_library(settings, model, "mistralrs", 32, 3)


@row("llama-8", "llama.cpp's server, 8 clients on 8 adapters", ["qwen", "smol-q4"])
def llama_8(settings, model):
    adapters = Adapters(model, 8)
    return beside(settings, model, f"8 clients on 8 adapters ({adapters.kind}), over HTTP", 3,
                  lambda precision: Worker(model, adapters.store, 8, precision=precision), lambda: Llama(model, adapters, adapters.names, 8),
                  adapters.names, 8 * adapters.bytes)


@row("llama-base", "llama.cpp's server, base, one stream", ["qwen", "smol-q4"])
def llama_base(settings, model):
    adapters = Adapters(model, 1)
    return beside(settings, model, "base, one stream, over HTTP", 1.0,
                  lambda precision: Worker(model, adapters.store, 8, precision=precision), lambda: Llama(model, adapters, [], 1), [None], 0)


@row("openvino-8", "OpenVINO GenAI, 8 / 8", ["qwen"])
def openvino_8(settings, model):
    return against_library(settings, model, "openvino", 8, 1.0)


@row("onnx-8", "ONNX Runtime GenAI, 8 / 8", ["smol"])
def onnx_8(settings, model):
    return against_library(settings, model, "onnx", 8, 1.0)


@row("loss", "loss against the own base, 8 rows", ["qwen", "smol-q4"])
def loss(settings, model):
    adapters = Adapters(model, 8)
    with Stage() as stage:
        ours = stage.start(lambda: Ours(model, adapters.store, 8))
        raw = contest(settings, {
            "base": (ours, same_prompts(settings, model, [None] * 8)),
            "one": (ours, same_prompts(settings, model, [adapters.names[0]] * 8)),
            "eight": (ours, same_prompts(settings, model, adapters.names)),
        })
    lines = []
    for name, what, most, distinct in [("one", "one adapter", 10, 1), ("eight", "8 distinct adapters", 25, 8)]:
        percent = round(100 * (1 - raw[name]["rate"] / raw["base"]["rate"]), 1)
        alone = 100 * (1 - model.bytes / (model.bytes + distinct * adapters.bytes))
        lines.append({"what": f"8 rows with {what} ({adapters.kind}) against 8 rows of the base", "target": f"≤ {most} % loss",
                      "ours": raw[name]["rate"], "peer": raw["base"]["rate"], "peer_is": "own base", "unit": "tok/s",
                      "figure": f"{percent} % loss (bytes alone: {alone:.1f} %)", "met": percent <= most,
                      "floor": round(floor(settings, model, 8, distinct * adapters.bytes), 1),
                      "raw": {**raw, "ours_told": ours.told}})
    return lines


def many(settings, model, count):
    """Small adapters of which there can be thousands on a disk."""
    return Adapters(model, settings.several(count), settings.many_rank, ["q_proj", "v_proj"])


class Zipf:
    """Draws the k-th name with a probability in proportion to 1/k."""

    def __init__(self, names, seed=1):
        self.names, self.random = names, random.Random(seed)
        self.weights = [1 / (k + 1) for k in range(len(names))]

    def next(self, count=1):
        return self.random.choices(self.names, self.weights, k=count)


async def closed_loop(worker, requests, clients):
    """`clients` that each send the next request when theirs has ended."""
    answers, left = [], list(reversed(requests))

    async def one(session):
        while left:
            answers.append(await engines.stream(session, worker.url, worker.body(left.pop())))

    async with engines.client() as session:
        await asyncio.gather(*(one(session) for _ in range(clients)))
    failed = [answer.error for answer in answers if answer.error]
    if failed:
        raise Failed(f"{len(failed)} of {len(answers)} requests failed, the first with: {failed[0]}")
    return answers


@row("zipf", "1,000 adapters, Zipf(1.0), against 8 hot ones", ["qwen", "smol-q4"])
def zipf(settings, model):
    clients, count = 8, settings.several(64)
    adapters, prompts = many(settings, model, 1000), Prompts(model, settings.prompt)
    draw = Zipf(adapters.names)
    # Room for a fifth of them, so that the tail is loaded again and again.
    mib = max(64, int(len(adapters.names) * adapters.parameters * 4 / 5) >> 20)
    rates, hits = {"zipf": [], "hot": []}, []
    with Stage() as stage:
        worker = stage.start(lambda: Worker(model, adapters.store, clients, adapter_mib=mib))

        def run(names):
            begin = time.perf_counter()
            answers = asyncio.run(closed_loop(worker, requests_of(prompts, names, settings.tokens), clients))
            return sum(answer.tokens for answer in answers) / (time.perf_counter() - begin)

        short = [{**request, "tokens": 1} for request in requests_of(Prompts(model, 8), draw.next(4 * count), 1)]
        asyncio.run(closed_loop(worker, short, clients))
        begin = time.monotonic()
        for repeat in range(settings.repeats):
            for kind in (["zipf", "hot"] if repeat % 2 == 0 else ["hot", "zipf"]):
                before = worker.metrics()
                names = draw.next(count) if kind == "zipf" else [adapters.names[i % 8] for i in range(count)]
                rates[kind].append(run(names))
                after = worker.metrics()
                if kind == "zipf":
                    hits.append([after.get(f"openledger_adapter_{what}_total", 0) - before.get(f"openledger_adapter_{what}_total", 0)
                                 for what in ["hits", "misses", "evictions"]])
                say(f"  {repeat + 1}/{settings.repeats} {kind}: {rates[kind][-1]:.1f} tok/s")
            if (time.monotonic() - begin) * (repeat + 2) / (repeat + 1) > settings.budget:
                break
    percent = round(100 * median(rates["zipf"]) / median(rates["hot"]), 1)
    return [{"what": f"{len(adapters.names)} adapters ({adapters.kind}, {adapters.bytes / 1e6:.2f} MB), Zipf(1.0), {clients} clients, "
                     f"memory for a fifth of them, over HTTP, against 8 hot ones",
             "target": "≥ 90 %", "ours": median(rates["zipf"]), "peer": median(rates["hot"]), "peer_is": "own, 8 hot",
             "unit": "tok/s", "figure": f"{percent} %", "met": percent >= 90,
             "floor": round(floor(settings, model, clients, clients * adapters.bytes), 1),
             "raw": {"rates": rates, "hits_misses_evictions": hits, "ours_told": worker.told}}]


class Background:
    """Streams that run until they are told to stop, and the token gaps they saw."""

    def __init__(self, worker, session, prompts, adapters, tokens):
        self.answers, self.stopping = [], False
        self.tasks = [asyncio.create_task(self.one(worker, session, prompts, adapter, tokens)) for adapter in adapters]

    async def one(self, worker, session, prompts, adapter, tokens):
        while not self.stopping:
            request = {**prompts.next(), "adapter": adapter, "tokens": tokens}
            self.answers.append(await engines.stream(session, worker.url, worker.body(request)))

    async def stop(self):
        self.stopping = True
        await asyncio.gather(*self.tasks)
        failed = [answer.error for answer in self.answers if answer.error]
        if failed:
            raise Failed(f"{len(failed)} streams failed, the first with: {failed[0]}")

    def gaps(self, windows):
        """Gaps that touch one of the windows (begin, end), but none of those in which a stream of our own began: its prompt
        is computed beside the others."""
        begins = [(answer.began, answer.began + answer.first) for answer in self.answers if answer.first is not None]
        found = []
        for answer in self.answers:
            times = [answer.began + at for at in answer.times]
            for a, b in zip(times, times[1:]):
                touches = lambda spans: any(a < end and b > begin for begin, end in spans)
                if touches(windows) and not touches(begins):
                    found.append(b - a)
        return found


async def ask_one(worker, session, request):
    answer = await engines.stream(session, worker.url, worker.body(request))
    if answer.error or answer.first is None:
        raise Failed(f"a request failed: {answer.error or 'no token came'}")
    return answer


@row("cold", "a cold adapter of 20 MB", ["qwen", "smol-q4"])
def cold(settings, model):
    each, others = settings.several(12), 7
    hot = 4
    adapters = Adapters(model, hot + 2 * each, dtype="BF16" if model.name == "qwen" else "F32")
    newcomer, long = Prompts(model, 16, seed=2), Prompts(model, 32, seed=3)
    firsts = {key: [] for key in ["alone warm", "alone cold", "beside warm", "beside cold"]}
    windows = {"warm": [], "cold": []}

    async def measure(worker):
        cold_names = iter(adapters.names[hot:])
        async with engines.client() as session:
            async def newcomers(where):
                for i in range(each):
                    for kind in ("warm", "cold"):
                        name = adapters.names[i % hot] if kind == "warm" else next(cold_names)
                        begin = time.perf_counter()
                        answer = await ask_one(worker, session, {**newcomer.next(), "adapter": name, "tokens": 1})
                        firsts[f"{where} {kind}"].append(answer.first)
                        if where == "beside":
                            windows[kind].append((begin, time.perf_counter()))
                        await asyncio.sleep(0.2)

            for name in adapters.names[:hot]:
                await ask_one(worker, session, {**newcomer.next(), "adapter": name, "tokens": 1})
            # The files are in the page cache: they were just read or written.
            for name in adapters.names[hot:]:
                (adapters.path(name) / "adapter_model.safetensors").read_bytes()
            await newcomers("alone")
            background = Background(worker, session, long, [adapters.names[i % hot] for i in range(others)], 256)
            await asyncio.sleep(3)
            await newcomers("beside")
            await background.stop()
            return background

    with Stage() as stage:
        worker = stage.start(lambda: Worker(model, adapters.store, others + 1, adapter_mib=4096))
        background = asyncio.run(measure(worker))
        loads = worker.metrics()
    gaps = {kind: background.gaps(windows[kind]) for kind in windows}
    raw = {"first_token_ms": {key: spread(values) for key, values in firsts.items()},
           "gap_ms": {kind: spread(values) for kind, values in gaps.items()}, "ours_told": worker.told,
           "mean_load_ms": loads.get("openledger_adapter_load_milliseconds_sum", 0) / max(1, loads.get("openledger_adapter_loads_total", 1))}
    size = f"{adapters.bytes / 1e6:.1f} MB on disk"
    lines = []
    for where, what in [("alone", "no other traffic"), ("beside", f"beside {others} streams")]:
        added = 1e3 * (median(firsts[f"{where} cold"]) - median(firsts[f"{where} warm"]))
        lines.append({"what": f"cold adapter ({adapters.kind}, {size}), page cache, {what}: added time to first token",
                      "target": "≤ 50 ms", "ours": round(1e3 * median(firsts[f"{where} cold"]), 1),
                      "peer": round(1e3 * median(firsts[f"{where} warm"]), 1), "peer_is": "own, warm", "unit": "ms",
                      "figure": f"{added:+.1f} ms", "met": added <= 50, "raw": raw})
    # A newcomer's prompt is computed beside the streams, warm or cold: what a load adds is the difference.
    for q, name in [(0.5, "median"), (0.95, "95th percentile")]:
        of, usual = quantile(gaps["cold"], q), quantile(gaps["warm"], q)
        lines.append({"what": f"token gap of the {others} other streams while such newcomers come: {name} against that with newcomers on warm "
                              "adapters", "target": "≤ 1.5×", "ours": round(1e3 * of, 1), "peer": round(1e3 * usual, 1),
                      "peer_is": "own, warm", "unit": "ms", "figure": f"{of / usual:.2f}×", "met": of / usual <= 1.5, "raw": {}})
    return lines


@row("cold-500", "500 cold adapters during traffic", ["qwen", "smol-q4"])
def cold_500(settings, model):
    count, others, hot = settings.several(500), 8, 8
    adapters = many(settings, model, hot + 2 * count)
    newcomer, long = Prompts(model, 4, seed=4), Prompts(model, 32, seed=5)
    loaded, asked = adapters.names[hot:hot + count], adapters.names[hot + count:]
    windows = {}

    async def measure(worker):
        async with engines.client() as session:
            async def each(kind, names, what):
                """Does it for all names, four at a time."""
                left = list(names)

                async def one():
                    while left:
                        await what(left.pop())

                begin = time.perf_counter()
                await asyncio.gather(*(one() for _ in range(4)))
                windows[kind] = [(begin, time.perf_counter())]

            async def newcome(name):
                await ask_one(worker, session, {**newcomer.next(), "adapter": name, "tokens": 1})

            async def load(name):
                await worker.load(session, name)

            for name in adapters.names[:hot]:
                await newcome(name)
            background = Background(worker, session, long, adapters.names[:others], 256)
            await asyncio.sleep(3)
            begin = time.perf_counter()
            await asyncio.sleep(15)
            windows["quiet"] = [(begin, time.perf_counter())]
            await each("loads", loaded, load)
            await asyncio.sleep(1)
            await each("warm newcomers", [adapters.names[i % hot] for i in range(count)], newcome)
            await each("cold newcomers", asked, newcome)
            await background.stop()
            return background

    with Stage() as stage:
        worker = stage.start(lambda: Worker(model, adapters.store, others + 4, adapter_mib=4096))
        background = asyncio.run(measure(worker))
        loads = worker.metrics().get("openledger_adapter_loads_total", 0)
    if loads < 2 * count:
        raise Failed(f"the worker loaded {loads:.0f} adapters, {2 * count} should have been cold")
    gaps = {kind: background.gaps(windows[kind]) for kind in windows}
    seconds = {kind: round(windows[kind][0][1] - windows[kind][0][0], 2) for kind in windows}
    raw = {"gap_ms": {kind: spread(values) for kind, values in gaps.items()}, "seconds": seconds, "ours_told": worker.told}
    quiet = median(gaps["quiet"])
    lines = []
    for q, name in [(0.5, "median"), (0.95, "95th percentile"), (0.99, "99th percentile")]:
        of = quantile(gaps["loads"], q)
        lines.append({"what": f"{count} cold adapters ({adapters.kind}) loaded during {others} streams, 4 at a time, in {seconds['loads']} s: "
                              f"{name} of the streams' token gaps against the median before", "target": "≤ 1.5×",
                      "ours": round(1e3 * of, 1), "peer": round(1e3 * quiet, 1), "peer_is": "own, before", "unit": "ms",
                      "figure": f"{of / quiet:.2f}×", "met": of / quiet <= 1.5, "raw": raw if q == 0.5 else {}})
    of, beside = quantile(gaps["cold newcomers"], 0.95), quantile(gaps["warm newcomers"], 0.95)
    lines.append({"what": f"{count} requests on as many other cold adapters, 4 at a time: 95th percentile of the streams' token gaps against that "
                          "with as many requests on warm ones", "target": "≤ 1.5×", "ours": round(1e3 * of, 1),
                  "peer": round(1e3 * beside, 1), "peer_is": "own, warm newcomers", "unit": "ms", "figure": f"{of / beside:.2f}×",
                  "met": of / beside <= 1.5, "raw": {}})
    return lines


@row("load-n", "load time of the n-th adapter", ["qwen", "smol-q4"])
def load_n(settings, model):
    count = settings.several(2000)
    adapters, prompts = many(settings, model, count), Prompts(model, 4, seed=6)
    firsts, marks = [], []
    window = max(1, count // 10)

    async def measure(worker):
        async with engines.client() as session:
            for name in adapters.names:
                if len(firsts) % window == 0:
                    marks.append(worker.metrics().get("openledger_adapter_load_milliseconds_sum", 0))
                firsts.append((await ask_one(worker, session, {**prompts.next(), "adapter": name, "tokens": 1})).first)
            marks.append(worker.metrics().get("openledger_adapter_load_milliseconds_sum", 0))

    with Stage() as stage:
        # Room for a tenth of them: most loads have to evict.
        mib = max(64, int(count * adapters.parameters * 4 / 10) >> 20)
        worker = stage.start(lambda: Worker(model, adapters.store, 8, adapter_mib=mib))
        asyncio.run(measure(worker))
    windows = [median(firsts[at:at + window]) * 1e3 for at in range(0, count - window + 1, window)]
    change = 100 * (max(windows) / min(windows) - 1)
    return [{"what": f"time to the first token with the n-th adapter ({adapters.kind}), n = 1 … {count}, none loaded before: "
                     "largest median of a tenth against the smallest", "target": "flat within 20 %",
             "ours": round(max(windows), 2), "peer": round(min(windows), 2), "peer_is": "own, fastest tenth", "unit": "ms",
             "figure": f"{change:.1f} %", "met": change <= 20,
             "raw": {"tenths_ms": [round(value, 3) for value in windows], "last_against_first": round(windows[-1] / windows[0], 3),
                     "load_ms_by_the_worker": [round((b - a) / window, 3) for a, b in zip(marks, marks[1:])], "ours_told": worker.told}}]


@row("streams", "200 concurrent streams", ["smol-q4"])
def streams(settings, model):
    count = settings.several(200)
    adapters, prompts = many(settings, model, 64), Prompts(model, 16, seed=7)
    held = {"now": 0, "most": 0}

    async def measure(worker):
        async with engines.client() as session:
            async def one(name):
                def opened():
                    held["now"] += 1
                    held["most"] = max(held["most"], held["now"])
                answer = await engines.stream(session, worker.url, worker.body({**prompts.next(), "adapter": name, "tokens": settings.tokens}), opened)
                held["now"] -= 1
                return answer
            return await asyncio.gather(*(one(adapters.names[i % len(adapters.names)]) for i in range(count)))

    with Stage() as stage:
        worker = stage.start(lambda: Worker(model, adapters.store, 32, kv_mib=2048))
        begin = time.perf_counter()
        answers = asyncio.run(measure(worker))
        seconds = time.perf_counter() - begin
        health = worker.metrics()
    failed = [answer.error for answer in answers if answer.error]
    short = [answer for answer in answers if answer.tokens != settings.tokens]
    met = held["most"] >= count and not failed and not short
    return [{"what": f"{count} streams at once on {len(adapters.names)} adapters ({adapters.kind}), batch of 32, over HTTP",
             "target": f"{count} held, none fails", "ours": held["most"], "peer": None, "unit": "streams", "met": met,
             "figure": f"{held['most']} held, {len(failed)} failed, {len(short)} incomplete",
             "raw": {"seconds": round(seconds, 2), "rate": round(sum(a.tokens for a in answers) / seconds, 1),
                     "first_ms": spread([a.first for a in answers if a.times]), "errors": failed[:5],
                     "running_afterwards": health.get("vllm:num_requests_running"), "ours_told": worker.told}}]


@row("wrk", "wrk against the HTTP port", ["smol-q4"])
def wrk(settings, model):
    if not shutil.which("wrk"):
        raise Failed("wrk is not installed: apt-get install wrk")
    seconds, connections = settings.several(30), 32
    adapters = many(settings, model, 64)
    with Stage() as stage:
        worker = stage.start(lambda: Worker(model, adapters.store, 32, kv_mib=2048))
        listing = HERE / "load.lua"
        command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "60s", "--latency", "-s",
                   str(listing), worker.url]
        environment = {**os.environ, "MODELS": ",".join(adapters.names), "MAX_TOKENS": "16"}
        say("  " + " ".join(command))
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"wrk ended with status {done.returncode}: {done.stderr}{done.stdout}")
    rate = float(re.search(r"Requests/sec:\s*([\d.]+)", done.stdout).group(1))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    sockets = re.search(r"Socket errors: .*", done.stdout)
    p99 = re.search(r"99%\s+(\S+)", done.stdout)
    return [{"what": f"wrk, {connections} connections for {seconds} s, answers of 16 tokens on {len(adapters.names)} adapters ({adapters.kind})",
             "target": "none fails", "ours": rate, "peer": None, "unit": "requests/s", "met": not bad and not sockets,
             "figure": f"{rate:.2f} requests/s, {bad.group(1) if bad else 0} refused, 99 % within {p99.group(1) if p99 else '?'}"
                       + (f", {sockets.group(0)}" if sockets else ""),
             "raw": {"output": done.stdout, "ours_told": worker.told}}]


@row("logits", "logits and greedy text against PEFT in f32", ["smol-q4"])
def logits(settings, _):
    count = min(5, settings.several(5))
    folder = models.CACHE / "trained"
    train = [peft_python(), "-B", str(HERE / "players" / "train.py"), str(models.SMOL), str(folder), str(count)]
    done = subprocess.run(train, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"training failed: {done.stderr[-1500:]}")
    texts, apart, output = 0, [], []
    wrong = 0
    for path in sorted(folder.iterdir())[:count]:
        command = [peft_python(), "-B", str(HERE.parent / "peft" / "compare.py"), str(models.SMOL), str(path), "--tokens",
                   str(settings.tokens)]
        done = subprocess.run(command, capture_output=True, text=True)
        output.append(f"{path.name}: {done.stdout}")
        found = re.findall(r"logits ([\d.e+-]+) apart", done.stdout)
        if not found:
            raise Failed(f"{' '.join(command)} failed: {done.stderr[-1500:]}")
        texts += len(re.findall(r"greedy text of \d+ tokens equal", done.stdout))
        wrong += done.returncode != 0
        apart += [float(value) for value in found]
        say(f"  {path.name}: {max(float(value) for value in found):.1e} apart at most")
    return [{"what": f"{count} trained adapters, 4 prompts each, {settings.tokens} tokens: largest distance of logits to PEFT's in f32",
             "target": "≤ 1e-4, text equal", "ours": max(apart), "peer": None, "unit": "of the largest logit", "is_speed": False, "met": wrong == 0,
             "figure": f"{max(apart):.1e}, {texts} of {len(apart)} texts equal", "raw": {"output": output}}]


def measured(name, settings, model):
    """Lines of a row, or one line that says why there are none."""
    try:
        return ROWS[name].measure(settings, model)
    except (Failed, OSError) as error:
        say(f"  {name} failed: {error}")
        return [{"what": ROWS[name].title, "target": "", "ours_error": str(error), "met": False, "raw": {}}]
    except KeyboardInterrupt:
        sys.exit("bench: stopped")
