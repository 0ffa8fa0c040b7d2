//! The test vectors in `vectors/`, which other languages check their own code against.
//!
//! `UPDATE_VECTORS=1 cargo test -p openledger-primitives --test vectors` writes them anew.
#![allow(clippy::unwrap_used)]

use codec::Encode;
use openledger_primitives::{
	apportion,
	fees::split_redemption,
	hash::structured_hash,
	merkle::{self, Tree},
	report::{parts, payouts, Earning},
	voucher::{acknowledge, wrap},
	Attribution, Hash, Payee, PayoutLeaf, Receipt, RecordLeaf, Score, SignedVoucher, Span, Terms,
	Voucher, OPEN,
};
use serde_json::{json, Value};
use sp_core::{crypto::Ss58Codec, ecdsa, ed25519, sr25519, Pair};
use sp_runtime::{traits::IdentifyAccount, MultiSignature, MultiSigner};

fn hex(bytes: impl AsRef<[u8]>) -> String {
	format!("0x{}", hex::encode(bytes))
}

fn unhex(text: &Value) -> Vec<u8> {
	hex::decode(text.as_str().unwrap().trim_start_matches("0x")).unwrap()
}

fn check(name: &str, mut value: Value) {
	// Other crates of a build may have serde_json keep the order of insertion.
	value.sort_all_objects();
	let path = format!("{}/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
	let text = serde_json::to_string_pretty(&value).unwrap() + "\n";
	if std::env::var_os("UPDATE_VECTORS").is_some() {
		std::fs::write(&path, &text).unwrap();
	}
	let committed = std::fs::read_to_string(&path).unwrap_or_default();
	assert_eq!(
		committed, text,
		"{path} differs: a protocol change needs a new tag and new vectors"
	);
}

fn read(name: &str) -> Value {
	let path = format!("{}/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
	serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn filled(byte: u8) -> Hash {
	Hash::repeat_byte(byte)
}

fn voucher() -> Voucher {
	Voucher {
		genesis: filled(1),
		channel: 7,
		generation: 2,
		lane: 3,
		amount: 5 * OPEN,
		licence: 2 * OPEN,
		tokens: 1_234,
		receipts: acknowledge(Hash::zero(), filled(9)),
		quote: 1,
		valid_until: 600,
	}
}

fn receipt() -> Receipt {
	Receipt {
		genesis: filled(1),
		channel: 7,
		generation: 2,
		lane: 3,
		sequence: 4,
		base: 0,
		adapter: Some(5),
		tokens_in: 21,
		tokens_out: 34,
		quote: 1,
		compute: 55,
		licence: 89,
		request: filled(2),
		response: filled(3),
		algorithm: 1,
		index: filled(4),
		attribution: attribution().digest(),
	}
}

fn attribution() -> Attribution {
	Attribution {
		algorithm: 1,
		scores: vec![Score {
			datanet: 0,
			contribution: 1,
			weight: 65_536,
		}],
		spans: vec![Span {
			datanet: 0,
			contribution: 1,
			record: filled(5),
			record_index: 2,
			record_offset: 10,
			answer_offset: 20,
			length: 30,
			weight: 65_536,
		}],
	}
}

#[test]
fn hashes_should_match_the_vectors() {
	let mut objects = serde_json::Map::new();
	let mut object = |name: &str, tag: &[u8], value: Value, scale: Vec<u8>, digest: Hash| {
		let tag = String::from_utf8(tag.to_vec()).unwrap();
		let vector = json!({
			"tag": tag, "value": value, "scale": hex(scale), "digest": hex(digest),
		});
		objects.insert(name.into(), vector);
	};
	let (voucher, receipt, attribution) = (voucher(), receipt(), attribution());
	object(
		"voucher",
		openledger_primitives::voucher::TAG,
		serde_json::to_value(&voucher).unwrap(),
		voucher.encode(),
		voucher.digest(),
	);
	object(
		"receipt",
		openledger_primitives::receipt::TAG,
		serde_json::to_value(&receipt).unwrap(),
		receipt.encode(),
		receipt.digest(),
	);
	object(
		"attribution",
		openledger_primitives::attribution::TAG,
		serde_json::to_value(&attribution).unwrap(),
		attribution.encode(),
		attribution.digest(),
	);
	let pair = (filled(1), filled(2));
	object(
		"acknowledge",
		openledger_primitives::voucher::RECEIPTS_TAG,
		json!({ "accumulator": hex(pair.0), "receipt": hex(pair.1) }),
		pair.encode(),
		acknowledge(pair.0, pair.1),
	);
	let content = json!({
		"bytes": hex("a record"),
		"digest": hex(openledger_primitives::content_hash(b"a record")),
	});
	check(
		"hashes",
		json!({ "content": content, "structured": objects }),
	);
	assert_eq!(
		structured_hash(b"", &pair).as_bytes(),
		sp_io::hashing::sha2_256(&pair.encode())
	);
}

#[test]
fn merkle_trees_should_match_the_vectors() {
	let records: Vec<RecordLeaf> = (1..=5u8)
		.map(|i| RecordLeaf {
			record: filled(i),
			bytes: 100 * u32::from(i),
		})
		.collect();
	let tree = Tree::new(records.iter().map(RecordLeaf::node).collect()).unwrap();
	let payouts = [
		PayoutLeaf {
			payee: Payee::BaseOwner(0),
			amount: 10,
		},
		PayoutLeaf {
			payee: Payee::AdapterOwner(1),
			amount: 30,
		},
		PayoutLeaf {
			payee: Payee::Stakers,
			amount: 10,
		},
		PayoutLeaf {
			payee: Payee::Contributor {
				adapter: 1,
				datanet: 2,
				contribution: 3,
			},
			amount: 50,
		},
	];
	let payouts_tree = openledger_primitives::report::payouts_tree(&payouts).unwrap();
	let leaf = |scale: Vec<u8>, node: merkle::Node| json!({ "scale": hex(scale), "hash": hex(node.hash), "amount": node.sum.to_string() });
	let ranges: Vec<Value> = [(0, 1), (4, 1), (1, 3), (0, 5)]
		.map(|(start, len)| {
			let proof = tree.range_proof(start, len).unwrap();
			json!({ "start": start, "len": len, "proof": proof })
		})
		.into();
	check(
		"merkle",
		json!({
			"records": {
				"leaves": records.iter().map(|r| leaf(r.encode(), r.node())).collect::<Vec<_>>(),
				"commitment": tree.commitment(),
				"ranges": ranges,
			},
			"payouts": {
				"leaves": payouts.iter().map(|p| leaf(p.encode(), p.node())).collect::<Vec<_>>(),
				"commitment": payouts_tree.commitment(),
			},
		}),
	);
}

#[test]
fn fees_should_match_the_vectors() {
	let terms = Terms::default();
	let apportioned: Vec<Value> = [
		(10u128, vec![1u128, 1, 1]),
		(7, vec![3, 1, 0]),
		(OPEN, vec![1, 2, 4, 8]),
		(1_000_000_007, vec![999_983, 1, 1]),
	]
	.into_iter()
	.map(|(total, weights)| {
		let amounts = apportion(total, &weights).unwrap();
		let text = |list: &[u128]| list.iter().map(u128::to_string).collect::<Vec<_>>();
		json!({ "total": total.to_string(), "weights": text(&weights), "amounts": text(&amounts) })
	})
	.collect();
	let redemptions: Vec<Value> = [(0u128, 0u128), (19, 1), (123_456_789, 987_654_321)]
		.map(|(compute, licence)| {
			json!({
				"compute": compute.to_string(),
				"licence": licence.to_string(),
				"split": split_redemption(compute, licence, &terms).unwrap(),
			})
		})
		.into();
	let earnings = [
		Earning {
			paid: 600,
			base: Some(0),
			adapter: Some((1, vec![(0, 0, 3), (0, 1, 1)])),
		},
		Earning {
			paid: 397,
			base: Some(0),
			adapter: None,
		},
		Earning {
			paid: 3,
			base: None,
			adapter: None,
		},
	];
	let parts = parts(1_000, 951, &earnings, &terms).unwrap();
	let leaves = payouts(&parts).unwrap();
	let tree = openledger_primitives::report::parts_tree(&parts).unwrap();
	check(
		"fees",
		json!({
			"terms": terms,
			"apportion": apportioned,
			"redemptions": redemptions,
			"payouts": {
				"licence": "1000",
				"net": "951",
				"earnings": [
					{ "paid": "600", "base": 0, "adapter": 1, "contributors": [
						{ "datanet": 0, "contribution": 0, "weight": "3" },
						{ "datanet": 0, "contribution": 1, "weight": "1" },
					]},
					{ "paid": "397", "base": 0, "adapter": null, "contributors": [] },
					{ "paid": "3", "base": null, "adapter": null, "contributors": [] },
				],
				"parts": parts,
				"parts_commitment": tree.commitment(),
				"leaves": leaves,
			},
		}),
	);
}

/// Signatures are not deterministic, so these vectors are verified rather than remade.
#[test]
fn signed_vouchers_should_verify_raw_and_as_wallets_wrap_them() {
	let voucher = voucher();
	let seed = [42u8; 32];
	if std::env::var_os("UPDATE_VECTORS").is_some() {
		let (sr, ed, ec) = (
			sr25519::Pair::from_seed(&seed),
			ed25519::Pair::from_seed(&seed),
			ecdsa::Pair::from_seed(&seed),
		);
		let vector = |signer: MultiSigner, wrapped: bool, signature: MultiSignature| {
			json!({
				"signer": signer.into_account().to_ss58check(),
				"wrapped": wrapped,
				"signature": hex(signature.encode()),
			})
		};
		let mut signatures = Vec::new();
		for wrapped in [false, true] {
			let digest = voucher.digest();
			let bytes = if wrapped {
				wrap(digest)
			} else {
				digest.as_bytes().to_vec()
			};
			signatures.push(vector(sr.public().into(), wrapped, sr.sign(&bytes).into()));
			signatures.push(vector(ed.public().into(), wrapped, ed.sign(&bytes).into()));
			signatures.push(vector(ec.public().into(), wrapped, ec.sign(&bytes).into()));
		}
		let value = json!({ "voucher": hex(voucher.encode()), "signatures": signatures });
		let path = format!("{}/vectors/signatures.json", env!("CARGO_MANIFEST_DIR"));
		std::fs::write(path, serde_json::to_string_pretty(&value).unwrap() + "\n").unwrap();
	}
	let vectors = read("signatures");
	assert_eq!(unhex(&vectors["voucher"]), voucher.encode());
	let signatures = vectors["signatures"].as_array().unwrap();
	assert_eq!(signatures.len(), 6);
	for vector in signatures {
		let signer =
			sp_core::crypto::AccountId32::from_ss58check(vector["signer"].as_str().unwrap())
				.unwrap();
		let bytes = unhex(&vector["signature"]);
		let signature = codec::DecodeAll::decode_all(&mut bytes.as_slice()).unwrap();
		let mut signed = SignedVoucher {
			voucher: voucher.clone(),
			signature,
		};
		assert!(signed.is_signed_by(&signer));
		assert!(!signed.is_signed_by(&[0u8; 32].into()));
		signed.voucher.lane += 1;
		assert!(!signed.is_signed_by(&signer));
	}
}
