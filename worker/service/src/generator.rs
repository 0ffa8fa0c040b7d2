//! The seam to the engine: prompts in, tokens out. Tests put a script in its place.

use crate::error::Refusal;
use futures::stream::{BoxStream, StreamExt};
use openledger_attribution::{byte_level_tokens, Token};
use openledger_engine::{
	AdapterError, AdapterKey, Chat, Constraint, Engine, EngineError, EngineStats, Grammar,
	ModelError, Request, StreamEvent, TenantStats,
};
use std::path::{Path, PathBuf};

/// Turns prompts into tokens.
pub trait Generator: Send + Sync + 'static {
	/// Tokens of a conversation by the model's chat template.
	fn chat(&self, chat: &Chat) -> Result<Vec<u32>, Refusal>;
	/// Tokens of a prompt as it stands.
	fn prompt(&self, text: &str) -> Result<Vec<u32>, Refusal>;
	/// Tokens of a text with the bytes each stands for, without special tokens.
	fn tokenize(&self, text: &str) -> Vec<Token>;
	/// The bytes of one token's text, and whether the token is special.
	fn token(&self, id: u32) -> (Vec<u8>, bool);
	/// Makes a grammar. Blocks until it is made.
	fn compile(&self, constraint: &Constraint) -> Result<Grammar, Refusal>;
	/// The text of a prompt's tokens; special tokens leave no trace.
	fn text(&self, tokens: &[u32]) -> Result<String, Refusal>;
	/// Most tokens of prompt and answer together.
	fn context(&self) -> usize;
	/// Begins an answer; dropping the stream cancels it.
	fn submit(&self, request: Request) -> Result<BoxStream<'static, StreamEvent>, Refusal>;
	/// Counters.
	fn stats(&self) -> EngineStats;
	/// What each tenant was served.
	fn tenants(&self) -> Vec<TenantStats>;
	/// Adapters in memory, with their bytes.
	fn resident(&self) -> Vec<(AdapterKey, usize)>;
	/// Loads an adapter ahead of use.
	fn preload(&self, key: &AdapterKey);
	/// Keeps an adapter in memory, or stops doing so. Blocks until it is loaded.
	fn pin(&self, key: &AdapterKey, pinned: bool) -> Result<(), Refusal>;
	/// Adapters that are kept in memory.
	fn pinned(&self) -> Vec<AdapterKey>;
	/// Drops an adapter that nobody uses from memory.
	fn unload(&self, key: &AdapterKey) -> Result<(), Refusal>;
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
				| EngineError::BadGrammar(_)
				| EngineError::GrammarTooComplex(_)
				| EngineError::Model(ModelError::Template(_))
				| EngineError::Adapter(AdapterError::Pinned(_) | AdapterError::BadSet(_))
		);
		if let Some(retry_after) = error.retry_after() {
			return Self::Busy {
				code: error.code(),
				message: error.to_string(),
				retry_after,
			};
		}
		let field = match &error {
			EngineError::BadSampling { name, .. } => Some(*name),
			EngineError::Adapter(AdapterError::BadSet(_)) => Some("adapters"),
			_ => None,
		};
		match error {
			EngineError::PromptTooLong { prompt, limit } => Self::PromptTooLong { prompt, limit },
			EngineError::ShuttingDown => Self::ShuttingDown,
			error => Self::Engine {
				code: error.code(),
				message: error.to_string(),
				by_caller,
				field,
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
	fn chat(&self, chat: &Chat) -> Result<Vec<u32>, Refusal> {
		let text = self.tokenizer().render_chat(chat)?;
		Ok(self.tokenizer().encode(&text)?)
	}

	fn prompt(&self, text: &str) -> Result<Vec<u32>, Refusal> {
		Ok(self.tokenizer().encode_prompt(text)?)
	}

	fn tokenize(&self, text: &str) -> Vec<Token> {
		let tokenizer = self.tokenizer();
		let ids = tokenizer.encode(text).unwrap_or_default();
		byte_level_tokens(text, &ids, &|id| tokenizer.id_to_token(id)).unwrap_or_else(|| {
			tracing::error!("an answer cannot be tokenised; it earns by equal shares");
			Vec::new()
		})
	}

	fn token(&self, id: u32) -> (Vec<u8>, bool) {
		let tokenizer = self.tokenizer();
		(tokenizer.token_bytes(id), tokenizer.is_special(id))
	}

	fn compile(&self, constraint: &Constraint) -> Result<Grammar, Refusal> {
		Ok(Engine::compile(self, constraint)?)
	}

	fn text(&self, tokens: &[u32]) -> Result<String, Refusal> {
		Ok(self.tokenizer().decode(tokens)?)
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

	fn tenants(&self) -> Vec<TenantStats> {
		Engine::tenants(self)
	}

	fn resident(&self) -> Vec<(AdapterKey, usize)> {
		self.adapters()
	}

	fn preload(&self, key: &AdapterKey) {
		Engine::preload(self, key);
	}

	fn pin(&self, key: &AdapterKey, pinned: bool) -> Result<(), Refusal> {
		if pinned {
			return Ok(Engine::pin(self, key)?);
		}
		self.unpin(key);
		Ok(())
	}

	fn pinned(&self) -> Vec<AdapterKey> {
		Engine::pinned(self)
	}

	fn unload(&self, key: &AdapterKey) -> Result<(), Refusal> {
		Ok(Engine::unload(self, key)?)
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
