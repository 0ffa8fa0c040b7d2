//! The attribution index of an adapter: every record it was trained on, tokenised and searchable.
//!
//! # File format, version 1
//!
//! ```text
//! "OLINDEX" ‖ version: u8 = 1 ‖ length of the body: u64 little-endian ‖ body
//! ```
//!
//! The body is the SCALE encoding of the snapshots, ordered by Datanet; of each its id, version,
//! licence and contributions, ordered by id; of each its id, contributor, payout account and records;
//! of each its text and its tokens as (id, start after the previous token's start, length), all
//! compact integers in bytes. Roots, record hashes and the suffix array follow from that, so they are
//! computed when the file is read rather than believed. The file's SHA-256 is the index hash on chain.

use crate::{equal, snapshot, span, Contribution, Records, Snapshot, SpanClaim, Tokenize};
use crate::{suffixes::Suffixes, ClaimError, SnapshotError};
use codec::{Compact, Decode, DecodeAll, Encode};
use openledger_primitives::{
	algorithm, content_hash, merkle::MAX_LEAVES, AlgorithmId, Attribution, Commitment,
	ContributionId, ContributionLeaf, DatanetId, Hash, Score, SnapshotVersion, Span,
};
use std::collections::{BTreeMap, BTreeSet, HashSet};

const MAGIC: &[u8; 7] = b"OLINDEX";
const VERSION: u8 = 1;
const HEADER: usize = MAGIC.len() + 1 + 8;

/// Token ids are below this; no vocabulary comes near, and it bounds the memory of a hostile file.
pub const MAX_TOKEN: u32 = 1 << 20;

/// Why an index could not be built, read or used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
	/// The snapshots name a Datanet twice, or a contribution twice or out of order.
	#[error("an index takes each Datanet once, with its contributions in ascending order of id")]
	BadOrder,
	/// Nothing to index.
	#[error("an index needs at least one snapshot")]
	Empty,
	/// The tokenizer gave ranges outside the text or out of order, or an id past [`MAX_TOKEN`].
	#[error("the tokenizer gave a bad token for record {record} of contribution {contribution}")]
	BadToken {
		/// The contribution.
		contribution: ContributionId,
		/// Index of the record in it.
		record: u32,
	},
	/// More tokens than a suffix array of 32-bit places holds.
	#[error("more than 2^31 tokens; train on fewer records")]
	TooLarge,
	/// The suffix array could not be built.
	#[error("the suffix array could not be built: {0}")]
	SuffixArray(String),
	/// The file is shorter than its header says.
	#[error("the index is cut short: {found} of {expected} bytes; fetch it again")]
	Truncated {
		/// Length its header announces.
		expected: u64,
		/// Length it has.
		found: u64,
	},
	/// The file is longer than its header says.
	#[error("the index has {0} bytes after its end; fetch it again")]
	TrailingBytes(u64),
	/// The file does not begin like an index.
	#[error("not an attribution index")]
	NotAnIndex,
	/// The file has a format this version does not know.
	#[error("index format {0} is not known; this version reads format 1")]
	UnknownVersion(u8),
	/// The body does not decode.
	#[error("the index is malformed: {0}")]
	Malformed(String),
	/// The records of a snapshot are not valid.
	#[error(transparent)]
	Snapshot(#[from] SnapshotError),
	/// The index has no such snapshot.
	#[error("the index has no snapshot {version} of Datanet {datanet}")]
	NoSuchSnapshot {
		/// The Datanet.
		datanet: DatanetId,
		/// The version.
		version: SnapshotVersion,
	},
	/// The index's records do not lead to the root on chain.
	#[error("the index's records of Datanet {datanet} do not match the snapshot's root on chain")]
	WrongRoot {
		/// The Datanet.
		datanet: DatanetId,
	},
	/// The algorithm is not one of [`Algorithm`].
	#[error("attribution algorithm {0} is not known to this version")]
	UnknownAlgorithm(AlgorithmId),
}

/// The algorithms this version computes. Gradient scores join here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
	/// `equal/1`: see [`equal`].
	Equal1,
	/// `span-sa/1`: see [`span`].
	SpanSa1,
}

impl Algorithm {
	/// The algorithm of an on-chain id.
	pub fn from_id(id: AlgorithmId) -> Result<Self, IndexError> {
		match id {
			algorithm::EQUAL_1 => Ok(Self::Equal1),
			algorithm::SPAN_SA_1 => Ok(Self::SpanSa1),
			_ => Err(IndexError::UnknownAlgorithm(id)),
		}
	}

	/// Its on-chain id.
	pub fn id(self) -> AlgorithmId {
		match self {
			Self::Equal1 => algorithm::EQUAL_1,
			Self::SpanSa1 => algorithm::SPAN_SA_1,
		}
	}
}

/// A record with its tokens.
#[derive(Clone, Debug)]
pub(crate) struct Record {
	pub(crate) hash: Hash,
	pub(crate) tokens: Vec<u32>,
	/// Byte range of each token.
	pub(crate) ranges: Vec<(u32, u32)>,
	/// Whether no earlier contribution has the same bytes.
	pub(crate) earns: bool,
	/// Index of its contribution in [`Index::owners`].
	pub(crate) owner: usize,
	/// Its index in the contribution.
	pub(crate) index: u32,
}

/// A contribution's place in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
	pub(crate) datanet: DatanetId,
	pub(crate) contribution: ContributionId,
	/// Position of the snapshot in `snapshots`, and of the contribution within it.
	pub(crate) at: (usize, usize),
	/// Number of the contributor: several contributions may be one contributor's.
	pub(crate) contributor: u32,
}

/// The searchable records of the snapshots one adapter was trained on.
#[derive(Clone, Debug)]
pub struct Index {
	snapshots: Vec<Snapshot>,
	commitments: BTreeMap<DatanetId, (SnapshotVersion, Commitment)>,
	pub(crate) owners: Vec<Owner>,
	pub(crate) records: Vec<Record>,
	pub(crate) suffixes: Suffixes,
	/// Contributors that have a record that earns.
	pub(crate) contributors: usize,
}

type FileToken = (Compact<u32>, Compact<u32>, Compact<u32>);

#[derive(Encode, Decode)]
struct FileSnapshot {
	datanet: DatanetId,
	version: SnapshotVersion,
	licence: String,
	contributions: Vec<FileContribution>,
}

#[derive(Encode, Decode)]
struct FileContribution {
	id: ContributionId,
	contributor: String,
	payout: String,
	records: Vec<FileRecord>,
}

#[derive(Encode, Decode)]
struct FileRecord {
	text: String,
	tokens: Vec<FileToken>,
}

type RecordTokens = (Vec<u32>, Vec<(u32, u32)>);

impl Index {
	/// Tokenises and indexes `snapshots`. They are ordered by Datanet in the result.
	pub fn build(snapshots: &[Snapshot], tokenize: &Tokenize) -> Result<Self, IndexError> {
		let mut snapshots = snapshots.to_vec();
		snapshots.sort_by_key(|snapshot| snapshot.datanet);
		let mut tokens = Vec::new();
		for contribution in snapshots
			.iter()
			.flat_map(|snapshot| &snapshot.contributions)
		{
			for (text, record) in contribution.records.texts().iter().zip(0u32..) {
				let bad = || IndexError::BadToken {
					contribution: contribution.id,
					record,
				};
				let (ids, ranges): (Vec<u32>, Vec<_>) = tokenize(text).into_iter().unzip();
				let ranges = ranges
					.into_iter()
					.map(|(start, end)| Ok((u32::try_from(start)?, u32::try_from(end)?)))
					.collect::<Result<Vec<_>, std::num::TryFromIntError>>()
					.map_err(|_| bad())?;
				if !are_valid(&ids, &ranges, text) {
					return Err(bad());
				}
				tokens.push((ids, ranges));
			}
		}
		Self::assemble(snapshots, tokens)
	}

	/// `tokens` has one entry per record, in the order of the snapshots, each checked.
	fn assemble(snapshots: Vec<Snapshot>, tokens: Vec<RecordTokens>) -> Result<Self, IndexError> {
		if snapshots.is_empty() {
			return Err(IndexError::Empty);
		}
		if !snapshots
			.windows(2)
			.all(|pair| pair[0].datanet < pair[1].datanet)
		{
			return Err(IndexError::BadOrder);
		}
		let mut commitments = BTreeMap::new();
		let mut owners = Vec::new();
		let mut records = Vec::new();
		let mut seen = HashSet::new();
		let mut numbers = BTreeMap::<&str, u32>::new();
		let mut tokens = tokens.into_iter();
		for (s, snapshot) in snapshots.iter().enumerate() {
			let commitment = snapshot.commitment()?;
			commitments.insert(snapshot.datanet, (snapshot.version, commitment));
			for (c, contribution) in snapshot.contributions.iter().enumerate() {
				let next = u32::try_from(numbers.len()).map_err(|_| IndexError::TooLarge)?;
				let contributor = *numbers.entry(&contribution.contributor).or_insert(next);
				let owner = owners.len();
				owners.push(Owner {
					datanet: snapshot.datanet,
					contribution: contribution.id,
					at: (s, c),
					contributor,
				});
				for ((text, index), (tokens, ranges)) in contribution
					.records
					.texts()
					.iter()
					.zip(0u32..)
					.zip(tokens.by_ref())
				{
					let hash = content_hash(text.as_bytes());
					records.push(Record {
						hash,
						tokens,
						ranges,
						earns: seen.insert(hash),
						owner,
						index,
					});
				}
			}
		}
		if records.len() > MAX_LEAVES as usize {
			return Err(IndexError::TooLarge);
		}
		let earning = records
			.iter()
			.zip(0u32..)
			.filter(|(record, _)| record.earns && !record.tokens.is_empty())
			.map(|(record, number)| (number, owners[record.owner].contributor, &record.tokens[..]));
		let contributors = earning
			.clone()
			.map(|(_, c, _)| c)
			.collect::<BTreeSet<_>>()
			.len();
		let suffixes = Suffixes::new(earning, MAX_TOKEN)?;
		Ok(Self {
			snapshots,
			commitments,
			owners,
			records,
			suffixes,
			contributors,
		})
	}

	/// The file's bytes.
	pub fn encode(&self) -> Vec<u8> {
		let mut records = self.records.iter();
		let files: Vec<FileSnapshot> = self
			.snapshots
			.iter()
			.map(|snapshot| FileSnapshot {
				datanet: snapshot.datanet,
				version: snapshot.version,
				licence: snapshot.licence.clone(),
				contributions: snapshot
					.contributions
					.iter()
					.map(|contribution| FileContribution {
						id: contribution.id,
						contributor: contribution.contributor.clone(),
						payout: contribution.payout.clone(),
						records: contribution
							.records
							.texts()
							.iter()
							.zip(records.by_ref())
							.map(|(text, record)| FileRecord {
								text: text.clone(),
								tokens: pack(record),
							})
							.collect(),
					})
					.collect(),
			})
			.collect();
		let body = files.encode();
		let mut out = MAGIC.to_vec();
		out.push(VERSION);
		out.extend_from_slice(&(body.len() as u64).to_le_bytes());
		out.extend_from_slice(&body);
		out
	}

	/// Reads what [`Self::encode`] wrote. Checks everything in it: any bytes give an index or an error.
	pub fn decode(bytes: &[u8]) -> Result<Self, IndexError> {
		let truncated = |expected: usize| IndexError::Truncated {
			expected: expected as u64,
			found: bytes.len() as u64,
		};
		let prefix = bytes.len().min(MAGIC.len());
		if bytes[..prefix] != MAGIC[..prefix] {
			return Err(IndexError::NotAnIndex);
		}
		let Some((header, body)) = bytes.split_at_checked(HEADER) else {
			return Err(truncated(HEADER));
		};
		if header[MAGIC.len()] != VERSION {
			return Err(IndexError::UnknownVersion(header[MAGIC.len()]));
		}
		let mut length = [0u8; 8];
		length.copy_from_slice(&header[MAGIC.len() + 1..]);
		let (length, found) = (u64::from_le_bytes(length), body.len() as u64);
		if length > found {
			return Err(IndexError::Truncated {
				expected: length.saturating_add(HEADER as u64),
				found: bytes.len() as u64,
			});
		}
		if length < found {
			return Err(IndexError::TrailingBytes(found - length));
		}
		let files = Vec::<FileSnapshot>::decode_all(&mut &body[..])
			.map_err(|error| IndexError::Malformed(error.to_string()))?;
		let mut snapshots = Vec::new();
		let mut tokens = Vec::new();
		for file in files {
			let mut contributions = Vec::new();
			for contribution in file.contributions {
				let mut texts = Vec::with_capacity(contribution.records.len());
				for (record, number) in contribution.records.into_iter().zip(0u32..) {
					let unpacked = unpack(&record.tokens)
						.filter(|(ids, ranges)| are_valid(ids, ranges, &record.text))
						.ok_or(IndexError::BadToken {
							contribution: contribution.id,
							record: number,
						})?;
					tokens.push(unpacked);
					texts.push(record.text);
				}
				let gathered = Records::new(texts)?;
				if gathered.duplicates > 0 {
					let reason = format!("contribution {} repeats a record", contribution.id);
					return Err(IndexError::Malformed(reason));
				}
				contributions.push(Contribution {
					id: contribution.id,
					contributor: contribution.contributor,
					payout: contribution.payout,
					records: gathered.records,
				});
			}
			snapshots.push(Snapshot {
				datanet: file.datanet,
				version: file.version,
				licence: file.licence,
				contributions,
			});
		}
		Self::assemble(snapshots, tokens)
	}

	/// The snapshots in the index, ordered by Datanet.
	pub fn snapshots(&self) -> &[Snapshot] {
		&self.snapshots
	}

	/// Version and root of a Datanet's snapshot in this index.
	pub fn commitment(&self, datanet: DatanetId) -> Option<(SnapshotVersion, Commitment)> {
		self.commitments.get(&datanet).copied()
	}

	/// Checks that the index holds exactly the records of a snapshot on chain.
	pub fn verify_against(
		&self,
		datanet: DatanetId,
		version: SnapshotVersion,
		on_chain: &Commitment,
	) -> Result<(), IndexError> {
		match self.commitment(datanet) {
			Some((v, commitment)) if v == version && commitment == *on_chain => Ok(()),
			Some((v, _)) if v == version => Err(IndexError::WrongRoot { datanet }),
			_ => Err(IndexError::NoSuchSnapshot { datanet, version }),
		}
	}

	/// The contribution a score or span names.
	pub fn contribution(&self, datanet: DatanetId, id: ContributionId) -> Option<&Contribution> {
		let found = self
			.snapshots
			.binary_search_by_key(&datanet, |s| s.datanet)
			.ok()?;
		let contributions = &self.snapshots[found].contributions;
		let found = contributions.binary_search_by_key(&id, |c| c.id).ok()?;
		Some(&contributions[found])
	}

	/// The text of the record a span names.
	pub fn record(&self, span: &Span) -> Option<&str> {
		let contribution = self.contribution(span.datanet, span.contribution)?;
		let at = usize::try_from(span.record_index).ok()?;
		contribution.records.texts().get(at).map(String::as_str)
	}

	/// Number of tokens that earn.
	pub fn tokens(&self) -> u64 {
		self.records
			.iter()
			.filter(|record| record.earns)
			.map(|record| record.tokens.len() as u64)
			.sum()
	}

	/// The `equal/1` scores: see [`equal`].
	pub fn equal(&self) -> Vec<Score> {
		equal::scores(self)
	}

	/// Attributes an answer.
	///
	/// `prompt` is the text of the prompt as the model read it, `answer` the answer's, `tokenize` the
	/// base model's tokenizer.
	pub fn attribute(
		&self,
		algorithm: Algorithm,
		prompt: &str,
		answer: &str,
		tokenize: &Tokenize,
	) -> Attribution {
		match algorithm {
			Algorithm::Equal1 => Attribution {
				algorithm: algorithm.id(),
				scores: self.equal(),
				spans: Vec::new(),
			},
			Algorithm::SpanSa1 => span::attribute(self, prompt, answer, &tokenize(answer)),
		}
	}

	/// The claim that proves `span`.
	pub fn claim(&self, span: &Span) -> Result<SpanClaim, ClaimError> {
		let found = self
			.snapshots
			.binary_search_by_key(&span.datanet, |s| s.datanet);
		let at = found.map_err(|_| ClaimError::NotInSnapshot)?;
		SpanClaim::build(&self.snapshots[at], span)
	}

	/// The text of a record.
	pub(crate) fn text(&self, record: &Record) -> &str {
		let (s, c) = self.owners[record.owner].at;
		&self.snapshots[s].contributions[c].records.texts()[record.index as usize]
	}

	/// The leaf of each contribution of a snapshot.
	pub fn contribution_leaves(
		&self,
		datanet: DatanetId,
	) -> Result<Vec<ContributionLeaf>, IndexError> {
		self.snapshots
			.iter()
			.filter(|snapshot| snapshot.datanet == datanet)
			.flat_map(|snapshot| &snapshot.contributions)
			.map(|contribution| {
				let records = contribution
					.records
					.commitment()
					.map_err(SnapshotError::from)?;
				Ok(ContributionLeaf {
					contribution: contribution.id,
					records,
				})
			})
			.collect()
	}
}

/// Whether ids are within bounds and ranges are ordered and within `text`.
fn are_valid(ids: &[u32], ranges: &[(u32, u32)], text: &str) -> bool {
	debug_assert!(text.len() <= snapshot::MAX_RECORD);
	let ascending = ranges.windows(2).all(|pair| pair[0].0 <= pair[1].0);
	let within = ranges
		.iter()
		.all(|(start, end)| start <= end && *end as usize <= text.len());
	ascending && within && ids.iter().all(|id| *id < MAX_TOKEN)
}

fn pack(record: &Record) -> Vec<FileToken> {
	let mut last = 0;
	record
		.tokens
		.iter()
		.zip(&record.ranges)
		.map(|(id, (start, end))| {
			let gap = start - std::mem::replace(&mut last, *start);
			(Compact(*id), Compact(gap), Compact(end - start))
		})
		.collect()
}

fn unpack(tokens: &[FileToken]) -> Option<RecordTokens> {
	let mut last = 0u32;
	tokens
		.iter()
		.map(|(Compact(id), Compact(gap), Compact(length))| {
			last = last.checked_add(*gap)?;
			Some((*id, (last, last.checked_add(*length)?)))
		})
		.collect::<Option<Vec<_>>>()
		.map(|tokens| tokens.into_iter().unzip())
}
