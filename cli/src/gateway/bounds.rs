//! What one answer may be, whatever its worker says: tokens, text and price.

use super::error::GatewayError;
use crate::amount::named;
use openledger_primitives::{Balance, Price};
use openledger_proto::v1::{start::Input, Chunk, Start};

/// Most tokens that come between two payments.
const CHUNK: u32 = 32;
/// Tokens of a chat template's markup around a message, at most.
const MARKUP: u64 = 64;
/// Tokens that a template may add once, such as a system prompt of its own.
const PREAMBLE: u64 = 256;
/// Bytes of a token's text, at most.
const TOKEN_TEXT: usize = 1_024;
/// Bytes of an answer's text, at most.
const TEXT: usize = 8 * 1024 * 1024;

/// The most that one request may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
	/// Tokens of the prompt.
	pub prompt_tokens: u64,
	/// Tokens of the answer.
	pub max_tokens: u32,
	/// Price of the whole, in units.
	pub cost: Balance,
}

impl Bounds {
	/// The bounds of `start` where one answer may cost `cost` units.
	///
	/// A token stands for at least one byte of the input; only what the chat template adds comes on top.
	pub fn of(start: &Start, cost: Balance) -> Self {
		let (bytes, messages) = match &start.input {
			Some(Input::Chat(chat)) => {
				let bytes = |sum: usize, (role, content): (&String, &String)| {
					sum.saturating_add(role.len()).saturating_add(content.len())
				};
				let texts = chat
					.messages
					.iter()
					.map(|message| (&message.role, &message.content));
				(texts.fold(0, bytes), chat.messages.len())
			}
			Some(Input::Prompt(text)) => (text.len(), 0),
			None => (0, 0),
		};
		let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
		Self {
			prompt_tokens: MARKUP
				.saturating_mul(wide(messages).saturating_add(1))
				.saturating_add(wide(bytes))
				.saturating_add(PREAMBLE),
			max_tokens: start.max_tokens,
			cost,
		}
	}

	/// Refuses a prompt of more tokens than it can have, and an answer that may become too dear.
	pub fn check(&self, prompt_tokens: u32, price: &Price) -> Result<(), GatewayError> {
		if u64::from(prompt_tokens) > self.prompt_tokens {
			return Err(overcharges(&format!(
				"it counts {prompt_tokens} tokens in a prompt that has at most {}",
				self.prompt_tokens
			)));
		}
		let most = price
			.charge(prompt_tokens, self.max_tokens)
			.and_then(|(compute, licence)| compute.checked_add(licence))
			.unwrap_or(Balance::MAX);
		if most > self.cost {
			return Err(GatewayError::new(
				402,
				"answer-too-dear",
				format!(
					"The answer may cost {}, more than the {} of --max-per-answer. Ask for fewer \
					 `max_tokens`, or start the gateway with a higher --max-per-answer.",
					named(most),
					named(self.cost)
				),
			));
		}
		Ok(())
	}
}

/// What has come of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
	/// Tokens.
	pub tokens_out: u32,
	/// Text.
	pub text: String,
	/// Tokens when a payment was last asked for.
	asked_at: u32,
}

impl Progress {
	/// Adds a chunk, unless it breaks the bounds or miscounts itself.
	pub fn take(&mut self, chunk: &Chunk, bounds: &Bounds) -> Result<(), GatewayError> {
		let new = u32::try_from(chunk.tokens.len()).unwrap_or(u32::MAX);
		if new == 0 || new > CHUNK {
			return Err(overcharges(&format!("it sent {new} tokens at once")));
		}
		let tokens_out = self.tokens_out.saturating_add(new);
		if tokens_out != chunk.completion_tokens {
			return Err(overcharges("it counts other tokens than it sent"));
		}
		if tokens_out > bounds.max_tokens {
			return Err(overcharges(&format!(
				"it went on after the {} tokens it was asked for",
				bounds.max_tokens
			)));
		}
		if tokens_out.saturating_sub(self.asked_at) > CHUNK {
			return Err(overcharges("it sends on without asking to be paid"));
		}
		// Text may be held back and come with a later token, so what counts is the whole.
		let length = self.text.len().saturating_add(chunk.text.len());
		let tokens = usize::try_from(tokens_out).unwrap_or(usize::MAX);
		if length > tokens.saturating_mul(TOKEN_TEXT).min(TEXT) {
			return Err(overcharges(
				"it sends more text than its tokens can stand for",
			));
		}
		self.tokens_out = tokens_out;
		self.text.push_str(&chunk.text);
		if chunk.payment_due.is_some() {
			self.asked_at = tokens_out;
		}
		Ok(())
	}
}

/// Code of the error for a worker that counts what cannot be.
pub const OVERCHARGES: &str = "worker-overcharges";

fn overcharges(how: &str) -> GatewayError {
	let message = format!("The worker cannot be trusted: {how}. No more is paid to it.");
	GatewayError::new(502, OVERCHARGES, message)
}

#[cfg(test)]
mod tests {
	use super::*;
	use openledger_primitives::Rate;
	use openledger_proto::v1::{Chat, Due, Message};

	fn chat(content: &str) -> Start {
		let message = Message {
			role: "user".into(),
			content: content.into(),
		};
		Start {
			input: Some(Input::Chat(Chat {
				messages: vec![message],
			})),
			max_tokens: 100,
			..Start::default()
		}
	}

	fn price() -> Price {
		let rate = Rate {
			input: 1_000,
			output: 2_000,
		};
		Price {
			compute: rate,
			licence: rate,
		}
	}

	fn bounds() -> Bounds {
		Bounds::of(&chat("Hi"), 1_000_000)
	}

	/// `new` tokens more after `so_far`.
	fn chunk(so_far: u32, new: u32, text: &str, due: bool) -> Chunk {
		Chunk {
			text: text.into(),
			tokens: vec![7; usize::try_from(new).unwrap()],
			completion_tokens: so_far + new,
			payment_due: due.then(Due::default),
		}
	}

	fn refusal(progress: &Progress, chunk: &Chunk) -> String {
		let mut progress = progress.clone();
		progress.take(chunk, &bounds()).unwrap_err().code
	}

	#[test]
	fn prompt_with_a_templates_own_system_prompt_should_be_within_bounds() {
		// What SmolLM2's template makes of "Hi", were every byte a token.
		let prompt = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by \
			Hugging Face<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
		let tokens = u32::try_from(prompt.len()).unwrap();
		assert_eq!(bounds().check(tokens, &price()), Ok(()));
	}

	#[test]
	fn more_prompt_tokens_than_bytes_can_make_should_be_refused() {
		let bounds = bounds();
		assert_eq!(bounds.prompt_tokens, 4 + 2 + 64 * 2 + 256);
		assert_eq!(bounds.check(390, &price()), Ok(()));
		for claimed in [391, 1_000_000, u32::MAX] {
			let refused = bounds.check(claimed, &price()).unwrap_err();
			assert_eq!(refused.code, OVERCHARGES);
			assert!(refused.is_elsewhere(), "the next provider is tried");
		}
		let prompt = Start {
			input: Some(Input::Prompt("abc".into())),
			..Start::default()
		};
		assert_eq!(Bounds::of(&prompt, 0).prompt_tokens, 3 + 64 + 256);
	}

	#[test]
	fn answer_that_may_become_too_dear_should_be_refused_before_it_begins() {
		// 10 × 2 for the prompt and 100 × 4 for the answer.
		let bounds = Bounds {
			cost: 420,
			..bounds()
		};
		assert_eq!(bounds.check(10, &price()), Ok(()));
		let refused = bounds.check(11, &price()).unwrap_err();
		assert_eq!(
			(refused.status, refused.code.as_str()),
			(402, "answer-too-dear")
		);
		assert!(refused.message.contains("--max-per-answer"));
		let endless = Rate {
			input: u128::MAX,
			output: u128::MAX,
		};
		let endless = Price {
			compute: endless,
			licence: endless,
		};
		assert_eq!(
			bounds.check(10, &endless).unwrap_err().code,
			"answer-too-dear"
		);
	}

	#[test]
	fn honest_answer_should_be_taken_up_to_its_last_token() {
		let mut progress = Progress::default();
		for token in 0..100 {
			let due = (token + 1) % 16 == 0;
			progress
				.take(&chunk(token, 1, "é", due), &bounds())
				.unwrap();
		}
		assert_eq!((progress.tokens_out, progress.text.len()), (100, 200));
		assert_eq!(refusal(&progress, &chunk(100, 1, "", true)), OVERCHARGES);
	}

	#[test]
	fn text_that_was_held_back_should_come_with_a_later_token() {
		let mut progress = Progress::default();
		progress.take(&chunk(0, 1, "", false), &bounds()).unwrap();
		let text = "x".repeat(2 * TOKEN_TEXT);
		progress
			.take(&chunk(1, 1, &text, false), &bounds())
			.unwrap();
	}

	#[test]
	fn chunks_that_miscount_should_be_refused() {
		let mut progress = Progress::default();
		progress.take(&chunk(0, 32, "x", true), &bounds()).unwrap();
		let before = progress.clone();
		let long = "x".repeat(34 * TOKEN_TEXT);
		for bad in [
			chunk(32, 0, "", true),
			chunk(32, 33, "", true),
			chunk(32, 2_000_000, "", true),
			chunk(31, 1, "", true),
			chunk(40, 1, "", true),
			chunk(32, 1, &long, true),
		] {
			assert_eq!(refusal(&before, &bad), OVERCHARGES);
		}
		// Unpaid tokens are bounded too.
		progress.take(&chunk(32, 32, "", false), &bounds()).unwrap();
		assert_eq!(refusal(&progress, &chunk(64, 1, "", true)), OVERCHARGES);
	}

	#[test]
	fn text_should_not_fill_the_memory() {
		let mut progress = Progress::default();
		let bounds = Bounds {
			max_tokens: u32::MAX,
			..bounds()
		};
		let text = "x".repeat(32 * TOKEN_TEXT);
		let chunks = u32::try_from(TEXT / text.len()).unwrap();
		for number in 0..chunks {
			progress
				.take(&chunk(32 * number, 32, &text, true), &bounds)
				.unwrap();
		}
		let refused = progress.take(&chunk(32 * chunks, 1, "x", true), &bounds);
		assert_eq!(refused.unwrap_err().code, OVERCHARGES);
		assert_eq!(progress.text.len(), TEXT);
	}
}
