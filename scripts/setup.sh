#!/usr/bin/env bash
# Install what a fresh Debian or Ubuntu machine lacks to build, test and run OpenLedger.
#
# Safe to run again: when everything is there it only looks, which takes a second. Without root it
# installs nothing and prints the command to run instead.
set -euo pipefail

say() { printf '%s\n' "setup: $*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# A package is missing when its probe fails; the probe also accepts what other installers put in
# place, as long as it works.
missing=()
need() { # need <package...> -- <probe...>
	local packages=()
	while [ "$1" != -- ]; do packages+=("$1"); shift; done
	shift
	"$@" >/dev/null 2>&1 || missing+=("${packages[@]}")
}
compiles() { have g++ && have make; }
compose_and_yaml() { have docker-compose && /usr/bin/python3 -c 'import yaml'; }
has_venv() { python3 -c 'import venv, ensurepip'; }

need build-essential -- compiles
need pkg-config -- have pkg-config
need libssl-dev pkg-config -- pkg-config --exists openssl
need protobuf-compiler -- have protoc
need git -- have git
need curl ca-certificates -- have curl
need python3 -- have python3
need python3-pip -- python3 -m pip --version
need python3-venv -- has_venv
need nodejs -- have node
need npm -- have npm
need docker-compose python3-yaml -- compose_and_yaml

if [ "${#missing[@]}" -gt 0 ]; then
	mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
	have apt-get || die "missing: ${missing[*]}; this machine has no apt-get, so install their equivalents and run again"
	if [ "$(id -u)" != 0 ]; then
		die "missing: ${missing[*]}; run this once, then start again:
  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
	fi
	say "installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update >&2 || say "the package lists could not be refreshed; trying with the present ones"
	apt-get install -y --no-install-recommends "${missing[@]}" >&2 ||
		die "apt-get could not install ${missing[*]}; its message stands above"
fi

# Rust comes from rustup, not from the distribution: the build wants a newer one.
want_rust=1.95.0
have cargo || die "no Rust toolchain; install one as https://rustup.rs says, open a new shell and run again"
rust=$(cargo --version | cut -d' ' -f2)
[ "$(printf '%s\n%s\n' "$want_rust" "$rust" | sort -V | head -1)" = "$want_rust" ] ||
	die "cargo is $rust, $want_rust or newer is needed; run: rustup update stable"

node_major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
[ "$node_major" -ge 18 ] || die "node is $(node --version), version 18 or newer is needed"

say "ready (rust $rust, node $(node --version), $(python3 --version | tr '[:upper:]' '[:lower:]'))"
