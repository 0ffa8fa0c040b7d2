//! The keyless accounts that hold the protocol's money. Nobody can sign for them; only the rules
//! of the chain move what they hold. Each starts with one existential deposit, so that a payment
//! to it can never fail for being small.

use crate::AccountId;
use frame_support::PalletId;
use sp_runtime::traits::AccountIdConversion;

/// Names the treasury: it receives transaction fees, dust and its part of the protocol's cut.
pub const TREASURY: PalletId = PalletId(*b"ol/trsry");
/// Names the stakers' pot: the stakers' share of licence money waits here.
pub const STAKERS_POT: PalletId = PalletId(*b"ol/stake");
/// Names the attribution pot: licence money waits here until it is settled and claimed.
pub const ATTRIBUTION_POT: PalletId = PalletId(*b"ol/attri");
/// Names the escrow account: what payers put into channels waits here until vouchers draw it.
pub const ESCROW: PalletId = PalletId(*b"ol/escrw");
/// Names the community reserve: all OPEN that genesis gives to nobody else. Governance alone can
/// spend it.
pub const COMMUNITY: PalletId = PalletId(*b"ol/commn");

/// The treasury's account.
pub fn treasury() -> AccountId {
	TREASURY.into_account_truncating()
}

/// The account of the stakers' pot.
pub fn stakers_pot() -> AccountId {
	STAKERS_POT.into_account_truncating()
}

/// The account of the attribution pot.
pub fn attribution_pot() -> AccountId {
	ATTRIBUTION_POT.into_account_truncating()
}

/// The escrow account.
pub fn escrow() -> AccountId {
	ESCROW.into_account_truncating()
}

/// The account of the community reserve.
pub fn community() -> AccountId {
	COMMUNITY.into_account_truncating()
}

/// The accounts that genesis gives one existential deposit each, and that always keep it.
pub fn endowed() -> [AccountId; 4] {
	[treasury(), stakers_pot(), attribution_pot(), escrow()]
}

frame_support::parameter_types! {
	/// [`treasury`] for pallet configuration.
	pub TreasuryAccount: AccountId = treasury();
}
