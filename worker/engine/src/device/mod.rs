//! The backend of an accelerator: weights, KV and adapters in one arena of its memory.
//!
//! Terms: see [`openledger_kernels::device`]. The *pool* is what weights and buffers leave of the arena. A *lease* is a
//! sequence's hold on its adapter's place in the pool.
//!
//! Design:
//! - A step is planned on the host (tables of rows, pages and adapters), and launched as one captured graph for its
//!   bucket of rows, of context and of ranks, with adapters or without. Grids are made for the bucket; how much is
//!   computed is what the tables say.
//! - KV pages and adapters share the `pool`; `residents` says which adapters are there. KV can always have what it was
//!   promised, so a running sequence never runs out of pages.
//! - Adapters come from pinned host memory on a stream of their own (`loader`). Only sequences that need one wait for
//!   it: [`Backend::place`] says when it is there.
//! - An error fails the step. If the device itself is lost, everything on it is: the next step opens it anew and fills
//!   it from the weights in host memory; [`Backend::epoch`] tells the scheduler.

pub mod check;
mod choice;
mod image;
mod loader;
mod machine;
mod model;
mod pool;
mod residents;
mod rows;

use std::{
	collections::HashMap,
	sync::Arc,
	time::{Duration, Instant},
};

use openledger_kernels::{
	device::{Device, DeviceError, Element, Stream, WeightFormat},
	KvLayout,
};

pub use choice::{find, DeviceChoice};
pub use loader::LoadStats;
pub use openledger_kernels::device::{tables::SampleRow as Draw, Twin};

use crate::{
	adapter::LoraWeights,
	backend::{Backend, BatchItem, PageId, SequenceId},
	config::ModelConfig,
	dora::BaseRows,
	error::EngineError,
	weights::ModelWeights,
};
use machine::{members, ItemState, Machine, Output, Piece};
use model::{Formats, Source};
use pool::{Frame, ALIGN};
use residents::{resident, Resident};
use rows::HostRows;

/// The stream of the steps.
pub(crate) const COMPUTE: Stream = Stream::Compute;

/// Positions in a KV page: what a warp's tile of attention takes.
const PAGE_TOKENS: usize = 16;

/// How long a lost device is left alone after opening it has failed.
const REOPEN: Duration = Duration::from_secs(2);

/// How long an adapter without room lets later ones pass.
const PATIENCE: Duration = Duration::from_secs(2);

/// Opens a device: at the start, and again when it was lost.
pub type Opener = Box<dyn Fn() -> Result<Arc<dyn Device>, DeviceError> + Send>;

impl From<DeviceError> for EngineError {
	fn from(error: DeviceError) -> Self {
		Self::Backend(error.to_string())
	}
}

/// Settings of a [`DeviceBackend`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceSettings {
	/// Positions beyond this cannot be computed.
	pub max_context: usize,
	/// Most tokens of one launch; larger steps take several.
	pub max_rows: usize,
	/// Most sequences of one launch.
	pub max_items: usize,
	/// Bytes that KV is promised of what weights and buffers leave; 0 for four fifths.
	pub kv_bytes: usize,
	/// Bytes of pinned memory for adapters that wait to be copied to the device again.
	pub pinned_bytes: usize,
	/// Type of activations, KV and adapters. f32 is for comparisons.
	pub element: Element,
	/// Whether weights are rounded to int8, with a factor for each row. Not with f32.
	pub int8: bool,
	/// Whether launches are captured as graphs.
	pub graphs: bool,
	/// Whether products go to the vendor's library: faster for prompts, but a row's last bits then depend on how its
	/// prompt was cut.
	pub library: bool,
}

impl DeviceSettings {
	/// bf16, 4,096 positions, 512 tokens and 64 sequences in a launch, 4 GiB of pinned memory.
	pub const DEFAULT: Self = Self {
		max_context: 4096,
		max_rows: 512,
		max_items: 64,
		kv_bytes: 0,
		pinned_bytes: 4 << 30,
		element: Element::Bf16,
		int8: false,
		graphs: true,
		library: false,
	};

	fn formats(&self) -> Formats {
		Formats {
			element: self.element,
			weights: match (self.element, self.int8) {
				(Element::F32, _) => WeightFormat::F32,
				(Element::Bf16, false) => WeightFormat::Bf16,
				(Element::Bf16, true) => WeightFormat::Int8,
			},
			library: self.library,
		}
	}
}

impl Default for DeviceSettings {
	fn default() -> Self {
		Self::DEFAULT
	}
}

/// What a [`DeviceBackend`] has on its device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceStats {
	/// Bytes of weights.
	pub weight_bytes: usize,
	/// Bytes of KV pages.
	pub kv_bytes: usize,
	/// Bytes of adapters.
	pub adapter_bytes: usize,
	/// Adapters.
	pub adapters: usize,
	/// Adapters dropped to make room.
	pub evictions: u64,
	/// Loads of adapters.
	pub loads: LoadStats,
}

#[derive(Default)]
struct Sequence {
	pages: Vec<Frame>,
	/// The adapters it holds on the device.
	leases: Vec<Resident>,
	/// Why it can only be closed.
	fault: Option<EngineError>,
	/// Sum of last hidden states and how many of them, if it wants them.
	pooled: Option<(Vec<f32>, usize)>,
}

enum Weights {
	Host(Arc<ModelWeights>),
	Random,
}

/// [`Backend`] on an accelerator, or on what stands in for one.
pub struct DeviceBackend {
	config: ModelConfig,
	settings: DeviceSettings,
	layout: KvLayout,
	frame: usize,
	open: Opener,
	weights: Weights,
	/// None while the device is lost.
	machine: Option<Machine>,
	/// When opening it was tried last.
	tried: Instant,
	epoch: u64,
	sequences: HashMap<SequenceId, Sequence>,
	kept: HashMap<PageId, Frame>,
	/// The sequence whose adapter has waited for room longest.
	starved: Option<(SequenceId, Instant)>,
	next: u64,
}

fn not_open() -> EngineError {
	EngineError::Backend("a sequence of the batch is not open".into())
}

fn lost() -> EngineError {
	EngineError::Backend("the device was lost and is opened anew; send the request again".into())
}

impl DeviceBackend {
	/// Opens the device and puts the model onto it. The weights stay in host memory too.
	///
	/// # Errors
	/// [`EngineError::Model`] when a weight is missing or the device cannot compute the model's shapes,
	/// [`EngineError::BadSetting`] when KV does not fit beside the weights, [`EngineError::Backend`] from the device.
	pub fn new(
		config: &ModelConfig,
		weights: ModelWeights,
		settings: DeviceSettings,
		open: Opener,
	) -> Result<Self, EngineError> {
		let weights = weights.checked(config)?;
		Self::with(config, Weights::Host(Arc::new(weights)), settings, open)
	}

	/// The same with random weights that are made on the device: to measure speed without a file. Adapters that need
	/// the base weights are refused.
	///
	/// # Errors
	/// As for [`Self::new`].
	pub fn random(
		config: &ModelConfig,
		settings: DeviceSettings,
		open: Opener,
	) -> Result<Self, EngineError> {
		Self::with(config, Weights::Random, settings, open)
	}

	fn with(
		config: &ModelConfig,
		weights: Weights,
		settings: DeviceSettings,
		open: Opener,
	) -> Result<Self, EngineError> {
		let bad = |name, reason: &str| {
			let reason = reason.into();
			Err(EngineError::BadSetting { name, reason })
		};
		if settings.max_rows == 0 || settings.max_items == 0 {
			return bad("max_rows", "a launch needs room for at least one token");
		}
		if settings.max_context == 0 {
			return bad("max_context", "must be at least 1");
		}
		let layout = KvLayout {
			layers: config.layers,
			kv_heads: config.kv_heads,
			head_dim: config.head_dim,
			page_tokens: PAGE_TOKENS,
		};
		let frame = (layout.page_len() * settings.element.bytes()).next_multiple_of(ALIGN);
		let mut backend = Self {
			config: config.clone(),
			settings,
			layout,
			frame,
			open,
			weights,
			machine: None,
			tried: Instant::now(),
			epoch: 0,
			sequences: HashMap::new(),
			kept: HashMap::new(),
			starved: None,
			next: 0,
		};
		backend.machine = Some(backend.start()?);
		Ok(backend)
	}

	fn start(&self) -> Result<Machine, EngineError> {
		let device = (self.open)()?;
		let source = match &self.weights {
			Weights::Host(weights) => Source::Host(weights),
			Weights::Random => Source::Random,
		};
		let (config, settings) = (&self.config, &self.settings);
		Machine::new(device, config, &source, settings, self.layout, self.frame)
	}

	/// Bytes that KV can always have.
	pub fn kv_promised(&self) -> usize {
		self.machine.as_ref().map_or(0, Machine::kv_promised)
	}

	/// What is on the device.
	pub fn stats(&self) -> DeviceStats {
		let Some(machine) = &self.machine else {
			return DeviceStats::default();
		};
		DeviceStats {
			weight_bytes: machine.weight_bytes(),
			kv_bytes: machine.pool.pages() * self.frame,
			adapter_bytes: machine.pool.extent_bytes(),
			adapters: machine.residents.len(),
			evictions: machine.residents.evictions(),
			loads: machine.loader.stats(),
		}
	}

	/// The device, opened anew if it was lost.
	fn machine(&mut self) -> Result<&mut Machine, EngineError> {
		if self.machine.is_none() {
			if self.tried.elapsed() < REOPEN {
				return Err(lost());
			}
			self.tried = Instant::now();
			let machine = self.start().inspect_err(|error| {
				tracing::error!(%error, "the device cannot be opened anew; trying again");
			})?;
			tracing::warn!("the device was opened anew");
			self.machine = Some(machine);
		}
		self.machine.as_mut().ok_or_else(lost)
	}

	/// After an error: gives the device up if it does nothing any more.
	fn examine(&mut self) {
		let Some(machine) = &mut self.machine else {
			return;
		};
		let compute = machine.device.synchronize(Stream::Compute);
		let load = machine.device.synchronize(Stream::Load);
		if let Err(error) = compute.and(load) {
			self.lose(&error);
			return;
		}
		// What was captured may be what failed.
		machine.forget_programs();
	}

	/// Gives the device up, and everything on it.
	fn lose(&mut self, error: &DeviceError) {
		tracing::error!(%error, "the device is lost");
		self.machine = None;
		self.epoch += 1;
		// The first try is not kept waiting.
		self.tried = Instant::now()
			.checked_sub(REOPEN)
			.unwrap_or_else(Instant::now);
		self.kept.clear();
		self.starved = None;
		for sequence in self.sequences.values_mut() {
			sequence.pages.clear();
			sequence.leases.clear();
			sequence.fault = Some(lost());
		}
	}

	fn checked<T>(&mut self, result: Result<T, EngineError>) -> Result<T, EngineError> {
		if matches!(result, Err(EngineError::Backend(_))) {
			self.examine();
		}
		result
	}

	/// Takes note of loads that ended; with `wait`, waits for one.
	fn poll(&mut self, wait: bool) {
		let Some(machine) = &mut self.machine else {
			return;
		};
		let mut failed = false;
		for ended in machine.loader.ended(wait) {
			let Err(error) = ended.result else {
				machine.residents.loaded(ended.key);
				continue;
			};
			failed = true;
			tracing::error!(%error, "an adapter could not be brought to the device");
			// Some of its copies may be under way yet, and its place is about to be another's.
			if let Err(error) = machine.device.synchronize(Stream::Load) {
				self.lose(&error);
				return;
			}
			machine.residents.failed(&mut machine.pool, ended.key);
			for sequence in self.sequences.values_mut() {
				if sequence.leases.contains(&ended.key) {
					sequence.leases.retain(|key| *key != ended.key);
					sequence.fault = Some(error.clone().into());
				}
			}
		}
		if failed {
			self.examine();
		}
	}

	/// Leases a sequence's adapter if it has not, and says whether it is there.
	fn placed(&mut self, id: SequenceId, adapter: &Arc<LoraWeights>) -> Result<bool, EngineError> {
		self.machine()?;
		self.poll(false);
		let waited = match self.starved {
			Some((starved, since)) if starved != id => since.elapsed() > PATIENCE,
			_ => false,
		};
		let Some(machine) = &mut self.machine else {
			return Err(lost());
		};
		let sequence = self.sequences.get_mut(&id).ok_or_else(not_open)?;
		if let Some(fault) = &sequence.fault {
			return Err(fault.clone());
		}
		let wanted = members(adapter);
		let same = sequence.leases.len() == wanted.len()
			&& wanted
				.iter()
				.zip(&sequence.leases)
				.all(|((w, _), held)| resident(w) == *held);
		if !same {
			for key in sequence.leases.drain(..) {
				machine.residents.end(&mut machine.pool, key);
			}
			machine.supports(adapter, &self.config)?;
			if !machine.lease(adapter, &mut sequence.leases, waited)? {
				self.starved.get_or_insert((id, Instant::now()));
				return Ok(false);
			}
		}
		if self.starved.is_some_and(|(starved, _)| starved == id) {
			self.starved = None;
		}
		Ok(machine.ready(&sequence.leases))
	}

	/// Waits until a sequence's adapter is there: for steps of callers that did not ask [`Backend::place`].
	fn place_now(&mut self, id: SequenceId, adapter: &Arc<LoraWeights>) -> Result<(), EngineError> {
		while !self.placed(id, adapter)? {
			let loading = self.machine.as_ref().is_some_and(|m| m.residents.loading());
			if !loading {
				let error = "the device has no room for this adapter beside the others of the step";
				return Err(EngineError::Backend(error.into()));
			}
			self.poll(true);
		}
		Ok(())
	}

	/// Makes sure that the positions of an item have pages that it may write.
	fn grow(&mut self, item: &BatchItem) -> Result<(), EngineError> {
		let end = item.position + item.tokens.len();
		if end > self.settings.max_context || item.tokens.is_empty() {
			let error = "an item is empty or beyond the context";
			return Err(EngineError::Backend(error.into()));
		}
		loop {
			let Some(machine) = &mut self.machine else {
				return Err(lost());
			};
			let sequence = self
				.sequences
				.get_mut(&item.sequence)
				.ok_or_else(not_open)?;
			if let Some(fault) = &sequence.fault {
				return Err(fault.clone());
			}
			if sequence.pages.len() * PAGE_TOKENS >= end {
				let written =
					&sequence.pages[item.position / PAGE_TOKENS..end.div_ceil(PAGE_TOKENS)];
				if written.iter().any(|frame| machine.pool.owners(*frame) != 1) {
					let error = "a page that is kept or shared would be written again";
					return Err(EngineError::Backend(error.into()));
				}
				return Ok(());
			}
			match machine.take_page()? {
				Some(frame) => sequence.pages.push(frame),
				// The copies under way are over in milliseconds.
				None => self.poll(true),
			}
		}
	}

	/// As [`Backend::step`], but draws a token on the device for each item that wants logits, in the order of the items:
	/// only those come back. `draws` says how, one for each.
	///
	/// # Errors
	/// As for [`Backend::step`].
	pub fn step_drawn(
		&mut self,
		batch: &[BatchItem],
		draws: &[Draw],
		tokens: &mut Vec<u32>,
	) -> Result<(), EngineError> {
		tokens.clear();
		let done = self.forward(batch, Output::Tokens(draws, tokens));
		self.checked(done)
	}

	fn forward(&mut self, batch: &[BatchItem], mut output: Output<'_>) -> Result<(), EngineError> {
		self.machine()?;
		for item in batch {
			let mut tokens = item.tokens.iter();
			if let Some(token) = tokens.find(|t| **t as usize >= self.config.vocab_size) {
				return Err(EngineError::UnknownToken(*token));
			}
			self.grow(item)?;
			if let Some(adapter) = &item.adapter {
				self.place_now(item.sequence, adapter)?;
			}
		}
		let Some(machine) = &mut self.machine else {
			return Err(lost());
		};
		let items: Vec<ItemState<'_>> = batch
			.iter()
			.map(|item| {
				let sequence = self.sequences.get(&item.sequence).ok_or_else(not_open)?;
				Ok(ItemState {
					pages: &sequence.pages,
					pooled: sequence.pooled.is_some(),
				})
			})
			.collect::<Result<_, EngineError>>()?;
		let mut sums = Vec::new();
		let mut pieces: Vec<Piece> = Vec::new();
		let mut rows = 0;
		for (index, item) in batch.iter().enumerate() {
			let mut first = 0;
			while first < item.tokens.len() {
				let room = machine.room(rows, pieces.len());
				if room == 0 {
					sums.extend(machine.run(&self.config, batch, &items, &pieces, &mut output)?);
					pieces.clear();
					rows = 0;
					continue;
				}
				let tokens = room.min(item.tokens.len() - first);
				pieces.push(Piece {
					item: index,
					first,
					tokens,
					logits: item.logits && first + tokens == item.tokens.len(),
				});
				first += tokens;
				rows += tokens;
			}
		}
		if !pieces.is_empty() {
			sums.extend(machine.run(&self.config, batch, &items, &pieces, &mut output)?);
		}
		drop(items);
		for (item, states) in sums {
			let sequence = self.sequences.get_mut(&batch[item].sequence);
			let Some((sum, count)) = sequence.and_then(|s| s.pooled.as_mut()) else {
				continue;
			};
			for state in states.chunks_exact(self.config.hidden_size) {
				sum.iter_mut()
					.zip(state)
					.for_each(|(sum, value)| *sum += value);
				*count += 1;
			}
		}
		Ok(())
	}

	fn release(&mut self, frames: impl IntoIterator<Item = Frame>) {
		if let Some(machine) = &mut self.machine {
			frames
				.into_iter()
				.for_each(|frame| machine.pool.release(frame));
		}
	}
}

impl Backend for DeviceBackend {
	fn page_tokens(&self) -> usize {
		PAGE_TOKENS
	}

	fn page_bytes(&self) -> usize {
		self.frame
	}

	fn open(&mut self) -> SequenceId {
		let id = SequenceId(self.next);
		self.next += 1;
		self.sequences.insert(id, Sequence::default());
		id
	}

	fn close(&mut self, id: SequenceId) {
		let Some(sequence) = self.sequences.remove(&id) else {
			return;
		};
		if self.starved.is_some_and(|(starved, _)| starved == id) {
			self.starved = None;
		}
		self.release(sequence.pages);
		if let Some(machine) = &mut self.machine {
			for key in sequence.leases {
				machine.residents.end(&mut machine.pool, key);
			}
		}
	}

	fn pool(&mut self, id: SequenceId) {
		if let Some(sequence) = self.sequences.get_mut(&id) {
			sequence.pooled = Some((vec![0.0; self.config.hidden_size], 0));
		}
	}

	fn pooled(&mut self, id: SequenceId) -> Option<(Vec<f32>, usize)> {
		self.sequences.get_mut(&id)?.pooled.take()
	}

	fn base_rows(&self) -> Option<Arc<dyn BaseRows>> {
		match &self.weights {
			Weights::Host(weights) => Some(Arc::new(HostRows(Arc::clone(weights)))),
			Weights::Random => None,
		}
	}

	fn kv_bytes(&self) -> usize {
		self.machine
			.as_ref()
			.map_or(0, |m| m.pool.pages() * self.frame)
	}

	fn shares_pages(&self) -> bool {
		true
	}

	fn keep(&mut self, sequence: SequenceId, index: usize) -> Result<PageId, EngineError> {
		let frame = self
			.sequences
			.get(&sequence)
			.and_then(|s| s.pages.get(index));
		let (Some(frame), Some(machine)) = (frame, &mut self.machine) else {
			return Err(EngineError::Backend(
				"the page to be kept is not there".into(),
			));
		};
		machine.pool.retain(*frame);
		let id = PageId(self.next);
		self.next += 1;
		self.kept.insert(id, *frame);
		Ok(id)
	}

	fn share(
		&mut self,
		sequence: SequenceId,
		index: usize,
		page: PageId,
	) -> Result<(), EngineError> {
		let wrong = |what: &str| Err(EngineError::Backend(what.into()));
		let (Some(frame), Some(machine)) = (self.kept.get(&page), &mut self.machine) else {
			return wrong("the page to be shared is not kept");
		};
		let Some(sequence) = self.sequences.get_mut(&sequence) else {
			return wrong("a sequence that shall share a page is not open");
		};
		if let Some(fault) = &sequence.fault {
			return Err(fault.clone());
		}
		if index > sequence.pages.len() {
			return wrong("a shared page would leave a gap in its sequence");
		}
		machine.pool.retain(*frame);
		if index == sequence.pages.len() {
			sequence.pages.push(*frame);
		} else {
			let own = std::mem::replace(&mut sequence.pages[index], *frame);
			machine.pool.release(own);
		}
		Ok(())
	}

	fn drop_page(&mut self, page: PageId) {
		let frame = self.kept.remove(&page);
		self.release(frame);
	}

	fn place(
		&mut self,
		sequence: SequenceId,
		adapter: &Arc<LoraWeights>,
	) -> Result<bool, EngineError> {
		let placed = self.placed(sequence, adapter);
		self.checked(placed)
	}

	fn epoch(&self) -> u64 {
		self.epoch
	}

	fn step_likeliest(
		&mut self,
		batch: &[BatchItem],
		tokens: &mut Vec<u32>,
	) -> Option<Result<(), EngineError>> {
		let likeliest = Draw {
			temperature: 0.0,
			top_p: 1.0,
			random: 0.0,
			top_k: 0,
		};
		let draws = vec![likeliest; batch.iter().filter(|item| item.logits).count()];
		Some(self.step_drawn(batch, &draws, tokens))
	}

	fn step(&mut self, batch: &[BatchItem], logits: &mut Vec<f32>) -> Result<(), EngineError> {
		logits.clear();
		let done = self.forward(batch, Output::Logits(logits));
		self.checked(done)
	}
}
