//! The prefix cache on the processor's backend: what it saves must not be seen in any result.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

use common::{small::*, *};
use openledger_engine::{
	backend::{Backend, BatchItem, PageId, SequenceId},
	cpu::CpuBackend,
	*,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn backend() -> CpuBackend {
	let model = small();
	CpuBackend::new(&model.config, model.weights, 1024, 1).unwrap()
}

fn item(sequence: SequenceId, position: usize, tokens: &[u32]) -> BatchItem {
	BatchItem {
		sequence,
		tokens: tokens.to_vec(),
		position,
		adapter: None,
		logits: true,
	}
}

/// The logits after these tokens, computed in one step of a new sequence.
fn plainly(backend: &mut CpuBackend, tokens: &[u32]) -> Vec<f32> {
	let id = backend.open();
	let mut logits = Vec::new();
	backend.step(&[item(id, 0, tokens)], &mut logits).unwrap();
	backend.close(id);
	logits
}

/// A sequence of the model that the test keeps beside the backend.
struct Model {
	id: SequenceId,
	tokens: Vec<u32>,
	/// Which physical page each of its pages is.
	pages: Vec<u64>,
}

#[test]
fn a_page_should_never_be_reused_or_changed_while_somebody_has_it() {
	for seed in 0..4u64 {
		let mut rng = ChaCha8Rng::seed_from_u64(seed);
		let (mut shared, mut plain) = (backend(), backend());
		let page_tokens = shared.page_tokens();
		let mut sequences: Vec<Model> = Vec::new();
		// Kept page → the tokens up to its end, and which physical page it is.
		let mut kept: BTreeMap<PageId, (Vec<u32>, u64)> = BTreeMap::new();
		let mut next = 0u64;
		let mut begun_with_shared = 0;
		for _ in 0..250 {
			match rng.random_range(0..10) {
				0 | 1 => {
					// A new sequence, on the longest chain of kept pages that some kept page ends.
					let mut model = Model {
						id: shared.open(),
						tokens: Vec::new(),
						pages: Vec::new(),
					};
					let wanted = kept.values().map(|(tokens, _)| tokens.clone());
					let wanted = wanted
						.max_by_key(|_| rng.random::<u32>())
						.unwrap_or_default();
					for end in (page_tokens..=wanted.len()).step_by(page_tokens) {
						let found = kept
							.iter()
							.find(|(_, (tokens, _))| *tokens == wanted[..end]);
						let Some((page, (_, physical))) = found else {
							break;
						};
						shared
							.share(model.id, end / page_tokens - 1, *page)
							.unwrap();
						model.tokens = wanted[..end].to_vec();
						model.pages.push(*physical);
						begun_with_shared += 1;
					}
					sequences.push(model);
				}
				2..=5 if !sequences.is_empty() => {
					// Several sequences compute a few tokens each in one step.
					let mut batch = Vec::new();
					for model in &mut sequences {
						if rng.random() && model.tokens.len() < 400 {
							let fresh: Vec<u32> = (0..rng.random_range(1..50))
								.map(|_| rng.random_range(0..VOCABULARY as u32))
								.collect();
							batch.push(item(model.id, model.tokens.len(), &fresh));
							model.tokens.extend(&fresh);
							while model.pages.len() * page_tokens < model.tokens.len() {
								model.pages.push(next);
								next += 1;
							}
						}
					}
					if batch.is_empty() {
						continue;
					}
					let mut logits = Vec::new();
					shared.step(&batch, &mut logits).unwrap();
					for (item, row) in batch.iter().zip(logits.chunks_exact(VOCABULARY)) {
						let model = sequences.iter().find(|m| m.id == item.sequence).unwrap();
						assert_eq!(row, plainly(&mut plain, &model.tokens), "the same bits");
					}
				}
				6 | 7 if !sequences.is_empty() => {
					let model = &sequences[rng.random_range(0..sequences.len())];
					let whole = model.tokens.len() / page_tokens;
					for index in 0..whole {
						if kept
							.values()
							.filter(|(_, page)| *page == model.pages[index])
							.count() < 2
						{
							let page = shared.keep(model.id, index).unwrap();
							let tokens = model.tokens[..(index + 1) * page_tokens].to_vec();
							kept.insert(page, (tokens, model.pages[index]));
						}
					}
				}
				8 if !sequences.is_empty() => {
					let model = sequences.swap_remove(rng.random_range(0..sequences.len()));
					shared.close(model.id);
				}
				_ => {
					let page = kept.keys().copied().max_by_key(|_| rng.random::<u32>());
					if let Some(page) = page {
						shared.drop_page(page);
						kept.remove(&page);
					}
				}
			}
			let live: BTreeSet<u64> = sequences
				.iter()
				.flat_map(|model| &model.pages)
				.chain(kept.values().map(|(_, physical)| physical))
				.copied()
				.collect();
			assert_eq!(shared.kv_bytes(), live.len() * shared.page_bytes());
		}
		assert!(begun_with_shared > 5, "hardly anything was shared");
		for model in &sequences {
			shared.close(model.id);
		}
		for page in kept.keys() {
			shared.drop_page(*page);
		}
		assert_eq!(shared.kv_bytes(), 0);
	}
}

#[test]
fn wrong_uses_of_pages_should_be_refused_by_name() {
	let mut backend = backend();
	let page_tokens = backend.page_tokens();
	let tokens = vec![1; page_tokens];
	let (id, mut logits) = (backend.open(), Vec::new());
	let code = |outcome: Result<(), EngineError>| outcome.unwrap_err().code();
	assert_eq!(code(backend.keep(id, 0).map(|_| ())), "backend");
	backend.step(&[item(id, 0, &tokens)], &mut logits).unwrap();
	let page = backend.keep(id, 0).unwrap();
	// Written again it would change under whoever shares it.
	assert_eq!(
		code(backend.step(&[item(id, 3, &[1])], &mut logits)),
		"backend"
	);
	let other = backend.open();
	assert_eq!(code(backend.share(other, 1, page)), "backend", "a gap");
	backend.share(other, 0, page).unwrap();
	backend.drop_page(page);
	backend.drop_page(page);
	assert_eq!(
		code(backend.share(other, 1, page)),
		"backend",
		"not kept any more"
	);
	assert_eq!(
		code(backend.step(&[item(other, 3, &[1])], &mut logits)),
		"backend"
	);
	backend.close(id);
	assert_eq!(code(backend.share(id, 0, page)), "backend");
	// The last owner may do what it likes.
	backend.step(&[item(other, 3, &[1])], &mut logits).unwrap();
	assert_eq!(backend.kv_bytes(), backend.page_bytes());
}

struct World {
	engine: Engine,
	adapters: Vec<AdapterKey>,
	_folder: tempfile::TempDir,
}

/// Adapters 0 and 1 are two versions of one adapter: as large, other values.
fn world(change: impl FnOnce(&mut EngineConfig)) -> World {
	let folder = tempfile::tempdir().unwrap();
	let model = small();
	let store = AdapterStore::open(folder.path()).unwrap();
	let adapters = [(1, 4), (2, 4), (3, 2)]
		.map(|(seed, rank)| {
			let adapter = RandomAdapter::new(&model.config, seed, rank, &ALL_MODULES, 0.3);
			store.insert(&adapter.files()).unwrap()
		})
		.to_vec();
	let mut config = EngineConfig {
		max_batch: 8,
		threads: 2,
		..EngineConfig::new(folder.path())
	};
	change(&mut config);
	World {
		engine: Engine::new(model, config).unwrap(),
		adapters,
		_folder: folder,
	}
}

/// Conversations whose turns begin alike, of several tenants and adapters.
fn traffic(adapters: &[AdapterKey]) -> Vec<Request> {
	let mut rng = ChaCha8Rng::seed_from_u64(5);
	let opening: Vec<u32> = (0..300).map(|_| rng.random_range(0..256)).collect();
	(0..60u64)
		.map(|i| {
			let mut prompt = opening[..rng.random_range(20..300)].to_vec();
			prompt.extend((0..rng.random_range(1..20)).map(|_| rng.random_range(0..256u32)));
			Request {
				prompt,
				adapter: adapters.get(rng.random_range(0..4)).copied(),
				sampling: Sampling {
					temperature: (i % 2) as f32,
					seed: Some(i),
					..Default::default()
				},
				max_tokens: rng.random_range(1..50),
				tenant: [None, Some(Tenant::of("a"))][rng.random_range(0..2)],
				..Default::default()
			}
		})
		.collect()
}

#[test]
fn answers_should_be_the_same_with_and_without_the_prefix_cache() {
	let on = world(|_| ());
	let off = world(|config| config.prefix_cache = false);
	assert_eq!(on.adapters, off.adapters);
	let requests = traffic(&on.adapters);
	let alone: Vec<Completion> = requests
		.iter()
		.map(|request| off.engine.submit(request.clone()).unwrap().wait().unwrap())
		.collect();
	assert!(alone.iter().all(|done| done.cached_tokens == 0));
	// In order, so that much is found; then all at once, with the cache warm.
	for together in [false, true] {
		let mut done: Vec<Completion> = Vec::new();
		if together {
			let streams: Vec<_> = requests
				.iter()
				.map(|request| on.engine.submit(request.clone()).unwrap())
				.collect();
			done.extend(streams.into_iter().map(|stream| stream.wait().unwrap()));
		} else {
			let wait = |request: &Request| on.engine.submit(request.clone()).unwrap().wait();
			done.extend(requests.iter().map(|request| wait(request).unwrap()));
		}
		let cached: u32 = done.iter().map(|done| done.cached_tokens).sum();
		assert!(cached > 2_000, "{cached}");
		for (i, (with, without)) in done.iter().zip(&alone).enumerate() {
			assert_eq!(
				(&with.ids, &with.text),
				(&without.ids, &without.text),
				"request {i}"
			);
		}
	}
}

#[test]
fn versions_of_an_adapter_should_answer_as_if_the_other_had_never_run() {
	let requests = |w: &World| -> Vec<Request> {
		let prompt: Vec<u32> = (0..200u32).map(|i| i * 7 % 256).collect();
		[Some(w.adapters[0]), Some(w.adapters[1]), None]
			.map(|adapter| Request {
				prompt: prompt.clone(),
				adapter,
				max_tokens: 40,
				..Default::default()
			})
			.to_vec()
	};
	let w = world(|_| ());
	let done: Vec<Completion> = requests(&w)
		.into_iter()
		.map(|request| w.engine.submit(request).unwrap().wait().unwrap())
		.collect();
	for (i, done) in done.iter().enumerate() {
		assert_eq!(done.cached_tokens, 0, "nothing of the others is used");
		// A new engine that has seen nothing else says the same.
		let fresh = world(|_| ());
		let request = requests(&fresh).swap_remove(i);
		let alone = fresh.engine.submit(request).unwrap().wait().unwrap();
		assert_eq!(done, &alone);
	}
	assert!(done[0].ids != done[1].ids && done[1].ids != done[2].ids);
}

#[test]
fn two_hundred_streams_should_be_held_within_the_budget_of_kv() {
	// Room for about a dozen of them at a time.
	let page = backend().page_bytes();
	let w = world(|config| {
		config.max_batch = 16;
		config.kv_budget = 40 * page;
	});
	let requests = traffic(&w.adapters);
	let streams: Vec<_> = (0..200)
		.map(|i| {
			let request = Request {
				tenant: Some(Tenant::of([i as u8 % 7])),
				..requests[i % requests.len()].clone()
			};
			w.engine.submit(request).unwrap()
		})
		.collect();
	let mut answers: Vec<Arc<Completion>> = Vec::new();
	for (i, stream) in streams.into_iter().enumerate() {
		let done = Arc::new(stream.wait().unwrap());
		if let Some(first) = answers.get(i % requests.len()) {
			assert_eq!(done.ids, first.ids);
		}
		answers.push(done);
	}
	let stats = w.engine.stats();
	assert_eq!((stats.begun, stats.failed, stats.refused), (200, 0, 0));
	assert!(stats.kv_cached + stats.kv_bytes <= 40 * page, "{stats:?}");
	assert!(
		stats.prefix_evictions > 0 && stats.cached_tokens > 0,
		"{stats:?}"
	);
}
