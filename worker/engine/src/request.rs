//! What goes into the engine and what comes out.

use std::{
	pin::Pin,
	sync::{
		atomic::{AtomicU32, Ordering},
		Arc, Mutex, PoisonError, Weak,
	},
	task::{Context, Poll},
	time::Instant,
};

use futures::{channel::mpsc, executor::block_on_stream, Stream, StreamExt};

use crate::{
	error::EngineError,
	grammar::Grammar,
	sampling::{Sampling, TokenLogprobs},
	set::AdapterSet,
	store::AdapterKey,
	tenant::Tenant,
};

/// A prompt to continue.
#[derive(Clone, Debug, Default)]
pub struct Request {
	/// Tokens of the prompt.
	pub prompt: Vec<u32>,
	/// Adapter to use; `None` for the bare base model.
	pub adapter: Option<AdapterKey>,
	/// A weighted set of adapters to use instead of one.
	pub set: Option<Arc<AdapterSet>>,
	/// How tokens are chosen.
	pub sampling: Sampling,
	/// Most tokens to generate; at least 1.
	pub max_tokens: usize,
	/// Texts that end the answer; they are not given out.
	pub stop: Vec<String>,
	/// How many tokens are paid for; `None` for no limit.
	pub allowance: Option<Allowance>,
	/// Who it is for; `None` for [`Tenant::ANONYMOUS`].
	pub tenant: Option<Tenant>,
	/// When it ends if it has not ended before: [`FinishReason::Deadline`], or [`EngineError::Deadline`] if it had not
	/// begun.
	pub deadline: Option<Instant>,
	/// What the answer must look like; see [`crate::Engine::compile`].
	pub grammar: Option<Grammar>,
	/// Asks for [`StreamEvent::Embedding`] in place of an answer. Every token of the prompt must be computed for it, so
	/// it may not begin with pages of another request.
	pub embed: bool,
}

/// Something that wants to know when work appears.
pub(crate) trait Wake: Send + Sync {
	fn wake(&self);
}

/// How many output tokens a request may have generated so far, counted from its start.
///
/// The scheduler does not step a sequence that has reached it; 0 holds back the prompt too. Clones share the number.
#[derive(Clone)]
pub struct Allowance {
	inner: Arc<AllowanceInner>,
}

struct AllowanceInner {
	tokens: AtomicU32,
	wake: Mutex<Option<Weak<dyn Wake>>>,
}

impl std::fmt::Debug for Allowance {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		write!(f, "Allowance({})", self.get())
	}
}

impl Allowance {
	/// Allows `tokens` output tokens.
	pub fn new(tokens: u32) -> Self {
		let inner = AllowanceInner {
			tokens: AtomicU32::new(tokens),
			wake: Mutex::new(None),
		};
		Self {
			inner: Arc::new(inner),
		}
	}

	/// Output tokens allowed in total.
	pub fn get(&self) -> u32 {
		self.inner.tokens.load(Ordering::Acquire)
	}

	/// Raises the total to `tokens` (never lowers it) and wakes the engine.
	pub fn raise(&self, tokens: u32) {
		self.inner.tokens.fetch_max(tokens, Ordering::AcqRel);
		let wake = self
			.inner
			.wake
			.lock()
			.unwrap_or_else(PoisonError::into_inner)
			.clone();
		if let Some(wake) = wake.and_then(|w| w.upgrade()) {
			wake.wake();
		}
	}

	pub(crate) fn attach(&self, wake: Weak<dyn Wake>) {
		*self
			.inner
			.wake
			.lock()
			.unwrap_or_else(PoisonError::into_inner) = Some(wake);
	}
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
	/// An end token or a stop text.
	Stop,
	/// `max_tokens`.
	Length,
	/// The engine was shut down.
	Cancelled,
	/// The request's deadline passed.
	Deadline,
}

/// What a request's stream carries. `Finished` and `Failed` are the last event.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamEvent {
	/// One generated token; the end token too. As many of these come as `completion_tokens` says.
	Token {
		/// The token.
		id: u32,
		/// Text that is complete now: whole characters, none that could yet become a stop text. Often the token's own
		/// text, sometimes empty, sometimes of several tokens. All of them together are the answer.
		text: String,
		/// How probable the token was, where [`Sampling::logprobs`] asks for it.
		logprobs: Option<Box<TokenLogprobs>>,
	},
	/// What the prompt means as a vector of length 1: the mean of its last hidden states.
	Embedding(Vec<f32>),
	/// The answer is complete.
	Finished {
		/// Why.
		reason: FinishReason,
		/// Tokens of the prompt.
		prompt_tokens: u32,
		/// Tokens generated.
		completion_tokens: u32,
		/// Those of the prompt whose KV was there already. They are charged like the others: the price of a prompt
		/// does not depend on what was asked before.
		cached_tokens: u32,
	},
	/// The request cannot go on.
	Failed(EngineError),
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
	/// Text of the answer.
	pub text: String,
	/// Generated tokens, the end token included.
	pub ids: Vec<u32>,
	/// Why it ended.
	pub reason: FinishReason,
	/// Tokens of the prompt.
	pub prompt_tokens: u32,
	/// Tokens generated.
	pub completion_tokens: u32,
	/// Those of the prompt whose KV was there already.
	pub cached_tokens: u32,
}

/// The events of one request. Dropping it cancels the request.
pub struct TokenStream {
	receiver: mpsc::UnboundedReceiver<StreamEvent>,
	wake: Weak<dyn Wake>,
}

impl std::fmt::Debug for TokenStream {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.write_str("TokenStream")
	}
}

impl TokenStream {
	pub(crate) fn new(
		receiver: mpsc::UnboundedReceiver<StreamEvent>,
		wake: Weak<dyn Wake>,
	) -> Self {
		Self { receiver, wake }
	}

	/// The next event, blocking the thread; `None` after the last. Not for use inside an async task.
	pub fn next_blocking(&mut self) -> Option<StreamEvent> {
		block_on_stream(&mut self.receiver).next()
	}

	/// Blocks until the answer is complete.
	///
	/// # Errors
	/// The error of a `Failed` event.
	pub fn wait(mut self) -> Result<Completion, EngineError> {
		let (mut text, mut ids) = (String::new(), Vec::new());
		while let Some(event) = self.next_blocking() {
			match event {
				StreamEvent::Token {
					id, text: piece, ..
				} => {
					ids.push(id);
					text.push_str(&piece);
				}
				StreamEvent::Embedding(_) => {}
				StreamEvent::Finished {
					reason,
					prompt_tokens,
					completion_tokens,
					cached_tokens,
				} => {
					return Ok(Completion {
						text,
						ids,
						reason,
						prompt_tokens,
						completion_tokens,
						cached_tokens,
					})
				}
				StreamEvent::Failed(error) => return Err(error),
			}
		}
		Err(EngineError::ShuttingDown)
	}
}

impl Stream for TokenStream {
	type Item = StreamEvent;

	fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamEvent>> {
		self.receiver.poll_next_unpin(cx)
	}
}

impl Drop for TokenStream {
	fn drop(&mut self) {
		self.receiver.close();
		if let Some(wake) = self.wake.upgrade() {
			wake.wake();
		}
	}
}
