//! Answers that keep to a form, on the real model's vocabulary.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
	sync::OnceLock,
	time::{Duration, Instant},
};

use common::*;
use openledger_engine::{sampling::Sampler, *};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{json, Value};

fn engine() -> &'static Engine {
	static ENGINE: OnceLock<(Engine, tempfile::TempDir)> = OnceLock::new();
	let (engine, _) = ENGINE.get_or_init(|| {
		let folder = tempfile::tempdir().unwrap();
		let config = EngineConfig {
			kv_budget: 256 << 20,
			threads: 2,
			..EngineConfig::new(folder.path().join("store"))
		};
		(Engine::new(model(), config).unwrap(), folder)
	});
	engine
}

/// Schemas of the kinds that clients send.
fn schemas() -> Vec<Value> {
	let person = json!({
		"type": "object", "additionalProperties": false, "required": ["name", "age"],
		"properties": {
			"name": { "type": "string", "minLength": 2, "maxLength": 12 },
			"age": { "type": "integer", "minimum": 0, "maximum": 130 },
			"email": { "type": ["string", "null"], "maxLength": 20 },
		},
	});
	vec![
		person.clone(),
		json!({ "type": "object", "additionalProperties": false, "required": ["answer"],
			"properties": { "answer": { "enum": ["yes", "no", 3, null, true] } } }),
		json!({ "type": "array", "minItems": 1, "maxItems": 3, "items": person }),
		json!({ "type": "object", "additionalProperties": false, "required": ["shape"], "properties": {
			"shape": { "anyOf": [
				{ "type": "object", "additionalProperties": false, "required": ["kind", "r"],
					"properties": { "kind": { "const": "circle" }, "r": { "type": "number", "exclusiveMinimum": 0, "maximum": 99.5 } } },
				{ "type": "object", "additionalProperties": false, "required": ["kind", "sides"],
					"properties": { "kind": { "const": "polygon" }, "sides": { "type": "integer", "minimum": 3, "maximum": 12 } } },
			] } } }),
		json!({
			"$defs": { "node": {
				"type": "object", "additionalProperties": false, "required": ["v", "kids"],
				"properties": {
					"v": { "type": "boolean" },
					"kids": { "type": "array", "maxItems": 2, "items": { "$ref": "#/$defs/node" } },
				} } },
			"$ref": "#/$defs/node",
		}),
		json!({ "type": "object", "additionalProperties": false, "required": ["code", "on"], "properties": {
			"code": { "type": "string", "pattern": "^[A-Z]{3}-[0-9]{2,4}$" },
			"on": { "type": "string", "format": "date" } } }),
		json!({ "type": "object", "properties": { "a": { "type": "integer" } }, "required": ["a"],
			"additionalProperties": { "type": "boolean" }, "maxProperties": 3 }),
	]
}

/// Logits without sense that like to close what is open, so that answers end.
fn noise(rng: &mut ChaCha8Rng, closing: &[bool]) -> Vec<f32> {
	closing
		.iter()
		.map(|closes| rng.random_range(-3.0..3.0) + if *closes { 9.0 } else { 0.0 })
		.collect()
}

fn closing(engine: &Engine) -> Vec<bool> {
	(0..engine.model().vocab_size as u32)
		.map(|id| {
			let bytes = engine.tokenizer().token_bytes(id);
			matches!(bytes.first(), Some(b'"' | b'}' | b']')) || engine.model().eos.contains(&id)
		})
		.collect()
}

/// An answer by chance, of at most `most` tokens; `None` if it did not end, and how long the slowest token took.
fn by_chance(
	grammar: Grammar,
	seed: u64,
	temperature: f32,
	most: usize,
) -> (Option<String>, Duration) {
	let engine = engine();
	static CLOSING: OnceLock<Vec<bool>> = OnceLock::new();
	let closing = CLOSING.get_or_init(|| closing(engine));
	let mut rng = ChaCha8Rng::seed_from_u64(seed);
	let sampling = Sampling {
		temperature,
		seed: Some(seed),
		..Default::default()
	};
	let eos = &engine.model().eos;
	let mut sampler = Sampler::for_request(sampling, Some(grammar), &[], eos);
	let (mut bytes, mut slowest) = (Vec::new(), Duration::ZERO);
	for _ in 0..most {
		let logits = noise(&mut rng, closing);
		let begin = Instant::now();
		let Ok(choice) = sampler.next(&logits) else {
			return (None, slowest);
		};
		slowest = slowest.max(begin.elapsed());
		if eos.contains(&choice.id) {
			return (Some(String::from_utf8(bytes).unwrap()), slowest);
		}
		bytes.extend(engine.tokenizer().token_bytes(choice.id));
	}
	(None, slowest)
}

fn is_valid(schema: &Value, answer: &Value) -> bool {
	let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
	compiler.enable_format_assertions();
	compiler
		.add_resource("schema.json", schema.clone())
		.unwrap();
	let index = compiler.compile("schema.json", &mut schemas).unwrap();
	schemas.validate(answer, index).is_ok()
}

#[test]
fn every_answer_should_parse_and_match_its_schema_whatever_the_temperature() {
	for schema in schemas() {
		let constraint = Constraint::json_schema(&schema).unwrap();
		let grammar = engine().compile(&constraint).unwrap();
		let mut ended = 0;
		for seed in 0..24 {
			let temperature = [0.0, 0.7, 1.0, 3.0][seed as usize % 4];
			let (answer, _) = by_chance(grammar.clone(), seed, temperature, 400);
			let Some(answer) = answer else {
				continue;
			};
			ended += 1;
			let parsed: Value = serde_json::from_str(&answer)
				.unwrap_or_else(|e| panic!("{answer:?} of {schema} is no JSON: {e}"));
			assert!(
				is_valid(&schema, &parsed),
				"{answer} does not match {schema}"
			);
		}
		assert!(ended > 12, "only {ended} answers to {schema} ended");
	}
}

#[test]
fn the_model_should_answer_in_json_and_end() {
	let engine = engine();
	let schema = json!({ "type": "object", "additionalProperties": false, "required": ["city", "people"],
		"properties": { "city": { "type": "string", "maxLength": 20 }, "people": { "type": "integer", "maximum": 100_000_000, "minimum": 0 } } });
	let constraint = Constraint::json_schema(&schema).unwrap();
	for temperature in [0.0, 1.0] {
		let done = engine
			.submit(Request {
				prompt: chat(engine, "Describe Paris as JSON with city and people."),
				max_tokens: 60,
				sampling: Sampling {
					temperature,
					seed: Some(5),
					..Default::default()
				},
				grammar: Some(engine.compile(&constraint).unwrap()),
				..Default::default()
			})
			.unwrap()
			.wait()
			.unwrap();
		assert_eq!(done.reason, FinishReason::Stop, "{}", done.text);
		let parsed: Value = serde_json::from_str(&done.text).unwrap();
		assert!(is_valid(&schema, &parsed), "{}", done.text);
	}
}

#[test]
fn calls_should_be_of_the_tools_that_may_be_called() {
	let tool = |name: &str, argument: &str| Tool {
		name: name.into(),
		description: None,
		parameters: json!({ "type": "object", "additionalProperties": false, "required": [argument],
			"properties": { argument: { "type": "string", "maxLength": 10 } } }),
	};
	let tools = [tool("weather", "city"), tool("time", "zone")];
	let read = |answer: &str| {
		let mut reader = CallReader::default();
		let parts = reader.push(answer);
		assert_eq!(reader.finish(), None, "{answer}");
		parts
	};
	let mut seen = std::collections::BTreeSet::new();
	for (choice, parallel) in [
		(ToolChoice::Required, false),
		(ToolChoice::Required, true),
		(ToolChoice::Named("time".into()), true),
	] {
		let constraint = Constraint::tool_calls(&tools, &choice, parallel, None).unwrap();
		let grammar = engine().compile(&constraint).unwrap();
		for seed in 0..12 {
			let (answer, _) = by_chance(grammar.clone(), seed, 1.0, 300);
			let answer = answer.unwrap();
			let parts = read(&answer);
			assert!(parallel || parts.len() == 1, "{answer}");
			for part in parts {
				let Part::Call(call) = part else {
					panic!("{answer} holds text")
				};
				if let ToolChoice::Named(name) = &choice {
					assert_eq!(call.name, *name);
				}
				let tool = tools.iter().find(|tool| tool.name == call.name).unwrap();
				let arguments = serde_json::from_str(&call.arguments).unwrap();
				assert!(is_valid(&tool.parameters, &arguments), "{answer}");
				seen.insert(call.name);
			}
		}
	}
	assert_eq!(seen.len(), 2, "both tools were called");
	let unknown = Constraint::tool_calls(&tools, &ToolChoice::Named("none".into()), true, None);
	assert_eq!(unknown.unwrap_err().code(), "bad-grammar");
}

#[test]
fn with_tools_at_hand_an_answer_may_be_text_but_no_broken_call() {
	let tools = [Tool {
		name: "look".into(),
		description: None,
		parameters: json!({ "type": "object", "additionalProperties": false }),
	}];
	let constraint = Constraint::tool_calls(&tools, &ToolChoice::Auto, false, None).unwrap();
	let grammar = engine().compile(&constraint).unwrap();
	let take = |text: &str| {
		let engine = engine();
		let mut ids = engine.tokenizer().encode(text).unwrap();
		ids.push(engine.model().eos[0]);
		// Each token has to be among those that may come next: all others are as unlikely as can be.
		let sampling = Sampling::greedy();
		let mut sampler = Sampler::for_request(sampling, Some(grammar.clone()), &[], &[]);
		ids.iter().all(|id| {
			let mut logits = vec![-50.0; engine.model().vocab_size];
			logits[*id as usize] = 50.0;
			sampler.next(&logits).is_ok_and(|choice| choice.id == *id)
		})
	};
	assert!(take("It is 5 < 7, and that is all."));
	assert!(take(
		"<tool_call>\n{\"name\": \"look\", \"arguments\": {}}\n</tool_call>"
	));
	assert!(take(
		"I will look.\n<tool_call>\n{\"name\": \"look\", \"arguments\": {}}\n</tool_call>"
	));
	assert!(!take(
		"<tool_call>\n{\"name\": \"jump\", \"arguments\": {}}\n</tool_call>"
	));
	assert!(!take("<tool_call>"), "an answer does not end within a call");
	let json = Constraint::json_schema(&json!({ "type": "object", "additionalProperties": false }))
		.unwrap();
	let either = Constraint::tool_calls(&tools, &ToolChoice::Auto, false, Some(&json)).unwrap();
	let either = engine().compile(&either).unwrap();
	for seed in 0..6 {
		let (answer, _) = by_chance(either.clone(), seed, 2.0, 100);
		let answer = answer.unwrap();
		assert!(
			answer == "{}" || answer.starts_with("<tool_call>"),
			"{answer}"
		);
	}
}

#[test]
fn a_hostile_schema_should_fail_alone_and_soon() {
	let mut doubling = serde_json::Map::new();
	for i in 0..40 {
		let next = json!({ "$ref": format!("#/$defs/d{}", i + 1) });
		doubling.insert(
			format!("d{i}"),
			json!({ "allOf": [next, next], "anyOf": [next, next] }),
		);
	}
	doubling.insert(
		"d40".into(),
		json!({ "type": "string", "pattern": "^(a|b)*a(a|b){12}$" }),
	);
	let mut deep = json!({ "type": "integer" });
	for _ in 0..100 {
		deep = json!({ "type": "object", "properties": { "x": deep } });
	}
	let many: serde_json::Map<String, Value> = (0..2_000)
		.map(|i| (format!("p{i}"), json!({ "type": "string" })))
		.collect();
	let hostile = [
		json!({ "$defs": doubling, "$ref": "#/$defs/d0" }),
		json!({ "allOf": vec![json!({ "anyOf": [{ "minimum": 1 }, { "maximum": 5 }] }); 40] }),
		json!({ "$ref": "#" }),
		json!({ "$defs": { "a": { "$ref": "#/$defs/a" } }, "$ref": "#/$defs/a" }),
		json!({ "type": "string", "pattern": "^((a{1,500}){1,500}){1,500}$" }),
		json!({ "type": "string", "pattern": "^(.*a.*b.*c.*d.*e.*f.*g.*h.*)*(x|y){40}z$" }),
		json!({ "type": "string", "minLength": 1_000_000_000 }),
		json!({ "type": "array", "minItems": 1_000_000_000, "items": { "type": "string" } }),
		json!({ "type": "object", "properties": many }),
		json!({ "type": "integer", "multipleOf": 1_000_003, "minimum": 5, "maximum": 99_999_999_999_i64 }),
		json!({ "$ref": "http://127.0.0.1:1/schema.json" }),
		json!({ "type": "no such type" }),
		json!({ "not": {} }),
		deep,
	];
	let begin = Instant::now();
	for schema in hostile {
		let shown: String = schema.to_string().chars().take(80).collect();
		println!("{shown}");
		let began = Instant::now();
		let compiled = Constraint::json_schema(&schema).and_then(|c| engine().compile(&c));
		let compiling = began.elapsed();
		let told = match compiled {
			Err(error) => {
				let code = error.code();
				assert!(
					["bad-grammar", "grammar-too-complex"].contains(&code),
					"{shown}: {error}"
				);
				error.to_string()
			}
			Ok(grammar) => {
				let (_, slowest) = by_chance(grammar, 1, 1.0, 40);
				assert!(
					slowest < Duration::from_millis(500),
					"{shown}: a token took {slowest:?}"
				);
				format!("accepted, slowest token {slowest:?}")
			}
		};
		println!("{compiling:?} {shown}: {told}");
		assert!(
			compiling < Duration::from_secs(5),
			"{shown} took {compiling:?}"
		);
	}
	// And nobody else waits for it.
	let simple = Constraint::json_schema(&json!({ "type": "boolean" })).unwrap();
	let (answer, _) = by_chance(engine().compile(&simple).unwrap(), 1, 0.0, 10);
	assert!(["true", "false"].contains(&answer.unwrap().as_str()));
	println!("all of it took {:?}", begin.elapsed());
	let large = json!({ "enum": vec!["x".repeat(100); 1_000] });
	assert_eq!(
		Constraint::json_schema(&large).unwrap_err().code(),
		"bad-grammar"
	);
}

#[test]
fn one_answers_way_through_a_grammar_should_not_be_anothers() {
	let schema = json!({ "type": "string", "maxLength": 30 });
	let constraint = Constraint::json_schema(&schema).unwrap();
	let first = by_chance(engine().compile(&constraint).unwrap(), 3, 1.0, 60);
	for seed in 10..14 {
		by_chance(engine().compile(&constraint).unwrap(), seed, 1.0, 60);
	}
	let again = by_chance(engine().compile(&constraint).unwrap(), 3, 1.0, 60);
	assert_eq!(first.0, again.0);
}

#[test]
fn an_embedding_should_tell_texts_apart_and_not_depend_on_company() {
	let engine = engine();
	let ask = |text: &str| {
		let mut stream = engine
			.submit(Request {
				prompt: engine.tokenizer().encode_prompt(text).unwrap(),
				max_tokens: 1,
				embed: true,
				..Default::default()
			})
			.unwrap();
		match stream.next_blocking() {
			Some(StreamEvent::Embedding(vector)) => {
				let end = stream.next_blocking();
				assert!(
					matches!(
						end,
						Some(StreamEvent::Finished {
							completion_tokens: 0,
							..
						})
					),
					"{end:?}"
				);
				vector
			}
			other => panic!("{other:?} is no embedding"),
		}
	};
	let alike = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
	// Longer than a chunk of prefill, so that the sum is made in several steps.
	let long = "The cat sat on the mat and looked at the dog. ".repeat(40);
	let alone = ask(&long);
	assert_eq!(alone.len(), engine.model().hidden_size);
	assert!((alike(&alone, &alone) - 1.0).abs() < 1e-4);
	let company = engine
		.submit(Request {
			prompt: chat(engine, "Tell me a story."),
			max_tokens: 40,
			..Default::default()
		})
		.unwrap();
	let together = ask(&long);
	company.wait().unwrap();
	assert!(
		alike(&alone, &together) > 0.99999,
		"{}",
		alike(&alone, &together)
	);
	let (cat, kitten, tax) = (
		ask("The cat sleeps on the sofa."),
		ask("A kitten is sleeping on the couch."),
		ask("Corporate income tax must be filed by March."),
	);
	assert!(alike(&cat, &kitten) > alike(&cat, &tax));
}
