//! Weighted sets of adapters, and the tiers adapters come through, in a running engine over a tiny model.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
	path::Path,
	sync::{
		atomic::{AtomicUsize, Ordering},
		Arc,
	},
	time::{Duration, Instant},
};

use common::*;
use openledger_engine::{
	backend::{Backend, BatchItem},
	cpu::CpuBackend,
	*,
};

const PROMPT: [u32; 5] = [7, 30, 12, 55, 81];

struct Tiny {
	engine: Engine,
	folder: tempfile::TempDir,
}

fn tiny(change: impl FnOnce(&mut EngineConfig)) -> Tiny {
	let folder = tempfile::tempdir().unwrap();
	fixture_model("llama", folder.path());
	let mut config = EngineConfig {
		threads: 1,
		..EngineConfig::new(folder.path().join("store"))
	};
	change(&mut config);
	let engine = Engine::new(load_model(folder.path()).unwrap(), config).unwrap();
	Tiny { engine, folder }
}

impl Tiny {
	fn import(&self, name: &str) -> AdapterKey {
		self.engine
			.store()
			.import(&fixture("llama").join(name))
			.unwrap()
	}

	/// A random adapter of about `rank` kilobytes.
	fn random(&self, seed: u64, rank: usize) -> AdapterKey {
		let adapter = RandomAdapter::new(self.engine.model(), seed, rank, &ALL_MODULES, 0.2);
		self.engine.store().insert(&adapter.files()).unwrap()
	}

	fn ask(&self, change: impl FnOnce(&mut Request)) -> Result<Completion, EngineError> {
		let mut request = Request {
			prompt: PROMPT.to_vec(),
			max_tokens: 24,
			..Default::default()
		};
		change(&mut request);
		self.engine.submit(request)?.wait()
	}

	fn with_set(&self, members: &[(AdapterKey, f32)]) -> Result<Completion, EngineError> {
		let set = AdapterSet::new(members.iter().copied())?;
		self.ask(|request| request.set = Some(set))
	}
}

/// What the model writes with a set, by the backend alone.
fn expected(members: &[(&str, f32)]) -> Vec<u32> {
	let folder = tempfile::tempdir().unwrap();
	fixture_model("llama", folder.path());
	let model = load_model(folder.path()).unwrap();
	let mut backend = CpuBackend::new(&model.config, model.weights, 64, 1).unwrap();
	let rows = backend.base_rows();
	let members = members.iter().map(|(name, factor)| {
		let read = |file: &str| std::fs::read(fixture("llama").join(name).join(file)).unwrap();
		let config = AdapterConfig::parse(&read("adapter_config.json")).unwrap();
		let weights = read("adapter_model.safetensors");
		let adapter = LoraWeights::load(&config, &weights, &model.config, rows.as_deref()).unwrap();
		(Arc::new(adapter), *factor)
	});
	let adapter = Some(Arc::new(LoraWeights::set(members.collect())));
	let (mut tokens, mut position, mut written) = (PROMPT.to_vec(), 0, Vec::new());
	let sequence = backend.open();
	while written.len() < 24
		&& !written
			.last()
			.is_some_and(|id| model.config.eos.contains(id))
	{
		let length = tokens.len();
		let item = BatchItem {
			sequence,
			tokens,
			position,
			adapter: adapter.clone(),
			logits: true,
		};
		let mut logits = Vec::new();
		backend.step(&[item], &mut logits).unwrap();
		position += length;
		let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
		written.push(best.unwrap() as u32);
		tokens = vec![best.unwrap() as u32];
	}
	written
}

/// Bytes in memory of a random adapter of that rank.
fn size(rank: usize) -> usize {
	let tiny = tiny(|_| {});
	let key = tiny.random(1, rank);
	tiny.ask(|r| r.adapter = Some(key)).unwrap();
	tiny.engine.stats().adapters.bytes
}

#[test]
fn a_set_should_be_served_unmerged_beside_its_members() {
	let tiny = tiny(|_| {});
	let (lora, dora) = (tiny.import("lora"), tiny.import("dora"));
	let members = [(lora, 0.75), (dora, 0.5)];
	let set = AdapterSet::new(members).unwrap();
	let wanted = expected(&[("lora", 0.75), ("dora", 0.5)]);
	let single = tiny.ask(|r| r.adapter = Some(lora)).unwrap();
	assert_eq!(single.ids, expected(&[("lora", 1.0)]));
	assert_ne!(single.ids, wanted);
	// Eight at once: the set in either order, its members, and the base.
	let submit = |i: usize| {
		let (adapter, set) = match i % 4 {
			0 => (None, Some(Arc::clone(&set))),
			1 => (
				None,
				Some(AdapterSet::new([members[1], members[0]]).unwrap()),
			),
			2 => (Some(lora), None),
			_ => (None, None),
		};
		tiny.engine
			.submit(Request {
				prompt: PROMPT.to_vec(),
				max_tokens: 24,
				adapter,
				set,
				..Default::default()
			})
			.unwrap()
	};
	let streams: Vec<_> = (0..8).map(submit).collect();
	let done: Vec<_> = streams.into_iter().map(|s| s.wait().unwrap().ids).collect();
	assert_eq!([&done[0], &done[1], &done[4], &done[5]], [&wanted; 4]);
	assert_eq!([&done[2], &done[6]], [&single.ids; 2]);
	assert_eq!(done[3], done[7]);
	assert_ne!(done[3], wanted);
	let resident = tiny.engine.adapters();
	assert_eq!(
		resident.len(),
		2,
		"members are in memory once, and no set beside them"
	);
	for (key, _) in resident {
		until("unload", || tiny.engine.unload(&key).is_ok());
	}
	assert_eq!(tiny.engine.stats().adapters.bytes, 0);
}

#[test]
fn sets_that_cannot_be_served_should_be_refused_by_name() {
	let one = tiny(|_| {}).random(1, 4);
	let bytes = size(4);
	let tiny = tiny(|config| config.adapter_budget = bytes * 5 / 2);
	let keys: Vec<_> = (1..4).map(|seed| tiny.random(seed, 4)).collect();
	assert_eq!(keys[0], one, "adapters are made from their seeds");
	let unknown = AdapterKey {
		weights: [9; 32],
		config: [9; 32],
	};
	let code = |result: Result<Completion, EngineError>| result.unwrap_err().code();
	assert_eq!(
		code(tiny.with_set(&[(keys[0], 1.0), (unknown, 1.0)])),
		"adapter-not-found"
	);
	let set = AdapterSet::new([(keys[0], 1.0), (keys[1], -0.5)]).unwrap();
	let both = |request: &mut Request| {
		request.adapter = Some(keys[0]);
		request.set = Some(Arc::clone(&set));
	};
	assert_eq!(code(tiny.ask(both)), "adapter-bad-set");
	let three = [(keys[0], 1.0), (keys[1], 1.0), (keys[2], 1.0)];
	assert_eq!(code(tiny.with_set(&three)), "adapter-over-budget");
	assert_eq!(
		tiny.engine.pin(&set.key()).unwrap_err().code(),
		"adapter-not-found"
	);
	// A member that is broken fails the set, and nothing else. It may be in memory: any two of the three fitted.
	until("unload", || tiny.engine.unload(&keys[2]).is_ok());
	let path = tiny
		.engine
		.store()
		.path(&keys[2])
		.join("adapter_model.safetensors");
	std::fs::write(path, b"not what it was").unwrap();
	assert_eq!(
		code(tiny.with_set(&[(keys[0], 1.0), (keys[2], 1.0)])),
		"adapter-hash-mismatch"
	);
	tiny.ask(|request| request.set = Some(set)).unwrap();
	let stats = tiny.engine.stats().adapters;
	assert!(stats.peak_bytes <= bytes * 5 / 2, "{stats:?}");
}

#[test]
fn sets_should_share_a_budget_that_holds_one_of_them() {
	let bytes = size(4);
	let tiny = tiny(|config| config.adapter_budget = bytes * 5 / 2);
	let keys: Vec<_> = (0..4).map(|seed| tiny.random(seed, 4)).collect();
	// One after the other, each pair replaces the one before.
	for round in 0..2 {
		for pair in [[0, 1], [2, 3], [1, 2]] {
			let members = pair.map(|at| (keys[at], 0.5));
			tiny.with_set(&members)
				.unwrap_or_else(|e| panic!("round {round}, {pair:?}: {e}"));
		}
	}
	let stats = tiny.engine.stats().adapters;
	assert!(
		stats.evictions > 0 && stats.peak_bytes <= bytes * 5 / 2,
		"{stats:?}"
	);
}

#[test]
fn a_load_without_room_should_not_hold_up_those_that_have_it() {
	let bytes = size(8);
	let tiny = tiny(|config| config.adapter_budget = bytes * 3 / 2);
	let (large, other, small) = (tiny.random(1, 8), tiny.random(2, 8), tiny.random(3, 2));
	let hold = Allowance::new(1);
	let request = |adapter, allowance| Request {
		prompt: PROMPT.to_vec(),
		max_tokens: 4,
		adapter: Some(adapter),
		allowance,
		..Default::default()
	};
	let mut held = tiny
		.engine
		.submit(request(large, Some(hold.clone())))
		.unwrap();
	held.next_blocking().unwrap();
	// It needs the room of the one that runs.
	let waits = tiny.engine.submit(request(other, None)).unwrap();
	std::thread::sleep(Duration::from_millis(100));
	let begin = Instant::now();
	tiny.engine
		.submit(request(small, None))
		.unwrap()
		.wait()
		.unwrap();
	assert!(
		begin.elapsed() < Duration::from_secs(2),
		"{:?}",
		begin.elapsed()
	);
	hold.raise(4);
	held.wait().unwrap();
	waits.wait().unwrap();
}

#[test]
fn a_hint_should_load_ahead_and_never_push_out_what_is_in_use() {
	let bytes = size(8);
	let tiny = tiny(|config| config.adapter_budget = bytes * 3 / 2);
	let (one, two) = (tiny.random(1, 8), tiny.random(2, 8));
	tiny.engine.preload(&one);
	until("a hinted load", || tiny.engine.adapters().len() == 1);
	let before = tiny.engine.stats().adapters;
	assert_eq!((before.hits, before.misses), (0, 0));
	let hold = Allowance::new(1);
	let mut held = tiny
		.engine
		.submit(Request {
			prompt: PROMPT.to_vec(),
			max_tokens: 3,
			adapter: Some(one),
			allowance: Some(hold.clone()),
			..Default::default()
		})
		.unwrap();
	held.next_blocking().unwrap();
	assert_eq!(
		tiny.engine.stats().adapters.hits,
		1,
		"it was there when it was asked for"
	);
	tiny.engine.preload(&two);
	std::thread::sleep(Duration::from_millis(200));
	assert_eq!(
		tiny.engine.adapters().len(),
		1,
		"the hint was dropped for want of room"
	);
	hold.raise(3);
	held.wait().unwrap();
	tiny.ask(|r| r.adapter = Some(two))
		.expect("a dropped hint does no harm");
}

/// Gives what is in a folder of the store's form, and counts.
#[derive(Debug)]
struct Folder(AdapterStore, AtomicUsize);

impl AdapterSource for Folder {
	fn name(&self) -> String {
		"a folder".into()
	}

	fn fetch(&self, key: &AdapterKey, _: u64) -> Result<Option<AdapterFiles>, AdapterError> {
		self.1.fetch_add(1, Ordering::Relaxed);
		if !self.0.contains(key) {
			return Ok(None);
		}
		let read = |file: &str| std::fs::read(self.0.path(key).join(file)).unwrap();
		Ok(Some(AdapterFiles {
			config: read("adapter_config.json"),
			weights: read("adapter_model.safetensors"),
		}))
	}
}

#[test]
fn an_adapter_should_be_fetched_once_and_verified_before_use() {
	let tiny = tiny(|_| {});
	let far = AdapterStore::open(tiny.folder.path().join("far")).unwrap();
	let adapter = |seed| RandomAdapter::new(tiny.engine.model(), seed, 2, &["q_proj"], 0.2).files();
	let (good, forged) = (
		far.insert(&adapter(1)).unwrap(),
		far.insert(&adapter(2)).unwrap(),
	);
	let weights = far.path(&forged).join("adapter_model.safetensors");
	std::fs::write(weights, adapter(3).weights).unwrap();
	let code = |key: AdapterKey| {
		tiny.ask(|r| r.adapter = Some(key))
			.map(|_| ())
			.map_err(|e| e.code())
	};
	assert_eq!(
		code(good),
		Err("adapter-not-found"),
		"without a source it is not known"
	);
	let source = Arc::new(Folder(far, AtomicUsize::new(0)));
	tiny.engine.store().add_source(source.clone());
	assert_eq!(code(good), Ok(()));
	assert_eq!(code(good), Ok(()));
	assert_eq!(
		source.1.load(Ordering::Relaxed),
		1,
		"then it is in the store"
	);
	assert!(tiny.engine.store().contains(&good));
	assert_eq!(code(forged), Err("adapter-hash-mismatch"));
	assert!(
		!tiny.engine.store().contains(&forged),
		"nothing unverified is kept"
	);
	let unknown = AdapterKey {
		weights: [1; 32],
		config: [2; 32],
	};
	assert_eq!(code(unknown), Err("adapter-not-found"));
}

#[test]
fn a_hugging_face_cache_should_be_read_and_not_left() {
	let folder = tempfile::tempdir().unwrap();
	let store = AdapterStore::open(folder.path().join("store")).unwrap();
	let cache = folder.path().join("hub");
	let repository = cache.join("models--org--cook");
	let commit = "0123456789abcdef0123456789abcdef01234567";
	let snapshot = repository.join("snapshots").join(commit);
	let write = |path: &Path, bytes: &[u8]| {
		std::fs::create_dir_all(path.parent().unwrap()).unwrap();
		std::fs::write(path, bytes).unwrap();
	};
	let link = |to: &Path, name: &str| {
		let path = snapshot.join(name);
		std::fs::create_dir_all(&snapshot).unwrap();
		let _ = std::fs::remove_file(&path);
		std::os::unix::fs::symlink(to, path).unwrap();
	};
	write(&repository.join("refs/main"), commit.as_bytes());
	write(&repository.join("blobs/a"), b"{}");
	write(&repository.join("blobs/b"), b"weights");
	write(&folder.path().join("secret"), b"secret");
	link(Path::new("../../blobs/a"), "adapter_config.json");
	link(Path::new("../../blobs/b"), "adapter_model.safetensors");
	let key = store.import_hub(&cache, "org/cook", "main").unwrap();
	assert_eq!(store.import_hub(&cache, "org/cook", commit).unwrap(), key);
	let files = store.load(&key).unwrap();
	assert_eq!(
		(files.config, files.weights),
		(b"{}".to_vec(), b"weights".to_vec())
	);
	let code = |repository: &str, revision: &str| {
		store
			.import_hub(&cache, repository, revision)
			.unwrap_err()
			.code()
	};
	for (repository, revision) in [
		("../org", "main"),
		("org/../cook", "main"),
		("a/b/c", "main"),
		("", "main"),
		("org/cook", "../../x"),
		("org/cook", ""),
		("org--cook", "main"),
	] {
		assert_eq!(
			code(repository, revision),
			"adapter-bad-source",
			"{repository}@{revision}"
		);
	}
	assert_eq!(code("org/other", "main"), "adapter-io");
	assert_eq!(code("org/cook", "v2"), "adapter-io");
	link(&folder.path().join("secret"), "adapter_model.safetensors");
	assert_eq!(
		code("org/cook", "main"),
		"adapter-bad-source",
		"a link out of the repository"
	);
	write(&repository.join("refs/main"), b"../../../store");
	assert_eq!(code("org/cook", "main"), "adapter-bad-source");
}
