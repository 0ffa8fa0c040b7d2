//! What every request needs, and what a request must look like.

use crate::{
	attributor::Attributor,
	catalog::{hashes_of, key_of, members_of, Member, Offline, Served},
	error::{Blame, Refusal},
	files::Files,
	generator::Generator,
	metrics::Metrics,
	operator::Operator,
	payee::Payee,
};
use openledger_engine::{AdapterError, AdapterSet, Chat, Constraint, Request, Sampling};
use openledger_primitives::Price;
use std::{sync::Arc, time::Duration};
use tokio::sync::{watch, OwnedSemaphorePermit, Semaphore};

/// Most messages of a conversation.
const MAX_MESSAGES: usize = 1024;

/// Bounds of one worker.
#[derive(Clone, Debug)]
pub struct Limits {
	/// Answers at a time.
	pub streams: usize,
	/// Answers at a time on one channel.
	pub streams_per_channel: usize,
	/// How long to wait for a voucher that was asked for.
	pub voucher_wait: Duration,
	/// Blocks that redeeming a voucher may take.
	pub voucher_margin: u32,
	/// Tokens of an answer whose request does not say.
	pub default_max_tokens: u32,
	/// Most bytes of one message or HTTP body.
	pub message: usize,
	/// How old the newest block may be before paid requests are refused.
	pub block_age: Duration,
}

impl Default for Limits {
	fn default() -> Self {
		Self {
			streams: 512,
			streams_per_channel: 64,
			voucher_wait: Duration::from_secs(30),
			voucher_margin: 10,
			default_max_tokens: 512,
			message: 4 << 20,
			block_age: Duration::from_secs(120),
		}
	}
}

/// Where the money comes from.
pub enum Mode {
	/// From payers' channels, over a chain.
	Paid(Arc<Payee>),
	/// There is none: the worker serves for nothing.
	Offline(Arc<Offline>),
}

/// What every request needs.
pub struct Worker {
	/// The engine.
	pub generator: Arc<dyn Generator>,
	/// The adapters' files.
	pub files: Arc<Files>,
	/// Attribution.
	pub attributor: Arc<Attributor>,
	/// Metrics.
	pub metrics: Metrics,
	/// Bounds.
	pub limits: Limits,
	/// Who may load, pin and unload adapters.
	pub operator: Operator,
	/// Where the money comes from.
	pub mode: Mode,
	/// Free places for answers.
	pub places: Arc<Semaphore>,
	/// Becomes true when the worker should stop.
	pub stop: watch::Receiver<bool>,
}

/// The input of a request.
#[derive(Clone, Debug)]
pub enum Input {
	/// A conversation.
	Chat(Chat),
	/// A prompt as it is.
	Prompt(String),
	/// The tokens of a prompt.
	Tokens(Vec<u32>),
}

/// What a caller wants.
#[derive(Clone, Debug)]
pub struct Wanted {
	/// The model's name, or a set of adapters as [`members_of`] reads it.
	pub model: String,
	/// Adapters over the base model that `model` names, together; mostly none.
	pub adapters: Vec<Member>,
	/// The input.
	pub input: Input,
	/// How tokens are chosen.
	pub sampling: Sampling,
	/// Most tokens of the answer; 0 for the worker's default.
	pub max_tokens: u32,
	/// Texts that end the answer.
	pub stop: Vec<String>,
	/// What the answer must look like, and the field of the request that says so.
	pub form: Option<(Constraint, &'static str)>,
}

/// A request that can be answered.
#[derive(Clone, Debug)]
pub struct Ready {
	/// The model.
	pub model: Served,
	/// What to give the engine, without an allowance.
	pub request: Request,
}

impl Ready {
	/// Tokens of the prompt.
	pub fn tokens_in(&self) -> u32 {
		u32::try_from(self.request.prompt.len()).unwrap_or(u32::MAX)
	}

	/// Most tokens of the answer.
	pub fn max_tokens(&self) -> u32 {
		u32::try_from(self.request.max_tokens).unwrap_or(u32::MAX)
	}
}

impl Worker {
	/// Whether the worker should stop.
	pub fn is_stopping(&self) -> bool {
		*self.stop.borrow()
	}

	/// A place for one answer, until it is dropped.
	pub fn place(&self) -> Result<OwnedSemaphorePermit, Refusal> {
		self.places(1)
	}

	/// Places for `count` answers to one request.
	pub fn places(&self, count: usize) -> Result<OwnedSemaphorePermit, Refusal> {
		if self.is_stopping() {
			return Err(Refusal::ShuttingDown);
		}
		let count = u32::try_from(count).unwrap_or(u32::MAX);
		self.places
			.clone()
			.try_acquire_many_owned(count)
			.map_err(|_| Refusal::TooManyStreams("too many answers run on this worker"))
	}

	/// The model of that name.
	pub async fn resolve(&self, name: &str) -> Result<Served, Refusal> {
		if name.is_empty() {
			return Err(Refusal::BadRequest("`model` is missing".into()));
		}
		match &self.mode {
			Mode::Paid(payee) => payee.catalog.resolve(payee.block()?, name).await,
			Mode::Offline(offline) => {
				let found = look(offline, name).await;
				match (found, key_of(name)) {
					(Err(Refusal::UnknownModel(_)), Some(key)) if self.files.has_sources() => {
						self.files.fetch(hashes_of(&key), false).await?;
						look(offline, name).await
					}
					(found, _) => found,
				}
			}
		}
	}

	/// What a request asks for: one model, or several adapters at once.
	async fn served(&self, wanted: &Wanted) -> Result<Served, Refusal> {
		if !wanted.adapters.is_empty() {
			if self.resolve(&wanted.model).await?.adapter.is_some() {
				let reason = "must name the base model where `adapters` names adapters";
				return Err(Refusal::field("model", reason));
			}
			return self.together(&wanted.model, &wanted.adapters).await;
		}
		match (self.resolve(&wanted.model).await, members_of(&wanted.model)) {
			(Err(Refusal::UnknownModel(_)), Some(members)) => {
				self.together(&wanted.model, &members).await
			}
			(found, _) => found,
		}
	}

	/// Several adapters at once, as the model `name`.
	async fn together(&self, name: &str, members: &[Member]) -> Result<Served, Refusal> {
		if matches!(self.mode, Mode::Paid(_)) {
			return Err(Refusal::SetNotPayable);
		}
		if members.len() > AdapterSet::MAX_MEMBERS {
			let why = format!("give between 1 and {} adapters", AdapterSet::MAX_MEMBERS);
			return Err(AdapterError::BadSet(why).into());
		}
		let mut keys = Vec::with_capacity(members.len());
		let mut adapters = Vec::with_capacity(members.len());
		for Member { name, weight } in members {
			let adapter = self.resolve(name).await?.adapter.ok_or_else(|| {
				let reason = format!("has {name:?}, which is the base model; name adapters");
				Refusal::field("adapters", reason)
			})?;
			keys.push((adapter.key, *weight));
			adapters.push(name.clone());
		}
		Ok(Served {
			name: name.to_owned(),
			base: 0,
			adapter: None,
			set: Some(AdapterSet::new(keys)?),
			adapters,
			price: Price::default(),
			quote: 0,
		})
	}

	/// Checks a request and turns its input into tokens.
	pub async fn ready(&self, wanted: Wanted) -> Result<Ready, Refusal> {
		let model = self.served(&wanted).await?;
		let generator = self.generator.clone();
		let (input, form) = (wanted.input, wanted.form);
		// A long conversation takes milliseconds, which other streams should not wait for.
		let tokenised = tokio::task::spawn_blocking(move || {
			let prompt = match input {
				Input::Chat(chat) if chat.messages.is_empty() => {
					Err(Refusal::field("messages", "is empty"))
				}
				Input::Chat(chat) if chat.messages.len() > MAX_MESSAGES => Err(Refusal::field(
					"messages",
					format!("has more than {MAX_MESSAGES} entries"),
				)),
				Input::Chat(chat) => generator.chat(&chat),
				Input::Prompt(text) => generator.prompt(&text),
				Input::Tokens(tokens) => Ok(tokens),
			}?;
			let grammar = form.map(|(constraint, field)| {
				generator
					.compile(&constraint)
					.map_err(|refusal| match refusal {
						Refusal::Engine {
							by_caller: true,
							message,
							..
						} => Refusal::field(field, format!("cannot be honoured: {message}")),
						refusal => refusal,
					})
			});
			Ok::<_, Refusal>((prompt, grammar.transpose()?))
		});
		let (prompt, grammar) = tokenised
			.await
			.map_err(|_| Refusal::BadRequest("the prompt cannot be tokenised".into()))??;
		if prompt.is_empty() {
			return Err(Refusal::BadRequest("the prompt is empty".into()));
		}
		let limit = self.generator.context();
		let room = limit.saturating_sub(prompt.len());
		if room == 0 {
			return Err(Refusal::PromptTooLong {
				prompt: prompt.len(),
				limit,
			});
		}
		let max_tokens = match wanted.max_tokens {
			0 => self.limits.default_max_tokens,
			most => most,
		};
		wanted.sampling.check()?;
		Ok(Ready {
			request: Request {
				prompt,
				adapter: model.adapter.map(|adapter| adapter.key),
				set: model.set.clone(),
				sampling: wanted.sampling,
				max_tokens: room.min(usize::try_from(max_tokens).unwrap_or(usize::MAX)),
				stop: wanted.stop,
				grammar,
				..Request::default()
			},
			model,
		})
	}

	/// Counts and logs a refusal.
	pub fn refused(&self, refusal: &Refusal, context: &str) {
		let code = refusal.code();
		self.metrics.error(code);
		match refusal.blame() {
			Blame::Worker => tracing::error!(code, context, "{refusal}"),
			Blame::Load => tracing::warn!(code, context, "{refusal}"),
			_ => tracing::info!(code, context, "{refusal}"),
		}
	}
}

/// The model of that name on a worker without a chain.
async fn look(offline: &Arc<Offline>, name: &str) -> Result<Served, Refusal> {
	let (offline, name) = (offline.clone(), name.to_owned());
	tokio::task::spawn_blocking(move || offline.resolve(&name))
		.await
		.map_err(|_| Refusal::Store("reading the adapter store failed".into()))?
}

/// Waits until the worker should stop; also if whoever could say so is gone.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
	drop(stop.wait_for(|stop| *stop).await);
}

/// A new name for an answer.
pub fn answer_id() -> String {
	format!("chatcmpl-{:032x}", rand::random::<u128>())
}
