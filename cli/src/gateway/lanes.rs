//! Lanes: what was signed on each, what is acknowledged, and which one an answer may use.
//!
//! A lane is one serial counter of a channel. Its record says how far the payer has gone: what is
//! settled between both sides, which receipts came since, what the newest voucher says, and the text
//! of the answer under way. [`LaneRecord::reconcile`] compares that with what the worker says it
//! holds, after whichever side crashed, and accepts only what the record can explain to the unit.

use codec::{Decode, Encode};
use openledger_primitives::{
	content_hash, voucher::acknowledge, Balance, ChannelId, Generation, Hash, Lane, Price, QuoteId,
	Rate, Receipt,
};
use std::{
	collections::VecDeque,
	sync::{Mutex, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a lane's voucher counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Totals {
	/// Compute and licence together, in units.
	pub amount: Balance,
	/// The licence part, in units.
	pub licence: Balance,
	/// Tokens, in and out.
	pub tokens: u64,
}

impl Totals {
	/// These and the price of `tokens_in` and `tokens_out` more; `None` on overflow.
	pub fn plus(&self, price: &Price, tokens_in: u32, tokens_out: u32) -> Option<Self> {
		let (compute, licence) = price.charge(tokens_in, tokens_out)?;
		Some(Self {
			amount: self.amount.checked_add(compute)?.checked_add(licence)?,
			licence: self.licence.checked_add(licence)?,
			tokens: self
				.tokens
				.checked_add(u64::from(tokens_in))?
				.checked_add(u64::from(tokens_out))?,
		})
	}

	/// These and what a receipt says; `None` on overflow.
	pub fn plus_receipt(&self, receipt: &Receipt) -> Option<Self> {
		Some(Self {
			amount: self.amount.checked_add(receipt.amount()?)?,
			licence: self.licence.checked_add(receipt.licence)?,
			tokens: self
				.tokens
				.checked_add(u64::from(receipt.tokens_in))?
				.checked_add(u64::from(receipt.tokens_out))?,
		})
	}
}

/// One lane of one generation of one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneKey {
	/// The channel.
	pub channel: ChannelId,
	/// Its generation.
	pub generation: Generation,
	/// The lane.
	pub lane: Lane,
}

/// The answer under way on a lane, as far as it was paid for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct OpenAnswer {
	/// The worker's name for it.
	pub id: String,
	/// The model that was asked.
	pub model: String,
	/// Tokens of the prompt.
	pub tokens_in: u32,
	/// The quote.
	pub quote: QuoteId,
	/// The provider's rate.
	pub compute: Rate,
	/// Base model's and adapter's rate together.
	pub licence: Rate,
	/// The text that has come.
	pub text: String,
	/// How long the text was, in bytes, after each number of tokens that was asked to be paid.
	pub marks: Vec<(u32, u32)>,
}

impl OpenAnswer {
	/// What a token costs.
	pub fn price(&self) -> Price {
		Price {
			compute: self.compute,
			licence: self.licence,
		}
	}

	/// Whether `receipt` charges for a part of this answer that was asked to be paid, at its price.
	fn explains(&self, receipt: &Receipt) -> bool {
		let bytes = match receipt.tokens_out {
			0 => Some(0),
			out => self
				.marks
				.iter()
				.find(|(tokens, _)| *tokens == out)
				.map(|(_, bytes)| *bytes),
		};
		let text = bytes
			.and_then(|bytes| usize::try_from(bytes).ok())
			.and_then(|bytes| self.text.get(..bytes));
		let Some(text) = text else {
			return false;
		};
		receipt.tokens_in == self.tokens_in
			&& receipt.quote == self.quote
			&& self.price().charge(receipt.tokens_in, receipt.tokens_out)
				== Some((receipt.compute, receipt.licence))
			&& receipt.response == content_hash(text.as_bytes())
	}
}

/// How far the payer has gone on a lane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct LaneRecord {
	/// Totals when both sides last agreed.
	pub settled: Totals,
	/// Accumulator of receipts then.
	pub receipts: Hash,
	/// Receipts that came since, in order; vouchers that acknowledge them may be on their way.
	pub known: Vec<Receipt>,
	/// The highest totals that were signed.
	pub signed: Totals,
	/// The answer under way, until its receipt is known.
	pub open: Option<OpenAnswer>,
	/// Not used any more: the worker claims what this record cannot explain.
	pub retired: bool,
}

/// Why a lane cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LaneMismatch {
	/// The worker holds more than was signed.
	#[error("the worker says it holds a voucher for more than was ever signed on lane {0}")]
	Forged(Lane),
	/// The worker's accumulator is none that was signed.
	#[error("the worker acknowledges other receipts on lane {0} than came from it")]
	OtherReceipts(Lane),
	/// A receipt charges for something that did not come.
	#[error("the worker wants to be paid on lane {0} for something that did not come")]
	Unexplained(Lane),
}

/// Where a lane stands once both sides agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
	/// Totals of everything that has a receipt.
	pub totals: Totals,
	/// Accumulator over all those receipts.
	pub receipts: Hash,
	/// Receipts since the two sides last settled.
	pub known: Vec<Receipt>,
	/// Receipts among them that were not known before: answers that broke off.
	pub fresh: Vec<Receipt>,
}

impl LaneRecord {
	/// Whether nothing was ever signed.
	pub fn is_new(&self) -> bool {
		*self == Self::default()
	}

	/// Compares the record with what the worker holds (`held` totals, `held_receipts`) and with the
	/// receipts it wants acknowledged.
	pub fn reconcile(
		&self,
		genesis: Hash,
		key: LaneKey,
		held: Totals,
		held_receipts: Hash,
		unacknowledged: &[Receipt],
	) -> Result<Agreed, LaneMismatch> {
		let lane = key.lane;
		if held.amount > self.signed.amount
			|| held.licence > self.signed.licence
			|| held.tokens > self.signed.tokens
		{
			return Err(LaneMismatch::Forged(lane));
		}
		// Which of the vouchers that were signed does the worker hold?
		let mut receipts = self.receipts;
		let mut acknowledged = 0;
		while receipts != held_receipts {
			let next = self
				.known
				.get(acknowledged)
				.ok_or(LaneMismatch::OtherReceipts(lane))?;
			receipts = acknowledge(receipts, next.digest());
			acknowledged += 1;
		}
		let waiting = self.known.get(acknowledged..).unwrap_or_default();
		let fresh = unacknowledged
			.strip_prefix(waiting)
			.ok_or(LaneMismatch::Unexplained(lane))?
			.to_vec();
		// At most the answer under way can have got a receipt that did not arrive.
		for (position, receipt) in fresh.iter().enumerate() {
			let ours = receipt.genesis == genesis
				&& receipt.channel == key.channel
				&& receipt.generation == key.generation
				&& receipt.lane == key.lane;
			let explained = self
				.open
				.as_ref()
				.is_some_and(|open| open.explains(receipt));
			if position > 0 || !ours || !explained {
				return Err(LaneMismatch::Unexplained(lane));
			}
		}
		let mut known = self.known.clone();
		known.extend(fresh.iter().cloned());
		let mut totals = self.settled;
		let mut receipts = self.receipts;
		for receipt in &known {
			totals = totals
				.plus_receipt(receipt)
				.ok_or(LaneMismatch::Unexplained(lane))?;
			receipts = acknowledge(receipts, receipt.digest());
		}
		Ok(Agreed {
			totals,
			receipts,
			known,
			fresh,
		})
	}

	/// Remembers that these totals are signed; what was signed before stays signed.
	pub fn sign(&mut self, totals: Totals) {
		self.signed = Totals {
			amount: self.signed.amount.max(totals.amount),
			licence: self.signed.licence.max(totals.licence),
			tokens: self.signed.tokens.max(totals.tokens),
		};
	}

	/// Both sides agree on every receipt so far; `None` on overflow.
	pub fn settle(&mut self) -> Option<()> {
		for receipt in std::mem::take(&mut self.known) {
			self.settled = self.settled.plus_receipt(&receipt)?;
			self.receipts = acknowledge(self.receipts, receipt.digest());
		}
		self.open = None;
		Some(())
	}
}

/// The lanes of a channel that are free.
#[derive(Debug)]
pub struct LanePool {
	free: Mutex<VecDeque<Lane>>,
	/// Lanes beyond the pool's size that replace retired ones.
	spare: Mutex<VecDeque<Lane>>,
	permits: std::sync::Arc<Semaphore>,
}

/// A lane in use. It goes back to the pool when dropped, unless it was retired.
#[derive(Debug)]
pub struct Seat {
	lane: Lane,
	pool: std::sync::Arc<LanePool>,
	retired: bool,
	_permit: OwnedSemaphorePermit,
}

impl LanePool {
	/// `size` of the lanes below `max`, none of the `retired`.
	pub fn new(size: u16, max: u32, retired: &[Lane]) -> std::sync::Arc<Self> {
		let max = u16::try_from(max).unwrap_or(u16::MAX);
		let mut free: VecDeque<Lane> = (0..max).filter(|lane| !retired.contains(lane)).collect();
		let spare = free.split_off(free.len().min(size.into()));
		let permits = std::sync::Arc::new(Semaphore::new(free.len()));
		std::sync::Arc::new(Self {
			free: Mutex::new(free),
			spare: Mutex::new(spare),
			permits,
		})
	}

	/// Waits for a free lane.
	pub async fn take(self: &std::sync::Arc<Self>) -> Option<Seat> {
		let permit = self.permits.clone().acquire_owned().await.ok()?;
		let lane = self
			.free
			.lock()
			.unwrap_or_else(PoisonError::into_inner)
			.pop_front()?;
		Some(Seat {
			lane,
			pool: self.clone(),
			retired: false,
			_permit: permit,
		})
	}

	/// Lanes that are free now.
	pub fn available(&self) -> usize {
		self.permits.available_permits()
	}
}

impl Seat {
	/// The lane.
	pub fn lane(&self) -> Lane {
		self.lane
	}

	/// Gives the lane up for good; a spare one takes its place.
	pub fn retire(mut self) {
		self.retired = true;
	}
}

impl Drop for Seat {
	fn drop(&mut self) {
		let back = if self.retired {
			self.pool
				.spare
				.lock()
				.unwrap_or_else(PoisonError::into_inner)
				.pop_front()
		} else {
			Some(self.lane)
		};
		match back {
			// Lanes rotate, so that one that is stuck at the worker gets time to recover.
			Some(lane) => {
				self.pool
					.free
					.lock()
					.unwrap_or_else(PoisonError::into_inner)
					.push_back(lane);
			}
			// No spare lane is left: the pool shrinks.
			None => {
				self.pool.permits.forget_permits(1);
			}
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const GENESIS: Hash = Hash::repeat_byte(7);
	const KEY: LaneKey = LaneKey {
		channel: 3,
		generation: 1,
		lane: 9,
	};

	fn price() -> Price {
		Price {
			compute: Rate {
				input: 1_000,
				output: 2_000,
			},
			licence: Rate {
				input: 500,
				output: 1_000,
			},
		}
	}

	fn open(text: &str, marks: &[(u32, u32)]) -> OpenAnswer {
		OpenAnswer {
			id: "a".into(),
			model: "m".into(),
			tokens_in: 10,
			quote: 1,
			compute: price().compute,
			licence: price().licence,
			text: text.into(),
			marks: marks.to_vec(),
		}
	}

	fn receipt(sequence: u32, tokens_out: u32, text: &str) -> Receipt {
		let (compute, licence) = price().charge(10, tokens_out).unwrap();
		Receipt {
			genesis: GENESIS,
			channel: KEY.channel,
			generation: KEY.generation,
			lane: KEY.lane,
			sequence,
			base: 0,
			adapter: None,
			tokens_in: 10,
			tokens_out,
			quote: 1,
			compute,
			licence,
			request: Hash::zero(),
			response: content_hash(text.as_bytes()),
			algorithm: 0,
			index: Hash::zero(),
			attribution: Hash::zero(),
		}
	}

	/// A record whose last answer was paid up to 16 tokens when something broke.
	fn broken() -> LaneRecord {
		let settled = Totals {
			amount: 100,
			licence: 30,
			tokens: 40,
		};
		LaneRecord {
			settled,
			receipts: Hash::repeat_byte(1),
			signed: settled.plus(&price(), 10, 16).unwrap(),
			open: Some(open("0123456789abcdef more", &[(16, 16)])),
			..LaneRecord::default()
		}
	}

	#[test]
	fn totals_should_add_up_prices_and_receipts_alike() {
		let start = Totals {
			amount: 5,
			licence: 2,
			tokens: 1,
		};
		let by_price = start.plus(&price(), 10, 4).unwrap();
		// 10 × 1 + 4 × 2 compute, 10 × 0.5 + 4 × 1 licence.
		assert_eq!(
			by_price,
			Totals {
				amount: 32,
				licence: 11,
				tokens: 15
			}
		);
		assert_eq!(start.plus_receipt(&receipt(0, 4, "")), Some(by_price));
		let full = Totals {
			amount: Balance::MAX,
			..start
		};
		assert_eq!(full.plus(&price(), 10, 4), None);
	}

	#[test]
	fn a_new_lane_should_agree_with_a_worker_that_has_nothing() {
		let record = LaneRecord::default();
		let agreed = record
			.reconcile(GENESIS, KEY, Totals::default(), Hash::zero(), &[])
			.unwrap();
		assert_eq!(agreed.totals, Totals::default());
		assert_eq!(agreed.receipts, Hash::zero());
	}

	#[test]
	fn a_receipt_for_what_was_paid_before_the_worker_crashed_should_be_acknowledged() {
		let record = broken();
		let receipt = receipt(5, 16, "0123456789abcdef");
		let agreed = record
			.reconcile(
				GENESIS,
				KEY,
				record.signed,
				record.receipts,
				std::slice::from_ref(&receipt),
			)
			.unwrap();
		assert_eq!(agreed.totals, record.signed);
		assert_eq!(
			agreed.receipts,
			acknowledge(record.receipts, receipt.digest())
		);
		assert_eq!(agreed.fresh, [receipt]);
	}

	#[test]
	fn a_voucher_lost_on_its_way_should_leave_the_lane_usable() {
		// The worker holds the voucher for the prompt only: nothing of the answer is paid.
		let record = broken();
		let held = record.settled.plus(&price(), 10, 0).unwrap();
		let receipt = receipt(5, 0, "");
		let agreed = record
			.reconcile(GENESIS, KEY, held, record.receipts, &[receipt])
			.unwrap();
		assert_eq!(agreed.totals, held);
	}

	#[test]
	fn a_last_voucher_lost_on_its_way_should_be_signed_again() {
		let mut record = broken();
		let known = receipt(5, 16, "0123456789abcdef");
		record.known = vec![known.clone()];
		record.open = None;
		let waiting = std::slice::from_ref(&known);
		let before = record
			.reconcile(GENESIS, KEY, record.settled, record.receipts, waiting)
			.unwrap();
		let after = record
			.reconcile(
				GENESIS,
				KEY,
				record.signed,
				acknowledge(record.receipts, known.digest()),
				&[],
			)
			.unwrap();
		assert_eq!(before, after);
		assert!(before.fresh.is_empty());
		record.settle().unwrap();
		assert_eq!(record.receipts, before.receipts);
		assert_eq!(record.settled, before.totals);
	}

	#[test]
	fn receipts_that_charge_for_what_did_not_come_should_be_refused() {
		let record = broken();
		let mut dear = receipt(5, 16, "0123456789abcdef");
		dear.licence += 1;
		let mut foreign = receipt(5, 16, "0123456789abcdef");
		foreign.lane = 8;
		let good = receipt(5, 16, "0123456789abcdef");
		for unacknowledged in [
			vec![dear],
			vec![foreign],
			vec![receipt(5, 16, "0123456789abcdeX")],
			vec![receipt(5, 21, "0123456789abcdef more")],
			vec![good.clone(), good],
		] {
			let refused = record.reconcile(
				GENESIS,
				KEY,
				record.signed,
				record.receipts,
				&unacknowledged,
			);
			assert_eq!(refused, Err(LaneMismatch::Unexplained(9)));
		}
	}

	#[test]
	fn a_worker_that_claims_more_or_other_vouchers_should_be_refused() {
		let record = broken();
		let more = Totals {
			amount: record.signed.amount + 1,
			..record.signed
		};
		let forged = record.reconcile(GENESIS, KEY, more, record.receipts, &[]);
		assert_eq!(forged, Err(LaneMismatch::Forged(9)));
		let other = record.reconcile(GENESIS, KEY, record.signed, Hash::repeat_byte(9), &[]);
		assert_eq!(other, Err(LaneMismatch::OtherReceipts(9)));
	}

	#[test]
	fn what_was_signed_should_never_be_forgotten() {
		let mut record = broken();
		let high = record.signed;
		record.sign(Totals {
			amount: 1,
			licence: 1,
			tokens: 1,
		});
		assert_eq!(record.signed, high);
		record.sign(Totals {
			amount: high.amount + 1,
			..high
		});
		assert_eq!(record.signed.amount, high.amount + 1);
	}

	#[tokio::test]
	async fn lanes_should_be_used_by_one_answer_at_a_time_and_come_back() {
		let pool = LanePool::new(2, 4, &[1]);
		let (first, second) = (pool.take().await.unwrap(), pool.take().await.unwrap());
		assert_eq!((first.lane(), second.lane()), (0, 2));
		assert_eq!(pool.available(), 0);
		let waiting = tokio::spawn({
			let pool = pool.clone();
			async move { pool.take().await.unwrap().lane() }
		});
		drop(first);
		assert_eq!(waiting.await.unwrap(), 0);
		second.retire();
		let lanes = [pool.take().await.unwrap(), pool.take().await.unwrap()];
		assert_eq!(lanes.each_ref().map(Seat::lane), [0, 3]);
	}

	#[tokio::test]
	async fn pool_should_shrink_when_no_spare_lane_is_left() {
		let pool = LanePool::new(2, 2, &[]);
		pool.take().await.unwrap().retire();
		assert_eq!(pool.available(), 1);
		let seat = pool.take().await.unwrap();
		assert_eq!(seat.lane(), 1);
	}
}
