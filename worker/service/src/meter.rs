//! What an answer costs, and who may still spend what. Pure arithmetic and two locks, no disk.

use crate::{
	error::Refusal,
	payments::{LaneKey, Totals},
	store::LaneRecord,
};
use openledger_primitives::{Balance, ChannelId, Generation, Price};
use std::{
	collections::{HashMap, VecDeque},
	sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The worker is never more than this many output tokens ahead of the money.
pub const CHUNK: u32 = 32;

/// Output tokens between two requests for a voucher.
pub const ASK_EVERY: u32 = 16;

/// Most vouchers that are asked for and not there yet: one per half chunk that may be ahead, and the
/// last.
pub const MAX_ASKS: usize = 4;

/// A voucher that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
	/// Output tokens it pays.
	pub tokens_out: u32,
	/// Bytes of their text.
	pub text: usize,
}

/// What one answer costs on its lane.
#[derive(Clone, Debug)]
pub struct Bill {
	before: Totals,
	price: Price,
	tokens_in: u32,
	asks: VecDeque<Ask>,
	paid_out: u32,
}

impl Bill {
	/// The bill of an answer to `tokens_in` tokens on `lane`.
	pub fn new(lane: &LaneRecord, price: Price, tokens_in: u32) -> Self {
		Self {
			before: lane.owed,
			price,
			tokens_in,
			asks: VecDeque::from([Ask {
				tokens_out: 0,
				text: 0,
			}]),
			paid_out: 0,
		}
	}

	/// The lane's totals when `tokens_out` tokens of this answer are paid.
	pub fn due(&self, tokens_out: u32) -> Result<Totals, Refusal> {
		let tokens = u64::from(self.tokens_in).saturating_add(tokens_out.into());
		self.price
			.charge(self.tokens_in, tokens_out)
			.and_then(|charge| self.before.plus(charge, tokens))
			.ok_or(Refusal::PriceOverflow)
	}

	/// Asks for a voucher for everything up to `tokens_out`, which reads `text` bytes.
	pub fn ask(&mut self, tokens_out: u32, text: usize) -> Result<Totals, Refusal> {
		let due = self.due(tokens_out)?;
		self.asks.push_back(Ask { tokens_out, text });
		Ok(due)
	}

	/// The vouchers that were asked for and did not come, oldest first.
	pub fn asks(&self) -> impl Iterator<Item = &Ask> {
		self.asks.iter()
	}

	/// Takes the money for the ask at `position`; those before it are covered by it.
	pub fn pay(&mut self, position: usize) -> Option<Ask> {
		let ask = *self.asks.get(position)?;
		self.asks.drain(..=position);
		self.paid_out = self.paid_out.max(ask.tokens_out);
		Some(ask)
	}

	/// Output tokens that are paid.
	pub fn paid_out(&self) -> u32 {
		self.paid_out
	}

	/// Output tokens that may be generated.
	pub fn allowance(&self, max_tokens: u32) -> u32 {
		self.paid_out.saturating_add(CHUNK).min(max_tokens)
	}
}

type Seats = Arc<Mutex<HashMap<LaneKey, Balance>>>;

/// Which lanes have a request running, and up to which total each may get with its next chunk.
#[derive(Clone, Debug, Default)]
pub struct Meter {
	seats: Seats,
}

fn lock(seats: &Seats) -> MutexGuard<'_, HashMap<LaneKey, Balance>> {
	seats.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Meter {
	/// Takes a lane; nobody else can until the seat is dropped. A channel has at most `limit` at once.
	pub fn sit(&self, key: LaneKey, limit: usize) -> Result<Seat, Refusal> {
		let mut seats = lock(&self.seats);
		if seats.contains_key(&key) {
			return Err(Refusal::LaneBusy(key.lane));
		}
		if seats
			.keys()
			.filter(|other| other.channel == key.channel)
			.count() >= limit
		{
			return Err(Refusal::TooManyStreams(
				"too many answers run on this channel",
			));
		}
		seats.insert(key, 0);
		Ok(Seat {
			key,
			seats: self.seats.clone(),
		})
	}

	/// What the lanes of a channel have accepted but not redeemed, with the chunks under way, in units.
	/// `None` on overflow.
	pub fn committed(
		&self,
		channel: ChannelId,
		generation: Generation,
		lanes: &[(LaneKey, LaneRecord)],
	) -> Option<Balance> {
		let seats = lock(&self.seats);
		let mut left: HashMap<LaneKey, Balance> = seats
			.iter()
			.filter(|(key, _)| key.channel == channel && key.generation == generation)
			.map(|(key, total)| (*key, *total))
			.collect();
		drop(seats);
		let mut sum: Balance = 0;
		for (key, lane) in lanes {
			let total = left.remove(key).unwrap_or_default().max(lane.paid().amount);
			sum = sum.checked_add(total.saturating_sub(lane.redeemed.amount))?;
		}
		left.into_values()
			.try_fold(sum, |sum, total| sum.checked_add(total))
	}

	/// How many lanes are taken.
	pub fn taken(&self) -> usize {
		lock(&self.seats).len()
	}
}

/// A lane that is taken. Dropping it frees the lane.
#[derive(Debug)]
pub struct Seat {
	key: LaneKey,
	seats: Seats,
}

impl Seat {
	/// The lane.
	pub fn key(&self) -> LaneKey {
		self.key
	}

	/// Sets aside the channel's money up to this total of the lane.
	pub fn reserve(&self, total: Balance) {
		lock(&self.seats).insert(self.key, total);
	}
}

impl Drop for Seat {
	fn drop(&mut self) {
		lock(&self.seats).remove(&self.key);
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use openledger_primitives::Rate;

	fn key(lane: u16) -> LaneKey {
		LaneKey {
			channel: 1,
			generation: 0,
			lane,
		}
	}

	fn price() -> Price {
		let rate = |input, output| Rate { input, output };
		Price {
			compute: rate(1_000, 3_000),
			licence: rate(500, 1_500),
		}
	}

	#[test]
	fn a_lane_should_be_taken_by_one_request_at_a_time() {
		let meter = Meter::default();
		let seat = meter.sit(key(1), 8).unwrap();
		assert_eq!(meter.sit(key(1), 8).unwrap_err(), Refusal::LaneBusy(1));
		assert!(meter.sit(key(2), 8).is_ok());
		drop(seat);
		assert!(meter.sit(key(1), 8).is_ok());
	}

	#[test]
	fn a_channel_should_not_take_more_streams_than_its_limit() {
		let meter = Meter::default();
		let _one = meter.sit(key(1), 1).unwrap();
		assert_eq!(meter.sit(key(2), 1).unwrap_err().code(), "too-many-streams");
	}

	#[test]
	fn committed_should_count_held_vouchers_and_running_chunks_once() {
		let meter = Meter::default();
		let lane = LaneRecord {
			redeemed: crate::store::Redeemed {
				amount: 10,
				licence: 5,
			},
			..LaneRecord::default()
		};
		let seat = meter.sit(key(1), 8).unwrap();
		seat.reserve(50);
		let fresh = meter.sit(key(2), 8).unwrap();
		fresh.reserve(7);
		assert_eq!(meter.committed(1, 0, &[(key(1), lane)]), Some(40 + 7));
		assert_eq!(meter.committed(2, 0, &[]), Some(0));
	}

	#[test]
	fn a_bill_should_grow_from_what_the_lane_owes() {
		let lane = LaneRecord {
			owed: Totals {
				amount: 100,
				licence: 40,
				tokens: 9,
			},
			..LaneRecord::default()
		};
		let mut bill = Bill::new(&lane, price(), 10);
		let expected = Totals {
			amount: 100 + 10 + 5,
			licence: 45,
			tokens: 19,
		};
		assert_eq!(bill.due(0).unwrap(), expected);
		bill.ask(16, 40).unwrap();
		assert_eq!(bill.allowance(1_000), CHUNK);
		let ask = Ask {
			tokens_out: 16,
			text: 40,
		};
		assert_eq!(bill.pay(1), Some(ask));
		assert_eq!(bill.asks().count(), 0, "the older ask is covered");
		assert_eq!(bill.allowance(1_000), 16 + CHUNK);
		assert_eq!(bill.allowance(20), 20);
		assert_eq!(bill.pay(0), None);
	}

	#[test]
	fn a_price_beyond_128_bits_should_be_refused() {
		let rate = Rate {
			input: u128::MAX,
			output: u128::MAX,
		};
		let price = Price {
			compute: rate,
			licence: rate,
		};
		let bill = Bill::new(&LaneRecord::default(), price, 10);
		assert_eq!(bill.due(1), Err(Refusal::PriceOverflow));
	}
}
