//! One budget for KV and adapters: each takes what the other leaves, and neither starves.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{small::*, *};
use openledger_engine::*;

/// Bytes of a page, and of both KV and adapters.
const PAGE_BYTES: usize = 512;
const TOTAL: usize = 64 << 10;
/// What is kept for either.
const FLOOR: usize = TOTAL / 4;
/// Tokens of a context, which fills KV's floor.
const CONTEXT: usize = FLOOR / PAGE_BYTES * PAGE;

fn world() -> World {
	let fake = Fake::with_pages_of(PAGE_BYTES, (TOTAL - FLOOR) / PAGE_BYTES);
	let world = World::new(fake, 4..16, |folder| EngineConfig {
		max_batch: 8,
		max_context: CONTEXT,
		memory_budget: TOTAL,
		..EngineConfig::new(folder)
	});
	let largest = world.adapters.iter().map(|(_, bytes)| *bytes).max();
	assert!(largest <= Some(FLOOR), "{largest:?}");
	world
}

impl World {
	/// A request of `tokens` tokens in all, `answer` of them to be written, with one of the adapters or none.
	fn ask(&self, tag: u32, tokens: usize, answer: usize, adapter: Option<usize>) -> Request {
		Request {
			prompt: (0..(tokens - answer) as u32)
				.map(|i| (tag + i * i) % 256)
				.collect(),
			max_tokens: answer,
			adapter: adapter.map(|at| self.adapters[at].0),
			tenant: Some(Tenant::of(tag.to_le_bytes())),
			..Default::default()
		}
	}

	fn submit(&self, request: &Request) -> TokenStream {
		self.engine.submit(request.clone()).unwrap()
	}

	fn check(&self, request: &Request, stream: TokenStream) {
		let bytes = |key| self.adapters.iter().find(|(k, _)| *k == key).unwrap().1;
		let adapter = request.adapter.map_or(0, bytes);
		let done = stream.wait().unwrap();
		assert_eq!(
			done.ids,
			expected(&request.prompt, adapter, request.max_tokens)
		);
	}

	fn answer(&self, request: &Request) {
		self.check(request, self.submit(request));
	}

	/// Bytes of KV, in use and kept, and of adapters.
	fn taken(&self) -> (usize, usize) {
		let stats = self.engine.stats();
		(stats.kv_reserved + stats.kv_cached, stats.adapters.bytes)
	}
}

#[test]
fn adapters_that_nobody_uses_should_make_room_for_contexts() {
	let w = world();
	for adapter in 0..w.adapters.len() {
		w.answer(&w.ask(1, 8, 4, Some(adapter)));
	}
	let (_, adapters) = w.taken();
	assert!(adapters > 2 * FLOOR, "they take what KV leaves: {adapters}");
	w.fake.permit(Some(0));
	let requests: Vec<Request> = (0..3).map(|tag| w.ask(tag, CONTEXT, 16, None)).collect();
	let streams: Vec<TokenStream> = requests.iter().map(|request| w.submit(request)).collect();
	// Those that come during the first step begin with the second.
	w.fake.permit(Some(2));
	until("three whole contexts", || {
		w.engine.stats().kv_reserved == 3 * FLOOR
	});
	let (kv, adapters) = w.taken();
	assert_eq!(kv, 3 * FLOOR);
	assert!(adapters <= FLOOR && adapters + kv <= TOTAL, "{adapters}");
	w.fake.permit(None);
	for (request, stream) in requests.iter().zip(streams) {
		w.check(request, stream);
	}
}

#[test]
fn kept_contexts_should_make_room_for_adapters_in_use() {
	let w = world();
	for tag in 0..6 {
		w.answer(&w.ask(tag, CONTEXT, 4, None));
	}
	until("idleness", || w.engine.stats().running == 0);
	let (kv, _) = w.taken();
	assert!(
		kv > 2 * FLOOR,
		"prompts are kept where adapters need no room: {kv}"
	);
	// Four adapters at the same time, together more than their floor.
	w.fake.slow(Duration::from_millis(10));
	let requests: Vec<Request> = (8..12)
		.map(|at| w.ask(at as u32, 64, 48, Some(at)))
		.collect();
	let streams: Vec<TokenStream> = requests.iter().map(|request| w.submit(request)).collect();
	until("four answers at a time", || w.engine.stats().running == 4);
	let (kv, adapters) = w.taken();
	assert!(
		adapters > FLOOR && w.engine.adapters().len() == 4,
		"{adapters}"
	);
	assert!(adapters + kv <= TOTAL && kv >= FLOOR, "{adapters} {kv}");
	assert!(w.engine.stats().prefix_evictions > 0);
	for (request, stream) in requests.iter().zip(streams) {
		w.check(request, stream);
	}
}

#[test]
fn adapters_that_come_one_by_one_should_take_what_is_kept_for_nobody() {
	let w = world();
	for tag in 0..6 {
		w.answer(&w.ask(tag, CONTEXT, 4, None));
	}
	for round in 0..4 {
		for adapter in 0..w.adapters.len() {
			w.answer(&w.ask(100 + round, 8, 4, Some(adapter)));
		}
	}
	let (kv, adapters) = w.taken();
	assert!(adapters > FLOOR, "{adapters}");
	assert!(adapters + kv <= TOTAL && kv >= FLOOR, "{adapters} {kv}");
}

#[test]
fn a_flood_of_contexts_should_not_starve_an_adapter() {
	let w = world();
	w.fake.slow(Duration::from_millis(3));
	let flood: Vec<_> = (0..60)
		.map(|i| w.ask(i % 3, CONTEXT - 8 * (i as usize % 5), 8, None))
		.collect();
	let streams: Vec<_> = flood.iter().map(|request| w.submit(request)).collect();
	until("the flood", || w.engine.stats().begun > 3);
	// Each in turn, the largest too.
	for adapter in [11, 0, 5, 10] {
		w.answer(&w.ask(100, 16, 4, Some(adapter)));
	}
	assert!(w.engine.stats().waiting > 0, "the flood is not over yet");
	w.fake.slow(Duration::ZERO);
	for (request, stream) in flood.iter().zip(streams) {
		w.check(request, stream);
	}
}

#[test]
fn a_flood_of_adapters_should_not_starve_a_context() {
	let w = world();
	w.fake.slow(Duration::from_millis(3));
	let flood: Vec<_> = (0..400)
		.map(|i| w.ask(i % 5, 16, 4, Some(i as usize % 12)))
		.collect();
	let streams: Vec<_> = flood.iter().map(|request| w.submit(request)).collect();
	until("the flood", || w.engine.stats().begun > 3);
	w.answer(&w.ask(100, CONTEXT, 4, None));
	assert!(w.engine.stats().waiting > 0, "the flood is not over yet");
	w.fake.slow(Duration::ZERO);
	for (request, stream) in flood.iter().zip(streams) {
		w.check(request, stream);
	}
	let stats = w.engine.stats();
	assert!(stats.adapters.peak_bytes <= TOTAL - FLOOR, "{stats:?}");
}

#[test]
fn what_can_never_have_room_should_be_refused_at_once() {
	let w = world();
	let long = w.engine.submit(w.ask(1, CONTEXT + 1, 4, None)).unwrap_err();
	assert_eq!(long.code(), "prompt-too-long");
	// Pins have the adapters' floor at most, so that KV cannot be cut off for good.
	let pinned = w.adapters.iter().map(|(key, _)| w.engine.pin(key));
	let refused: Vec<_> = pinned
		.filter_map(Result::err)
		.map(|error| error.code())
		.collect();
	assert!(
		!refused.is_empty()
			&& refused
				.iter()
				.all(|code| *code == "adapter-pins-fill-budget")
	);
	assert!(w.engine.stats().adapters.pinned_bytes <= FLOOR);
	w.answer(&w.ask(2, CONTEXT, 4, None));
	let folder = tempfile::tempdir().unwrap();
	let config = EngineConfig {
		memory_budget: PAGE_BYTES,
		..EngineConfig::new(folder.path())
	};
	let model = small();
	let fake = Fake::with_pages_of(PAGE_BYTES, 1);
	let error = Engine::with_backend(Fake::base(&model), Box::new(fake), config).unwrap_err();
	assert!(error.to_string().contains("memory_budget"), "{error}");
}
