//! What the scheduler promises, on a backend that computes nothing and checks every page it is given.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
	collections::HashMap,
	time::{Duration, Instant},
};

use common::{small::*, *};
use openledger_engine::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// An engine of 4 rows and `pages` pages of KV.
fn world(pages: usize, adapters: usize, change: impl FnOnce(&mut EngineConfig)) -> World {
	World::new(Fake::new(pages), 1..adapters + 1, |folder| {
		let mut config = EngineConfig {
			max_batch: 4,
			max_context: 1024,
			kv_budget: pages,
			..EngineConfig::new(folder)
		};
		change(&mut config);
		config
	})
}

fn who(name: &str) -> Option<Tenant> {
	Some(Tenant::of(name))
}

/// A prompt of `length` tokens that begins with `tag`.
fn ask(tenant: &str, tag: u32, length: usize, max_tokens: usize) -> Request {
	Request {
		prompt: (0..length as u32).map(|i| (tag + i * i) % 256).collect(),
		max_tokens,
		tenant: who(tenant),
		..Default::default()
	}
}

impl World {
	fn submit(&self, request: &Request) -> TokenStream {
		self.engine.submit(request.clone()).unwrap()
	}

	/// Runs a request to its end and checks the answer.
	fn answer(&self, request: &Request) -> Completion {
		let done = self.submit(request).wait().unwrap();
		self.check(request, &done);
		done
	}

	fn check(&self, request: &Request, done: &Completion) {
		let adapter = request.adapter.map_or(0, |key| self.bytes(&key));
		let tokens = expected(&request.prompt, adapter, request.max_tokens);
		assert_eq!(done.ids, tokens);
		assert_eq!(done.prompt_tokens as usize, request.prompt.len());
		assert!(done.cached_tokens < done.prompt_tokens);
	}

	fn bytes(&self, key: &AdapterKey) -> usize {
		let adapter = self.adapters.iter().find(|(k, _)| k == key);
		adapter.unwrap().1
	}

	/// Waits until nothing runs, then checks that all memory is accounted for.
	fn settled(&self) {
		until("idleness", || {
			let stats = self.engine.stats();
			stats.running == 0 && stats.waiting == 0 && stats.kv_reserved == 0
		});
		let (live, kept, most) = self.fake.pages();
		let stats = self.engine.stats();
		assert_eq!(
			(live, stats.kv_bytes),
			(kept, 0),
			"only kept pages are left"
		);
		assert_eq!(stats.kv_cached, kept);
		assert!(most <= stats.kv_budget);
	}
}

#[test]
fn a_tenant_with_one_request_should_not_wait_for_anothers_thousand() {
	let w = world(4_000, 0, |config| {
		config.max_queue = 2_000;
		config.max_queue_per_tenant = 0;
	});
	w.fake.permit(Some(0));
	let flood: Vec<_> = (0..1_000)
		.map(|i| w.submit(&ask("flood", i % 200, 20, 8)))
		.collect();
	let modest = ask("modest", 255, 20, 8);
	let stream = w.submit(&modest);
	w.fake.permit(None);
	w.check(&modest, &stream.wait().unwrap());
	let log = w.fake.log();
	let last = log
		.iter()
		.rposition(|step| step.iter().any(|did| did.tag == 255));
	let read = log[..last.unwrap()].concat();
	let begun = read
		.iter()
		.filter(|did| did.position + did.tokens == 20)
		.count();
	assert!(
		begun < 40,
		"{begun} requests were begun before it had ended"
	);
	for stream in flood {
		assert_eq!(stream.wait().unwrap().ids.len(), 8);
	}
	w.settled();
}

#[test]
fn a_newcomer_should_not_wait_for_the_end_of_long_answers() {
	let w = world(4_000, 0, |_| ());
	w.fake.permit(Some(30));
	let flood: Vec<_> = (0..20)
		.map(|i| w.submit(&ask("flood", i, 20, 900)))
		.collect();
	until("thirty steps", || w.fake.log().len() == 30);
	let newcomer = ask("newcomer", 255, 20, 5);
	let stream = w.submit(&newcomer);
	w.fake.permit(None);
	w.check(&newcomer, &stream.wait().unwrap());
	let log = w.fake.log();
	let rows = |step: &Vec<Did>| step.iter().filter(|did| did.logits).count();
	assert!(
		log.iter().all(|step| rows(step) <= 5),
		"4 rows and one that has been read"
	);
	let own: Vec<usize> = (0..log.len())
		.filter(|step| log[*step].iter().any(|did| did.tag == 255))
		.collect();
	assert!(own[0] <= 33, "it began in step {}", own[0]);
	let gaps = own.windows(2).map(|pair| pair[1] - pair[0]);
	assert!(
		gaps.max().unwrap() <= 2,
		"it takes turns with the others: {own:?}"
	);
	drop(flood);
	w.settled();
}

#[test]
fn two_tenants_that_flood_should_be_served_alike_whatever_their_number_of_requests() {
	let w = world(4_000, 0, |config| {
		config.max_queue = 2_000;
		config.max_queue_per_tenant = 0;
	});
	w.fake.permit(Some(0));
	let submit = |tenant: &str, count: u32, length: usize, tokens: usize| -> Vec<TokenStream> {
		(0..count)
			.map(|i| w.submit(&ask(tenant, i % 250, length, tokens)))
			.collect()
	};
	let many = submit("many", 900, 10, 10);
	let few = submit("few", 60, 30, 60);
	w.fake.permit(Some(400));
	until("the steps", || w.fake.log().len() == 400);
	until("the counters", || {
		w.engine.tenants().iter().map(|t| t.tokens_out).sum::<u64>() > 1_000
	});
	let served = |tenant: &str| {
		let list = w.engine.tenants();
		let stats = list.iter().find(|t| Some(t.tenant) == who(tenant)).unwrap();
		(stats.tokens_in - stats.cached_tokens + 2 * stats.tokens_out) as f64
	};
	let (a, b) = (served("many"), served("few"));
	// Twice the most that a full batch can cost is the bound; see the property test of the counters.
	assert!((a - b).abs() <= 2.0 * 5.0 * (30.0 + 2.0 * 60.0), "{a} {b}");
	assert!(a / b > 0.6 && a / b < 1.6, "{a} {b}");
	drop((many, few));
	w.fake.permit(None);
	w.settled();
}

#[test]
fn a_full_queue_should_push_back_the_tenant_that_fills_it_first() {
	let w = world(100, 0, |config| {
		config.max_queue = 30;
		config.max_queue_per_tenant = 20;
	});
	let hold = Allowance::new(0);
	let submit = |tenant: &str| {
		w.engine.submit(Request {
			allowance: Some(hold.clone()),
			..ask(tenant, 1, 5, 2)
		})
	};
	let mut held: Vec<_> = (0..20).map(|_| submit("greedy").unwrap()).collect();
	let error = submit("greedy").unwrap_err();
	assert_eq!(error.code(), "tenant-queue-full");
	assert!(error.retry_after().unwrap() >= 1);
	held.extend((0..10).map(|_| submit("other").unwrap()));
	let error = submit("third").unwrap_err();
	assert_eq!(error.code(), "queue-full");
	assert!(error.to_string().contains("30 requests wait"), "{error}");
	assert_eq!(w.engine.stats().refused, 2);
	drop(held);
	until("an empty queue", || w.engine.stats().waiting == 0);
	submit("greedy").unwrap();
}

#[test]
fn a_deadline_should_end_a_request_wherever_it_is() {
	let w = world(100, 0, |_| ());
	let soon = || Some(Instant::now() + Duration::from_millis(60));
	// Unpaid, so it never begins, and nothing else wakes the scheduler.
	let unpaid = Request {
		allowance: Some(Allowance::new(0)),
		deadline: soon(),
		..ask("a", 1, 5, 2)
	};
	assert_eq!(w.submit(&unpaid).wait().unwrap_err(), EngineError::Deadline);
	// Begun, and then it is not paid any further.
	let stalled = Request {
		allowance: Some(Allowance::new(3)),
		deadline: soon(),
		..ask("a", 2, 5, 9)
	};
	let done = w.submit(&stalled).wait().unwrap();
	assert_eq!((done.reason, done.ids.len()), (FinishReason::Deadline, 3));
	// Decoding.
	w.fake.slow(Duration::from_millis(5));
	let long = Request {
		deadline: soon(),
		..ask("a", 3, 5, 500)
	};
	let done = w.submit(&long).wait().unwrap();
	assert_eq!(done.reason, FinishReason::Deadline);
	assert!(!done.ids.is_empty() && done.ids.len() < 100);
	// Reading: 100 tokens a step at most 256, so that takes a while only if it is slow.
	w.fake.slow(Duration::from_millis(100));
	let reading = Request {
		deadline: soon(),
		..ask("a", 4, 700, 2)
	};
	let done = w.submit(&reading).wait().unwrap();
	assert_eq!((done.reason, done.ids.len()), (FinishReason::Deadline, 0));
	w.fake.slow(Duration::ZERO);
	assert_eq!(w.engine.stats().deadlines, 4);
	// One that ends in time is not touched.
	let fine = Request {
		deadline: Some(Instant::now() + Duration::from_secs(60)),
		..ask("a", 5, 5, 3)
	};
	w.answer(&fine);
	w.settled();
}

#[test]
fn leaving_at_any_stage_should_free_kv_and_the_adapter_at_once() {
	// The budget holds one adapter; another waits for the first one's lease to end.
	let bytes = world(1, 2, |_| ()).adapters[1].1;
	let w = world(300, 2, |config| config.adapter_budget = bytes);
	let with = |adapter: usize, request: Request| Request {
		adapter: Some(w.adapters[adapter].0),
		..request
	};
	let allowance = |tokens: u32| Some(Allowance::new(tokens));

	// Decoding, with a lease.
	let decoding = Request {
		allowance: allowance(3),
		..with(1, ask("a", 1, 20, 50))
	};
	let mut decoding = w.submit(&decoding);
	for _ in 0..3 {
		decoding.next_blocking().unwrap();
	}
	// Loading: there is no room for its adapter until that lease ends.
	let loading = w.submit(&with(0, ask("b", 2, 20, 5)));
	until("a load that waits", || {
		w.engine.stats().adapters.misses == 2
	});
	assert_eq!(w.engine.stats().waiting, 1);
	drop(loading);
	until("the loading one to go", || w.engine.stats().waiting == 0);
	// Waiting for money.
	let waiting = w.submit(&Request {
		allowance: allowance(0),
		..ask("b", 3, 20, 5)
	});
	until("a waiting one", || w.engine.stats().waiting == 1);
	drop(waiting);
	until("the waiting one to go", || w.engine.stats().waiting == 0);
	// Prefilling.
	w.fake.permit(Some(2));
	let steps = w.fake.log().len();
	let prefilling = w.submit(&ask("b", 4, 900, 5));
	until("two steps", || w.fake.log().len() == steps + 2);
	drop(prefilling);
	w.fake.permit(None);
	until("the reading one to go", || w.engine.stats().running == 1);
	let positions = w
		.fake
		.log()
		.concat()
		.iter()
		.filter(|did| did.tag == 4)
		.count();
	assert!(positions <= 3, "it was read on after its client had left");

	drop(decoding);
	w.settled();
	assert_eq!(w.engine.stats().cancelled, 4);
	w.engine
		.unload(&w.adapters[1].0)
		.expect("its lease has ended");
	// And there is room for the other adapter now.
	w.answer(&with(0, ask("b", 5, 20, 5)));
}

#[test]
fn adapters_beyond_the_steps_cap_should_take_turns_and_starve_nobody() {
	let w = world(1_000, 4, |config| config.step_adapter_bytes = 1);
	for (key, _) in &w.adapters {
		w.engine.preload(key);
	}
	until("the loads", || w.engine.stats().adapters.loads == 4);
	w.fake.permit(Some(0));
	let streams: Vec<_> = (0..4)
		.map(|i| {
			let request = Request {
				adapter: Some(w.adapters[i].0),
				..ask("a", i as u32, 10, 30)
			};
			(w.submit(&request), request)
		})
		.collect();
	w.fake.permit(None);
	for (stream, request) in streams {
		w.check(&request, &stream.wait().unwrap());
	}
	let log = w.fake.log();
	let mut last: HashMap<usize, usize> = HashMap::new();
	let mut longest = 0;
	for (step, dids) in log.iter().enumerate() {
		let mut adapters: Vec<usize> = dids.iter().map(|did| did.adapter).collect();
		adapters.sort_unstable();
		adapters.dedup();
		assert!(
			adapters.len() <= 1,
			"one adapter takes part however large it is"
		);
		if let Some(before) = last.insert(adapters[0], step) {
			longest = longest.max(step - before);
		}
	}
	assert!(longest <= 5, "a row waited {longest} steps for its turn");
	w.settled();
}

#[test]
fn running_answers_should_get_a_token_in_every_step_while_long_prompts_are_read() {
	let w = world(1_000, 0, |config| config.prefix_cache = false);
	let running: Vec<_> = (0..3).map(|i| ask("a", i, 5, 60)).collect();
	w.fake.permit(Some(0));
	let streams: Vec<_> = running.iter().map(|request| w.submit(request)).collect();
	w.fake.permit(Some(6));
	until("six steps", || w.fake.log().len() == 6);
	let long = ask("b", 200, 1_000, 2);
	let reading = w.submit(&long);
	w.fake.permit(None);
	w.check(&long, &reading.wait().unwrap());
	for (request, stream) in running.iter().zip(streams) {
		w.check(request, &stream.wait().unwrap());
	}
	let log = w.fake.log();
	let chunks: Vec<&Vec<Did>> = log
		.iter()
		.filter(|step| step.iter().any(|did| did.tag == 200 && did.tokens > 1))
		.collect();
	assert!(
		chunks.len() >= 4,
		"1,000 tokens are cut into chunks of 256 at most"
	);
	for step in &chunks[..4] {
		assert_eq!(step.iter().filter(|did| did.tag < 3).count(), 3, "{step:?}");
	}
}

#[test]
fn a_large_request_should_not_starve_behind_small_ones() {
	let w = world(40, 0, |config| config.prefix_cache = false);
	w.fake.permit(Some(20));
	let mut small: Vec<_> = (0..30).map(|i| w.submit(&ask("a", i, 10, 20))).collect();
	until("steps", || w.fake.log().len() == 20);
	// It needs all the KV there is.
	let large = ask("b", 200, 200, 40 * PAGE - 200);
	let stream = w.submit(&large);
	small.extend((0..200).map(|i| w.submit(&ask(["a", "c"][i % 2], i as u32 % 100, 10, 20))));
	w.fake.permit(None);
	w.check(&large, &stream.wait().unwrap());
	let log = w.fake.log();
	let last = log
		.iter()
		.rposition(|step| step.iter().any(|did| did.tag == 200));
	let begun = log[..last.unwrap()].concat();
	let begun = begun.iter().filter(|did| did.position == 0).count();
	assert!(
		begun < 20,
		"{begun} requests were begun before it had ended"
	);
	for stream in small {
		stream.wait().unwrap();
	}
	w.settled();
}

#[test]
fn cold_adapters_of_one_tenant_should_not_hold_up_anothers() {
	let w = world(4_000, 60, |_| ());
	w.fake.slow(Duration::from_millis(3));
	let with = |adapter: usize, tenant: &str| Request {
		adapter: Some(w.adapters[adapter].0),
		..ask(tenant, adapter as u32, 10, 2)
	};
	let flood: Vec<_> = (0..59).map(|i| w.submit(&with(i, "flood"))).collect();
	w.answer(&with(59, "modest"));
	let loads = w.engine.stats().adapters.loads;
	assert!(
		loads < 45,
		"{loads} adapters were loaded before it was answered"
	);
	for stream in flood {
		stream.wait().unwrap();
	}
}

#[test]
fn a_prompt_that_was_computed_before_should_be_found_again() {
	let w = world(400, 0, |_| ());
	let first = ask("a", 1, 50, 30);
	let done = w.answer(&first);
	assert_eq!(done.cached_tokens, 0);
	let again = w.answer(&first);
	// The last token is computed in any case, and only whole pages are kept.
	assert_eq!(again.cached_tokens, 48);
	// The next turn of the conversation: question, answer, question. The answer's KV is there too, but for its last
	// token, which was given out and never computed.
	let mut next = ask("a", 0, 0, 10);
	next.prompt = [first.prompt.clone(), done.ids, vec![9; 20]].concat();
	assert_eq!(w.answer(&next).cached_tokens, 72);
	let stats = w.engine.stats();
	assert_eq!(stats.tokens_in, 50 + 50 + 100);
	assert_eq!(stats.cached_tokens, 48 + 72);
	let mine = w.engine.tenants()[0];
	assert_eq!((mine.requests, mine.tokens_in), (3, 200));
	assert_eq!((mine.cached_tokens, mine.tokens_out), (120, 70));
	// A prompt of whole pages computes its last page again.
	let whole = ask("a", 1, 48, 1);
	assert_eq!(w.answer(&whole).cached_tokens, 40);
	w.settled();
}

#[test]
fn kv_should_never_be_shared_between_tenants_adapters_or_versions() {
	let w = world(2_000, 2, |_| ());
	let adapters = [None, Some(w.adapters[0].0), Some(w.adapters[1].0)];
	let tenants = [None, who("a"), who("b")];
	for round in 0..2 {
		for adapter in adapters {
			for tenant in tenants {
				let request = Request {
					adapter,
					tenant,
					..ask("", 1, 60, 3)
				};
				let cached = w.answer(&request).cached_tokens;
				assert_eq!(cached, if round == 0 { 0 } else { 56 }, "{tenant:?}");
			}
		}
	}
	// Two versions of one adapter: the same weights' file, another configuration; and the other way round.
	let adapter = RandomAdapter::new(w.engine.model(), 1, 1, &["q_proj"], 0.1);
	let mut files = adapter.files();
	files.config.push(b' ');
	let other_config = w.engine.store().insert(&files).unwrap();
	assert_eq!(other_config.weights, w.adapters[0].0.weights);
	let adapter = RandomAdapter::new(w.engine.model(), 99, 1, &["q_proj"], 0.1);
	let other_weights = w.engine.store().insert(&adapter.files()).unwrap();
	assert_eq!(other_weights.config, w.adapters[0].0.config);
	for version in [other_config, other_weights] {
		let request = Request {
			adapter: Some(version),
			..ask("a", 1, 60, 3)
		};
		let done = w.submit(&request).wait().unwrap();
		assert_eq!(done.cached_tokens, 0);
	}
	w.settled();
}

#[test]
fn equal_prompts_at_the_same_time_should_be_computed_once() {
	let w = world(1_000, 0, |_| ());
	w.fake.permit(Some(0));
	let same = ask("a", 1, 600, 4);
	let streams: Vec<_> = (0..4).map(|_| w.submit(&same)).collect();
	w.fake.permit(None);
	let mut cached = 0;
	for stream in streams {
		let done = stream.wait().unwrap();
		w.check(&same, &done);
		cached += done.cached_tokens;
	}
	assert!(
		cached >= 3 * 300,
		"{cached} tokens of three further prompts were found"
	);
	w.settled();
}

#[test]
fn kept_pages_should_make_room_and_the_oldest_first() {
	// Room for four requests of ten pages.
	let w = world(40, 0, |_| ());
	let request = |i: u32| ask("a", i, 72, 8);
	for i in 0..4 {
		w.answer(&request(i));
	}
	w.settled();
	// Each has filled nine pages with its prompt.
	assert_eq!(w.engine.stats().kv_cached, 36);
	assert_eq!(w.answer(&request(0)).cached_tokens, 64);
	let before = w.engine.stats().prefix_evictions;
	w.answer(&request(9));
	assert!(w.engine.stats().prefix_evictions > before);
	assert_eq!(
		w.answer(&request(0)).cached_tokens,
		64,
		"it was used lately"
	);
	assert!(w.answer(&request(1)).cached_tokens < 64, "it was not");
	// One that needs all of it gets all of it.
	w.answer(&ask("b", 77, 300, 20));
	w.settled();
	let off = world(40, 0, |config| config.prefix_cache = false);
	off.answer(&request(0));
	assert_eq!(off.answer(&request(0)).cached_tokens, 0);
	off.settled();
	assert_eq!(off.fake.pages().0, 0);
}

#[test]
fn random_traffic_should_be_answered_right_within_the_budget() {
	for seed in 0..12u64 {
		let mut rng = ChaCha8Rng::seed_from_u64(seed);
		let pages = rng.random_range(30..120);
		let w = world(pages, 3, |config| {
			config.max_queue = 10_000;
			config.max_queue_per_tenant = 0;
			config.max_batch = rng.random_range(1..7);
			config.step_adapter_bytes = rng.random_range(0..2) * 1_600;
			config.adapter_budget = rng.random_range(1_600..4_000);
		});
		let mut streams: Vec<(TokenStream, Request, Option<usize>)> = Vec::new();
		let mut answered = 0;
		for _ in 0..250 {
			// Few openings, so that many prompts begin alike; any length up to all the KV there is.
			let length = rng.random_range(1..pages * PAGE / 2);
			let opening = rng.random_range(0..3);
			let mut request = ask("", opening, length, rng.random_range(1..60));
			if rng.random_ratio(1, 3) {
				let at = rng.random_range(0..length);
				request.prompt[at] = rng.random_range(0..256);
			}
			request.max_tokens = request.max_tokens.min(pages * PAGE - length);
			request.tenant = [None, who("a"), who("b")][rng.random_range(0..3)];
			let adapter = rng.random_range(0..5);
			request.adapter = w.adapters.get(adapter).map(|(key, _)| *key);
			let leaves = rng.random_ratio(1, 4).then(|| rng.random_range(0..4));
			streams.push((w.submit(&request), request, leaves));
			if rng.random_ratio(1, 3) {
				let at = rng.random_range(0..streams.len());
				let (mut stream, request, leaves) = streams.swap_remove(at);
				match leaves {
					Some(tokens) => {
						for _ in 0..tokens {
							stream.next_blocking();
						}
					}
					None => {
						w.check(&request, &stream.wait().unwrap());
						answered += 1;
					}
				}
			}
		}
		for (stream, request, leaves) in streams {
			if leaves.is_none() {
				w.check(&request, &stream.wait().unwrap());
				answered += 1;
			}
		}
		w.settled();
		let stats = w.engine.stats();
		assert!(
			answered > 100 && stats.cached_tokens > 0 && stats.failed == 0,
			"{stats:?}"
		);
		assert!(w.fake.log().len() > 100);
		for (key, _) in &w.adapters {
			until("no lease", || w.engine.unload(key).is_ok());
		}
	}
}

#[test]
fn two_hundred_streams_should_be_held_at_once() {
	let w = world(1_000, 3, |config| config.max_batch = 32);
	w.fake.slow(Duration::from_micros(200));
	let requests: Vec<Request> = (0..200)
		.map(|i| Request {
			adapter: w.adapters.get(i % 4).map(|(key, _)| *key),
			..ask(["a", "b", "c"][i % 3], i as u32, 10 + i % 50, 20)
		})
		.collect();
	let streams: Vec<_> = requests.iter().map(|request| w.submit(request)).collect();
	let stats = w.engine.stats();
	assert!(stats.running + stats.waiting > 150, "{stats:?}");
	for (request, stream) in requests.iter().zip(streams) {
		w.check(request, &stream.wait().unwrap());
	}
	let stats = w.engine.stats();
	assert_eq!((stats.begun, stats.failed, stats.refused), (200, 0, 0));
	assert!(stats.queue_time > Duration::ZERO);
	w.settled();
}

#[test]
fn a_step_that_fails_or_panics_should_cost_its_batch_and_nothing_else() {
	let w = world(200, 1, |_| ());
	let kept = ask("a", 1, 40, 4);
	w.answer(&kept);
	w.fake.slow(Duration::from_millis(1));
	for trouble in [Trouble::Error, Trouble::Panic] {
		let adapter = Some(w.adapters[0].0);
		let streams = [
			w.submit(&ask("a", 1, 40, 400)),
			w.submit(&ask("b", 2, 100, 400)),
			w.submit(&Request {
				adapter,
				..ask("c", 3, 30, 400)
			}),
		];
		until("all to run", || w.engine.stats().running == 3);
		let unpaid = Request {
			allowance: Some(Allowance::new(0)),
			..ask("a", 4, 30, 3)
		};
		let waiting = w.submit(&unpaid);
		w.fake.trouble(trouble);
		for stream in streams {
			assert_eq!(stream.wait().unwrap_err().code(), "backend");
		}
		// Whoever waited, and whoever comes, is served; what was kept is still right.
		unpaid.allowance.as_ref().unwrap().raise(9);
		w.check(&unpaid, &waiting.wait().unwrap());
		assert!(w.answer(&kept).cached_tokens > 0);
		w.settled();
	}
	assert_eq!(w.engine.stats().failed, 6);
}
