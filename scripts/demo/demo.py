#!/usr/bin/env python3
"""The whole way of one paid answer, on real texts, a real model and a real chain.

Run it by `make demo`; scripts/demo.sh does the set-up. Everything it does, a user could type: it calls
`openledger` and an unmodified OpenAI client, and starts one node, one worker and one gateway.
"""

import argparse
import asyncio
import concurrent.futures
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from decimal import Decimal

import openai

HERE = pathlib.Path(__file__).resolve().parent
OPEN = 10**18

# Who takes part: development accounts that hold OPEN at genesis.
LAB, PROVIDER, PAYER, BUILDER = "//Alice", "//Bob", "//Charlie", "//Dave"
# Checks reports from outside, and would be paid for proving one wrong.
WATCHER = "//Dave//stash"
# Each domain has a curator, who lends its two contributors what they need for deposits and fees.
DOMAINS = {"cooking": ["amara", "bruno"], "medicine": ["chiara", "dmitri"], "aviation": ["esther", "farid"]}
CURATORS = {"cooking": "//Eve", "medicine": "//Ferdie", "aviation": "//Eve//stash"}
# How `openledger train` is called: enough to see held-out loss fall and answers quote records.
TRAINING = "--layers 10 --rank 16 --alpha 32 --learning-rate 1e-3 --steps 120"
# The chain's own accounts are the eight letters of their name behind `modl`.
CHAIN_ACCOUNTS = {b"ol/trsry": "treasury (fees, part of the cut)", b"ol/stake": "stakers' pot", b"ol/attri": "pots and credits not yet claimed",
                  b"ol/escrw": "escrow of the payment channels",
                  b"ol/commn": "community reserve"}


def say(text=""):
    print(text, flush=True)


def step(text):
    say(f"\n\033[1m[{time.strftime('%M:%S', time.gmtime(time.monotonic() - STARTED))}] {text}\033[0m")


def amount(units):
    """Units as OPEN, exact."""
    return f"{Decimal(units) / OPEN:f}"


def chain_account(address):
    """The chain's own account behind an SS58 address, if it is one."""
    number = 0
    for letter in address:
        number = number * 58 + "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".index(letter)
    account = number.to_bytes(35, "big")[1:33]
    return CHAIN_ACCOUNTS.get(account[4:12]) if account[:4] == b"modl" else None


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Demo:
    def __init__(self, arguments):
        self.arguments = arguments
        self.root = arguments.folder.resolve()
        self.processes = []
        self.names = {}
        if self.root.exists():
            if not (self.root / ".openledger-demo").exists():
                sys.exit(f"demo: {self.root} exists and is not a demo's folder; choose another with --folder")
            shutil.rmtree(self.root)
        self.root.mkdir(parents=True)
        (self.root / ".openledger-demo").touch()

    # Processes

    def start(self, name, url, *command):
        """Starts a program with its output in a log, and waits until `url` answers."""
        log = self.root / f"{name}.log"
        process = subprocess.Popen(
            [self.arguments.programs / command[0], *map(str, command[1:])], stdin=subprocess.DEVNULL,
            stdout=log.open("w"), stderr=subprocess.STDOUT, start_new_session=True)
        self.processes.append((name, process))
        deadline = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(url, timeout=2) as answer:
                    if answer.status == 200:
                        return say(f"  {name} answers (log: {log})")
            except OSError:
                pass
            if process.poll() is not None or time.monotonic() > deadline:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
                sys.exit(f"demo: {name} did not start:\n{tail}")
            time.sleep(0.3)

    def stop(self):
        for _, process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for _, process in reversed(self.processes):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    # The command line

    def command(self, key, *words, json_out=True):
        options = ["--chain", self.chain, "--home", self.root / "home" / key.strip("/").replace("/", "-"), "--key", key]
        return [self.arguments.programs / "openledger", *map(str, [*options, *(["--json"] if json_out else []), *words])]

    def cli(self, key, *words, unless=None):
        """Runs `openledger WORDS` as the holder of `key` and returns its JSON; None if it fails with the code `unless`."""
        done = subprocess.run(self.command(key, *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            if unless and f'"code":"{unless}"' in done.stderr + done.stdout:
                return None
            sys.exit(f"demo: openledger {' '.join(map(str, words))} failed:\n{done.stderr}{done.stdout}")
        return json.loads(done.stdout)

    def show(self, key, *words):
        """Runs `openledger WORDS` and shows what it prints to people."""
        if subprocess.run(self.command(key, *words, json_out=False)).returncode != 0:
            sys.exit(f"demo: openledger {' '.join(map(str, words))} failed")

    def account(self, key, name):
        address = self.cli(key, "keys", "show")["account"]
        self.names[address] = name
        return address

    def until(self, what, check, seconds=600):
        deadline = time.monotonic() + seconds
        while not (found := check()):
            if time.monotonic() > deadline:
                sys.exit(f"demo: {what} did not happen within {seconds} s; the logs are in {self.root}")
            time.sleep(2)
        return found

    # The story

    def run(self):
        step("Texts: three domains, six contributors")
        texts = self.root / "texts"
        subprocess.run([sys.executable, HERE / "corpora.py", texts, "--records", str(self.arguments.records)], check=True)

        step("A chain of one validator")
        rpc = free_port()
        self.chain = f"ws://127.0.0.1:{rpc}"
        self.start("node", f"http://127.0.0.1:{rpc}/health", "openledger-node", "--dev", "--base-path", self.root / "chain",
                   "--rpc-port", rpc, "--port", free_port(), "--no-prometheus", "--no-telemetry", "--state-pruning", "archive")
        for key, name in [(LAB, "Alice, base model owner, validator"), (PROVIDER, "Bob, provider"), (PAYER, "Charlie, payer"),
                          (BUILDER, "Dave, adapter owner")]:
            self.account(key, name)
        for domain, key in CURATORS.items():
            self.account(key, f"{key.strip('/').replace('//', ' ')}, curator ({domain})")
        for name in ["Alice", "Bob", "Charlie", "Dave", "Ferdie"]:
            self.account(f"//{name}//stash", f"{name} stash")
        self.datanets(texts)
        self.adapters()
        self.serve()
        before = self.cli(PAYER, "account", "list")
        answers = self.chat()
        self.settle()
        self.explain(answers)
        self.balance(before)
        self.check_state()

    def datanets(self, texts):
        step("Datanets: contributors offer records, the curator accepts them, a snapshot freezes them")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            self.snapshots = dict(zip(DOMAINS, pool.map(lambda domain: self.datanet(domain, texts / domain), DOMAINS)))

    def datanet(self, domain, texts):
        curator, contributions = CURATORS[domain], []
        licence = (texts / "LICENCE.md").read_text().split()[0]
        datanet = self.cli(curator, "datanet", "create", domain, "--licence", licence)["datanet"]
        for name in DOMAINS[domain]:
            self.cli(curator, "account", "send", self.account(f"//{name}", f"{name}, contributor ({domain})"), "100")
            contributions.append(self.cli(f"//{name}", "datanet", "contribute", datanet, texts / name)["contribution"])
        self.cli(curator, "datanet", "accept", datanet, *contributions)
        version = self.cli(curator, "datanet", "snapshot", datanet)["version"]
        say(f"  {domain}: Datanet {datanet}, licence {licence}, snapshot {version} of {' and '.join(DOMAINS[domain])}")
        return f"{datanet}@{version}"

    def adapters(self):
        step("The base model, registered by its hash")
        self.base = "smollm2-135m"
        self.cli(LAB, "model", "register", self.base, "--file", self.arguments.model, "--licence", "Apache-2.0",
                 "--rate-in", "0.2", "--rate-out", "0.4")
        step("Fine-tuning three adapters")
        self.folders = {}
        for domain, snapshot in self.snapshots.items():
            say(f"  {domain}: LoRA on snapshot {snapshot}")
            self.folders[domain] = self.root / "adapters" / domain
            self.show(BUILDER, "train", "--datanet", snapshot, "--base", self.arguments.model, "--out", self.folders[domain],
                      *self.arguments.train.split())

    def serve(self):
        step("A provider bonds, and its worker starts")
        grpc, http, gateway = free_port(), free_port(), free_port()
        hot = self.account("//Bob//hot", "Bob's hot key")
        self.cli(PROVIDER, "account", "send", hot, "100")
        self.cli(PROVIDER, "provider", "register", "--hot-key", hot, "--endpoint", f"http://127.0.0.1:{grpc}", "--bond", "1000",
                 "--base", self.base, "--rate-in", "1", "--rate-out", "2", "--wait", "finalized")
        self.start("worker", f"http://127.0.0.1:{http}/health", "openledger-worker", "serve", "--model", self.arguments.model,
                   "--store", self.root / "worker" / "store", "--data", self.root / "worker" / "data", "--chain", self.chain,
                   "--key", "//Bob//hot", "--grpc", f"127.0.0.1:{grpc}", "--http", f"127.0.0.1:{http}", "--redeem-every", "12")
        step("The adapters, registered with their lineage and sent to the provider")
        for domain, folder in self.folders.items():
            self.cli(BUILDER, "adapter", "register", domain, "--dir", folder, "--base", self.base, "--algorithm", "span-sa",
                     "--rate-in", "0.3", "--rate-out", "0.6", "--push")
            say(f"  {domain}")
        step("The payer's gateway: the OpenAI API on localhost")
        self.gateway = f"http://127.0.0.1:{gateway}"
        home = self.command(PAYER, "gateway", "--listen", f"127.0.0.1:{gateway}", "--escrow", "100", json_out=False)
        self.start("gateway", f"{self.gateway}/health", "openledger", *home[1:])

    def chat(self):
        step("24 concurrent chats over three adapters and the bare base, by an unmodified OpenAI client")
        client = openai.AsyncOpenAI(base_url=f"{self.gateway}/v1", api_key="not needed", timeout=600, max_retries=0)
        requests = []
        for domain, contributors in DOMAINS.items():
            questions = []
            for name in contributors:
                for path in sorted((self.root / "texts" / domain / name).glob("*.txt")):
                    questions.append(path.read_text().splitlines()[0])
            requests += [(domain, question) for question in questions[:: max(1, len(questions) // 6)][:6]]
            requests.append((self.base, questions[0]))
        requests += [(self.base, "What is the capital of France? Answer in one sentence.")] * (24 - len(requests))

        async def ask(number, model, question):
            stream = number % 2 == 0
            began = time.monotonic()
            answer = await client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": question}], max_tokens=96, temperature=0, stream=stream,
                **({"stream_options": {"include_usage": True}} if stream else {}))
            if stream:
                text, usage, name = "", None, None
                async for chunk in answer:
                    name = chunk.id
                    usage = chunk.usage or usage
                    for choice in chunk.choices:
                        text += choice.delta.content or ""
            else:
                text, usage, name = answer.choices[0].message.content, answer.usage, answer.id
            return {"model": model, "question": question, "text": text, "id": name, "in": usage.prompt_tokens,
                    "out": usage.completion_tokens, "seconds": time.monotonic() - began}

        async def ask_all():
            return await asyncio.gather(*(ask(number, *request) for number, request in enumerate(requests)))

        began = time.monotonic()
        answers = asyncio.run(ask_all())
        seconds = time.monotonic() - began
        written = sum(answer["out"] for answer in answers)
        say(f"  {len(answers)} answers, {written} tokens written in {seconds:.1f} s: {written / seconds:.0f} tokens/s together")
        for answer in answers[:: 6]:
            say(f"  {answer['model']:14} {answer['question'][:60]}\n  {'':14} → {' '.join(answer['text'].split())[:100]}")
        return answers

    def settle(self):
        step("Vouchers are redeemed, the epoch ends, its report is posted and waits out the window, credits are settled")
        totals = lambda: self.cli(PAYER, "network")["totals"]
        watched = self.watch()
        redeemed = self.until("redemption", lambda: int(totals()["redeemed"]) and totals())
        say(f"  redeemed so far: {amount(redeemed['redeemed'])} OPEN, of which licences {amount(redeemed['licence'])}")
        credits = self.until("settlement", lambda: int((now := totals())["credited"]) and int(now["credited"]) == int(now["licence"]) and now, 900)
        say(f"  credited: {amount(credits['credited'])} OPEN")
        self.watched(watched)
        step("Everybody claims")
        for owed in self.cli(LAB, "rewards", "show", "--all"):
            # The stakers' pot takes its credit itself at the end of each session, which may be just now.
            paid = self.cli(LAB, "rewards", "claim", owed["account"], unless="Attribution.NothingToClaim")
            if paid is None:
                say(f"  {self.name(owed['account']):36} {'has been paid by the chain':>29}")
                continue
            say(f"  {self.name(owed['account']):36} {amount(paid['amount']):>24} OPEN")

    def watch(self):
        """Starts somebody who checks every report from outside; returns where it says what it found."""
        log = self.root / "watch.jsonl"
        process = subprocess.Popen(self.command(WATCHER, "watch", "--every", "1"), stdin=subprocess.DEVNULL, stdout=log.open("w"),
                                   stderr=(self.root / "watch.log").open("w"), start_new_session=True)
        self.processes.append(("watcher", process))
        return log

    def watched(self, log):
        verdicts = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
        good = [verdict for verdict in verdicts if verdict["verdict"] == "good" and not verdict["detail"]["withheld"]]
        if not good or any(verdict["verdict"] == "wrong" for verdict in verdicts):
            sys.exit(f"demo: the watcher did not find every report right; see {log}")
        receipts = sum(verdict["receipts"] for verdict in good)
        say(f"  a watcher fetched the reports while they could be disputed, {receipts} receipts in all, and found nothing wrong")

    def name(self, address):
        return self.names.get(address) or chain_account(address) or address

    def explain(self, answers):
        # The answer with the longest quotation is the most telling one.
        def longest_quotation(answer):
            return max((len(span["text"]) for span in self.cli(PAYER, "receipt", "show", answer["id"])["spans"]), default=0)

        best = max((answer for answer in answers if answer["model"] in DOMAINS), key=longest_quotation)
        step("One answer, its receipt, and who was paid for it and why")
        say(f"  Asked {best['model']}: {best['question']}\n  Answer: {best['text'].strip()}\n")
        self.show(PAYER, "receipt", "show", best["id"])

    def balance(self, before):
        step("Every account, before the first chat and now")
        after = self.cli(PAYER, "account", "list")
        held = lambda listing: {row["account"]: int(row["free"]) + int(row["reserved"]) for row in listing["accounts"]}
        was, now = held(before), held(after)
        say(f"  {'account':44} {'before, OPEN':>34} {'after, OPEN':>34} {'change, OPEN':>28}")
        for address in sorted({*was, *now}, key=self.name):
            change = now.get(address, 0) - was.get(address, 0)
            say(f"  {self.name(address):44} {amount(was.get(address, 0)):>34} {amount(now.get(address, 0)):>34} {amount(change):>28}")
        total = sum(now.values()) - sum(was.values())
        burnt = int(self.cli(PAYER, "network")["totals"]["burnt"])
        say(f"  {'sum of all changes':44} {'':34} {'':34} {amount(total):>28}")
        say(f"  {'burnt by the protocol':44} {'':34} {'':34} {amount(burnt):>28}")
        for listing, sums in [(before, was), (after, now)]:
            if sum(sums.values()) != int(listing["issuance"]):
                sys.exit("demo: the accounts do not add up to the supply")
        if total != -burnt:
            sys.exit("demo: the changes do not add up to what was burnt")
        say("  The table balances to the last unit.")

    def check_state(self):
        step("Every invariant of the chain, checked on its whole state")
        done = subprocess.run([self.arguments.programs / "check-state", self.chain], stdout=subprocess.PIPE, text=True)
        say("\n".join("  " + line for line in done.stdout.split("\n\n", 1)[-1].splitlines()))
        if done.returncode != 0:
            sys.exit("demo: an invariant of the chain is broken, or its state could not be read")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="folder of the three programs")
    parser.add_argument("--model", type=pathlib.Path, required=True, help="the base model, a GGUF file")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(".demo"), help="where everything is kept")
    parser.add_argument("--records", type=int, default=16, help="records for each contributor")
    parser.add_argument("--train", default=TRAINING, help="options for `openledger train`")
    parser.add_argument("--keep", action="store_true", help="leave the network running at the end")
    demo = Demo(parser.parse_args())
    try:
        demo.run()
        if demo.arguments.keep:
            step("Left running; stop it with Ctrl-C")
            say(f"  node     {demo.chain}\n  gateway  {demo.gateway}/v1  (any OpenAI client, any API key)\n  homes    {demo.root / 'home'}")
            signal.pause()
    except KeyboardInterrupt:
        say()
    finally:
        demo.stop()


STARTED = time.monotonic()
if __name__ == "__main__":
    main()
