//! What a usage report is computed from: leaves and terms of a stranger's making.

#![no_main]

use codec::{Decode, DecodeAll, Encode};
use libfuzzer_sys::fuzz_target;
use openledger_primitives::{Commitment, PartLeaf, PayoutLeaf, ReceiptLeaf, Terms};

fuzz_target!(|input: &[u8]| {
	if let Ok(commitment) = Commitment::decode_all(&mut &input[..]) {
		assert_eq!(commitment.encode(), input);
	}
	if let Ok(leaf) = PartLeaf::decode_all(&mut &input[..]) {
		assert_eq!(leaf.encode(), input);
		let _ = leaf.node();
	}
	if let Ok(leaf) = PayoutLeaf::decode_all(&mut &input[..]) {
		assert_eq!(leaf.encode(), input);
		let _ = leaf.node();
	}
	if let Ok(leaf) = ReceiptLeaf::decode_all(&mut &input[..]) {
		assert_eq!(leaf.encode(), input);
		let _ = leaf.node();
	}
	if let Ok(terms) = Terms::decode(&mut &input[..]) {
		let _ = terms.is_valid();
	}
});
