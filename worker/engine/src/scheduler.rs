//! Decides what each step computes: continuous batching with chunked prefill.
//!
//! One thread owns everything here. A request waits until it is paid, its adapter is loaded, and there is a place and
//! KV for it; then it runs until it is finished, cancelled, overdue or failed. KV for prompt and `max_tokens` is set
//! aside at admission, so a running sequence never has to be thrown out.
//!
//! Among requests that could begin, the tenant's that was served least goes first ([`crate::fair`]), and within a
//! tenant the one that came first. One that waits for KV holds back all others, or small requests would starve large
//! ones; one that waits for a place, its adapter or money lets others pass. A tenant of whom nothing runs finds one of
//! a few places more than a step has rows ([`Scheduler::guests`]): it takes turns with the others at once instead of
//! waiting for an answer of theirs to end.
//!
//! Pages: those of all running sequences, set aside or computed, and those kept for later requests are together
//! never more than the budget. A page that a sequence has completed is kept ([`crate::prefix`]) and so moves from
//! what is set aside to what is kept; when room is needed, kept pages that no sequence uses go.

use std::{
	collections::{BTreeMap, HashMap, HashSet, VecDeque},
	panic::{catch_unwind, AssertUnwindSafe},
	sync::{atomic::Ordering, Arc},
	time::{Duration, Instant},
};

use futures::channel::mpsc::UnboundedSender;

use crate::{
	adapter::LoraWeights,
	backend::{Backend, BatchItem, SequenceId},
	cache::{Availability, Cache},
	embedding::embed,
	error::{AdapterError, EngineError},
	fair::Fair,
	memory::Memory,
	plan::{Bounds, Candidate, Pace, Planner, Work},
	prefix::{PageKey, PrefixIndex},
	queue::{count, Job, Shared},
	request::{Allowance, FinishReason, Request, StreamEvent},
	sampling::{Choice, Sampler},
	store::AdapterKey,
	tenant::Tenant,
	tokenizer::{DecodeStream, Tokenizer},
};

/// Adapters that are loaded for one tenant ahead of its requests being begun: enough to keep the loader busy, few
/// enough that another tenant's is not long in coming.
const LOADS_AHEAD: usize = 8;

/// How often the backend is asked whether an adapter is where it computes, when there is nothing else to do.
const PLACE_POLL: Duration = Duration::from_micros(200);

/// Withholds text that could yet become a stop text.
#[derive(Default)]
struct StopFilter {
	stops: Vec<String>,
	held: String,
}

impl StopFilter {
	/// Takes text; returns what may be given out, and whether a stop text was met.
	fn push(&mut self, text: &str) -> (String, bool) {
		self.held.push_str(text);
		if let Some(at) = self
			.stops
			.iter()
			.filter_map(|stop| self.held.find(stop.as_str()))
			.min()
		{
			self.held.truncate(at);
			return (std::mem::take(&mut self.held), true);
		}
		let keep = self
			.stops
			.iter()
			.map(|stop| overlap(&self.held, stop))
			.max()
			.unwrap_or(0);
		let rest = self.held.split_off(self.held.len() - keep);
		(std::mem::replace(&mut self.held, rest), false)
	}

	/// What is still withheld.
	fn finish(&mut self) -> String {
		std::mem::take(&mut self.held)
	}
}

/// Length of the longest end of `text` that is a beginning of `stop`.
fn overlap(text: &str, stop: &str) -> usize {
	(1..stop.len().min(text.len() + 1))
		.rev()
		.find(|n| stop.is_char_boundary(*n) && text.ends_with(&stop[..*n]))
		.unwrap_or(0)
}

struct Waiting {
	job: Job,
	/// Whether it wants its adapter; see [`Cache::want`].
	wants: bool,
	/// Whether that began a load.
	loads: bool,
}

impl Waiting {
	/// Whether its first token is paid for.
	fn paid(&self) -> bool {
		let allowance = &self.job.request.allowance;
		allowance.as_ref().is_none_or(|a| a.get() > 0)
	}
}

struct Sequence {
	id: SequenceId,
	events: UnboundedSender<StreamEvent>,
	tenant: Tenant,
	key: Option<AdapterKey>,
	lease: Option<Arc<LoraWeights>>,
	/// Whether the backend has that where it computes.
	placed: bool,
	/// Prompt and answer.
	tokens: Vec<u32>,
	/// How many of them are the prompt.
	prompt: usize,
	/// Tokens whose KV is computed, or was there already.
	computed: usize,
	/// Prompt tokens whose KV was there already.
	cached: usize,
	max_tokens: usize,
	allowance: Option<Allowance>,
	deadline: Option<Instant>,
	sampler: Sampler,
	decode: DecodeStream,
	stop: StopFilter,
	/// The key before its first page.
	root: PageKey,
	/// Keys of its first pages, as far as they are kept.
	kept: Vec<PageKey>,
	/// Whether its pages are kept.
	keeps: bool,
	/// Pages set aside for it besides those.
	private: usize,
	/// The step it took part in last.
	stepped: u64,
}

impl Sequence {
	fn prefilled(&self) -> bool {
		self.computed >= self.prompt
	}

	fn generated(&self) -> usize {
		self.tokens.len() - self.prompt
	}

	/// Gives out what its prompt means.
	fn embedded(&self, vector: Vec<f32>) -> FinishReason {
		send(&self.events, StreamEvent::Embedding(vector));
		FinishReason::Stop
	}

	/// Whether its next token is paid for.
	fn allowed(&self) -> bool {
		self.allowance
			.as_ref()
			.is_none_or(|a| (a.get() as usize) > self.generated())
	}

	fn work(&self) -> Work {
		match (self.allowed() && self.placed, self.prefilled()) {
			(false, _) => Work::Stalled,
			(true, true) => Work::Decode,
			(true, false) => Work::Prefill(self.prompt - self.computed),
		}
	}
}

/// The part of the settings the scheduler needs.
pub(crate) struct Limits {
	pub max_batch: usize,
	/// Memory for KV, shared with the adapters.
	pub memory: Arc<Memory>,
	/// Bytes of distinct adapters in one step.
	pub step_adapter_bytes: usize,
	pub prefix_cache: bool,
	pub prompts_first: bool,
	pub eos: Vec<u32>,
	pub vocab_size: usize,
}

/// What a step gives for a sequence's next token.
enum Row<'a> {
	Logits(&'a [f32]),
	/// The backend has chosen.
	Token(u32),
}

/// What came of an attempt to begin a request.
enum Begun {
	/// It runs.
	Yes,
	/// It was refused, or its adapter is not there any more; others may begin.
	Not,
	/// There is no KV for it.
	NoRoom,
}

pub(crate) struct Scheduler {
	shared: Arc<Shared>,
	backend: Box<dyn Backend>,
	cache: Arc<Cache>,
	tokenizer: Tokenizer,
	limits: Limits,
	/// By order of arrival.
	waiting: BTreeMap<u64, Waiting>,
	arrivals: u64,
	running: Vec<Sequence>,
	fair: Fair,
	planner: Planner,
	pace: Pace,
	index: PrefixIndex,
	/// Pages set aside for running sequences besides kept ones.
	private: usize,
	steps: u64,
	/// See [`Backend::epoch`].
	epoch: u64,
	/// When a request was begun last while others waited.
	last_begun: Option<Instant>,
	logits: Vec<f32>,
	tokens: Vec<u32>,
}

impl Scheduler {
	pub fn new(
		shared: Arc<Shared>,
		backend: Box<dyn Backend>,
		cache: Arc<Cache>,
		tokenizer: Tokenizer,
		mut limits: Limits,
	) -> Self {
		limits.prefix_cache &= backend.shares_pages();
		let pace = Pace::new(limits.prompts_first);
		Self {
			epoch: backend.epoch(),
			shared,
			backend,
			cache,
			tokenizer,
			limits,
			waiting: BTreeMap::new(),
			arrivals: 0,
			running: Vec::new(),
			fair: Fair::default(),
			planner: Planner::default(),
			pace,
			index: PrefixIndex::default(),
			private: 0,
			steps: 0,
			last_begun: None,
			logits: Vec::new(),
			tokens: Vec::new(),
		}
	}

	/// Runs until [`Shared::stop`].
	pub fn run(mut self) {
		let mut idle = false;
		while self.take_in(idle) {
			self.drop_cancelled();
			self.drop_overdue();
			self.give_way();
			let waiting = self.waiting.len();
			self.admit();
			self.place();
			let (owners, batch) = self.plan();
			// Who was refused may have left room for another.
			idle = batch.is_empty() && self.waiting.len() == waiting;
			self.cache.computing(!batch.is_empty());
			if !batch.is_empty() {
				self.step(&owners, &batch);
			}
			// The batch holds leases too; a load may wait for them.
			drop(batch);
			self.publish();
		}
		for sequence in std::mem::take(&mut self.running) {
			self.finish(sequence, FinishReason::Cancelled);
		}
		for waiting in std::mem::take(&mut self.waiting).into_values() {
			self.refuse(waiting, EngineError::ShuttingDown);
		}
		self.publish();
	}

	fn publish(&self) {
		self.tell_memory();
		let counters = &self.shared.counters;
		let page = self.backend.page_bytes();
		let cached = self.index.evictable() * page;
		let used = self.backend.kv_bytes().saturating_sub(cached);
		let reserved = (self.private + self.index.used()) * page;
		counters
			.running
			.store(self.running.len(), Ordering::Release);
		counters.kv_bytes.store(used, Ordering::Release);
		counters.kv_cached.store(cached, Ordering::Release);
		counters.kv_reserved.store(reserved, Ordering::Release);
	}

	/// Moves new jobs into the queue, blocking first if there is nothing to do; `false` to stop.
	fn take_in(&mut self, idle: bool) -> bool {
		let waiting = self.waiting.values().filter_map(|w| w.job.request.deadline);
		let running = self.running.iter().filter_map(|s| s.deadline);
		let unplaced = self.running.iter().any(|s| !s.placed);
		let poll = unplaced.then(|| Instant::now() + PLACE_POLL);
		let deadline = waiting.chain(running).chain(poll).min();
		let (jobs, stop) = self.shared.take(idle, deadline);
		for job in jobs {
			let waiting = Waiting {
				job,
				wants: false,
				loads: false,
			};
			self.waiting.insert(self.arrivals, waiting);
			self.arrivals += 1;
		}
		!stop
	}

	fn drop_cancelled(&mut self) {
		let gone = self
			.waiting
			.iter()
			.filter(|(_, w)| w.job.events.is_closed());
		for arrival in gone.map(|(arrival, _)| *arrival).collect::<Vec<_>>() {
			if let Some(waiting) = self.waiting.remove(&arrival) {
				count(&self.shared.counters.cancelled, 1);
				self.forget(&waiting);
			}
		}
		for at in (0..self.running.len()).rev() {
			if self.running[at].events.is_closed() {
				let sequence = self.running.remove(at);
				count(&self.shared.counters.cancelled, 1);
				self.release(sequence);
			}
		}
	}

	fn drop_overdue(&mut self) {
		let now = Instant::now();
		let overdue = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= now);
		let late = self
			.waiting
			.iter()
			.filter(|(_, w)| overdue(w.job.request.deadline));
		for arrival in late.map(|(arrival, _)| *arrival).collect::<Vec<_>>() {
			if let Some(waiting) = self.waiting.remove(&arrival) {
				count(&self.shared.counters.deadlines, 1);
				self.refuse(waiting, EngineError::Deadline);
			}
		}
		for at in (0..self.running.len()).rev() {
			if overdue(self.running[at].deadline) {
				let sequence = self.running.remove(at);
				count(&self.shared.counters.deadlines, 1);
				self.finish(sequence, FinishReason::Deadline);
			}
		}
	}

	/// Bookkeeping for a request that leaves the queue without having begun.
	fn forget(&mut self, waiting: &Waiting) {
		self.shared.left(&waiting.job.tenant);
		if let (true, Some(key)) = (waiting.wants, &waiting.job.request.adapter) {
			self.cache.unwant(key);
		}
	}

	fn refuse(&mut self, waiting: Waiting, error: EngineError) {
		self.forget(&waiting);
		send(&waiting.job.events, StreamEvent::Failed(error));
	}

	/// The requests of each tenant that could begin now, in order of arrival. Has adapters loaded for those that lack
	/// one, and refuses those whose adapter cannot be.
	fn ready(&mut self) -> BTreeMap<Tenant, VecDeque<u64>> {
		let mut ready: BTreeMap<Tenant, VecDeque<u64>> = BTreeMap::new();
		let mut absent: BTreeMap<Tenant, Vec<(u64, AdapterKey)>> = BTreeMap::new();
		let mut loads: HashMap<Tenant, usize> = HashMap::new();
		let mut failed: Vec<(u64, AdapterError)> = Vec::new();
		for (arrival, waiting) in &mut self.waiting {
			if !waiting.paid() {
				continue;
			}
			let tenant = waiting.job.tenant;
			let Some(key) = waiting.job.request.adapter else {
				ready.entry(tenant).or_default().push_back(*arrival);
				continue;
			};
			match self.cache.poll(&key) {
				Availability::Ready => ready.entry(tenant).or_default().push_back(*arrival),
				Availability::Loading if !waiting.wants => {
					// Somebody else's load, which must go on should they leave.
					self.cache.want(&key);
					waiting.wants = true;
				}
				Availability::Loading => {}
				Availability::Failed(error) if waiting.wants => {
					failed.push((*arrival, error));
					continue;
				}
				Availability::Failed(_) => {
					absent.entry(tenant).or_default().push((*arrival, key));
				}
			}
			if waiting.loads {
				*loads.entry(tenant).or_default() += 1;
			}
		}
		for (arrival, error) in failed {
			if let Some(waiting) = self.waiting.remove(&arrival) {
				count(&self.shared.counters.failed, 1);
				self.refuse(waiting, error.into());
			}
		}
		let mut turns: Vec<Tenant> = absent.keys().copied().collect();
		turns.sort_by_key(|tenant| self.fair.counter(tenant));
		let mut begun: HashSet<AdapterKey> = HashSet::new();
		for tenant in turns {
			let loads = loads.entry(tenant).or_default();
			for (arrival, key) in absent.remove(&tenant).unwrap_or_default() {
				let first = !begun.contains(&key);
				if first && *loads >= LOADS_AHEAD {
					continue;
				}
				let Some(waiting) = self.waiting.get_mut(&arrival) else {
					continue;
				};
				self.cache.want(&key);
				(waiting.wants, waiting.loads) = (true, first);
				*loads += usize::from(first);
				begun.insert(key);
			}
		}
		ready
	}

	/// Places beyond a step's rows, one each for tenants of whom nothing runs.
	fn guests(&self) -> usize {
		(self.limits.max_batch / 4).max(1)
	}

	fn admit(&mut self) {
		let mut ready = self.ready();
		let mut places: HashMap<Tenant, usize> = HashMap::new();
		for sequence in self.running.iter().filter(|s| s.allowed()) {
			*places.entry(sequence.tenant).or_default() += 1;
		}
		let mut taken: usize = places.values().sum();
		let backlogged: HashSet<Tenant> = ready.keys().copied().collect();
		let running: HashSet<Tenant> = places.keys().copied().collect();
		self.fair.round(&backlogged, &running);
		loop {
			let heads = ready.iter().filter_map(|(tenant, queue)| {
				Some((self.fair.counter(tenant), *queue.front()?, *tenant))
			});
			let Some((_, arrival, tenant)) = heads.min() else {
				break;
			};
			let guests = if places.contains_key(&tenant) {
				0
			} else {
				self.guests()
			};
			if taken >= self.limits.max_batch + guests {
				ready.remove(&tenant);
				continue;
			}
			match self.begin(arrival) {
				Begun::NoRoom => break,
				Begun::Not => {}
				Begun::Yes => {
					*places.entry(tenant).or_default() += 1;
					taken += 1;
				}
			}
			if let Some(queue) = ready.get_mut(&tenant) {
				queue.pop_front();
			}
		}
		if self.waiting.is_empty() {
			self.last_begun = None;
		}
	}

	/// Makes room for so many pages if that is possible at all.
	fn make_room(&mut self, pages: usize) -> bool {
		let memory = Arc::clone(&self.limits.memory);
		let page = self.backend.page_bytes();
		let in_use = (self.private + self.index.used() + pages) * page;
		if in_use > memory.kv_most() {
			return false;
		}
		let mut idle = None;
		loop {
			let all = (self.private + self.index.len() + pages) * page;
			let Err(missing) = memory.grow_kv(all) else {
				return true;
			};
			let kept = self.index.evictable() * page;
			let adapters = *idle.get_or_insert_with(|| self.cache.idle());
			if kept + adapters < missing {
				return false;
			}
			// Too much for KV however few adapters there are, or more of it is kept than of them.
			if all > memory.kv_most() || kept >= adapters {
				if !self.evict_page() {
					return false;
				}
			} else {
				self.cache.give_way(missing);
				idle = Some(0);
			}
		}
	}

	/// Drops the kept page that was not used for the longest time; `false` if all are in use.
	fn evict_page(&mut self) -> bool {
		let Some(page) = self.index.evict() else {
			return false;
		};
		self.backend.drop_page(page);
		count(&self.shared.counters.prefix_evictions, 1);
		true
	}

	/// Drops kept pages that a load has asked for, down to KV's floor.
	fn give_way(&mut self) {
		let memory = Arc::clone(&self.limits.memory);
		let page = self.backend.page_bytes();
		let asked = memory.asked();
		let mut freed = 0;
		while freed < asked && (self.private + self.index.len()) * page > memory.kv_floor() {
			if !self.evict_page() {
				break;
			}
			freed += page;
		}
		if freed > 0 {
			self.tell_memory();
			self.cache.released();
		}
	}

	/// Tells the adapters what KV takes now.
	fn tell_memory(&self) {
		let page = self.backend.page_bytes();
		let all = (self.private + self.index.len()) * page;
		let kept = self.index.evictable() * page;
		self.limits.memory.set_kv(all, kept);
	}

	fn begin(&mut self, arrival: u64) -> Begun {
		let Some(waiting) = self.waiting.get_mut(&arrival) else {
			return Begun::Not;
		};
		let request = &waiting.job.request;
		let key = request.adapter;
		let page_tokens = self.backend.page_tokens();
		let root = PageKey::root(key.as_ref(), &waiting.job.tenant);
		let keeps = self.limits.prefix_cache && may_share(request);
		let found = if keeps {
			// The last token is computed in any case: its logits are wanted.
			let most = request.prompt.len().saturating_sub(1) / page_tokens;
			self.index
				.acquire_chain(root, &request.prompt, page_tokens, most)
		} else {
			Vec::new()
		};
		let total = (request.prompt.len() + request.max_tokens).div_ceil(page_tokens);
		let private = total.saturating_sub(found.len());
		let (kept, pages): (Vec<PageKey>, Vec<_>) = found.into_iter().unzip();
		if !self.make_room(private) {
			self.index.release(&kept);
			return Begun::NoRoom;
		}
		let Some(waiting) = self.waiting.get_mut(&arrival) else {
			return Begun::Not;
		};
		let mut lease = None;
		if let Some(key) = &key {
			if !std::mem::replace(&mut waiting.wants, true) {
				self.cache.want(key);
			}
			lease = self.cache.take(key);
			if lease.is_none() {
				// It was evicted since it was looked at; now that it is wanted it is loaded again.
				waiting.loads = true;
				self.index.release(&kept);
				return Begun::Not;
			}
		}
		let Some(waiting) = self.waiting.remove(&arrival) else {
			return Begun::Not;
		};
		self.shared.left(&waiting.job.tenant);
		let Job {
			request,
			tenant,
			events,
			since,
		} = waiting.job;
		let id = self.backend.open();
		let shared = pages
			.into_iter()
			.enumerate()
			.try_for_each(|(index, page)| self.backend.share(id, index, page));
		if let Err(error) = shared {
			tracing::error!(%error, "kept pages could not be shared");
			self.backend.close(id);
			self.index.release(&kept);
			count(&self.shared.counters.failed, 1);
			send(&events, StreamEvent::Failed(error));
			return Begun::Not;
		}
		if request.embed {
			self.backend.pool(id);
		}
		let (sampling, grammar) = (request.sampling, request.grammar);
		let eos = &self.limits.eos;
		let sampler = Sampler::for_request(sampling, grammar, &request.prompt, eos);
		let cached = kept.len() * page_tokens;
		self.private += private;
		self.begun(tenant, since);
		self.running.push(Sequence {
			id,
			events,
			tenant,
			key,
			placed: lease.is_none(),
			lease,
			decode: self.tokenizer.stream(&request.prompt),
			prompt: request.prompt.len(),
			tokens: request.prompt,
			computed: cached,
			cached: 0,
			max_tokens: request.max_tokens,
			allowance: request.allowance,
			deadline: request.deadline,
			sampler,
			stop: StopFilter {
				stops: request.stop,
				held: String::new(),
			},
			root,
			kept,
			keeps,
			private,
			stepped: self.steps,
		});
		if let Some(sequence) = self.running.last_mut() {
			found_cached(&self.shared, sequence, cached);
			let input = sequence.prompt - cached;
			self.fair.charge(&tenant, input, 0);
		}
		Begun::Yes
	}

	/// Counts a request that begins after it has waited.
	fn begun(&mut self, tenant: Tenant, since: Instant) {
		let now = Instant::now();
		let waited = now.saturating_duration_since(since);
		let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
		count(&self.shared.counters.begun, 1);
		count(&self.shared.counters.queue_us, micros);
		let mut usage = self.shared.usage();
		let stats = usage.of(tenant);
		stats.requests += 1;
		stats.queue_time += waited;
		drop(usage);
		if let Some(last) = self.last_begun.replace(now) {
			let new = now.saturating_duration_since(last).as_micros() as f64;
			let old = self.shared.interval_us.load(Ordering::Relaxed) as f64;
			// A mean over about ten.
			let mean = if old == 0.0 {
				new
			} else {
				old + 0.1 * (new - old)
			};
			self.shared
				.interval_us
				.store(mean.max(1.0) as u64, Ordering::Relaxed);
		}
	}

	/// Frees what a sequence holds.
	fn release(&mut self, sequence: Sequence) {
		self.backend.close(sequence.id);
		self.private -= sequence.private;
		self.index.release(&sequence.kept);
		drop(sequence.lease);
		self.cache.released();
	}

	fn finish(&mut self, sequence: Sequence, reason: FinishReason) {
		send(
			&sequence.events,
			StreamEvent::Finished {
				reason,
				prompt_tokens: sequence.prompt as u32,
				completion_tokens: sequence.generated() as u32,
				cached_tokens: sequence.cached as u32,
			},
		);
		self.release(sequence);
	}

	/// Gives sequences that are about to read on the pages that others have completed since they began.
	fn adopt(&mut self) {
		let page_tokens = self.backend.page_tokens();
		for sequence in self.running.iter_mut().filter(|s| s.keeps) {
			while sequence.kept.len() * page_tokens == sequence.computed
				&& sequence.computed + page_tokens < sequence.prompt
			{
				let index = sequence.kept.len();
				let tokens = &sequence.tokens[sequence.computed..sequence.computed + page_tokens];
				let key = sequence.kept.last().unwrap_or(&sequence.root).child(tokens);
				let Some(page) = self.index.acquire(&key) else {
					break;
				};
				if let Err(error) = self.backend.share(sequence.id, index, page) {
					tracing::error!(%error, "a kept page could not be shared");
					self.index.release(&[key]);
					sequence.keeps = false;
					break;
				}
				sequence.kept.push(key);
				sequence.private -= 1;
				self.private -= 1;
				sequence.computed += page_tokens;
				found_cached(&self.shared, sequence, page_tokens);
			}
		}
	}

	/// Keeps the pages that a sequence has completed.
	fn keep(&mut self, at: usize) {
		let page_tokens = self.backend.page_tokens();
		let sequence = &mut self.running[at];
		while sequence.keeps && (sequence.kept.len() + 1) * page_tokens <= sequence.computed {
			let index = sequence.kept.len();
			let parent = *sequence.kept.last().unwrap_or(&sequence.root);
			let tokens = &sequence.tokens[index * page_tokens..(index + 1) * page_tokens];
			let key = parent.child(tokens);
			let done = match self.index.acquire(&key) {
				// Another sequence was faster: one of the two equal pages is enough.
				Some(page) => self
					.backend
					.share(sequence.id, index, page)
					.inspect_err(|_| self.index.release(&[key])),
				None => self
					.backend
					.keep(sequence.id, index)
					.map(|page| self.index.insert(key, parent, page)),
			};
			if let Err(error) = done {
				tracing::error!(%error, "a page could not be kept");
				sequence.keeps = false;
				return;
			}
			sequence.kept.push(key);
			sequence.private -= 1;
			self.private -= 1;
		}
	}

	/// Has the backend bring what adapters it lacks; those who came first find room first.
	fn place(&mut self) {
		let mut failed = Vec::new();
		for (at, sequence) in self.running.iter_mut().enumerate() {
			if let (false, Some(lease)) = (sequence.placed, &sequence.lease) {
				match self.backend.place(sequence.id, lease) {
					Ok(placed) => sequence.placed = placed,
					Err(error) => failed.push((at, error)),
				}
			}
		}
		for (at, error) in failed.into_iter().rev() {
			let sequence = self.running.remove(at);
			self.fail(sequence, error);
		}
		self.notice_loss();
	}

	fn fail(&mut self, sequence: Sequence, error: EngineError) {
		count(&self.shared.counters.failed, 1);
		send(&sequence.events, StreamEvent::Failed(error));
		self.release(sequence);
	}

	/// Ends all that the backend has lost.
	fn notice_loss(&mut self) {
		let epoch = self.backend.epoch();
		if std::mem::replace(&mut self.epoch, epoch) == epoch {
			return;
		}
		tracing::error!(
			sequences = self.running.len(),
			pages = self.index.len(),
			"the backend was reset: running requests fail, cached prefixes are forgotten"
		);
		for sequence in std::mem::take(&mut self.running) {
			let error = EngineError::Backend("the device was reset; send the request again".into());
			self.fail(sequence, error);
		}
		for page in self.index.clear() {
			self.backend.drop_page(page);
		}
	}

	/// The next batch, sorted by adapter, and the index of each item's sequence.
	fn plan(&mut self) -> (Vec<usize>, Vec<BatchItem>) {
		self.adopt();
		let candidates: Vec<Candidate> = self
			.running
			.iter()
			.map(|sequence| Candidate {
				tenant: sequence.tenant,
				adapter: sequence
					.key
					.zip(sequence.lease.as_ref().map(|lease| lease.bytes())),
				stepped: sequence.stepped,
				work: sequence.work(),
			})
			.collect();
		let rows = candidates.iter().filter(|c| c.work == Work::Decode);
		let rows = rows.count().min(self.limits.max_batch);
		let prompts = candidates
			.iter()
			.filter(|c| matches!(c.work, Work::Prefill(_)));
		let bounds = Bounds {
			rows: self.limits.max_batch,
			prefill: self.pace.prompt_tokens(rows, prompts.count()),
			adapter_bytes: self.limits.step_adapter_bytes,
		};
		let mut chosen = self.planner.plan(&candidates, &bounds);
		chosen.sort_by_key(|(at, _)| (self.running[*at].key, *at));
		self.steps += 1;
		chosen
			.into_iter()
			.map(|(at, tokens)| {
				let sequence = &mut self.running[at];
				sequence.stepped = self.steps;
				let end = sequence.computed + tokens;
				let item = BatchItem {
					sequence: sequence.id,
					tokens: sequence.tokens[sequence.computed..end].to_vec(),
					position: sequence.computed,
					adapter: sequence.lease.clone(),
					logits: end == sequence.tokens.len(),
				};
				(at, item)
			})
			.unzip()
	}

	fn step(&mut self, owners: &[usize], batch: &[BatchItem]) {
		let mut logits = std::mem::take(&mut self.logits);
		let mut tokens = std::mem::take(&mut self.tokens);
		let likeliest = owners
			.iter()
			.zip(batch)
			.all(|(at, item)| !item.logits || self.running[*at].sampler.takes_likeliest());
		let mut chosen = false;
		let begin = Instant::now();
		// A bug in a kernel must cost this batch, not the worker.
		let done = catch_unwind(AssertUnwindSafe(|| {
			if let (true, Some(done)) = (likeliest, self.backend.step_likeliest(batch, &mut tokens))
			{
				chosen = true;
				return done;
			}
			self.backend.step(batch, &mut logits)
		}))
		.unwrap_or_else(|_| Err(EngineError::Backend("a step ended unexpectedly".into())));
		let took = begin.elapsed();
		let counters = &self.shared.counters;
		count(&counters.steps, 1);
		let mut ended: Vec<(usize, Result<FinishReason, EngineError>)> = Vec::new();
		match done {
			Err(error) => {
				tracing::error!(%error, sequences = owners.len(), "step failed");
				ended.extend(owners.iter().map(|at| (*at, Err(error.clone()))));
			}
			Ok(()) => {
				let mut rows = logits.chunks_exact(self.limits.vocab_size).map(Row::Logits);
				let mut taken = tokens.iter().map(|id| Row::Token(*id));
				let (mut decoded, mut read) = (0, 0);
				for (at, item) in owners.iter().zip(batch) {
					let sequence = &mut self.running[*at];
					if sequence.prefilled() {
						decoded += 1;
					} else {
						read += item.tokens.len();
						count(&counters.tokens_in, item.tokens.len() as u64);
						self.shared.usage().of(sequence.tenant).tokens_in +=
							item.tokens.len() as u64;
					}
					sequence.computed += item.tokens.len();
					if !item.logits {
						continue;
					}
					let row = if chosen { taken.next() } else { rows.next() };
					let Some(row) = row else {
						let error = EngineError::Backend("the backend gave too few logits".into());
						ended.push((*at, Err(error)));
						continue;
					};
					if let Some(pooled) = self.backend.pooled(sequence.id) {
						let outcome = embed(pooled, sequence.prompt);
						ended.push((*at, outcome.map(|v| sequence.embedded(v))));
						continue;
					}
					// Counted first: whoever reads the token may look at the counter next.
					count(&counters.tokens_out, 1);
					self.shared.usage().of(sequence.tenant).tokens_out += 1;
					self.fair.charge(&sequence.tenant, 0, 1);
					match advance(sequence, row, &self.limits.eos) {
						Ok(None) => {}
						Ok(Some(reason)) => ended.push((*at, Ok(reason))),
						Err(error) => ended.push((*at, Err(error))),
					}
				}
				self.pace.observe(decoded + read, took);
				for at in owners {
					self.keep(*at);
				}
			}
		}
		self.logits = logits;
		self.tokens = tokens;
		ended.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
		for (at, outcome) in ended {
			let sequence = self.running.remove(at);
			match outcome {
				Ok(reason) => self.finish(sequence, reason),
				Err(error) => self.fail(sequence, error),
			}
		}
		self.notice_loss();
	}
}

/// Whether a request's prompt may begin with pages that another has computed: not if every token's hidden state
/// is wanted.
fn may_share(request: &Request) -> bool {
	!request.embed
}

/// Counts prompt tokens whose KV a sequence found.
fn found_cached(shared: &Shared, sequence: &mut Sequence, tokens: usize) {
	if tokens == 0 {
		return;
	}
	sequence.cached += tokens;
	count(&shared.counters.tokens_in, tokens as u64);
	count(&shared.counters.cached_tokens, tokens as u64);
	let mut usage = shared.usage();
	let stats = usage.of(sequence.tenant);
	stats.tokens_in += tokens as u64;
	stats.cached_tokens += tokens as u64;
}

/// A closed stream is noticed before the next step; nothing is lost by sending into it.
fn send(events: &UnboundedSender<StreamEvent>, event: StreamEvent) {
	if events.unbounded_send(event).is_err() {
		tracing::trace!("stream closed before its last event");
	}
}

/// Chooses a sequence's next token and gives it out; the reason if it was the last.
fn advance(
	sequence: &mut Sequence,
	row: Row<'_>,
	eos: &[u32],
) -> Result<Option<FinishReason>, EngineError> {
	let Choice { id, logprobs } = match row {
		Row::Logits(logits) => sequence.sampler.next(logits)?,
		Row::Token(id) => sequence.sampler.took(id),
	};
	sequence.tokens.push(id);
	let ended = eos.contains(&id);
	let piece = if ended {
		String::new()
	} else {
		sequence.decode.push(id)?
	};
	let (mut text, mut stopped) = sequence.stop.push(&piece);
	let full = sequence.generated() >= sequence.max_tokens;
	if !stopped && (ended || full) {
		let (rest, hit) = sequence.stop.push(&sequence.decode.finish()?);
		text.push_str(&rest);
		text.push_str(&sequence.stop.finish());
		stopped = hit;
	}
	let token = StreamEvent::Token { id, text, logprobs };
	send(&sequence.events, token);
	Ok(if ended || stopped {
		Some(FinishReason::Stop)
	} else if full {
		Some(FinishReason::Length)
	} else {
		None
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	fn filter(stops: &[&str], pieces: &[&str]) -> (String, bool) {
		let stops = stops.iter().map(|s| s.to_string()).collect();
		let mut filter = StopFilter {
			stops,
			held: String::new(),
		};
		let mut out = String::new();
		for piece in pieces {
			let (text, stopped) = filter.push(piece);
			out.push_str(&text);
			if stopped {
				return (out, true);
			}
		}
		out.push_str(&filter.finish());
		(out, false)
	}

	#[test]
	fn stop_texts_should_be_found_across_pieces_and_never_given_out() {
		assert_eq!(
			filter(&["END"], &["one E", "N", "D two"]),
			("one ".into(), true)
		);
		assert_eq!(
			filter(&["END"], &["one E", "N", "joy"]),
			("one ENjoy".into(), false)
		);
		assert_eq!(filter(&["abc", "b"], &["a", "b"]), ("a".into(), true));
		assert_eq!(filter(&["é!"], &["caf", "é", "?"]), ("café?".into(), false));
		assert_eq!(filter(&[], &["all", " of it"]), ("all of it".into(), false));
		assert_eq!(filter(&["aab"], &["aa", "ab"]), ("a".into(), true));
	}
}
