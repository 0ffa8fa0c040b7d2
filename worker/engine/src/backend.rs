//! The seam between scheduling and arithmetic: a batch in, logits out. KV lives behind it.

use std::sync::Arc;

use crate::{adapter::LoraWeights, error::EngineError};

/// A sequence whose KV the backend holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SequenceId(pub u64);

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
/// [`Backend::page_bytes`], and it passes the tokens of a sequence in order without gaps.
pub trait Backend: Send {
	/// Positions in a KV page.
	fn page_tokens(&self) -> usize;

	/// Bytes of a KV page.
	fn page_bytes(&self) -> usize;

	/// Begins a sequence.
	fn open(&mut self) -> SequenceId;

	/// Ends a sequence and frees its pages. Nothing happens if it is not open.
	fn close(&mut self, sequence: SequenceId);

	/// Sums the last hidden states of a sequence that was just opened; nothing happens if it is not open.
	fn pool(&mut self, sequence: SequenceId);

	/// The sum of the last hidden states, after the final norm, of the tokens computed so far, and how many those are.
	/// `None` for a sequence that is not pooled; the sum is taken away.
	fn pooled(&mut self, sequence: SequenceId) -> Option<(Vec<f32>, usize)>;

	/// Bytes of the KV pages that sequences hold now.
	fn kv_bytes(&self) -> usize;

	/// Computes all rows, and writes the logits of each item that wants them, in the order of the items, into
	/// `logits` (vocabulary-sized rows; the vector is resized).
	///
	/// # Errors
	/// [`EngineError::Backend`]; the sequences of the batch are then in no usable state.
	fn step(&mut self, batch: &[BatchItem], logits: &mut Vec<f32>) -> Result<(), EngineError>;
}
