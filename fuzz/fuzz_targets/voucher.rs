//! A signed voucher, as gateways send it and providers put it on chain.

#![no_main]

use codec::{DecodeAll, Encode};
use libfuzzer_sys::fuzz_target;
use openledger_primitives::{AccountId, SignedVoucher};

fuzz_target!(|input: &[u8]| {
	let Ok(signed) = SignedVoucher::decode_all(&mut &input[..]) else {
		return;
	};
	assert_eq!(signed.encode(), input, "an encoding is unique");
	let _ = signed.voucher.compute();
	// Checking a signature is slow, so only one in sixteen is.
	if signed.voucher.digest().as_bytes()[0] < 16 {
		assert!(
			!signed.is_signed_by(&AccountId::new([7; 32])),
			"nobody signed it"
		);
	}
});
