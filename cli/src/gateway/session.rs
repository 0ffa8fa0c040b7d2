//! One request, from the client's question to the last voucher.
//!
//! Providers are tried in order until one sends text. Everything a worker says is checked against what
//! came from it before anything is signed: the rates against the chain, each amount against the tokens
//! that arrived, the receipt against the text.

use super::{
	bounds::{Bounds, Progress, OVERCHARGES},
	catalog::Model,
	error::GatewayError,
	lanes::{Agreed, LaneRecord, OpenAnswer, Seat, Totals},
	purse::PaidChannel,
	Gateway,
};
use crate::answers::Answer;
use codec::{DecodeAll, Encode};
use openledger_client::types::Provider;
use openledger_primitives::{
	content_hash, dispute::MAX_ACKNOWLEDGED, voucher::acknowledge, Attribution, Hash, Price, Rate,
	Receipt,
};
use openledger_proto::v1::{
	self as wire, generate_request::Frame as Out, generate_response::Frame as In,
	inference_client::InferenceClient, quote_request, start::Input, Accepted, Cancel, Chunk,
	Finished, GenerateRequest, GenerateResponse, Payer, QuoteRequest, Start,
};
use std::{
	future::Future,
	sync::Arc,
	time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{sync::mpsc, time::timeout};
use tonic::{transport, Streaming};

/// The code of a lane that has had all the answers it can have.
const LANE_FULL: &str = "lane-full";
/// How long a worker may take for its first word, and between two.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a worker that was never paid from here may take to say what it asks for.
const INQUIRY: Duration = Duration::from_secs(15);
/// How long to wait for the worker to confirm the last voucher.
const SETTLING: Duration = Duration::from_secs(30);
/// How long to wait for a free lane.
const QUEUE: Duration = Duration::from_secs(120);
/// How often one provider is tried: other lanes, a filled channel.
const TRIES: usize = 8;
/// How far a worker's view of the chain may lie behind this gateway's.
const LAG: Duration = Duration::from_millis(1_500);

/// What happens while a request is answered.
#[derive(Debug)]
pub enum Event {
	/// A worker has begun.
	Started {
		/// Its name for the answer.
		id: String,
	},
	/// More text.
	Text(String),
	/// The answer is complete and paid for.
	Finished(End),
	/// It failed; nothing comes after this.
	Failed(GatewayError),
}

/// How an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
	/// `stop`, `length` or `cancelled`.
	pub reason: String,
	/// Tokens read.
	pub tokens_in: u32,
	/// Tokens written.
	pub tokens_out: u32,
	/// Digest of the receipt.
	pub receipt: Hash,
}

/// Why one attempt did not succeed, and whether the client has seen text already.
struct Failure {
	error: GatewayError,
	text_sent: bool,
}

impl<E: Into<GatewayError>> From<E> for Failure {
	fn from(error: E) -> Self {
		Self {
			error: error.into(),
			text_sent: false,
		}
	}
}

/// Answers `start`, telling `events` what happens. Meant for a task of its own: it goes on until the
/// money is settled, even when the client is gone.
pub async fn run(gateway: Arc<Gateway>, start: Start, events: mpsc::Sender<Event>) {
	let _running = gateway.metrics.begin();
	match attempt_all(&gateway, start, &events).await {
		Ok(()) => gateway.metrics.ended("ok"),
		Err(error) => {
			gateway.metrics.ended(&error.code);
			tracing::info!(code = error.code, "request failed: {error}");
			// The client may be gone; then there is nobody to tell.
			let _told = events.send(Event::Failed(error)).await;
		}
	}
}

async fn attempt_all(
	gateway: &Arc<Gateway>,
	start: Start,
	events: &mpsc::Sender<Event>,
) -> Result<(), GatewayError> {
	let (model, providers) = gateway.catalog.find(&start.model).await?;
	let mut last = GatewayError::new(503, "no-provider", "No provider answered.");
	for provider in providers {
		match attempt_provider(gateway, &model, &provider, &start, events).await {
			Ok(()) => return Ok(()),
			Err(failure) if failure.text_sent || !failure.error.is_elsewhere() => {
				return Err(failure.error)
			}
			Err(failure) => {
				// A missing adapter or an empty channel says nothing about the provider's health.
				if failure.error.status >= 500 {
					gateway.catalog.failed(&provider.account);
				}
				tracing::warn!(
					provider = %provider.account, code = failure.error.code,
					"a provider failed: {}", failure.error
				);
				last = failure.error;
			}
		}
		if events.is_closed() {
			break;
		}
	}
	Err(last)
}

/// Tries one provider: on another lane, or with a filled channel, where that may help.
async fn attempt_provider(
	gateway: &Arc<Gateway>,
	model: &Model,
	provider: &Provider,
	start: &Start,
	events: &mpsc::Sender<Event>,
) -> Result<(), Failure> {
	let bounds = Bounds::of(start, gateway.purse.per_answer());
	let mut renewed = false;
	let mut filled = false;
	let mut last = None;
	for _ in 0..TRIES {
		// No money is locked for a provider whose worker does not answer.
		if !gateway.purse.has_channel(&provider.account).await {
			let client = gateway.worker(&provider.endpoint)?;
			match inquire(client, model, provider, start, &bounds).await {
				// The chain knows the model; the worker soon will.
				Err(error) if error.code == "unknown-model" => {
					last = Some(error.into());
					tokio::time::sleep(LAG).await;
					continue;
				}
				answer => answer?,
			}
		}
		let channel = gateway.purse.channel(provider).await?;
		let left = channel.left();
		fill_if_low(gateway, &channel);
		let Err(failure) =
			attempt(gateway, model, provider, &channel, start, &bounds, events).await
		else {
			return Ok(());
		};
		if failure.text_sent || events.is_closed() {
			return Err(failure);
		}
		match failure.error.code.as_str() {
			"lane-busy" | "lane-unknown" | "lane-mismatch" | LANE_FULL => (),
			"escrow-empty" | "delegate-limit" if !filled => {
				filled = true;
				gateway.purse.top_up(&channel, left).await?;
			}
			// What is final here may not have reached the worker yet.
			"escrow-empty" | "unknown-channel" => tokio::time::sleep(LAG).await,
			"foreign-channel" | "wrong-generation" | "channel-thawing" if !renewed => {
				renewed = true;
				gateway.purse.forget(&provider.account).await;
			}
			_ => return Err(failure),
		}
		last = Some(failure);
	}
	Err(last.unwrap_or_else(|| GatewayError::new(503, "no-provider", "No lane is usable.").into()))
}

/// Fills a channel that runs low while answers go on.
fn fill_if_low(gateway: &Arc<Gateway>, channel: &Arc<PaidChannel>) {
	if !gateway.purse.is_low(channel) {
		return;
	}
	let (gateway, channel) = (gateway.clone(), channel.clone());
	tokio::spawn(async move { gateway.purse.fill(&channel).await });
}

/// Asks a worker what the answer would cost, and checks that as if it had accepted.
async fn inquire(
	mut client: InferenceClient<transport::Channel>,
	model: &Model,
	provider: &Provider,
	start: &Start,
	bounds: &Bounds,
) -> Result<(), GatewayError> {
	let request = QuoteRequest {
		model: start.model.clone(),
		input: start.input.clone().map(|input| match input {
			Input::Chat(chat) => quote_request::Input::Chat(chat),
			Input::Prompt(text) => quote_request::Input::Prompt(text),
		}),
		max_tokens: start.max_tokens,
	};
	let quote = patient(INQUIRY, async {
		let quote = client.quote(request).await;
		quote.map_err(GatewayError::from)
	});
	let quote = quote.await?.into_inner();
	let (compute, licence) = (quote.compute_rate.as_ref(), quote.licence_rate.as_ref());
	let price = check_rates(model, provider, compute, licence)?;
	bounds.check(quote.prompt_tokens, &price)
}

/// One try on one lane.
async fn attempt(
	gateway: &Arc<Gateway>,
	model: &Model,
	provider: &Provider,
	channel: &Arc<PaidChannel>,
	start: &Start,
	bounds: &Bounds,
	events: &mpsc::Sender<Event>,
) -> Result<(), Failure> {
	let seat = timeout(QUEUE, channel.pool.take())
		.await
		.ok()
		.flatten()
		.ok_or_else(|| {
			GatewayError::new(
			429,
			"all-lanes-busy",
			"Every lane of the channel is in use. Ask again when an answer has ended, or start the \
			 gateway with more --lanes.",
		)
		})?;
	let (frames, receiver) = mpsc::channel(8);
	let payer = Payer {
		channel: channel.id,
		generation: channel.generation,
		lane: seat.lane().into(),
	};
	let begin = Out::Start(Start {
		payer: Some(payer),
		..start.clone()
	});
	offer(&frames, begin).await?;
	let mut client = gateway.worker(&provider.endpoint)?;
	let call = client.generate(tokio_stream::wrappers::ReceiverStream::new(receiver));
	let replies = patient(PATIENCE, async { call.await.map_err(GatewayError::from) })
		.await?
		.into_inner();
	let mut session = Session {
		gateway,
		provider,
		channel,
		frames,
		replies,
		events,
		text_sent: false,
	};
	let record = channel.record(seat.lane());
	let accepted = match session.next().await {
		Ok(Some(In::Accepted(accepted))) => accepted,
		Ok(_) => return Err(misbehaves("it began without accepting").into()),
		Err(error) => {
			session.retire_for(&error, seat, record).await?;
			return Err(error.into());
		}
	};
	let agreed = session
		.check(model, bounds, &accepted)
		.and_then(|price| Ok((price, session.agree(&record, &seat, &accepted)?)));
	let (price, agreed) = match agreed {
		Ok(agreed) => agreed,
		Err(error) => {
			session.retire_for(&error, seat, record).await?;
			return Err(error.into());
		}
	};
	session.note_interrupted(&record, &agreed);
	let mut under_way = UnderWay {
		seat,
		record: LaneRecord {
			known: agreed.known.clone(),
			..record
		},
		agreed,
		price,
		accepted,
		bounds: *bounds,
		came: Progress::default(),
	};
	let Err(error) = session.answer(&mut under_way, &start.model, model).await else {
		return Ok(());
	};
	let UnderWay { seat, record, .. } = under_way;
	let retired = session.retire_for(&error, seat, record).await;
	let error = retired.err().unwrap_or(error);
	let text_sent = session.text_sent;
	Err(Failure { error, text_sent })
}

/// An answer that a worker has accepted.
struct UnderWay {
	seat: Seat,
	record: LaneRecord,
	agreed: Agreed,
	price: Price,
	accepted: Accepted,
	bounds: Bounds,
	came: Progress,
}

impl UnderWay {
	/// The lane's totals with `tokens_out` of this answer.
	fn due(&self, tokens_out: u32) -> Result<Totals, GatewayError> {
		self.agreed
			.totals
			.plus(&self.price, self.accepted.prompt_tokens, tokens_out)
			.ok_or_else(|| GatewayError::new(400, "price-overflow", "The price is too large."))
	}
}

struct Session<'a> {
	gateway: &'a Arc<Gateway>,
	provider: &'a Provider,
	channel: &'a Arc<PaidChannel>,
	frames: mpsc::Sender<GenerateRequest>,
	replies: Streaming<GenerateResponse>,
	events: &'a mpsc::Sender<Event>,
	text_sent: bool,
}

impl Session<'_> {
	/// The worker's next frame.
	async fn next(&mut self) -> Result<Option<In>, GatewayError> {
		let reply = patient(PATIENCE, async {
			self.replies.message().await.map_err(GatewayError::from)
		});
		Ok(reply.await?.and_then(|reply| reply.frame))
	}

	/// What a token costs, if the worker asks no more than the chain says and than can be.
	fn check(
		&self,
		model: &Model,
		bounds: &Bounds,
		accepted: &Accepted,
	) -> Result<Price, GatewayError> {
		let (compute, licence) = (
			accepted.compute_rate.as_ref(),
			accepted.licence_rate.as_ref(),
		);
		let price = check_rates(model, self.provider, compute, licence)?;
		if accepted.base != model.base || accepted.adapter != model.adapter {
			return Err(misbehaves("it serves another model than it was asked for"));
		}
		bounds.check(accepted.prompt_tokens, &price)?;
		Ok(price)
	}

	/// Gives the lane up if `error` says that it is full, or that the worker claims what was not signed or
	/// did not come.
	async fn retire_for(
		&self,
		error: &GatewayError,
		seat: Seat,
		record: LaneRecord,
	) -> Result<(), GatewayError> {
		let is_full = error.code == LANE_FULL;
		if error.code != "lane-mismatch" && error.code != OVERCHARGES && !is_full {
			return Ok(());
		}
		let retired = LaneRecord {
			retired: true,
			..record
		};
		let (purse, lane) = (&self.gateway.purse, seat.lane());
		purse.keep(self.channel, lane, &retired).await?;
		self.gateway.metrics.retired();
		if is_full {
			tracing::info!(channel = self.channel.id, lane, "{error}");
		} else {
			tracing::error!(channel = self.channel.id, lane, "{error}");
		}
		seat.retire();
		Ok(())
	}

	/// Where the lane stands, if the worker's account of it can be explained, and what is due fits it.
	fn agree(
		&self,
		record: &LaneRecord,
		seat: &Seat,
		accepted: &Accepted,
	) -> Result<Agreed, GatewayError> {
		let lane = accepted
			.lane
			.as_ref()
			.ok_or_else(|| misbehaves("it sent no lane state"))?;
		// What comes later on a lane cannot be held against the worker.
		if lane.sequence >= MAX_ACKNOWLEDGED {
			let full = format!(
				"Lane {} has had all the answers that a lane can have.",
				seat.lane()
			);
			return Err(GatewayError::new(503, LANE_FULL, full));
		}
		let held = Totals {
			amount: number(&lane.amount)?,
			licence: number(&lane.licence)?,
			tokens: lane.tokens,
		};
		let receipts = <[u8; 32]>::try_from(lane.receipts.as_slice())
			.map_err(|_| misbehaves("it sent a malformed accumulator"))?;
		let mut unacknowledged = Vec::with_capacity(accepted.unacknowledged.len());
		for bytes in &accepted.unacknowledged {
			unacknowledged.push(decode::<Receipt>(bytes)?);
		}
		let key = self.channel.key(seat.lane());
		let genesis = self.gateway.purse.genesis();
		Ok(record.reconcile(genesis, key, held, Hash::from(receipts), &unacknowledged)?)
	}

	/// Writes down receipts of answers that broke off.
	fn note_interrupted(&self, record: &LaneRecord, agreed: &Agreed) {
		for receipt in &agreed.fresh {
			let open = record.open.clone().unwrap_or_default();
			let mark = open
				.marks
				.iter()
				.find(|(tokens, _)| *tokens == receipt.tokens_out);
			let bytes = mark
				.and_then(|(_, bytes)| usize::try_from(*bytes).ok())
				.unwrap_or(0);
			let text = open.text.get(..bytes).unwrap_or_default().to_owned();
			self.note(open.id, open.model, text, receipt.clone(), None);
		}
	}

	fn note(
		&self,
		id: String,
		model: String,
		text: String,
		receipt: Receipt,
		attribution: Option<Attribution>,
	) {
		let amount = receipt.amount().unwrap_or_default();
		self.gateway
			.metrics
			.paid(receipt.tokens_in, receipt.tokens_out, amount);
		let answer = Answer {
			id,
			digest: receipt.digest(),
			at: now(),
			model,
			provider: self.provider.account.clone(),
			endpoint: self.provider.endpoint.clone(),
			text,
			receipt,
			attribution,
		};
		// Money is in the journal; this is for `openledger receipt` only.
		if let Err(error) = self.gateway.answers.add(&answer) {
			tracing::error!(
				id = answer.id,
				"the answer's receipt could not be written down: {error}"
			);
		}
	}

	/// Signs and sends the voucher for `due`.
	async fn pay(
		&self,
		answer: &mut UnderWay,
		due: Totals,
		receipts: Hash,
	) -> Result<(), GatewayError> {
		let (lane, quote) = (answer.seat.lane(), answer.accepted.quote);
		let purse = &self.gateway.purse;
		let voucher = purse
			.sign(self.channel, lane, &mut answer.record, due, receipts, quote)
			.await?;
		self.gateway.metrics.voucher();
		fill_if_low(self.gateway, self.channel);
		offer(&self.frames, Out::Voucher(voucher.encode())).await
	}

	/// Pays for the prompt, passes the text on and pays for it, and settles the receipt.
	async fn answer(
		&mut self,
		answer: &mut UnderWay,
		name: &str,
		model: &Model,
	) -> Result<(), GatewayError> {
		let first = answer.due(0)?;
		expect_due(answer.accepted.due.as_ref(), first)?;
		answer.record.open = Some(OpenAnswer {
			id: answer.accepted.id.clone(),
			model: name.to_owned(),
			tokens_in: answer.accepted.prompt_tokens,
			quote: answer.accepted.quote,
			compute: answer.price.compute,
			licence: answer.price.licence,
			..OpenAnswer::default()
		});
		let receipts = answer.agreed.receipts;
		self.pay(answer, first, receipts).await?;
		let id = answer.accepted.id.clone();
		self.tell(Event::Started { id }).await;
		let mut cancelled = false;
		let events = self.events;
		let finished = loop {
			let frame = tokio::select! {
				frame = self.next() => frame?,
				() = events.closed(), if !cancelled => {
					cancelled = true;
					offer(&self.frames, Out::Cancel(Cancel {})).await?;
					continue;
				},
			};
			match frame {
				Some(In::Chunk(chunk)) => self.take(answer, chunk).await?,
				Some(In::Finished(finished)) => break finished,
				Some(_) => return Err(misbehaves("it sent a frame out of turn")),
				None => return Err(misbehaves("it broke off")),
			}
		};
		self.finish(answer, name, model, finished).await
	}

	/// A piece of the answer.
	async fn take(&mut self, answer: &mut UnderWay, chunk: Chunk) -> Result<(), GatewayError> {
		answer.came.take(&chunk, &answer.bounds)?;
		if !chunk.text.is_empty() {
			self.text_sent = true;
			self.tell(Event::Text(chunk.text)).await;
		}
		let Some(due) = chunk.payment_due else {
			return Ok(());
		};
		let totals = answer.due(answer.came.tokens_out)?;
		expect_due(Some(&due), totals)?;
		if let Some(open) = &mut answer.record.open {
			open.text.clone_from(&answer.came.text);
			let length = u32::try_from(answer.came.text.len()).unwrap_or(u32::MAX);
			open.marks.push((answer.came.tokens_out, length));
		}
		let receipts = answer.agreed.receipts;
		self.pay(answer, totals, receipts).await
	}

	/// Checks the receipt, acknowledges it, and waits until the worker has that on disk.
	async fn finish(
		&mut self,
		answer: &mut UnderWay,
		name: &str,
		model: &Model,
		finished: Finished,
	) -> Result<(), GatewayError> {
		let receipt: Receipt = decode(&finished.receipt)?;
		let attribution: Attribution = decode(&finished.attribution)?;
		let key = self.channel.key(answer.seat.lane());
		let charge = answer
			.price
			.charge(answer.accepted.prompt_tokens, answer.came.tokens_out);
		let fits = receipt.genesis == self.gateway.purse.genesis()
			&& receipt.channel == key.channel
			&& receipt.generation == key.generation
			&& receipt.lane == key.lane
			&& receipt.base == model.base
			&& receipt.adapter == model.adapter
			&& receipt.quote == answer.accepted.quote
			&& receipt.tokens_in == answer.accepted.prompt_tokens
			&& receipt.tokens_out == answer.came.tokens_out
			&& Some((receipt.compute, receipt.licence)) == charge
			&& receipt.response == content_hash(answer.came.text.as_bytes())
			&& receipt.attribution == attribution.digest();
		if !fits {
			return Err(misbehaves("its receipt does not say what it sent"));
		}
		let due = answer.due(answer.came.tokens_out)?;
		expect_due(finished.due.as_ref(), due)?;
		let digest = receipt.digest();
		answer.record.known.push(receipt.clone());
		answer.record.open = None;
		let receipts = acknowledge(answer.agreed.receipts, digest);
		self.pay(answer, due, receipts).await?;
		let text = std::mem::take(&mut answer.came.text);
		let id = answer.accepted.id.clone();
		self.note(
			id,
			name.to_owned(),
			text,
			receipt.clone(),
			Some(attribution),
		);
		self.tell(Event::Finished(End {
			reason: finished.reason,
			tokens_in: receipt.tokens_in,
			tokens_out: receipt.tokens_out,
			receipt: digest,
		}))
		.await;
		// The client has its answer. If the confirmation is lost, the next use of the lane finds out.
		if let Ok(Ok(Some(In::Settled(_)))) = timeout(SETTLING, self.next()).await {
			if answer.record.settle().is_some() {
				self.gateway
					.purse
					.keep(self.channel, answer.seat.lane(), &answer.record)
					.await?;
			}
		} else {
			tracing::warn!(
				channel = key.channel,
				lane = key.lane,
				"the worker did not settle"
			);
		}
		Ok(())
	}

	/// Tells the client; one that is gone is noticed elsewhere.
	async fn tell(&self, event: Event) {
		let _gone = self.events.send(event).await;
	}
}

async fn offer(frames: &mpsc::Sender<GenerateRequest>, frame: Out) -> Result<(), GatewayError> {
	let request = GenerateRequest { frame: Some(frame) };
	frames
		.send(request)
		.await
		.map_err(|_| GatewayError::new(502, "worker-unreachable", "The worker has hung up."))
}

/// Waits for a worker, but not for ever.
async fn patient<T>(
	patience: Duration,
	future: impl Future<Output = Result<T, GatewayError>>,
) -> Result<T, GatewayError> {
	timeout(patience, future).await.unwrap_or_else(|_| {
		let message = format!("The worker was silent for {} s.", patience.as_secs());
		Err(GatewayError::new(504, "worker-silent", message))
	})
}

fn misbehaves(how: &str) -> GatewayError {
	GatewayError::new(
		502,
		"worker-misbehaves",
		format!("The worker cannot be trusted: {how}."),
	)
}

/// What a token costs, if the worker asks no more than the chain says.
fn check_rates(
	model: &Model,
	provider: &Provider,
	compute: Option<&wire::Rate>,
	licence: Option<&wire::Rate>,
) -> Result<Price, GatewayError> {
	let price = Price {
		compute: rate(compute)?,
		licence: rate(licence)?,
	};
	let quoted = &provider.quote.rate;
	let dearer = price.compute.input > quoted.input || price.compute.output > quoted.output;
	if dearer || price.licence != model.licence {
		return Err(GatewayError::new(
			502,
			"quote-mismatch",
			"The worker asks for more than its provider's quote and the model's rates on chain. \
			 If they changed just now, ask again in a few seconds.",
		));
	}
	Ok(price)
}

fn expect_due(due: Option<&wire::Due>, expected: Totals) -> Result<(), GatewayError> {
	let due = due.ok_or_else(|| misbehaves("it does not say what is due"))?;
	let found = Totals {
		amount: number(&due.amount)?,
		licence: number(&due.licence)?,
		tokens: due.tokens,
	};
	if found == expected {
		return Ok(());
	}
	Err(GatewayError::new(
		502,
		"overcharged",
		format!(
			"The worker asks for {} units where {} are due; nothing is paid beyond what came.",
			found.amount, expected.amount
		),
	))
}

fn number(text: &str) -> Result<u128, GatewayError> {
	text.parse()
		.map_err(|_| misbehaves("it sent a malformed amount"))
}

fn rate(rate: Option<&wire::Rate>) -> Result<Rate, GatewayError> {
	let rate = rate.ok_or_else(|| misbehaves("it sent no rates"))?;
	Ok(Rate {
		input: number(&rate.input)?,
		output: number(&rate.output)?,
	})
}

fn decode<T: DecodeAll>(bytes: &[u8]) -> Result<T, GatewayError> {
	T::decode_all(&mut &*bytes).map_err(|_| misbehaves("it sent a malformed receipt"))
}

/// Seconds since 1970.
pub fn now() -> u64 {
	SystemTime::now()
		.duration_since(UNIX_EPOCH)
		.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
	use super::*;
	use openledger_client::types::{ProviderState, Quote};
	use openledger_proto::v1::{
		inference_server::{Inference, InferenceServer},
		QuoteResponse,
	};
	use tonic::{Request, Response, Status};

	const RATE: Rate = Rate {
		input: 10,
		output: 20,
	};

	/// A worker that answers no question but says what answers cost.
	struct Fake(QuoteResponse);

	#[tonic::async_trait]
	impl Inference for Fake {
		type GenerateStream = tokio_stream::Empty<Result<GenerateResponse, Status>>;

		async fn generate(
			&self,
			_request: Request<Streaming<GenerateRequest>>,
		) -> Result<Response<Self::GenerateStream>, Status> {
			Err(Status::unimplemented("never asked"))
		}

		async fn quote(
			&self,
			_request: Request<QuoteRequest>,
		) -> Result<Response<QuoteResponse>, Status> {
			Ok(Response::new(self.0.clone()))
		}
	}

	fn honest() -> QuoteResponse {
		let rate = wire::Rate {
			input: "10".into(),
			output: "20".into(),
		};
		QuoteResponse {
			prompt_tokens: 30,
			compute_rate: Some(rate.clone()),
			licence_rate: Some(rate),
			..QuoteResponse::default()
		}
	}

	/// Where `worker` listens; where nobody does without one.
	async fn endpoint(worker: Option<QuoteResponse>) -> String {
		let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
		let address = listener.local_addr().unwrap();
		if let Some(quote) = worker {
			let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
			let server =
				transport::Server::builder().add_service(InferenceServer::new(Fake(quote)));
			tokio::spawn(server.serve_with_incoming(incoming));
		}
		format!("http://{address}")
	}

	async fn asked(worker: Option<QuoteResponse>) -> Result<(), String> {
		let endpoint = endpoint(worker).await;
		let client = InferenceClient::new(crate::workers::connect(&endpoint).unwrap());
		let model = Model {
			name: "cook".into(),
			owner: [2; 32].into(),
			base: 0,
			adapter: None,
			licence: RATE,
		};
		let provider = Provider {
			account: [1; 32].into(),
			hot_key: [1; 32].into(),
			endpoint,
			bond: 0,
			bases: vec![0],
			quote: Quote { id: 1, rate: RATE },
			state: ProviderState::Active,
		};
		let start = Start {
			model: "cook".into(),
			input: Some(Input::Prompt("Soup?".into())),
			max_tokens: 100,
			..Start::default()
		};
		let bounds = Bounds::of(&start, 1_000);
		let answer = inquire(client, &model, &provider, &start, &bounds).await;
		answer.map_err(|error| error.code)
	}

	#[tokio::test]
	async fn worker_that_is_dead_or_asks_too_much_should_be_found_out_before_it_gets_a_channel() {
		assert_eq!(asked(Some(honest())).await, Ok(()));
		assert_eq!(asked(None).await, Err("worker-unreachable".into()));
		let greedy = QuoteResponse {
			prompt_tokens: 1_000_000,
			..honest()
		};
		assert_eq!(asked(Some(greedy)).await, Err(OVERCHARGES.into()));
		let dear = QuoteResponse {
			compute_rate: Some(wire::Rate {
				input: "11".into(),
				output: "20".into(),
			}),
			..honest()
		};
		assert_eq!(asked(Some(dear)).await, Err("quote-mismatch".into()));
	}
}
