//! Times `span-sa/1` on a snapshot of three contributors and 1 MB.
#![allow(clippy::unwrap_used)]

use openledger_attribution::{Algorithm, Contribution, Index, Records, Snapshot, Token};
use std::time::Instant;

fn tokenize(text: &str) -> Vec<Token> {
	let mut start = 0;
	text.split_inclusive(' ')
		.map(|word| {
			let id = word
				.bytes()
				.fold(7u32, |id, byte| (id * 31 + u32::from(byte)) % 49_152);
			start += word.len();
			(id, (start - word.len(), start))
		})
		.collect()
}

fn main() {
	let mut state = 1u64;
	let mut next = |below: u64| {
		state = state
			.wrapping_mul(6364136223846793005)
			.wrapping_add(1442695040888963407);
		(state >> 33) % below
	};
	// Squaring makes some words common, as in a language.
	let mut text = |words: u64| -> String {
		(0..words)
			.map(|_| format!("w{} ", next(70) * next(70)))
			.collect()
	};
	let contributions = (0..3)
		.map(|id| Contribution {
			id,
			contributor: format!("contributor {id}"),
			payout: format!("contributor {id}"),
			records: Records::new((0..350).map(|_| text(200))).unwrap().records,
		})
		.collect::<Vec<_>>();
	let quoted = contributions[1].records.texts()[7][..300].to_string();
	let answer = format!("{}{quoted}{}", text(75), text(75));
	let snapshot = Snapshot {
		datanet: 1,
		version: 1,
		licence: "CC0-1.0".into(),
		contributions,
	};
	println!("snapshot: {} bytes", snapshot.commitment().unwrap().sum);
	let start = Instant::now();
	let index = Index::build(&[snapshot], &tokenize).unwrap();
	println!("build: {:?}, {} tokens", start.elapsed(), index.tokens());
	let bytes = index.encode();
	let start = Instant::now();
	Index::decode(&bytes).unwrap();
	println!("decode: {:?}, {} bytes", start.elapsed(), bytes.len());
	let start = Instant::now();
	let mut spans = 0;
	for _ in 0..100 {
		spans = index
			.attribute(Algorithm::SpanSa1, "", &answer, &tokenize)
			.spans
			.len();
	}
	println!(
		"answer of {} bytes, {spans} spans: {:?}",
		answer.len(),
		start.elapsed() / 100
	);
}
