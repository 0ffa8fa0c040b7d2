//! From scores to money weights: what `primitives::report::Earning` takes.
//!
//! Of an answer's data share, `attributed` follows the scores, at most `cap` of it to one
//! contribution; the rest, and what the cap cut off, is paid by `equal/1`.

use openledger_primitives::{
	algorithm, fees::part, AlgorithmId, Attribution, ContributionId, DatanetId, Score, Terms,
};
use std::collections::BTreeMap;

/// The weights of an answer sum to this, as long as there are `equal/1` scores; fine enough that its
/// rounding is below one unit of any fee that fits a block.
pub const WHOLE: u128 = 1_000_000_000_000_000_000;

/// Why no weights could be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
	/// The terms are not valid.
	#[error("the terms are not valid: a share exceeds the whole")]
	InvalidTerms,
	/// The scores overflow.
	#[error("the scores overflow")]
	Overflow,
	/// The algorithm is not known.
	#[error("attribution algorithm {0} is not known to this version")]
	UnknownAlgorithm(AlgorithmId),
}

/// The money weight of each contribution, ordered by Datanet and contribution, none of them zero.
///
/// Without spans everything follows `equal`; without `equal` scores everything follows the spans; with
/// neither there are no weights.
pub fn data_weights(
	attribution: &Attribution,
	equal: &[Score],
	terms: &Terms,
) -> Result<Vec<(DatanetId, ContributionId, u128)>, WeightsError> {
	if !terms.is_valid() {
		return Err(WeightsError::InvalidTerms);
	}
	let scores: &[Score] = match attribution.algorithm {
		algorithm::EQUAL_1 => &[],
		algorithm::SPAN_SA_1 => &attribution.scores,
		other => return Err(WeightsError::UnknownAlgorithm(other)),
	};
	let mut weights = BTreeMap::<_, u128>::new();
	let mut left = WHOLE;
	let attributed = part(WHOLE, terms.attributed).ok_or(WeightsError::InvalidTerms)?;
	let cap = part(attributed, terms.cap).ok_or(WeightsError::InvalidTerms)?;
	for (key, amount) in split(attributed, scores)? {
		let amount = amount.min(cap);
		add(&mut weights, key, amount)?;
		left = left.checked_sub(amount).ok_or(WeightsError::Overflow)?;
	}
	for (key, amount) in split(left, equal)? {
		add(&mut weights, key, amount)?;
	}
	Ok(weights
		.into_iter()
		.filter(|(_, weight)| *weight > 0)
		.map(|((datanet, contribution), weight)| (datanet, contribution, weight))
		.collect())
}

type Key = (DatanetId, ContributionId);

fn add(weights: &mut BTreeMap<Key, u128>, key: Key, amount: u128) -> Result<(), WeightsError> {
	let entry = weights.entry(key).or_default();
	*entry = entry.checked_add(amount).ok_or(WeightsError::Overflow)?;
	Ok(())
}

/// `total` in proportion to `scores`; nothing if no score is positive.
fn split(total: u128, scores: &[Score]) -> Result<Vec<(Key, u128)>, WeightsError> {
	// A contribution listed twice is one payee, so that the cap holds for both together.
	let mut merged = BTreeMap::<Key, u128>::new();
	for score in scores {
		let key = (score.datanet, score.contribution);
		add(&mut merged, key, score.weight.into())?;
	}
	let weights: Vec<u128> = merged.values().copied().collect();
	if weights.iter().all(|weight| *weight == 0) {
		return Ok(Vec::new());
	}
	let amounts =
		openledger_primitives::apportion(total, &weights).ok_or(WeightsError::Overflow)?;
	Ok(merged.into_keys().zip(amounts).collect())
}

#[cfg(test)]
mod tests {
	use super::*;

	fn score(contribution: ContributionId, weight: u64) -> Score {
		Score {
			datanet: 1,
			contribution,
			weight,
		}
	}

	fn attribution(scores: Vec<Score>) -> Attribution {
		Attribution {
			algorithm: algorithm::SPAN_SA_1,
			scores,
			spans: Vec::new(),
		}
	}

	fn parts(attribution: &Attribution, equal: &[Score], terms: &Terms) -> Vec<(u32, u128)> {
		let weights = data_weights(attribution, equal, terms).unwrap();
		weights
			.into_iter()
			.map(|(_, id, weight)| (id, weight / (WHOLE / 1000)))
			.collect()
	}

	#[test]
	fn weights_should_follow_spans_up_to_the_cap_and_the_rest_be_equal() {
		let equal = [score(1, 10), score(2, 10), score(3, 20)];
		// 70 % attributed: 1 takes all, capped at 30 % of it; 79 % are left to 1:1:2.
		let found = parts(&attribution(vec![score(1, 5)]), &equal, &Terms::default());
		assert_eq!(found, [(1, 210 + 197), (2, 197), (3, 395)]);
		let uncapped = Terms {
			cap: 1_000_000,
			..Terms::default()
		};
		let found = parts(
			&attribution(vec![score(1, 3), score(3, 4)]),
			&equal,
			&uncapped,
		);
		assert_eq!(found, [(1, 375), (2, 75), (3, 550)]);
	}

	#[test]
	fn weights_should_be_equal_without_spans_and_for_equal() {
		let equal = [score(1, 1), score(2, 3)];
		let expected = [(1, 250), (2, 750)];
		let terms = Terms::default();
		assert_eq!(parts(&attribution(vec![]), &equal, &terms), expected);
		let mut by_equal = attribution(vec![score(1, 100)]);
		by_equal.algorithm = algorithm::EQUAL_1;
		assert_eq!(parts(&by_equal, &equal, &terms), expected);
		assert_eq!(data_weights(&attribution(vec![]), &[], &terms), Ok(vec![]));
	}

	#[test]
	fn cap_should_hold_for_a_contribution_listed_twice() {
		let scores = attribution(vec![score(1, 5), score(1, 5)]);
		let once = attribution(vec![score(1, 10)]);
		let equal = [score(2, 1)];
		let terms = Terms::default();
		assert_eq!(
			data_weights(&scores, &equal, &terms),
			data_weights(&once, &equal, &terms)
		);
	}

	#[test]
	fn bad_terms_and_unknown_algorithms_should_be_refused() {
		let mut unknown = attribution(vec![]);
		unknown.algorithm = 99;
		let terms = Terms::default();
		let error = data_weights(&unknown, &[], &terms);
		assert_eq!(error, Err(WeightsError::UnknownAlgorithm(99)));
		let bad = Terms {
			cap: 1_000_001,
			..terms
		};
		let error = data_weights(&attribution(vec![]), &[], &bad);
		assert_eq!(error, Err(WeightsError::InvalidTerms));
	}
}
