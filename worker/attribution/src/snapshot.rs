//! Records and snapshots as contributors, builders and workers exchange them.
//!
//! # A contribution
//!
//! A contribution is JSON Lines: one object per line, whose `text` is the record.
//!
//! ```text
//! {"text":"Leek soup\nSlice three leeks ..."}
//! ```
//!
//! The record's bytes are the UTF-8 bytes of `text` after unescaping; other keys and empty lines are
//! ignored. The order of the lines is the order of the records, and so part of the commitment.
//!
//! A folder of `.txt` and `.md` files makes records too:
//!
//! 1. Files are taken in the order of their path within the folder, compared byte by byte with `/`
//!    between its parts. Sub-folders are entered; names that begin with a dot, other extensions and
//!    symbolic links are left out.
//! 2. A leading byte-order mark is dropped, `\r\n` becomes `\n`, trailing white space is dropped from
//!    the text, as are empty lines before it.
//! 3. A text of at most [`SPLIT_ABOVE`] bytes is one record. A longer one is cut at its blank lines
//!    into paragraphs, and as many paragraphs as fit into [`SPLIT_ABOVE`] bytes make one record,
//!    with one blank line between them. A longer paragraph is a record of its own.
//!
//! A record has between 1 and [`MAX_RECORD`] bytes. A record that repeats an earlier one of the same
//! contribution is dropped and counted.
//!
//! # A snapshot
//!
//! A folder with `snapshot.json` and one `<contribution>.jsonl` per contribution.

use openledger_primitives::{
	content_hash,
	merkle::{MerkleError, Node, Tree, MAX_LEAVES},
	Commitment, ContributionId, ContributionLeaf, DatanetId, Hash, RecordLeaf, SnapshotVersion,
};
use serde::{Deserialize, Serialize};
use std::{
	collections::HashSet,
	fs,
	path::{Path, PathBuf},
};

/// Most bytes of one record.
pub const MAX_RECORD: usize = 64 * 1024;

/// A file of more bytes than this is split at its blank lines.
pub const SPLIT_ABOVE: usize = 4 * 1024;

/// Most bytes of one contribution, all records together.
pub const MAX_CONTRIBUTION: usize = 1 << 30;

/// Why records or a snapshot were refused.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
	/// A file or folder could not be read or written.
	#[error("{path}: {source}")]
	Io {
		/// The file or folder.
		path: PathBuf,
		/// What the system said.
		source: std::io::Error,
	},
	/// A line is not an object with a `text`.
	#[error("{place}: expected an object like {{\"text\": \"...\"}}: {reason}")]
	NotARecord {
		/// File and line.
		place: String,
		/// What is wrong with it.
		reason: String,
	},
	/// A file is not UTF-8.
	#[error("{0}: not UTF-8; convert the file")]
	NotUtf8(String),
	/// A record is empty.
	#[error("{0}: the record is empty; remove it")]
	EmptyRecord(String),
	/// A record is longer than [`MAX_RECORD`].
	#[error("{place}: a record of {bytes} bytes; split it, the limit is 65536")]
	RecordTooLong {
		/// File and line.
		place: String,
		/// Its length in bytes.
		bytes: usize,
	},
	/// There is no record at all.
	#[error("{0}: no records; expected .jsonl, or a folder of .txt and .md files")]
	NoRecords(String),
	/// More than 1,048,576 records or 1 GiB.
	#[error("{0}: more than 1048576 records or 1 GiB; make several contributions")]
	TooLarge(String),
	/// `snapshot.json` does not parse.
	#[error("{path}: not a snapshot: {reason}")]
	NotASnapshot {
		/// The file.
		path: PathBuf,
		/// What is wrong with it.
		reason: String,
	},
	/// A contribution's records are not those the snapshot names.
	#[error("contribution {0}: its records do not match the commitment in snapshot.json; fetch it again")]
	WrongRecords(ContributionId),
	/// Contributions are not in strictly ascending order of id, or there is none.
	#[error("a snapshot lists at least one contribution, in ascending order of id")]
	BadOrder,
	/// The records do not lead to the commitment that the chain has.
	#[error(
		"the records do not match the snapshot's root on chain; fetch the contributions again"
	)]
	WrongRoot,
	/// The sums of a tree overflow.
	#[error(transparent)]
	Merkle(#[from] MerkleError),
}

/// The records of one contribution, in order: distinct, none of them empty or too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records(Vec<String>);

/// [`Records`] and how many repeated ones were dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gathered {
	/// What was kept.
	pub records: Records,
	/// How many records repeated an earlier one.
	pub duplicates: usize,
}

#[derive(Deserialize, Serialize)]
struct Line {
	text: String,
}

impl Records {
	/// Takes `texts` in their order.
	#[allow(clippy::new_ret_no_self)]
	pub fn new(texts: impl IntoIterator<Item = String>) -> Result<Gathered, SnapshotError> {
		let named = texts
			.into_iter()
			.enumerate()
			.map(|(index, text)| (format!("record {index}"), text));
		Self::gather("records", named)
	}

	/// Reads JSON Lines; `name` stands in errors.
	pub fn from_jsonl(name: &str, bytes: &[u8]) -> Result<Gathered, SnapshotError> {
		let text = std::str::from_utf8(bytes).map_err(|_| SnapshotError::NotUtf8(name.into()))?;
		let mut texts = Vec::new();
		for (index, line) in text.lines().enumerate() {
			if line.trim().is_empty() {
				continue;
			}
			let place = format!("{name}:{}", index + 1);
			let record: Line =
				serde_json::from_str(line).map_err(|error| SnapshotError::NotARecord {
					place: place.clone(),
					reason: error.to_string(),
				})?;
			texts.push((place, record.text));
		}
		Self::gather(name, texts)
	}

	/// Reads a `.jsonl` file, or the `.txt` and `.md` files of a folder.
	pub fn from_path(path: &Path) -> Result<Gathered, SnapshotError> {
		let name = path.display().to_string();
		let meta = fs::metadata(path).map_err(io(path))?;
		if !meta.is_dir() {
			return Self::from_jsonl(&name, &fs::read(path).map_err(io(path))?);
		}
		let mut files = Vec::new();
		list(path, "", &mut files)?;
		files.sort_unstable_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
		let mut texts = Vec::new();
		for (relative, file) in files {
			let text = String::from_utf8(fs::read(&file).map_err(io(&file))?)
				.map_err(|_| SnapshotError::NotUtf8(relative.clone()))?;
			texts.extend(
				split(&text)
					.into_iter()
					.map(|text| (relative.clone(), text)),
			);
		}
		Self::gather(&name, texts)
	}

	fn gather(
		name: &str,
		texts: impl IntoIterator<Item = (String, String)>,
	) -> Result<Gathered, SnapshotError> {
		let mut kept: Vec<String> = Vec::new();
		let mut seen = HashSet::<Hash>::new();
		let (mut bytes, mut duplicates) = (0usize, 0usize);
		for (place, text) in texts {
			if text.trim().is_empty() {
				return Err(SnapshotError::EmptyRecord(place));
			}
			if text.len() > MAX_RECORD {
				return Err(SnapshotError::RecordTooLong {
					place,
					bytes: text.len(),
				});
			}
			if !seen.insert(content_hash(text.as_bytes())) {
				duplicates += 1;
				continue;
			}
			bytes += text.len();
			if kept.len() >= MAX_LEAVES as usize || bytes > MAX_CONTRIBUTION {
				return Err(SnapshotError::TooLarge(name.into()));
			}
			kept.push(text);
		}
		if kept.is_empty() {
			return Err(SnapshotError::NoRecords(name.into()));
		}
		Ok(Gathered {
			records: Self(kept),
			duplicates,
		})
	}

	/// The records as JSON Lines, one canonical form: what [`Self::from_jsonl`] reads back.
	pub fn to_jsonl(&self) -> String {
		let mut out = String::new();
		for text in &self.0 {
			out.push_str("{\"text\":");
			out.push_str(&serde_json::Value::from(text.as_str()).to_string());
			out.push_str("}\n");
		}
		out
	}

	/// The records' texts, in order.
	pub fn texts(&self) -> &[String] {
		&self.0
	}

	/// The records' leaves, in order.
	pub fn leaves(&self) -> Vec<RecordLeaf> {
		self.0.iter().map(|text| leaf(text.as_bytes())).collect()
	}

	/// The Merkle-sum tree over the records; its sum is their length in bytes.
	pub fn tree(&self) -> Result<Tree, MerkleError> {
		Tree::new(self.leaves().iter().map(RecordLeaf::node).collect())
	}

	/// What goes on chain of the records.
	pub fn commitment(&self) -> Result<Commitment, MerkleError> {
		Ok(self.tree()?.commitment())
	}

	/// Proof that the record at `index` is one of these.
	pub fn proof(&self, index: u32) -> Result<Vec<Node>, MerkleError> {
		self.tree()?.proof(index)
	}
}

/// The leaf of a record. A record is at most [`MAX_RECORD`] bytes long, so its length fits.
pub(crate) fn leaf(record: &[u8]) -> RecordLeaf {
	RecordLeaf {
		record: content_hash(record),
		bytes: u32::try_from(record.len()).unwrap_or(u32::MAX),
	}
}

/// A contribution within a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contribution {
	/// Its id in the Datanet.
	pub id: ContributionId,
	/// Who contributed it (SS58).
	pub contributor: String,
	/// Who is paid for it (SS58).
	pub payout: String,
	/// Its records.
	pub records: Records,
}

/// A Datanet at one version: every contribution accepted by then, in ascending order of id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
	/// The Datanet.
	pub datanet: DatanetId,
	/// The snapshot's version.
	pub version: SnapshotVersion,
	/// The licence in force then, as an SPDX expression.
	pub licence: String,
	/// The contributions.
	pub contributions: Vec<Contribution>,
}

#[derive(Deserialize, Serialize)]
struct Manifest {
	datanet: DatanetId,
	version: SnapshotVersion,
	licence: String,
	commitment: Commitment,
	contributions: Vec<ManifestEntry>,
}

#[derive(Deserialize, Serialize)]
struct ManifestEntry {
	id: ContributionId,
	contributor: String,
	payout: String,
	records: Commitment,
}

impl Snapshot {
	/// The tree over the contributions, in order of id; its sum is their length in bytes.
	pub fn tree(&self) -> Result<Tree, SnapshotError> {
		let ascending = self
			.contributions
			.windows(2)
			.all(|pair| pair[0].id < pair[1].id);
		if self.contributions.is_empty() || !ascending {
			return Err(SnapshotError::BadOrder);
		}
		let leaves = self
			.contributions
			.iter()
			.map(|contribution| {
				let records = contribution.records.commitment()?;
				Ok(ContributionLeaf {
					contribution: contribution.id,
					records,
				}
				.node())
			})
			.collect::<Result<Vec<_>, MerkleError>>()?;
		Ok(Tree::new(leaves)?)
	}

	/// What the chain holds of this snapshot.
	pub fn commitment(&self) -> Result<Commitment, SnapshotError> {
		Ok(self.tree()?.commitment())
	}

	/// Checks these records against what the chain holds.
	pub fn verify(&self, on_chain: &Commitment) -> Result<(), SnapshotError> {
		if self.commitment()? == *on_chain {
			Ok(())
		} else {
			Err(SnapshotError::WrongRoot)
		}
	}

	/// Writes the snapshot into `folder`, which is created.
	pub fn save(&self, folder: &Path) -> Result<(), SnapshotError> {
		fs::create_dir_all(folder).map_err(io(folder))?;
		let mut entries = Vec::with_capacity(self.contributions.len());
		for contribution in &self.contributions {
			let file = folder.join(format!("{}.jsonl", contribution.id));
			fs::write(&file, contribution.records.to_jsonl()).map_err(io(&file))?;
			entries.push(ManifestEntry {
				id: contribution.id,
				contributor: contribution.contributor.clone(),
				payout: contribution.payout.clone(),
				records: contribution.records.commitment()?,
			});
		}
		let manifest = Manifest {
			datanet: self.datanet,
			version: self.version,
			licence: self.licence.clone(),
			commitment: self.commitment()?,
			contributions: entries,
		};
		let path = folder.join("snapshot.json");
		let not_json = |error: serde_json::Error| SnapshotError::NotASnapshot {
			path: path.clone(),
			reason: error.to_string(),
		};
		let mut json = serde_json::to_string_pretty(&manifest).map_err(not_json)?;
		json.push('\n');
		fs::write(&path, json).map_err(io(&path))
	}

	/// Reads what [`Self::save`] wrote and checks every commitment in it.
	pub fn load(folder: &Path) -> Result<Self, SnapshotError> {
		let path = folder.join("snapshot.json");
		let bytes = fs::read(&path).map_err(io(&path))?;
		let manifest: Manifest =
			serde_json::from_slice(&bytes).map_err(|error| SnapshotError::NotASnapshot {
				path: path.clone(),
				reason: error.to_string(),
			})?;
		let mut contributions = Vec::with_capacity(manifest.contributions.len());
		for entry in manifest.contributions {
			let file = folder.join(format!("{}.jsonl", entry.id));
			let records = Records::from_path(&file)?.records;
			if records.commitment()? != entry.records {
				return Err(SnapshotError::WrongRecords(entry.id));
			}
			contributions.push(Contribution {
				id: entry.id,
				contributor: entry.contributor,
				payout: entry.payout,
				records,
			});
		}
		let snapshot = Self {
			datanet: manifest.datanet,
			version: manifest.version,
			licence: manifest.licence,
			contributions,
		};
		snapshot.verify(&manifest.commitment)?;
		Ok(snapshot)
	}
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> SnapshotError + '_ {
	move |source| SnapshotError::Io {
		path: path.to_path_buf(),
		source,
	}
}

fn list(
	folder: &Path,
	prefix: &str,
	files: &mut Vec<(String, PathBuf)>,
) -> Result<(), SnapshotError> {
	for entry in fs::read_dir(folder).map_err(io(folder))? {
		let entry = entry.map_err(io(folder))?;
		let path = entry.path();
		let Ok(name) = entry.file_name().into_string() else {
			return Err(SnapshotError::NotUtf8(path.display().to_string()));
		};
		let kind = entry.file_type().map_err(io(&path))?;
		if name.starts_with('.') {
			continue;
		}
		let relative = format!("{prefix}{name}");
		if kind.is_dir() {
			list(&path, &format!("{relative}/"), files)?;
		} else if kind.is_file() && (name.ends_with(".txt") || name.ends_with(".md")) {
			files.push((relative, path));
		}
	}
	Ok(())
}

/// The records of one text file, by the rules in the module's head.
fn split(text: &str) -> Vec<String> {
	let text = text
		.strip_prefix('\u{feff}')
		.unwrap_or(text)
		.replace("\r\n", "\n");
	let lines: Vec<&str> = text
		.trim_end()
		.split('\n')
		.skip_while(|line| line.trim().is_empty())
		.collect();
	let text = lines.join("\n");
	if text.len() <= SPLIT_ABOVE {
		return vec![text];
	}
	let mut records: Vec<String> = Vec::new();
	for paragraph in lines.split(|line| line.trim().is_empty()) {
		if paragraph.is_empty() {
			continue;
		}
		let paragraph = paragraph.join("\n");
		match records.last_mut() {
			Some(last) if last.len() + 2 + paragraph.len() <= SPLIT_ABOVE => {
				last.push_str("\n\n");
				last.push_str(&paragraph);
			}
			_ => records.push(paragraph),
		}
	}
	records
}

#[cfg(test)]
mod tests {
	use super::*;

	fn records(texts: &[&str]) -> Records {
		Records::new(texts.iter().map(|text| text.to_string()))
			.unwrap()
			.records
	}

	#[test]
	fn folder_should_make_the_same_records_in_the_order_of_relative_paths() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path();
		fs::create_dir(path.join("b")).unwrap();
		fs::write(path.join("b/a.txt"), "\u{feff}\r\nfour\r\nfive  \n\n").unwrap();
		fs::write(path.join("b.txt"), "two").unwrap();
		fs::write(path.join("a.md"), "one").unwrap();
		fs::write(path.join("c.txt"), "one").unwrap();
		fs::write(path.join("z.pdf"), "not taken").unwrap();
		fs::write(path.join(".hidden.txt"), "not taken").unwrap();
		let gathered = Records::from_path(path).unwrap();
		assert_eq!(gathered.records.texts(), ["one", "two", "four\nfive"]);
		assert_eq!(gathered.duplicates, 1);
	}

	#[test]
	fn long_file_should_be_cut_at_blank_lines_only() {
		let paragraph = "x".repeat(1500);
		let text = [paragraph.as_str(); 5].join("\n\n\n");
		let lengths: Vec<usize> = split(&text).iter().map(String::len).collect();
		assert_eq!(lengths, [3002, 3002, 1500]);
		assert_eq!(split(&"y".repeat(9000)).len(), 1);
	}

	#[test]
	fn jsonl_should_round_trip_any_text() {
		let original = records(&["a \"quoted\"\nline\u{2028}\u{0}", "ü€😀", "\\n"]);
		let read = Records::from_jsonl("x", original.to_jsonl().as_bytes()).unwrap();
		assert_eq!(read.records, original);
		assert_eq!(read.duplicates, 0);
	}

	#[test]
	fn bad_records_should_be_refused_with_their_place() {
		let long = format!("{{\"text\":\"{}\"}}", "x".repeat(MAX_RECORD + 1));
		for (text, message) in [
			("{\"text\":\"\"}", "r.jsonl:1: the record is empty"),
			("{\"text\":\" \\n\"}", "r.jsonl:1: the record is empty"),
			("\n{\"txt\":1}", "r.jsonl:2: expected an object"),
			("", "r.jsonl: no records"),
			(long.as_str(), "r.jsonl:1: a record of 65537 bytes"),
		] {
			let error = Records::from_jsonl("r.jsonl", text.as_bytes()).unwrap_err();
			assert!(error.to_string().starts_with(message), "{error}");
		}
		assert!(matches!(
			Records::from_jsonl("r", b"\xff"),
			Err(SnapshotError::NotUtf8(_))
		));
	}

	#[test]
	fn commitment_should_carry_bytes_and_prove_each_record() {
		let records = records(&["one", "three", "seven"]);
		let commitment = records.commitment().unwrap();
		assert_eq!((commitment.sum, commitment.count), (13, 3));
		for (index, leaf) in (0u32..).zip(records.leaves()) {
			let proof = records.proof(index).unwrap();
			openledger_primitives::merkle::verify(&commitment, index, leaf.node(), &proof).unwrap();
		}
	}

	#[test]
	fn snapshot_should_load_as_saved_and_refuse_changed_records() {
		let folder = tempfile::tempdir().unwrap();
		let contribution = |id, texts: &[&str]| Contribution {
			id,
			contributor: "alice".into(),
			payout: "bob".into(),
			records: records(texts),
		};
		let mut snapshot = Snapshot {
			datanet: 3,
			version: 2,
			licence: "CC-BY-SA-4.0".into(),
			contributions: vec![contribution(1, &["a", "b"]), contribution(4, &["c"])],
		};
		snapshot.save(folder.path()).unwrap();
		assert_eq!(Snapshot::load(folder.path()).unwrap(), snapshot);
		fs::write(folder.path().join("4.jsonl"), "{\"text\":\"d\"}").unwrap();
		assert!(matches!(
			Snapshot::load(folder.path()),
			Err(SnapshotError::WrongRecords(4))
		));
		snapshot.contributions.reverse();
		assert!(matches!(
			snapshot.commitment(),
			Err(SnapshotError::BadOrder)
		));
	}
}
