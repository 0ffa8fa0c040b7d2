//! The seam to the engine: prompts in, tokens out. Tests put a script in its place.

use crate::error::Refusal;
use futures::stream::{BoxStream, StreamExt};
use openledger_engine::{
	AdapterError, AdapterKey, ChatMessage, Engine, EngineError, EngineStats, ModelError, Request,
	StreamEvent, Tokenizer,
};
use std::path::{Path, PathBuf};

/// A token and the byte range of the text it stands for.
pub type Token = (u32, (usize, usize));

/// Turns prompts into tokens.
pub trait Generator: Send + Sync + 'static {
	/// Tokens of a conversation by the model's chat template.
	fn chat(&self, messages: &[ChatMessage]) -> Result<Vec<u32>, Refusal>;
	/// Tokens of a prompt as it stands.
	fn prompt(&self, text: &str) -> Result<Vec<u32>, Refusal>;
	/// Tokens of a text with the bytes each stands for, without special tokens.
	fn tokenize(&self, text: &str) -> Vec<Token>;
	/// Most tokens of prompt and answer together.
	fn context(&self) -> usize;
	/// Begins an answer; dropping the stream cancels it.
	fn submit(&self, request: Request) -> Result<BoxStream<'static, StreamEvent>, Refusal>;
	/// Counters.
	fn stats(&self) -> EngineStats;
	/// Adapters in memory, with their bytes.
	fn resident(&self) -> Vec<(AdapterKey, usize)>;
	/// Loads an adapter ahead of use.
	fn preload(&self, key: &AdapterKey);
	/// Keeps an adapter in memory, or stops doing so; `false` if this engine cannot.
	fn pin(&self, key: &AdapterKey, pinned: bool) -> bool;
	/// Drops an adapter that nobody uses from memory; `false` if this engine cannot.
	fn unload(&self, key: &AdapterKey) -> bool;
	/// Whether the adapter's files can be used with the base model.
	fn check_adapter(&self, key: &AdapterKey) -> Result<(), Refusal>;
	/// Folder of the adapter store.
	fn store(&self) -> PathBuf;
	/// Takes an adapter in a folder into the store.
	fn import(&self, folder: &Path) -> Result<AdapterKey, Refusal>;
	/// Ends running answers and refuses new ones.
	fn shutdown(&self);
}

impl From<EngineError> for Refusal {
	fn from(error: EngineError) -> Self {
		let by_caller = matches!(
			&error,
			EngineError::EmptyPrompt
				| EngineError::PromptTooLong { .. }
				| EngineError::UnknownToken(_)
				| EngineError::BadSampling { .. }
				| EngineError::Model(ModelError::Template(_))
		);
		match error {
			EngineError::PromptTooLong { prompt, limit } => Self::PromptTooLong { prompt, limit },
			EngineError::ShuttingDown => Self::ShuttingDown,
			error => Self::Engine {
				code: error.code(),
				message: error.to_string(),
				by_caller,
			},
		}
	}
}

impl From<ModelError> for Refusal {
	fn from(error: ModelError) -> Self {
		EngineError::from(error).into()
	}
}

impl From<AdapterError> for Refusal {
	fn from(error: AdapterError) -> Self {
		EngineError::from(error).into()
	}
}

impl Generator for Engine {
	fn chat(&self, messages: &[ChatMessage]) -> Result<Vec<u32>, Refusal> {
		let text = self.tokenizer().apply_chat_template(messages, true)?;
		Ok(self.tokenizer().encode(&text)?)
	}

	fn prompt(&self, text: &str) -> Result<Vec<u32>, Refusal> {
		Ok(self.tokenizer().encode_prompt(text)?)
	}

	fn tokenize(&self, text: &str) -> Vec<Token> {
		match with_ranges(self.tokenizer(), text) {
			Ok(tokens) => tokens,
			Err(error) => {
				tracing::error!(%error, "an answer cannot be tokenised; it earns by equal shares");
				Vec::new()
			}
		}
	}

	fn context(&self) -> usize {
		self.max_context()
	}

	fn submit(&self, request: Request) -> Result<BoxStream<'static, StreamEvent>, Refusal> {
		Ok(Engine::submit(self, request)?.boxed())
	}

	fn stats(&self) -> EngineStats {
		Engine::stats(self)
	}

	fn resident(&self) -> Vec<(AdapterKey, usize)> {
		self.adapters()
	}

	fn preload(&self, key: &AdapterKey) {
		Engine::preload(self, key);
	}

	fn pin(&self, _key: &AdapterKey, _pinned: bool) -> bool {
		false
	}

	fn unload(&self, _key: &AdapterKey) -> bool {
		false
	}

	fn check_adapter(&self, key: &AdapterKey) -> Result<(), Refusal> {
		Ok(Engine::check_adapter(self, key)?)
	}

	fn store(&self) -> PathBuf {
		Engine::store(self).root().to_owned()
	}

	fn import(&self, folder: &Path) -> Result<AdapterKey, Refusal> {
		Ok(Engine::store(self).import(folder)?)
	}

	fn shutdown(&self) {
		Engine::shutdown(self);
	}
}

/// Tokens of `text` with their byte ranges; tokens that share a character share its range.
fn with_ranges(tokenizer: &Tokenizer, text: &str) -> Result<Vec<Token>, ModelError> {
	let mut stream = tokenizer.stream(&[]);
	let mut tokens: Vec<Token> = Vec::new();
	let (mut at, mut waiting) = (0, 0);
	let mut take = |tokens: &mut Vec<Token>, piece: &str| {
		if piece.is_empty() {
			return;
		}
		let range = (at, at + piece.len());
		at = range.1;
		for token in tokens.iter_mut().skip(waiting) {
			token.1 = range;
		}
		waiting = tokens.len();
	};
	for id in tokenizer.encode(text)? {
		let piece = stream.push(id)?;
		tokens.push((id, (0, 0)));
		take(&mut tokens, &piece);
	}
	let rest = stream.finish()?;
	take(&mut tokens, &rest);
	let fits = |(_, (start, end)): &Token| {
		start < end && text.is_char_boundary(*start) && text.is_char_boundary(*end)
	};
	if at != text.len() || !tokens.iter().all(fits) {
		return Err(ModelError::Tokenizer(
			"the tokenizer changes the text, so tokens have no place in it".into(),
		));
	}
	Ok(tokens)
}
