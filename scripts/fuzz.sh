#!/usr/bin/env bash
# Fuzz every decoder of bytes that strangers send: scripts/fuzz.sh [runs per target] [target...]
#
# Needs a nightly toolchain and `cargo install cargo-fuzz --locked`. Each target says above its code
# what it decodes and what may never happen. A failing input is kept under fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=${1:-10000000}
shift $(($# > 0 ? 1 : 0))
targets=("$@")
[ "${#targets[@]}" -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list)

cargo fuzz --version >/dev/null 2>&1 || {
	echo "fuzz: cargo-fuzz is missing; install it with: cargo install cargo-fuzz --locked" >&2
	exit 1
}
for target in "${targets[@]}"; do
	printf '\n== %s, %s inputs\n' "$target" "$runs"
	cargo +nightly fuzz run "$target" -- -runs="$runs" -max_len=4096 -print_final_stats=1 -verbosity=0
done
