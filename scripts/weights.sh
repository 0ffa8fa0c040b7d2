#!/usr/bin/env bash
# Measure what calls and hooks take, and write runtime/src/weights/. See docs/weights.md.
#
#   scripts/weights.sh                     every pallet, which takes an hour or more
#   scripts/weights.sh pallet_channels …   only these
#   --quick    few steps: to try a benchmark out, too coarse to commit
#   --check    the same, and nothing is written: does every benchmark still run?
#   STEPS, REPEAT, SECONDS_EACH say how often and for how long, where the defaults do not do.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "weights: $*" >&2; }
die() { say "$*"; exit 1; }

steps=50 repeat=20 seconds=5 write=1
pallets=()
for argument; do
	case $argument in
	--quick) steps=5 repeat=2 seconds=0 ;;
	--check) steps=2 repeat=1 seconds=0 write= ;;
	-*) die "unknown option $argument; there are --quick and --check" ;;
	*) pallets+=("${argument//-/_}") ;;
	esac
done
steps=${STEPS:-$steps} repeat=${REPEAT:-$repeat} seconds=${SECONDS_EACH:-$seconds}

# The tool that goes with the SDK crates of this workspace.
version=0.28.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/openledger/omni
tool=$cache/bin/frame-omni-bencher
if [ "$("$tool" --version 2>/dev/null)" != "frame-omni-bencher $version" ]; then
	say "installing frame-omni-bencher $version, which takes a while"
	CARGO_TARGET_DIR=$cache/target cargo install --locked --root "$cache" "frame-omni-bencher@$version"
fi

# Checking is enough to get the Wasm, which the runtime's build script compiles. It has a folder of
# its own: a node must never find a runtime with benchmarks where it looks for its own.
toolchain=$(scripts/wasm-toolchain.sh)
eval "$toolchain"
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")/weights
env -u SKIP_WASM_BUILD CARGO_TARGET_DIR="$target" \
	cargo check --locked -p openledger-runtime --features runtime-benchmarks
wasm=$target/debug/wbuild/openledger-runtime/openledger_runtime.wasm
[ -f "$wasm" ] || die "no $wasm: the build has not made the Wasm"

# How a chain starts: the protocol's accounts and four validators are there. `development` would not
# do, since its votes take seconds.
measure() {
	RUST_LOG=${RUST_LOG:-error} "$tool" v1 benchmark pallet --runtime "$wasm" \
		--genesis-builder runtime --genesis-builder-preset local_testnet "$@"
}

if [ ${#pallets[@]} -eq 0 ]; then
	mapfile -t pallets < <(measure --list=pallets --no-csv-header | sort -u)
	[ ${#pallets[@]} -gt 0 ] || die "the runtime lists no benchmarks"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
memory=$(awk '/^MemTotal/ { printf "%d", $2 / 1024 / 1024 + 0.5 }' /proc/meminfo)
processor=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -1)
printf '//! %s, %s cores, %s GiB of memory.\n\n' \
	"${processor:-unknown processor}" "$(nproc)" "$memory" >"$work/header"

failed=()
for pallet in "${pallets[@]}"; do
	start=$SECONDS
	if measure --pallet "$pallet" --extrinsic '*' --steps "$steps" --repeat "$repeat" \
		--min-duration "$seconds" --disable-proof-recording --quiet \
		--header "$work/header" --template scripts/weights.hbs --output "$work/$pallet.rs" \
		>"$work/log" 2>&1; then
		if [ "$write" ]; then
			# What a proof would hold matters to parachains alone.
			sed -i '/^\t\/\/ Proof: /d' "$work/$pallet.rs"
			rustfmt --edition 2021 --config-path rustfmt.toml "$work/$pallet.rs"
			mv "$work/$pallet.rs" "runtime/src/weights/$pallet.rs"
		fi
		say "$pallet: $((SECONDS - start)) s"
	else
		failed+=("$pallet")
		say "$pallet failed:"
		tail -n 20 "$work/log" >&2
	fi
done
[ ${#failed[@]} -eq 0 ] || die "failed: ${failed[*]}"
