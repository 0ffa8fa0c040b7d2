//! What must be on disk before a voucher leaves: each lane's record.
//!
//! One embedded database, `journal.redb`. A write returns when it is synced; writes that arrive while
//! one is being synced share the next sync.

use super::lanes::{LaneKey, LaneRecord};
use codec::{Decode, Encode};
use openledger_primitives::{ChannelId, Generation, Hash, Lane};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};
use std::{
	collections::HashMap,
	path::Path,
	sync::{mpsc, Arc},
};
use tokio::sync::oneshot;

type Row = (u64, u32, u16);

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const LANES: TableDefinition<'_, Row, &[u8]> = TableDefinition::new("lanes");

/// Version of the schema above.
const SCHEMA: u32 = 1;
/// Most writes that share one sync.
const MAX_GROUP: usize = 256;

/// Why the journal failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
	/// The database refused.
	#[error(
		"The gateway's journal cannot be used: {0}. Is the disk full, or does another gateway run \
		 with this --home?"
	)]
	Database(String),
	/// A value does not decode.
	#[error("The gateway's journal is damaged. Restore it from a copy, or use another --home.")]
	Damaged,
	/// It belongs to another chain.
	#[error(
		"The gateway's journal belongs to another chain ({0}). Use another --home for this one."
	)]
	OtherChain(String),
	/// The writing thread has ended.
	#[error("The gateway's journal is closed.")]
	Closed,
}

macro_rules! from_redb {
	($($error:ty),*) => {$(
		impl From<$error> for JournalError {
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

struct Write {
	key: LaneKey,
	record: Vec<u8>,
	done: oneshot::Sender<Result<(), JournalError>>,
}

/// The journal. Clones share it.
#[derive(Clone)]
pub struct Journal {
	database: Arc<Database>,
	writes: mpsc::SyncSender<Write>,
}

impl Journal {
	/// Opens the journal in `folder`, for the chain with this genesis.
	pub fn open(folder: &Path, genesis: Hash) -> Result<Self, JournalError> {
		std::fs::create_dir_all(folder)
			.map_err(|error| JournalError::Database(format!("{}: {error}", folder.display())))?;
		let database = Arc::new(Database::create(folder.join("journal.redb"))?);
		let begin = database.begin_write()?;
		begin.open_table(LANES)?;
		{
			let mut meta = begin.open_table(META)?;
			let found = meta.get("chain")?.map(|value| value.value().to_vec());
			match found {
				None => {
					let chain = (SCHEMA, genesis).encode();
					meta.insert("chain", chain.as_slice())?;
				}
				Some(found) => {
					let (schema, chain) = <(u32, Hash)>::decode(&mut found.as_slice())
						.map_err(|_| JournalError::Damaged)?;
					if schema != SCHEMA {
						return Err(JournalError::Damaged);
					}
					if chain != genesis {
						return Err(JournalError::OtherChain(format!("{chain:?}")));
					}
				}
			}
		}
		begin.commit()?;
		let (writes, queue) = mpsc::sync_channel(MAX_GROUP);
		let writer = database.clone();
		std::thread::Builder::new()
			.name("journal".into())
			.spawn(move || write_all(&writer, &queue))
			.map_err(|error| JournalError::Database(error.to_string()))?;
		Ok(Self { database, writes })
	}

	/// Writes a lane's record; returns when it is on disk.
	pub async fn put(&self, key: LaneKey, record: &LaneRecord) -> Result<(), JournalError> {
		let (done, written) = oneshot::channel();
		let mut write = Write {
			key,
			record: record.encode(),
			done,
		};
		loop {
			match self.writes.try_send(write) {
				Ok(()) => break,
				Err(mpsc::TrySendError::Full(back)) => {
					write = back;
					tokio::time::sleep(std::time::Duration::from_millis(1)).await;
				}
				Err(mpsc::TrySendError::Disconnected(_)) => return Err(JournalError::Closed),
			}
		}
		written.await.map_err(|_| JournalError::Closed)?
	}

	/// The records of all lanes of a channel's generation.
	pub fn lanes(
		&self,
		channel: ChannelId,
		generation: Generation,
	) -> Result<HashMap<Lane, LaneRecord>, JournalError> {
		let tx = self.database.begin_read()?;
		let table = tx.open_table(LANES)?;
		let range = (channel, generation, u16::MIN)..=(channel, generation, u16::MAX);
		let mut lanes = HashMap::new();
		for entry in table.range(range)? {
			let (key, value) = entry?;
			let record =
				LaneRecord::decode(&mut value.value()).map_err(|_| JournalError::Damaged)?;
			lanes.insert(key.value().2, record);
		}
		Ok(lanes)
	}
}

/// The writing thread: takes what waits, writes it in one transaction, syncs, tells everybody.
fn write_all(database: &Database, queue: &mpsc::Receiver<Write>) {
	while let Ok(first) = queue.recv() {
		let mut group = vec![first];
		while group.len() < MAX_GROUP {
			match queue.try_recv() {
				Ok(next) => group.push(next),
				Err(_) => break,
			}
		}
		let result = write_group(database, &group);
		for write in group {
			// Nobody waits any more if the answer was given up; the record is on disk all the same.
			let _gone = write.done.send(result.clone());
		}
	}
}

fn write_group(database: &Database, group: &[Write]) -> Result<(), JournalError> {
	let mut tx = database.begin_write()?;
	tx.set_durability(Durability::Immediate)?;
	{
		let mut lanes = tx.open_table(LANES)?;
		for Write { key, record, .. } in group {
			lanes.insert((key.channel, key.generation, key.lane), record.as_slice())?;
		}
	}
	tx.commit()?;
	Ok(())
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::gateway::lanes::Totals;

	fn record(amount: u128) -> LaneRecord {
		LaneRecord {
			signed: Totals {
				amount,
				..Totals::default()
			},
			..LaneRecord::default()
		}
	}

	fn key(channel: u64, lane: u16) -> LaneKey {
		LaneKey {
			channel,
			generation: 0,
			lane,
		}
	}

	#[tokio::test]
	async fn what_was_put_should_be_there_after_a_crash() {
		let folder = tempfile::tempdir().unwrap();
		let copy = tempfile::tempdir().unwrap();
		let journal = Journal::open(folder.path(), Hash::zero()).unwrap();
		let puts = (0..100u16).map(|lane| {
			let journal = journal.clone();
			async move { journal.put(key(1, lane), &record(lane.into())).await }
		});
		for put in futures::future::join_all(puts).await {
			put.unwrap();
		}
		// A crash leaves the files as they are at this moment: nothing is closed.
		std::fs::copy(
			folder.path().join("journal.redb"),
			copy.path().join("journal.redb"),
		)
		.unwrap();
		let after = Journal::open(copy.path(), Hash::zero()).unwrap();
		let lanes = after.lanes(1, 0).unwrap();
		assert_eq!(lanes.len(), 100);
		assert_eq!(lanes[&42], record(42));
		assert!(after.lanes(1, 1).unwrap().is_empty());
		assert!(after.lanes(2, 0).unwrap().is_empty());
	}

	#[tokio::test]
	async fn journal_of_another_chain_should_be_refused() {
		let folder = tempfile::tempdir().unwrap();
		drop(Journal::open(folder.path(), Hash::zero()).unwrap());
		let mut error = None;
		// The writing thread lets go of the file a moment after the journal is dropped.
		for _ in 0..100 {
			match Journal::open(folder.path(), Hash::repeat_byte(1)) {
				Err(JournalError::Database(_)) => {
					tokio::time::sleep(std::time::Duration::from_millis(10)).await;
				}
				other => {
					error = other.err();
					break;
				}
			}
		}
		assert!(
			matches!(error, Some(JournalError::OtherChain(_))),
			"{error:?}"
		);
	}
}
