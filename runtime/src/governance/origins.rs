//! Lets through what a referendum on the right track decided. Every one of these lets root through
//! too, since root could do it by a runtime upgrade anyway.

use super::Origin;
use crate::{currency::OPEN, Balance, OriginCaller, RuntimeOrigin};
use frame_support::traits::{EnsureOrigin, OriginTrait};
use frame_system::RawOrigin;

macro_rules! ensures {
	($($(#[$doc:meta])* $name:ident: $origin:ident;)+) => {
		$(
			$(#[$doc])*
			pub struct $name;

			impl EnsureOrigin<RuntimeOrigin> for $name {
				type Success = ();

				fn try_origin(origin: RuntimeOrigin) -> Result<(), RuntimeOrigin> {
					match origin.caller() {
						OriginCaller::system(RawOrigin::Root)
						| OriginCaller::Governance(Origin::$origin) => Ok(()),
						_ => Err(origin),
					}
				}

				#[cfg(feature = "runtime-benchmarks")]
				fn try_successful_origin() -> Result<RuntimeOrigin, ()> {
					Ok(Origin::$origin.into())
				}
			}
		)+
	};
}

ensures! {
	/// The track `treasurer`, or root.
	EnsureTreasurer: Treasurer;
	/// The track `attribution`, or root.
	EnsureAttribution: Attribution;
	/// The track `serving`, or root.
	EnsureServing: Serving;
	/// The track `canceller`, or root.
	EnsureCanceller: Canceller;
	/// The track `killer`, or root.
	EnsureKiller: Killer;
}

/// The most that one referendum on the track `treasurer` may spend.
pub const TREASURER_LIMIT: Balance = 1_000_000 * OPEN;

/// Who may spend the treasury's money, and how much at a time: the track `treasurer` up to
/// [`TREASURER_LIMIT`], root anything.
pub struct EnsureSpender;

impl EnsureOrigin<RuntimeOrigin> for EnsureSpender {
	type Success = Balance;

	fn try_origin(origin: RuntimeOrigin) -> Result<Balance, RuntimeOrigin> {
		match origin.caller() {
			OriginCaller::system(RawOrigin::Root) => Ok(Balance::MAX),
			OriginCaller::Governance(Origin::Treasurer) => Ok(TREASURER_LIMIT),
			_ => Err(origin),
		}
	}

	#[cfg(feature = "runtime-benchmarks")]
	fn try_successful_origin() -> Result<RuntimeOrigin, ()> {
		Ok(Origin::Treasurer.into())
	}
}
