//! After each epoch: one usage report, then its settlement.
//!
//! Both are derived from the chain and the store each time, so a restart resumes them and sending one
//! twice is harmless.

use crate::{
	chain::ChainError,
	error::{open, Refusal},
	metrics::Metrics,
	payee::Payee,
	store::{Block, EpochRecord, EpochReport, ReceiptRecord},
	worker::stopped,
};
use openledger_attribution::data_weights;
use openledger_client::{
	reports::{Published, Trees},
	types::Pot,
};
use openledger_primitives::{
	dispute::{ReportFacts, MAX_ACKNOWLEDGED},
	merkle::MerkleError,
	report::{
		parts, parts_tree, payouts, payouts_tree, receipt_net, receipts_tree, split, Earning,
	},
	Balance, Commitment, EpochIndex, Hash, PayoutLeaf, ReceiptLeaf, Terms,
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Most payout leaves of one settlement.
pub const MAX_SETTLE: u32 = 128;

/// Most lanes that are swept at once; the chain takes 256.
const MAX_SWEEP: usize = 256;

/// How long to wait after a failure.
const RETRY: Duration = Duration::from_secs(5);

/// Why an epoch could not be reported.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
	/// The chain or the store failed; it is tried again.
	#[error(transparent)]
	Refusal(#[from] Refusal),
	/// An answer whose money the epoch redeemed has no receipt yet; it is tried again.
	#[error("an answer paid in the epoch still runs")]
	NotYet,
	/// The receipts do not add up to what the chain redeemed: a bug, or a store from another time.
	#[error("receipts sum to {found} units, the chain redeemed {expected}; nothing was reported")]
	WrongSum {
		/// What the receipts sum to.
		found: Balance,
		/// What the chain says.
		expected: Balance,
	},
	/// The chain holds another report than the one made here.
	#[error("the report on chain is not this worker's; is another worker using the same key?")]
	Foreign,
	/// A receipt that an audit wants to see is not in the store.
	#[error("the audit cannot be answered: receipts are missing in the store")]
	Unanswerable,
	/// Amounts overflow, or the epoch's terms are not valid.
	#[error("the payouts cannot be computed: {0}")]
	Arithmetic(&'static str),
	/// A tree could not be built.
	#[error(transparent)]
	Merkle(#[from] MerkleError),
}

impl From<ChainError> for ReportError {
	fn from(error: ChainError) -> Self {
		Self::Refusal(error.into())
	}
}

impl From<crate::store::StoreError> for ReportError {
	fn from(error: crate::store::StoreError) -> Self {
		Self::Refusal(error.into())
	}
}

/// Reports and settles for one provider.
pub struct Reporter {
	payee: Arc<Payee>,
	metrics: Metrics,
	batch: u32,
}

impl Reporter {
	/// Reports what `payee` earned.
	pub fn new(payee: Arc<Payee>, metrics: Metrics) -> Self {
		Self {
			payee,
			metrics,
			batch: MAX_SETTLE,
		}
	}

	/// Settles at most `batch` leaves at a time.
	pub fn with_batch(self, batch: u32) -> Self {
		Self {
			batch: batch.clamp(1, MAX_SETTLE),
			..self
		}
	}

	/// Does what every epoch that is not done needs now.
	pub async fn advance(&self) {
		let epochs = match self.payee.store.pending_epochs() {
			Ok(epochs) => epochs,
			Err(error) => {
				tracing::error!(%error, "cannot read which epochs are to be reported");
				return;
			}
		};
		for (epoch, record) in epochs {
			match self.advance_epoch(epoch, record).await {
				Ok(()) => {}
				Err(ReportError::NotYet) => {
					tracing::debug!(epoch, "the report waits for an answer that still runs");
				}
				Err(ReportError::Refusal(error)) => {
					self.metrics.report("failed");
					tracing::warn!(epoch, %error, "reporting failed; it is tried again");
				}
				Err(error) => {
					self.metrics.report("wrong");
					tracing::error!(epoch, %error, "the epoch cannot be reported");
				}
			}
		}
	}

	/// The next steps of one epoch, as far as they go now.
	pub async fn advance_epoch(
		&self,
		epoch: EpochIndex,
		mut record: EpochRecord,
	) -> Result<(), ReportError> {
		let payee = &self.payee;
		let chain = payee.view.chain();
		let block = payee.block()?;
		if chain.epoch(block.hash).await?.index <= epoch {
			return Ok(());
		}
		let pot = chain.pot(block.hash, &payee.provider, epoch).await?;
		let Some(pot) = pot.filter(|pot| pot.licence > 0) else {
			record.done = true;
			payee.store.put_epoch(epoch, &record).await?;
			return Ok(());
		};
		let on_chain = chain.report(block.hash, &payee.provider, epoch).await?;
		let made = match record.report.take() {
			Some(made) => made,
			None => {
				let made = self.build(block, epoch, &pot).await?;
				record.report = Some(made.clone());
				// On disk before it is on chain: what was reported can always be shown and settled.
				payee.store.put_epoch(epoch, &record).await?;
				made
			}
		};
		record.report = Some(made.clone());
		let Some(on_chain) = on_chain else {
			return self.post(epoch, &made).await;
		};
		let same = on_chain.receipts == made.receipts
			&& on_chain.parts == made.parts
			&& on_chain.payouts == made.payouts;
		if !same {
			return Err(ReportError::Foreign);
		}
		if let Some(audit) = &on_chain.audit {
			return self.answer(epoch, &made, audit.seed).await;
		}
		if on_chain.is_settled() {
			self.sweep(epoch).await?;
			record.done = true;
			payee.store.put_epoch(epoch, &record).await?;
			self.metrics.report("settled");
			tracing::info!(epoch, paid = open(on_chain.paid), "epoch settled");
			return Ok(());
		}
		if block.number < on_chain.open_at {
			return Ok(());
		}
		self.settle(epoch, &made, on_chain.settled).await
	}

	async fn post(&self, epoch: EpochIndex, made: &EpochReport) -> Result<(), ReportError> {
		let sent = self
			.payee
			.view
			.chain()
			.submit_report(epoch, made.receipts, made.parts, made.payouts)
			.await;
		match sent {
			Ok(block) => {
				self.metrics.report("posted");
				tracing::info!(
					epoch,
					block,
					receipts = made.receipts.count,
					payouts = made.payouts.count,
					licence = open(made.receipts.sum),
					net = open(made.payouts.sum),
					"usage report posted"
				);
				Ok(())
			}
			// It was posted before; the followed block does not show it yet.
			Err(ChainError::Refused { name, .. }) if name == "Attribution.AlreadyReported" => {
				Ok(())
			}
			Err(error) => Err(error.into()),
		}
	}

	/// Shows the leaves that an audit drew.
	async fn answer(
		&self,
		epoch: EpochIndex,
		made: &EpochReport,
		seed: Hash,
	) -> Result<(), ReportError> {
		let payee = &self.payee;
		let mut receipts = HashMap::new();
		for leaf in &made.receipt_leaves {
			if let Some(record) = payee.store.receipt(&leaf.receipt)? {
				receipts.insert(leaf.receipt, record.receipt);
			}
		}
		let published = Published {
			receipt_leaves: made.receipt_leaves.clone(),
			part_leaves: made.part_leaves.clone(),
			payout_leaves: made.payout_leaves.clone(),
			receipts,
			attributions: HashMap::new(),
		};
		let report = ReportFacts {
			provider: payee.provider.clone(),
			epoch,
			reporter: payee.provider.clone(),
			receipts: made.receipts,
			parts: made.parts,
			payouts: made.payouts,
			terms: made.terms,
		};
		let answer = Trees::new(&published, &report)
			.ok()
			.and_then(|trees| trees.answer(seed))
			.ok_or(ReportError::Unanswerable)?;
		let chain = payee.view.chain();
		match chain.answer_audit(&payee.provider, epoch, answer).await {
			Ok(block) => {
				self.metrics.report("audited");
				tracing::info!(epoch, block, "audit answered");
				Ok(())
			}
			// It was answered before; the followed block does not show it yet.
			Err(ChainError::Refused { name, .. }) if name == "Attribution.NoAudit" => Ok(()),
			Err(error) => Err(error.into()),
		}
	}

	/// Has the chain forget the lanes that a settled pot came from. From 16 lanes on this is free.
	async fn sweep(&self, epoch: EpochIndex) -> Result<(), ReportError> {
		let payee = &self.payee;
		let earned = payee.store.earned(epoch)?;
		let paid = earned
			.iter()
			.filter(|(_, interval)| interval.from < interval.to);
		let mut left = paid.count();
		while left > 0 {
			let batch = left.min(MAX_SWEEP);
			let limit = u32::try_from(batch).unwrap_or(u32::MAX);
			let chain = payee.view.chain();
			match chain.sweep(&payee.provider, epoch, limit).await {
				Ok(block) => tracing::debug!(epoch, block, lanes = batch, "lanes swept"),
				Err(error @ ChainError::Unreachable(_)) => return Err(error.into()),
				// Somebody else sweeps too, or the chain keeps no lanes. Nobody is owed anything by it.
				Err(error) => {
					tracing::debug!(epoch, %error, "lanes not swept");
					return Ok(());
				}
			}
			left = left.saturating_sub(batch);
		}
		Ok(())
	}

	/// Settles from leaf `start` to the end.
	async fn settle(
		&self,
		epoch: EpochIndex,
		made: &EpochReport,
		start: u32,
	) -> Result<(), ReportError> {
		let tree = payouts_tree(&made.payout_leaves)?;
		let mut start = start;
		while start < made.payouts.count {
			let len = self.batch.min(made.payouts.count.saturating_sub(start));
			let proof = tree.range_proof(start, len)?;
			let leaves: Vec<PayoutLeaf> = made
				.payout_leaves
				.iter()
				.skip(usize::try_from(start).unwrap_or(usize::MAX))
				.take(usize::try_from(len).unwrap_or(usize::MAX))
				.copied()
				.collect();
			let chain = self.payee.view.chain();
			match chain
				.settle(&self.payee.provider, epoch, leaves, proof)
				.await
			{
				Ok(block) => {
					self.metrics.settled(len.into());
					tracing::info!(epoch, block, from = start, leaves = len, "payouts settled");
				}
				// Somebody else settles too; the next followed block shows how far it is.
				Err(ChainError::Refused { name, .. })
					if name == "Attribution.InvalidProof" || name == "Attribution.NothingLeft" =>
				{
					return Ok(());
				}
				Err(error) => return Err(error.into()),
			}
			start = start.saturating_add(len);
		}
		Ok(())
	}

	/// What the epoch's redemptions paid, receipt by receipt, and to whom it goes.
	pub async fn build(
		&self,
		block: Block,
		epoch: EpochIndex,
		pot: &Pot,
	) -> Result<EpochReport, ReportError> {
		let payee = &self.payee;
		let terms = payee
			.view
			.chain()
			.terms(block.hash, pot.terms)
			.await?
			.ok_or(ReportError::Arithmetic(
				"the epoch's terms are not on the chain",
			))?;
		let mut leaves = Vec::new();
		let mut earnings = Vec::new();
		let mut sum: Balance = 0;
		let mut whole = true;
		let overflow = ReportError::Arithmetic("the parts overflow");
		for (key, interval) in payee.store.earned(epoch)? {
			let mut covered = interval.from;
			for (digest, record, paid) in payee.store.receipts_in(&key, &interval)? {
				// Of a lane from before lanes had an end: what it earned goes unexplained.
				if record.receipt.sequence >= MAX_ACKNOWLEDGED {
					break;
				}
				covered = covered.saturating_add(paid);
				sum = sum
					.checked_add(paid)
					.ok_or(ReportError::Arithmetic("the sum of the receipts overflows"))?;
				earnings.push(self.earning(&digest, &record, paid, &terms)?);
				leaves.push(ReceiptLeaf {
					receipt: digest,
					paid,
				});
			}
			if covered < interval.to && payee.store.open_answer(&key)?.is_some() {
				whole = false;
			}
		}
		if !whole && sum != pot.licence {
			return Err(ReportError::NotYet);
		}
		match pot.licence.checked_sub(sum) {
			Some(0) => {}
			Some(rest) => {
				tracing::error!(
					epoch,
					rest = open(rest),
					"no receipt explains a part of the epoch's money, which goes to the treasury; was \
					 the data folder lost?"
				);
				self.metrics.report("unexplained");
				leaves.push(ReceiptLeaf {
					receipt: Hash::zero(),
					paid: rest,
				});
				earnings.push(Earning {
					paid: rest,
					base: None,
					adapter: None,
				});
			}
			None => {
				return Err(ReportError::WrongSum {
					found: sum,
					expected: pot.licence,
				})
			}
		}
		let part_leaves = parts(pot.licence, pot.net, &earnings, &terms).ok_or(overflow)?;
		let overflow = ReportError::Arithmetic("the payouts overflow");
		let payout_leaves = payouts(&part_leaves).ok_or(overflow)?;
		let (mut parts, mut payouts) = (Commitment::default(), Commitment::default());
		if !payout_leaves.is_empty() {
			parts = parts_tree(&part_leaves)?.commitment();
			payouts = payouts_tree(&payout_leaves)?.commitment();
		}
		Ok(EpochReport {
			receipts: receipts_tree(&leaves)?.commitment(),
			parts,
			payouts,
			terms_version: pot.terms,
			terms,
			net: pot.net,
			receipt_leaves: leaves,
			part_leaves,
			payout_leaves,
		})
	}

	fn earning(
		&self,
		digest: &Hash,
		record: &ReceiptRecord,
		paid: Balance,
		terms: &Terms,
	) -> Result<Earning, ReportError> {
		earning(&self.payee, digest, record, paid, terms)
	}

	/// Advances with every followed block until `stop` becomes true.
	pub async fn run(self, mut stop: watch::Receiver<bool>) {
		let mut followed = self.payee.followed.clone();
		loop {
			self.advance().await;
			tokio::select! {
				() = stopped(&mut stop) => return,
				changed = followed.changed() => {
					if changed.is_err() {
						return;
					}
				},
			}
			tokio::select! {
				() = stopped(&mut stop) => return,
				() = tokio::time::sleep(RETRY.min(Duration::from_millis(500))) => {},
			}
		}
	}
}

/// What a receipt brought into an epoch, and who its data share goes to.
fn earning(
	payee: &Payee,
	digest: &Hash,
	record: &ReceiptRecord,
	paid: Balance,
	terms: &Terms,
) -> Result<Earning, ReportError> {
	let receipt = &record.receipt;
	let adapter = match receipt.adapter {
		None => None,
		Some(id) => {
			let attribution = payee.store.attribution(digest)?;
			let equal = payee.store.equal(&receipt.index)?;
			let weights = data_weights(&attribution, &equal, terms)
				.map_err(|error| ReportError::Refusal(Refusal::Attribution(error.to_string())))?;
			Some((id, weights))
		}
	};
	Ok(Earning {
		paid,
		base: Some(receipt.base),
		adapter,
	})
}

/// What the receipt at `position` of a report adds to the epoch's payouts.
pub fn payouts_of(
	payee: &Payee,
	report: &EpochReport,
	position: usize,
	record: &ReceiptRecord,
) -> Result<Vec<PayoutLeaf>, ReportError> {
	let none = ReportError::Arithmetic("the report has no such receipt");
	let leaf = report.receipt_leaves.get(position).ok_or(none)?;
	let overflow = || ReportError::Arithmetic("the split overflows");
	let net = report
		.receipt_leaves
		.iter()
		.take(position)
		.try_fold(0u128, |sum, leaf| sum.checked_add(leaf.paid))
		.and_then(|before| receipt_net(report.receipts.sum, report.net, before, leaf.paid))
		.ok_or_else(overflow)?;
	let earning = earning(payee, &leaf.receipt, record, leaf.paid, &report.terms)?;
	let parts = split(&earning, net, &report.terms).ok_or_else(overflow)?;
	Ok(parts
		.into_iter()
		.filter(|(_, amount)| *amount > 0)
		.map(|(payee, amount)| PayoutLeaf { payee, amount })
		.collect())
}
