"""The Python clients, as they are: openai, and LangChain's ChatOpenAI."""

import json
import math
import os
import typing
import unittest
import urllib.request

import jsonschema
import openai
import pydantic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

URL = os.environ["OPENLEDGER_URL"]
MODEL, ADAPTER = "smol", "fine"
USER = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]

client = openai.OpenAI(base_url=f"{URL}/v1", api_key="not needed", max_retries=0, timeout=120)

WEATHER = {"type": "function", "function": {
    "name": "weather", "description": "The weather of a city today.",
    "parameters": {
        "type": "object", "additionalProperties": False, "required": ["city", "unit"],
        "properties": {
            "city": {"type": "string", "maxLength": 12},
            "unit": {"enum": ["celsius", "fahrenheit"]},
        }}}}
TIME = {"type": "function", "function": {
    "name": "time", "parameters": {
        "type": "object", "additionalProperties": False, "required": ["zone"],
        "properties": {"zone": {"type": "string", "pattern": "^[A-Z]{3}$"}}}}}

SCHEMAS = {
    "person": {
        "type": "object", "additionalProperties": False, "required": ["name", "age"],
        "properties": {
            "name": {"type": "string", "maxLength": 12},
            "age": {"type": "integer", "minimum": 0, "maximum": 120},
        }},
    "list": {
        "type": "object", "additionalProperties": False, "required": ["colours"],
        "properties": {"colours": {
            "type": "array", "minItems": 1, "maxItems": 3, "items": {"enum": ["red", "green", "blue"]}}}},
    "either": {
        "type": "object", "additionalProperties": False, "required": ["value"],
        "properties": {"value": {"anyOf": [
            {"type": "number", "minimum": -10, "maximum": 10}, {"type": "null"}, {"type": "boolean"}]}}},
    "tree": {
        "$defs": {"node": {
            "type": "object", "additionalProperties": False, "required": ["leaf"],
            "properties": {"leaf": {"type": "boolean"}, "next": {"$ref": "#/$defs/node"}}}},
        "$ref": "#/$defs/node"},
}


def post(path, body):
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def chat(**settings):
    settings = {"model": MODEL, "messages": USER, "temperature": 0, "max_tokens": 12, **settings}
    return client.chat.completions.create(**settings)


class OpenAI(unittest.TestCase):
    def test_an_answer_streams_as_it_is_given_whole(self):
        whole = chat()
        self.assertIn("Paris", whole.choices[0].message.content)
        self.assertEqual(whole.usage.total_tokens, whole.usage.prompt_tokens + whole.usage.completion_tokens)
        text, usage, reason = "", None, None
        for chunk in chat(stream=True, stream_options={"include_usage": True}):
            usage = chunk.usage or usage
            for choice in chunk.choices:
                text += choice.delta.content or ""
                reason = choice.finish_reason or reason
        self.assertEqual(text, whole.choices[0].message.content)
        self.assertEqual(reason, whole.choices[0].finish_reason)
        self.assertEqual(usage.completion_tokens, whole.usage.completion_tokens)
        self.assertEqual(usage.prompt_tokens, whole.usage.prompt_tokens)

    def test_several_answers_differ_and_come_again_by_their_seed(self):
        def ask():
            return chat(n=3, temperature=1.2, seed=11, max_tokens=8)

        first, again = ask(), ask()
        texts = [choice.message.content for choice in first.choices]
        self.assertEqual([choice.index for choice in first.choices], [0, 1, 2])
        self.assertGreater(len(set(texts)), 1)
        self.assertEqual(texts, [choice.message.content for choice in again.choices])
        self.assertEqual(texts[0], chat(temperature=1.2, seed=11, max_tokens=8).choices[0].message.content)
        self.assertLessEqual(first.usage.completion_tokens, 24)
        self.assertGreater(first.usage.completion_tokens, 8)
        streamed = ["", "", ""]
        for chunk in chat(n=3, temperature=1.2, seed=11, max_tokens=8, stream=True):
            for choice in chunk.choices:
                streamed[choice.index] += choice.delta.content or ""
        self.assertEqual(streamed, texts)

    def test_logprobs_are_those_of_the_answer(self):
        answer = chat(logprobs=True, top_logprobs=3, max_tokens=6).choices[0]
        tokens = answer.logprobs.content
        self.assertEqual("".join(token.token for token in tokens), answer.message.content)
        for token in tokens:
            self.assertEqual(bytes(token.bytes).decode(), token.token)
            self.assertEqual(len(token.top_logprobs), 3)
            self.assertEqual(token.top_logprobs[0].logprob, token.logprob, "greedy takes the likeliest")
            self.assertLessEqual(sum(math.exp(top.logprob) for top in token.top_logprobs), 1.0001)
        streamed = []
        for chunk in chat(logprobs=True, top_logprobs=3, max_tokens=6, stream=True):
            for choice in chunk.choices:
                streamed += choice.logprobs.content if choice.logprobs else []
        self.assertEqual([token.token for token in streamed], [token.token for token in tokens])
        text = client.completions.create(model=MODEL, prompt="One, two,", max_tokens=4, temperature=0, logprobs=2)
        logprobs = text.choices[0].logprobs
        self.assertEqual("".join(logprobs.tokens), text.choices[0].text)
        self.assertEqual(logprobs.text_offset[1], len(logprobs.tokens[0]))
        self.assertEqual(len(logprobs.top_logprobs[0]), 2)

    def test_sampling_settings_have_their_effect(self):
        plain = chat(max_tokens=24)
        first = client.completions.create(model=MODEL, prompt="One, two,", max_tokens=1, temperature=0, logprobs=0)
        said = first.choices[0].logprobs.tokens[0]
        ids = post("/tokenize", {"prompt": said})["tokens"]
        self.assertEqual(len(ids), 1)
        banned = client.completions.create(
            model=MODEL, prompt="One, two,", max_tokens=1, temperature=0, logit_bias={str(ids[0]): -100})
        self.assertNotEqual(banned.choices[0].text, said)
        stopped = chat(stop=["Paris"], max_tokens=24)
        self.assertEqual(stopped.choices[0].finish_reason, "stop")
        self.assertEqual(stopped.choices[0].message.content, plain.choices[0].message.content.split("Paris")[0])
        longer = chat(max_tokens=24, extra_body={"ignore_eos": True})
        self.assertEqual((longer.choices[0].finish_reason, longer.usage.completion_tokens), ("length", 24))
        narrow = chat(temperature=2, extra_body={"min_p": 1.0})
        self.assertEqual(narrow.choices[0].message.content, chat().choices[0].message.content)
        repeated = client.completions.create(
            model=MODEL, prompt="no no no no no no", max_tokens=16, temperature=0, presence_penalty=2, frequency_penalty=2,
            extra_body={"repetition_penalty": 1.5, "top_k": 40})
        words = repeated.choices[0].text.split()
        self.assertLess(words.count("no"), 3, words)

    def test_prompts_may_be_many_and_tokens(self):
        ids = post("/tokenize", {"prompt": "One, two,"})["tokens"]
        text = post("/detokenize", {"tokens": ids})["prompt"]
        self.assertEqual(text, "One, two,")
        answers = client.completions.create(model=MODEL, prompt=["One, two,", "Red, green,"], max_tokens=3, temperature=0, n=2)
        texts = [choice.text for choice in answers.choices]
        self.assertEqual([choice.index for choice in answers.choices], [0, 1, 2, 3])
        self.assertEqual((texts[0], texts[2]), (texts[1], texts[3]))
        again = client.completions.create(model=MODEL, prompt=ids, max_tokens=3, temperature=0)
        self.assertEqual(again.choices[0].text, texts[0])

    def test_json_matches_its_schema_whatever_the_temperature(self):
        for name, schema in SCHEMAS.items():
            for temperature in (0, 1.5):
                with self.subTest(schema=name, temperature=temperature):
                    answer = chat(
                        temperature=temperature, seed=3, max_tokens=100,
                        response_format={"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}})
                    self.assertEqual(answer.choices[0].finish_reason, "stop", answer.choices[0].message.content)
                    jsonschema.validate(json.loads(answer.choices[0].message.content), schema)
        answer = chat(
            messages=[{"role": "user", "content": "Give me a small JSON object with one key."}],
            response_format={"type": "json_object"}, max_tokens=120)
        if answer.choices[0].finish_reason == "stop":
            self.assertIsInstance(json.loads(answer.choices[0].message.content), dict)
        self.assertEqual(answer.choices[0].message.content[0], "{")

    def test_a_pydantic_model_comes_back_as_one(self):
        class Capital(pydantic.BaseModel):
            country: typing.Literal["France", "Spain"]
            people: int = pydantic.Field(ge=0, le=99_999_999)

        answer = client.chat.completions.parse(
            model=MODEL, messages=USER, temperature=0.8, seed=1, max_tokens=60, response_format=Capital)
        self.assertIsInstance(answer.choices[0].message.parsed, Capital)

    def test_tools_are_called_as_they_are_declared(self):
        asked = {"tools": [WEATHER, TIME], "max_tokens": 120}
        for choice, names in [
            ("required", {"weather", "time"}),
            ({"type": "function", "function": {"name": "time"}}, {"time"}),
        ]:
            for temperature in (0, 1.5):
                answer = chat(
                    tool_choice=choice, temperature=temperature, seed=2, parallel_tool_calls=False, **asked).choices[0]
                self.assertEqual(answer.finish_reason, "tool_calls")
                self.assertIsNone(answer.message.content)
                [call] = answer.message.tool_calls
                self.assertIn(call.function.name, names)
                declared = {"weather": WEATHER, "time": TIME}[call.function.name]["function"]["parameters"]
                jsonschema.validate(json.loads(call.function.arguments), declared)
        calls = {}
        for chunk in chat(tool_choice="required", stream=True, parallel_tool_calls=False, **asked):
            for choice in chunk.choices:
                self.assertFalse(choice.delta.content)
                for call in choice.delta.tool_calls or []:
                    calls.setdefault(call.index, []).append(call.function)
                reason = choice.finish_reason
        self.assertEqual((reason, len(calls)), ("tool_calls", 1))
        json.loads("".join(part.arguments for part in calls[0]))
        # What the tool gave back is read on, and tools that may not be called are not.
        messages = USER + [
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "time", "arguments": "{\"zone\": \"CET\"}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "12:30"},
        ]
        answer = chat(messages=messages, tool_choice="none", tools=[TIME]).choices[0]
        self.assertFalse(answer.message.tool_calls)
        self.assertTrue(answer.message.content)
        answer = chat(tools=[TIME]).choices[0]
        self.assertTrue(answer.message.content or answer.message.tool_calls)

    def test_embeddings_have_length_one_and_differ_by_adapter(self):
        texts = ["The cat sleeps.", "A kitten is asleep.", "Income tax law"]
        vectors = [entry.embedding for entry in client.embeddings.create(model=MODEL, input=texts).data]
        dot = lambda a, b: sum(x * y for x, y in zip(a, b))
        for vector in vectors:
            self.assertAlmostEqual(dot(vector, vector), 1, places=3)
        self.assertGreater(dot(vectors[0], vectors[1]), dot(vectors[0], vectors[2]))
        answer = client.embeddings.create(model=ADAPTER, input=texts[0], encoding_format="float")
        self.assertEqual(len(answer.data[0].embedding), len(vectors[0]))
        self.assertLess(dot(answer.data[0].embedding, vectors[0]), 0.99999)
        self.assertGreater(answer.usage.prompt_tokens, 2)

    def test_a_weighted_set_of_adapters_is_asked_for_by_field_or_by_name(self):
        meaning = lambda **settings: client.embeddings.create(input="The cat sleeps.", encoding_format="float", **settings).data[0].embedding
        half = meaning(model=MODEL, extra_body={"adapters": [{"name": ADAPTER, "weight": 0.5}]})
        self.assertEqual(half, meaning(model=f"{ADAPTER}*0.5"))
        self.assertNotEqual(half, meaning(model=ADAPTER))
        self.assertNotEqual(half, meaning(model=MODEL))
        spelt = f"{ADAPTER}*0.5+{ADAPTER}"
        with self.assertRaises(openai.BadRequestError) as refused:
            chat(model=spelt)
        self.assertEqual((refused.exception.code, refused.exception.param), ("adapter-bad-set", "adapters"))
        with self.assertRaises(openai.NotFoundError):
            chat(model=f"{ADAPTER}+nobody")

    def test_models_and_adapters_are_listed_loaded_and_unloaded(self):
        names = {model.id: model for model in client.models.list()}
        self.assertIn(MODEL, names)
        self.assertEqual(client.models.retrieve(ADAPTER).id, ADAPTER)
        self.assertTrue(chat(model=ADAPTER).choices[0].message.content)
        operator = client.with_options(default_headers={"Authorization": f"Bearer {os.environ['OPENLEDGER_TOKEN']}"})
        body = {"lora_name": "second", "lora_path": "fine"}
        with self.assertRaises(openai.AuthenticationError):
            client.post("/load_lora_adapter", cast_to=str, body=body)
        operator.post("/load_lora_adapter", cast_to=str, body=body)
        self.assertEqual(client.models.retrieve("second").id, "second")
        self.assertEqual(chat(model="second").choices[0].message.content, chat(model=ADAPTER).choices[0].message.content)
        for path in ("/etc", "..", "../..", "fine/adapter_config.json", "nothing"):
            with self.assertRaises(openai.BadRequestError) as refused:
                operator.post("/load_lora_adapter", cast_to=str, body={"lora_name": "third", "lora_path": path})
            self.assertEqual(refused.exception.param, "lora_path")
        operator.post("/unload_lora_adapter", cast_to=str, body={"lora_name": "second"})
        with self.assertRaises(openai.NotFoundError) as gone:
            chat(model="second")
        self.assertEqual(gone.exception.param, "model")

    def test_a_wrong_request_is_refused_by_the_name_of_its_field(self):
        for param, settings in [
            ("temperature", {"temperature": -1}),
            ("top_p", {"top_p": 2}),
            ("n", {"n": 1000}),
            ("logit_bias", {"logit_bias": {"5": 1000}}),
            ("frequency_penalty", {"frequency_penalty": 3}),
            ("messages", {"messages": []}),
            ("stop", {"stop": [""]}),
            ("tools", {"tools": [{"type": "function", "function": {
                "name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "no such type"}}}}}]}),
            ("response_format", {"response_format": {
                "type": "json_schema", "json_schema": {"name": "x", "schema": {"$ref": "http://127.0.0.1:1/x"}}}}),
            ("guided_json", {"extra_body": {"guided_json": {}}}),
        ]:
            with self.subTest(param=param):
                with self.assertRaises(openai.BadRequestError) as refused:
                    chat(**settings)
                self.assertEqual(refused.exception.param, param)
                self.assertEqual(refused.exception.type, "invalid_request_error")
        with self.assertRaises(openai.NotFoundError) as refused:
            chat(model="nobody")
        self.assertEqual((refused.exception.code, refused.exception.param), ("unknown-model", "model"))

    def test_the_name_of_a_request_comes_back(self):
        raw = client.chat.completions.with_raw_response.create(
            model=MODEL, messages=USER, max_tokens=1, extra_headers={"x-request-id": "mine-1"})
        self.assertEqual(raw.headers["x-request-id"], "mine-1")
        self.assertTrue(chat(max_tokens=1)._request_id.startswith("req-"))


class LangChain(unittest.TestCase):
    def model(self, **settings):
        settings = {"max_tokens": 60, "temperature": 0, **settings}
        return ChatOpenAI(model=MODEL, base_url=f"{URL}/v1", api_key="not needed", max_retries=0, **settings)

    def test_an_answer_and_a_stream(self):
        question = [HumanMessage(USER[0]["content"])]
        answer = self.model(max_tokens=12).invoke(question)
        self.assertIn("Paris", answer.content)
        self.assertEqual(answer.usage_metadata["output_tokens"], answer.response_metadata["token_usage"]["completion_tokens"])
        streamed = "".join(chunk.content for chunk in self.model(max_tokens=12).stream(question))
        self.assertEqual(streamed, answer.content)
        told = self.model(max_tokens=3, logprobs=True, top_logprobs=2).invoke(question)
        self.assertEqual(len(told.response_metadata["logprobs"]["content"]), 3)
        several = self.model(max_tokens=6, n=2, temperature=1.0).generate([question])
        self.assertEqual(len(several.generations[0]), 2)

    def test_tools_and_what_they_gave_back(self):
        @tool
        def add(a: int, b: int) -> int:
            """Add two whole numbers."""
            return a + b

        model = self.model().bind_tools([add], tool_choice="any", parallel_tool_calls=False)
        question = HumanMessage("What is 2 plus 3?")
        answer = model.invoke([question])
        [call] = answer.tool_calls
        self.assertEqual(call["name"], "add")
        self.assertIsInstance(call["args"]["a"], int)
        result = ToolMessage(str(add.invoke(call["args"])), tool_call_id=call["id"])
        self.assertTrue(self.model(max_tokens=8).invoke([question, answer, result]).content)

    def test_structured_output(self):
        class Answer(pydantic.BaseModel):
            """An answer about a city."""

            city: typing.Literal["Paris", "London"]
            certain: bool

        for method in ("json_schema", "function_calling"):
            answer = self.model().with_structured_output(Answer, method=method).invoke(USER[0]["content"])
            self.assertIsInstance(answer, Answer)


if __name__ == "__main__":
    unittest.main(verbosity=2)
