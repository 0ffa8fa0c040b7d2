//! Decides what each step computes: continuous batching with chunked prefill.
//!
//! One thread owns everything here. A request waits until its adapter is loaded and its KV fits, then runs until it
//! is finished, cancelled or failed. KV for prompt and `max_tokens` is set aside at admission, so a running sequence
//! never has to be thrown out. Requests are admitted in order, except that one whose adapter still loads, or which
//! is not paid for yet, lets others pass.

use std::{
	collections::VecDeque,
	panic::{catch_unwind, AssertUnwindSafe},
	sync::{
		atomic::{AtomicU64, AtomicUsize, Ordering},
		Arc, Condvar, Mutex, MutexGuard, PoisonError,
	},
};

use futures::channel::mpsc::UnboundedSender;

use crate::{
	adapter::LoraWeights,
	backend::{Backend, BatchItem, SequenceId},
	cache::{Availability, Cache},
	embedding::embed,
	error::EngineError,
	request::{Allowance, FinishReason, Request, StreamEvent, Wake},
	sampling::{Choice, Sampler},
	store::AdapterKey,
	tokenizer::{DecodeStream, Tokenizer},
};

/// Prompt tokens per step while other sequences decode: bounds what a newcomer adds to their token gap.
const PREFILL_BESIDE: usize = 64;
/// Prompt tokens per step when nobody else waits for a token.
const PREFILL_ALONE: usize = 256;

/// A request on its way to the scheduler.
pub(crate) struct Job {
	pub request: Request,
	pub events: UnboundedSender<StreamEvent>,
}

#[derive(Default)]
struct Inbox {
	jobs: Vec<Job>,
	signalled: bool,
	stop: bool,
}

/// What handles and the scheduler share.
#[derive(Default)]
pub(crate) struct Shared {
	inbox: Mutex<Inbox>,
	signal: Condvar,
	pub running: AtomicUsize,
	pub waiting: AtomicUsize,
	pub kv_bytes: AtomicUsize,
	pub kv_reserved: AtomicUsize,
	pub tokens_in: AtomicU64,
	pub tokens_out: AtomicU64,
	pub steps: AtomicU64,
}

impl Shared {
	fn lock(&self) -> MutexGuard<'_, Inbox> {
		self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Queues a job unless `limit` others wait already.
	pub fn submit(&self, job: Job, limit: usize) -> Result<(), EngineError> {
		let mut inbox = self.lock();
		if inbox.stop {
			return Err(EngineError::ShuttingDown);
		}
		let waiting = self.waiting.load(Ordering::Acquire);
		if waiting >= limit {
			return Err(EngineError::QueueFull(waiting));
		}
		self.waiting.fetch_add(1, Ordering::AcqRel);
		inbox.jobs.push(job);
		inbox.signalled = true;
		self.signal.notify_all();
		Ok(())
	}

	pub fn stop(&self) {
		self.lock().stop = true;
		self.signal.notify_all();
	}
}

impl Wake for Shared {
	fn wake(&self) {
		self.lock().signalled = true;
		self.signal.notify_all();
	}
}

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
	wants: bool,
}

struct Sequence {
	id: SequenceId,
	events: UnboundedSender<StreamEvent>,
	key: Option<AdapterKey>,
	lease: Option<Arc<LoraWeights>>,
	prompt: Vec<u32>,
	/// Tokens whose KV is computed.
	computed: usize,
	last: u32,
	generated: usize,
	max_tokens: usize,
	allowance: Option<Allowance>,
	sampler: Sampler,
	decode: DecodeStream,
	stop: StopFilter,
	reserved: usize,
}

impl Sequence {
	fn prefilled(&self) -> bool {
		self.computed >= self.prompt.len()
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
			.is_none_or(|a| (a.get() as usize) > self.generated)
	}
}

/// The part of the settings the scheduler needs.
pub(crate) struct Limits {
	pub max_batch: usize,
	pub kv_budget: usize,
	pub eos: Vec<u32>,
	pub vocab_size: usize,
}

pub(crate) struct Scheduler {
	shared: Arc<Shared>,
	backend: Box<dyn Backend>,
	cache: Arc<Cache>,
	tokenizer: Tokenizer,
	limits: Limits,
	waiting: VecDeque<Waiting>,
	running: Vec<Sequence>,
	reserved: usize,
	/// Where the next decode round begins when not all fit one batch.
	turn: usize,
	logits: Vec<f32>,
}

impl Scheduler {
	pub fn new(
		shared: Arc<Shared>,
		backend: Box<dyn Backend>,
		cache: Arc<Cache>,
		tokenizer: Tokenizer,
		limits: Limits,
	) -> Self {
		Self {
			shared,
			backend,
			cache,
			tokenizer,
			limits,
			waiting: VecDeque::new(),
			running: Vec::new(),
			reserved: 0,
			turn: 0,
			logits: Vec::new(),
		}
	}

	/// Runs until [`Shared::stop`].
	pub fn run(mut self) {
		let mut idle = false;
		while self.take_in(idle) {
			self.drop_cancelled();
			self.admit();
			let (owners, batch) = self.plan();
			idle = batch.is_empty();
			if !idle {
				self.step(&owners, &batch);
			}
			// The batch holds leases too; a load may wait for them.
			drop(batch);
			self.publish();
		}
		for sequence in std::mem::take(&mut self.running) {
			self.finish(sequence, FinishReason::Cancelled);
		}
		for waiting in std::mem::take(&mut self.waiting) {
			self.refuse(waiting, EngineError::ShuttingDown);
		}
		self.publish();
	}

	fn publish(&self) {
		self.shared
			.running
			.store(self.running.len(), Ordering::Release);
		self.shared
			.kv_bytes
			.store(self.backend.kv_bytes(), Ordering::Release);
		self.shared
			.kv_reserved
			.store(self.reserved, Ordering::Release);
	}

	/// Moves new jobs into the queue, blocking first if there is nothing to do; `false` to stop.
	fn take_in(&mut self, idle: bool) -> bool {
		let mut inbox = self.shared.lock();
		while idle && !inbox.signalled && !inbox.stop {
			inbox = self
				.shared
				.signal
				.wait(inbox)
				.unwrap_or_else(PoisonError::into_inner);
		}
		inbox.signalled = false;
		let jobs = std::mem::take(&mut inbox.jobs);
		let stop = inbox.stop;
		drop(inbox);
		self.waiting
			.extend(jobs.into_iter().map(|job| Waiting { job, wants: false }));
		!stop
	}

	fn drop_cancelled(&mut self) {
		let mut at = 0;
		while at < self.waiting.len() {
			if self.waiting[at].job.events.is_closed() {
				if let Some(waiting) = self.waiting.remove(at) {
					self.forget(&waiting);
				}
			} else {
				at += 1;
			}
		}
		let mut at = 0;
		while at < self.running.len() {
			if self.running[at].events.is_closed() {
				let sequence = self.running.remove(at);
				self.release(sequence);
			} else {
				at += 1;
			}
		}
	}

	/// Bookkeeping for a request that leaves the queue.
	fn forget(&mut self, waiting: &Waiting) {
		self.shared.waiting.fetch_sub(1, Ordering::AcqRel);
		if let (true, Some(key)) = (waiting.wants, &waiting.job.request.adapter) {
			self.cache.unwant(key);
		}
	}

	fn refuse(&mut self, waiting: Waiting, error: EngineError) {
		self.forget(&waiting);
		send(&waiting.job.events, StreamEvent::Failed(error));
	}

	fn admit(&mut self) {
		let mut active = self.running.iter().filter(|s| s.allowed()).count();
		let mut at = 0;
		let mut blocked = false;
		while at < self.waiting.len() {
			let request = &self.waiting[at].job.request;
			if request.allowance.as_ref().is_some_and(|a| a.get() == 0) {
				at += 1;
				continue;
			}
			if let Some(key) = &request.adapter {
				let key = *key;
				if !self.waiting[at].wants {
					self.cache.want(&key);
					self.waiting[at].wants = true;
				}
				match self.cache.poll(&key) {
					Availability::Ready => {}
					Availability::Loading => {
						at += 1;
						continue;
					}
					Availability::Failed(error) => {
						if let Some(waiting) = self.waiting.remove(at) {
							self.refuse(waiting, error.into());
						}
						continue;
					}
				}
			}
			// Later requests go on to start their loads, but none overtakes one that waits for KV or a place.
			let request = &self.waiting[at].job.request;
			let needed = self.bytes(request.prompt.len() + request.max_tokens);
			blocked |=
				active >= self.limits.max_batch || self.reserved + needed > self.limits.kv_budget;
			if blocked {
				at += 1;
				continue;
			}
			if let Some(waiting) = self.waiting.remove(at) {
				self.start(waiting, needed);
				active += 1;
			}
		}
	}

	/// Bytes of KV for that many tokens.
	fn bytes(&self, tokens: usize) -> usize {
		tokens.div_ceil(self.backend.page_tokens()) * self.backend.page_bytes()
	}

	fn start(&mut self, waiting: Waiting, reserved: usize) {
		let lease = match &waiting.job.request.adapter {
			None => None,
			Some(key) => match self.cache.take(key) {
				Some(lease) => Some(lease),
				// Ready was seen by this thread and wanted adapters are not evicted.
				None => {
					let error = EngineError::Backend("an adapter left memory while wanted".into());
					return self.refuse(waiting, error);
				}
			},
		};
		self.shared.waiting.fetch_sub(1, Ordering::AcqRel);
		let Job { request, events } = waiting.job;
		self.reserved += reserved;
		let id = self.backend.open();
		if request.embed {
			self.backend.pool(id);
		}
		let (sampling, grammar) = (request.sampling, request.grammar);
		let eos = &self.limits.eos;
		let sampler = Sampler::for_request(sampling, grammar, &request.prompt, eos);
		self.running.push(Sequence {
			id,
			events,
			key: request.adapter,
			lease,
			decode: self.tokenizer.stream(&request.prompt),
			prompt: request.prompt,
			computed: 0,
			last: 0,
			generated: 0,
			max_tokens: request.max_tokens,
			allowance: request.allowance,
			sampler,
			stop: StopFilter {
				stops: request.stop,
				held: String::new(),
			},
			reserved,
		});
	}

	/// Frees what a sequence holds.
	fn release(&mut self, sequence: Sequence) {
		self.backend.close(sequence.id);
		self.reserved -= sequence.reserved;
		drop(sequence.lease);
		self.cache.released();
	}

	fn finish(&mut self, sequence: Sequence, reason: FinishReason) {
		send(
			&sequence.events,
			StreamEvent::Finished {
				reason,
				prompt_tokens: sequence.prompt.len() as u32,
				completion_tokens: sequence.generated as u32,
			},
		);
		self.release(sequence);
	}

	/// The next batch, sorted by adapter, and the index of each item's sequence.
	fn plan(&mut self) -> (Vec<usize>, Vec<BatchItem>) {
		let mut chosen: Vec<(usize, usize)> = Vec::new();
		let count = self.running.len();
		for step in 0..count {
			let at = (self.turn + step) % count;
			let sequence = &self.running[at];
			if sequence.prefilled() && sequence.allowed() && chosen.len() < self.limits.max_batch {
				chosen.push((at, 1));
			}
		}
		if chosen.len() == self.limits.max_batch {
			self.turn = chosen.last().map_or(0, |(at, _)| at + 1);
		}
		let mut left = if chosen.is_empty() {
			PREFILL_ALONE
		} else {
			PREFILL_BESIDE
		};
		for (at, sequence) in self.running.iter().enumerate() {
			if !sequence.prefilled() && sequence.allowed() && left > 0 {
				let tokens = left.min(sequence.prompt.len() - sequence.computed);
				left -= tokens;
				chosen.push((at, tokens));
			}
		}
		chosen.sort_by_key(|(at, _)| (self.running[*at].key, *at));
		chosen
			.into_iter()
			.map(|(at, tokens)| {
				let sequence = &self.running[at];
				let (tokens, logits) = if sequence.prefilled() {
					(vec![sequence.last], true)
				} else {
					let end = sequence.computed + tokens;
					let tokens = sequence.prompt[sequence.computed..end].to_vec();
					(tokens, end == sequence.prompt.len())
				};
				let item = BatchItem {
					sequence: sequence.id,
					tokens,
					position: sequence.computed,
					adapter: sequence.lease.clone(),
					logits,
				};
				(at, item)
			})
			.unzip()
	}

	fn step(&mut self, owners: &[usize], batch: &[BatchItem]) {
		let mut logits = std::mem::take(&mut self.logits);
		// A bug in a kernel must cost this batch, not the worker.
		let done = catch_unwind(AssertUnwindSafe(|| self.backend.step(batch, &mut logits)))
			.unwrap_or_else(|_| Err(EngineError::Backend("a step ended unexpectedly".into())));
		self.shared.steps.fetch_add(1, Ordering::Relaxed);
		let mut ended: Vec<(usize, Result<FinishReason, EngineError>)> = Vec::new();
		match done {
			Err(error) => {
				tracing::error!(%error, sequences = owners.len(), "step failed");
				ended.extend(owners.iter().map(|at| (*at, Err(error.clone()))));
			}
			Ok(()) => {
				let mut rows = logits.chunks_exact(self.limits.vocab_size);
				for (at, item) in owners.iter().zip(batch) {
					let sequence = &mut self.running[*at];
					if !sequence.prefilled() {
						let read = item.tokens.len() as u64;
						self.shared.tokens_in.fetch_add(read, Ordering::Relaxed);
					}
					sequence.computed += item.tokens.len();
					if !item.logits {
						continue;
					}
					let Some(row) = rows.next() else {
						let error = EngineError::Backend("the backend gave too few logits".into());
						ended.push((*at, Err(error)));
						continue;
					};
					if let Some(pooled) = self.backend.pooled(sequence.id) {
						let outcome = embed(pooled, sequence.prompt.len());
						ended.push((*at, outcome.map(|v| sequence.embedded(v))));
						continue;
					}
					// Counted first: whoever reads the token may look at the counter next.
					self.shared.tokens_out.fetch_add(1, Ordering::Relaxed);
					match advance(sequence, row, &self.limits.eos) {
						Ok(None) => {}
						Ok(Some(reason)) => ended.push((*at, Ok(reason))),
						Err(error) => ended.push((*at, Err(error))),
					}
				}
			}
		}
		self.logits = logits;
		ended.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
		for (at, outcome) in ended {
			let sequence = self.running.remove(at);
			match outcome {
				Ok(reason) => self.finish(sequence, reason),
				Err(error) => {
					send(&sequence.events, StreamEvent::Failed(error));
					self.release(sequence);
				}
			}
		}
	}
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
	logits: &[f32],
	eos: &[u32],
) -> Result<Option<FinishReason>, EngineError> {
	let Choice { id, logprobs } = sequence.sampler.next(logits)?;
	sequence.last = id;
	sequence.generated += 1;
	let ended = eos.contains(&id);
	let piece = if ended {
		String::new()
	} else {
		sequence.decode.push(id)?
	};
	let (mut text, mut stopped) = sequence.stop.push(&piece);
	let full = sequence.generated >= sequence.max_tokens;
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
