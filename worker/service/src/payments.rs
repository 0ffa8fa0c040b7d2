//! Whether a voucher is good: pure checks, no clock, no disk, no chain.
//!
//! A voucher arrives as [`Voucher<Checking>`]; only [`Voucher::check`] turns it into a
//! [`Voucher<Checked>`], and only that can be put on disk. So nothing unchecked is ever held.

use codec::{Decode, Encode};
use openledger_primitives::{
	voucher::acknowledge, AccountId, Balance, BlockNumber, ChannelId, Generation, Hash, Lane,
	QuoteId, SignedVoucher,
};

/// Why a voucher was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoucherError {
	/// The bytes are no voucher.
	#[error("the voucher does not decode; send a SCALE SignedVoucher")]
	Malformed,
	/// Signed for another chain.
	#[error("the voucher is for the chain with genesis {found:?}, this worker is on {expected:?}")]
	WrongChain {
		/// This chain.
		expected: Hash,
		/// The voucher's.
		found: Hash,
	},
	/// For another channel, generation or lane than the request.
	#[error("the voucher is for another channel, generation or lane than the request")]
	WrongLane,
	/// Neither payer nor delegate signed it.
	#[error("the voucher is signed neither by the channel's payer nor by its delegate")]
	BadSignature,
	/// Not newer than the one that is held.
	#[error("the voucher is not newer than the one held ({held} units); sign the new total")]
	Stale {
		/// The total that is held, in units.
		held: Balance,
	},
	/// Less than what is due.
	#[error("the voucher says {found} units, due are {due}")]
	Short {
		/// What is due, in units.
		due: Balance,
		/// What the voucher says, in units.
		found: Balance,
	},
	/// Amount, licence part or tokens are not those that are due.
	#[error("the voucher's amount, licence part or tokens are not those that are due")]
	Mismatch,
	/// Too late to redeem it, or nearly.
	#[error(
		"the voucher ends at block {valid_until}; it must be good until block {least} at least"
	)]
	Expired {
		/// Its last block.
		valid_until: BlockNumber,
		/// The earliest last block that leaves time to redeem it.
		least: BlockNumber,
	},
	/// The chain would refuse it for being good for too long.
	#[error(
		"the voucher ends at block {valid_until}; the chain takes none beyond block {most} now"
	)]
	LifetimeTooLong {
		/// Its last block.
		valid_until: BlockNumber,
		/// The latest last block that the chain takes.
		most: BlockNumber,
	},
	/// It does not acknowledge the receipts it should.
	#[error("the voucher's receipts accumulator does not acknowledge the lane's receipts")]
	WrongReceipts,
	/// It names another quote than the one the answer is priced by.
	#[error("the voucher names quote {found}, the answer is priced by quote {expected}")]
	QuoteMismatch {
		/// The quote of this answer.
		expected: QuoteId,
		/// The voucher's.
		found: QuoteId,
	},
}

impl VoucherError {
	/// Stable identifier of the cause.
	pub fn code(&self) -> &'static str {
		match self {
			Self::Malformed => "voucher-malformed",
			Self::WrongChain { .. } => "voucher-wrong-chain",
			Self::WrongLane => "voucher-wrong-lane",
			Self::BadSignature => "voucher-bad-signature",
			Self::Stale { .. } => "voucher-stale",
			Self::Short { .. } => "voucher-short",
			Self::Mismatch => "voucher-mismatch",
			Self::Expired { .. } => "voucher-expired",
			Self::LifetimeTooLong { .. } => "voucher-lifetime",
			Self::WrongReceipts => "voucher-wrong-receipts",
			Self::QuoteMismatch { .. } => "quote-mismatch",
		}
	}
}

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
	/// These totals and one answer's charge more; `None` on overflow.
	pub fn plus(&self, (compute, licence): (Balance, Balance), tokens: u64) -> Option<Totals> {
		Some(Totals {
			amount: self.amount.checked_add(compute)?.checked_add(licence)?,
			licence: self.licence.checked_add(licence)?,
			tokens: self.tokens.checked_add(tokens)?,
		})
	}
}

/// One lane of one generation of one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct LaneKey {
	/// The channel.
	pub channel: ChannelId,
	/// Its generation.
	pub generation: Generation,
	/// The lane.
	pub lane: Lane,
}

/// What a voucher may say now.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
	/// Genesis hash of the chain.
	pub genesis: Hash,
	/// The lane of the request.
	pub key: LaneKey,
	/// Who may sign: the channel's payer, then its delegate if it has one.
	pub signers: &'a [AccountId],
	/// The quote the answer is priced by.
	pub quote: QuoteId,
	/// Totals that were asked for, oldest first, with the accumulator that belongs to each.
	pub dues: &'a [(Totals, Hash)],
	/// The totals held.
	pub held: Totals,
	/// The accumulator held.
	pub held_receipts: Hash,
	/// The block that is finalized.
	pub now: BlockNumber,
	/// Blocks that redeeming may take.
	pub margin: BlockNumber,
	/// The longest a voucher may be good for, in blocks.
	pub max_lifetime: BlockNumber,
}

/// State of a voucher that just arrived.
#[derive(Clone, Debug)]
pub struct Checking;

/// State of a voucher that passed every check.
#[derive(Clone, Debug)]
pub struct Checked {
	/// Which of the dues it pays.
	pub due: usize,
	/// Which of the signers signed it.
	pub signer: usize,
}

/// A voucher on its way in.
#[derive(Clone, Debug)]
pub struct Voucher<State> {
	signed: SignedVoucher,
	state: State,
}

impl Voucher<Checking> {
	/// Reads what came over the wire.
	pub fn decode(bytes: &[u8]) -> Result<Self, VoucherError> {
		let mut input = bytes;
		let signed = SignedVoucher::decode(&mut input).map_err(|_| VoucherError::Malformed)?;
		if !input.is_empty() {
			return Err(VoucherError::Malformed);
		}
		Ok(Self {
			signed,
			state: Checking,
		})
	}

	/// Checks everything; the cheap and the telling first, the signature before anything is believed.
	pub fn check(self, expected: &Expected<'_>) -> Result<Voucher<Checked>, VoucherError> {
		let voucher = &self.signed.voucher;
		if voucher.genesis != expected.genesis {
			return Err(VoucherError::WrongChain {
				expected: expected.genesis,
				found: voucher.genesis,
			});
		}
		let key = LaneKey {
			channel: voucher.channel,
			generation: voucher.generation,
			lane: voucher.lane,
		};
		if key != expected.key {
			return Err(VoucherError::WrongLane);
		}
		let places = (0..).zip(expected.signers).map(|(place, key)| (key, place));
		let (signer, _) = self.signed.signer(places);
		let signer: usize = signer.ok_or(VoucherError::BadSignature)?;
		let due = self.due(expected)?;
		if voucher.quote != expected.quote {
			return Err(VoucherError::QuoteMismatch {
				expected: expected.quote,
				found: voucher.quote,
			});
		}
		let least = expected.now.saturating_add(expected.margin);
		if voucher.valid_until < least {
			return Err(VoucherError::Expired {
				valid_until: voucher.valid_until,
				least,
			});
		}
		let most = expected.now.saturating_add(expected.max_lifetime);
		if voucher.valid_until > most {
			return Err(VoucherError::LifetimeTooLong {
				valid_until: voucher.valid_until,
				most,
			});
		}
		Ok(Voucher {
			signed: self.signed,
			state: Checked { due, signer },
		})
	}

	/// Which due the voucher pays, to the unit.
	fn due(&self, expected: &Expected<'_>) -> Result<usize, VoucherError> {
		let voucher = &self.signed.voucher;
		let found = totals(&self.signed);
		let position = expected
			.dues
			.iter()
			.position(|(due, receipts)| *due == found && *receipts == voucher.receipts);
		if let Some(position) = position {
			return Ok(position);
		}
		let is_held = found == expected.held && voucher.receipts == expected.held_receipts;
		if is_held || found.amount < expected.held.amount {
			return Err(VoucherError::Stale {
				held: expected.held.amount,
			});
		}
		if expected.dues.iter().any(|(due, _)| *due == found) {
			return Err(VoucherError::WrongReceipts);
		}
		match expected.dues.first() {
			Some((due, _)) if found.amount < due.amount => Err(VoucherError::Short {
				due: due.amount,
				found: found.amount,
			}),
			_ => Err(VoucherError::Mismatch),
		}
	}
}

impl<State> Voucher<State> {
	/// The voucher as it was signed.
	pub fn signed(&self) -> &SignedVoucher {
		&self.signed
	}
}

impl Voucher<Checked> {
	/// Position of the due that it pays.
	pub fn pays(&self) -> usize {
		self.state.due
	}

	/// Whether the channel's delegate signed it, not the payer.
	pub fn by_delegate(&self) -> bool {
		self.state.signer > 0
	}

	/// The voucher, for the store.
	pub fn into_signed(self) -> SignedVoucher {
		self.signed
	}
}

/// What a voucher counts.
pub fn totals(signed: &SignedVoucher) -> Totals {
	Totals {
		amount: signed.voucher.amount,
		licence: signed.voucher.licence,
		tokens: signed.voucher.tokens,
	}
}

/// The accumulator after acknowledging `receipts` in their order.
pub fn acknowledge_all(accumulator: Hash, receipts: &[Hash]) -> Hash {
	receipts.iter().fold(accumulator, |accumulator, receipt| {
		acknowledge(accumulator, *receipt)
	})
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::testing::{keys, sign};
	use openledger_primitives::Voucher as Claim;

	const GENESIS: Hash = Hash::repeat_byte(7);

	fn key() -> LaneKey {
		LaneKey {
			channel: 3,
			generation: 1,
			lane: 9,
		}
	}

	fn due() -> Totals {
		Totals {
			amount: 100,
			licence: 40,
			tokens: 30,
		}
	}

	fn good() -> Claim {
		Claim {
			genesis: GENESIS,
			channel: 3,
			generation: 1,
			lane: 9,
			amount: 100,
			licence: 40,
			tokens: 30,
			receipts: Hash::zero(),
			quote: 2,
			valid_until: 150,
		}
	}

	fn check_as(claim: Claim, signer: &str) -> Result<usize, VoucherError> {
		let signers = [keys("//Payer").1, keys("//Delegate").1];
		let dues = [(due(), Hash::zero())];
		let expected = Expected {
			genesis: GENESIS,
			key: key(),
			signers: &signers,
			quote: 2,
			dues: &dues,
			held: Totals {
				amount: 60,
				licence: 20,
				tokens: 14,
			},
			held_receipts: Hash::zero(),
			now: 100,
			margin: 10,
			max_lifetime: 100,
		};
		let bytes = sign(signer, claim).encode();
		Voucher::decode(&bytes)?
			.check(&expected)
			.map(|voucher| voucher.pays())
	}

	fn check(claim: Claim) -> Result<usize, VoucherError> {
		check_as(claim, "//Payer")
	}

	#[test]
	fn a_voucher_for_exactly_what_is_due_should_pass() {
		assert_eq!(check(good()), Ok(0));
		assert_eq!(check_as(good(), "//Delegate"), Ok(0));
	}

	#[test]
	fn a_forged_voucher_should_be_refused() {
		assert_eq!(
			check_as(good(), "//Mallory"),
			Err(VoucherError::BadSignature)
		);
		let signers = [keys("//Payer").1];
		let mut forged = sign("//Payer", good());
		forged.voucher.valid_until += 1;
		assert!(!forged.is_signed_by(&signers[0]));
	}

	#[test]
	fn bytes_that_are_no_voucher_should_be_refused() {
		assert_eq!(
			Voucher::decode(&[1, 2, 3]).map(|_| ()),
			Err(VoucherError::Malformed)
		);
		let mut long = sign("//Payer", good()).encode();
		long.push(0);
		assert_eq!(
			Voucher::decode(&long).map(|_| ()),
			Err(VoucherError::Malformed)
		);
	}

	#[test]
	fn a_voucher_of_another_chain_should_be_refused() {
		let genesis = Hash::repeat_byte(8);
		let error = check(Claim { genesis, ..good() }).unwrap_err();
		assert_eq!(error.code(), "voucher-wrong-chain");
	}

	#[test]
	fn a_voucher_of_another_channel_generation_or_lane_should_be_refused() {
		for claim in [
			Claim {
				channel: 4,
				..good()
			},
			Claim {
				generation: 0,
				..good()
			},
			Claim { lane: 8, ..good() },
		] {
			assert_eq!(check(claim), Err(VoucherError::WrongLane));
		}
	}

	#[test]
	fn a_replayed_or_older_voucher_should_be_refused_as_stale() {
		let held = Claim {
			amount: 60,
			licence: 20,
			tokens: 14,
			..good()
		};
		assert_eq!(check(held.clone()), Err(VoucherError::Stale { held: 60 }));
		let older = Claim {
			amount: 30,
			licence: 10,
			tokens: 7,
			..held
		};
		assert_eq!(check(older), Err(VoucherError::Stale { held: 60 }));
	}

	#[test]
	fn a_short_voucher_should_be_refused() {
		let short = Claim {
			amount: 99,
			..good()
		};
		assert_eq!(
			check(short),
			Err(VoucherError::Short {
				due: 100,
				found: 99
			})
		);
	}

	#[test]
	fn a_voucher_for_more_or_in_other_parts_should_be_refused() {
		for claim in [
			Claim {
				amount: 101,
				..good()
			},
			Claim {
				licence: 39,
				..good()
			},
			Claim {
				tokens: 31,
				..good()
			},
		] {
			assert_eq!(check(claim), Err(VoucherError::Mismatch));
		}
	}

	#[test]
	fn a_voucher_that_ends_too_early_should_be_refused() {
		assert_eq!(
			check(Claim {
				valid_until: 110,
				..good()
			}),
			Ok(0)
		);
		let error = check(Claim {
			valid_until: 109,
			..good()
		})
		.unwrap_err();
		assert_eq!(error.code(), "voucher-expired");
	}

	#[test]
	fn a_voucher_that_lives_too_long_should_be_refused() {
		assert_eq!(
			check(Claim {
				valid_until: 200,
				..good()
			}),
			Ok(0)
		);
		let error = check(Claim {
			valid_until: 201,
			..good()
		})
		.unwrap_err();
		assert_eq!(error.code(), "voucher-lifetime");
	}

	#[test]
	fn a_voucher_that_acknowledges_other_receipts_should_be_refused() {
		let receipts = Hash::repeat_byte(1);
		assert_eq!(
			check(Claim { receipts, ..good() }),
			Err(VoucherError::WrongReceipts)
		);
	}

	#[test]
	fn a_voucher_under_another_quote_should_be_refused() {
		let error = check(Claim { quote: 1, ..good() }).unwrap_err();
		assert_eq!(error.code(), "quote-mismatch");
	}
}
