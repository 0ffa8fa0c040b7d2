//! Every reason a request is refused: a stable code for programs, a sentence that says what to do.

use crate::payments::VoucherError;
use openledger_primitives::{Balance, ChannelId, Generation, Lane, OPEN};

/// Why a request was refused or an answer broken off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
	/// The worker is paid through a channel and none was named.
	#[error(
		"this worker is paid per token: send requests through `openledger gateway`, which opens a \
		 channel and pays, or start a worker with --offline"
	)]
	PaymentRequired,
	/// A field is missing, malformed or out of its range.
	#[error("{0}")]
	BadRequest(String),
	/// A named field is missing, malformed, out of its range or not supported.
	#[error("`{field}` {reason}")]
	BadField {
		/// The field, as `messages[2].content`.
		field: String,
		/// What is wrong with it, as the end of a sentence that begins with its name.
		reason: String,
	},
	/// No model of that name.
	#[error("no model is called {0:?}; `openledger adapter list` and `openledger model list` show the names")]
	UnknownModel(String),
	/// The adapter was retired by its owner.
	#[error("the adapter {0:?} was retired by its owner; choose another model")]
	ModelRetired(String),
	/// The model belongs to another base model.
	#[error("{0:?} needs another base model than the one this worker serves; choose a provider that serves it")]
	OtherBase(String),
	/// A file of the adapter is not in this worker's store.
	#[error("this worker lacks {file} of {model:?}; send it with `openledger adapter push`")]
	AdapterMissing {
		/// The model's name.
		model: String,
		/// The file.
		file: &'static str,
	},
	/// There is no such channel.
	#[error("channel {0} is not on the chain (or not finalized yet); open one with `openledger channel open`")]
	UnknownChannel(ChannelId),
	/// The channel pays another provider.
	#[error("channel {0} pays another provider; open one to this worker's provider")]
	ForeignChannel(ChannelId),
	/// The escrow was withdrawn since.
	#[error("channel {channel} is in generation {current}, not {asked}; its escrow was withdrawn meanwhile")]
	WrongGeneration {
		/// The channel.
		channel: ChannelId,
		/// The generation the request names.
		asked: Generation,
		/// The generation on the chain.
		current: Generation,
	},
	/// The escrow may be withdrawn before a voucher could be redeemed.
	#[error("channel {0} is thawing; cancel the thaw with `openledger channel cancel-thaw`")]
	ChannelThawing(ChannelId),
	/// The escrow does not cover what is owed and the next chunk.
	#[error(
		"channel {channel} has {} OPEN in escrow, {} OPEN are needed; top it up with `openledger channel top-up`",
		open(*.left), open(*.needed)
	)]
	EscrowEmpty {
		/// The channel.
		channel: ChannelId,
		/// What all lanes owe and the next chunk costs, in units.
		needed: Balance,
		/// What is in escrow, in units.
		left: Balance,
	},
	/// The delegate may not spend that much.
	#[error("the delegate of channel {0} has reached its limit; raise it with `openledger channel delegate`")]
	DelegateLimit(ChannelId),
	/// The lane's number is too high.
	#[error("lane {0} is out of range; a channel has lanes 0 to 255")]
	LaneOutOfRange(u32),
	/// Another request runs on the lane.
	#[error("lane {0} is busy; one request at a time on a lane, use another lane")]
	LaneBusy(Lane),
	/// The lane was used with this provider before, but this worker has no record of it.
	#[error("lane {0} was used before and this worker has no record of it; use another lane")]
	LaneUnknown(Lane),
	/// The lane has had as many answers as can be held against its provider.
	#[error("lane {0} has had all the answers that a lane can have; use another lane")]
	LaneFull(Lane),
	/// The price is above what the payer can be asked for.
	#[error("the price of this request does not fit a 128-bit amount; ask for fewer tokens")]
	PriceOverflow,
	/// Prompt and answer do not fit the context.
	#[error("the prompt has {prompt} tokens; with max_tokens it must stay within {limit}")]
	PromptTooLong {
		/// Tokens of the prompt.
		prompt: usize,
		/// Tokens of prompt and answer that fit.
		limit: usize,
	},
	/// The voucher is no good.
	#[error(transparent)]
	Voucher(#[from] VoucherError),
	/// A voucher was asked for and did not come.
	#[error(
		"no voucher came within {0} s of being asked for; what was sent is due with the lane's next answer"
	)]
	PaymentTimeout(u64),
	/// Too many requests at once.
	#[error("{0}; try again when an answer has ended")]
	TooManyStreams(&'static str),
	/// Too many requests wait for the engine.
	#[error("{message}")]
	Busy {
		/// The engine's own stable code.
		code: &'static str,
		/// Its message.
		message: String,
		/// In how many seconds to try again.
		retry_after: u64,
	},
	/// The client does not read what it asked for.
	#[error("the client stopped reading")]
	ClientGone,
	/// The worker is about to stop.
	#[error("the worker is shutting down; try again in a moment or use another provider")]
	ShuttingDown,
	/// The engine refused or failed.
	#[error("{message}")]
	Engine {
		/// The engine's own stable code.
		code: &'static str,
		/// Its message.
		message: String,
		/// Whether the request itself is at fault.
		by_caller: bool,
		/// The field at fault.
		field: Option<&'static str>,
	},
	/// The answer could not be attributed.
	#[error("the answer cannot be attributed: {0}")]
	Attribution(String),
	/// The node does not answer.
	#[error("the worker cannot reach its node: {0}; try again")]
	Chain(String),
	/// The disk does not take what must be on it.
	#[error("the worker cannot write its store: {0}")]
	Store(String),
	/// A file that was sent is not the one registered.
	#[error("{file} has SHA-256 {found}, registered is {expected}; send the registered file")]
	HashMismatch {
		/// The file.
		file: String,
		/// The registered hash, in hex.
		expected: String,
		/// The hash of what came, in hex.
		found: String,
	},
	/// A file or a message over the limit.
	#[error("{what} is larger than {limit} bytes")]
	TooLarge {
		/// What.
		what: String,
		/// The most it may have.
		limit: u64,
	},
	/// No such receipt, report or adapter.
	#[error("{0}")]
	NotFound(String),
	/// The call is the operator's and carries no token, or a wrong one.
	#[error(
		"this call is for the worker's operator: send the token in operator.token of its --data folder (or in \
		 --operator-token-file) as `authorization: Bearer <token>`"
	)]
	NotTheOperator,
	/// There is no room for more files.
	#[error(
		"this worker's store of adapters is full ({0} bytes); use another provider, or ask its operator to \
		 raise --store-quota"
	)]
	StoreFull(u64),
	/// Several adapters at once on a worker that is paid: the receipt of an answer names one adapter, and its money goes
	/// to the owners of one.
	#[error(
		"a worker that is paid answers with one adapter at a time, because a receipt pays the owners of one; name one \
		 adapter in `model`, or use a worker that runs with --offline"
	)]
	SetNotPayable,
	/// It takes a chain and the worker runs without one.
	#[error(
		"this worker runs with --offline: there is no chain, so there are no receipts and uploads"
	)]
	Offline,
}

/// Codes of the engine's errors that come from too much at once.
const LOAD: [&str; 7] = [
	"deadline",
	"grammar-busy",
	"shutting-down",
	"adapter-fetch",
	"adapter-in-use",
	"adapter-no-room-yet",
	"adapter-pins-fill-budget",
];

/// Whose doing a refusal is, for status codes and log levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
	/// The request: the same request fails again.
	Request,
	/// The payment: paying makes it work.
	Payment,
	/// Something named is not there.
	Missing,
	/// The caller has not shown who they are.
	Caller,
	/// Too much at once: later it works.
	Load,
	/// The worker or what it stands on: its operator should look.
	Worker,
}

impl Refusal {
	/// Stable identifier of the cause: metric label, gRPC trailing metadata, `code` in HTTP errors.
	pub fn code(&self) -> &'static str {
		match self {
			Self::PaymentRequired => "payment-required",
			Self::BadRequest(_) | Self::BadField { .. } => "bad-request",
			Self::UnknownModel(_) => "unknown-model",
			Self::ModelRetired(_) => "model-retired",
			Self::OtherBase(_) => "other-base",
			Self::AdapterMissing { .. } => "adapter-missing",
			Self::UnknownChannel(_) => "unknown-channel",
			Self::ForeignChannel(_) => "foreign-channel",
			Self::WrongGeneration { .. } => "wrong-generation",
			Self::ChannelThawing(_) => "channel-thawing",
			Self::EscrowEmpty { .. } => "escrow-empty",
			Self::DelegateLimit(_) => "delegate-limit",
			Self::LaneOutOfRange(_) => "lane-out-of-range",
			Self::LaneBusy(_) => "lane-busy",
			Self::LaneUnknown(_) => "lane-unknown",
			Self::LaneFull(_) => "lane-full",
			Self::PriceOverflow => "price-overflow",
			Self::PromptTooLong { .. } => "prompt-too-long",
			Self::Voucher(error) => error.code(),
			Self::PaymentTimeout(_) => "payment-timeout",
			Self::TooManyStreams(_) => "too-many-streams",
			Self::Busy { code, .. } => code,
			Self::ClientGone => "client-gone",
			Self::ShuttingDown => "shutting-down",
			Self::Engine { code, .. } => code,
			Self::Attribution(_) => "attribution",
			Self::Chain(_) => "chain-unreachable",
			Self::Store(_) => "store",
			Self::HashMismatch { .. } => "hash-mismatch",
			Self::TooLarge { .. } => "too-large",
			Self::NotFound(_) => "not-found",
			Self::NotTheOperator => "not-the-operator",
			Self::StoreFull(_) => "store-full",
			Self::SetNotPayable => "set-not-payable",
			Self::Offline => "offline",
		}
	}

	/// Whose doing it is.
	pub fn blame(&self) -> Blame {
		match self {
			Self::BadRequest(_)
			| Self::BadField { .. }
			| Self::ModelRetired(_)
			| Self::OtherBase(_)
			| Self::LaneOutOfRange(_)
			| Self::PriceOverflow
			| Self::PromptTooLong { .. }
			| Self::HashMismatch { .. }
			| Self::TooLarge { .. }
			| Self::SetNotPayable
			| Self::Offline => Blame::Request,
			Self::PaymentRequired
			| Self::UnknownChannel(_)
			| Self::ForeignChannel(_)
			| Self::WrongGeneration { .. }
			| Self::ChannelThawing(_)
			| Self::EscrowEmpty { .. }
			| Self::DelegateLimit(_)
			| Self::LaneUnknown(_)
			| Self::LaneFull(_)
			| Self::Voucher(_)
			| Self::PaymentTimeout(_) => Blame::Payment,
			Self::UnknownModel(_) | Self::AdapterMissing { .. } | Self::NotFound(_) => {
				Blame::Missing
			}
			Self::NotTheOperator => Blame::Caller,
			Self::LaneBusy(_)
			| Self::TooManyStreams(_)
			| Self::Busy { .. }
			| Self::StoreFull(_)
			| Self::ClientGone
			| Self::ShuttingDown => Blame::Load,
			Self::Engine { code, .. } if LOAD.contains(code) => Blame::Load,
			Self::Engine {
				by_caller: true, ..
			} => Blame::Request,
			Self::Engine { .. } | Self::Attribution(_) | Self::Chain(_) | Self::Store(_) => {
				Blame::Worker
			}
		}
	}

	/// In how many seconds to try again, where that makes sense: the header `Retry-After`.
	pub fn retry_after(&self) -> Option<u64> {
		match self {
			Self::Busy { retry_after, .. } => Some(*retry_after),
			Self::TooManyStreams(_) | Self::LaneBusy(_) => Some(1),
			_ => None,
		}
	}

	/// A field that is wrong; `reason` ends a sentence that begins with its name.
	pub fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
		Self::BadField {
			field: field.into(),
			reason: reason.into(),
		}
	}

	/// The HTTP status.
	pub fn http_status(&self) -> u16 {
		match self.blame() {
			Blame::Request => 400,
			Blame::Payment => 402,
			Blame::Missing => 404,
			Blame::Caller => 401,
			Blame::Load if matches!(self, Self::ShuttingDown) => 503,
			Blame::Load => 429,
			Blame::Worker => 500,
		}
	}

	/// The gRPC status: message, and the code as trailing metadata.
	pub fn status(&self) -> tonic::Status {
		let code = match self.blame() {
			Blame::Request => tonic::Code::InvalidArgument,
			Blame::Payment => tonic::Code::FailedPrecondition,
			Blame::Missing => tonic::Code::NotFound,
			Blame::Caller => tonic::Code::Unauthenticated,
			Blame::Load if matches!(self, Self::ShuttingDown) => tonic::Code::Unavailable,
			Blame::Load => tonic::Code::ResourceExhausted,
			Blame::Worker => tonic::Code::Internal,
		};
		let mut status = tonic::Status::new(code, self.to_string());
		status.metadata_mut().insert(
			openledger_proto::ERROR_CODE,
			tonic::metadata::MetadataValue::from_static(self.code()),
		);
		if let Some(seconds) = self.retry_after() {
			status.metadata_mut().insert("retry-after", seconds.into());
		}
		status
	}
}

/// An amount in OPEN, with as many decimals as it needs.
pub fn open(amount: Balance) -> String {
	let fraction = format!("{:018}", amount % OPEN);
	let fraction = fraction.trim_end_matches('0');
	if fraction.is_empty() {
		(amount / OPEN).to_string()
	} else {
		format!("{}.{fraction}", amount / OPEN)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn an_amount_should_read_as_open() {
		assert_eq!(open(0), "0");
		assert_eq!(open(OPEN), "1");
		assert_eq!(open(1_500_000_000_000_000_000), "1.5");
		assert_eq!(open(1), "0.000000000000000001");
	}

	#[test]
	fn a_full_queue_should_answer_429_and_say_when_to_come_back() {
		let refusal = Refusal::from(openledger_engine::EngineError::QueueFull {
			waiting: 9,
			retry_after: std::time::Duration::from_millis(6_100),
		});
		assert_eq!(refusal.code(), "queue-full");
		let status = refusal.status();
		assert_eq!(status.code(), tonic::Code::ResourceExhausted);
		assert_eq!(status.metadata().get("retry-after").unwrap(), "7");
		let response = axum::response::IntoResponse::into_response(refusal);
		assert_eq!(response.status(), 429);
		assert_eq!(response.headers()["retry-after"], "7");
		// What is nobody's hurry says nothing.
		assert_eq!(Refusal::Offline.retry_after(), None);
	}

	#[test]
	fn a_status_should_carry_the_code_as_metadata() {
		let status = Refusal::LaneBusy(3).status();
		assert_eq!(status.code(), tonic::Code::ResourceExhausted);
		assert_eq!(
			status.metadata().get(openledger_proto::ERROR_CODE).unwrap(),
			"lane-busy"
		);
	}
}
