//! The answers that were paid for, with their receipts: one JSON object per line, the newest last.
//!
//! A file of lines, so that `openledger receipt` can read while the gateway writes.

use crate::{home::Home, CliError};
use openledger_primitives::{AccountId, Attribution, Hash, Receipt};
use serde::{Deserialize, Serialize};
use std::{
	fs::{File, OpenOptions},
	io::{BufRead, BufReader, Write},
	path::{Path, PathBuf},
	sync::{Mutex, PoisonError},
};

/// An answer that was paid for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
	/// The worker's name for it, `chatcmpl-…`.
	pub id: String,
	/// Digest of its receipt.
	pub digest: Hash,
	/// When it ended, in seconds since 1970.
	pub at: u64,
	/// The model that was asked.
	pub model: String,
	/// The provider that answered.
	pub provider: AccountId,
	/// Where its worker answers.
	pub endpoint: String,
	/// The text that came; empty where the answer broke off and only its receipt is known.
	pub text: String,
	/// What was paid for.
	pub receipt: Receipt,
	/// Why the data share goes where it goes; absent where the answer broke off.
	pub attribution: Option<Attribution>,
}

/// Writes answers to the end of the file.
#[derive(Debug)]
pub struct AnswerLog {
	file: Mutex<File>,
	path: PathBuf,
}

impl AnswerLog {
	/// Opens the file of a home, creating it readable for its owner only.
	pub fn open(home: &Home) -> Result<Self, CliError> {
		let path = home.answers();
		let io = |error| CliError::io(&path, error);
		std::fs::create_dir_all(home.path()).map_err(io)?;
		let mut options = OpenOptions::new();
		options.append(true).create(true);
		#[cfg(unix)]
		std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
		let mut file = options.open(&path).map_err(io)?;
		// A line that a crash cut short must not swallow the next one.
		if !ends_with_newline(&path).map_err(io)? {
			file.write_all(b"\n").map_err(io)?;
		}
		Ok(Self {
			file: Mutex::new(file),
			path,
		})
	}

	/// Adds an answer.
	pub fn add(&self, answer: &Answer) -> Result<(), CliError> {
		let mut line = serde_json::to_vec(answer)?;
		line.push(b'\n');
		let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
		file.write_all(&line)
			.map_err(|error| CliError::io(&self.path, error))
	}
}

fn ends_with_newline(path: &Path) -> std::io::Result<bool> {
	use std::io::{Read, Seek, SeekFrom};
	let mut file = File::open(path)?;
	if file.metadata()?.len() == 0 {
		return Ok(true);
	}
	file.seek(SeekFrom::End(-1))?;
	let mut last = [0];
	file.read_exact(&mut last)?;
	Ok(last == *b"\n")
}

/// Every answer in the file, oldest first. A line that a crash cut short is left out.
pub fn all(home: &Home) -> Result<Vec<Answer>, CliError> {
	let path = home.answers();
	if !path.exists() {
		return Ok(Vec::new());
	}
	let file = File::open(&path).map_err(|error| CliError::io(&path, error))?;
	let mut answers = Vec::new();
	for line in BufReader::new(file).lines() {
		let line = line.map_err(|error| CliError::io(&path, error))?;
		answers.extend(serde_json::from_str::<Answer>(&line));
	}
	Ok(answers)
}

/// The answer that `what` names: its id, its receipt's digest (or a beginning of it), or `last`.
pub fn find(home: &Home, what: &str) -> Result<Answer, CliError> {
	let mut answers = all(home)?;
	if what == "last" {
		return answers.pop().ok_or_else(|| {
			CliError::missing(
				"No answers yet. Ask something with `openledger chat` or through the gateway.",
			)
		});
	}
	let digits = what.trim_start_matches("0x").to_ascii_lowercase();
	let is_it = |answer: &Answer| {
		answer.id == what || digits.len() >= 8 && hex::encode(answer.digest).starts_with(&digits)
	};
	answers.into_iter().rev().find(is_it).ok_or_else(|| {
		CliError::missing(format!(
			"There is no answer `{what}` in {}. `openledger receipt list` shows them.",
			home.answers().display()
		))
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	fn answer(id: &str) -> Answer {
		let receipt = Receipt {
			genesis: Hash::zero(),
			channel: 1,
			generation: 0,
			lane: 0,
			sequence: 0,
			base: 0,
			adapter: None,
			tokens_in: 3,
			tokens_out: 2,
			quote: 1,
			compute: u128::MAX,
			licence: 1,
			request: Hash::zero(),
			response: openledger_primitives::content_hash(id.as_bytes()),
			algorithm: 0,
			index: Hash::zero(),
			attribution: Hash::zero(),
		};
		Answer {
			id: id.into(),
			digest: receipt.digest(),
			at: 1,
			model: "m".into(),
			provider: [1; 32].into(),
			endpoint: "http://h".into(),
			text: id.into(),
			receipt,
			attribution: Some(Attribution::default()),
		}
	}

	#[test]
	fn answers_should_be_found_by_id_digest_and_as_the_last() {
		let folder = tempfile::tempdir().unwrap();
		let home = Home::find(Some(folder.path().into())).unwrap();
		assert_eq!(find(&home, "last").unwrap_err().code, "not-found");
		let log = AnswerLog::open(&home).unwrap();
		log.add(&answer("a")).unwrap();
		log.add(&answer("b")).unwrap();
		assert_eq!(find(&home, "last").unwrap(), answer("b"));
		assert_eq!(find(&home, "a").unwrap(), answer("a"));
		let digest = hex::encode(answer("a").digest);
		assert_eq!(find(&home, &format!("0x{digest}")).unwrap().id, "a");
		assert_eq!(find(&home, &digest[..10]).unwrap().id, "a");
		assert_eq!(find(&home, &digest[..4]).unwrap_err().code, "not-found");
	}

	#[test]
	fn a_line_cut_short_by_a_crash_should_cost_that_line_only() {
		let folder = tempfile::tempdir().unwrap();
		let home = Home::find(Some(folder.path().into())).unwrap();
		AnswerLog::open(&home).unwrap().add(&answer("a")).unwrap();
		let mut file = OpenOptions::new()
			.append(true)
			.open(home.answers())
			.unwrap();
		file.write_all(b"{\"id\":\"cut").unwrap();
		AnswerLog::open(&home).unwrap().add(&answer("b")).unwrap();
		let ids: Vec<String> = all(&home)
			.unwrap()
			.into_iter()
			.map(|each| each.id)
			.collect();
		assert_eq!(ids, ["a", "b"]);
	}
}
