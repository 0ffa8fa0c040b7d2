"""Prints the table of what `make bench-serve` has measured, as Markdown.

    report.py [RESULTS FOLDER] [--into FILE]

With --into, the table replaces what stands between the two comments `bench-serve` in that file.
"""

import argparse
import json
import pathlib
import re
import sys

ORDER = ["peft-8", "peft-32", "mistralrs-8", "mistralrs-32", "llama-8", "llama-base", "openvino-8", "onnx-8", "loss", "zipf",
         "cold", "cold-500", "load-n", "logits", "streams", "wrk", "soak"]
MODELS = {"qwen": "Qwen2.5-0.5B shape, bf16", "smol": "SmolLM2-135M, bf16", "smol-q4": "SmolLM2-135M, Q4_1"}
BEGIN, END = "<!-- bench-serve: begin -->", "<!-- bench-serve: end -->"
# Processors that other programs may keep busy.
BUSY = 0.2


def short(text, most=160):
    text = " ".join(str(text).split()).replace("|", "/")
    return text if len(text) <= most else "…" + text[-most:]


def cell(value):
    return "" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)


def table(folder):
    results = [json.loads(path.read_text()) for path in pathlib.Path(folder).glob("*.json")]
    if not results:
        return f"nothing has been measured yet: {folder} is empty"
    results.sort(key=lambda r: (list(MODELS).index(r["model"]), ORDER.index(r["row"]) if r["row"] in ORDER else 99))
    out, errors, small = [], [], False
    for model in MODELS:
        of_model = [result for result in results if result["model"] == model]
        if not of_model:
            continue
        out += [f"**{MODELS[model]}**", "", "| row | measured | target | ours | peer | result | floor | |", "|---|---|---|---|---|---|---|---|"]
        for result in of_model:
            busy = "†" if max(result["busy_before"], result["busy_after"]) > BUSY else ""
            reduced = "‡" if result["settings"].get("count") else ""
            small |= bool(busy or reduced)
            for line in result["lines"]:
                ours = cell(line.get("ours"))
                if line.get("exact"):
                    ours += f" (exact {cell(line['exact'])})"
                peer = cell(line.get("peer"))
                if peer and line.get("peer_is"):
                    peer += f" ({line['peer_is']})"
                # A speed that was not measured alone, or whole, meets and misses nothing.
                void = reduced or (busy and line.get("is_speed", True))
                verdict = "" if void else {True: "met", False: "**missed**", None: ""}[line.get("met")]
                if "ours_error" in line or "peer_error" in line:
                    errors.append(f"- `{result['row']}` on {model}: {short(line.get('ours_error') or line.get('peer_error'), 600)}")
                    peer = peer or ("failed, see below" if "peer_error" in line else "")
                    verdict = "**failed**" if "ours_error" in line else verdict
                same = line.get("raw", {}).get("same_texts")
                if same:
                    line["figure"] = f"{line.get('figure', '')}; {same['equal']} of {same['of']} texts begin alike"
                out.append(f"| `{result['row']}`{busy}{reduced} | {line['what']}, {line.get('unit', '')} | {line['target']} | "
                           f"{ours} | {peer} | {line.get('figure', '')} | {cell(line.get('floor'))} | {verdict} |")
        out.append("")
    if errors:
        out += ["What did not run, and why:", "", *errors, ""]
    newest = max(results, key=lambda r: r["at"])
    machine = newest["machine"]
    out.append(f"Machine: {machine['processor']}, {machine['threads']} threads, {machine['memory_gib']} GiB, {machine['system']}; memory reads "
               f"at {newest['bandwidth'] / 1e9:.1f} GB/s. Measured {min(r['at'] for r in results)[:16]} to {newest['at'][:16]} UTC, "
               f"commits {', '.join(sorted({r['commit'] for r in results}))}.")
    told = {}
    for result in results:
        for line in result["lines"]:
            for key, value in line.get("raw", {}).items():
                if key.endswith("_told"):
                    told.setdefault(short(value, 260), []).append(f"{result['row']} on {result['model']}")
    out += ["", "Engines as they were run:", "", *(f"- {value} ({', '.join(sorted(set(where)))})" for value, where in sorted(told.items()))]
    if small:
        out += ["", "† other programs kept the machine busy, ‡ run with fewer adapters or requests (`--count`): such rows show that the "
                "benchmark works, not how fast anything is."]
    return "\n".join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, nargs="?")
    parser.add_argument("--into", type=pathlib.Path, metavar="FILE")
    given = parser.parse_args()
    if given.folder is None:
        from models import CACHE
        given.folder = CACHE / "results"
    text = table(given.folder)
    if not given.into:
        return print(text)
    document = given.into.read_text()
    if BEGIN not in document or END not in document:
        sys.exit(f"{given.into} has no lines {BEGIN} and {END}")
    given.into.write_text(re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: f"{BEGIN}\n{text}\n{END}", document, flags=re.S))


if __name__ == "__main__":
    main()
