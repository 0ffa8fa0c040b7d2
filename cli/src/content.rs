//! Records where contributors publish them: putting them there, and fetching them from there.
//!
//! Nothing fetched is believed: what does not lead to the root on chain is refused.

use crate::{home::write_whole, CliError};
use openledger_attribution::{
	snapshot::{self, MAX_CONTRIBUTION},
	Records,
};
use openledger_client::{types, Chain};
use openledger_primitives::{Commitment, DatanetId, SnapshotVersion};
use std::{
	path::{Path, PathBuf},
	time::Duration,
};

/// Most bytes of a file of records: JSON writes some characters as six bytes.
const MAX_FILE: usize = 2 * MAX_CONTRIBUTION;
/// For one file.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Where `records` can be fetched once they are [published](publish) in `folder`: under `base` if the
/// folder is published there, or as a file of this machine. Makes the folder, and no more: who sees
/// records before they are registered can register them first.
pub fn address(records: &Records, folder: &Path, base: Option<&str>) -> Result<String, CliError> {
	std::fs::create_dir_all(folder).map_err(|error| CliError::io(folder, error))?;
	let name = file_name(records)?;
	match base {
		Some(base) => Ok(format!("{}/{name}", base.trim_end_matches('/'))),
		None => {
			let folder = folder
				.canonicalize()
				.map_err(|error| CliError::io(folder, error))?;
			Ok(format!("file://{}", folder.join(name).display()))
		}
	}
}

/// Copies `records` into `folder`, under their root.
pub fn publish(records: &Records, folder: &Path) -> Result<(), CliError> {
	let path = folder.join(file_name(records)?);
	write_whole(&path, records.to_jsonl().as_bytes())
}

fn file_name(records: &Records) -> Result<String, CliError> {
	Ok(format!("{}.jsonl", hex::encode(records.commitment()?.root)))
}

/// Fetches the records behind `uri` and checks them against `expected`.
pub async fn fetch(uri: &str, expected: &Commitment) -> Result<Records, CliError> {
	let bytes = match uri.split_once("://") {
		Some(("file", path)) => {
			let path = PathBuf::from(path);
			std::fs::read(&path).map_err(|error| CliError::io(&path, error))?
		}
		Some(("http" | "https", _)) => download(uri).await?,
		_ => {
			return Err(CliError::new(
				"content-address",
				format!("`{uri}` cannot be fetched: only file://, http:// and https:// can."),
			))
		}
	};
	let records = Records::from_jsonl(uri, &bytes)?.records;
	if records.commitment()? != *expected {
		return Err(CliError::new(
			"content-changed",
			format!(
				"The records at {uri} are not those that were contributed: their root differs from \
				 the one on chain. Ask the contributor to publish the original file again."
			),
		));
	}
	Ok(records)
}

async fn download(url: &str) -> Result<Vec<u8>, CliError> {
	let failed = |error: reqwest::Error| {
		CliError::new(
			"content-unreachable",
			format!("{url} cannot be fetched: {error}."),
		)
	};
	let client = reqwest::Client::builder()
		.timeout(TIMEOUT)
		.build()
		.map_err(failed)?;
	let mut response = client
		.get(url)
		.send()
		.await
		.and_then(|answer| answer.error_for_status())
		.map_err(failed)?;
	let mut bytes = Vec::new();
	while let Some(chunk) = response.chunk().await.map_err(failed)? {
		if bytes.len() + chunk.len() > MAX_FILE {
			return Err(CliError::new(
				"content-too-large",
				format!("{url} has more than {MAX_FILE} bytes, more than a contribution may have."),
			));
		}
		bytes.extend_from_slice(&chunk);
	}
	Ok(bytes)
}

/// The contributions of a snapshot, in order of id, with the snapshot.
pub async fn of_snapshot(
	chain: &Chain,
	datanet: DatanetId,
	version: SnapshotVersion,
) -> Result<(types::Snapshot, Vec<types::Contribution>), CliError> {
	let snapshot = chain.snapshot(datanet, version).await?.ok_or_else(|| {
		CliError::missing(format!(
			"Datanet {datanet} has no snapshot {version}. Make one with `openledger datanet snapshot \
			 {datanet}`."
		))
	})?;
	let mut contributions = chain.contributions(datanet).await?;
	contributions.retain(|contribution| contribution.state.is_in(version));
	Ok((snapshot, contributions))
}

/// Fetches everything in a snapshot and checks it against the chain.
pub async fn fetch_snapshot(
	chain: &Chain,
	datanet: DatanetId,
	version: SnapshotVersion,
	progress: impl Fn(usize, usize),
) -> Result<snapshot::Snapshot, CliError> {
	let (on_chain, contributions) = of_snapshot(chain, datanet, version).await?;
	let total = contributions.len();
	let mut fetched = Vec::with_capacity(total);
	for (index, contribution) in contributions.into_iter().enumerate() {
		progress(index, total);
		let records = fetch(&contribution.uri, &contribution.records).await?;
		fetched.push(snapshot::Contribution {
			id: contribution.id,
			contributor: contribution.contributor.to_string(),
			payout: contribution.payout.to_string(),
			records,
		});
	}
	progress(total, total);
	let snapshot = snapshot::Snapshot {
		datanet,
		version,
		licence: on_chain.licence,
		contributions: fetched,
	};
	snapshot.verify(&on_chain.contributions)?;
	Ok(snapshot)
}

/// A Datanet and a version, as `3@2`, or `3` for the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotName {
	/// The Datanet.
	pub datanet: DatanetId,
	/// The version; the newest if absent.
	pub version: Option<SnapshotVersion>,
}

impl std::str::FromStr for SnapshotName {
	type Err = String;

	fn from_str(text: &str) -> Result<Self, String> {
		let bad =
			|| format!("`{text}` is no snapshot: write 3@2 for snapshot 2 of Datanet 3, or 3");
		let (datanet, version) = match text.split_once('@') {
			Some((datanet, version)) => (datanet, Some(version)),
			None => (text, None),
		};
		let version = version
			.map(|v| v.trim_start_matches('v').parse())
			.transpose()
			.map_err(|_| bad())?;
		Ok(Self {
			datanet: datanet.parse().map_err(|_| bad())?,
			version,
		})
	}
}

impl SnapshotName {
	/// The version: the one named, or the Datanet's newest.
	pub async fn resolve(&self, chain: &Chain) -> Result<(DatanetId, SnapshotVersion), CliError> {
		if let Some(version) = self.version {
			return Ok((self.datanet, version));
		}
		let datanet = chain.datanet(self.datanet).await?.ok_or_else(|| {
			CliError::missing(format!(
				"There is no Datanet {}. `openledger datanet list` shows them.",
				self.datanet
			))
		})?;
		match datanet.snapshots {
			0 => Err(CliError::missing(format!(
				"Datanet {0} has no snapshot yet. Make one with `openledger datanet snapshot {0}`.",
				self.datanet
			))),
			version => Ok((self.datanet, version)),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn records(texts: &[&str]) -> Records {
		Records::new(texts.iter().map(|text| (*text).to_owned()))
			.unwrap()
			.records
	}

	#[test]
	fn snapshot_names_should_be_read() {
		let name = |text: &str| text.parse::<SnapshotName>();
		assert_eq!(
			name("3@2"),
			Ok(SnapshotName {
				datanet: 3,
				version: Some(2)
			})
		);
		assert_eq!(
			name("3@v2"),
			Ok(SnapshotName {
				datanet: 3,
				version: Some(2)
			})
		);
		assert_eq!(
			name("7"),
			Ok(SnapshotName {
				datanet: 7,
				version: None
			})
		);
		for bad in ["", "a", "3@", "@2", "3@x", "-1"] {
			assert!(name(bad).is_err(), "{bad}");
		}
	}

	#[tokio::test]
	async fn published_records_should_be_fetched_again() {
		let folder = tempfile::tempdir().unwrap();
		let records = records(&["one", "two \"quoted\"\nlines"]);
		let content = folder.path().join("content");
		let uri = address(&records, &content, None).unwrap();
		assert!(uri.starts_with("file:///"));
		// Nobody has them before they are published.
		assert!(fetch(&uri, &records.commitment().unwrap()).await.is_err());
		publish(&records, &content).unwrap();
		let fetched = fetch(&uri, &records.commitment().unwrap()).await.unwrap();
		assert_eq!(fetched, records);
	}

	#[tokio::test]
	async fn changed_records_should_be_refused() {
		let folder = tempfile::tempdir().unwrap();
		let expected = records(&["one"]).commitment().unwrap();
		let other = records(&["other"]);
		let uri = address(&other, folder.path(), None).unwrap();
		publish(&other, folder.path()).unwrap();
		assert_eq!(
			fetch(&uri, &expected).await.unwrap_err().code,
			"content-changed"
		);
		let error = fetch("ftp://host/x", &expected).await.unwrap_err();
		assert_eq!(error.code, "content-address");
	}

	#[test]
	fn published_folder_should_give_web_addresses() {
		let folder = tempfile::tempdir().unwrap();
		let records = records(&["one"]);
		let uri = address(&records, folder.path(), Some("https://example.org/data/")).unwrap();
		let root = hex::encode(records.commitment().unwrap().root);
		assert_eq!(uri, format!("https://example.org/data/{root}.jsonl"));
	}
}
