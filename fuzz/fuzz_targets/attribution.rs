//! An attribution, as workers send it beside a receipt.

#![no_main]

use codec::{DecodeAll, Encode};
use libfuzzer_sys::fuzz_target;
use openledger_primitives::Attribution;

fuzz_target!(|input: &[u8]| {
	let Ok(attribution) = Attribution::decode_all(&mut &input[..]) else {
		return;
	};
	assert_eq!(attribution.encode(), input, "an encoding is unique");
	let _ = attribution.digest();
});
