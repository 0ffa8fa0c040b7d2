#!/bin/sh
# Register the demo model, and the provider that serves it, on a chain for trying out: Alice owns the
# model, Bob provides. Safe to run again.
#
# Reads OPENLEDGER_CHAIN, OPENLEDGER_HOME, OPENLEDGER_MODEL (the model's file) and OPENLEDGER_ENDPOINT
# (where payers reach the worker).
set -eu

base=smollm2-135m
as() { # as <key> <arguments...>
	key=$1
	shift
	openledger --chain "$OPENLEDGER_CHAIN" --home "$OPENLEDGER_HOME" --key "$key" --json "$@"
}

until as //Alice network >/dev/null 2>&1; do
	echo "provider: waiting for the chain at $OPENLEDGER_CHAIN" >&2
	sleep 3
done

# The command line says what is missing when something is, so nothing is hidden here.
if ! as //Alice model list | grep -q "\"$base\""; then
	as //Alice model register "$base" --file "$OPENLEDGER_MODEL" --rate-in 0.5 --rate-out 1
fi
hot=$(as //Bob//hot keys show | sed -n 's/.*"account": *"\([^"]*\)".*/\1/p')
[ -n "$hot" ] || { echo "provider: the hot key has no account" >&2; exit 1; }
if ! as //Bob provider show | grep -q "$hot"; then
	as //Bob account send "$hot" 100
	as //Bob provider register --hot-key "$hot" --endpoint "$OPENLEDGER_ENDPOINT" \
		--bond 1000 --base "$base" --rate-in 0.5 --rate-out 1 --wait finalized
fi
echo "provider: ready" >&2
