//! `span-sa/1`: rare stretches of the answer that stand word for word in the records.
//!
//! 1. Tokens of the answer that lie in a run of [`MIN_TOKENS`] or more whose text stands in the prompt
//!    are set aside: who quotes a record in the prompt earns nothing by having it repeated. It is the
//!    text that counts, without white space around it, because the same words have other tokens
//!    behind a bracket than behind a space.
//! 2. From each remaining token on, the longest run that stands in a record is a *match* if it has at
//!    least [`MIN_TOKENS`] tokens, does not lie within a longer match, and stands in the records of
//!    no more than [`most_contributors`] contributors.
//! 3. A match weighs `length × log2(N / df)`: length in tokens, `N` contributors with records that
//!    earn, `df` of them with this run; the logarithm in 1/65,536ths, rounded down, and at least
//!    [`LEAST_RARITY`], so that a sole contributor is not worth nothing.
//! 4. The heaviest match is paid first, ties to the earlier in the answer; what others share with it
//!    is cut off them, and what is left is matched again. So each token is paid once.
//! 5. The weight is split evenly over the contributors that have the run, the rest of the division
//!    one by one to the first, in the order of their records; how often each has it does not matter.
//!    The evidence is, for each, the occurrence that the suffix array lists first.
//!
//! Matches are compared as tokens and then as bytes: where a run begins or ends inside a character
//! its ends are moved inwards to whole characters. A span whose text stands in the prompt after that
//! is not paid.

use crate::{
	echo::Echo,
	index::{Index, Owner, Record},
	Token,
};
use openledger_primitives::{algorithm, Attribution, Score, Span};
use std::{
	cmp::Reverse,
	collections::{BTreeMap, BinaryHeap},
	ops::Range,
};

/// Fewest tokens of a match.
pub const MIN_TOKENS: usize = 6;

/// The least `log2(N / df)`, in 1/65,536ths: what a match weighs per token if all have it.
pub const LEAST_RARITY: u64 = 1 << 14;

/// Tokens by which an end of a match may be moved inwards for its bytes to agree: no character is
/// longer than four bytes, and no token shorter than one.
const MAX_TRIM: usize = 3;

/// The most of `n` contributors a match may stand with: half of them, rounded down; of fewer than
/// four, all but one; of one, that one. So with two contributors a run that both have is common
/// ground and pays neither.
pub fn most_contributors(n: usize) -> usize {
	match n {
		0..=3 => n.saturating_sub(1).max(1),
		_ => n / 2,
	}
}

/// `floor(65,536 × log2(numerator / denominator))`, or 0 if the fraction is below 1 or has no value.
///
/// Sixteen squarings of a 1.31-bit fixed-point mantissa; each is rounded down.
pub fn log2_q16(numerator: u32, denominator: u32) -> u64 {
	if denominator == 0 || numerator < denominator {
		return 0;
	}
	let whole = (numerator / denominator).ilog2();
	// numerator / denominator / 2^whole, in [1, 2), with 31 fractional bits
	let mut mantissa = (u64::from(numerator) << 31) / (u64::from(denominator) << whole);
	let mut log = u64::from(whole);
	for _ in 0..16 {
		mantissa = (mantissa * mantissa) >> 31;
		log <<= 1;
		if mantissa >> 32 != 0 {
			mantissa >>= 1;
			log |= 1;
		}
	}
	log
}

/// A match: a range of the answer's tokens and who has it.
struct Match {
	tokens: Range<usize>,
	holders: Vec<(u32, usize)>,
	weight: u64,
}

/// Attributes an answer whose tokens are `tokens`. Tokens with ranges outside the answer end it.
pub(crate) fn attribute(
	index: &Index,
	prompt: &str,
	answer: &str,
	tokens: &[Token],
) -> Attribution {
	let fits = |(_, (start, end)): &&Token| start <= end && *end <= answer.len();
	let tokens: Vec<Token> = tokens.iter().take_while(fits).copied().collect();
	let ids: Vec<u32> = tokens.iter().map(|(id, _)| *id).collect();
	let echo = Echo::new(prompt, answer);
	let mut free = not_in_prompt(&tokens, &echo);
	let mut heap = BinaryHeap::new();
	let mut matches = Vec::new();
	let push = |found: Vec<Match>, heap: &mut BinaryHeap<_>, matches: &mut Vec<Match>| {
		for found in found {
			heap.push((found.weight, Reverse(found.tokens.start), matches.len()));
			matches.push(found);
		}
	};
	for run in runs(&free, 0..ids.len()) {
		push(matches_in(index, &ids, run), &mut heap, &mut matches);
	}
	let mut spans = Vec::new();
	while let Some((_, _, at)) = heap.pop() {
		let range = matches[at].tokens.clone();
		if free[range.clone()].iter().all(|free| *free) {
			free[range.clone()].fill(false);
			spans.extend(evidence(index, answer, &tokens, &echo, &matches[at]));
			continue;
		}
		for run in runs(&free, range) {
			push(matches_in(index, &ids, run), &mut heap, &mut matches);
		}
	}
	spans.sort_by_key(|span| (span.answer_offset, span.datanet, span.contribution));
	let mut totals = BTreeMap::<_, u64>::new();
	for span in &spans {
		*totals.entry((span.datanet, span.contribution)).or_default() += span.weight;
	}
	let scores = totals
		.into_iter()
		.map(|((datanet, contribution), weight)| Score {
			datanet,
			contribution,
			weight,
		})
		.collect();
	Attribution {
		algorithm: algorithm::SPAN_SA_1,
		scores,
		spans,
	}
}

/// For each token of the answer, whether it lies in no run whose text the prompt has too.
fn not_in_prompt(answer: &[Token], echo: &Echo<'_>) -> Vec<bool> {
	let mut free = vec![true; answer.len()];
	for (start, window) in answer.windows(MIN_TOKENS).enumerate() {
		let (from, to) = (window[0].1 .0, window[MIN_TOKENS - 1].1 .1);
		if echo.has(from..to) {
			free[start..start + MIN_TOKENS].fill(false);
		}
	}
	free
}

/// The stretches of `range` in which all tokens are free and that are long enough.
fn runs(free: &[bool], range: Range<usize>) -> Vec<Range<usize>> {
	let mut runs = Vec::new();
	let mut start = range.start;
	for at in range.clone().chain([range.end]) {
		if at == range.end || !free[at] {
			if at - start >= MIN_TOKENS {
				runs.push(start..at);
			}
			start = at + 1;
		}
	}
	runs
}

/// The matches within a stretch of the answer, in order.
fn matches_in(index: &Index, ids: &[u32], run: Range<usize>) -> Vec<Match> {
	let mut found = Vec::new();
	let mut reached = run.start;
	let limit = most_contributors(index.contributors);
	for start in run.clone() {
		let end = start + index.suffixes.longest_prefix(&ids[start..run.end]);
		// A match that ends no later than the one before lies within it.
		if end <= reached || end - start < MIN_TOKENS {
			continue;
		}
		reached = end;
		let places = index.suffixes.find(&ids[start..end]);
		let holders = index.suffixes.distinct(places, limit + 1);
		if holders.len() > limit {
			continue;
		}
		let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
		let rarity = log2_q16(count(index.contributors), count(holders.len())).max(LEAST_RARITY);
		found.push(Match {
			tokens: start..end,
			holders,
			weight: (end - start) as u64 * rarity,
		});
	}
	found
}

/// The spans of a match: one for each contributor that has it.
fn evidence(
	index: &Index,
	answer: &str,
	tokens: &[Token],
	echo: &Echo<'_>,
	found: &Match,
) -> Vec<Span> {
	let mut holders: Vec<_> = found
		.holders
		.iter()
		.filter_map(|(record, offset)| {
			let record = &index.records[*record as usize];
			let place = agree(index, answer, tokens, found.tokens.clone(), record, *offset)?;
			let (start, length) = (place.1 as usize, place.2 as usize);
			if echo.has(start..start + length) {
				return None;
			}
			Some((&index.owners[record.owner], record, place))
		})
		.collect();
	holders.sort_by_key(|(owner, record, _)| (owner.datanet, owner.contribution, record.index));
	let among = holders.len().max(1) as u64;
	let (each, rest) = (found.weight / among, found.weight % among);
	holders
		.into_iter()
		.zip(0u64..)
		.map(|((owner, record, place), number)| {
			span(owner, record, place, each + u64::from(number < rest))
		})
		.collect()
}

/// Offsets in the record and in the answer, and the length, in bytes.
type Place = (u32, u32, u32);

fn span(owner: &Owner, record: &Record, place: Place, weight: u64) -> Span {
	let (record_offset, answer_offset, length) = place;
	Span {
		datanet: owner.datanet,
		contribution: owner.contribution,
		record: record.hash,
		record_index: record.index,
		record_offset,
		answer_offset,
		length,
		weight,
	}
}

/// Where the bytes of a match stand in the record and in the answer, after moving its ends inwards
/// as little as needed for the bytes to agree.
fn agree(
	index: &Index,
	answer: &str,
	tokens: &[Token],
	range: Range<usize>,
	record: &Record,
	offset: usize,
) -> Option<Place> {
	let text = index.text(record);
	let mut trims: Vec<(usize, usize)> = (0..=MAX_TRIM)
		.flat_map(|front| (0..=MAX_TRIM).map(move |back| (front, back)))
		.collect();
	trims.sort_by_key(|(front, back)| (front + back, *front));
	trims.into_iter().find_map(|(front, back)| {
		let length = range
			.len()
			.checked_sub(front + back)
			.filter(|left| *left > 0)?;
		let (first, last) = (range.start + front, range.start + front + length - 1);
		let (answer_start, answer_end) = (tokens[first].1 .0, tokens[last].1 .1);
		let (first, last) = (offset + front, offset + front + length - 1);
		let (start, end) = (record.ranges.get(first)?.0, record.ranges.get(last)?.1);
		let found = answer.get(answer_start..answer_end)?;
		let same = !found.is_empty() && found == text.get(start as usize..end as usize)?;
		same.then_some((
			start,
			u32::try_from(answer_start).ok()?,
			u32::try_from(found.len()).ok()?,
		))
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn log2_should_be_exact_for_powers_and_close_elsewhere() {
		assert_eq!(log2_q16(8, 1), 3 << 16);
		assert_eq!(log2_q16(1, 1), 0);
		assert_eq!(log2_q16(1, 2), 0);
		assert_eq!(log2_q16(7, 0), 0);
		assert_eq!(log2_q16(u32::MAX, 1), (32 << 16) - 1);
		for (numerator, denominator) in [(3u32, 2u32), (3, 1), (10_000, 7), (1_000_003, 999_983)] {
			let exact = (f64::from(numerator) / f64::from(denominator)).log2() * 65_536.0;
			let error = exact - log2_q16(numerator, denominator) as f64;
			assert!(
				(-0.01..1.01).contains(&error),
				"{numerator}/{denominator}: {error}"
			);
		}
	}

	#[test]
	fn limit_should_leave_a_lone_contributor_paid_and_common_ground_unpaid() {
		let limits: Vec<usize> = (0..=9).map(most_contributors).collect();
		assert_eq!(limits, [1, 1, 1, 2, 2, 2, 3, 3, 4, 4]);
	}
}
