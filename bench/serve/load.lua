-- wrk's script: completions of MAX_TOKENS tokens, spread over the models in MODELS (names with commas between).
local models, tokens = {}, os.getenv("MAX_TOKENS") or "16"
for name in (os.getenv("MODELS") or "base"):gmatch("[^,]+") do models[#models + 1] = name end
local n = 0

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"

function request()
	n = n + 1
	local body = string.format(
		'{"model":"%s","prompt":"Request %d asks: what is the capital of France?","max_tokens":%s,"temperature":0}',
		models[(n - 1) % #models + 1], n, tokens)
	return wrk.format(nil, nil, nil, body)
end
