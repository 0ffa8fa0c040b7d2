"""A long open-loop run with many tenants: does memory grow, does a request fail, does a tenant starve?

Requests arrive at random times (Poisson) whether or not earlier ones have ended, as from independent users. Adapters are
drawn by Zipf(1.0); each belongs to one tenant, so the tenants' loads differ as much as the adapters' do. The rate is
`--rate`, or else 60 % of what a short closed loop before reaches.
"""

import asyncio
import random
import time

import engines
import plot
from engines import Worker
from models import CACHE, Prompts, say
from rows import Stage, Zipf, many, median, quantile, requests_of, row, spread

TENANTS = 16
PROMPT, TOKENS, CLIENTS = 32, 32, 32
SHARE = 0.6
# A tenant whose median wait for a first token is beyond this many times that of all is called starved.
STARVED = 3.0
# Memory of the last third against that of the second one.
GROWTH = 0.05
SAMPLE = 5.0


async def capacity(worker, prompts, draw):
    """Requests per second of a closed loop."""
    requests = requests_of(prompts, draw.next(4 * CLIENTS), TOKENS)
    begin = time.perf_counter()
    left = list(requests)

    async def one(session):
        while left:
            await engines.stream(session, worker.url, worker.body(left.pop()))

    async with engines.client() as session:
        await asyncio.gather(*(one(session) for _ in range(CLIENTS)))
    return len(requests) / (time.perf_counter() - begin)


async def arrivals(worker, prompts, draw, owner, rate, seconds):
    """Sends requests for that long; returns (start, tenant, answer) of each, and samples (time, memory, metrics)."""
    rng, begin = random.Random(5), time.perf_counter()
    done, running, samples = [], set(), []

    async def one(session, name):
        at = time.perf_counter() - begin
        request = {**prompts.next(), "adapter": name, "tokens": TOKENS, "tenant": owner[name]}
        done.append((at, owner[name], await engines.stream(session, worker.url, worker.body(request))))

    async def sample():
        while True:
            metrics = await asyncio.to_thread(worker.metrics)
            samples.append((time.perf_counter() - begin, worker.memory(), len(running),
                            metrics.get("openledger_adapter_bytes", 0), metrics.get("openledger_adapter_evictions_total", 0)))
            if len(samples) % 12 == 0:
                say(f"  {samples[-1][0] / 60:.0f} min: {len(done)} answered, {len(running)} under way, {samples[-1][1] / 1e6:.0f} MB")
            await asyncio.sleep(SAMPLE)

    async with engines.client() as session:
        sampling = asyncio.create_task(sample())
        at = 0.0
        while at < seconds:
            await asyncio.sleep(max(0.0, begin + at - time.perf_counter()))
            task = asyncio.create_task(one(session, draw.next()[0]))
            running.add(task)
            task.add_done_callback(running.discard)
            at += rng.expovariate(rate)
        await asyncio.gather(*running)
        sampling.cancel()
    return done, samples


@row("soak", "soak: 1,000 adapters, Zipf(1.0), open loop", ["smol-q4"])
def soak(settings, model):
    adapters, prompts = many(settings, model, 1000), Prompts(model, PROMPT, seed=8)
    draw = Zipf(adapters.names, seed=8)
    # Spread by rank, so that each tenant has adapters of every popularity, but only one has the first.
    owner = {name: f"tenant-{number % TENANTS:02}" for number, name in enumerate(adapters.names)}
    mib = max(64, int(len(adapters.names) * adapters.parameters * 4 / 5) >> 20)
    with Stage() as stage:
        worker = stage.start(lambda: Worker(model, adapters.store, CLIENTS, adapter_mib=mib, queue=4096, streams=4096))
        asyncio.run(capacity(worker, prompts, draw))
        most = asyncio.run(capacity(worker, prompts, draw))
        rate = settings.rate or SHARE * most
        say(f"  {most:.2f} requests/s in a closed loop; {rate:.2f} arrive for {settings.minutes:g} min")
        done, samples = asyncio.run(arrivals(worker, prompts, draw, owner, rate, 60 * settings.minutes))
        metrics = worker.metrics()
        told = worker.told

    failed = [(tenant, answer.error) for _, tenant, answer in done if answer.error]
    short = [tenant for _, tenant, answer in done if not answer.error and answer.tokens != TOKENS]
    good = [(at, tenant, answer) for at, tenant, answer in done if not answer.error and answer.times]
    firsts, whole = [a.first for _, _, a in good], [a.seconds for _, _, a in good]
    gaps = [gap for _, _, a in good for gap in a.gaps]
    tenants = {}
    for tenant in sorted(set(owner.values())):
        own = [a.first for _, t, a in good if t == tenant]
        sent = sum(t == tenant for _, t, _ in done)
        tenants[tenant] = {"sent": sent, "answered": len(own), "first_ms": spread(own)}
    usual = median(firsts)
    starved = [tenant for tenant, of in tenants.items()
               if of["sent"] and (not of["answered"] or of["first_ms"]["median"] / 1e3 > STARVED * usual)]
    # What the first third holds is filling: the adapter cache, the allocator's arenas.
    third = len(samples) // 3
    middle, last = [s[1] for s in samples[third:2 * third]], [s[1] for s in samples[2 * third:]]
    growth = median(last) / median(middle) - 1 if middle and last else None

    folder = CACHE / "results"
    folder.mkdir(parents=True, exist_ok=True)
    marks = [(quantile(firsts, q), name) for q, name in [(0.5, "p50"), (0.99, "p99")]] if firsts else []
    path = folder / f"soak.{model.name}.svg"
    plot.write(path, [
        plot.histogram("Latency of a request", "seconds, logarithmic", {"to the first token": firsts, "to the last token": whole}, marks),
        plot.histogram("Gap between tokens", "seconds, logarithmic", {"gaps": gaps}),
        plot.lines("Memory of the worker", "minutes", "MB", {"resident": [(s[0] / 60, s[1] / 1e6) for s in samples],
                                                             "adapters": [(s[0] / 60, s[3] / 1e6) for s in samples]}),
        plot.lines("Requests under way", "minutes", "requests", {"under way": [(s[0] / 60, s[2]) for s in samples]}),
    ])
    say(f"  plots: {path}")
    raw = {
        "minutes": settings.minutes, "rate": rate, "closed_loop_rate": most, "tenants": tenants, "ours_told": told,
        "first_ms": spread(firsts), "whole_ms": spread(whole), "gap_ms": spread(gaps), "errors": failed[:10],
        "samples": [[round(s[0], 1), s[1], s[2], s[3], s[4]] for s in samples],
        "sampled": ["seconds", "resident bytes", "requests under way", "bytes of adapters", "evictions"],
        "loads": metrics.get("openledger_adapter_loads_total"), "evictions": metrics.get("openledger_adapter_evictions_total"),
    }
    what = (f"soak of {settings.minutes:g} min, {len(adapters.names)} adapters ({adapters.kind}, {adapters.bytes / 1e6:.2f} MB), Zipf(1.0), "
            f"{rate:.2f} requests/s of {PROMPT} in / {TOKENS} out, {TENANTS} tenants")
    worst = max((of["first_ms"].get("median", 0) / 1e3 / usual for of in tenants.values()), default=0) if usual else 0
    return [
        {"what": f"{what}: failed requests", "target": "0", "ours": len(failed), "peer": None, "unit": f"of {len(done)}",
         "figure": f"{len(failed)} failed, {len(short)} incomplete", "met": not failed and not short and bool(done), "is_speed": False, "raw": raw},
        {"what": "the same: growth of the worker's memory from its second third to its last", "target": "≤ 5 %",
         "ours": round(median(last) / 1e6, 1) if last else None, "peer": round(median(middle) / 1e6, 1) if middle else None,
         "peer_is": "second third", "unit": "MB", "is_speed": False, "met": growth is not None and growth <= GROWTH,
         "figure": "too short" if growth is None else f"{100 * growth:+.1f} %", "raw": {}},
        {"what": "the same: starved tenants (median wait for the first token over 3 times that of all)", "target": "0",
         "ours": len(starved), "peer": None, "unit": f"of {len(tenants)}", "is_speed": False, "met": not starved,
         "figure": f"{len(starved)} starved; the slowest tenant waits {worst:.2f}× the median", "raw": {}},
    ]
