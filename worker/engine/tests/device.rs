//! The backend of accelerators on the twin, against the processor's: every family, adapters of all kinds, shared pages,
//! loads beside steps, and a device that fails.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
	collections::HashSet,
	fs,
	sync::{
		atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
		Arc, Mutex,
	},
	time::Duration,
};

use common::{
	fixture, fixture_model,
	small::{small, Fake},
	until, RandomAdapter, ALL_MODULES, FAMILIES,
};
use openledger_engine::{
	backend::{Backend, BatchItem, SequenceId},
	cpu::CpuBackend,
	device::{DeviceBackend, DeviceSettings, Draw, Opener},
	*,
};
use openledger_kernels::device::{
	Arena, Device, DeviceError, DeviceInfo, Element, Event, Graph, Op, Pinned, Ptr, Stream, Twin,
};

/// Largest difference over largest logit: of f32, where only the order of sums differs, and of bf16.
const EXACT: f64 = 2e-5;
const ROUNDED: f64 = 4e-2;

const MIB: usize = 1 << 20;

fn twin(bytes: usize) -> Opener {
	Box::new(move || Ok(Arc::new(Twin::new(bytes)?)))
}

fn settings(element: Element) -> DeviceSettings {
	DeviceSettings {
		max_context: 64,
		max_rows: 64,
		max_items: 16,
		element,
		..DeviceSettings::DEFAULT
	}
}

fn loaded(family: &str) -> LoadedModel {
	let folder = tempfile::tempdir().unwrap();
	fixture_model(family, folder.path());
	load_model(folder.path()).unwrap()
}

fn on_twin(model: &LoadedModel, settings: DeviceSettings) -> DeviceBackend {
	let open = twin(64 * MIB);
	DeviceBackend::new(&model.config, model.weights.clone(), settings, open).unwrap()
}

fn fixture_adapter(
	family: &str,
	name: &str,
	model: &LoadedModel,
	backend: &dyn Backend,
) -> Arc<LoraWeights> {
	let read = |file: &str| fs::read(fixture(family).join(name).join(file)).unwrap();
	let config = AdapterConfig::parse(&read("adapter_config.json")).unwrap();
	let weights = read("adapter_model.safetensors");
	let rows = backend.base_rows();
	Arc::new(LoraWeights::load(&config, &weights, &model.config, rows.as_deref()).unwrap())
}

fn random_adapter(model: &LoadedModel, seed: u64, rank: usize) -> Arc<LoraWeights> {
	let files = RandomAdapter::new(&model.config, seed, rank, &ALL_MODULES, 0.3).files();
	let config = AdapterConfig::parse(&files.config).unwrap();
	Arc::new(LoraWeights::parse(&config, &files.weights, &model.config).unwrap())
}

/// The logits after each chunk of `chunks` tokens, for each adapter, all in the same steps.
fn logits(
	backend: &mut dyn Backend,
	vocabulary: usize,
	chunks: &[usize],
	adapters: &[Option<Arc<LoraWeights>>],
) -> Vec<Vec<Vec<f32>>> {
	let ids: Vec<_> = adapters.iter().map(|_| backend.open()).collect();
	let mut rows = vec![Vec::new(); adapters.len()];
	let mut at = 0;
	for length in chunks {
		let batch: Vec<_> = ids
			.iter()
			.zip(adapters)
			.map(|(id, adapter)| item(*id, at, *length, adapter.clone()))
			.collect();
		let mut logits = Vec::new();
		backend.step(&batch, &mut logits).unwrap();
		assert_eq!(logits.len(), adapters.len() * vocabulary);
		for (rows, row) in rows.iter_mut().zip(logits.chunks_exact(vocabulary)) {
			rows.push(row.to_vec());
		}
		at += length;
	}
	ids.into_iter().for_each(|id| backend.close(id));
	rows
}

/// Tokens of a text that is the same for everybody.
fn item(
	sequence: SequenceId,
	position: usize,
	length: usize,
	adapter: Option<Arc<LoraWeights>>,
) -> BatchItem {
	BatchItem {
		sequence,
		tokens: (position..position + length)
			.map(|i| (i * 37 % 90 + 3) as u32)
			.collect(),
		position,
		adapter,
		logits: true,
	}
}

fn apart(got: &[Vec<f32>], wanted: &[Vec<f32>]) -> f64 {
	let largest = wanted
		.iter()
		.flatten()
		.fold(0f64, |m, v| m.max(f64::from(v.abs())));
	assert!(largest > 0.5, "the reference itself says nothing");
	assert_eq!(got.len(), wanted.len());
	let pairs = got.iter().flatten().zip(wanted.iter().flatten());
	pairs
		.map(|(g, w)| (f64::from(*g) - f64::from(*w)).abs() / largest)
		.fold(0.0, |worst, apart| match apart.is_nan() {
			true => f64::INFINITY,
			false => worst.max(apart),
		})
}

const CHUNKS: [usize; 7] = [3, 17, 1, 1, 20, 1, 1];

#[test]
fn every_family_and_adapter_should_agree_with_the_processor() {
	for (family, names) in FAMILIES {
		let model = loaded(family);
		let vocabulary = model.config.vocab_size;
		let mut cpu = CpuBackend::new(&model.config, model.weights.clone(), 64, 2).unwrap();
		let mut adapters = vec![None];
		adapters.extend(
			names
				.iter()
				.map(|n| Some(fixture_adapter(family, n, &model, &cpu))),
		);
		let wanted = logits(&mut cpu, vocabulary, &CHUNKS, &adapters);
		for (element, tolerance) in [(Element::F32, EXACT), (Element::Bf16, ROUNDED)] {
			let mut device = on_twin(&model, settings(element));
			let got = logits(&mut device, vocabulary, &CHUNKS, &adapters);
			for ((got, wanted), name) in got.iter().zip(&wanted).zip(["base"].iter().chain(names)) {
				let apart = apart(got, wanted);
				println!("{family} {name} {element:?}: {apart:.1e}");
				assert!(
					apart <= tolerance,
					"{family} {name} {element:?}: {apart:e} apart"
				);
			}
			// Alone, and cut otherwise, every row has the same bits.
			for (adapter, beside) in adapters.iter().zip(&got) {
				let adapter = std::slice::from_ref(adapter);
				let alone = logits(&mut device, vocabulary, &CHUNKS, adapter);
				assert_eq!(&alone[0], beside, "{family} {element:?}");
				let cut = logits(&mut device, vocabulary, &[20, 1, 1, 20, 2], adapter);
				assert_eq!(cut[0][4], beside[6], "{family} {element:?}");
			}
		}
	}
}

#[test]
fn int8_weights_should_stay_near_the_exact_ones() {
	let model = loaded("mistral");
	let mut cpu = CpuBackend::new(&model.config, model.weights.clone(), 64, 2).unwrap();
	let wanted = logits(&mut cpu, 96, &CHUNKS, &[None]);
	let int8 = DeviceSettings {
		int8: true,
		..settings(Element::Bf16)
	};
	let mut device = on_twin(&model, int8);
	assert!(apart(&logits(&mut device, 96, &CHUNKS, &[None])[0], &wanted[0]) < 0.1);
	let wide = on_twin(&model, settings(Element::Bf16))
		.stats()
		.weight_bytes;
	assert!(device.stats().weight_bytes < wide * 3 / 4);
}

#[test]
fn weighted_sets_should_agree_with_the_processor_or_be_refused_by_name() {
	let model = loaded("llama");
	let mut cpu = CpuBackend::new(&model.config, model.weights.clone(), 64, 2).unwrap();
	let get = |name: &str| fixture_adapter("llama", name, &model, &cpu);
	let (lora, dora, embedding, head) = (get("lora"), get("dora"), get("embedding"), get("head"));
	let set = |members: &[(&Arc<LoraWeights>, f32)]| {
		let members = members.iter().map(|(adapter, f)| (Arc::clone(adapter), *f));
		Some(Arc::new(LoraWeights::set(members.collect())))
	};
	let adapters = [
		set(&[(&lora, 0.75), (&head, 0.5)]),
		set(&[(&lora, 0.5), (&dora, -1.5), (&embedding, 2.0)]),
		Some(Arc::clone(&lora)),
		set(&[(&embedding, 0.25), (&embedding, 0.75)]),
		None,
	];
	let wanted = logits(&mut cpu, 96, &CHUNKS, &adapters);
	let mut device = on_twin(&model, settings(Element::F32));
	let got = logits(&mut device, 96, &CHUNKS, &adapters);
	for (i, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
		assert!(apart(got, wanted) <= EXACT, "{i}: {:e}", apart(got, wanted));
	}
	let twice = set(&[(&dora, 0.5), (&dora, 0.5)]);
	let id = device.open();
	let refused = device.place(id, &twice.unwrap()).unwrap_err();
	assert_eq!(refused.code(), "adapter-unsupported");
	assert!(refused.to_string().contains("several DoRA"), "{refused}");
}

#[test]
fn graphs_and_launches_and_large_steps_cut_into_launches_should_give_the_same_bits() {
	let model = loaded("qwen3");
	let adapters = [
		None,
		Some(random_adapter(&model, 1, 4)),
		Some(random_adapter(&model, 2, 7)),
		None,
	];
	let mut results = Vec::new();
	for (graphs, max_rows, max_items) in
		[(true, 64, 16), (false, 64, 16), (true, 24, 3), (true, 5, 1)]
	{
		let mut device = on_twin(
			&model,
			DeviceSettings {
				graphs,
				max_rows,
				max_items,
				..settings(Element::Bf16)
			},
		);
		let first = logits(&mut device, 96, &CHUNKS, &adapters);
		// The second time everything is captured already.
		assert_eq!(first, logits(&mut device, 96, &CHUNKS, &adapters));
		results.push(first);
	}
	for other in &results[1..] {
		assert_eq!(other, &results[0]);
	}
}

#[test]
fn tokens_drawn_on_the_device_should_be_those_of_its_logits() {
	let model = loaded("qwen2");
	for max_items in [16, 2] {
		let mut device = on_twin(
			&model,
			DeviceSettings {
				max_items,
				..settings(Element::Bf16)
			},
		);
		let ids: Vec<_> = (0..5).map(|_| device.open()).collect();
		let batch: Vec<_> = (2..7)
			.zip(&ids)
			.map(|(length, id)| BatchItem {
				logits: length != 4,
				..item(*id, 0, length, None)
			})
			.collect();
		let greedy = Draw {
			temperature: 0.0,
			top_p: 1.0,
			random: 0.0,
			top_k: 0,
		};
		let mut tokens = Vec::new();
		device
			.step_drawn(&batch, &[greedy; 4], &mut tokens)
			.unwrap();
		let mut logits = Vec::new();
		device.step(&batch, &mut logits).unwrap();
		let best = |row: &[f32]| {
			let best = (0..96).rev().max_by(|a, b| row[*a].total_cmp(&row[*b]));
			best.unwrap() as u32
		};
		let wanted: Vec<u32> = logits.chunks_exact(96).map(best).collect();
		assert_eq!(tokens, wanted);
		assert!(
			device
				.step_drawn(&batch, &[greedy; 3], &mut tokens)
				.is_err(),
			"one draw too few"
		);
	}
}

#[test]
fn hidden_states_should_be_summed_as_the_processor_does() {
	let model = loaded("qwen2");
	let mut cpu = CpuBackend::new(&model.config, model.weights.clone(), 64, 2).unwrap();
	let mut device = on_twin(
		&model,
		DeviceSettings {
			max_rows: 8,
			..settings(Element::F32)
		},
	);
	let adapter = fixture_adapter("qwen2", "lora", &model, &cpu);
	let pooled = |backend: &mut dyn Backend| {
		let (plain, id) = (backend.open(), backend.open());
		backend.pool(id);
		let mut logits = Vec::new();
		for (at, length) in [(0, 11), (11, 1)] {
			let batch = [
				item(plain, at, length, None),
				item(id, at, length, Some(adapter.clone())),
			];
			backend.step(&batch, &mut logits).unwrap();
		}
		assert!(backend.pooled(plain).is_none());
		let pooled = backend.pooled(id).unwrap();
		assert!(backend.pooled(id).is_none(), "it is taken away");
		pooled
	};
	let (wanted, count) = pooled(&mut cpu);
	let (got, same) = pooled(&mut device);
	assert_eq!((count, same), (12, 12));
	assert!(apart(&[got], &[wanted]) <= EXACT);
}

#[test]
fn pages_should_be_shared_kept_and_freed_as_on_the_processor() {
	let model = loaded("llama");
	let mut device = on_twin(&model, settings(Element::F32));
	let page = device.page_bytes();
	let step = |device: &mut DeviceBackend, id, at, length| {
		let mut logits = Vec::new();
		device
			.step(&[item(id, at, length, None)], &mut logits)
			.map(|()| logits)
	};
	let whole = device.open();
	let expected = step(&mut device, whole, 0, 40).unwrap();
	assert_eq!(device.kv_bytes(), 3 * page);
	let kept: Vec<_> = (0..2).map(|i| device.keep(whole, i).unwrap()).collect();
	assert_eq!(device.keep(whole, 3).unwrap_err().code(), "backend");
	// Another sequence with those pages computes only the rest, to the same bits.
	let other = device.open();
	device.share(other, 0, kept[0]).unwrap();
	assert!(device.share(other, 2, kept[1]).is_err(), "a gap");
	device.share(other, 1, kept[1]).unwrap();
	assert_eq!(step(&mut device, other, 32, 8).unwrap(), expected);
	assert_eq!(device.kv_bytes(), 4 * page);
	// A shared page is not written again.
	assert_eq!(
		step(&mut device, other, 31, 1).unwrap_err().code(),
		"backend"
	);
	// Equal pages of a third one make room for the kept ones.
	let third = device.open();
	step(&mut device, third, 0, 32).unwrap();
	assert_eq!(device.kv_bytes(), 6 * page);
	device.share(third, 0, kept[0]).unwrap();
	device.share(third, 1, kept[1]).unwrap();
	assert_eq!(device.kv_bytes(), 4 * page);
	assert_eq!(step(&mut device, third, 32, 8).unwrap(), expected);
	for id in [whole, other, third] {
		device.close(id);
		device.close(id);
	}
	assert_eq!(device.kv_bytes(), 2 * page);
	kept.iter().for_each(|page| device.drop_page(*page));
	device.drop_page(kept[0]);
	assert_eq!(device.kv_bytes(), 0);
	let after = device.open();
	assert!(device.share(after, 0, kept[0]).is_err());
	assert_eq!(step(&mut device, after, 0, 40).unwrap(), expected);
	let beyond = item(after, 40, 25, None);
	assert!(
		device.step(&[beyond], &mut Vec::new()).is_err(),
		"beyond the context"
	);
	let unknown = BatchItem {
		tokens: vec![96],
		..item(after, 40, 1, None)
	};
	let error = device.step(&[unknown], &mut Vec::new()).unwrap_err();
	assert_eq!(error, EngineError::UnknownToken(96));
}

#[test]
fn many_adapters_of_mixed_ranks_should_take_turns_in_little_memory() {
	let model = loaded("llama");
	let adapters: Vec<_> = (0..12)
		.map(|i| Some(random_adapter(&model, i, 1 + i as usize * 3 % 8)))
		.collect();
	let mut cpu = CpuBackend::new(&model.config, model.weights.clone(), 64, 2).unwrap();
	let wanted = logits(&mut cpu, 96, &[9, 1, 1], &adapters);
	// Room for pages and a few adapters.
	let probe = on_twin(&model, settings(Element::F32));
	let needed: usize = adapters.iter().flatten().map(|a| a.bytes()).sum();
	let page = probe.page_bytes();
	drop(probe);
	let kv = DeviceSettings {
		kv_bytes: page * 8,
		pinned_bytes: needed / 2,
		..settings(Element::F32)
	};
	let starts = |bytes: usize| {
		DeviceBackend::new(&model.config, model.weights.clone(), kv, twin(bytes)).is_ok()
	};
	let (mut little, mut buffers) = (0, 16 * MIB);
	while buffers - little > 4096 {
		let middle = (little + buffers) / 2;
		match starts(middle) {
			true => buffers = middle,
			false => little = middle,
		}
	}
	let room = buffers + needed / 3;
	let mut device =
		DeviceBackend::new(&model.config, model.weights.clone(), kv, twin(room)).unwrap();
	for round in 0..3 {
		for (adapter, wanted) in adapters.iter().zip(&wanted) {
			let pair = [adapter.clone(), None];
			let got = logits(&mut device, 96, &[9, 1, 1], &pair);
			assert!(apart(&got[0], wanted) <= EXACT, "round {round}");
		}
	}
	let stats = device.stats();
	assert!(stats.evictions > 0 && stats.loads.loads > 12, "{stats:?}");
	assert!(
		stats.loads.pinned_hits > 0 || stats.loads.loads >= 36,
		"{stats:?}"
	);
	assert_eq!(stats.kv_bytes, 0);
}

/// What a rigged device is told.
#[derive(Default)]
struct Control {
	/// Calls until one fails; negative for never.
	fail_in: AtomicI64,
	/// Whether the device is dead after that.
	dies: AtomicBool,
	/// Whether copies of adapters do not come to an end.
	holds: AtomicBool,
	/// Whether there is no pinned memory to be had.
	unpinned: AtomicBool,
	/// Devices opened.
	opened: AtomicUsize,
	/// Whether none can be opened.
	gone: AtomicBool,
}

/// A twin that fails when it is told to.
struct Rigged {
	twin: Twin,
	control: Arc<Control>,
	dead: AtomicBool,
	loads: Mutex<HashSet<Event>>,
}

impl Rigged {
	fn opener(control: &Arc<Control>, bytes: usize) -> Opener {
		control.fail_in.store(-1, Ordering::SeqCst);
		let control = Arc::clone(control);
		Box::new(move || {
			if control.gone.load(Ordering::SeqCst) {
				return Err(DeviceError::Absent("it was taken out".into()));
			}
			control.opened.fetch_add(1, Ordering::SeqCst);
			Ok(Arc::new(Self {
				twin: Twin::new(bytes)?,
				control: Arc::clone(&control),
				dead: AtomicBool::new(false),
				loads: Mutex::default(),
			}))
		})
	}

	fn broken() -> DeviceError {
		DeviceError::Driver {
			call: "rigged",
			why: "told to".into(),
		}
	}

	/// Fails if it is this call's turn.
	fn turn(&self) -> Result<(), DeviceError> {
		self.alive()?;
		if self.control.fail_in.load(Ordering::SeqCst) < 0 {
			return Ok(());
		}
		if self.control.fail_in.fetch_sub(1, Ordering::SeqCst) == 0 {
			self.dead
				.store(self.control.dies.load(Ordering::SeqCst), Ordering::SeqCst);
			return Err(Self::broken());
		}
		Ok(())
	}

	fn alive(&self) -> Result<(), DeviceError> {
		match self.dead.load(Ordering::SeqCst) {
			true => Err(Self::broken()),
			false => Ok(()),
		}
	}
}

impl Device for Rigged {
	fn info(&self) -> &DeviceInfo {
		self.twin.info()
	}
	fn arena(&self) -> Arena {
		self.twin.arena()
	}
	fn pinned(&self, bytes: usize) -> Result<Pinned, DeviceError> {
		self.alive()?;
		match self.control.unpinned.load(Ordering::SeqCst) {
			true => Err(DeviceError::Memory {
				wanted: bytes,
				free: 0,
			}),
			false => self.twin.pinned(bytes),
		}
	}
	fn copy_in(
		&self,
		s: Stream,
		to: Ptr,
		from: &Pinned,
		at: usize,
		n: usize,
	) -> Result<(), DeviceError> {
		self.turn()?;
		self.twin.copy_in(s, to, from, at, n)
	}
	fn copy_out(
		&self,
		s: Stream,
		to: &Pinned,
		at: usize,
		from: Ptr,
		n: usize,
	) -> Result<(), DeviceError> {
		self.turn()?;
		self.twin.copy_out(s, to, at, from, n)
	}
	fn write(&self, to: Ptr, bytes: &[u8]) -> Result<(), DeviceError> {
		self.alive()?;
		self.twin.write(to, bytes)
	}
	fn read(&self, from: Ptr, bytes: &mut [u8]) -> Result<(), DeviceError> {
		self.alive()?;
		self.twin.read(from, bytes)
	}
	fn fill(&self, stream: Stream, to: Ptr, value: u8, bytes: usize) -> Result<(), DeviceError> {
		self.turn()?;
		self.twin.fill(stream, to, value, bytes)
	}
	fn launch(&self, stream: Stream, op: &Op) -> Result<(), DeviceError> {
		self.turn()?;
		self.twin.launch(stream, op)
	}
	fn event(&self) -> Result<Event, DeviceError> {
		self.alive()?;
		self.twin.event()
	}
	fn record(&self, stream: Stream, event: Event) -> Result<(), DeviceError> {
		self.turn()?;
		if stream == Stream::Load {
			self.loads.lock().unwrap().insert(event);
		}
		self.twin.record(stream, event)
	}
	fn wait(&self, stream: Stream, event: Event) -> Result<(), DeviceError> {
		self.turn()?;
		self.twin.wait(stream, event)
	}
	fn passed(&self, event: Event) -> Result<bool, DeviceError> {
		self.turn()?;
		let held = self.control.holds.load(Ordering::SeqCst);
		match held && self.loads.lock().unwrap().contains(&event) {
			true => Ok(false),
			false => self.twin.passed(event),
		}
	}
	fn finish(&self, event: Event) -> Result<(), DeviceError> {
		self.turn()?;
		self.twin.finish(event)
	}
	fn seconds(&self, from: Event, to: Event) -> Result<f64, DeviceError> {
		self.twin.seconds(from, to)
	}
	fn synchronize(&self, stream: Stream) -> Result<(), DeviceError> {
		self.alive()?;
		self.twin.synchronize(stream)
	}
	fn begin_capture(&self, stream: Stream) -> Result<(), DeviceError> {
		self.turn()?;
		self.twin.begin_capture(stream)
	}
	fn end_capture(&self, stream: Stream) -> Result<Graph, DeviceError> {
		// The capture ends in any case.
		let graph = self.twin.end_capture(stream);
		self.turn().and(graph)
	}
	fn replay(&self, stream: Stream, graph: Graph) -> Result<(), DeviceError> {
		self.turn()?;
		self.twin.replay(stream, graph)
	}
	fn drop_graph(&self, graph: Graph) {
		self.twin.drop_graph(graph);
	}
}

/// An engine on a rigged device.
struct World {
	control: Arc<Control>,
	engine: Engine,
	model: LoadedModel,
	_folder: tempfile::TempDir,
}

fn world(bytes: usize, kv_pages: usize) -> World {
	let folder = tempfile::tempdir().unwrap();
	let model = small();
	let control = Arc::new(Control::default());
	let device = DeviceSettings {
		max_context: 256,
		max_rows: 64,
		max_items: 16,
		element: Element::F32,
		..DeviceSettings::DEFAULT
	};
	let opener = Rigged::opener(&control, bytes);
	let backend = DeviceBackend::new(&model.config, model.weights.clone(), device, opener).unwrap();
	let config = EngineConfig {
		kv_budget: kv_pages * backend.page_bytes(),
		max_context: 256,
		max_batch: 8,
		..EngineConfig::new(folder.path())
	};
	let engine = Engine::with_backend(Fake::base(&model), Box::new(backend), config).unwrap();
	World {
		control,
		engine,
		model,
		_folder: folder,
	}
}

impl World {
	fn import(&self, seed: u64, rank: usize) -> AdapterKey {
		let adapter = RandomAdapter::new(&self.model.config, seed, rank, &ALL_MODULES, 0.3);
		self.engine.store().insert(&adapter.files()).unwrap()
	}

	fn submit(&self, text: &str, adapter: Option<AdapterKey>, max_tokens: usize) -> TokenStream {
		let prompt = text.bytes().map(u32::from).collect();
		let request = Request {
			prompt,
			adapter,
			max_tokens,
			..Default::default()
		};
		self.engine.submit(request).unwrap()
	}

	fn ask(&self, text: &str, adapter: Option<AdapterKey>) -> Result<Vec<u32>, EngineError> {
		Ok(self.submit(text, adapter, 12).wait()?.ids)
	}
}

const LONG: &str = "a text that is long enough to fill a page or two of keys and values";

#[test]
fn the_engine_should_answer_on_the_device_as_on_the_processor() {
	let world = world(64 * MIB, 64);
	let folder = tempfile::tempdir().unwrap();
	let config = EngineConfig {
		threads: 2,
		max_context: 256,
		..EngineConfig::new(folder.path())
	};
	let cpu = Engine::new(small(), config).unwrap();
	let keys: Vec<_> = (0..5).map(|i| world.import(i, 2 + i as usize)).collect();
	for i in 0..5 {
		let adapter = RandomAdapter::new(&world.model.config, i, 2 + i as usize, &ALL_MODULES, 0.3);
		cpu.store().insert(&adapter.files()).unwrap();
	}
	for round in 0..2 {
		let adapters = keys.iter().copied().map(Some).chain([None]);
		let streams: Vec<_> = adapters
			.clone()
			.map(|a| world.submit(LONG, a, 12))
			.collect();
		for (stream, adapter) in streams.into_iter().zip(adapters) {
			let got = stream.wait().unwrap();
			let prompt = LONG.bytes().map(u32::from).collect();
			let request = Request {
				prompt,
				adapter,
				max_tokens: 12,
				..Default::default()
			};
			let wanted = cpu.submit(request).unwrap().wait().unwrap();
			assert_eq!(got.ids, wanted.ids);
			assert_eq!(got.cached_tokens > 0, round > 0, "the prefix was kept");
		}
	}
	// Where the device does not choose the token.
	let request = || Request {
		prompt: LONG.bytes().map(u32::from).collect(),
		max_tokens: 12,
		sampling: Sampling {
			temperature: 0.9,
			seed: Some(7),
			logprobs: Some(1),
			..Default::default()
		},
		..Default::default()
	};
	let [got, wanted] =
		[&world.engine, &cpu].map(|engine| engine.submit(request()).unwrap().wait().unwrap().ids);
	assert_eq!(got, wanted);
}

#[test]
fn a_cold_adapter_should_hold_up_nobody_but_who_needs_it() {
	let world = world(64 * MIB, 64);
	let (warm, cold) = (world.import(1, 4), world.import(2, 4));
	let expected = world.ask(LONG, Some(cold)).unwrap();
	world.ask(LONG, Some(warm)).unwrap();
	let base = world.ask("other words", None).unwrap();
	// The host forgets the cold one, so the device does too.
	until("nobody uses it", || world.engine.unload(&cold).is_ok());
	world.control.holds.store(true, Ordering::SeqCst);
	let waits = world.submit(LONG, Some(cold), 12);
	for _ in 0..3 {
		assert_eq!(world.ask("other words", None).unwrap(), base);
		world.ask(LONG, Some(warm)).unwrap();
	}
	until("only it is left", || world.engine.stats().running == 1);
	world.control.holds.store(false, Ordering::SeqCst);
	assert_eq!(waits.wait().unwrap().ids, expected);
	// Whoever leaves while its adapter is on the way costs nothing.
	until("nobody uses it", || world.engine.unload(&cold).is_ok());
	world.control.holds.store(true, Ordering::SeqCst);
	drop(world.submit(LONG, Some(cold), 12));
	until("the sequence left", || world.engine.stats().running == 0);
	world.control.holds.store(false, Ordering::SeqCst);
	assert_eq!(world.ask(LONG, Some(cold)).unwrap(), expected);
}

#[test]
fn whatever_call_fails_its_requests_should_fail_and_the_next_be_answered() {
	let world = world(64 * MIB, 64);
	let key = world.import(1, 3);
	let expected = world.ask(LONG, None).unwrap();
	let adapted = world.ask(LONG, Some(key)).unwrap();
	let mut failures = 0;
	for call in (0..40).chain((40..400).step_by(29)) {
		world.control.fail_in.store(call, Ordering::SeqCst);
		let results = [
			world.submit(LONG, None, 12),
			world.submit(LONG, Some(key), 12),
		]
		.map(TokenStream::wait);
		for (result, wanted) in results.into_iter().zip([&expected, &adapted]) {
			match result {
				Ok(done) => assert_eq!(&done.ids, wanted),
				Err(error) => {
					assert_eq!(error.code(), "backend", "{error}");
					failures += 1;
				}
			}
		}
		world.control.fail_in.store(-1, Ordering::SeqCst);
		assert_eq!(
			world.ask(LONG, None).unwrap(),
			expected,
			"after call {call}"
		);
		assert_eq!(
			world.ask(LONG, Some(key)).unwrap(),
			adapted,
			"after call {call}"
		);
	}
	assert!(failures > 10, "{failures}");
	assert_eq!(
		world.control.opened.load(Ordering::SeqCst),
		1,
		"the device itself was well"
	);
	until("all KV is free or kept", || {
		let stats = world.engine.stats();
		stats.running == 0 && stats.kv_bytes == 0
	});
}

#[test]
fn a_lost_device_should_be_opened_anew_and_nothing_of_it_be_used_again() {
	let world = world(64 * MIB, 64);
	let key = world.import(1, 3);
	let expected = world.ask(LONG, None).unwrap();
	let adapted = world.ask(LONG, Some(key)).unwrap();
	until("the prefix is kept", || world.engine.stats().kv_cached > 0);
	world.control.dies.store(true, Ordering::SeqCst);
	for (round, call) in [0, 3, 11, 40].into_iter().enumerate() {
		let streams = [
			world.submit(LONG, None, 100),
			world.submit(LONG, Some(key), 100),
		];
		world.control.fail_in.store(call, Ordering::SeqCst);
		for stream in streams {
			let error = stream.wait().unwrap_err();
			assert_eq!(error.code(), "backend", "{error}");
		}
		until("cached prefixes are gone with it", || {
			world.engine.stats().kv_cached == 0
		});
		let again = world.submit(LONG, None, 12).wait().unwrap();
		assert_eq!((&again.ids, again.cached_tokens), (&expected, 0));
		assert_eq!(world.ask(LONG, Some(key)).unwrap(), adapted);
		assert_eq!(world.control.opened.load(Ordering::SeqCst), round + 2);
	}
	// As long as it cannot be opened requests fail, but the engine stays up.
	world.control.gone.store(true, Ordering::SeqCst);
	world.control.fail_in.store(0, Ordering::SeqCst);
	for _ in 0..3 {
		assert_eq!(world.ask(LONG, None).unwrap_err().code(), "backend");
	}
	world.control.gone.store(false, Ordering::SeqCst);
	std::thread::sleep(Duration::from_millis(2_100));
	assert_eq!(world.ask(LONG, None).unwrap(), expected);
}

#[test]
fn an_adapter_that_cannot_be_brought_should_fail_its_request_only() {
	let world = world(64 * MIB, 64);
	let key = world.import(1, 3);
	world.control.unpinned.store(true, Ordering::SeqCst);
	let error = world.ask(LONG, Some(key)).unwrap_err();
	assert!(
		error.to_string().contains("bytes of memory were asked for"),
		"{error}"
	);
	world.ask(LONG, None).unwrap();
	world.control.unpinned.store(false, Ordering::SeqCst);
	world.ask(LONG, Some(key)).unwrap();
}

#[test]
fn what_does_not_fit_should_be_refused_by_name() {
	let model = small();
	let make = |bytes: usize, change: &dyn Fn(&mut DeviceSettings)| {
		let mut settings = settings(Element::F32);
		change(&mut settings);
		DeviceBackend::new(&model.config, model.weights.clone(), settings, twin(bytes)).err()
	};
	let error = make(10_000, &|_| ()).unwrap();
	assert!(
		error.to_string().contains("bytes of memory were asked for"),
		"{error}"
	);
	let error = make(32 * MIB, &|s| s.kv_bytes = 64 * MIB).unwrap();
	assert_eq!(error.code(), "bad-setting");
	assert!(error.to_string().contains("kv_budget"), "{error}");
	assert_eq!(
		make(32 * MIB, &|s| s.max_rows = 0).unwrap().code(),
		"bad-setting"
	);
	assert_eq!(make(32 * MIB, &|_| ()), None);
	// KV takes all but three pages; an adapter that is larger is refused, smaller ones are served.
	let probe = on_twin(&model, settings(Element::F32));
	let (page, all) = (
		probe.page_bytes(),
		probe.kv_promised() / probe.page_bytes() * 100 / 80,
	);
	drop(probe);
	let tight = DeviceSettings {
		kv_bytes: (all - 3) * page,
		..settings(Element::F32)
	};
	let mut device = on_twin(&model, tight);
	let (large, little) = (random_adapter(&model, 1, 64), random_adapter(&model, 2, 1));
	assert!(large.bytes() > 4 * page);
	let id = device.open();
	let error = device.place(id, &large).unwrap_err();
	assert!(error.to_string().contains("lower --kv-budget"), "{error}");
	device
		.step(&[item(id, 0, 3, Some(little))], &mut Vec::new())
		.unwrap();
}

#[test]
fn shapes_a_device_cannot_do_should_be_refused_when_the_model_is_loaded() {
	let model = loaded("llama");
	let mut config = model.config.clone();
	// 32 query heads for one kv head.
	(config.heads, config.kv_heads, config.head_dim) = (32, 1, 2);
	let error = DeviceBackend::random(&config, settings(Element::Bf16), twin(64 * MIB)).err();
	let error = error.unwrap();
	assert_eq!(error.code(), "model-unsupported", "{error}");
	assert!(error.to_string().contains("query heads"), "{error}");
}
