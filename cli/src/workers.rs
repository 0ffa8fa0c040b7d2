//! Talking to providers' workers.

use crate::CliError;
use codec::{Decode, DecodeAll};
use openledger_client::reports::Published;
use openledger_primitives::{merkle, Attribution, EpochIndex, Hash, Receipt};
use openledger_proto::v1::{
	adapters_client::AdaptersClient, get_receipt_request::Key, receipts_client::ReceiptsClient,
	upload_request::Frame, AdapterStatus, GetReceiptRequest, ReceiptDetail, ReportRequest,
	UploadRequest, UploadStart,
};
use std::{
	path::Path,
	time::{Duration, Instant},
};
use tokio::io::AsyncReadExt;
use tonic::transport::{Channel, Endpoint};

/// The files of an adapter, by their names.
pub const ADAPTER_FILES: [&str; 3] = [
	"adapter_model.safetensors",
	"adapter_config.json",
	"index.bin",
];
/// Bytes of one message of an upload.
const PIECE: usize = 256 * 1024;
/// How far a worker's view of the chain may lie behind ours.
const PATIENCE: Duration = Duration::from_secs(20);
/// Time for a worker to send a whole report.
const PUBLISHED: Duration = Duration::from_secs(60);
/// Time to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// Most bytes of an answer: a receipt with its attribution and proofs.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// A connection to a worker, made when it is first used.
pub fn connect(endpoint: &str) -> Result<Channel, CliError> {
	let bad = |reason: String| {
		CliError::new(
			"bad-endpoint",
			format!("`{endpoint}` cannot be reached: {reason}."),
		)
	};
	if endpoint.starts_with("https://") {
		return Err(bad("encrypted connections are not supported yet".into()));
	}
	let endpoint =
		Endpoint::from_shared(endpoint.to_owned()).map_err(|error| bad(error.to_string()))?;
	Ok(endpoint
		.connect_timeout(CONNECT)
		.http2_keep_alive_interval(Duration::from_secs(20))
		.keep_alive_while_idle(true)
		.tcp_nodelay(true)
		.connect_lazy())
}

/// Asks a worker for a receipt and what it earned.
pub async fn receipt(endpoint: &str, digest: Hash) -> Result<ReceiptDetail, CliError> {
	let mut client = ReceiptsClient::new(connect(endpoint)?).max_decoding_message_size(MAX_MESSAGE);
	let request = GetReceiptRequest {
		key: Some(Key::Receipt(digest.as_bytes().to_vec())),
	};
	Ok(client.get(request).await?.into_inner())
}

/// Everything that a worker publishes of an epoch's report. A worker that takes too long is given up, so
/// that it cannot keep its reports, or those of others, from being checked.
pub async fn published(endpoint: &str, epoch: EpochIndex) -> Result<Published, CliError> {
	tokio::time::timeout(PUBLISHED, receive(endpoint, epoch))
		.await
		.unwrap_or_else(|_| {
			let limit = PUBLISHED.as_secs();
			Err(CliError::new(
				"worker",
				format!("The worker did not send its report within {limit} s."),
			))
		})
}

async fn receive(endpoint: &str, epoch: EpochIndex) -> Result<Published, CliError> {
	let mut client = ReceiptsClient::new(connect(endpoint)?).max_decoding_message_size(MAX_MESSAGE);
	let mut pieces = client
		.published(ReportRequest { epoch })
		.await?
		.into_inner();
	let mut published = Published::default();
	while let Some(piece) = pieces.message().await? {
		take(&piece.receipt_leaves, &mut published.receipt_leaves)?;
		take(&piece.part_leaves, &mut published.part_leaves)?;
		take(&piece.payout_leaves, &mut published.payout_leaves)?;
		let (mut receipts, mut attributions) = (Vec::new(), Vec::new());
		take::<Receipt>(&piece.receipts, &mut receipts)?;
		take::<Attribution>(&piece.attributions, &mut attributions)?;
		for receipt in receipts {
			published.receipts.insert(receipt.digest(), receipt);
		}
		for attribution in attributions {
			let digest = attribution.digest();
			published.attributions.insert(digest, attribution);
		}
		let counts = [
			published.receipt_leaves.len(),
			published.part_leaves.len(),
			published.payout_leaves.len(),
			published.receipts.len(),
			published.attributions.len(),
		];
		if counts.iter().any(|count| *count > MAX_TREE) {
			return Err(malformed());
		}
	}
	Ok(published)
}

/// Most leaves of a tree: what a report can commit to.
const MAX_TREE: usize = merkle::MAX_LEAVES as usize;

fn take<T: Decode>(encoded: &[Vec<u8>], into: &mut Vec<T>) -> Result<(), CliError> {
	for bytes in encoded {
		into.push(T::decode_all(&mut bytes.as_slice()).map_err(|_| malformed())?);
	}
	Ok(())
}

fn malformed() -> CliError {
	CliError::new("worker", "The worker sent a report that cannot be read.")
}

/// Sends the files of an adapter that is registered as `model` to a worker. One that has not heard of
/// the adapter yet is given a while, since its view of the chain may lie behind ours.
pub async fn push(endpoint: &str, model: &str, folder: &Path) -> Result<AdapterStatus, CliError> {
	let begun = Instant::now();
	loop {
		match push_once(endpoint, model, folder).await {
			Err(error) if error.code == "unknown-model" && begun.elapsed() < PATIENCE => {
				tokio::time::sleep(Duration::from_secs(1)).await;
			}
			result => return result,
		}
	}
}

async fn push_once(endpoint: &str, model: &str, folder: &Path) -> Result<AdapterStatus, CliError> {
	let channel = connect(endpoint)?;
	let mut last = None;
	for file in ADAPTER_FILES {
		let path = folder.join(file);
		let mut source = tokio::fs::File::open(&path)
			.await
			.map_err(|error| CliError::io(&path, error))?;
		let start = UploadStart {
			model: model.into(),
			file: file.into(),
		};
		let (sender, receiver) = tokio::sync::mpsc::channel(4);
		let reading = tokio::spawn(async move {
			let begin = UploadRequest {
				frame: Some(Frame::Start(start)),
			};
			if sender.send(begin).await.is_err() {
				return Ok(());
			}
			loop {
				let mut piece = vec![0; PIECE];
				let length = source.read(&mut piece).await?;
				if length == 0 {
					return Ok(());
				}
				piece.truncate(length);
				let next = UploadRequest {
					frame: Some(Frame::Data(piece)),
				};
				// The worker has said what it wants to say about this file.
				if sender.send(next).await.is_err() {
					return Ok(());
				}
			}
		});
		let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
		let answer = AdaptersClient::new(channel.clone()).upload(stream).await?;
		let read: std::io::Result<()> = reading.await.unwrap_or_else(|error| {
			Err(std::io::Error::other(format!(
				"reading was broken off: {error}"
			)))
		});
		read.map_err(|error| CliError::io(&path, error))?;
		last = Some(answer.into_inner());
	}
	last.ok_or_else(|| CliError::new("worker", "The worker did not answer."))
}
