"""Measures rows of the table of serving on the CPU; see docs/serving.md.

    make bench-serve                                             all rows
    make bench-serve ARGS="--rows peft-8 llama-8 --repeats 5"    some
    make bench-serve ARGS="--rows soak --minutes 5"
    make bench-serve ARGS=--list

Each row's figures are kept as JSON, so that the table can be measured in parts; the table at the end has all that was
measured so far.
"""

import argparse
import datetime
import json
import os
import platform
import signal
import subprocess
import sys
import time

import engines
import models
import report
import rows
import soak  # noqa: F401, registers its row
from models import CACHE, say

RESULTS = CACHE / "results"


def machine():
    name = "unknown processor"
    with open("/proc/cpuinfo") as file:
        text = file.read()
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    name = fields.get("model name", name)
    flags = set(fields.get("flags", "").split())
    wide = [flag for flag in ["avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16"] if flag in flags]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {"processor": f"{name} ({', '.join(wide)})", "threads": engines.THREADS, "memory_gib": round(memory, 1),
            "system": f"{platform.system()} {platform.release().split('-')[0]}"}


def commit():
    done = subprocess.run(["git", "-C", str(rows.HERE), "describe", "--always", "--dirty"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def bandwidth():
    """Measured once per run, by our own player: every floor is from it."""
    model = models.model("smol-q4")
    store = model.stores / "empty"
    store.mkdir(parents=True, exist_ok=True)
    ours = engines.Ours(model, store)
    try:
        return ours.bandwidth()
    finally:
        ours.stop()


def busy(seconds=2.0):
    """Processors that other programs keep busy now, while we do nothing."""
    def ticks():
        with open("/proc/stat") as file:
            fields = [int(field) for field in file.readline().split()[1:9]]
        return sum(fields) - fields[3] - fields[4], sum(fields)

    (worked, all_of_it), _ = ticks(), time.sleep(seconds)
    worked_then, all_then = ticks()
    return round((worked_then - worked) / max(1, all_then - all_of_it) * os.cpu_count(), 2)


def stop(*_):
    """Ends what was started, too; a second signal must not break that off."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit("bench: stopped")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", metavar="ROW", help="which rows; all if not given")
    parser.add_argument("--models", nargs="+", metavar="MODEL", choices=["qwen", "smol", "smol-q4"], help="which of their models")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each contender, more where they are short; medians are shown (default 3)")
    parser.add_argument("--budget", type=float, default=900, help="seconds after which a row begins no new repeat (default 900)")
    parser.add_argument("--tokens", type=int, default=128, help="tokens of an answer (default 128)")
    parser.add_argument("--prompt", type=int, default=128, help="tokens of a prompt (default 128)")
    parser.add_argument("--minutes", type=float, default=30, help="length of the soak (default 30)")
    parser.add_argument("--rate", type=float, default=0, help="requests per second of the soak; 60 %% of capacity if not given")
    parser.add_argument("--count", type=int, default=0, help="at most so many adapters or requests where rows have hundreds, to try them out")
    parser.add_argument("--many-rank", type=int, default=8, help="rank of the 2,000 small adapters, on q and v (default 8)")
    parser.add_argument("--clean", action="store_true", help="remove models and adapters afterwards (they are made again when needed)")
    parser.add_argument("--list", action="store_true", help="list the rows")
    given = parser.parse_args()
    if given.list:
        for row in rows.ROWS.values():
            print(f"{row.name:14} {row.title} ({', '.join(row.models)})")
        return
    unknown = set(given.rows or []) - set(rows.ROWS)
    if unknown:
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(rows.ROWS)}")
    for name in ["repeats", "tokens", "prompt"]:
        if getattr(given, name) < 1:
            parser.error(f"--{name} must be at least 1")
    settings = rows.Settings(repeats=given.repeats, budget=given.budget, prompt=given.prompt, tokens=given.tokens,
                             minutes=given.minutes, rate=given.rate, many_rank=given.many_rank, count=given.count)
    signal.signal(signal.SIGTERM, stop)
    RESULTS.mkdir(parents=True, exist_ok=True)
    here, built = machine(), commit()
    settings.bandwidth = bandwidth()
    say(f"{here['processor']}, {here['threads']} threads, {settings.bandwidth / 1e9:.1f} GB/s")
    failed = False
    for row in rows.ROWS.values():
        if given.rows and row.name not in given.rows:
            continue
        for name in row.models:
            if given.models and name not in given.models:
                continue
            others, begin = busy(), time.monotonic()
            say(f"{row.name} on {name}: {row.title}")
            lines = rows.measured(row.name, settings, models.model(name))
            result = {
                "row": row.name, "title": row.title, "model": name, "lines": lines, "commit": built, "machine": here,
                "bandwidth": settings.bandwidth, "at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                "seconds": round(time.monotonic() - begin, 1), "busy_before": others, "busy_after": busy(), "settings": vars(given),
            }
            (RESULTS / f"{row.name}.{name}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False))
            failed |= any("ours_error" in line for line in lines)
    print(report.table(RESULTS))
    if given.clean:
        for part in ["models", "stores"]:
            subprocess.run(["rm", "-rf", str(CACHE / part)], check=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
