//! One answer over gRPC, from `Start` to `Settled`.
//!
//! ```text
//! Start -> Accepted{due for the prompt} -> voucher -> on disk -> allowance of one chunk
//!   -> Chunk… -> every 16 tokens Chunk{payment_due} -> voucher -> on disk -> allowance rises …
//!   -> Finished{receipt, due} -> voucher that acknowledges it -> on disk -> Settled
//! ```
//!
//! A voucher is on disk before it raises the allowance, so the worker is never more than one chunk
//! ahead of the money. When the client or its money breaks off in between, the receipt is for the tokens
//! that were sent, and what is not paid of them is due with the lane's next answer. When the worker
//! breaks off (engine, chain, disk), it is for exactly the tokens that are paid.
//!
//! The task that runs this is not tied to the connection, so it is never cut short at an await.

use crate::{
	catalog::Member,
	error::{Blame, Refusal},
	meter::{Ask, Bill, Seat, ASK_EVERY, MAX_ASKS},
	metrics::Tracked,
	payee::Payee,
	payments::{Checked, Expected, LaneKey, Totals, Voucher},
	store::{LaneRecord, OpenAnswer},
	worker::{answer_id, stopped, Input, Mode, Ready, Wanted, Worker},
};
use codec::Encode;
use futures::{stream::BoxStream, Stream, StreamExt};
use openledger_engine::{
	Allowance, ChatMessage, Constraint, FinishReason, Request, Sampling, StreamEvent, Tenant,
};
use openledger_primitives::{voucher::acknowledge, AccountId, Balance, Hash, Rate};
use openledger_proto::v1::{
	generate_request::Frame as In, generate_response::Frame as Out, start, Accepted, Chunk, Due,
	Finished, GenerateRequest, GenerateResponse, LaneState, Rate as WireRate, Settled, Start,
};
use std::{
	collections::{BTreeMap, HashMap},
	sync::Arc,
	time::Duration,
};
use tokio::{
	sync::mpsc,
	time::{timeout, Instant},
};
use tonic::Status;

/// How long a client may take for its first frame, and to read what is sent to it.
const PATIENCE: Duration = Duration::from_secs(30);

type Sender = mpsc::Sender<Result<GenerateResponse, Status>>;

/// Serves one call of `Generate`; every way it can end is told to the client, counted and logged.
pub async fn serve<S>(worker: Arc<Worker>, frames: S, replies: Sender)
where
	S: Stream<Item = Result<GenerateRequest, Status>> + Send + Unpin,
{
	let mut call = Call {
		worker: worker.clone(),
		frames,
		replies,
	};
	if let Err(refusal) = call.run().await {
		worker.refused(&refusal, "generate");
		// The client may be gone; then there is nobody to tell.
		let _told = timeout(PATIENCE, call.replies.send(Err(refusal.status()))).await;
	}
}

/// What a client sends while an answer runs.
enum Signal {
	Voucher(Vec<u8>),
	Cancel,
}

struct Call<S> {
	worker: Arc<Worker>,
	frames: S,
	replies: Sender,
}

/// How the tokens of an answer ended.
struct Ended {
	reason: &'static str,
	text: String,
	tokens_out: u32,
}

impl<S> Call<S>
where
	S: Stream<Item = Result<GenerateRequest, Status>> + Send + Unpin,
{
	async fn run(&mut self) -> Result<(), Refusal> {
		let first = timeout(PATIENCE, self.frames.next()).await;
		let start = match first.map_err(|_| Refusal::ClientGone)? {
			Some(Ok(GenerateRequest {
				frame: Some(In::Start(start)),
			})) => start,
			Some(Ok(_)) => {
				return Err(Refusal::BadRequest(
					"the first frame must be `start`".into(),
				))
			}
			_ => return Err(Refusal::ClientGone),
		};
		let _place = self.worker.place()?;
		let payer = start.payer;
		let ready = self.worker.ready(wanted(start)?).await?;
		let worker = self.worker.clone();
		match &worker.mode {
			Mode::Offline(_) => self.free(ready).await,
			Mode::Paid(payee) => {
				let payer = payer.ok_or(Refusal::PaymentRequired)?;
				let lane =
					u16::try_from(payer.lane).map_err(|_| Refusal::LaneOutOfRange(payer.lane))?;
				let key = LaneKey {
					channel: payer.channel,
					generation: payer.generation,
					lane,
				};
				self.paid(payee, key, ready).await
			}
		}
	}

	async fn send(&self, frame: Out) -> Result<(), Refusal> {
		let reply = GenerateResponse { frame: Some(frame) };
		timeout(PATIENCE, self.replies.send(Ok(reply)))
			.await
			.map_err(|_| Refusal::ClientGone)?
			.map_err(|_| Refusal::ClientGone)
	}

	/// The client's next frame.
	async fn signal(&mut self) -> Result<Signal, Refusal> {
		match self.frames.next().await {
			Some(Ok(GenerateRequest { frame: Some(frame) })) => match frame {
				In::Voucher(bytes) => Ok(Signal::Voucher(bytes)),
				In::Cancel(_) => Ok(Signal::Cancel),
				In::Start(_) => Err(Refusal::BadRequest("`start` was sent already".into())),
			},
			Some(Ok(GenerateRequest { frame: None })) => {
				Err(Refusal::BadRequest("a frame without content".into()))
			}
			Some(Err(_)) | None => Err(Refusal::ClientGone),
		}
	}

	/// An answer without money.
	async fn free(&mut self, ready: Ready) -> Result<(), Refusal> {
		let mut tracked = self
			.worker
			.metrics
			.track(ready.model.label(), &ready.model.adapters);
		let tokens_in = ready.tokens_in();
		let mut tokens = self.worker.generator.submit(ready.request)?;
		self.send(Out::Accepted(Accepted {
			id: answer_id(),
			prompt_tokens: tokens_in,
			..Accepted::default()
		}))
		.await?;
		tracked.read(tokens_in);
		let mut out = 0u32;
		let mut stop = self.worker.stop.clone();
		let reason = loop {
			let event = tokio::select! {
				event = tokens.next() => event,
				signal = self.signal() => match signal? {
					Signal::Cancel => break "cancelled",
					Signal::Voucher(_) => return Err(Refusal::Offline),
				},
				() = stopped(&mut stop) => break "cancelled",
			};
			match event {
				Some(StreamEvent::Token { id, text, .. }) => {
					out = out.saturating_add(1);
					tracked.token();
					self.send(Out::Chunk(chunk(id, text, out, None))).await?;
				}
				Some(StreamEvent::Finished { reason, .. }) => break name_of(reason),
				Some(StreamEvent::Embedding(_)) => {}
				Some(StreamEvent::Failed(error)) => return Err(error.into()),
				None => return Err(Refusal::ShuttingDown),
			}
		};
		tracked.ended(reason);
		self.send(Out::Finished(Finished {
			reason: reason.into(),
			prompt_tokens: tokens_in,
			completion_tokens: out,
			..Finished::default()
		}))
		.await
	}

	/// An answer that a channel pays.
	async fn paid(&mut self, payee: &Payee, key: LaneKey, mut ready: Ready) -> Result<(), Refusal> {
		let limit = self.worker.limits.streams_per_channel;
		let (seat, lane) = payee.sit(key, limit).await?;
		let channel = payee.channel(payee.block()?, key.channel).await?;
		ready.request.tenant = Some(Tenant::of(&channel.payer));
		// The index is needed when the answer has ended; better to find out now that it is broken.
		if ready.model.adapter.is_some() {
			payee.verify_index(&ready.model.name).await?;
		}
		let bill = Bill::new(&lane, ready.model.price, ready.tokens_in());
		let first = bill.due(0)?;
		let ahead = bill.due(bill.allowance(ready.max_tokens()))?;
		payee.reserve_first(&seat, ahead.amount, false).await?;
		let answer = open_answer(&ready);
		self.send(Out::Accepted(accepted(payee, &answer, &lane, first)?))
			.await?;
		let session = Session {
			payee,
			worker: self.worker.clone(),
			seat,
			model: ready.model.name.clone(),
			adapters: ready.model.adapters.clone(),
			lane,
			bill,
			answer,
			max_tokens: ready.max_tokens(),
			acknowledged: Hash::zero(),
		};
		session.run(self, ready.request).await
	}
}

/// A paid answer under way.
struct Session<'a> {
	payee: &'a Payee,
	worker: Arc<Worker>,
	seat: Seat,
	/// Name of the model, for the metrics.
	model: String,
	/// Its adapter's name, if it has one.
	adapters: Vec<String>,
	/// The lane before this answer, then with each voucher that is held.
	lane: LaneRecord,
	bill: Bill,
	answer: OpenAnswer,
	max_tokens: u32,
	/// The accumulator that vouchers of this answer carry, up to the last.
	acknowledged: Hash,
}

impl Session<'_> {
	async fn run<S>(mut self, call: &mut Call<S>, request: Request) -> Result<(), Refusal>
	where
		S: Stream<Item = Result<GenerateRequest, Status>> + Send + Unpin,
	{
		let key = self.seat.key();
		self.acknowledged = self.lane.all_receipts();
		let voucher = self.first_voucher(call).await?;
		let ahead = self.bill.due(self.bill.allowance(self.max_tokens))?;
		self.payee
			.reserve_first(&self.seat, ahead.amount, voucher.by_delegate())
			.await?;
		let mut tracked = self.worker.metrics.track(&self.model, &self.adapters);
		// Nothing is read before the allowance rises, but a full queue is known before the money is taken.
		let allowance = Allowance::new(0);
		let mut tokens = self.worker.generator.submit(Request {
			allowance: Some(allowance.clone()),
			..request
		})?;
		self.payee.store.begin(key, &voucher, &self.answer).await?;
		self.asked(voucher.pays())?;
		self.held(voucher);
		tracked.read(self.answer.tokens_in());
		allowance.raise(self.bill.allowance(self.max_tokens));
		let mut ended = Ended {
			reason: "cancelled",
			text: String::new(),
			tokens_out: 0,
		};
		let streamed = self
			.stream(call, &mut tokens, &allowance, &mut tracked, &mut ended)
			.await;
		drop(tokens);
		if let Err(refusal) = streamed {
			tracked.ended("broken-off");
			if owes_what_came(&refusal) {
				let (sent, text) = (ended.tokens_out, &ended.text);
				self.payee.close(key, &self.answer, sent, text).await?;
			} else {
				self.payee.recover(key).await?;
			}
			return Err(refusal);
		}
		tracked.ended(ended.reason);
		drop(tracked);
		self.finish(call, ended).await
	}

	/// Waits for the voucher that pays the prompt.
	async fn first_voucher<S>(&mut self, call: &mut Call<S>) -> Result<Voucher<Checked>, Refusal>
	where
		S: Stream<Item = Result<GenerateRequest, Status>> + Send + Unpin,
	{
		let wait = self.worker.limits.voucher_wait;
		let signal = timeout(wait, call.signal())
			.await
			.map_err(|_| Refusal::PaymentTimeout(wait.as_secs()))?;
		match signal? {
			Signal::Voucher(bytes) => self.check(&bytes, None).await,
			Signal::Cancel => Err(Refusal::ClientGone),
		}
	}

	/// Streams tokens for as long as they are paid; `ended` is what was sent, also when it fails.
	async fn stream<S>(
		&mut self,
		call: &mut Call<S>,
		tokens: &mut BoxStream<'static, StreamEvent>,
		allowance: &Allowance,
		tracked: &mut Tracked,
		ended: &mut Ended,
	) -> Result<(), Refusal>
	where
		S: Stream<Item = Result<GenerateRequest, Status>> + Send + Unpin,
	{
		let wait = self.worker.limits.voucher_wait;
		let mut stop = self.worker.stop.clone();
		let mut deadline: Option<Instant> = None;
		loop {
			let overdue = async {
				match deadline {
					Some(at) => tokio::time::sleep_until(at).await,
					None => std::future::pending().await,
				}
			};
			// Money first: a voucher that is there is put on disk before the next token is looked at.
			let event = tokio::select! {
				biased;
				signal = call.signal() => match signal? {
					Signal::Cancel => return Ok(()),
					Signal::Voucher(bytes) => {
						self.pay(&bytes, &ended.text, allowance).await?;
						let waiting = self.bill.asks().next().is_some();
						deadline = waiting.then(|| Instant::now() + wait);
						continue;
					},
				},
				() = stopped(&mut stop) => return Ok(()),
				() = overdue => return Err(Refusal::PaymentTimeout(wait.as_secs())),
				event = tokens.next() => event,
			};
			match event {
				Some(StreamEvent::Token { id, text, .. }) => {
					tracked.token();
					let out = ended.tokens_out.saturating_add(1);
					let bytes = ended.text.len().saturating_add(text.len());
					let ask = out.is_multiple_of(ASK_EVERY);
					let due = if ask && self.bill.asks().count() < MAX_ASKS {
						deadline.get_or_insert_with(|| Instant::now() + wait);
						Some(self.bill.ask(out, bytes)?)
					} else {
						None
					};
					call.send(Out::Chunk(chunk(id, text.clone(), out, due)))
						.await?;
					ended.text.push_str(&text);
					ended.tokens_out = out;
				}
				Some(StreamEvent::Finished { reason, .. }) => {
					ended.reason = name_of(reason);
					return Ok(());
				}
				Some(StreamEvent::Embedding(_)) => {}
				Some(StreamEvent::Failed(error)) => return Err(error.into()),
				None => return Err(Refusal::ShuttingDown),
			}
		}
	}

	/// Takes a voucher for a part of the answer: checked, on disk, then the allowance rises.
	async fn pay(
		&mut self,
		bytes: &[u8],
		text: &str,
		allowance: &Allowance,
	) -> Result<(), Refusal> {
		let key = self.seat.key();
		let voucher = self.check(bytes, None).await?;
		if voucher.by_delegate() {
			self.payee.check_delegate(&self.seat).await?;
		}
		let ask = self.asked(voucher.pays())?;
		let paid = text.get(..ask.text).unwrap_or(text).to_owned();
		self.payee
			.store
			.pay(key, &voucher, ask.tokens_out, paid)
			.await?;
		let by_delegate = voucher.by_delegate();
		self.held(voucher);
		let next = self.bill.allowance(self.max_tokens);
		let ahead = self.bill.due(next)?;
		self.payee
			.reserve(&self.seat, ahead.amount, by_delegate)
			.await?;
		allowance.raise(next);
		Ok(())
	}

	/// Writes the receipt, sends it, and waits for the voucher that acknowledges it.
	async fn finish<S>(mut self, call: &mut Call<S>, ended: Ended) -> Result<(), Refusal>
	where
		S: Stream<Item = Result<GenerateRequest, Status>> + Send + Unpin,
	{
		let key = self.seat.key();
		let (receipt, attribution) = self
			.payee
			.close(key, &self.answer, ended.tokens_out, &ended.text)
			.await?;
		let digest = receipt.digest();
		let due = self.bill.due(ended.tokens_out)?;
		let last = (due, acknowledge(self.acknowledged, digest));
		tracing::debug!(
			id = self.answer.id, channel = key.channel, lane = key.lane, receipt = ?digest,
			tokens_in = receipt.tokens_in, tokens_out = receipt.tokens_out, "answer finished"
		);
		call.send(Out::Finished(Finished {
			reason: ended.reason.into(),
			prompt_tokens: receipt.tokens_in,
			completion_tokens: receipt.tokens_out,
			receipt: receipt.encode(),
			attribution: attribution.encode(),
			due: Some(wire_due(&due)),
		}))
		.await?;
		let wait = self.worker.limits.voucher_wait;
		let deadline = Instant::now() + wait;
		loop {
			let signal = tokio::time::timeout_at(deadline, call.signal())
				.await
				.map_err(|_| Refusal::PaymentTimeout(wait.as_secs()))?;
			let Signal::Voucher(bytes) = signal? else {
				// Cancelling what has ended changes nothing.
				continue;
			};
			let voucher = self.check(&bytes, Some(last)).await?;
			if voucher.by_delegate() {
				self.payee.check_delegate(&self.seat).await?;
			}
			let is_last = voucher.pays() == self.bill.asks().count();
			if !is_last {
				self.asked(voucher.pays())?;
			}
			self.payee.store.hold(key, &voucher).await?;
			self.held(voucher);
			if is_last {
				let lane = self.payee.store.lane(&key)?.unwrap_or_default();
				return call
					.send(Out::Settled(Settled {
						lane: Some(wire_lane(&lane)),
					}))
					.await;
			}
		}
	}

	/// Removes the ask that a voucher pays from the bill.
	fn asked(&mut self, position: usize) -> Result<Ask, Refusal> {
		// `check` found the position among the asks, and nothing was removed since.
		self.bill.pay(position).ok_or(Refusal::PriceOverflow)
	}

	/// Checks a voucher against everything that was asked for, oldest first, then `last`.
	async fn check(
		&mut self,
		bytes: &[u8],
		last: Option<(Totals, Hash)>,
	) -> Result<Voucher<Checked>, Refusal> {
		let result = self.check_inner(bytes, last).await;
		match &result {
			Ok(_) => self.worker.metrics.voucher("accepted"),
			Err(refusal) => self.worker.metrics.voucher(refusal.code()),
		}
		result
	}

	async fn check_inner(
		&mut self,
		bytes: &[u8],
		last: Option<(Totals, Hash)>,
	) -> Result<Voucher<Checked>, Refusal> {
		let key = self.seat.key();
		let block = self.payee.block()?;
		let channel = self.payee.channel(block, key.channel).await?;
		let mut dues = Vec::new();
		for ask in self.bill.asks() {
			dues.push((self.bill.due(ask.tokens_out)?, self.acknowledged));
		}
		dues.extend(last);
		let delegate = channel
			.delegate
			.as_ref()
			.map(|delegate| delegate.signer.clone());
		let signers: Vec<AccountId> = std::iter::once(channel.payer.clone())
			.chain(delegate)
			.collect();
		let margin = self
			.worker
			.limits
			.voucher_margin
			.min(self.payee.max_lifetime / 2);
		let voucher = Voucher::decode(bytes)?.check(&Expected {
			genesis: self.payee.genesis,
			key,
			signers: &signers,
			quote: self.answer.quote,
			dues: &dues,
			held: self.lane.paid(),
			held_receipts: self.lane.receipts(),
			now: block.number,
			margin,
			max_lifetime: self.payee.max_lifetime,
		})?;
		let valid_until = voucher.signed().voucher.valid_until;
		if channel.generation != key.generation
			|| channel.thaw.is_some_and(|free_at| free_at <= valid_until)
		{
			return Err(Refusal::ChannelThawing(key.channel));
		}
		Ok(voucher)
	}

	/// Remembers a voucher that is on disk.
	fn held(&mut self, voucher: Voucher<Checked>) {
		let before = self.lane.paid();
		self.lane.held = Some(voucher.into_signed());
		let now = self.lane.paid();
		let licence = now.licence.saturating_sub(before.licence);
		let amount: Balance = now.amount.saturating_sub(before.amount);
		self.worker
			.metrics
			.earned(&self.model, amount.saturating_sub(licence), licence);
	}
}

/// Whether it was the payer who broke an answer off, so that what was sent is owed.
fn owes_what_came(refusal: &Refusal) -> bool {
	refusal.blame() == Blame::Payment
		|| matches!(refusal, Refusal::ClientGone | Refusal::BadRequest(_))
}

fn open_answer(ready: &Ready) -> OpenAnswer {
	let adapter = ready.model.adapter;
	OpenAnswer {
		id: answer_id(),
		base: ready.model.base,
		adapter: adapter.and_then(|adapter| adapter.id),
		algorithm: adapter.map_or(0, |adapter| adapter.algorithm),
		index: adapter.map(|adapter| adapter.index).unwrap_or_default(),
		weights: adapter
			.map(|adapter| Hash::from(adapter.key.weights))
			.unwrap_or_default(),
		quote: ready.model.quote,
		compute: ready.model.price.compute,
		licence: ready.model.price.licence,
		prompt: ready.request.prompt.clone(),
		paid_out: 0,
		text: String::new(),
	}
}

fn accepted(
	payee: &Payee,
	answer: &OpenAnswer,
	lane: &LaneRecord,
	due: Totals,
) -> Result<Accepted, Refusal> {
	let mut unacknowledged = Vec::with_capacity(lane.unacknowledged.len());
	for digest in &lane.unacknowledged {
		let record = payee.store.receipt(digest)?;
		unacknowledged.extend(record.map(|record| record.receipt.encode()));
	}
	Ok(Accepted {
		id: answer.id.clone(),
		prompt_tokens: answer.tokens_in(),
		base: answer.base,
		adapter: answer.adapter,
		quote: answer.quote,
		compute_rate: Some(wire_rate(&answer.compute)),
		licence_rate: Some(wire_rate(&answer.licence)),
		lane: Some(wire_lane(lane)),
		unacknowledged,
		due: Some(wire_due(&due)),
	})
}

fn chunk(id: u32, text: String, completion_tokens: u32, due: Option<Totals>) -> Chunk {
	Chunk {
		text,
		tokens: vec![id],
		completion_tokens,
		payment_due: due.as_ref().map(wire_due),
	}
}

/// OpenAI's name of the reason.
pub fn name_of(reason: FinishReason) -> &'static str {
	match reason {
		FinishReason::Stop => "stop",
		FinishReason::Length => "length",
		FinishReason::Cancelled => "cancelled",
		FinishReason::Deadline => "deadline",
	}
}

fn wire_due(due: &Totals) -> Due {
	Due {
		amount: due.amount.to_string(),
		licence: due.licence.to_string(),
		tokens: due.tokens,
	}
}

/// A rate as it goes over the wire.
pub fn wire_rate(rate: &Rate) -> WireRate {
	WireRate {
		input: rate.input.to_string(),
		output: rate.output.to_string(),
	}
}

fn wire_lane(lane: &LaneRecord) -> LaneState {
	let paid = lane.paid();
	LaneState {
		amount: paid.amount.to_string(),
		licence: paid.licence.to_string(),
		tokens: paid.tokens,
		receipts: lane.receipts().0.to_vec(),
		sequence: lane.sequence,
	}
}

/// What a `Start` asks for.
fn wanted(start: Start) -> Result<Wanted, Refusal> {
	let input = match start.input {
		Some(start::Input::Chat(chat)) => input_of(chat),
		Some(start::Input::Prompt(text)) => Input::Prompt(text),
		None => {
			return Err(Refusal::BadRequest(
				"neither `chat` nor `prompt` is given".into(),
			))
		}
	};
	let sampling = start.sampling.unwrap_or_default();
	let adapters = start.adapters.into_iter().map(|member| Member {
		name: member.name,
		weight: member.weight,
	});
	Ok(Wanted {
		model: start.model,
		adapters: adapters.collect(),
		input,
		sampling: Sampling {
			temperature: sampling.temperature,
			top_p: (sampling.top_p != 0.0).then_some(sampling.top_p),
			top_k: match sampling.top_k {
				0 => None,
				most => Some(usize::try_from(most).unwrap_or(usize::MAX)),
			},
			seed: sampling.seed,
			min_p: (sampling.min_p != 0.0).then_some(sampling.min_p),
			presence_penalty: sampling.presence_penalty,
			frequency_penalty: sampling.frequency_penalty,
			repetition_penalty: (sampling.repetition_penalty != 0.0)
				.then_some(sampling.repetition_penalty),
			logit_bias: sorted(sampling.logit_bias),
			min_tokens: usize::try_from(sampling.min_tokens).unwrap_or(usize::MAX),
			logprobs: None,
		},
		max_tokens: start.max_tokens,
		stop: start.stop,
		form: form(&start.json_schema)?,
	})
}

/// The same request is the same whatever order its map came in.
fn sorted(map: HashMap<u32, f32>) -> Vec<(u32, f32)> {
	map.into_iter()
		.collect::<BTreeMap<_, _>>()
		.into_iter()
		.collect()
}

fn form(schema: &str) -> Result<Option<(Constraint, &'static str)>, Refusal> {
	const FIELD: &str = "json_schema";
	if schema.is_empty() {
		return Ok(None);
	}
	let schema = serde_json::from_str(schema)
		.map_err(|error| Refusal::field(FIELD, format!("is no JSON: {error}")))?;
	let constraint = Constraint::json_schema(&schema)
		.map_err(|error| Refusal::field(FIELD, format!("cannot be used: {error}")))?;
	Ok(Some((constraint, FIELD)))
}

/// A conversation from the wire.
pub fn input_of(chat: openledger_proto::v1::Chat) -> Input {
	let message = |message: openledger_proto::v1::Message| ChatMessage {
		role: message.role,
		content: message.content,
	};
	let messages: Vec<ChatMessage> = chat.messages.into_iter().map(message).collect();
	Input::Chat(messages.into())
}
