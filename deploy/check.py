#!/usr/bin/env python3
"""Check docker-compose.yml and all it names, without containers.

    deploy/check.py --programs DIR --models DIR [--seconds N]

1. `docker-compose config` accepts the file, and every image is pinned to a version.
2. Our services' commands run bare, all together: the same arguments, with the containers' addresses
   and folders put in place. Blocks become final on every node, and the worker gets to serve.
3. Every target of Prometheus answers there, and every metric that a dashboard or an alert uses exists.
4. Prometheus itself takes its configuration, where it is installed; Grafana's files are read.

Needs docker-compose and Python's yaml (Debian: docker-compose, python3-yaml).
"""

import argparse
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = {
    "openledger-node": "openledger-node",
    "openledger-worker": "openledger-worker",
    "openledger-cli": "openledger",
}


def fail(message):
    sys.exit(f"deploy: {message}")


def words(command):
    return shlex.split(command) if isinstance(command, str) else list(command or [])


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


class Bare:
    """Runs services as processes, with what containers give them put in place of it."""

    def __init__(self, services, programs, models, folder):
        self.services, self.programs, self.models, self.folder = services, programs, models, folder
        self.ports = {}
        self.running = {}

    def port(self, service, port):
        return self.ports.setdefault((service, int(port)), free_port())

    def translate(self, service, text):
        names = "|".join(map(re.escape, self.services))
        # The addresses of other services, then what this one listens on.
        text = re.sub(
            rf"/dns/({names})/tcp/(\d+)",
            lambda m: f"/ip4/127.0.0.1/tcp/{self.port(m[1], m[2])}",
            text,
        )
        text = re.sub(
            rf"\b(\w+)://({names}):(\d+)",
            lambda m: f"{m[1]}://127.0.0.1:{self.port(m[2], m[3])}",
            text,
        )
        text = re.sub(r"0\.0\.0\.0:(\d+)", lambda m: f"127.0.0.1:{self.port(service, m[1])}", text)
        text = re.sub(r"^/models\b", str(self.models), text)
        text = re.sub(r"^/deploy\b", str(ROOT / "deploy"), text)
        return re.sub(r"^/data\b", str(self.folder / service / "data"), text)

    def command(self, name):
        service = self.services[name]
        program = PROGRAMS[service["image"].split(":")[0]]
        entry = words(service.get("entrypoint")) or [str(self.programs / program)]
        arguments = words(service.get("command"))
        for i, word in enumerate(arguments[:-1]):
            if word in ("--port", "--rpc-port", "--prometheus-port"):
                arguments[i + 1] = str(self.port(name, arguments[i + 1]))
        if program == "openledger-node" and "--rpc-port" not in arguments:
            # Nobody asks the others, but on one machine they may not all take the same port.
            arguments += ["--rpc-port", str(self.port(name, 9944))]
        return [self.translate(name, word) for word in entry + arguments]

    def start(self, name):
        folder = self.folder / name
        (folder / "data").mkdir(parents=True, exist_ok=True)
        environment = dict(os.environ, PATH=f"{self.programs}:{os.environ['PATH']}")
        for key, value in (self.services[name].get("environment") or {}).items():
            environment[key] = self.translate(name, str(value))
        log = open(folder / "log", "a")
        self.running[name] = subprocess.Popen(
            self.command(name), stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment
        )

    def tail(self, name):
        return "\n".join((self.folder / name / "log").read_text(errors="replace").splitlines()[-15:])

    def supervise(self):
        """What `restart` asks of the container engine; fails where a service was not to end."""
        for name, process in list(self.running.items()):
            code = process.poll()
            if code is None or (name == "provider" and code == 0):
                continue
            if self.services[name].get("depends_on"):
                self.start(name)
            else:
                fail(f"{name} ended with {code}:\n{self.tail(name)}")

    def stop(self):
        for process in self.running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def compose():
    result = subprocess.run(
        ["docker-compose", "--file", str(ROOT / "docker-compose.yml"), "config"],
        capture_output=True, text=True, cwd=ROOT,
    )
    if result.returncode:
        fail(f"docker-compose config refuses docker-compose.yml: {result.stderr.strip()}")
    services = yaml.safe_load(result.stdout)["services"]
    for name, service in services.items():
        version = service["image"].rpartition(":")[2]
        if "/" in version or not re.fullmatch(r"v?\d+\.\d+\.\d+", version):
            fail(f"{name}: image {service['image']} is not pinned to a version")
    for line in (ROOT / "deploy/Dockerfile").read_text().splitlines():
        base = re.match(r"FROM (\S+:\S+)", line)
        if base and not re.search(r":\d+\.\d+", base[1]):
            fail(f"deploy/Dockerfile: {base[1]} is not pinned to a version")
    return services


def expressions():
    """Every query of the dashboards and alerts, with where it stands."""
    for path in sorted((ROOT / "deploy/grafana/dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                yield f"{path.name}, {panel['title']}", target["expr"]
    for group in yaml.safe_load((ROOT / "deploy/alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield f"alerts.yml, {rule['alert']}", rule["expr"]


def check_metrics(scraped):
    # A worker shows counters that have labels once there is something to count, so these are read
    # where they are registered.
    source = (ROOT / "worker/service/src/metrics.rs").read_text()
    known = set(re.findall(r'"((?:openledger_|vllm:)[a-z0-9_]+)"', source))
    for text in scraped:
        known |= set(re.findall(r"^([a-z0-9_:]+)(?:\{| )", text, re.M))
    for where, expression in expressions():
        for name in re.findall(r"\b(?:openledger_|substrate_|vllm:)[a-z0-9_:]+", expression):
            short = re.sub(r"_(total|bucket|sum|count)$", "", name)
            if name not in known and short not in known:
                fail(f"{where}: nothing exports {name}")


def until(what, seconds, bare, check):
    deadline = time.monotonic() + seconds
    while True:
        bare.supervise()
        try:
            if check():
                return
        except (OSError, ValueError):
            pass
        if time.monotonic() > deadline:
            logs = "\n".join(f"{name}:\n{bare.tail(name)}" for name in bare.running)
            fail(f"{what}: not within {seconds} s\n{logs}")
        time.sleep(1)


def finalised(text):
    found = re.search(r'^substrate_block_height\{status="finalized"[^}]*\} (\d+)', text, re.M)
    return int(found[1]) if found else 0


def main():
    options = argparse.ArgumentParser(description="Check docker-compose.yml without containers.")
    options.add_argument("--programs", required=True, type=pathlib.Path, help="folder of the built programs")
    options.add_argument("--models", required=True, type=pathlib.Path, help="folder of the demo model")
    options.add_argument("--seconds", type=int, default=300, help="how long a step may take (default: %(default)s)")
    options = options.parse_args()

    services = compose()
    ours = [name for name, service in services.items() if service["image"].split(":")[0] in PROGRAMS]
    jobs = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text())["scrape_configs"]
    targets = [target.split(":") for job in jobs for config in job["static_configs"] for target in config["targets"]]
    for host, _ in targets:
        if host not in services:
            fail(f"prometheus.yml measures {host}, which is no service")
    for path in (ROOT / "deploy/grafana/provisioning").rglob("*.yml"):
        yaml.safe_load(path.read_text())
    print("deploy: docker-compose config accepts the file; images are pinned", file=sys.stderr)

    with tempfile.TemporaryDirectory() as folder:
        bare = Bare(services, options.programs.resolve(), options.models.resolve(), pathlib.Path(folder))
        url = lambda host, port: f"http://127.0.0.1:{bare.port(host, port)}/metrics"
        try:
            for name in ours:
                bare.start(name)
            nodes = [target for target in targets if services[target[0]]["image"].startswith("openledger-node")]
            until(
                "blocks are final on every node", options.seconds, bare,
                lambda: all(finalised(get(url(*node))) >= 2 for node in nodes),
            )
            print("deploy: blocks are final on every node", file=sys.stderr)
            until(
                "the provider is registered and the worker answers", options.seconds, bare,
                lambda: bare.running["provider"].poll() == 0 and get(url("worker", 8080)),
            )
            print("deploy: the worker serves", file=sys.stderr)
            until("the chain's figures are read", 60, bare, lambda: "openledger_chain_providers" in get(url("rpc", 9615)))
            check_metrics([get(url(*target)) for target in targets])
            print("deploy: every metric of the dashboard and the alerts is exported", file=sys.stderr)

            if shutil.which("prometheus"):
                port, data = free_port(), f"{folder}/prometheus"
                monitor = subprocess.Popen(
                    ["prometheus", f"--config.file={ROOT}/deploy/prometheus.yml", f"--storage.tsdb.path={data}",
                     f"--web.listen-address=127.0.0.1:{port}"],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
                )
                bare.running["prometheus"] = monitor
                deadline = time.monotonic() + 60
                while True:
                    try:
                        get(f"http://127.0.0.1:{port}/-/ready")
                        break
                    except OSError:
                        if monitor.poll() is not None or time.monotonic() > deadline:
                            fail("prometheus does not start with deploy/prometheus.yml")
                        time.sleep(0.5)
                print("deploy: prometheus takes its configuration", file=sys.stderr)
        finally:
            bare.stop()
    print("deploy: all checks passed", file=sys.stderr)


if __name__ == "__main__":
    main()
