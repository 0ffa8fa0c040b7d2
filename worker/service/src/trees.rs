//! Reports as they are shown: the leaves and their tree, built once, not for each question.

use crate::{
	error::Refusal,
	store::{EpochReport, Store},
};
use openledger_primitives::{
	merkle::{Node, Tree},
	report::receipts_tree,
	Commitment, EpochIndex, Hash,
};
use std::{
	collections::HashMap,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Most leaves of all reports that are kept together; a leaf and its part of the tree take about 200
/// bytes.
const MAX_LEAVES: usize = 1 << 19;

/// A report that can be shown.
#[derive(Debug)]
pub struct Shown {
	/// The report.
	pub report: EpochReport,
	tree: Tree,
	positions: HashMap<Hash, u32>,
}

impl Shown {
	fn new(report: EpochReport) -> Result<Self, Refusal> {
		let tree = receipts_tree(&report.receipt_leaves).map_err(wrong)?;
		let leaves = report.receipt_leaves.iter().zip(0u32..);
		Ok(Self {
			tree,
			positions: leaves.map(|(leaf, at)| (leaf.receipt, at)).collect(),
			report,
		})
	}

	/// Position of a receipt in the report.
	pub fn position(&self, receipt: &Hash) -> Option<u32> {
		self.positions.get(receipt).copied()
	}

	/// Path from the receipt at that position to the root.
	pub fn proof(&self, position: u32) -> Result<Vec<Node>, Refusal> {
		self.tree.proof(position).map_err(wrong)
	}

	fn leaves(&self) -> usize {
		let EpochReport {
			receipt_leaves,
			part_leaves,
			payout_leaves,
			..
		} = &self.report;
		receipt_leaves
			.len()
			.saturating_add(part_leaves.len())
			.saturating_add(payout_leaves.len())
	}
}

fn wrong(error: impl std::fmt::Display) -> Refusal {
	Refusal::Store(format!("the report cannot be shown: {error}"))
}

struct Kept {
	epoch: EpochIndex,
	heading: (Commitment, Commitment),
	shown: Arc<Shown>,
}

/// The reports asked for most recently.
pub struct Reports {
	/// The newest last.
	kept: Mutex<Vec<Kept>>,
	limit: usize,
}

impl Default for Reports {
	fn default() -> Self {
		Self::with_limit(MAX_LEAVES)
	}
}

impl Reports {
	/// Keeps reports of at most `limit` leaves together, and the newest whatever it has.
	pub fn with_limit(limit: usize) -> Self {
		Self {
			kept: Mutex::default(),
			limit,
		}
	}

	/// The report of an epoch; `None` if there is none. Others wait while one is built, so that asking
	/// often is no more work than asking once. A report that was made anew replaces the old one.
	pub fn get(&self, store: &Store, epoch: EpochIndex) -> Result<Option<Arc<Shown>>, Refusal> {
		let mut kept = self.lock();
		let Some(heading) = store.report_heading(epoch)? else {
			kept.retain(|entry| entry.epoch != epoch);
			return Ok(None);
		};
		if let Some(at) = kept.iter().position(|entry| entry.epoch == epoch) {
			let entry = kept.remove(at);
			if entry.heading == heading {
				let shown = entry.shown.clone();
				kept.push(entry);
				return Ok(Some(shown));
			}
		}
		let Some(report) = store.epoch(epoch)?.and_then(|record| record.report) else {
			return Ok(None);
		};
		let shown = Arc::new(Shown::new(report)?);
		kept.push(Kept {
			epoch,
			heading,
			shown: shown.clone(),
		});
		let mut leaves: usize = kept.iter().map(|entry| entry.shown.leaves()).sum();
		while leaves > self.limit && kept.len() > 1 {
			leaves = leaves.saturating_sub(kept.remove(0).shown.leaves());
		}
		Ok(Some(shown))
	}

	fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
		self.kept.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::store::EpochRecord;
	use openledger_primitives::{merkle, ReceiptLeaf, Terms};

	fn report(leaves: u8) -> EpochReport {
		let receipt_leaves: Vec<ReceiptLeaf> = (0..leaves)
			.map(|number| ReceiptLeaf {
				receipt: Hash::repeat_byte(number),
				paid: 5,
			})
			.collect();
		let receipts = receipts_tree(&receipt_leaves).unwrap().commitment();
		EpochReport {
			receipts,
			parts: receipts,
			payouts: receipts,
			terms_version: 1,
			terms: Terms::default(),
			net: 5,
			receipt_leaves,
			part_leaves: Vec::new(),
			payout_leaves: Vec::new(),
		}
	}

	async fn put(store: &Store, epoch: EpochIndex, report: Option<EpochReport>) {
		let done = false;
		store
			.put_epoch(epoch, &EpochRecord { report, done })
			.await
			.unwrap();
	}

	#[tokio::test]
	async fn report_should_be_built_once_until_it_is_made_anew() {
		let folder = tempfile::tempdir().unwrap();
		let store = Store::open(folder.path()).unwrap();
		let reports = Reports::default();
		assert!(reports.get(&store, 1).unwrap().is_none());
		put(&store, 1, Some(report(3))).await;
		let first = reports.get(&store, 1).unwrap().unwrap();
		let second = reports.get(&store, 1).unwrap().unwrap();
		assert!(Arc::ptr_eq(&first, &second));
		let at = first.position(&Hash::repeat_byte(2)).unwrap();
		let leaf = first.report.receipt_leaves[at as usize];
		let proof = first.proof(at).unwrap();
		merkle::verify(&first.report.receipts, at, leaf.node(), &proof).unwrap();
		assert_eq!(first.position(&Hash::repeat_byte(9)), None);
		put(&store, 1, Some(report(4))).await;
		let anew = reports.get(&store, 1).unwrap().unwrap();
		assert_eq!(anew.report.receipt_leaves.len(), 4);
		put(&store, 1, None).await;
		assert!(reports.get(&store, 1).unwrap().is_none());
		assert!(reports.lock().is_empty());
	}

	#[tokio::test]
	async fn report_used_least_recently_should_make_room() {
		let folder = tempfile::tempdir().unwrap();
		let store = Store::open(folder.path()).unwrap();
		let reports = Reports::with_limit(8);
		for epoch in 1..=3 {
			put(&store, epoch, Some(report(4))).await;
		}
		for epoch in [1, 2, 1, 3] {
			reports.get(&store, epoch).unwrap().unwrap();
		}
		let kept: Vec<EpochIndex> = reports.lock().iter().map(|entry| entry.epoch).collect();
		assert_eq!(kept, [1, 3]);
		put(&store, 4, Some(report(20))).await;
		reports.get(&store, 4).unwrap().unwrap();
		let kept: Vec<EpochIndex> = reports.lock().iter().map(|entry| entry.epoch).collect();
		assert_eq!(kept, [4], "a large one is kept by itself");
	}
}
