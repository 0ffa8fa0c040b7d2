//! Requests through a running engine on the real model.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
	sync::{Mutex, MutexGuard, OnceLock},
	time::Duration,
};

use common::*;
use futures::StreamExt;
use openledger_engine::*;

struct Fixture {
	engine: Engine,
	adapters: Vec<AdapterKey>,
	bytes: usize,
	_folder: tempfile::TempDir,
}

/// One engine for all tests of this file, one test at a time: several of them watch its counters.
fn fixture() -> (MutexGuard<'static, ()>, &'static Fixture) {
	static TURN: Mutex<()> = Mutex::new(());
	static FIXTURE: OnceLock<Fixture> = OnceLock::new();
	let turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
	let fixture = FIXTURE.get_or_init(|| {
		let folder = tempfile::tempdir().unwrap();
		let model = model();
		let store = AdapterStore::open(folder.path().join("store")).unwrap();
		let config = model.config.clone();
		let mut bytes = 0;
		let adapters = (0..6)
			.map(|i| {
				let modules: &[&str] = if i % 2 == 0 {
					&ALL_MODULES
				} else {
					&["q_proj", "v_proj"]
				};
				let adapter = RandomAdapter::new(&config, 100 + i, 4, modules, 0.03);
				let files = adapter.files();
				bytes = bytes.max(LoraWeights::needed(&files.weights).unwrap());
				store.insert(&files).unwrap()
			})
			.collect();
		let config = EngineConfig {
			max_batch: 8,
			max_context: 512,
			kv_budget: 256 << 20,
			// Two of the large ones and not more.
			adapter_budget: bytes * 5 / 2,
			max_queue: 40,
			threads: 2,
			..EngineConfig::new(folder.path().join("store"))
		};
		Fixture {
			engine: Engine::new(model, config).unwrap(),
			adapters,
			bytes,
			_folder: folder,
		}
	});
	(turn, fixture)
}

fn request(engine: &Engine, text: &str, adapter: Option<AdapterKey>, max_tokens: usize) -> Request {
	Request {
		prompt: chat(engine, text),
		adapter,
		max_tokens,
		..Default::default()
	}
}

const CAPITAL: &str = "What is the capital of France? Answer in one sentence.";

#[test]
fn greedy_should_answer_as_the_other_engines_do() {
	let (_turn, f) = fixture();
	let before = f.engine.stats();
	let done = f
		.engine
		.submit(request(&f.engine, CAPITAL, None, 40))
		.unwrap()
		.wait()
		.unwrap();
	assert_eq!(done.text, "The capital of France is Paris.");
	assert_eq!(done.reason, FinishReason::Stop);
	assert_eq!(done.completion_tokens as usize, done.ids.len());
	let after = f.engine.stats();
	assert_eq!(
		after.tokens_out - before.tokens_out,
		u64::from(done.completion_tokens)
	);
	assert_eq!(
		after.tokens_in - before.tokens_in,
		u64::from(done.prompt_tokens)
	);
	assert_eq!(done.prompt_tokens as usize, chat(&f.engine, CAPITAL).len());
	assert_eq!(done.ids.last(), Some(&2), "the end token is counted");
}

#[test]
fn adapters_in_one_batch_should_give_the_same_text_as_alone() {
	let (_turn, f) = fixture();
	let ask = |i: usize| {
		let adapter = [
			None,
			Some(f.adapters[0]),
			Some(f.adapters[1]),
			Some(f.adapters[3]),
		][i % 4];
		let mut request = request(&f.engine, "Tell me about rivers.", adapter, 24 + i);
		if i >= 4 {
			request.sampling = Sampling {
				temperature: 0.9,
				top_p: Some(0.95),
				seed: Some(i as u64),
				..Sampling::default()
			};
		}
		request
	};
	let alone: Vec<Completion> = (0..8)
		.map(|i| f.engine.submit(ask(i)).unwrap().wait().unwrap())
		.collect();
	let steps = f.engine.stats().steps;
	let streams: Vec<_> = (0..8).map(|i| f.engine.submit(ask(i)).unwrap()).collect();
	let together: Vec<Completion> = streams.into_iter().map(|s| s.wait().unwrap()).collect();
	let answers = |list: &[Completion]| -> Vec<(String, Vec<u32>, FinishReason)> {
		list.iter()
			.map(|c| (c.text.clone(), c.ids.clone(), c.reason))
			.collect()
	};
	assert_eq!(answers(&alone), answers(&together));
	assert!(alone[0].text != alone[1].text && alone[1].text != alone[2].text);
	assert!(
		f.engine.stats().steps - steps < 100,
		"they must have shared steps"
	);
}

#[test]
fn streams_should_carry_the_whole_text_in_whole_characters() {
	let (_turn, f) = fixture();
	let text = "Write the words for love in Japanese, Russian and Hindi, and three emoji.";
	let mut request = request(&f.engine, text, None, 60);
	request.sampling = Sampling {
		temperature: 1.3,
		seed: Some(5),
		..Default::default()
	};
	let mut stream = f.engine.submit(request).unwrap();
	let (mut text, mut ids) = (String::new(), Vec::new());
	let reason = futures::executor::block_on(async {
		loop {
			match stream.next().await.unwrap() {
				StreamEvent::Token {
					id, text: piece, ..
				} => {
					ids.push(id);
					text.push_str(&piece);
				}
				StreamEvent::Finished {
					reason,
					completion_tokens,
					..
				} => {
					assert_eq!(completion_tokens as usize, ids.len());
					assert!(stream.next().await.is_none());
					return reason;
				}
				other => panic!("{other:?}"),
			}
		}
	});
	assert!(matches!(reason, FinishReason::Length | FinishReason::Stop));
	assert_eq!(text, f.engine.tokenizer().decode(&ids).unwrap());
}

#[test]
fn stop_texts_should_end_the_answer_before_themselves() {
	let (_turn, f) = fixture();
	let mut request = request(&f.engine, CAPITAL, None, 40);
	request.stop = vec!["of Fra".into()];
	let done = f.engine.submit(request).unwrap().wait().unwrap();
	assert_eq!(
		(done.text.as_str(), done.reason),
		("The capital ", FinishReason::Stop)
	);
}

#[test]
fn max_tokens_should_end_the_answer() {
	let (_turn, f) = fixture();
	let done = f
		.engine
		.submit(request(&f.engine, CAPITAL, None, 3))
		.unwrap()
		.wait()
		.unwrap();
	assert_eq!(
		(done.text.as_str(), done.reason),
		("The capital of", FinishReason::Length)
	);
}

#[test]
fn an_allowance_should_stop_and_resume_a_sequence() {
	let (_turn, f) = fixture();
	let allowance = Allowance::new(0);
	let mut paid = request(&f.engine, CAPITAL, None, 40);
	paid.allowance = Some(allowance.clone());
	let read = f.engine.stats().tokens_in;
	let mut stream = f.engine.submit(paid).unwrap();
	// Others are served meanwhile, and nothing of the unpaid prompt is computed.
	let other = request(&f.engine, CAPITAL, None, 2);
	let length = other.prompt.len() as u64;
	f.engine.submit(other).unwrap().wait().unwrap();
	assert_eq!(f.engine.stats().tokens_in - read, length);
	let mut text = String::new();
	let mut count = 0;
	let mut take = |n: usize, stream: &mut TokenStream| {
		for _ in 0..n {
			match stream.next_blocking().unwrap() {
				StreamEvent::Token { text: piece, .. } => text.push_str(&piece),
				event => panic!("{event:?}"),
			}
		}
		text.clone()
	};
	for step in [2u32, 5] {
		allowance.raise(step);
		let now = take(step as usize - count, &mut stream);
		count = step as usize;
		let out = f.engine.stats().tokens_out;
		std::thread::sleep(Duration::from_millis(120));
		assert_eq!(
			f.engine.stats().tokens_out,
			out,
			"no token beyond the allowance"
		);
		assert!("The capital of France is Paris.".starts_with(&now));
	}
	allowance.raise(3);
	assert_eq!(allowance.get(), 5, "an allowance is never lowered");
	allowance.raise(100);
	let done = stream.wait().unwrap();
	assert_eq!(text + &done.text, "The capital of France is Paris.");
}

#[test]
fn dropping_a_stream_should_free_its_kv_at_once() {
	let (_turn, f) = fixture();
	until("idleness", || f.engine.stats().running == 0);
	assert_eq!(f.engine.stats().kv_bytes, 0);
	let allowance = Allowance::new(3);
	let mut stalled = request(&f.engine, CAPITAL, Some(f.adapters[0]), 100);
	stalled.allowance = Some(allowance);
	let mut stream = f.engine.submit(stalled).unwrap();
	stream.next_blocking().unwrap();
	until("running", || {
		f.engine.stats().kv_bytes > 0 && f.engine.stats().kv_reserved > 0
	});
	drop(stream);
	until("release", || {
		let stats = f.engine.stats();
		stats.kv_bytes == 0 && stats.kv_reserved == 0 && stats.running == 0
	});
}

#[test]
fn eviction_during_traffic_should_break_nothing_and_keep_the_budget() {
	let (_turn, f) = fixture();
	let ask = |i: usize| {
		let adapter = f.adapters[i % f.adapters.len()];
		f.engine
			.submit(request(
				&f.engine,
				"Name a fruit.",
				Some(adapter),
				6 + i % 5,
			))
			.unwrap()
	};
	let before = f.engine.stats().adapters;
	let first: Vec<_> = (0..24).map(ask).collect();
	let first: Vec<_> = first.into_iter().map(|s| s.wait().unwrap()).collect();
	let second: Vec<_> = (0..24).map(ask).collect();
	for (a, b) in first.iter().zip(second) {
		assert_eq!(a.text, b.wait().unwrap().text);
	}
	let after = f.engine.stats().adapters;
	assert!(after.evictions > before.evictions, "{after:?}");
	assert!(after.peak_bytes <= f.bytes * 5 / 2, "{after:?}");
	assert_eq!(after.hits + after.misses - before.hits - before.misses, 48);
	assert_eq!(
		f.engine
			.adapters()
			.iter()
			.map(|(_, bytes)| bytes)
			.sum::<usize>(),
		after.bytes
	);
	assert_eq!(after.failures, before.failures);
}

/// Makes sure that pins of a test that failed do not fail the next one.
struct Unpin<'a>(&'a Fixture);

impl Drop for Unpin<'_> {
	fn drop(&mut self) {
		for key in self.0.engine.pinned() {
			self.0.engine.unpin(&key);
		}
	}
}

#[test]
fn pinned_adapter_should_never_be_evicted() {
	let (_turn, f) = fixture();
	let _unpin = Unpin(f);
	let pinned = f.adapters[0];
	f.engine.pin(&pinned).unwrap();
	f.engine.pin(&pinned).unwrap();
	assert_eq!(f.engine.pinned(), [pinned], "twice is once");
	let before = f.engine.stats().adapters;
	assert!(before.pinned_bytes > 0 && before.pinned_bytes <= before.bytes);
	let traffic: Vec<_> = (0..15)
		.map(|i| {
			let adapter = Some(f.adapters[1 + i % 5]);
			f.engine
				.submit(request(&f.engine, "Name a fruit.", adapter, 4))
				.unwrap()
		})
		.collect();
	for stream in traffic {
		stream.wait().unwrap();
	}
	let after = f.engine.stats().adapters;
	assert!(after.evictions > before.evictions, "{after:?}");
	assert!(f.engine.adapters().iter().any(|(key, _)| *key == pinned));
	let ask = request(&f.engine, "Name a fruit.", Some(pinned), 4);
	f.engine.submit(ask).unwrap().wait().unwrap();
	let last = f.engine.stats().adapters;
	assert_eq!((last.hits, last.misses), (after.hits + 1, after.misses));
	f.engine.unpin(&pinned);
	assert_eq!(f.engine.stats().adapters.pinned_bytes, 0);
	f.engine.unpin(&pinned);
	assert_eq!(f.engine.stats().adapters.pinned_bytes, 0, "twice is once");
}

#[test]
fn pins_should_stay_within_the_budget_and_never_make_a_request_wait_forever() {
	let (_turn, f) = fixture();
	let _unpin = Unpin(f);
	// The budget holds two and a half of the large ones.
	f.engine.pin(&f.adapters[0]).unwrap();
	f.engine.pin(&f.adapters[2]).unwrap();
	let error = f.engine.pin(&f.adapters[4]).unwrap_err();
	assert_eq!(error.code(), "adapter-pins-fill-budget", "{error}");
	assert_eq!(f.engine.pinned().len(), 2);
	let ask = |adapter: usize| {
		let adapter = Some(f.adapters[adapter]);
		let asked = request(&f.engine, "Name a fruit.", adapter, 2);
		f.engine.submit(asked).unwrap().wait()
	};
	assert_eq!(ask(4).unwrap_err().code(), "adapter-pins-fill-budget");
	ask(1).expect("a small one fits beside the pins");
	ask(0).unwrap();
	let error = f.engine.unload(&f.adapters[0]).unwrap_err();
	assert_eq!(error.code(), "adapter-pinned");
	f.engine.unpin(&f.adapters[0]);
	ask(4).unwrap();
	let unknown = AdapterKey {
		weights: [7; 32],
		config: [8; 32],
	};
	let error = f.engine.pin(&unknown).unwrap_err();
	assert_eq!(error.code(), "adapter-not-found");
	assert!(f.engine.stats().adapters.peak_bytes <= f.bytes * 5 / 2);
}

#[test]
fn unload_should_free_an_idle_adapter_and_refuse_one_in_use() {
	let (_turn, f) = fixture();
	let adapter = f.adapters[3];
	let allowance = Allowance::new(1);
	let mut stream = f
		.engine
		.submit(Request {
			allowance: Some(allowance.clone()),
			..request(&f.engine, "Name a fruit.", Some(adapter), 3)
		})
		.unwrap();
	assert!(matches!(
		stream.next_blocking(),
		Some(StreamEvent::Token { .. })
	));
	let error = f.engine.unload(&adapter).unwrap_err();
	assert_eq!(error.code(), "adapter-in-use", "{error}");
	allowance.raise(3);
	stream.wait().unwrap();
	until("unload", || f.engine.unload(&adapter).is_ok());
	assert!(!f.engine.adapters().iter().any(|(key, _)| *key == adapter));
	let before = f.engine.stats().adapters;
	let resident: usize = f.engine.adapters().iter().map(|(_, bytes)| bytes).sum();
	assert_eq!(before.bytes, resident, "its bytes are free");
	f.engine.unload(&adapter).expect("twice is once");
	let ask = request(&f.engine, "Name a fruit.", Some(adapter), 2);
	f.engine.submit(ask).unwrap().wait().unwrap();
	let after = f.engine.stats().adapters;
	assert_eq!(after.loads, before.loads + 1, "it is loaded again");
}

#[test]
fn bad_requests_should_be_refused_by_name() {
	let (_turn, f) = fixture();
	let code = |change: &dyn Fn(&mut Request)| {
		let mut bad = request(&f.engine, CAPITAL, None, 4);
		change(&mut bad);
		f.engine.submit(bad).unwrap_err().code()
	};
	assert_eq!(code(&|r| r.prompt.clear()), "empty-prompt");
	assert_eq!(code(&|r| r.max_tokens = 512), "prompt-too-long");
	assert_eq!(code(&|r| r.max_tokens = usize::MAX), "prompt-too-long");
	assert_eq!(code(&|r| r.max_tokens = 0), "bad-sampling");
	assert_eq!(code(&|r| r.prompt.push(49152)), "unknown-token");
	assert_eq!(code(&|r| r.sampling.temperature = -1.0), "bad-sampling");
	assert_eq!(code(&|r| r.stop = vec![String::new()]), "bad-sampling");
	let unknown = AdapterKey {
		weights: [7; 32],
		config: [8; 32],
	};
	assert_eq!(code(&|r| r.adapter = Some(unknown)), "adapter-not-found");
	let error = f.engine.submit(Request {
		prompt: vec![1; 600],
		max_tokens: 1,
		..Default::default()
	});
	assert_eq!(
		error.unwrap_err(),
		EngineError::PromptTooLong {
			prompt: 600,
			limit: 512
		}
	);
}

#[test]
fn a_broken_adapter_should_fail_only_its_own_request() {
	let (_turn, f) = fixture();
	let other_base = ModelConfig {
		hidden_size: 64,
		..f.engine.model().clone()
	};
	let misfit = RandomAdapter::new(&other_base, 1, 2, &["q_proj"], 0.1);
	let misfit = f.engine.store().insert(&misfit.files()).unwrap();
	let altered = RandomAdapter::new(f.engine.model(), 77, 2, &["o_proj"], 0.1);
	let altered = f.engine.store().insert(&altered.files()).unwrap();
	let path = f
		.engine
		.store()
		.path(&altered)
		.join("adapter_model.safetensors");
	let mut bytes = std::fs::read(&path).unwrap();
	*bytes.last_mut().unwrap() ^= 1;
	std::fs::write(&path, bytes).unwrap();

	let good = f
		.engine
		.submit(request(&f.engine, CAPITAL, None, 40))
		.unwrap();
	let fail = |key| {
		let stream = f
			.engine
			.submit(request(&f.engine, CAPITAL, Some(key), 4))
			.unwrap();
		stream.wait().unwrap_err().code()
	};
	assert_eq!(fail(misfit), "adapter-for-another-base");
	assert_eq!(fail(altered), "adapter-hash-mismatch");
	assert_eq!(fail(altered), "adapter-hash-mismatch");
	let wrong_config = AdapterKey {
		config: [1; 32],
		..f.adapters[0]
	};
	assert!(f.engine.check_adapter(&wrong_config).is_err());
	assert_eq!(good.wait().unwrap().text, "The capital of France is Paris.");
}

#[test]
fn a_full_queue_should_push_back() {
	let (_turn, f) = fixture();
	let hold = Allowance::new(0);
	let submit = || {
		let mut held = request(&f.engine, CAPITAL, None, 2);
		held.allowance = Some(hold.clone());
		f.engine.submit(held)
	};
	let held: Vec<_> = (0..40).map(|_| submit().unwrap()).collect();
	assert_eq!(submit().unwrap_err().code(), "queue-full");
	drop(held);
	until("an empty queue", || f.engine.stats().waiting == 0);
	assert!(submit().is_ok());
}

#[test]
fn shutdown_should_end_every_stream() {
	let (_turn, _) = fixture();
	let folder = tempfile::tempdir().unwrap();
	let mut model = model();
	// Three layers are enough here.
	model.config.layers = 3;
	model.weights = model.weights.checked(&model.config).unwrap();
	let engine = Engine::new(model, EngineConfig::new(folder.path())).unwrap();
	let mut stalled = request(&engine, CAPITAL, None, 40);
	stalled.allowance = Some(Allowance::new(1));
	let mut running = engine.submit(stalled).unwrap();
	running.next_blocking().unwrap();
	let mut unpaid = request(&engine, CAPITAL, None, 40);
	unpaid.allowance = Some(Allowance::new(0));
	let waiting = engine.submit(unpaid).unwrap();
	engine.shutdown();
	assert_eq!(running.wait().unwrap().reason, FinishReason::Cancelled);
	assert_eq!(waiting.wait().unwrap_err(), EngineError::ShuttingDown);
	let late = request(&engine, CAPITAL, None, 1);
	assert_eq!(engine.submit(late).unwrap_err(), EngineError::ShuttingDown);
}
