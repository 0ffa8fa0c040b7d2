//! Byte ranges for the tokens of a byte-level tokenizer.

use crate::Token;

/// The ranges of `ids` in `text`, for a tokenizer of the GPT-2 kind: `piece` gives a token as it is
/// written in the vocabulary, where each character stands for one byte.
///
/// `None` if the pieces do not add up to the text, as with a tokenizer of another kind, or one that
/// changes the text before it splits it.
pub fn byte_level_tokens(
	text: &str,
	ids: &[u32],
	piece: &dyn Fn(u32) -> Option<String>,
) -> Option<Vec<Token>> {
	let mut end = 0usize;
	let tokens = ids
		.iter()
		.map(|id| {
			let start = end;
			let piece = piece(*id)?;
			// A special token is written as it is.
			let special = text
				.get(start..)
				.is_some_and(|rest| rest.starts_with(&piece));
			let length = if special {
				piece.len()
			} else {
				piece.chars().count()
			};
			end = start.checked_add(length)?;
			Some((*id, (start, end)))
		})
		.collect::<Option<Vec<_>>>()?;
	(end == text.len()).then_some(tokens)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn ranges_should_follow_the_bytes_and_be_refused_where_they_do_not_add_up() {
		let pieces = ["Hi", "Ġth", "Ã", "©", "<|end|>"];
		let piece = |id: u32| pieces.get(id as usize).map(|piece| piece.to_string());
		let tokens = byte_level_tokens("Hi thé<|end|>", &[0, 1, 2, 3, 4], &piece).unwrap();
		let ranges: Vec<_> = tokens.into_iter().map(|(_, range)| range).collect();
		assert_eq!(ranges, [(0, 2), (2, 5), (5, 6), (6, 7), (7, 14)]);
		assert_eq!(byte_level_tokens("Hi", &[0, 1], &piece), None);
		assert_eq!(byte_level_tokens("Hi", &[9], &piece), None);
	}
}
