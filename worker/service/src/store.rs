//! What must outlive the process: vouchers, answers being paid, receipts, attributions, epochs.
//!
//! One embedded database, `worker.redb` in the data folder. Every write is on disk (`fsync`) before
//! its caller goes on; writes that arrive while one is being synced share the next sync.
//!
//! | table | key | value (SCALE) |
//! |---|---|---|
//! | `meta` | name | schema version, genesis hash, provider, followed block |
//! | `lanes` | channel, generation, lane | [`LaneRecord`]: newest voucher, what is owed, what is redeemed |
//! | `open` | channel, generation, lane | [`OpenAnswer`]: the answer that runs on the lane, up to what is paid |
//! | `receipts` | receipt's digest | [`ReceiptRecord`] |
//! | `attributions` | receipt's digest | `Attribution` |
//! | `ids` | answer's name | receipt's digest |
//! | `lane_receipts` | channel, generation, lane, sequence | receipt's digest |
//! | `equal` | index hash | `Vec<Score>`: the `equal/1` scores of that index |
//! | `earned` | epoch, channel, generation, lane | [`Interval`] of the lane's licence total redeemed in the epoch |
//! | `epochs` | epoch | [`EpochRecord`]: the report's leaves, and whether all is settled |
//!
//! An open answer holds its prompt's tokens and the text that is paid for, because a crash must not
//! lose them; both are deleted when the answer gets its receipt.

use crate::payments::{acknowledge_all, totals, Checked, LaneKey, Totals, Voucher};
use codec::{Decode, Encode};
use openledger_primitives::{
	content_hash, AccountId, AdapterId, AlgorithmId, Attribution, Balance, BaseModelId,
	BlockNumber, Commitment, EpochIndex, Hash, PartLeaf, PayoutLeaf, Price, QuoteId, Rate, Receipt,
	ReceiptLeaf, Score, SignedVoucher, Terms, TermsVersion,
};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};
use std::{
	path::Path,
	sync::{mpsc, Arc},
};
use tokio::sync::oneshot;

type Row = (u64, u32, u16);
type EarnedRow = (u32, u64, u32, u16);

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const LANES: TableDefinition<'_, Row, &[u8]> = TableDefinition::new("lanes");
const OPEN: TableDefinition<'_, Row, &[u8]> = TableDefinition::new("open");
const RECEIPTS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("receipts");
const ATTRIBUTIONS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("attributions");
const IDS: TableDefinition<'_, &str, &[u8; 32]> = TableDefinition::new("ids");
const LANE_RECEIPTS: TableDefinition<'_, (u64, u32, u16, u32), &[u8; 32]> =
	TableDefinition::new("lane_receipts");
const EQUAL: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("equal");
const EARNED: TableDefinition<'_, EarnedRow, &[u8]> = TableDefinition::new("earned");
const EPOCHS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("epochs");

/// Version of the schema above.
const SCHEMA: u32 = 2;

/// Most writes that share one sync.
const MAX_GROUP: usize = 256;

/// Why the store failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
	/// The database refused: the disk is full or broken, or another worker has it open.
	#[error("{0}; is the disk full, or does another worker use this --data folder?")]
	Database(String),
	/// A value in it does not decode.
	#[error("the store's {0} is damaged; restore the --data folder from a copy")]
	Damaged(&'static str),
	/// It was made by another version.
	#[error(
		"the store has schema {found}, this version reads {SCHEMA}; use the version that made it"
	)]
	Schema {
		/// The schema it has.
		found: u32,
	},
	/// It belongs to another chain or provider.
	#[error("the store belongs to {0}; give this worker another --data folder")]
	Foreign(String),
	/// A change that the store's state does not allow; nothing was changed.
	#[error("{0}")]
	Conflict(&'static str),
	/// The writing thread has ended.
	#[error("the store is closed")]
	Closed,
}

macro_rules! from_redb {
	($($error:ty),*) => {$(
		impl From<$error> for StoreError {
			fn from(error: $error) -> Self {
				Self::Database(error.to_string())
			}
		}
	)*};
}
from_redb!(
	redb::DatabaseError,
	redb::TransactionError,
	redb::TableError,
	redb::StorageError,
	redb::CommitError,
	redb::SetDurabilityError
);

/// The redeemed part of a lane, as of the followed block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Redeemed {
	/// Compute and licence together, in units.
	pub amount: Balance,
	/// The licence part, in units.
	pub licence: Balance,
}

/// What is known of a lane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct LaneRecord {
	/// The newest voucher.
	pub held: Option<SignedVoucher>,
	/// What all receipts of the lane cost together.
	pub owed: Totals,
	/// Sequence number of the next receipt.
	pub sequence: u32,
	/// Receipts that no voucher acknowledges yet, in order.
	pub unacknowledged: Vec<Hash>,
	/// What was redeemed.
	pub redeemed: Redeemed,
}

impl LaneRecord {
	/// What the newest voucher says is owed.
	pub fn paid(&self) -> Totals {
		self.held.as_ref().map(totals).unwrap_or_default()
	}

	/// The accumulator of the newest voucher.
	pub fn receipts(&self) -> Hash {
		self.held
			.as_ref()
			.map(|held| held.voucher.receipts)
			.unwrap_or_default()
	}

	/// The accumulator once every receipt of the lane is acknowledged.
	pub fn all_receipts(&self) -> Hash {
		acknowledge_all(self.receipts(), &self.unacknowledged)
	}
}

/// An answer that is being paid.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct OpenAnswer {
	/// Its name, `chatcmpl-…`.
	pub id: String,
	/// The base model.
	pub base: BaseModelId,
	/// The adapter.
	pub adapter: Option<AdapterId>,
	/// The algorithm that attributes it.
	pub algorithm: AlgorithmId,
	/// Content hash of the attribution index; zero without an adapter.
	pub index: Hash,
	/// SHA-256 of the adapter's weights; zero without an adapter.
	pub weights: Hash,
	/// The quote it is priced by.
	pub quote: QuoteId,
	/// The provider's rate.
	pub compute: Rate,
	/// Base model's and adapter's rate together.
	pub licence: Rate,
	/// Tokens of the prompt.
	pub prompt: Vec<u32>,
	/// Tokens of the answer that are paid.
	pub paid_out: u32,
	/// Their text.
	pub text: String,
}

impl OpenAnswer {
	/// What a token costs.
	pub fn price(&self) -> Price {
		Price {
			compute: self.compute,
			licence: self.licence,
		}
	}

	/// Tokens of the prompt.
	pub fn tokens_in(&self) -> u32 {
		u32::try_from(self.prompt.len()).unwrap_or(u32::MAX)
	}

	/// The receipt for `tokens_out` tokens that read `text`; `None` if the price overflows.
	pub fn receipt(
		&self,
		genesis: Hash,
		key: LaneKey,
		sequence: u32,
		tokens_out: u32,
		text: &str,
		attribution: &Attribution,
	) -> Option<Receipt> {
		let (compute, licence) = self.price().charge(self.tokens_in(), tokens_out)?;
		let request: Vec<u8> = self
			.prompt
			.iter()
			.flat_map(|token| token.to_le_bytes())
			.collect();
		Some(Receipt {
			genesis,
			channel: key.channel,
			generation: key.generation,
			lane: key.lane,
			sequence,
			base: self.base,
			adapter: self.adapter,
			tokens_in: self.tokens_in(),
			tokens_out,
			quote: self.quote,
			compute,
			licence,
			request: content_hash(&request),
			response: content_hash(text.as_bytes()),
			algorithm: self.algorithm,
			index: self.index,
			attribution: attribution.digest(),
		})
	}
}

/// A receipt and its place in the lane.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ReceiptRecord {
	/// The answer's name.
	pub id: String,
	/// The receipt.
	pub receipt: Receipt,
	/// The lane's licence total before this answer, in units.
	pub licence_from: Balance,
}

impl ReceiptRecord {
	/// How much of this receipt's licence money lies in `interval`, in units.
	pub fn part_of(&self, interval: &Interval) -> Balance {
		let to = self
			.licence_from
			.saturating_add(self.receipt.licence)
			.min(interval.to);
		to.saturating_sub(self.licence_from.max(interval.from))
	}
}

/// A stretch `(from, to]` of a lane's licence total, in units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Interval {
	/// Where it begins, exclusive.
	pub from: Balance,
	/// Where it ends, inclusive.
	pub to: Balance,
}

/// What a worker reported of an epoch.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct EpochReport {
	/// Commitment of the receipts tree.
	pub receipts: Commitment,
	/// Commitment of the parts tree.
	pub parts: Commitment,
	/// Commitment of the payouts tree.
	pub payouts: Commitment,
	/// Version of the terms.
	pub terms_version: TermsVersion,
	/// The terms.
	pub terms: Terms,
	/// The pot after the cut, in units.
	pub net: Balance,
	/// Leaves of the receipts tree, in order.
	pub receipt_leaves: Vec<ReceiptLeaf>,
	/// Leaves of the parts tree, in order.
	pub part_leaves: Vec<PartLeaf>,
	/// Leaves of the payouts tree, in order.
	pub payout_leaves: Vec<PayoutLeaf>,
}

/// How far an epoch is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct EpochRecord {
	/// The report, once it was made.
	pub report: Option<EpochReport>,
	/// Whether every leaf is settled, or there is nothing to settle.
	pub done: bool,
}

/// A block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Block {
	/// Its number.
	pub number: BlockNumber,
	/// Its hash.
	pub hash: Hash,
}

/// One redemption of one lane, as the chain's event tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redemption {
	/// The lane.
	pub key: LaneKey,
	/// Compute money paid now, in units.
	pub compute: Balance,
	/// Licence money paid now, in units.
	pub licence: Balance,
	/// The lane's total after it, in units.
	pub amount: Balance,
}

/// One consistent look at what a channel's lanes owe.
#[derive(Clone, Debug, Default)]
pub struct ChannelView {
	/// The block up to which redemptions are counted.
	pub block: Block,
	/// Every lane of the generation that was used.
	pub lanes: Vec<(LaneKey, LaneRecord)>,
}

type Operation = Box<dyn FnMut(&redb::WriteTransaction) -> Result<(), StoreError> + Send>;
type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

struct Write {
	operation: Operation,
	reply: Reply,
}

/// The store. Cloning is cheap; the file is closed when the last clone goes.
#[derive(Clone)]
pub struct Store {
	database: Arc<Database>,
	writes: mpsc::SyncSender<Write>,
}

impl std::fmt::Debug for Store {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.write_str("Store")
	}
}

fn row(key: &LaneKey) -> Row {
	(key.channel, key.generation, key.lane)
}

fn decode<T: Decode>(bytes: &[u8], what: &'static str) -> Result<T, StoreError> {
	T::decode(&mut &bytes[..]).map_err(|_| StoreError::Damaged(what))
}

fn lane_of(
	table: &impl ReadableTable<Row, &'static [u8]>,
	key: &LaneKey,
) -> Result<Option<LaneRecord>, StoreError> {
	table
		.get(row(key))?
		.map(|value| decode(value.value(), "lane"))
		.transpose()
}

impl Store {
	/// Opens `worker.redb` in `folder`, making both if needed.
	///
	/// # Errors
	/// [`StoreError::Database`] also when another process has it open, [`StoreError::Schema`].
	pub fn open(folder: &Path) -> Result<Self, StoreError> {
		std::fs::create_dir_all(folder)
			.map_err(|error| StoreError::Database(format!("{}: {error}", folder.display())))?;
		let database = Arc::new(Database::create(folder.join("worker.redb"))?);
		let begin = database.begin_write()?;
		begin.open_table(LANES)?;
		begin.open_table(OPEN)?;
		begin.open_table(RECEIPTS)?;
		begin.open_table(ATTRIBUTIONS)?;
		begin.open_table(IDS)?;
		begin.open_table(LANE_RECEIPTS)?;
		begin.open_table(EQUAL)?;
		begin.open_table(EARNED)?;
		begin.open_table(EPOCHS)?;
		let found = {
			let mut meta = begin.open_table(META)?;
			let found = meta
				.get("schema")?
				.map(|value| decode::<u32>(value.value(), "schema version"))
				.transpose()?;
			if found.is_none() {
				meta.insert("schema", SCHEMA.encode().as_slice())?;
			}
			found.unwrap_or(SCHEMA)
		};
		if found != SCHEMA {
			return Err(StoreError::Schema { found });
		}
		begin.commit()?;
		let (writes, queue) = mpsc::sync_channel(MAX_GROUP);
		let writer = database.clone();
		std::thread::Builder::new()
			.name("store".into())
			.spawn(move || write_all(&writer, &queue))
			.map_err(|error| StoreError::Database(error.to_string()))?;
		Ok(Self { database, writes })
	}

	/// Runs `operation` in a transaction and returns when it is on disk. An operation that fails
	/// changes nothing. It may run twice, so it must not keep what a first run gave it.
	async fn write(
		&self,
		operation: impl FnMut(&redb::WriteTransaction) -> Result<(), StoreError> + Send + 'static,
	) -> Result<(), StoreError> {
		let (reply, result) = oneshot::channel();
		let write = Write {
			operation: Box::new(operation),
			// The caller may be gone; its write is done all the same.
			reply: Box::new(move |result| drop(reply.send(result))),
		};
		let writes = self.writes.clone();
		match writes.try_send(write) {
			Ok(()) => {}
			Err(mpsc::TrySendError::Disconnected(_)) => return Err(StoreError::Closed),
			Err(mpsc::TrySendError::Full(write)) => {
				tokio::task::spawn_blocking(move || writes.send(write))
					.await
					.map_err(|_| StoreError::Closed)?
					.map_err(|_| StoreError::Closed)?;
			}
		}
		result.await.map_err(|_| StoreError::Closed)?
	}

	/// Ties the store to a chain and a provider; later it refuses others.
	pub async fn claim(&self, genesis: Hash, provider: &AccountId) -> Result<(), StoreError> {
		let owner = (genesis, provider.clone()).encode();
		self.write(move |tx| {
			let mut meta = tx.open_table(META)?;
			let found = meta.get("owner")?.map(|value| value.value().to_vec());
			match found {
				None => {
					meta.insert("owner", owner.as_slice())?;
					Ok(())
				}
				Some(found) if found == owner => Ok(()),
				Some(found) => {
					let (genesis, provider): (Hash, AccountId) = decode(&found, "owner")?;
					Err(StoreError::Foreign(format!(
						"provider {provider} on the chain with genesis {genesis:?}"
					)))
				}
			}
		})
		.await
	}

	/// The block up to which the chain's events are counted.
	pub fn followed(&self) -> Result<Option<Block>, StoreError> {
		let tx = self.database.begin_read()?;
		let meta = tx.open_table(META)?;
		let value = meta.get("followed")?;
		value
			.map(|value| decode(value.value(), "followed block"))
			.transpose()
	}

	/// A lane; `None` if it was never used.
	pub fn lane(&self, key: &LaneKey) -> Result<Option<LaneRecord>, StoreError> {
		lane_of(&self.database.begin_read()?.open_table(LANES)?, key)
	}

	/// All lanes of a channel's generation, with the block they are true for.
	pub fn channel(&self, channel: u64, generation: u32) -> Result<ChannelView, StoreError> {
		let tx = self.database.begin_read()?;
		let block = match tx.open_table(META)?.get("followed")? {
			Some(value) => decode(value.value(), "followed block")?,
			None => Block::default(),
		};
		let range = (channel, generation, u16::MIN)..=(channel, generation, u16::MAX);
		let lanes = tx
			.open_table(LANES)?
			.range(range)?
			.map(lane_row)
			.collect::<Result<_, _>>()?;
		Ok(ChannelView { block, lanes })
	}

	/// Every lane.
	pub fn lanes(&self) -> Result<Vec<(LaneKey, LaneRecord)>, StoreError> {
		let tx = self.database.begin_read()?;
		let table = tx.open_table(LANES)?;
		let lanes = table.iter()?.map(lane_row).collect();
		lanes
	}

	/// The answer that is being paid on a lane.
	pub fn open_answer(&self, key: &LaneKey) -> Result<Option<OpenAnswer>, StoreError> {
		let tx = self.database.begin_read()?;
		let table = tx.open_table(OPEN)?;
		let value = table.get(row(key))?;
		value
			.map(|value| decode(value.value(), "open answer"))
			.transpose()
	}

	/// Every answer that is being paid.
	pub fn open_answers(&self) -> Result<Vec<(LaneKey, OpenAnswer)>, StoreError> {
		let tx = self.database.begin_read()?;
		let table = tx.open_table(OPEN)?;
		let mut answers = Vec::new();
		for entry in table.iter()? {
			let (key, value) = entry?;
			answers.push((key_of(key.value()), decode(value.value(), "open answer")?));
		}
		Ok(answers)
	}

	/// Stores a voucher that acknowledges everything so far and begins an answer.
	pub async fn begin(
		&self,
		key: LaneKey,
		voucher: &Voucher<Checked>,
		answer: &OpenAnswer,
	) -> Result<(), StoreError> {
		let (signed, answer) = (voucher.signed().clone(), answer.encode());
		self.write(move |tx| {
			let mut open = tx.open_table(OPEN)?;
			if open.get(row(&key))?.is_some() {
				return Err(StoreError::Conflict("an answer is open on the lane"));
			}
			hold(tx, &key, &signed)?;
			open.insert(row(&key), answer.as_slice())?;
			Ok(())
		})
		.await
	}

	/// Stores a voucher that pays an open answer up to `paid_out` tokens, whose text is `text`.
	pub async fn pay(
		&self,
		key: LaneKey,
		voucher: &Voucher<Checked>,
		paid_out: u32,
		text: String,
	) -> Result<(), StoreError> {
		let signed = voucher.signed().clone();
		self.write(move |tx| {
			let mut open = tx.open_table(OPEN)?;
			let mut answer: OpenAnswer = match open.get(row(&key))? {
				Some(value) => decode(value.value(), "open answer")?,
				None => return Err(StoreError::Conflict("no answer is open on the lane")),
			};
			hold(tx, &key, &signed)?;
			answer.paid_out = paid_out;
			answer.text.clone_from(&text);
			open.insert(row(&key), answer.encode().as_slice())?;
			Ok(())
		})
		.await
	}

	/// Stores a voucher for an answer that has its receipt.
	pub async fn hold(&self, key: LaneKey, voucher: &Voucher<Checked>) -> Result<(), StoreError> {
		let signed = voucher.signed().clone();
		self.write(move |tx| hold(tx, &key, &signed)).await
	}

	/// Ends an open answer with its receipt.
	pub async fn close(
		&self,
		key: LaneKey,
		id: String,
		receipt: Receipt,
		attribution: Attribution,
		equal: Vec<Score>,
	) -> Result<(), StoreError> {
		self.write(move |tx| {
			let digest = receipt.digest();
			let mut open = tx.open_table(OPEN)?;
			if open.remove(row(&key))?.is_none() {
				return Err(StoreError::Conflict("no answer is open on the lane"));
			}
			let mut lanes = tx.open_table(LANES)?;
			let mut lane = lane_of(&lanes, &key)?.unwrap_or_default();
			if receipt.sequence != lane.sequence {
				return Err(StoreError::Conflict("the receipt is out of sequence"));
			}
			let record = ReceiptRecord {
				id: id.clone(),
				licence_from: lane.owed.licence,
				receipt: receipt.clone(),
			};
			let tokens = u64::from(receipt.tokens_in).saturating_add(receipt.tokens_out.into());
			let overflow = StoreError::Conflict("the lane's totals overflow");
			lane.owed = lane
				.owed
				.plus((receipt.compute, receipt.licence), tokens)
				.ok_or(overflow)?;
			lane.sequence = lane.sequence.checked_add(1).ok_or(StoreError::Conflict(
				"the lane has no sequence numbers left",
			))?;
			lane.unacknowledged.push(digest);
			lanes.insert(row(&key), lane.encode().as_slice())?;
			tx.open_table(RECEIPTS)?
				.insert(&digest.0, record.encode().as_slice())?;
			tx.open_table(ATTRIBUTIONS)?
				.insert(&digest.0, attribution.encode().as_slice())?;
			tx.open_table(IDS)?.insert(id.as_str(), &digest.0)?;
			let place = (key.channel, key.generation, key.lane, receipt.sequence);
			tx.open_table(LANE_RECEIPTS)?.insert(place, &digest.0)?;
			let mut scores = tx.open_table(EQUAL)?;
			if !equal.is_empty() && scores.get(&receipt.index.0)?.is_none() {
				scores.insert(&receipt.index.0, equal.encode().as_slice())?;
			}
			Ok(())
		})
		.await
	}

	/// Sets the sequence number of a lane's next receipt, as if it had had all before.
	#[cfg(test)]
	pub(crate) async fn set_sequence(&self, key: LaneKey, sequence: u32) -> Result<(), StoreError> {
		self.write(move |tx| {
			let mut lanes = tx.open_table(LANES)?;
			let mut lane = lane_of(&lanes, &key)?.unwrap_or_default();
			lane.sequence = sequence;
			lanes.insert(row(&key), lane.encode().as_slice())?;
			Ok(())
		})
		.await
	}

	/// Counts the redemptions of a finalized block, which lies in `epoch`, once.
	pub async fn follow(
		&self,
		block: Block,
		epoch: EpochIndex,
		redemptions: Vec<Redemption>,
	) -> Result<(), StoreError> {
		self.write(move |tx| {
			let mut meta = tx.open_table(META)?;
			let followed = match meta.get("followed")? {
				Some(value) => Some(decode::<Block>(value.value(), "followed block")?),
				None => None,
			};
			if followed.is_some_and(|followed| followed.number >= block.number) {
				return Ok(());
			}
			let mut lanes = tx.open_table(LANES)?;
			let mut earned = tx.open_table(EARNED)?;
			for redemption in &redemptions {
				let key = redemption.key;
				let mut lane = lane_of(&lanes, &key)?.unwrap_or_default();
				let overflow = StoreError::Conflict("a lane's redeemed licence overflows");
				let from = lane.redeemed.licence;
				let to = from.checked_add(redemption.licence).ok_or(overflow)?;
				lane.redeemed = Redeemed {
					amount: redemption.amount,
					licence: to,
				};
				lanes.insert(row(&key), lane.encode().as_slice())?;
				let place = (epoch, key.channel, key.generation, key.lane);
				let interval = match earned.get(place)? {
					Some(value) => Interval {
						to,
						..decode(value.value(), "interval")?
					},
					None => Interval { from, to },
				};
				earned.insert(place, interval.encode().as_slice())?;
			}
			meta.insert("followed", block.encode().as_slice())?;
			if !redemptions.is_empty() {
				let mut epochs = tx.open_table(EPOCHS)?;
				if epochs.get(epoch)?.is_none() {
					epochs.insert(epoch, EpochRecord::default().encode().as_slice())?;
				}
			}
			Ok(())
		})
		.await
	}

	/// Epochs that are not done, oldest first.
	pub fn pending_epochs(&self) -> Result<Vec<(EpochIndex, EpochRecord)>, StoreError> {
		let tx = self.database.begin_read()?;
		let table = tx.open_table(EPOCHS)?;
		let mut epochs = Vec::new();
		for entry in table.iter()? {
			let (key, value) = entry?;
			let record: EpochRecord = decode(value.value(), "epoch")?;
			if !record.done {
				epochs.push((key.value(), record));
			}
		}
		Ok(epochs)
	}

	/// An epoch in which something was redeemed.
	pub fn epoch(&self, epoch: EpochIndex) -> Result<Option<EpochRecord>, StoreError> {
		let tx = self.database.begin_read()?;
		let table = tx.open_table(EPOCHS)?;
		let value = table.get(epoch)?;
		value
			.map(|value| decode(value.value(), "epoch"))
			.transpose()
	}

	/// The commitments an epoch's report begins with, which tell it from another one; `None` without a
	/// report. Its leaves are not read.
	pub fn report_heading(
		&self,
		epoch: EpochIndex,
	) -> Result<Option<(Commitment, Commitment)>, StoreError> {
		let tx = self.database.begin_read()?;
		let table = tx.open_table(EPOCHS)?;
		match table.get(epoch)? {
			None => Ok(None),
			Some(value) => decode(value.value(), "epoch"),
		}
	}

	/// Stores how far an epoch is.
	pub async fn put_epoch(
		&self,
		epoch: EpochIndex,
		record: &EpochRecord,
	) -> Result<(), StoreError> {
		let record = record.encode();
		self.write(move |tx| {
			tx.open_table(EPOCHS)?.insert(epoch, record.as_slice())?;
			Ok(())
		})
		.await
	}

	/// The licence intervals redeemed in an epoch, ordered by lane.
	pub fn earned(&self, epoch: EpochIndex) -> Result<Vec<(LaneKey, Interval)>, StoreError> {
		let tx = self.database.begin_read()?;
		let table = tx.open_table(EARNED)?;
		let range = (epoch, u64::MIN, u32::MIN, u16::MIN)..=(epoch, u64::MAX, u32::MAX, u16::MAX);
		let mut intervals = Vec::new();
		for entry in table.range(range)? {
			let (key, value) = entry?;
			let (_, channel, generation, lane) = key.value();
			intervals.push((
				key_of((channel, generation, lane)),
				decode(value.value(), "interval")?,
			));
		}
		Ok(intervals)
	}

	/// The epochs in which some of a receipt's licence money was redeemed, with the amounts.
	pub fn earnings_of(
		&self,
		record: &ReceiptRecord,
	) -> Result<Vec<(EpochIndex, Balance)>, StoreError> {
		let tx = self.database.begin_read()?;
		let earned = tx.open_table(EARNED)?;
		let receipt = &record.receipt;
		let mut parts = Vec::new();
		for entry in tx.open_table(EPOCHS)?.iter()? {
			let epoch = entry?.0.value();
			let place = (epoch, receipt.channel, receipt.generation, receipt.lane);
			if let Some(value) = earned.get(place)? {
				let part = record.part_of(&decode(value.value(), "interval")?);
				if part > 0 {
					parts.push((epoch, part));
				}
			}
		}
		Ok(parts)
	}

	/// The receipts that an interval of a lane pays, in sequence, with what it pays of each.
	pub fn receipts_in(
		&self,
		key: &LaneKey,
		interval: &Interval,
	) -> Result<Vec<(Hash, ReceiptRecord, Balance)>, StoreError> {
		let tx = self.database.begin_read()?;
		let places = tx.open_table(LANE_RECEIPTS)?;
		let receipts = tx.open_table(RECEIPTS)?;
		let (channel, generation, lane) = row(key);
		let range = (channel, generation, lane, 0)..=(channel, generation, lane, u32::MAX);
		let mut found = Vec::new();
		for entry in places.range(range)?.rev() {
			let digest = *entry?.1.value();
			let record: ReceiptRecord = match receipts.get(&digest)? {
				Some(value) => decode(value.value(), "receipt")?,
				None => return Err(StoreError::Damaged("list of receipts")),
			};
			let end = record.licence_from.saturating_add(record.receipt.licence);
			let part = record.part_of(interval);
			if part > 0 {
				found.push((Hash::from(digest), record, part));
			} else if end < interval.from {
				break;
			}
		}
		found.reverse();
		Ok(found)
	}

	/// A receipt by its digest.
	pub fn receipt(&self, digest: &Hash) -> Result<Option<ReceiptRecord>, StoreError> {
		let tx = self.database.begin_read()?;
		let table = tx.open_table(RECEIPTS)?;
		let value = table.get(&digest.0)?;
		value
			.map(|value| decode(value.value(), "receipt"))
			.transpose()
	}

	/// The digest of an answer's receipt, by the answer's name.
	pub fn receipt_of(&self, id: &str) -> Result<Option<Hash>, StoreError> {
		let tx = self.database.begin_read()?;
		let table = tx.open_table(IDS)?;
		let value = table.get(id)?;
		Ok(value.map(|value| Hash::from(*value.value())))
	}

	/// A receipt's attribution.
	pub fn attribution(&self, digest: &Hash) -> Result<Attribution, StoreError> {
		let tx = self.database.begin_read()?;
		let table = tx.open_table(ATTRIBUTIONS)?;
		let value = table
			.get(&digest.0)?
			.ok_or(StoreError::Damaged("list of attributions"))?;
		decode(value.value(), "attribution")
	}

	/// The `equal/1` scores of an index that some receipt was attributed with.
	pub fn equal(&self, index: &Hash) -> Result<Vec<Score>, StoreError> {
		let tx = self.database.begin_read()?;
		let table = tx.open_table(EQUAL)?;
		let value = table.get(&index.0)?;
		Ok(value
			.map(|value| decode(value.value(), "equal scores"))
			.transpose()?
			.unwrap_or_default())
	}
}

fn key_of((channel, generation, lane): Row) -> LaneKey {
	LaneKey {
		channel,
		generation,
		lane,
	}
}

type Entry<'a> = (
	redb::AccessGuard<'a, Row>,
	redb::AccessGuard<'a, &'static [u8]>,
);

fn lane_row(
	entry: Result<Entry<'_>, redb::StorageError>,
) -> Result<(LaneKey, LaneRecord), StoreError> {
	let (key, value) = entry?;
	Ok((key_of(key.value()), decode(value.value(), "lane")?))
}

/// Makes `signed` the lane's newest voucher. If it acknowledges the outstanding receipts, they are
/// no longer outstanding. A total never goes down.
fn hold(
	tx: &redb::WriteTransaction,
	key: &LaneKey,
	signed: &SignedVoucher,
) -> Result<(), StoreError> {
	let mut lanes = tx.open_table(LANES)?;
	let mut lane = lane_of(&lanes, key)?.unwrap_or_default();
	let (paid, new) = (lane.paid(), totals(signed));
	if new.amount < paid.amount || new.licence < paid.licence || new.tokens < paid.tokens {
		return Err(StoreError::Conflict("a newer voucher is held"));
	}
	let receipts = signed.voucher.receipts;
	if receipts == lane.all_receipts() {
		lane.unacknowledged.clear();
	} else if receipts != lane.receipts() {
		return Err(StoreError::Conflict(
			"the voucher acknowledges unknown receipts",
		));
	}
	lane.held = Some(signed.clone());
	lanes.insert(row(key), lane.encode().as_slice())?;
	Ok(())
}

/// The writing thread: takes what waits, applies it in one transaction, syncs, answers.
fn write_all(database: &Database, queue: &mpsc::Receiver<Write>) {
	while let Ok(first) = queue.recv() {
		let mut group = vec![first];
		while group.len() < MAX_GROUP {
			match queue.try_recv() {
				Ok(write) => group.push(write),
				Err(_) => break,
			}
		}
		match commit(database, &mut group) {
			Ok(()) => group.into_iter().for_each(|write| (write.reply)(Ok(()))),
			Err(error) if group.len() == 1 => {
				group
					.into_iter()
					.for_each(|write| (write.reply)(Err(error.clone())));
			}
			// One of them failed, so none is written: each gets its own transaction.
			Err(_) => {
				for write in group {
					let mut alone = [write];
					let result = commit(database, &mut alone);
					let [write] = alone;
					(write.reply)(result);
				}
			}
		}
	}
}

fn commit(database: &Database, group: &mut [Write]) -> Result<(), StoreError> {
	let mut tx = database.begin_write()?;
	tx.set_durability(Durability::Immediate)?;
	for write in group {
		(write.operation)(&tx)?;
	}
	tx.commit()?;
	Ok(())
}
