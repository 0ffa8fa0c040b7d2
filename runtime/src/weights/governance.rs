//! Weights of `governance`: estimates, until `make weights` has measured them.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What a call is thought to cost.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> crate::governance::WeightInfo for WeightInfo<T> {
	// The value, and the values it depends on.
	fn set() -> Weight {
		Weight::from_parts(60_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(4, 1))
	}
}
