#!/usr/bin/env bash
# Measure adapters on a GPU. Nothing is fetched: what the machine lacks is said, and the rest is measured.
#
#   bench/gpu/run.sh all           pack, every stage and report: on a machine that has both cargo and a GPU
#   bench/gpu/run.sh pack          compile kernels and program and put them into bench/gpu/carried (where there is cargo)
#   bench/gpu/run.sh STAGE...      run stages with what was packed: conformance decode site load many torch
#   bench/gpu/run.sh report        write the tables of bench/gpu/README.md from bench/gpu/results
#   bench/gpu/run.sh --twin        pack, every stage and report in host memory, in a tiny shape: tests the harness
#
# Each stage ends within ten minutes (STAGE_SECONDS). Results go to $OUT if it is set, otherwise to bench/gpu/results.
set -euo pipefail
cd "$(dirname "$0")/../.."

here=bench/gpu
carried=$here/carried
results=${OUT:-$here/results}
seconds=${STAGE_SECONDS:-570}
most_bytes=$((64 << 20))
python=${BENCH_PYTHON:-python3}

pack() {
	SKIP_WASM_BUILD=1 cargo build --release --locked -p openledger-engine --example gpu_bench
	mkdir -p "$carried"
	cp "${CARGO_TARGET_DIR:-target}/release/examples/gpu_bench" "$carried/gpu_bench"
	strip "$carried/gpu_bench"
	git rev-parse HEAD >"$carried/commit"
	local bytes
	bytes=$(du -sb "$carried" | cut -f1)
	if [ "$bytes" -gt "$most_bytes" ]; then
		echo "bench: $carried has $bytes bytes, over the $most_bytes that can be carried" >&2
		exit 1
	fi
	echo "bench: packed $bytes bytes"
}

stage() {
	local name=$1
	shift
	mkdir -p "$results"
	local out=$results/$name.json
	local begin=$SECONDS status=0
	if [ "$name" = torch ]; then
		timeout "$seconds" "$python" -B "$here/torch_baselines.py" --out "$out" "$@" || status=$?
	else
		if [ ! -x "$carried/gpu_bench" ]; then
			echo "bench: $carried/gpu_bench is missing: run \`bench/gpu/run.sh pack\` where there is cargo, and carry the folder" >&2
			exit 1
		fi
		timeout "$seconds" "$carried/gpu_bench" "$name" --out "$out" "$@" || status=$?
	fi
	"$python" -B "$here/report.py" --stamp "$out" --stage "$name" --status "$status" --took $((SECONDS - begin)) \
		--commit "$(cat "$carried/commit" 2>/dev/null || echo unknown)"
	return "$status"
}

ours=(conformance decode site load many)
stages=("${ours[@]}" torch)

report() { "$python" -B "$here/report.py" --results "$results"; }

# Compiles the kernels too: built in, so that the machine with the GPU needs nothing but its driver.
pack_for_gpu() {
	scripts/kernels.sh
	pack
}

run_stages() {
	local name failed=0
	for name in "$@"; do stage "$name" || failed=1; done
	return $failed
}

case ${1:-} in
all)
	pack_for_gpu
	# What could be measured is written down, whatever else failed.
	status=0
	run_stages "${stages[@]}" || status=1
	report
	exit $status
	;;
pack) pack_for_gpu ;;
report) report ;;
--twin)
	pack
	results=$(mktemp -d)
	trap 'rm -rf "$results"' EXIT
	for name in "${ours[@]}"; do stage "$name" --twin; done
	stage torch --tiny --cpu || echo "bench: no torch here, its rows stay unmeasured" >&2
	"$python" -B "$here/report.py" --results "$results" --print
	;;
conformance | decode | site | load | many | torch)
	run_stages "$@"
	;;
*)
	sed -n '2,10p' "$0" | sed 's/^# \?//' >&2
	exit 2
	;;
esac
