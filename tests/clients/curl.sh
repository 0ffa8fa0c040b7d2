#!/usr/bin/env bash
# curl, as it is: what stands in the documentation works when it is copied.
set -euo pipefail

url=$OPENLEDGER_URL
fail() { printf 'curl: %s\n' "$*" >&2; exit 1; }
has() { [[ $1 == *"$2"* ]] || fail "no $2 in: $1"; }
# Without a content type of JSON, as people type it.
post() { curl --silent --show-error --max-time 60 "${@:3}" "$url$1" --data "$2"; }

chat='{"model": "smol", "messages": [{"role": "user", "content": "What is the capital of France?"}], "max_tokens": 12, "temperature": 0'
has "$(post /v1/chat/completions "$chat}")" Paris
stream=$(post /v1/chat/completions "$chat, \"stream\": true}" --no-buffer)
has "$stream" '"delta":{'
has "$stream" 'data: [DONE]'
has "$(post /v1/completions '{"model": "fine", "prompt": "One, two,", "max_tokens": 3}')" '"object":"text_completion"'
has "$(post /v1/embeddings '{"model": "smol", "input": "one"}')" '"embedding":['
has "$(post /v1/chat/completions "$chat, \"response_format\": {\"type\": \"json_object\"}}")" '"content":"{'
head=$(post /v1/chat/completions "$chat, \"n\": 0}" --dump-header - --header 'x-request-id: typed-by-hand')
has "$head" '400 Bad Request'
has "$head" 'x-request-id: typed-by-hand'
has "$head" '"param":"n"'
has "$(post /v1/chat/completions 'no JSON')" '"type":"invalid_request_error"'
has "$(post /v1/load_lora_adapter '{"lora_name": "fine"}')" '"type":"authentication_error"'
token=(--header "Authorization: Bearer $OPENLEDGER_TOKEN")
has "$(post /v1/load_lora_adapter '{"lora_name": "fine"}' "${token[@]}")" Success
has "$(curl --silent --show-error "$url/v1/models")" '"id":"fine"'
metrics=$(curl --silent --show-error "$url/metrics")
for name in vllm:lora_requests_info vllm:num_requests_running vllm:num_requests_waiting vllm:kv_cache_usage_perc \
	vllm:prompt_tokens_total vllm:generation_tokens_total openledger_tokens_total; do
	has "$metrics" "$name"
done
echo 'curl: all calls answered as they should' >&2
