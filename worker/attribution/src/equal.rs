//! `equal/1`: a contribution weighs as many tokens as it brought that no earlier one had.
//!
//! A record with the same bytes as a record of an earlier contribution (by Datanet, then by id) earns
//! nothing, so sending in a copy of others' records is worthless. If nobody brought a token, because the
//! tokenizer finds none in any record, each contribution weighs 1: a data share always has somebody to
//! go to.

use crate::index::Index;
use openledger_primitives::Score;

/// The weight of each contribution that has any, in tokens, ordered by Datanet and contribution.
pub fn scores(index: &Index) -> Vec<Score> {
	let mut weights = vec![0u64; index.owners.len()];
	for record in index.records.iter().filter(|record| record.earns) {
		weights[record.owner] += record.tokens.len() as u64;
	}
	if weights.iter().all(|weight| *weight == 0) {
		weights.fill(1);
	}
	index
		.owners
		.iter()
		.zip(weights)
		.filter(|(_, weight)| *weight > 0)
		.map(|(owner, weight)| Score {
			datanet: owner.datanet,
			contribution: owner.contribution,
			weight,
		})
		.collect()
}
