//! A receipt, as workers send it to payers and as disputes and audits put it on chain.

#![no_main]

use codec::{DecodeAll, Encode};
use libfuzzer_sys::fuzz_target;
use openledger_primitives::Receipt;

fuzz_target!(|input: &[u8]| {
	let Ok(receipt) = Receipt::decode_all(&mut &input[..]) else {
		return;
	};
	assert_eq!(receipt.encode(), input, "an encoding is unique");
	let _ = receipt.digest();
	let _ = receipt.amount();
});
