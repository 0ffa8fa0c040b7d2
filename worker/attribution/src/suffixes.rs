//! The searchable part of an index: all tokens, their suffix array, and who owns each suffix.

use crate::index::IndexError;
use libsais::SuffixArrayConstruction;
use std::ops::Range;

/// No earlier suffix of the same contributor.
const NONE: u32 = u32::MAX;

/// A suffix array over the tokens of many records.
#[derive(Clone, Debug)]
pub(crate) struct Suffixes {
	/// The tokens of all records, each record followed by a separator that stands nowhere else.
	text: Vec<i32>,
	/// Start of each suffix, in the order of the suffixes.
	order: Vec<u32>,
	/// Where each record begins in `text`, and which one it is, ascending.
	starts: Vec<(u32, u32)>,
	/// A tree of minima over, for each place in `order`, the previous place of the same contributor
	/// (shifted by one, so that 0 is "none"): finds the distinct contributors of a range in time
	/// proportional to their number (Muthukrishnan's document listing).
	previous: Vec<u32>,
	/// Number of leaves of `previous`.
	width: usize,
}

impl Suffixes {
	/// Builds it over `(record, contributor, tokens)`. Tokens are below `limit`.
	pub(crate) fn new<'a>(
		records: impl Iterator<Item = (u32, u32, &'a [u32])>,
		limit: u32,
	) -> Result<Self, IndexError> {
		let mut text: Vec<i32> = Vec::new();
		let mut starts = Vec::new();
		let mut owners: Vec<u32> = Vec::new();
		for (record, owner, tokens) in records {
			let start = u32::try_from(text.len()).map_err(|_| IndexError::TooLarge)?;
			let separator =
				usize::try_from(limit).map_err(|_| IndexError::TooLarge)? + starts.len();
			starts.push((start, record));
			for token in tokens {
				text.push(i32::try_from(*token).map_err(|_| IndexError::TooLarge)?);
			}
			text.push(i32::try_from(separator).map_err(|_| IndexError::TooLarge)?);
			owners.resize(text.len(), owner);
		}
		if i32::try_from(text.len()).is_err() {
			return Err(IndexError::TooLarge);
		}
		let order: Vec<u32> = if text.is_empty() {
			Vec::new()
		} else {
			let sorted: Vec<i32> = SuffixArrayConstruction::for_text_mut(&mut text)
				.in_owned_buffer32()
				.single_threaded()
				.run()
				.map_err(|error| IndexError::SuffixArray(error.to_string()))?
				.into_vec();
			sorted.into_iter().map(i32::cast_unsigned).collect()
		};
		let width = order.len().next_power_of_two();
		let mut previous = vec![NONE; 2 * width];
		let mut last = vec![0u32; owners.iter().max().map_or(0, |owner| *owner as usize + 1)];
		for ((place, start), number) in order.iter().enumerate().zip(1u32..) {
			let owner = owners[*start as usize] as usize;
			previous[width + place] = std::mem::replace(&mut last[owner], number);
		}
		for node in (1..width).rev() {
			previous[node] = previous[2 * node].min(previous[2 * node + 1]);
		}
		Ok(Self {
			text,
			order,
			starts,
			previous,
			width,
		})
	}

	fn suffix(&self, place: usize) -> &[i32] {
		&self.text[self.order[place] as usize..]
	}

	/// The places of `order` whose suffixes begin with `pattern`.
	pub(crate) fn find(&self, pattern: &[u32]) -> Range<usize> {
		let low = self.order.partition_point(|start| {
			compare(&self.text[*start as usize..], pattern) == std::cmp::Ordering::Less
		});
		let len = self.order[low..].partition_point(|start| {
			compare(&self.text[*start as usize..], pattern) == std::cmp::Ordering::Equal
		});
		low..low + len
	}

	/// Length of the longest prefix of `pattern` that stands in a record.
	pub(crate) fn longest_prefix(&self, pattern: &[u32]) -> usize {
		let place = self.order.partition_point(|start| {
			compare(&self.text[*start as usize..], pattern) == std::cmp::Ordering::Less
		});
		let before = place.checked_sub(1);
		let after = (place < self.order.len()).then_some(place);
		[before, after]
			.into_iter()
			.flatten()
			.map(|place| common_prefix(self.suffix(place), pattern))
			.max()
			.unwrap_or(0)
	}

	/// For each contributor that has a suffix in `places`, the first one: at most `limit` of them, as
	/// record and offset in tokens.
	pub(crate) fn distinct(&self, places: Range<usize>, limit: usize) -> Vec<(u32, usize)> {
		let mut found = Vec::new();
		if !places.is_empty() {
			self.collect(1, 0..self.width, &places, limit, &mut found);
		}
		found.into_iter().map(|place| self.locate(place)).collect()
	}

	fn collect(
		&self,
		node: usize,
		covers: Range<usize>,
		places: &Range<usize>,
		limit: usize,
		found: &mut Vec<usize>,
	) {
		// `previous` is shifted by one, so "the previous place lies before the range" is `<=`.
		let none_new = self.previous[node] as usize > places.start;
		let outside = covers.end <= places.start || covers.start >= places.end;
		if none_new || outside || found.len() >= limit {
			return;
		}
		if covers.len() == 1 {
			found.push(covers.start);
			return;
		}
		let middle = covers.start + covers.len() / 2;
		self.collect(2 * node, covers.start..middle, places, limit, found);
		self.collect(2 * node + 1, middle..covers.end, places, limit, found);
	}

	fn locate(&self, place: usize) -> (u32, usize) {
		let at = self.order[place];
		let index = self.starts.partition_point(|(start, _)| *start <= at) - 1;
		let (start, record) = self.starts[index];
		(record, (at - start) as usize)
	}
}

/// Compares the first `pattern.len()` tokens of `suffix` with `pattern`.
fn compare(suffix: &[i32], pattern: &[u32]) -> std::cmp::Ordering {
	let head = &suffix[..suffix.len().min(pattern.len())];
	head.iter()
		.map(|token| token.cast_unsigned())
		.cmp(pattern.iter().copied())
}

fn common_prefix(suffix: &[i32], pattern: &[u32]) -> usize {
	suffix
		.iter()
		.zip(pattern)
		.take_while(|(a, b)| a.cast_unsigned() == **b)
		.count()
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	fn occurrences(records: &[Vec<u32>], pattern: &[u32]) -> usize {
		records
			.iter()
			.map(|record| {
				record
					.windows(pattern.len())
					.filter(|w| *w == pattern)
					.count()
			})
			.sum()
	}

	proptest! {
		#[test]
		fn search_should_agree_with_a_scan(
			records in prop::collection::vec(prop::collection::vec(0u32..4, 0..30), 0..8),
			pattern in prop::collection::vec(0u32..4, 1..8),
		) {
			let numbered = records.iter().zip(0u32..).map(|(r, n)| (n, n % 3, r.as_slice()));
			let suffixes = Suffixes::new(numbered, 4).unwrap();
			let places = suffixes.find(&pattern);
			prop_assert_eq!(places.len(), occurrences(&records, &pattern));
			let longest = (0..=pattern.len())
				.rev()
				.find(|len| *len == 0 || occurrences(&records, &pattern[..*len]) > 0)
				.unwrap();
			prop_assert_eq!(suffixes.longest_prefix(&pattern), longest);

			let owners: std::collections::BTreeSet<u32> = records
				.iter()
				.zip(0u32..)
				.filter(|(record, _)| record.windows(pattern.len()).any(|w| w == pattern))
				.map(|(_, number)| number % 3)
				.collect();
			let distinct = suffixes.distinct(places, usize::MAX);
			let found: std::collections::BTreeSet<u32> =
				distinct.iter().map(|(record, _)| record % 3).collect();
			prop_assert_eq!(distinct.len(), found.len());
			prop_assert_eq!(found, owners);
			for (record, offset) in distinct {
				prop_assert!(records[record as usize][offset..].starts_with(&pattern));
			}
		}
	}
}
