//! A model of random weights that is loaded in milliseconds, and a backend that computes nothing but checks
//! everything the scheduler promises.

use std::{
	collections::{BTreeMap, HashMap},
	path::Path,
	sync::{Arc, Condvar, Mutex, MutexGuard},
	time::Duration,
};

use openledger_engine::{
	backend::{Backend, BatchItem, PageId, SequenceId},
	*,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{alphabet, safetensors_bytes, RandomAdapter};

/// Tokens of the small model: the 256 bytes and two special ones.
pub const VOCABULARY: usize = 258;

/// Two layers of 32, a context of 4,096, no end token.
pub fn small() -> LoadedModel {
	let folder = tempfile::tempdir().unwrap();
	let mut tokens = alphabet();
	tokens.extend(["<|im_start|>", "<|im_end|>"].map(String::from));
	let config = serde_json::json!({
		"model_type": "llama", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
		"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
		"vocab_size": VOCABULARY, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5,
		"rope_parameters": {"rope_theta": 100000.0, "rope_type": "default"},
		"tie_word_embeddings": true, "eos_token_id": 257, "hidden_act": "silu",
	});
	let parsed = ModelConfig::from_json(&config.to_string()).unwrap();
	let mut rng = ChaCha8Rng::seed_from_u64(3);
	let tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)> = parsed
		.tensors()
		.into_iter()
		.map(|(name, shape)| {
			let n = shape.iter().product::<usize>();
			let bytes = (0..n).flat_map(|_| rng.random_range(-0.3f32..0.3).to_le_bytes());
			(name, (shape, bytes.collect()))
		})
		.collect();
	let vocab: serde_json::Map<String, serde_json::Value> = tokens
		.iter()
		.enumerate()
		.map(|(id, token)| (token.clone(), id.into()))
		.collect();
	let added = [(256, "<|im_start|>"), (257, "<|im_end|>")].map(|(id, content)| {
		serde_json::json!({"id": id, "content": content, "single_word": false, "lstrip": false,
			"rstrip": false, "normalized": false, "special": true})
	});
	let bytes = serde_json::json!({"type": "ByteLevel", "add_prefix_space": false,
		"trim_offsets": true, "use_regex": true});
	let tokenizer = serde_json::json!({"version": "1.0", "added_tokens": added,
		"normalizer": null, "pre_tokenizer": bytes, "post_processor": null, "decoder": bytes,
		"model": {"type": "BPE", "vocab": vocab, "merges": []}});
	let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
	write("config.json", config.to_string().as_bytes());
	write("tokenizer.json", tokenizer.to_string().as_bytes());
	write("model.safetensors", &safetensors_bytes(&tensors));
	let mut model = load_model(folder.path()).unwrap();
	model.config.eos.clear();
	model
}

/// Positions in a page of the fake backend.
pub const PAGE: usize = 8;

/// What a position holds: token and adapter (the bytes it takes, 0 for none; adapters of tests differ in that).
type Cell = (u32, usize);

/// What a step computed, for tests to look at.
#[derive(Clone, Debug)]
pub struct Did {
	/// The first token of the prompt: by it tests know whose row it was.
	pub tag: u32,
	/// Tokens computed.
	pub tokens: usize,
	/// Position of the first of them.
	pub position: usize,
	/// Whether a token was chosen.
	pub logits: bool,
	pub adapter: usize,
}

#[derive(Default)]
struct Inside {
	pages: Vec<Vec<Option<Cell>>>,
	/// Sequences and keeps that have each page.
	owners: Vec<usize>,
	free: Vec<usize>,
	sequences: HashMap<SequenceId, (Vec<usize>, usize)>,
	kept: HashMap<PageId, usize>,
	next: u64,
	most_pages: usize,
	/// Steps it may do; `None` for any number.
	permits: Option<usize>,
	/// What the next step does instead of computing.
	trouble: Option<Trouble>,
	delay: Duration,
	log: Vec<Vec<Did>>,
}

#[derive(Clone, Copy, Debug)]
pub enum Trouble {
	Error,
	Panic,
}

/// A backend whose next token is a hash of all tokens and adapters in the sequence's pages, read back from them.
///
/// It panics, which the engine turns into a failed request, when a position is written twice or with a gap, when a
/// page that has another owner is written, when a page holds another adapter's values, and when there are more pages
/// than the budget.
#[derive(Clone, Default)]
pub struct Fake {
	inside: Arc<(Mutex<Inside>, Condvar)>,
	budget: usize,
	page_bytes: usize,
}

fn mix(state: u64, value: u64) -> u64 {
	let mixed = (state ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
	mixed ^ (mixed >> 29)
}

fn hash(cells: impl Iterator<Item = Cell>) -> u32 {
	let state = cells.fold(7, |state, (token, adapter)| {
		mix(mix(state, u64::from(token)), adapter as u64)
	});
	(state % 256) as u32
}

/// The tokens that the fake answers a prompt with.
pub fn expected(prompt: &[u32], adapter: usize, tokens: usize) -> Vec<u32> {
	let mut all = prompt.to_vec();
	for _ in 0..tokens {
		all.push(hash(all.iter().map(|token| (*token, adapter))));
	}
	all.split_off(prompt.len())
}

impl Fake {
	/// With room for so many pages, of a byte each.
	pub fn new(budget: usize) -> Self {
		Self::with_pages_of(1, budget)
	}

	/// With room for so many pages of so many bytes.
	pub fn with_pages_of(page_bytes: usize, budget: usize) -> Self {
		Self {
			budget,
			page_bytes,
			..Self::default()
		}
	}

	fn lock(&self) -> MutexGuard<'_, Inside> {
		self.inside.0.lock().unwrap_or_else(|e| e.into_inner())
	}

	/// Lets it do so many more steps; `None` for any number.
	pub fn permit(&self, steps: Option<usize>) {
		self.lock().permits = steps;
		self.inside.1.notify_all();
	}

	/// Makes every step take that long.
	pub fn slow(&self, delay: Duration) {
		self.lock().delay = delay;
	}

	/// Makes the next step go wrong.
	pub fn trouble(&self, trouble: Trouble) {
		self.lock().trouble = Some(trouble);
	}

	/// All steps so far.
	pub fn log(&self) -> Vec<Vec<Did>> {
		self.lock().log.clone()
	}

	/// Pages in existence, those that are kept, and the most there ever were.
	pub fn pages(&self) -> (usize, usize, usize) {
		let inside = self.lock();
		let live = inside.pages.len() - inside.free.len();
		(live, inside.kept.len(), inside.most_pages)
	}

	pub fn base(model: &LoadedModel) -> Base {
		Base {
			config: model.config.clone(),
			tokenizer: model.tokenizer.clone(),
			weights_hash: model.weights_hash,
			tokenizer_hash: model.tokenizer_hash,
		}
	}
}

impl Inside {
	fn drop_owner(&mut self, page: usize) {
		self.owners[page] -= 1;
		if self.owners[page] == 0 {
			self.pages[page].fill(None);
			self.free.push(page);
		}
	}

	fn row(&mut self, item: &BatchItem, budget: usize) -> u32 {
		let adapter = item.adapter.as_ref().map_or(0, |lease| lease.bytes());
		let (mut table, computed) = self.sequences[&item.sequence].clone();
		assert_eq!(item.position, computed, "tokens must come in order");
		assert!(!item.tokens.is_empty());
		for (at, token) in (item.position..).zip(&item.tokens) {
			if at / PAGE == table.len() {
				let page = self.free.pop().unwrap_or_else(|| {
					self.pages.push(vec![None; PAGE]);
					self.owners.push(0);
					self.pages.len() - 1
				});
				self.owners[page] = 1;
				table.push(page);
			}
			let page = table[at / PAGE];
			assert_eq!(
				self.owners[page], 1,
				"a page with two owners is never written"
			);
			let cell = &mut self.pages[page][at % PAGE];
			assert!(cell.is_none(), "a position is written once");
			*cell = Some((*token, adapter));
		}
		let live = self.pages.len() - self.free.len();
		self.most_pages = self.most_pages.max(live);
		assert!(live <= budget, "{live} pages are more than {budget}");
		let end = item.position + item.tokens.len();
		let cells: Vec<Cell> = (0..end)
			.map(|at| self.pages[table[at / PAGE]][at % PAGE].expect("every position has KV"))
			.collect();
		assert!(
			cells.iter().all(|(_, of)| *of == adapter),
			"KV of another adapter"
		);
		self.sequences.insert(item.sequence, (table, end));
		self.log.last_mut().unwrap().push(Did {
			tag: cells[0].0,
			tokens: item.tokens.len(),
			position: item.position,
			logits: item.logits,
			adapter,
		});
		hash(cells.into_iter())
	}
}

impl Backend for Fake {
	fn page_tokens(&self) -> usize {
		PAGE
	}

	fn page_bytes(&self) -> usize {
		self.page_bytes
	}

	fn open(&mut self) -> SequenceId {
		let mut inside = self.lock();
		let id = SequenceId(inside.next);
		inside.next += 1;
		inside.sequences.insert(id, (Vec::new(), 0));
		id
	}

	fn close(&mut self, sequence: SequenceId) {
		let mut inside = self.lock();
		let (table, _) = inside.sequences.remove(&sequence).unwrap_or_default();
		for page in table {
			inside.drop_owner(page);
		}
	}

	fn kv_bytes(&self) -> usize {
		self.pages().0 * self.page_bytes
	}

	fn shares_pages(&self) -> bool {
		true
	}

	fn keep(&mut self, sequence: SequenceId, index: usize) -> Result<PageId, EngineError> {
		let mut inside = self.lock();
		let (table, computed) = &inside.sequences[&sequence];
		assert!((index + 1) * PAGE <= *computed, "only whole pages are kept");
		let page = table[index];
		let id = PageId(inside.next);
		inside.next += 1;
		inside.owners[page] += 1;
		inside.kept.insert(id, page);
		Ok(id)
	}

	fn pool(&mut self, _: SequenceId) {}

	fn pooled(&mut self, _: SequenceId) -> Option<(Vec<f32>, usize)> {
		None
	}

	fn share(
		&mut self,
		sequence: SequenceId,
		index: usize,
		page: PageId,
	) -> Result<(), EngineError> {
		let mut inside = self.lock();
		let page = inside.kept[&page];
		inside.owners[page] += 1;
		let (mut table, mut computed) = inside.sequences[&sequence].clone();
		if index == table.len() {
			assert_eq!(computed, index * PAGE, "a shared page follows whole ones");
			table.push(page);
			computed += PAGE;
		} else {
			let own = std::mem::replace(&mut table[index], page);
			assert_eq!(
				inside.pages[own], inside.pages[page],
				"only an equal page takes another's place"
			);
			inside.drop_owner(own);
		}
		inside.sequences.insert(sequence, (table, computed));
		Ok(())
	}

	fn drop_page(&mut self, page: PageId) {
		let mut inside = self.lock();
		if let Some(page) = inside.kept.remove(&page) {
			inside.drop_owner(page);
		}
	}

	fn step(&mut self, batch: &[BatchItem], logits: &mut Vec<f32>) -> Result<(), EngineError> {
		let budget = self.budget;
		let mut inside = self.lock();
		while inside.permits == Some(0) {
			inside = self
				.inside
				.1
				.wait(inside)
				.unwrap_or_else(|e| e.into_inner());
		}
		if let Some(permits) = &mut inside.permits {
			*permits -= 1;
		}
		let delay = inside.delay;
		match inside.trouble.take() {
			None => {}
			Some(Trouble::Error) => return Err(EngineError::Backend("asked to".into())),
			Some(Trouble::Panic) => panic!("asked to"),
		}
		inside.log.push(Vec::new());
		logits.clear();
		for item in batch {
			let next = inside.row(item, budget);
			if item.logits {
				let row = logits.len();
				logits.resize(row + VOCABULARY, 0.0);
				logits[row + next as usize] = 1.0;
			}
		}
		drop(inside);
		std::thread::sleep(delay);
		Ok(())
	}
}

/// An engine on the fake backend, and adapters in its store.
pub struct World {
	pub engine: Engine,
	pub fake: Fake,
	/// Of different ranks and so of different bytes, by which the fake tells them apart.
	pub adapters: Vec<(AdapterKey, usize)>,
	_folder: tempfile::TempDir,
}

impl World {
	/// With adapters of these ranks; `configure` is given a folder to work in.
	pub fn new(
		fake: Fake,
		ranks: std::ops::Range<usize>,
		configure: impl FnOnce(&Path) -> EngineConfig,
	) -> Self {
		let folder = tempfile::tempdir().unwrap();
		let model = small();
		let store = AdapterStore::open(folder.path()).unwrap();
		let adapters = ranks
			.map(|rank| {
				let adapter =
					RandomAdapter::new(&model.config, rank as u64, rank, &["q_proj"], 0.1);
				let files = adapter.files();
				let bytes = LoraWeights::needed(&files.weights).unwrap();
				(store.insert(&files).unwrap(), bytes)
			})
			.collect();
		let base = Fake::base(&model);
		let config = configure(folder.path());
		Self {
			engine: Engine::with_backend(base, Box::new(fake.clone()), config).unwrap(),
			fake,
			adapters,
			_folder: folder,
		}
	}
}

impl Drop for World {
	fn drop(&mut self) {
		// Nobody else would wake a backend that a failed test has stopped.
		self.fake.permit(None);
	}
}
