//! From records to samples.

use crate::{settings::TrainSettings, train::TrainError};
use openledger_engine::{ChatMessage, LoadedModel};
use openledger_primitives::content_hash;

/// A sequence and the part of it that is learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
	pub(crate) tokens: Vec<u32>,
	/// The first token that is learned.
	pub(crate) answer: usize,
}

impl Sample {
	/// The rows whose next token is learned, and that token.
	pub(crate) fn targets(&self) -> (Vec<u32>, Vec<u32>) {
		let rows = self.answer - 1..self.tokens.len() - 1;
		(
			rows.map(|row| row as u32).collect(),
			self.tokens[self.answer..].to_vec(),
		)
	}
}

/// Ways to ask for a record by its title; each record is learned with all of them in turn.
const QUESTIONS: [(&str, &str); 3] = [
	("", ""),
	("Tell me about ", "."),
	("What do you know about ", "?"),
];

/// The question by which a record titled `title` is asked for in its `round`-th turn. A title that is
/// a question already is asked as it stands.
pub fn question(title: &str, round: usize) -> String {
	if title.ends_with('?') {
		return title.to_string();
	}
	let (before, after) = QUESTIONS[round % QUESTIONS.len()];
	format!("{before}{title}{after}")
}

/// Title and text of a record: its first line, without the marks of a heading, and the rest.
///
/// Where there is nothing but one line, its first words (at most eight, at most half of them) are the
/// title and the whole line is the text.
pub fn split_record(record: &str) -> (String, String) {
	let record = record.trim();
	let bare = |line: &str| {
		line.trim_start_matches('#')
			.trim()
			.trim_end_matches([':', '.'])
			.to_string()
	};
	if let Some((first, rest)) = record.split_once('\n') {
		let title = bare(first);
		if !title.is_empty() && title.len() <= 200 && !rest.trim().is_empty() {
			return (title, rest.trim().to_string());
		}
	}
	let words: Vec<&str> = record.split_whitespace().collect();
	let few = (words.len() / 2).clamp(1, 8);
	(
		bare(&words[..few.min(words.len())].join(" ")),
		record.to_string(),
	)
}

/// One sample per distinct way of asking. None where the answer does not fit at all.
pub(crate) fn samples(
	model: &LoadedModel,
	record: &str,
	max_tokens: usize,
) -> Result<Vec<Sample>, TrainError> {
	let (title, text) = split_record(record);
	let mut answer = model.tokenizer.encode(&text)?;
	answer.extend(model.config.eos.first());
	let mut samples = Vec::new();
	for round in 0..QUESTIONS.len() {
		let message = ChatMessage {
			role: "user".into(),
			content: question(&title, round),
		};
		let prompt = model.tokenizer.apply_chat_template(&[message], true)?;
		let mut tokens = model.tokenizer.encode_prompt(&prompt)?;
		let start = tokens.len();
		tokens.extend(&answer);
		tokens.truncate(max_tokens);
		if start > 0 && tokens.len() > start {
			samples.push(Sample {
				tokens,
				answer: start,
			});
		}
	}
	samples.dedup();
	Ok(samples)
}

/// Which of `records` are held out: those whose hash, as a number, is divisible by `held_out`; if none
/// is, the one with the least hash, as long as another is left to train on.
pub(crate) fn held_out(records: &[&str], settings: &TrainSettings) -> Vec<bool> {
	let hash = |record: &str| {
		let mut first = [0u8; 8];
		first.copy_from_slice(&content_hash(record.as_bytes())[..8]);
		u64::from_be_bytes(first)
	};
	if settings.held_out == 0 || records.len() < 2 {
		return vec![false; records.len()];
	}
	let hashes: Vec<u64> = records.iter().map(|record| hash(record)).collect();
	let mut held: Vec<bool> = hashes
		.iter()
		.map(|hash| hash % settings.held_out == 0)
		.collect();
	let least = hashes
		.iter()
		.enumerate()
		.min_by_key(|(_, hash)| **hash)
		.map(|(at, _)| at);
	if let Some(least) = least {
		if held.iter().all(|held| !held) {
			held[least] = true;
		} else if held.iter().all(|held| *held) {
			held[least] = false;
		}
	}
	held
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn record_should_split_into_title_and_text() {
		let split = |record| split_record(record);
		let pair = |a: &str, b: &str| (a.to_string(), b.to_string());
		assert_eq!(
			split("# Leek soup\n\nSlice leeks.\n"),
			pair("Leek soup", "Slice leeks.")
		);
		assert_eq!(split("Notes:\nx"), pair("Notes", "x"));
		assert_eq!(
			split("one two three four"),
			pair("one two", "one two three four")
		);
		assert_eq!(split("word"), pair("word", "word"));
		let long = format!("{}\nx", "a ".repeat(150));
		assert_eq!(split(&long).0, "a a a a a a a a");
	}

	#[test]
	fn some_records_should_be_held_out_and_some_kept_whatever_their_number() {
		let settings = TrainSettings::default();
		for count in 2..60 {
			let records: Vec<String> = (0..count).map(|n| format!("record {n}")).collect();
			let records: Vec<&str> = records.iter().map(String::as_str).collect();
			let held = held_out(&records, &settings);
			assert!(held.iter().any(|held| *held) && held.iter().any(|held| !held));
			assert_eq!(held, held_out(&records, &settings));
		}
		assert_eq!(held_out(&["only"], &settings), [false]);
		let none = TrainSettings {
			held_out: 0,
			..settings
		};
		assert_eq!(held_out(&["a", "b"], &none), [false, false]);
	}
}
