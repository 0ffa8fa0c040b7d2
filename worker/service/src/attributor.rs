//! Attribution of answers, off the engine's thread, with the decoded indexes kept in memory.

use crate::{error::Refusal, files::Files, generator::Generator};
use openledger_attribution::{Algorithm, Index};
use openledger_primitives::{
	AlgorithmId, Attribution, Commitment, DatanetId, Hash, Score, SnapshotVersion,
};
use std::{
	collections::HashMap,
	sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{OnceCell, Semaphore};

/// Indexes that are decoded, and answers that are attributed, at a time.
const AT_ONCE: usize = 2;

/// An index in memory takes about this many times the bytes of its file: tokens, their ranges, the
/// suffix array.
const GROWTH: usize = 6;

/// An index, decoded.
#[derive(Debug)]
pub struct Loaded {
	index: Index,
	equal: Vec<Score>,
	bytes: usize,
}

impl Loaded {
	/// Checks that it holds exactly the snapshots of a lineage, as they are on the chain.
	pub fn verify(
		&self,
		lineage: &[(DatanetId, SnapshotVersion, Commitment)],
	) -> Result<(), Refusal> {
		for (datanet, version, commitment) in lineage {
			self.index
				.verify_against(*datanet, *version, commitment)
				.map_err(|error| {
					Refusal::Attribution(format!(
						"the index differs from snapshot {version} of Datanet {datanet} in the \
						 adapter's lineage: {error}"
					))
				})?;
		}
		let foreign = self.index.snapshots().iter().find(|snapshot| {
			let ours = |(datanet, ..): &(DatanetId, _, _)| *datanet == snapshot.datanet;
			!lineage.iter().any(ours)
		});
		match foreign {
			None => Ok(()),
			Some(snapshot) => Err(Refusal::Attribution(format!(
				"the index holds snapshot {} of Datanet {}, which is not in the adapter's lineage",
				snapshot.version, snapshot.datanet
			))),
		}
	}

	/// Its `equal/1` scores.
	pub fn equal(&self) -> &[Score] {
		&self.equal
	}
}

type Slot = Arc<OnceCell<Arc<Loaded>>>;

#[derive(Default)]
struct Cache {
	slots: HashMap<Hash, (u64, Slot)>,
	clock: u64,
}

/// Computes attributions.
pub struct Attributor {
	files: Arc<Files>,
	generator: Arc<dyn Generator>,
	budget: usize,
	cache: Mutex<Cache>,
	gate: Semaphore,
}

impl Attributor {
	/// Keeps decoded indexes of about `budget` bytes in memory.
	pub fn new(files: Arc<Files>, generator: Arc<dyn Generator>, budget: usize) -> Self {
		Self {
			files,
			generator,
			budget,
			cache: Mutex::default(),
			gate: Semaphore::new(AT_ONCE),
		}
	}

	/// The index with this hash; read, checked and decoded at most once at a time. One that would fill
	/// the whole budget is refused before it is read.
	pub async fn index(&self, index: Hash) -> Result<Arc<Loaded>, Refusal> {
		let slot = {
			let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
			cache.clock = cache.clock.saturating_add(1);
			let clock = cache.clock;
			let (used, slot) = cache.slots.entry(index).or_default();
			*used = clock;
			slot.clone()
		};
		let loaded = slot
			.get_or_try_init(|| async {
				let _turn = self
					.gate
					.acquire()
					.await
					.map_err(|_| Refusal::ShuttingDown)?;
				let files = self.files.clone();
				let limit = (self.budget / GROWTH) as u64;
				let decoded = tokio::task::spawn_blocking(move || {
					let bytes = files.read_index(&index, limit)?;
					let decoded = Index::decode(&bytes)
						.map_err(|error| Refusal::Attribution(error.to_string()))?;
					Ok::<_, Refusal>(Loaded {
						equal: decoded.equal(),
						index: decoded,
						bytes: bytes.len().saturating_mul(GROWTH),
					})
				});
				let decoded = decoded
					.await
					.map_err(|_| Refusal::Attribution("reading the index failed".into()))??;
				Ok::<_, Refusal>(Arc::new(decoded))
			})
			.await
			.cloned();
		self.evict(index, loaded.is_err());
		loaded
	}

	/// Forgets failures, and the least recently used indexes beyond the budget.
	fn evict(&self, newest: Hash, failed: bool) {
		let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
		if failed {
			cache
				.slots
				.retain(|key, (_, slot)| *key != newest || slot.initialized());
		}
		let mut used: Vec<(u64, Hash, usize)> = cache
			.slots
			.iter()
			.filter_map(|(key, (used, slot))| Some((*used, *key, slot.get()?.bytes)))
			.collect();
		used.sort_unstable();
		let mut bytes: usize = used.iter().map(|(_, _, bytes)| bytes).sum();
		for (_, key, size) in used {
			if bytes <= self.budget || key == newest {
				break;
			}
			cache.slots.remove(&key);
			bytes = bytes.saturating_sub(size);
		}
	}

	/// Attributes `answer` by `algorithm`; `prompt` are the prompt's tokens as the model read them.
	pub async fn attribute(
		&self,
		loaded: Arc<Loaded>,
		algorithm: AlgorithmId,
		prompt: Vec<u32>,
		answer: String,
	) -> Result<Attribution, Refusal> {
		let algorithm = Algorithm::from_id(algorithm)
			.map_err(|error| Refusal::Attribution(error.to_string()))?;
		let _turn = self
			.gate
			.acquire()
			.await
			.map_err(|_| Refusal::ShuttingDown)?;
		let generator = self.generator.clone();
		tokio::task::spawn_blocking(move || {
			let tokenize = |text: &str| generator.tokenize(text);
			let prompt = generator.text(&prompt)?;
			Ok(loaded
				.index
				.attribute(algorithm, &prompt, &answer, &tokenize))
		})
		.await
		.map_err(|_| Refusal::Attribution("scoring the answer failed".into()))?
	}
}
