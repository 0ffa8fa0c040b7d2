//! Decides at genesis what a chain is for. A chain for trying things out can have short periods
//! from its first block, and short votes for good; nothing can change that afterwards.

pub use pallet::*;

#[frame_support::pallet]
pub mod pallet {
	use crate::{
		governance::rules,
		parameters::governed::{attribution, datanets, serving, stakes},
		time::EPOCH_SLOTS,
		BlockNumber, RuntimeParameters,
	};
	use frame_support::{pallet_prelude::*, traits::ConstU64};

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config {}

	/// Whether this chain only tries things out: its referenda take seconds, and governance may set
	/// periods of single blocks. Only genesis writes it.
	#[pallet::storage]
	pub type Trial<T: Config> = StorageValue<_, bool, ValueQuery>;

	/// Slots in a session, which is also a BABE epoch. Only genesis writes it: consensus breaks where
	/// it changes.
	#[pallet::storage]
	pub type SessionSlots<T: Config> = StorageValue<_, u64, ValueQuery, ConstU64<EPOCH_SLOTS>>;

	impl<T: Config> Pallet<T> {
		/// Whether this chain only tries things out; see [`Trial`].
		pub fn is_trial() -> bool {
			Trial::<T>::get()
		}
	}

	/// Values that replace the defaults; `null` keeps the default. All are numbers of blocks, and
	/// must be within the bounds that hold for governance too.
	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// Whether the chain only tries things out: votes take seconds, and periods may be as short
		/// as one block. Never for a chain whose OPEN is worth something.
		pub trial: bool,
		/// Length of an attribution epoch.
		pub epoch_length: Option<BlockNumber>,
		/// Time in which a usage report can be disputed.
		pub dispute_window: Option<BlockNumber>,
		/// Time a payer waits between asking for a channel's escrow and getting it.
		pub thaw_period: Option<BlockNumber>,
		/// Most time a voucher may stay valid.
		pub voucher_lifetime: Option<BlockNumber>,
		/// Time a leaving provider waits for its bond.
		pub unbonding_period: Option<BlockNumber>,
		/// Time a provider caught cheating gets no work.
		pub jail_period: Option<BlockNumber>,
		/// Time between the announcement of a provider's price and its first block.
		pub quote_notice: Option<BlockNumber>,
		/// Time between two heartbeats of a provider.
		pub heartbeat_period: Option<BlockNumber>,
		/// Time that a reviewer's stake stands before it gets a seat.
		pub reviewer_warm_up: Option<BlockNumber>,
		/// Time in which reviewers commit to their votes, and the same again to reveal them.
		pub review_period: Option<BlockNumber>,
		/// Time in which a contributor may appeal.
		pub appeal_period: Option<BlockNumber>,
		/// Slots in a session; here no number of blocks.
		pub session_slots: Option<u64>,
		/// Time between the report of a validator's offence and its slash; a number of sessions.
		pub slash_delay: Option<u32>,
		/// Nothing.
		#[serde(skip)]
		pub marker: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			Trial::<T>::put(self.trial);
			if let Some(slots) = self.session_slots {
				SessionSlots::<T>::put(slots.max(1));
			}
			use attribution::Parameters as A;
			use datanets::Parameters as D;
			use serving::Parameters as S;
			use stakes::Parameters as K;
			let values = [
				self.epoch_length.map(|blocks| {
					RuntimeParameters::Attribution(A::EpochLength(
						attribution::EpochLength,
						Some(blocks),
					))
				}),
				self.dispute_window.map(|blocks| {
					RuntimeParameters::Attribution(A::DisputeWindow(
						attribution::DisputeWindow,
						Some(blocks),
					))
				}),
				self.thaw_period.map(|blocks| {
					RuntimeParameters::Serving(S::ThawPeriod(serving::ThawPeriod, Some(blocks)))
				}),
				self.voucher_lifetime.map(|blocks| {
					RuntimeParameters::Serving(S::VoucherLifetime(
						serving::VoucherLifetime,
						Some(blocks),
					))
				}),
				self.unbonding_period.map(|blocks| {
					RuntimeParameters::Serving(S::UnbondingPeriod(
						serving::UnbondingPeriod,
						Some(blocks),
					))
				}),
				self.jail_period.map(|blocks| {
					RuntimeParameters::Serving(S::JailPeriod(serving::JailPeriod, Some(blocks)))
				}),
				self.quote_notice.map(|blocks| {
					RuntimeParameters::Serving(S::QuoteNotice(serving::QuoteNotice, Some(blocks)))
				}),
				self.heartbeat_period.map(|blocks| {
					RuntimeParameters::Serving(S::HeartbeatPeriod(
						serving::HeartbeatPeriod,
						Some(blocks),
					))
				}),
				self.reviewer_warm_up.map(|blocks| {
					RuntimeParameters::Datanets(D::ReviewerWarmUp(
						datanets::ReviewerWarmUp,
						Some(blocks),
					))
				}),
				self.review_period.map(|blocks| {
					RuntimeParameters::Datanets(D::CommitPeriod(
						datanets::CommitPeriod,
						Some(blocks),
					))
				}),
				self.review_period.map(|blocks| {
					RuntimeParameters::Datanets(D::RevealPeriod(
						datanets::RevealPeriod,
						Some(blocks),
					))
				}),
				self.appeal_period.map(|blocks| {
					RuntimeParameters::Datanets(D::AppealPeriod(
						datanets::AppealPeriod,
						Some(blocks),
					))
				}),
				self.slash_delay.map(|sessions| {
					RuntimeParameters::Stakes(K::SlashDelay(stakes::SlashDelay, Some(sessions)))
				}),
			];
			for value in values.into_iter().flatten() {
				rules::set(value.clone()).unwrap_or_else(|violation| {
					panic!("genesis sets {value:?}, which is out of bounds: {violation:?}")
				});
			}
		}
	}
}
