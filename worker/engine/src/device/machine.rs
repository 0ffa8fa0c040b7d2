//! A device in use: its memory, what is in it, and how a step is run on it. All of it goes when the device is lost.

use std::{collections::HashMap, sync::Arc};

use half::bf16;
use openledger_kernels::{
	device::{
		plan::{Capacity, Layout, PlanAdapter, PlanItem},
		tables::{Entry, SampleRow},
		Device, Element, Event, Graph, Op, Pinned, Ptr,
	},
	KvLayout,
};

use super::{
	image,
	loader::Loader,
	model::{Bump, DeviceModel, Formats, Kind, Sizes, Source, MAX_DEPTH, MAX_RANKS},
	pool::{Frame, Pool},
	residents::{resident, Leased, Never, Resident, Residents, State},
	DeviceSettings, COMPUTE,
};
use crate::{
	adapter::{LoraWeights, Site},
	backend::BatchItem,
	config::ModelConfig,
	error::{AdapterError, EngineError},
};

/// Frames' share of the pool that KV gets when nobody says otherwise, in percent.
const KV_SHARE: usize = 80;

/// Kinds of steps whose launches are remembered; more than a mixed load has.
const MAX_PROGRAMS: usize = 256;

const ALL_SITES: [(Site, &str); 5] = [
	(Site::Qkv, "q_proj, k_proj or v_proj"),
	(Site::Output, "o_proj"),
	(Site::GateUp, "gate_proj or up_proj"),
	(Site::Down, "down_proj"),
	(Site::Head, "lm_head"),
];

/// The launches of a kind of step.
struct Program {
	plan: Layout,
	ops: Vec<Op>,
	graph: Option<Graph>,
}

/// Consecutive tokens of an item, as many as fit into one launch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
	/// Which item.
	pub item: usize,
	/// First of its tokens.
	pub first: usize,
	/// How many.
	pub tokens: usize,
	/// Whether logits are wanted after them.
	pub logits: bool,
}

/// What an item of a batch needs to know of its sequence.
pub(crate) struct ItemState<'a> {
	pub pages: &'a [Frame],
	pub pooled: bool,
}

/// What is wanted of a step.
pub(crate) enum Output<'a> {
	/// The logits of each item that wants them.
	Logits(&'a mut Vec<f32>),
	/// For each of those a token, drawn like this.
	Tokens(&'a [SampleRow], &'a mut Vec<u32>),
}

/// Hidden states of rows that are summed: the item, and its values.
pub(crate) type States = Vec<(usize, Vec<f32>)>;

pub(crate) struct Machine {
	pub device: Arc<dyn Device>,
	model: DeviceModel,
	pub pool: Pool,
	pool_start: Ptr,
	pub residents: Residents,
	pub loader: Loader,
	shape: image::Shape,
	formats: Formats,
	layout: KvLayout,
	graphs: bool,
	/// Why adapters cannot change a site.
	refused: [Option<String>; 5],
	programs: HashMap<Kind, Program>,
	tables: Pinned,
	logits: Pinned,
	draws: Pinned,
	/// Made when they are needed first: updates of the embedding, and hidden states.
	embeds: Option<Pinned>,
	states: Option<Pinned>,
	done: Event,
	scratch: Vec<u8>,
}

/// The adapters of a lease: its members, or itself.
pub(crate) fn members(adapter: &Arc<LoraWeights>) -> Vec<(&Arc<LoraWeights>, f32)> {
	match adapter.members() {
		[] => vec![(adapter, 1.0)],
		members => members
			.iter()
			.map(|(member, factor)| (member, *factor))
			.collect(),
	}
}

/// `values` as bytes.
fn bytes_of(values: &mut [f32]) -> &mut [u8] {
	// SAFETY: any four bytes are an f32, and the bytes are those of the slice.
	unsafe {
		std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), std::mem::size_of_val(values))
	}
}

impl Machine {
	/// Puts the model onto a device and makes everything else ready.
	pub fn new(
		device: Arc<dyn Device>,
		config: &ModelConfig,
		source: &Source<'_>,
		settings: &DeviceSettings,
		layout: KvLayout,
		frame: usize,
	) -> Result<Self, EngineError> {
		let formats = settings.formats();
		let arena = device.arena();
		let max_pages = settings.max_context.div_ceil(layout.page_tokens);
		let items = settings.max_items.min(settings.max_rows);
		let most = Capacity {
			rows: settings.max_rows,
			items,
			pages: items * max_pages,
			partials: items * Capacity::splits(max_pages * layout.page_tokens),
			depth: MAX_DEPTH,
			ranks: MAX_RANKS,
		};
		let mut bump = Bump::new(arena.start, arena.bytes);
		let model = DeviceModel::new(
			&device,
			config,
			source,
			Sizes {
				formats,
				layout,
				max_context: settings.max_context,
				most,
			},
			&mut bump,
		)?;
		let (pool_start, left) = bump.rest();
		let frames = left / frame;
		let promised = match settings.kv_bytes {
			0 => (frames * KV_SHARE / 100).max(1),
			bytes => bytes / frame,
		};
		if promised == 0 || promised > frames {
			let reason = format!(
				"weights and buffers leave {left} bytes of the device's {}; KV needs {} and at least one page of {frame}",
				arena.bytes,
				promised.max(1) * frame,
			);
			return Err(EngineError::BadSetting {
				name: "kv_budget",
				reason,
			});
		}
		let shape = image::Shape::new(config, formats.element);
		let loader = Loader::start(&device, shape.clone(), pool_start, settings.pinned_bytes)
			.map_err(|e| EngineError::Backend(format!("the loader cannot start: {e}")))?;
		let refused =
			ALL_SITES.map(|(site, _)| model.refuses(&*device, site).map(|e| e.to_string()));
		let info = device.info();
		tracing::info!(
			device = info.name,
			kernels = info.kernels,
			weights = model.weight_bytes(),
			pool = frames * frame,
			kv_tokens = promised * layout.page_tokens,
			"device backend ready"
		);
		Ok(Self {
			tables: device.pinned(
				model
					.plan(&Kind {
						capacity: most,
						head: true,
						embeds: true,
					})
					.bytes(),
			)?,
			logits: device.pinned(items * config.vocab_size * 4)?,
			draws: device.pinned(items * (SampleRow::BYTES + 4))?,
			embeds: None,
			states: None,
			done: device.event()?,
			pool: Pool::new(frames, frame, promised),
			pool_start,
			residents: Residents::default(),
			loader,
			shape,
			formats,
			layout,
			graphs: settings.graphs,
			refused,
			programs: HashMap::new(),
			model,
			device,
			scratch: Vec::new(),
		})
	}

	/// Bytes of weights on the device.
	pub fn weight_bytes(&self) -> usize {
		self.model.weight_bytes()
	}

	/// Frames that pages were promised, in bytes.
	pub fn kv_promised(&self) -> usize {
		self.pool.promised_bytes()
	}

	/// A frame for a page of KV; `None` when copies under way hold what could make room.
	pub fn take_page(&mut self) -> Result<Option<Frame>, EngineError> {
		if self.residents.make_room_for_page(&mut self.pool) {
			return Ok(self.pool.take_page());
		}
		if self.residents.loading() {
			return Ok(None);
		}
		let error = "the device has no page left, though KV should have stayed within its budget";
		Err(EngineError::Backend(error.into()))
	}

	/// Refuses by name what cannot be done on a device.
	pub fn supports(
		&self,
		adapter: &Arc<LoraWeights>,
		config: &ModelConfig,
	) -> Result<(), EngineError> {
		let advice = "serve it with --device cpu";
		let members = members(adapter);
		if members
			.iter()
			.filter(|(member, _)| member.is_dora())
			.count() > 1
		{
			let what = "a set with several DoRA adapters on a device";
			return Err(AdapterError::unsupported(what, advice).into());
		}
		for (member, _) in members {
			for ((site, name), refused) in ALL_SITES.iter().zip(&self.refused) {
				let layers = if *site == Site::Head {
					1
				} else {
					config.layers
				};
				let changes = (0..layers).any(|l| !member.site(l, *site).slices.is_empty());
				if let (true, Some(why)) = (changes, refused) {
					let what = format!("an update of {name} on this device ({why})");
					return Err(AdapterError::unsupported(what, advice).into());
				}
			}
		}
		Ok(())
	}

	/// Leases an adapter, all members of a set or none; `false` if there is no room for it now.
	pub fn lease(
		&mut self,
		adapter: &Arc<LoraWeights>,
		leases: &mut Vec<Resident>,
		held_only: bool,
	) -> Result<bool, EngineError> {
		let mut error = None;
		for (member, _) in members(adapter) {
			let key = resident(member);
			if held_only && self.residents.state(key).is_none() {
				break;
			}
			let shape = &self.shape;
			let sizes = || image::sizes(shape, member);
			match self.residents.lease(&mut self.pool, member, sizes) {
				Ok(Leased::NoRoom) => break,
				Ok(Leased::Held) => leases.push(key),
				Ok(Leased::New) => {
					leases.push(key);
					let extents = self.residents.extents(key).unwrap_or_default();
					if let Err(why) = self.loader.load(key, member, extents) {
						self.residents.failed(&mut self.pool, key);
						error = Some(EngineError::from(why));
						break;
					}
				}
				Err(never) => {
					let (bytes, room) = match never {
						Never::TooLarge { bytes, room } => (bytes, room),
						// Its bytes are free, but too scattered.
						Never::Scattered { bytes } => (bytes, 0),
					};
					error = Some(AdapterError::NoDeviceRoom { bytes, room }.into());
					break;
				}
			}
		}
		if error.is_none() && leases.len() == members(adapter).len() {
			return Ok(true);
		}
		for key in leases.drain(..) {
			self.residents.end(&mut self.pool, key);
		}
		error.map_or(Ok(false), Err)
	}

	/// Whether all of these are there.
	pub fn ready(&self, leases: &[Resident]) -> bool {
		let mut states = leases.iter().map(|key| self.residents.state(*key));
		states.all(|state| state == Some(State::Ready))
	}

	/// How many tokens of an item fit behind what a launch has already: rows and items so far.
	pub fn room(&self, rows: usize, items: usize) -> usize {
		let most = self.model.most();
		match items < most.items {
			true => most.rows - rows,
			false => 0,
		}
	}

	/// What the adapters of a lease are to a plan. Stretches come first, while only the base's product is there.
	fn plan_adapters(&self, adapter: &Arc<LoraWeights>) -> Result<Vec<PlanAdapter>, EngineError> {
		let mut list = members(adapter);
		list.sort_by_key(|(member, _)| !member.is_dora());
		list.into_iter()
			.map(|(member, factor)| {
				let extents = self.residents.extents(resident(member));
				let table = extents.and_then(|extents| extents.first());
				let table = table.ok_or_else(|| {
					EngineError::Backend("an adapter of the step is not on the device".into())
				})?;
				Ok(PlanAdapter {
					table: self.pool_start.at(table.at),
					ranks: self.shape.ranks(member),
					factor,
				})
			})
			.collect()
	}

	/// The kind of launch that these pieces need.
	fn kind(&self, rows: usize, pages: usize, batch: &[BatchItem], pieces: &[Piece]) -> Kind {
		let most = self.model.most();
		let rows = rows.next_power_of_two().min(most.rows);
		let items = rows.min(most.items);
		let max_pages = most.pages / most.items.max(1);
		let pages = pages.next_power_of_two().max(8).min(max_pages);
		let (mut depth, mut ranks, mut head, mut embeds) = (0, 0, false, false);
		for adapter in pieces.iter().filter_map(|p| batch[p.item].adapter.as_ref()) {
			let members = members(adapter);
			depth = depth.max(if members.len() > 1 { MAX_DEPTH } else { 1 });
			for (member, _) in members {
				ranks = ranks.max(self.shape.ranks(member));
				head |= !member.site(0, Site::Head).slices.is_empty();
				embeds |= member.embedding().is_some();
			}
		}
		if depth > 0 {
			ranks = ranks.next_power_of_two().clamp(64, MAX_RANKS);
		}
		let capacity = Capacity {
			rows,
			items,
			pages: items * pages,
			partials: items * Capacity::splits(pages * self.layout.page_tokens),
			depth,
			ranks,
		};
		Kind {
			capacity,
			head,
			embeds,
		}
	}

	/// The launches of a kind, captured if that is possible.
	fn program(&mut self, kind: &Kind) -> &Program {
		if self.programs.len() >= MAX_PROGRAMS && !self.programs.contains_key(kind) {
			self.forget_programs();
		}
		let (model, device, graphs) = (&self.model, &self.device, self.graphs);
		self.programs.entry(*kind).or_insert_with(|| {
			let ops = model.ops(kind);
			let graph = match graphs {
				true => capture(&**device, &ops),
				false => None,
			};
			Program {
				plan: model.plan(kind),
				ops,
				graph,
			}
		})
	}

	/// Frees all captured launches.
	pub fn forget_programs(&mut self) {
		for (_, program) in self.programs.drain() {
			if let Some(graph) = program.graph {
				self.device.drop_graph(graph);
			}
		}
	}

	/// Computes pieces of a batch; appends what is wanted. The states are those of rows whose sequences are
	/// pooled.
	pub fn run(
		&mut self,
		config: &ModelConfig,
		batch: &[BatchItem],
		items: &[ItemState<'_>],
		pieces: &[Piece],
		output: &mut Output<'_>,
	) -> Result<States, EngineError> {
		let rows: usize = pieces.iter().map(|p| p.tokens).sum();
		let end = |p: &Piece| batch[p.item].position + p.first + p.tokens;
		let span = pieces
			.iter()
			.map(|p| end(p).div_ceil(self.layout.page_tokens))
			.max()
			.unwrap_or(0);
		let kind = self.kind(rows, span, batch, pieces);
		let frame = self.pool.frame();
		let start = self.pool_start;
		let pages: Vec<Vec<Ptr>> = pieces
			.iter()
			.map(|p| {
				let pages = &items[p.item].pages[..end(p).div_ceil(self.layout.page_tokens)];
				pages
					.iter()
					.map(|f| start.at(f.0 as usize * frame))
					.collect()
			})
			.collect();
		let adapters: Vec<Vec<PlanAdapter>> = pieces
			.iter()
			.map(|p| match &batch[p.item].adapter {
				Some(adapter) => self.plan_adapters(adapter),
				None => Ok(Vec::new()),
			})
			.collect::<Result<_, _>>()?;
		let plan: Vec<PlanItem<'_>> = pieces
			.iter()
			.zip(&pages)
			.zip(&adapters)
			.map(|((p, pages), adapters)| PlanItem {
				tokens: &batch[p.item].tokens[p.first..p.first + p.tokens],
				position: batch[p.item].position + p.first,
				pages,
				adapters,
				logits: p.logits,
			})
			.collect();

		let base = self.model.tables();
		let mut scratch = std::mem::take(&mut self.scratch);
		let layout = &self.program(&kind).plan;
		scratch.resize(layout.bytes().max(scratch.len()), 0);
		let bytes = layout.bytes();
		let filled = layout.fill(base, &plan, &mut scratch);
		let wrote = self.tables.write(0, &scratch[..bytes]);
		self.scratch = scratch;
		let filled = filled.map_err(|e| EngineError::Backend(e.to_string()))?;
		wrote?;
		let device = Arc::clone(&self.device);
		device.copy_in(COMPUTE, base, &self.tables, 0, bytes)?;
		if kind.embeds {
			self.embed(config, batch, pieces, rows)?;
		}
		let program = self.program(&kind);
		match program.graph {
			Some(graph) => device.replay(COMPUTE, graph)?,
			None => program
				.ops
				.iter()
				.try_for_each(|op| device.launch(COMPUTE, op))?,
		}

		let wanted = filled.wanted * config.vocab_size;
		match output {
			_ if wanted == 0 => {}
			Output::Logits(_) => {
				device.copy_out(COMPUTE, &self.logits, 0, self.model.logits(), wanted * 4)?;
			}
			Output::Tokens(draws, tokens) => {
				let draws = draws.get(tokens.len()..tokens.len() + filled.wanted);
				let draws = draws.ok_or_else(|| {
					EngineError::Backend("fewer draws than items that want a token".into())
				})?;
				let mut bytes = vec![0; draws.len() * SampleRow::BYTES];
				let rows = bytes.chunks_exact_mut(SampleRow::BYTES);
				draws
					.iter()
					.zip(rows)
					.for_each(|(draw, row)| draw.write(row));
				self.draws.write(0, &bytes)?;
				let (how, drawn) = self.model.drawn();
				device.copy_in(COMPUTE, how, &self.draws, 0, bytes.len())?;
				device.launch(COMPUTE, &self.model.draw(&kind))?;
				device.copy_out(COMPUTE, &self.draws, bytes.len(), drawn, filled.wanted * 4)?;
			}
		}
		let width = config.hidden_size;
		let size = self.formats.element.bytes();
		let pools = pieces.iter().any(|p| items[p.item].pooled);
		if pools {
			let states = self.states(rows * width * size)?;
			device.copy_out(
				COMPUTE,
				&states,
				0,
				self.model.states(),
				rows * width * size,
			)?;
		}
		device.record(COMPUTE, self.done)?;
		device.finish(self.done)?;

		match output {
			Output::Logits(logits) => {
				let before = logits.len();
				logits.resize(before + wanted, 0.0);
				self.logits.read(0, bytes_of(&mut logits[before..]))?;
			}
			Output::Tokens(_, tokens) => {
				let mut bytes = vec![0; filled.wanted * 4];
				self.draws
					.read(filled.wanted * SampleRow::BYTES, &mut bytes)?;
				tokens.extend(bytes.chunks_exact(4).map(u32::read));
			}
		}
		let mut summed = Vec::new();
		if pools {
			let states = self.states(0)?;
			let mut row = 0;
			for piece in pieces {
				if items[piece.item].pooled {
					let values = self.read(&states, row * width, piece.tokens * width)?;
					summed.push((piece.item, values));
				}
				row += piece.tokens;
			}
		}
		Ok(summed)
	}

	/// Pinned memory for hidden states.
	fn states(&mut self, bytes: usize) -> Result<Pinned, EngineError> {
		if self.states.as_ref().is_none_or(|s| s.len() < bytes) {
			self.states = Some(self.device.pinned(bytes)?);
		}
		self.states
			.clone()
			.ok_or_else(|| EngineError::Backend("no memory for hidden states".into()))
	}

	/// Activations out of pinned memory.
	fn read(&self, from: &Pinned, at: usize, len: usize) -> Result<Vec<f32>, EngineError> {
		let size = self.formats.element.bytes();
		let mut bytes = vec![0; len * size];
		from.read(at * size, &mut bytes)?;
		let half = |b: &[u8]| bf16::from_bits(u16::from_le_bytes([b[0], b[1]])).to_f32();
		let full = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
		Ok(match self.formats.element {
			Element::F32 => bytes.chunks_exact(4).map(full).collect(),
			Element::Bf16 => bytes.chunks_exact(2).map(half).collect(),
		})
	}

	/// Writes what adapters add to the embeddings of the step's tokens, zero for all other rows.
	fn embed(
		&mut self,
		config: &ModelConfig,
		batch: &[BatchItem],
		pieces: &[Piece],
		rows: usize,
	) -> Result<(), EngineError> {
		let width = config.hidden_size;
		let size = self.formats.element.bytes();
		let most = self.model.most().rows * width * size;
		let memory = match &self.embeds {
			Some(memory) => memory.clone(),
			None => self.embeds.insert(self.device.pinned(most)?).clone(),
		};
		let mut bytes = Vec::with_capacity(rows * width * size);
		let mut sum = vec![0.0; width];
		for piece in pieces {
			let item = &batch[piece.item];
			for token in &item.tokens[piece.first..piece.first + piece.tokens] {
				sum.fill(0.0);
				for (member, factor) in item.adapter.iter().flat_map(members) {
					let Some(update) = member.embedding() else {
						continue;
					};
					let a = &update.a[*token as usize * update.rank..][..update.rank];
					for (a, b) in a.iter().zip(update.b.chunks_exact(width)) {
						let a = a * factor;
						sum.iter_mut().zip(b).for_each(|(s, b)| *s += a * b);
					}
				}
				match self.formats.element {
					Element::F32 => bytes.extend(sum.iter().flat_map(|v| v.to_le_bytes())),
					Element::Bf16 => {
						bytes.extend(sum.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()))
					}
				}
			}
		}
		memory.write(0, &bytes)?;
		self.device
			.copy_in(COMPUTE, self.model.embeds(), &memory, 0, bytes.len())?;
		Ok(())
	}
}

/// Captures launches; without success they are launched one by one.
fn capture(device: &dyn Device, ops: &[Op]) -> Option<Graph> {
	let captured = device.begin_capture(COMPUTE).and_then(|()| {
		let launched = ops.iter().try_for_each(|op| device.launch(COMPUTE, op));
		let graph = device.end_capture(COMPUTE);
		launched.and(graph)
	});
	captured
		.inspect_err(|error| tracing::warn!(%error, "a step could not be captured"))
		.ok()
}
