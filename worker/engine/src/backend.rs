//! The seam between scheduling and arithmetic: a batch in, logits out. KV lives behind it, in pages.
//!
//! Who decides what: the scheduler knows which tokens a page stands for and when it may go; the backend knows where
//! its values are. A sequence is a table of pages. [`Backend::keep`] gives a whole page a life of its own,
//! [`Backend::share`] puts it into the table of another sequence, and the backend counts who has it. On a device
//! that is a page table per sequence and a counter per page; nothing is ever copied, because a page is shared only
//! when it is whole, and a whole page is not written again.

use std::sync::Arc;

use crate::{adapter::LoraWeights, dora::BaseRows, error::EngineError};

/// A sequence whose KV the backend holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SequenceId(pub u64);

/// A page of KV that outlives the sequence that filled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PageId(pub u64);

/// Consecutive new tokens of one sequence.
#[derive(Clone, Debug)]
pub struct BatchItem {
	/// Whose tokens.
	pub sequence: SequenceId,
	/// The tokens; at least one.
	pub tokens: Vec<u32>,
	/// Position of the first of them in the sequence.
	pub position: usize,
	/// Adapter of the sequence.
	pub adapter: Option<Arc<LoraWeights>>,
	/// Whether the logits after the last token are wanted.
	pub logits: bool,
}

/// Computes batches for one base model.
///
/// The scheduler hands over items sorted by adapter; it never exceeds the KV budget it planned with
/// [`Backend::page_bytes`], kept pages included, and it passes the tokens of a sequence in order without gaps. The
/// values of a row must not depend on the other rows of its batch, nor on how its prompt was cut: otherwise what a
/// kept page holds would depend on who filled it.
pub trait Backend: Send {
	/// Positions in a KV page.
	fn page_tokens(&self) -> usize;

	/// Bytes of a KV page.
	fn page_bytes(&self) -> usize;

	/// Begins a sequence.
	fn open(&mut self) -> SequenceId;

	/// Ends a sequence and frees its pages, except those that are kept or that others have too. Nothing happens if it
	/// is not open.
	fn close(&mut self, sequence: SequenceId);

	/// Sums the last hidden states of a sequence that was just opened; nothing happens if it is not open.
	fn pool(&mut self, sequence: SequenceId);

	/// The sum of the last hidden states, after the final norm, of the tokens computed so far, and how many those are.
	/// `None` for a sequence that is not pooled; the sum is taken away.
	fn pooled(&mut self, sequence: SequenceId) -> Option<(Vec<f32>, usize)>;

	/// The base model's weights, for adapters that need them when they are loaded. Without them those are refused.
	fn base_rows(&self) -> Option<Arc<dyn BaseRows>> {
		None
	}

	/// Bytes of all KV pages in existence, each counted once: those of sequences, and those that are kept.
	fn kv_bytes(&self) -> usize;

	/// Whether pages can be shared. If not, the next three are never called and no prefix is cached.
	fn shares_pages(&self) -> bool {
		false
	}

	/// Keeps page `index` of a sequence until [`Self::drop_page`]. Every position of the page has been computed.
	///
	/// # Errors
	/// [`EngineError::Backend`] if there is no such page.
	fn keep(&mut self, sequence: SequenceId, index: usize) -> Result<PageId, EngineError> {
		let (_, _) = (sequence, index);
		Err(EngineError::Backend("pages cannot be shared".into()))
	}

	/// Makes a kept page page `index` of a sequence: its next page, or in place of one it computed itself with the
	/// same tokens. Its positions then count as computed.
	///
	/// # Errors
	/// [`EngineError::Backend`] if the page is not kept, the sequence is not open, or `index` is beyond its next page.
	fn share(
		&mut self,
		sequence: SequenceId,
		index: usize,
		page: PageId,
	) -> Result<(), EngineError> {
		let (_, _, _) = (sequence, index, page);
		Err(EngineError::Backend("pages cannot be shared".into()))
	}

	/// Ends what [`Self::keep`] began; the page is free when no sequence has it. Nothing happens if it is not kept.
	fn drop_page(&mut self, page: PageId) {
		let _ = page;
	}

	/// Has a sequence's adapter brought to where the backend computes, and held there until the sequence is closed.
	/// `true` once it is there; until then the sequence takes part in no step, and this is called again before each.
	/// It does not wait.
	///
	/// # Errors
	/// [`EngineError::Adapter`] if it can never be there, [`EngineError::Backend`] if bringing it failed.
	fn place(
		&mut self,
		sequence: SequenceId,
		adapter: &Arc<LoraWeights>,
	) -> Result<bool, EngineError> {
		let (_, _) = (sequence, adapter);
		Ok(true)
	}

	/// As [`Self::step`], but writes the likeliest token (the first of equals) of each item that wants logits into
	/// `tokens`: less to bring back from a device. `None`, and nothing is done, if the backend does not do that.
	fn step_likeliest(
		&mut self,
		batch: &[BatchItem],
		tokens: &mut Vec<u32>,
	) -> Option<Result<(), EngineError>> {
		let (_, _) = (batch, tokens);
		None
	}

	/// Another number than before when all sequences and kept pages were lost, as when a device had to be reset. Those
	/// that are open can only be closed then.
	fn epoch(&self) -> u64 {
		0
	}

	/// Computes all rows, and writes the logits of each item that wants them, in the order of the items, into
	/// `logits` (vocabulary-sized rows; the vector is resized).
	///
	/// # Errors
	/// [`EngineError::Backend`]; the sequences of the batch are then in no usable state.
	fn step(&mut self, batch: &[BatchItem], logits: &mut Vec<f32>) -> Result<(), EngineError>;
}
