"""Starts, asks, pauses and stops the engines that are compared: ours in-process, our worker, and the peers.

All of them give the same two things: `told`, what they say of themselves, and `run(requests)`, which sends all
requests at once and returns a Run. Whoever has no turn is stopped by a signal, so that it costs nothing.
"""

import asyncio
import ctypes
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass, field

import aiohttp

from models import CACHE, say

HERE = pathlib.Path(__file__).resolve().parent
LOGS = CACHE / "logs"
THREADS = len(os.sched_getaffinity(0))
BASE = "base"


class Failed(Exception):
    """An engine could not be started, or did not do what was asked; the text says why."""


@dataclass
class Run:
    """Requests that were sent together."""
    seconds: float
    tokens: int
    first: list = field(default_factory=list)

    @property
    def rate(self):
        """Output tokens per second of all requests, prompts included in the time."""
        return self.tokens / self.seconds


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def tail(path, lines=12):
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def die_with_parent():
    """In a child, before it becomes another program: whatever ends the harness ends it too."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Process:
    """A program with its log, in a process group of its own."""

    def __init__(self, name, command, pipes=False, env=None):
        LOGS.mkdir(parents=True, exist_ok=True)
        self.name, self.log = name, LOGS / f"{name}.log"
        pipe = subprocess.PIPE if pipes else subprocess.DEVNULL
        with self.log.open("w") as log:
            self.process = subprocess.Popen([str(part) for part in command], stdin=pipe, stdout=pipe if pipes else log,
                                            stderr=log, start_new_session=True, env={**os.environ, **(env or {})},
                                            preexec_fn=die_with_parent)
        self.paused = False

    def pause(self):
        if not self.paused and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGSTOP)
            self.paused = True

    def resume(self):
        if self.paused and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGCONT)
        self.paused = False

    def stop(self):
        self.resume()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pipe in [self.process.stdin, self.process.stdout]:
            if pipe:
                pipe.close()

    def memory(self):
        """Resident bytes now."""
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Library(Process):
    """An engine that obeys JSON lines."""

    def __init__(self, name, command, patience=900, env=None):
        super().__init__(name, command, pipes=True, env=env)
        self.patience = patience
        self.ready = self.answer()
        self.told = self.ready.get("told", "")

    def answer(self):
        """The next line, or Failed after too long."""
        late = threading.Timer(self.patience, self.process.kill)
        late.daemon = True
        late.start()
        try:
            line = self.process.stdout.readline()
            in_time = late.is_alive()
        except BaseException:
            # Stopped while it starts: nobody else knows of it yet.
            self.process.kill()
            raise
        finally:
            late.cancel()
        if not line:
            status = self.process.wait()
            why = f"ended with status {status}" if in_time else f"did not answer within {self.patience} s"
            raise Failed(f"{self.name} {why}: {tail(self.log)}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(f"{self.name}: {answer['error']}")
        return answer

    def ask(self, command):
        self.resume()
        try:
            self.process.stdin.write(json.dumps(command).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Failed(f"{self.name} has ended: {tail(self.log)}") from error
        return self.answer()

    def run(self, requests):
        answer = self.ask({"run": requests})
        check(self.name, answer["tokens"], sum(request["tokens"] for request in requests))
        return Run(answer["seconds"], answer["tokens"], answer.get("first", []))


def check(name, tokens, wanted):
    if tokens != wanted:
        raise Failed(f"{name} wrote {tokens} tokens, {wanted} were asked for")


def programs():
    folder = pathlib.Path(os.environ.get("BENCH_PROGRAMS", CACHE / "programs"))
    if not (folder / "openledger-worker").exists():
        raise Failed(f"{folder} has no openledger-worker; run bench/serve/run.sh, which builds it")
    return folder


class Ours(Library):
    """Our engine as a library, in examples/play.rs."""

    def __init__(self, model, store, rows=32, adapter_mib=2048, context=1024, precision="exact", prompts_first=False):
        settings = {"model": str(model.weights), "store": str(store), "threads": THREADS, "max_batch": rows,
                    "max_context": context, "adapter_mib": adapter_mib, "precision": precision, "prompts_first": prompts_first}
        super().__init__(f"ours-{model.name}-{precision}", [programs() / "play", json.dumps(settings)])
        self.told = f"openledger-engine in its own process, {model.dtype} weights, precision {precision}, {THREADS} threads" + (", prompts first" if prompts_first else "")

    def bandwidth(self):
        """Bytes per second that this machine reads from memory."""
        return self.ask({"bandwidth": True})["bandwidth"]


class Peer(Library):
    """A peer as a library."""

    def __init__(self, name, model, adapters, rows, python=None, path=None, **more):
        settings = {"model": str(path or model.folder), "architecture": model.shape.architecture, "rows": rows, "threads": THREADS,
                    "adapters": adapters, "context": 512, "dtype": model.dtype, **more}
        command = [python or os.environ.get("BENCH_PYTHON", "python3"), "-B", HERE / "players" / f"{name}_player.py",
                   json.dumps(settings)]
        super().__init__(f"{name}-{model.name}", command, env={"OMP_NUM_THREADS": str(THREADS), "HF_HUB_OFFLINE": "1",
                                                               "RAYON_NUM_THREADS": str(THREADS)})


# HTTP

@dataclass
class Answer:
    """One streamed answer, with the times of its events in seconds after the request was sent (at `began`)."""
    began: float = 0.0
    times: list = field(default_factory=list)
    prompt_tokens: int = 0
    tokens: int = 0
    error: str = ""
    seconds: float = 0.0

    @property
    def first(self):
        return self.times[0] if self.times else None

    @property
    def gaps(self):
        return [b - a for a, b in zip(self.times, self.times[1:])]


async def stream(session, url, body, opened=None):
    """Sends a request and reads its events; `opened` is called when the answer's head has come. Never raises."""
    begin = time.perf_counter()
    answer = Answer(begin)
    try:
        async with session.post(url, json=body) as reply:
            if reply.status != 200:
                answer.error = f"HTTP {reply.status}: {(await reply.text())[:300]}"
                return answer
            if opened:
                opened()
            ended = False
            async for line in reply.content:
                if not line.startswith(b"data: "):
                    continue
                if line.startswith(b"data: [DONE]"):
                    ended = True
                    continue
                # Parsing each event would take from the engine's share of the machine; the last ones have what counts.
                if b'"usage"' in line or b'"error"' in line or b'"tokens_predicted"' in line:
                    event = json.loads(line[6:])
                    if event.get("error"):
                        answer.error = str(event["error"])[:300]
                    usage = event.get("usage")
                    if usage:
                        answer.prompt_tokens, answer.tokens = usage["prompt_tokens"], usage["completion_tokens"]
                        continue
                    # llama.cpp counts in every event and tells the end by `stop`.
                    if "tokens_predicted" in event:
                        answer.prompt_tokens, answer.tokens = event["tokens_evaluated"], event["tokens_predicted"]
                        if event.get("stop"):
                            ended = True
                            continue
                answer.times.append(time.perf_counter() - begin)
            if not ended and not answer.error:
                answer.error = "the stream ended early"
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as error:
        answer.error = f"{type(error).__name__}: {error}"
    finally:
        answer.seconds = time.perf_counter() - begin
    return answer


def client():
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=1800),
                                 read_bufsize=1 << 20)


class Server:
    """An engine that is asked over HTTP; `url` and `body(request)` say how."""

    def run(self, requests):
        async def all_of_them():
            async with client() as session:
                return await asyncio.gather(*(stream(session, self.url, self.body(request)) for request in requests))

        self.resume()
        begin = time.perf_counter()
        answers = asyncio.run(all_of_them())
        seconds = time.perf_counter() - begin
        for answer, request in zip(answers, requests):
            if answer.error:
                raise Failed(f"{self.name}: {answer.error}")
            check(self.name, answer.tokens, request["tokens"])
            if answer.prompt_tokens != len(request["ids"]):
                raise Failed(f"{self.name} read {answer.prompt_tokens} prompt tokens, {len(request['ids'])} were meant")
        return Run(seconds, sum(answer.tokens for answer in answers), [answer.first for answer in answers])


    def text(self, request):
        """The whole answer as text."""
        self.resume()
        body = json.dumps({**self.body(request), "stream": False, "stream_options": None}).encode()
        asked = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=600) as reply:
            answer = json.load(reply)
        return answer["content"] if "content" in answer else answer["choices"][0]["text"]


class Worker(Process, Server):
    """`openledger-worker serve --offline` with its HTTP port."""

    def __init__(self, model, store, rows=32, adapter_mib=2048, context=1024, queue=1024, streams=1024, kv_mib=1024,
                 precision="exact"):
        port = free_port()
        self.folder = tempfile.TemporaryDirectory(prefix="bench-worker-")
        self.settings = {"--threads": THREADS, "--max-batch": rows, "--max-queue": queue, "--max-streams": streams,
                         "--max-context": context, "--kv-budget": kv_mib, "--adapter-budget": adapter_mib,
                         "--precision": precision}
        command = [programs() / "openledger-worker", "serve", "--offline", "--model", model.weights, "--base-name", BASE,
                   "--store", store, "--data", pathlib.Path(self.folder.name) / "data", "--grpc", f"127.0.0.1:{free_port()}",
                   "--http", f"127.0.0.1:{port}", "--store-quota", 0]
        for name, value in self.settings.items():
            command += [name, value]
        super().__init__(f"worker-{model.name}-{precision}", command, env={"RUST_LOG": os.environ.get("RUST_LOG", "warn")})
        self.address = f"http://127.0.0.1:{port}"
        self.url = f"{self.address}/v1/completions"
        self.told = (f"openledger-worker over HTTP, {model.dtype} weights, "
                     + " ".join(f"{name} {value}" for name, value in self.settings.items()))
        deadline = time.monotonic() + 300
        while True:
            try:
                with urllib.request.urlopen(f"{self.address}/health", timeout=2):
                    return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise Failed(f"the worker did not start: {tail(self.log)}")
            time.sleep(0.2)

    def stop(self):
        super().stop()
        self.folder.cleanup()

    def body(self, request):
        return {"model": request["adapter"] or BASE, "prompt": request["text"], "max_tokens": request["tokens"],
                "temperature": 0, "stream": True, "stream_options": {"include_usage": True},
                **({"user": request["tenant"]} if "tenant" in request else {})}

    async def load(self, session, name):
        """Has an adapter loaded by the operator's call, which answers when it is in memory."""
        token = (pathlib.Path(self.folder.name) / "data" / "operator.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        async with session.post(f"{self.address}/v1/load_lora_adapter", json={"lora_name": name}, headers=headers) as reply:
            if reply.status != 200:
                raise Failed(f"loading {name}: HTTP {reply.status}: {(await reply.text())[:300]}")

    def metrics(self):
        """Sum over labels of each metric."""
        with urllib.request.urlopen(f"{self.address}/metrics", timeout=10) as reply:
            text = reply.read().decode()
        sums = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name = line.split("{")[0].split(" ")[0]
                try:
                    # A value may be followed by an exemplar or a time.
                    value = float((line.rsplit("} ", 1)[-1] if "}" in line else line.split(" ", 1)[1]).split(" ")[0])
                except (ValueError, IndexError):
                    continue
                sums[name] = sums.get(name, 0.0) + value
        return sums


class Llama(Server):
    """llama.cpp's server."""

    def __init__(self, model, adapters, names, rows):
        self.port = free_port()
        self.numbers = {name: number for number, name in enumerate(names)}
        paths = {name: str(adapters.as_gguf(name)) for name in names}
        self.player = Peer("llama", model, paths, rows, path=model.gguf, port=self.port)
        self.name, self.told = self.player.name, self.player.told
        self.url = f"{self.player.ready['address']}/completion"

    def body(self, request):
        # Every adapter is named: one that is left out would keep its scale of the start.
        loras = [{"id": number, "scale": 1.0 if name == request["adapter"] else 0.0} for name, number in self.numbers.items()]
        return {"prompt": request["ids"], "n_predict": request["tokens"], "temperature": 0, "top_k": 1, "stream": True,
                "cache_prompt": False, "ignore_eos": True, **({"lora": loras} if loras else {})}

    def pause(self):
        self.player.pause()

    def resume(self):
        self.player.resume()

    def stop(self):
        self.player.stop()
