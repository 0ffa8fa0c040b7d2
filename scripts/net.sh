#!/usr/bin/env bash
# Run four validators of the local test network as processes on this machine, from a fresh state.
#
#   scripts/net.sh [--keep DIR] [-- NODE OPTIONS...]
#
# Prints where each can be reached, then every few seconds the best and the finalised block of
# each; Ctrl-C stops them all. The chain's data and the logs lie in a temporary folder, deleted at
# the end, or in DIR, which stays, and is gone on from when the network is started with it again.
# The validators' keys are the well-known development ones: for trying out only.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "net: $*" >&2; }
die() { say "$*"; exit 1; }

keep=
while [ $# -gt 0 ]; do
	case $1 in
		--keep) [ $# -gt 1 ] || die "--keep needs a folder"; keep=$2; shift 2 ;;
		--) shift; break ;;
		*) die "unknown argument $1; usage: scripts/net.sh [--keep DIR] [-- NODE OPTIONS...]" ;;
	esac
done

programs=${OPENLEDGER_BIN_DIR:-$(scripts/build.sh | tail -1)}
node=$programs/openledger-node
[ -x "$node" ] || die "no openledger-node in $programs; run scripts/build.sh first"

validators=(alice bob charlie dave)
# A peer's identity is its node key; static ones let every node know the others beforehand.
node_keys=()
for i in 1 2 3 4; do node_keys+=("$(printf '%064d' "$i")"); done

# The first port from $1 on that nobody listens on and that this script has not taken yet.
taken=" "
free_port() { # free_port <first> <variable>
	local port=$1
	while [[ $taken == *" $port "* ]] || (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
		port=$((port + 1))
	done
	taken+="$port "
	printf -v "$2" %s "$port"
}

if [ -n "$keep" ]; then
	mkdir -p "$keep"
	folder=$(realpath "$keep")
else
	folder=$(mktemp -d "${TMPDIR:-/tmp}/openledger-net.XXXXXX")
fi
pids=()
stop() {
	trap - EXIT INT TERM
	[ "${#pids[@]}" = 0 ] || kill "${pids[@]}" 2>/dev/null || true
	wait || true
	if [ -n "$keep" ]; then say "stopped; data and logs stay in $folder"; else rm -rf "$folder"; fi
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

p2p=() rpc=() metrics=() peers=()
for i in "${!validators[@]}"; do
	free_port 30333 "p2p[$i]"
	free_port 9944 "rpc[$i]"
	free_port 9615 "metrics[$i]"
	printf %s "${node_keys[$i]}" >"$folder/node-key"
	peers[i]=/ip4/127.0.0.1/tcp/${p2p[$i]}/p2p/$("$node" key inspect-node-key --file "$folder/node-key" 2>/dev/null)
done
rm -f "$folder/node-key"

for i in "${!validators[@]}"; do
	name=${validators[$i]}
	bootnodes=()
	for j in "${!peers[@]}"; do [ "$j" = "$i" ] || bootnodes+=("${peers[$j]}"); done
	# Without mDNS, which would find other networks on this machine.
	"$node" --chain local --validator "--$name" --base-path "$folder/$name" \
		--node-key "${node_keys[$i]}" --listen-addr "/ip4/127.0.0.1/tcp/${p2p[$i]}" \
		--rpc-port "${rpc[$i]}" --prometheus-port "${metrics[$i]}" \
		--no-mdns --allow-private-ip --no-telemetry --bootnodes "${bootnodes[@]}" "$@" \
		>>"$folder/$name.log" 2>&1 &
	pids+=($!)
	say "$name: rpc ws://127.0.0.1:${rpc[$i]}  metrics http://127.0.0.1:${metrics[$i]}/metrics  process ${pids[$i]}"
done
say "data and logs in $folder; Ctrl-C stops all"

# The best and the finalised block as the node's metrics give them.
height() { # height <metrics port>
	{ curl --silent --max-time 2 "http://127.0.0.1:$1/metrics" || true; } | awk '
		/^substrate_block_height\{.*status="best"/ { best = $2 }
		/^substrate_block_height\{.*status="finalized"/ { finalised = $2 }
		END { if (best == "") print "-"; else printf "#%d final #%d", best, finalised }'
}
while sleep 3; do
	line=$(date +%T) alive=0
	for i in "${!validators[@]}"; do
		if kill -0 "${pids[$i]}" 2>/dev/null; then
			alive=$((alive + 1))
			line+="  ${validators[$i]} $(height "${metrics[$i]}")"
		else
			line+="  ${validators[$i]} stopped"
		fi
	done
	printf '%s\n' "$line"
	if [ "$alive" = 0 ]; then
		tail -n 5 "$folder"/*.log >&2
		die "no validator runs any more; the ends of their logs stand above"
	fi
done
