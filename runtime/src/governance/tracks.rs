//! The tracks: what a referendum on each can decide, and what it takes to pass.
//!
//! A referendum prepares for a while, then is decided on, passes once it has stayed above both of
//! its curves for the confirmation period, and is carried out some time later, at the earliest
//! after the enactment period. *Approval* is the part of the votes in favour, with conviction;
//! *support* is the OPEN in favour, without conviction, as part of all that could vote. Both curves
//! fall while time passes: what is clear passes soon, what is disputed needs the whole period.
//!
//! Cancelling is faster than anything that can be cancelled.

use super::Origin;
use crate::{
	currency::OPEN,
	time::{DAYS, HOURS, MINUTES},
	Balance, BlockNumber, Launch, OriginCaller,
};
use alloc::borrow::Cow;
use frame_system::RawOrigin;
use pallet_referenda::{Curve, Track, TrackInfo, TracksInfo};
use sp_runtime::{str_array, FixedI64};

const ROOT: u16 = 0;
const ATTRIBUTION: u16 = 10;
const SERVING: u16 = 11;
const TREASURER: u16 = 20;
const CANCELLER: u16 = 30;
const KILLER: u16 = 31;

const fn percent(part: u128) -> FixedI64 {
	FixedI64::from_rational(part, 100)
}

/// From unanimity to a majority: four in five a seventh into the period.
const APPROVAL: Curve = Curve::make_reciprocal(4, 28, percent(80), percent(50), percent(100));
/// From half of all OPEN that could vote, evenly, to a fiftieth.
const SUPPORT_BY_MANY: Curve = Curve::make_linear(28, 28, percent(2), percent(50));
/// From half of all OPEN that could vote to a hundredth: a tenth after a quarter of the period. Where
/// nothing were enough, one unit of OPEN would decide what nobody watches.
const SUPPORT: Curve = Curve::make_reciprocal(7, 28, percent(10), percent(1), percent(50));
/// From unanimity, evenly, to a majority after 17/28 of the period.
const APPROVAL_TO_CANCEL: Curve = Curve::make_linear(17, 28, percent(50), percent(100));
/// From half of all OPEN that could vote to nothing: a hundredth at 12/28 of the period.
const SUPPORT_TO_CANCEL: Curve =
	Curve::make_reciprocal(12, 28, percent(1), percent(0), percent(50));

/// The tracks in order of their ids, which are part of calls and events: they never change.
static TRACKS: [Track<u16, Balance, BlockNumber>; 6] = [
	Track {
		id: ROOT,
		info: TrackInfo {
			name: str_array("root"),
			max_deciding: 1,
			decision_deposit: 10_000 * OPEN,
			prepare_period: 2 * HOURS,
			decision_period: 14 * DAYS,
			confirm_period: DAYS,
			min_enactment_period: DAYS,
			min_approval: APPROVAL,
			min_support: SUPPORT_BY_MANY,
		},
	},
	Track {
		id: ATTRIBUTION,
		info: TrackInfo {
			name: str_array("attribution"),
			max_deciding: 5,
			decision_deposit: 2_000 * OPEN,
			prepare_period: 2 * HOURS,
			decision_period: 14 * DAYS,
			confirm_period: DAYS,
			min_enactment_period: DAYS,
			min_approval: APPROVAL,
			min_support: SUPPORT,
		},
	},
	Track {
		id: SERVING,
		info: TrackInfo {
			name: str_array("serving"),
			max_deciding: 5,
			decision_deposit: 1_000 * OPEN,
			prepare_period: 2 * HOURS,
			decision_period: 7 * DAYS,
			confirm_period: 12 * HOURS,
			min_enactment_period: DAYS,
			min_approval: APPROVAL,
			min_support: SUPPORT,
		},
	},
	Track {
		id: TREASURER,
		info: TrackInfo {
			name: str_array("treasurer"),
			max_deciding: 10,
			decision_deposit: 1_000 * OPEN,
			prepare_period: 2 * HOURS,
			decision_period: 14 * DAYS,
			confirm_period: DAYS,
			min_enactment_period: DAYS,
			min_approval: APPROVAL,
			min_support: SUPPORT,
		},
	},
	Track {
		id: CANCELLER,
		info: TrackInfo {
			name: str_array("canceller"),
			max_deciding: 20,
			decision_deposit: 2_000 * OPEN,
			prepare_period: 30 * MINUTES,
			decision_period: 3 * DAYS,
			confirm_period: HOURS,
			min_enactment_period: MINUTES,
			min_approval: APPROVAL_TO_CANCEL,
			min_support: SUPPORT_TO_CANCEL,
		},
	},
	Track {
		id: KILLER,
		info: TrackInfo {
			name: str_array("killer"),
			max_deciding: 20,
			decision_deposit: 10_000 * OPEN,
			prepare_period: 30 * MINUTES,
			decision_period: 3 * DAYS,
			confirm_period: HOURS,
			min_enactment_period: MINUTES,
			min_approval: APPROVAL_TO_CANCEL,
			min_support: SUPPORT_TO_CANCEL,
		},
	},
];

/// The same track with periods of seconds, for chains that only try things out.
fn hurried(track: &Track<u16, Balance, BlockNumber>) -> Track<u16, Balance, BlockNumber> {
	let mut track = track.clone();
	track.info.prepare_period = 1;
	track.info.decision_period = 12;
	track.info.confirm_period = 2;
	track.info.min_enactment_period = 1;
	track
}

/// The tracks of this chain.
pub struct Tracks;

impl TracksInfo<Balance, BlockNumber> for Tracks {
	type Id = u16;
	type RuntimeOrigin = OriginCaller;

	fn tracks() -> impl Iterator<Item = Cow<'static, Track<u16, Balance, BlockNumber>>> {
		let trial = Launch::is_trial();
		TRACKS.iter().map(move |track| {
			if trial {
				Cow::Owned(hurried(track))
			} else {
				Cow::Borrowed(track)
			}
		})
	}

	fn track_for(origin: &OriginCaller) -> Result<u16, ()> {
		match origin {
			OriginCaller::system(RawOrigin::Root) => Ok(ROOT),
			OriginCaller::Governance(origin) => Ok(match origin {
				Origin::Attribution => ATTRIBUTION,
				Origin::Serving => SERVING,
				Origin::Treasurer => TREASURER,
				Origin::Canceller => CANCELLER,
				Origin::Killer => KILLER,
			}),
			_ => Err(()),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use sp_runtime::Perbill;

	#[test]
	fn what_changes_the_chain_should_need_support_at_any_time() {
		for track in &TRACKS {
			// What curves round.
			let rounding = Perbill::from_parts(1_000);
			let least = track.info.min_support.threshold(Perbill::one()) + rounding;
			let needed = match track.id {
				ROOT => Perbill::from_percent(2),
				ATTRIBUTION | SERVING | TREASURER => Perbill::from_percent(1),
				_ => Perbill::zero(),
			};
			assert!(least >= needed, "track {}: {least:?}", track.id);
			let approval = track.info.min_approval.threshold(Perbill::one()) + rounding;
			assert!(approval >= Perbill::from_percent(50), "track {}", track.id);
		}
	}

	#[test]
	fn cancelling_should_be_faster_than_anything_it_can_cancel() {
		let time = |track: &Track<u16, Balance, BlockNumber>| {
			let info = &track.info;
			info.prepare_period + info.decision_period + info.confirm_period
		};
		let [.., canceller, _] = &TRACKS;
		// Slashes wait for four days at least; everything else prepares, is confirmed and enacted.
		assert!(time(canceller) < 4 * DAYS);
	}
}
