"""The tables of bench/gpu/README.md from the raw results: report.py [--results DIR] [--print]."""

import argparse
import datetime
import json
import pathlib
import subprocess

HERE = pathlib.Path(__file__).parent
BEGIN, END = "<!-- table: written by report.py -->", "<!-- end of the table -->"


def stamp(args):
    """Adds to a stage's results when, where and from which commit they are; makes them if the stage left none."""
    path = pathlib.Path(args.stamp)
    result = json.loads(path.read_text()) if path.exists() else {"stage": args.stage, "rows": []}
    if args.status and not result.get("error"):
        late = "it ran past its time" if args.status == 124 else f"it ended with {args.status}"
        result["error"] = late
    result["date"] = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    result["commit"] = args.commit
    result["took"] = args.took
    try:
        query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        result["gpu"] = subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        result["gpu"] = None
    path.write_text(json.dumps(result, indent=1) + "\n")


def load(folder):
    """Stage -> its results, and row -> its fields."""
    stages, rows = {}, {}
    for path in sorted(pathlib.Path(folder).glob("*.json")):
        result = json.loads(path.read_text())
        stages[result["stage"]] = result
        for row in result["rows"]:
            rows[row["row"]] = row
    return stages, rows


def rows_of(rows):
    """The table, most wanted first: what, target, a function from the rows to what is measured."""

    def of(name, key, form):
        return lambda: form(rows[name][key])

    def tokens(name):
        def measured():
            row, device = rows[name], rows["device"]
            floor = row["bytes"] / device["inside"]
            return f"{row['tok_s']:,.0f} tok/s ({100 * floor / row['seconds']:.0f} % of the floor)"

        return measured

    def loss(name):
        def measured():
            row = rows[name]
            return f"{100 * row['loss']:.1f} % (floor alone {100 * row['floor_loss']:.1f} %)"

        return measured

    def ratio(top, bottom, form="{:.2f}"):
        return lambda: form.format(top() / bottom())

    def seconds(name, key="seconds"):
        return lambda: rows[name][key]

    big = max((row["rows"] for name, row in rows.items() if name.startswith("base-")), default=64)
    second = 32 if big == 64 else big
    registered = max((row["adapters"] for name, row in rows.items() if name.startswith("registered-")), default=2000)
    idle = lambda: f"{100 * max(rows[n]['idle_loss'] for n in ('one-r16', 'distinct-r16')):.1f} %"
    site = lambda: next(name for name in rows if name.startswith(f"site-{big}-r16"))
    torch = lambda what: ratio(lambda: rows[f"torch-{what}"]["seconds"], lambda: rows[site()]["seconds"])() + "×"
    micro = lambda name, key="seconds": lambda: f"{1e6 * rows[name() if callable(name) else name][key]:.1f} µs"
    milli = lambda name, key: lambda: f"{1e3 * rows[name][key]:.2f} ms"
    return [
        ("conformance: largest difference from the processor", "≤ 4e-2", of("device", "error", "{:.1e}".format)),
        (f"base decode, batch {big}", "≥ 10.5 k tok/s, ≥ 75 % of the floor", tokens(f"base-{big}")),
        (f"base decode, batch {second}", "≥ 6.0 k tok/s, ≥ 75 % of the floor", tokens(f"base-{second}")),
        (f"{big} rows with {big} distinct r16 adapters, all linear: loss", "≤ 33 %", loss("distinct-r16")),
        (f"{big} rows with one r16 adapter: loss", "≤ 8 %", loss("one-r16")),
        (f"{big} distinct r8 adapters on q, k, v, o: loss", "≤ 10 %", loss("distinct-r8-attention")),
        (f"{big} distinct adapters of ranks 4 to 64: loss", "–", loss("mixed-r4-to-r64")),
        ("adapters on the device, none in the batch: loss", "≤ 1 %", idle),
        (f"shrink and expand 4096 → 11008, r16, {big} distinct", "≤ 14 µs", micro(site)),
        ("base's product of that shape", "–", micro("product")),
        ("an r16 adapter from pinned memory to the device", "≤ 4 ms", milli("load-r16", "seconds_laid_out")),
        ("the same, not laid out yet", "–", milli("load-r16", "seconds_cold")),
        (
            "first token p50, twice as many adapters as fit, against all fit",
            "≤ 1.5×",
            ratio(
                seconds("first-token-twice", "first_token_p50"),
                seconds("first-token-fit", "first_token_p50"),
                "{:.2f}×",
            ),
        ),
        (
            f"{registered:,} registered adapters against 5: tokens per second",
            "≥ 95 %",
            lambda: f"{100 * rows[f'registered-{registered}']['tok_s'] / rows['registered-5']['tok_s']:.0f} %",
        ),
        ("LoRA part: torch gather and bmm against ours", "≥ 2×", lambda: torch("gather")),
        ("LoRA part: torch adapter by adapter against ours", "≥ 10×", lambda: torch("loop")),
        (
            "PEFT 32 rows / 32 adapters: ours against its tokens per second",
            "≥ 10×",
            ratio(
                lambda: rows["distinct-r16-half"]["tok_s"],
                lambda: next(row["tok_s"] for name, row in rows.items() if name.startswith("peft-")),
                "{:.1f}×",
            ),
        ),
        ("host to device, pinned", "–", of("device", "to_device", lambda v: f"{v / 1e9:.1f} GB/s")),
        ("copy within the device", "–", of("device", "inside", lambda v: f"{v / 1e9:,.0f} GB/s")),
    ]


def table(stages, rows):
    """Markdown."""
    lines = ["| | target | measured |", "|---|---|---|"]
    missing = []
    for what, target, measured in rows_of(rows):
        try:
            value = measured()
        except (KeyError, StopIteration):
            value = "unmeasured"
            missing.append(what)
        lines.append(f"| {what} | {target} | {value} |")
    lines.append("")
    if not stages:
        lines.append("Nothing is measured yet: no GPU could be had.")
    for name, result in stages.items():
        where = result.get("gpu") or ("the twin, in host memory" if result.get("twin") else "no GPU found")
        line = f"- `{name}`: {result['date']}, {where}, commit {result['commit'][:12]}, {result['took']} s"
        if result.get("error"):
            line += f"; **it did not end well: {result['error']}**"
        for lack in result.get("lacks", []):
            line += f"; lacks {lack}"
        lines.append(line)
    if missing and stages:
        lines += ["", "Unmeasured, most wanted first: " + "; ".join(missing) + "."]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", default=HERE / "results")
    parser.add_argument("--print", action="store_true", help="print the table instead of writing it into README.md")
    parser.add_argument("--stamp")
    parser.add_argument("--stage")
    parser.add_argument("--status", type=int, default=0)
    parser.add_argument("--took", type=int, default=0)
    parser.add_argument("--commit", default="unknown")
    args = parser.parse_args()
    if args.stamp:
        stamp(args)
        return
    text = table(*load(args.results))
    if args.print:
        print(text)
        return
    readme = HERE / "README.md"
    before, rest = readme.read_text().split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
    print(f"bench: wrote {readme}")


main()
