// The npm client, as it is.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.env.OPENLEDGER_URL}/v1`, apiKey: "not needed", maxRetries: 0 });
const asked = {
	model: "smol",
	messages: [{ role: "user", content: "What is the capital of France? Answer in one sentence." }],
	temperature: 0,
	max_tokens: 12,
};
const ask = (more = {}) => client.chat.completions.create({ ...asked, ...more });

const schema = {
	type: "object",
	additionalProperties: false,
	required: ["city", "known"],
	properties: { city: { type: "string", maxLength: 12 }, known: { type: "boolean" } },
};
const tools = [{ type: "function", function: { name: "look_up", description: "Looks a city up.", parameters: schema } }];

test("an answer streams as it is given whole", async () => {
	const whole = await ask();
	assert.match(whole.choices[0].message.content, /Paris/);
	let text = "";
	let usage;
	for await (const chunk of await ask({ stream: true, stream_options: { include_usage: true } })) {
		text += chunk.choices[0]?.delta.content ?? "";
		usage = chunk.usage ?? usage;
	}
	assert.equal(text, whole.choices[0].message.content);
	assert.equal(usage.total_tokens, whole.usage.total_tokens);
	// The same prompt was read before.
	assert.ok(usage.prompt_tokens_details.cached_tokens > 0);
	const several = await ask({ n: 2, temperature: 1, seed: 5 });
	assert.deepEqual(several.choices.map((choice) => choice.index), [0, 1]);
});

test("JSON and calls of tools are in their form", async () => {
	const told = await ask({
		max_tokens: 60,
		temperature: 1,
		seed: 3,
		response_format: { type: "json_schema", json_schema: { name: "city", schema, strict: true } },
	});
	const answer = JSON.parse(told.choices[0].message.content);
	assert.deepEqual(Object.keys(answer).sort(), ["city", "known"]);
	const called = await ask({ max_tokens: 80, tools, tool_choice: "required", parallel_tool_calls: false });
	const [call] = called.choices[0].message.tool_calls;
	assert.equal(called.choices[0].finish_reason, "tool_calls");
	assert.equal(typeof JSON.parse(call.function.arguments).known, "boolean");
	const stream = client.chat.completions.stream({ ...asked, max_tokens: 80, tools, tool_choice: "required", parallel_tool_calls: false });
	const final = await stream.finalChatCompletion();
	assert.equal(final.choices[0].message.tool_calls[0].function.name, "look_up");
	assert.deepEqual(JSON.parse(final.choices[0].message.tool_calls[0].function.arguments), JSON.parse(call.function.arguments));
});

test("logprobs, embeddings and models come as the client reads them", async () => {
	const told = await ask({ logprobs: true, top_logprobs: 2, max_tokens: 4 });
	const { content } = told.choices[0].logprobs;
	assert.equal(content.map((token) => token.token).join(""), told.choices[0].message.content);
	assert.equal(content[0].top_logprobs.length, 2);
	const { data } = await client.embeddings.create({ model: "smol", input: ["one", "two"] });
	assert.equal(data.length, 2);
	const length = Math.hypot(...data[0].embedding);
	assert.ok(Math.abs(length - 1) < 1e-3, `length ${length}`);
	const names = [];
	for await (const model of client.models.list()) names.push(model.id);
	assert.ok(names.includes("smol") && names.includes("fine"), names.join());
});

test("a refusal names its field", async () => {
	await assert.rejects(ask({ temperature: -1 }), (error) => error instanceof OpenAI.BadRequestError && error.param === "temperature");
	await assert.rejects(ask({ model: "nobody" }), (error) => error instanceof OpenAI.NotFoundError && error.code === "unknown-model");
});
