//! Walking the finalized blocks one by one.

use crate::{chain::number_of, events, At, Chain, ChainError, ChainEvent};
use openledger_primitives::{BlockNumber, Hash};
use serde::Serialize;
use std::time::Duration;

/// How often to look for a new finalized block.
const POLL: Duration = Duration::from_millis(500);

/// A finalized block and what happened in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Block {
	/// Its number.
	pub number: BlockNumber,
	/// Its hash.
	pub hash: Hash,
	/// The events of OpenLedger's own pallets, in order.
	pub events: Vec<ChainEvent>,
}

/// Yields every finalized block once, in order, however long the node was away in between.
#[derive(Debug)]
pub struct Follower {
	chain: Chain,
	next: BlockNumber,
	/// The newest finalized block known.
	finalized: BlockNumber,
}

impl Chain {
	/// Follows the finalized blocks, beginning with number `from`.
	pub fn follow(&self, from: BlockNumber) -> Follower {
		Follower {
			chain: self.clone(),
			next: from,
			finalized: 0,
		}
	}

	/// A block and the events of OpenLedger's own pallets in it.
	pub async fn block(&self, number: BlockNumber) -> Result<Block, ChainError> {
		let hash = self.block_hash(number).await?;
		let view = self.at(At::Block(hash)).view().await?;
		debug_assert_eq!(number_of(&view), number);
		let events = self
			.answer("events of a block", view.events().fetch())
			.await?;
		Ok(Block {
			number,
			hash,
			events: events::decode(&events, None)?,
		})
	}
}

impl Follower {
	/// Number of the block that comes next.
	pub fn next_number(&self) -> BlockNumber {
		self.next
	}

	/// The next block; waits until it is finalized. After an error the same block is tried again.
	///
	/// Safe to cancel: a block that was not returned comes again.
	pub async fn next(&mut self) -> Result<Block, ChainError> {
		while self.finalized < self.next || self.finalized == 0 {
			self.finalized = self.chain.finalized_number().await?;
			if self.finalized >= self.next {
				break;
			}
			tokio::time::sleep(POLL).await;
		}
		let block = self.chain.block(self.next).await?;
		self.next = self.next.saturating_add(1);
		Ok(block)
	}
}
