//! Benchmarks of governance's own call.

use super::{Call, Config, Pallet};
use crate::{
	parameters::governed::attribution, time::DAYS, Runtime, RuntimeParameters, RuntimeParametersKey,
};
use frame_benchmarking::v2::*;
use frame_support::traits::dynamic_params::AggregatedKeyValue;
use frame_system::RawOrigin;
use pallet_parameters::Parameters;

fn window(blocks: u32) -> (RuntimeParametersKey, RuntimeParameters) {
	let parameter = RuntimeParameters::Attribution(attribution::Parameters::DisputeWindow(
		attribution::DisputeWindow,
		Some(blocks),
	));
	(parameter.clone().into_parts().0, parameter)
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// The worst case is a period that was set before: its bounds depend on what the chain is for,
	/// which is one read more than any other value takes.
	#[benchmark]
	fn set() {
		let (key, before) = window(DAYS);
		let (_, parameter) = window(DAYS.saturating_add(1));
		Parameters::<Runtime>::insert(&key, before.into_parts().1.expect("it has a value; qed"));

		#[extrinsic_call]
		_(RawOrigin::Root, parameter.clone());

		assert_eq!(Parameters::<Runtime>::get(&key), parameter.into_parts().1);
	}
}
