#!/usr/bin/env python3
"""Make a network's chain specification from its parameters and its holders.

    chain-spec/make.py --node PATH --holders FILE [--parameters FILE] --output DIR

Writes DIR/<id>.json, which people can read, and DIR/<id>.raw.json, which nodes are given. Takes the
runtime's code from the node at PATH, so that the specification is exactly as new as the node.
Needs nothing but Python.
"""

import argparse
import decimal
import hashlib
import json
import pathlib
import subprocess
import sys

UNITS = 10**18
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
# Keyless accounts of the protocol, by the names the runtime gives them.
KEYLESS = {
    "treasury": b"ol/trsry",
    "stakers_pot": b"ol/stake",
    "attribution_pot": b"ol/attri",
    "escrow": b"ol/escrw",
    "community": b"ol/commn",
}


def fail(message):
    sys.exit(f"chain-spec: {message}")


def ss58(public, prefix):
    """The address of 32 bytes of public key."""
    body = bytes([prefix]) + public
    data = body + hashlib.blake2b(b"SS58PRE" + body, digest_size=64).digest()[:2]
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return BASE58[0] * (len(data) - len(data.lstrip(b"\0"))) + text


def public_key(address, prefix):
    """The 32 bytes of an address; fails unless it is one of this network."""
    number = 0
    for character in address:
        if character not in BASE58:
            fail(f"{address} is no address")
        number = number * 58 + BASE58.index(character)
    data = number.to_bytes(35, "big") if number < 1 << 280 else b""
    if len(data) != 35 or ss58(data[1:33], prefix) != address:
        fail(f"{address} is no address with prefix {prefix}: check it for a missing or wrong character")
    return data[1:33]


def session_keys(text, prefix):
    """BABE's and GRANDPA's address in what author_rotateKeys returned."""
    try:
        keys = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        fail(f"session keys {text} are not hexadecimal")
    if len(keys) != 64:
        fail(f"session keys {text} have {len(keys)} bytes, not 64: give what author_rotateKeys returned")
    return {"babe": ss58(keys[:32], prefix), "grandpa": ss58(keys[32:], prefix)}


def allocate(parameters, holders, prefix, deposit):
    """Everybody's balance in units, by address; the validators' stakes besides.

    Sums to the supply exactly: the part called `rest` takes what the others leave. Validators are
    equipped out of the part that `validators.from` names, and the protocol's own accounts get their
    least balance out of the rest.
    """
    supply = parameters["supply"] * UNITS
    keyless = {name: ss58((b"modl" + id).ljust(32, b"\0"), prefix) for name, id in KEYLESS.items()}
    parts, rest = {}, None
    for name, part in parameters["allocation"].items():
        if part["percent"] == "rest":
            if rest:
                fail(f"both {rest} and {name} take the rest; only one can")
            rest = name
            continue
        amount = decimal.Decimal(part["percent"]) * supply / 100
        if amount != int(amount) or amount < 0:
            fail(f"{part['percent']} % of the supply, for {name}, is no whole amount")
        parts[name] = int(amount)
    if not rest:
        fail("one part of the allocation has to take the rest, so that nothing is lost to rounding")
    parts[rest] = supply - sum(parts.values())
    if parts[rest] < 0:
        fail("the parts are more than the supply")

    balances, stakes, validators = {}, [], parameters["validators"]
    equipment = (validators["stake"] + validators["purse"]) * UNITS

    def pay(address, amount, source):
        parts[source] -= amount
        if parts[source] < 0:
            fail(f"{source} is too small for what is paid out of it")
        balances[address] = balances.get(address, 0) + amount

    for validator in holders["validators"]:
        public_key(validator["account"], prefix)
        if validator["account"] in balances:
            fail(f"validator {validator['account']} is named twice")
        pay(validator["account"], equipment, validators["from"])
        stakes.append([validator["account"], validators["stake"] * UNITS])
    for name, address in keyless.items():
        pay(address, deposit, rest)
    for name, part in parameters["allocation"].items():
        if part["to"] == "holder":
            address = holders["accounts"].get(name) or fail(f"the holders' file names no account for {name}")
            public_key(address, prefix)
        else:
            address = keyless.get(part["to"]) or fail(f"{name} goes to {part['to']}, which is no account")
        pay(address, parts[name], name)
    if sum(balances.values()) != supply:
        fail("the balances do not sum to the supply; this is a mistake in chain-spec/make.py")
    return balances, stakes


def export(node, *arguments):
    """What `export-chain-spec` prints."""
    command = [node, "export-chain-spec", *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        fail(f"{' '.join(command)} failed: {result.stderr.strip()}")
    return result.stdout


def main():
    here = pathlib.Path(__file__).parent
    options = argparse.ArgumentParser(description="Make a network's chain specification.")
    options.add_argument("--node", required=True, help="the openledger-node whose runtime the network starts with")
    options.add_argument("--holders", required=True, help="JSON file: who gets what is allocated, and the validators")
    options.add_argument("--parameters", default=here / "testnet.json", help="JSON file (default: %(default)s)")
    options.add_argument("--output", required=True, type=pathlib.Path, help="folder of the two files")
    options = options.parse_args()
    with open(options.parameters) as file:
        parameters = json.load(file)
    with open(options.holders) as file:
        holders = json.load(file)
    if len(holders["validators"]) < 4:
        fail("a network needs four validators at least, to keep finality when one fails")

    # The local test network's: its code and how it makes blocks are taken, its money is not.
    spec = json.loads(export(options.node, "--chain", "local"))
    local = spec["genesis"]["runtimeGenesis"]["patch"]
    prefix = spec["properties"]["ss58Format"]
    deposit = min(amount for _, amount in local["balances"]["balances"])
    treasury = ss58((b"modl" + KEYLESS["treasury"]).ljust(32, b"\0"), prefix)
    if treasury not in dict(local["balances"]["balances"]):
        fail("the node's runtime has another treasury account than this script; bring KEYLESS up to date")
    balances, stakes = allocate(parameters, holders, prefix, deposit)
    patch = {
        "babe": local["babe"],
        "balances": {"balances": [list(entry) for entry in balances.items()]},
        "session": {
            "keys": [
                [validator["account"], validator["account"], session_keys(validator["session_keys"], prefix)]
                for validator in holders["validators"]
            ]
        },
    }
    if "stakes" in local:
        patch["stakes"] = {"stakes": stakes}
    spec["genesis"]["runtimeGenesis"]["patch"] = patch
    for key in ["name", "id", "chainType", "protocolId"]:
        spec[key] = parameters[key]
    spec["bootNodes"] = holders.get("bootNodes", [])

    options.output.mkdir(parents=True, exist_ok=True)
    readable = options.output / f"{parameters['id']}.json"
    raw = options.output / f"{parameters['id']}.raw.json"
    readable.write_text(json.dumps(spec, indent=2) + "\n")
    # This runs the genesis, so a patch that the runtime does not take fails here.
    raw.write_text(export(options.node, "--chain", str(readable), "--raw"))

    names = {treasury: "treasury"}
    print(f"{'OPEN':>28}  account")
    for address, amount in balances.items():
        print(f"{decimal.Decimal(amount) / UNITS:>28,f}  {address} {names.get(address, '')}".rstrip())
    print(f"{decimal.Decimal(sum(balances.values())) / UNITS:>28,f}  in all")
    print(f"written: {readable} and {raw}", file=sys.stderr)


if __name__ == "__main__":
    main()
