//! The gRPC services: `Inference`, `Adapters`, `Receipts`.

use crate::{
	answer::{self, wire_rate},
	catalog::{hashes_of, registered, ROOM},
	error::Refusal,
	files::{Incoming, Registered},
	generator::Generator,
	payee::Payee,
	reporter::payouts_of,
	store::ReceiptRecord,
	telemetry,
	trees::{Reports, Shown},
	worker::{Input, Mode, Wanted, Worker},
};
use codec::Encode;
use openledger_client::types::AdapterState;
use openledger_engine::{AdapterKey, Sampling};
use openledger_primitives::Hash;
use openledger_proto::v1::{
	adapters_server::Adapters, get_receipt_request::Key, inference_server::Inference,
	quote_request, receipts_server::Receipts, upload_request, AdapterRequest, AdapterStatus,
	Earned, GenerateRequest, GenerateResponse, GetReceiptRequest, ListAdaptersRequest,
	ListAdaptersResponse, PinAdapterRequest, QuoteRequest, QuoteResponse, ReceiptDetail,
	ReportDetail, ReportPiece, ReportRequest, UploadRequest,
};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::sync::{mpsc, Semaphore};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{async_trait, Request, Response, Status, Streaming};
use tracing::Instrument;

/// Frames that wait for a slow client before the answer does.
const FRAMES: usize = 64;

/// Files that are received at a time.
const UPLOADS: usize = 4;

/// Leaves in a piece of a published report; with their attributions a few hundred kilobytes.
const PIECE: usize = 256;

/// Receipts and reports that are looked up at a time.
const LOOKUPS: usize = 4;

/// How long a sender may pause within a file.
const PAUSE: Duration = Duration::from_secs(30);

/// The services of one worker. Cloning is cheap.
#[derive(Clone)]
pub struct Services {
	worker: Arc<Worker>,
	uploads: Arc<Semaphore>,
	lookups: Arc<Semaphore>,
	reports: Arc<Reports>,
}

/// What is in the engine's memory.
struct Memory {
	resident: HashSet<AdapterKey>,
	pinned: HashSet<AdapterKey>,
}

impl Services {
	/// The services of `worker`.
	pub fn new(worker: Arc<Worker>) -> Self {
		Self {
			worker,
			uploads: Arc::new(Semaphore::new(UPLOADS)),
			lookups: Arc::new(Semaphore::new(LOOKUPS)),
			reports: Arc::default(),
		}
	}

	fn answered<T>(&self, result: Result<T, Refusal>, call: &str) -> Result<Response<T>, Status> {
		result.map(Response::new).map_err(|refusal| {
			self.worker.refused(&refusal, call);
			refusal.status()
		})
	}

	fn payee(&self) -> Result<&Arc<Payee>, Refusal> {
		match &self.worker.mode {
			Mode::Paid(payee) => Ok(payee),
			Mode::Offline(_) => Err(Refusal::Offline),
		}
	}

	async fn quote_for(&self, request: QuoteRequest) -> Result<QuoteResponse, Refusal> {
		let input = match request.input {
			Some(quote_request::Input::Chat(chat)) => answer::input_of(chat),
			Some(quote_request::Input::Prompt(text)) => Input::Prompt(text),
			None => {
				return Err(Refusal::BadRequest(
					"neither `chat` nor `prompt` is given".into(),
				))
			}
		};
		let ready = self
			.worker
			.ready(Wanted {
				model: request.model,
				adapters: Vec::new(),
				input,
				sampling: Sampling::default(),
				max_tokens: request.max_tokens,
				stop: Vec::new(),
				form: None,
			})
			.await?;
		let price = ready.model.price;
		let total = |tokens_out| {
			price
				.charge(ready.tokens_in(), tokens_out)
				.and_then(|(compute, licence)| compute.checked_add(licence))
				.ok_or(Refusal::PriceOverflow)
		};
		Ok(QuoteResponse {
			prompt_tokens: ready.tokens_in(),
			quote: ready.model.quote,
			compute_rate: Some(wire_rate(&price.compute)),
			licence_rate: Some(wire_rate(&price.licence)),
			least: total(0)?.to_string(),
			most: total(ready.max_tokens())?.to_string(),
		})
	}

	/// The adapter of that name, whether or not its files are here; they are if a source has them.
	async fn adapter(&self, model: &str) -> Result<(Option<u32>, Registered), Refusal> {
		match &self.worker.mode {
			Mode::Paid(payee) => {
				let block = payee.block()?;
				let adapter = payee.catalog.adapter(block, model).await?;
				let hashes = registered(&adapter);
				payee.catalog.fetch(block, &hashes).await?;
				Ok((Some(adapter.id), hashes))
			}
			Mode::Offline(_) => {
				let served = self.worker.resolve(model).await?;
				let adapter = served.adapter.ok_or_else(|| {
					Refusal::BadRequest(format!("{model:?} is the base model, not an adapter"))
				})?;
				Ok((None, hashes_of(&adapter.key)))
			}
		}
	}

	fn status(
		&self,
		model: &str,
		id: Option<u32>,
		hashes: &Registered,
		memory: &Memory,
	) -> AdapterStatus {
		let offline = id.is_none();
		let missing = self
			.worker
			.files
			.missing(hashes)
			.filter(|file| !(offline && *file == crate::files::INDEX_FILE));
		let tier = if memory.resident.contains(&hashes.key()) {
			"memory"
		} else if missing.is_some() {
			"missing"
		} else {
			"disk"
		};
		AdapterStatus {
			model: model.to_owned(),
			adapter: id,
			weights: hashes.weights.0.to_vec(),
			config: hashes.config.0.to_vec(),
			bytes: self.worker.files.bytes(hashes),
			tier: tier.to_owned(),
			pinned: memory.pinned.contains(&hashes.key()),
		}
	}

	fn memory(&self) -> Memory {
		let generator = &self.worker.generator;
		let resident = generator.resident().into_iter().map(|(key, _)| key);
		Memory {
			resident: resident.collect(),
			pinned: generator.pinned().into_iter().collect(),
		}
	}

	async fn list_all(&self) -> Result<Vec<AdapterStatus>, Refusal> {
		let memory = self.memory();
		match &self.worker.mode {
			Mode::Paid(payee) => {
				let adapters = payee.catalog.adapters(payee.block()?).await?;
				Ok(adapters
					.iter()
					.map(|adapter| {
						self.status(
							&adapter.name,
							Some(adapter.id),
							&registered(adapter),
							&memory,
						)
					})
					.collect())
			}
			Mode::Offline(offline) => {
				let offline = offline.clone();
				let names = tokio::task::spawn_blocking(move || offline.names())
					.await
					.map_err(|_| Refusal::Store("reading the adapter store failed".into()))?;
				Ok(names
					.iter()
					.map(|(name, key)| self.status(name, None, &hashes_of(key), &memory))
					.collect())
			}
		}
	}

	/// Does what the operator wants with an adapter in memory, which may take as long as loading it.
	async fn act<T>(
		&self,
		request: &Request<T>,
		model: &str,
		act: impl FnOnce(&dyn Generator, &AdapterKey) -> Result<(), Refusal> + Send + 'static,
	) -> Result<AdapterStatus, Refusal> {
		self.worker.operator.check(request.metadata())?;
		let (id, hashes) = self.adapter(model).await?;
		let memory = self.memory();
		let before = self.status(model, id, &hashes, &memory);
		if before.tier == "missing" {
			let file = self
				.worker
				.files
				.missing(&hashes)
				.unwrap_or(crate::files::INDEX_FILE);
			return Err(Refusal::AdapterMissing {
				model: model.to_owned(),
				file,
			});
		}
		let generator = self.worker.generator.clone();
		tokio::task::spawn_blocking(move || act(&*generator, &hashes.key()))
			.await
			.map_err(|_| Refusal::Store("the engine did not answer".into()))??;
		Ok(self.status(model, id, &hashes, &self.memory()))
	}

	async fn receive(
		&self,
		mut frames: Streaming<UploadRequest>,
	) -> Result<AdapterStatus, Refusal> {
		let payee = self.payee()?.clone();
		let _turn = self
			.uploads
			.clone()
			.try_acquire_owned()
			.map_err(|_| Refusal::TooManyStreams("too many files are being sent"))?;
		let mut current: Option<Incoming> = None;
		let mut model: Option<(String, u32, Registered)> = None;
		loop {
			let frame = tokio::time::timeout(PAUSE, frames.message())
				.await
				.map_err(|_| Refusal::ClientGone)?
				.map_err(|_| Refusal::ClientGone)?;
			let Some(UploadRequest { frame }) = frame else {
				break;
			};
			match frame {
				Some(upload_request::Frame::Start(start)) => {
					self.finish(current.take()).await?;
					let adapter = payee.catalog.adapter(payee.block()?, &start.model).await?;
					if adapter.base != payee.catalog.base {
						return Err(Refusal::OtherBase(start.model));
					}
					let hashes = registered(&adapter);
					let files = self.worker.files.clone();
					let received =
						tokio::task::spawn_blocking(move || files.receive(&hashes, &start.file));
					let received = received
						.await
						.map_err(|_| Refusal::Store("opening the file failed".into()))?;
					current = Some(received?);
					model = Some((start.model, adapter.id, hashes));
				}
				Some(upload_request::Frame::Data(bytes)) => {
					let incoming = current.take().ok_or_else(|| {
						Refusal::BadRequest("bytes came before `start` named their file".into())
					})?;
					current = Some(self.write(&payee, incoming, bytes).await?);
				}
				None => return Err(Refusal::BadRequest("a frame without content".into())),
			}
		}
		self.finish(current.take()).await?;
		let (name, id, hashes) =
			model.ok_or_else(|| Refusal::BadRequest("no file was sent".into()))?;
		if self.worker.files.missing(&hashes).is_none() {
			let generator = self.worker.generator.clone();
			tokio::task::spawn_blocking(move || generator.check_adapter(&hashes.key()))
				.await
				.map_err(|_| Refusal::Store("checking the adapter failed".into()))??;
			payee.verify_index(&name).await?;
			tracing::info!(model = name, "adapter received");
		}
		Ok(self.status(&name, Some(id), &hashes, &self.memory()))
	}

	/// Writes the next bytes of a file; when the store is full, what no active adapter needs makes room.
	async fn write(
		&self,
		payee: &Payee,
		mut incoming: Incoming,
		bytes: Vec<u8>,
	) -> Result<Incoming, Refusal> {
		let failed = |_| Refusal::Store("writing the file failed".into());
		let written = tokio::task::spawn_blocking(move || {
			let result = incoming.write(&bytes);
			(incoming, bytes, result)
		});
		let (mut incoming, bytes, result) = written.await.map_err(failed)?;
		match result {
			Err(Refusal::StoreFull(_)) => {}
			result => return result.map(|()| incoming),
		}
		let mut needed = payee.view.chain().adapters(payee.block()?.hash).await?;
		needed.retain(|adapter| adapter.state == AdapterState::Active);
		let files = self.worker.files.clone();
		let again = tokio::task::spawn_blocking(move || {
			let needed: Vec<Registered> = needed.iter().map(registered).collect();
			let room = (bytes.len() as u64).max(ROOM);
			files.make_room(room, &needed);
			incoming.write(&bytes)?;
			Ok(incoming)
		});
		again.await.map_err(failed)?
	}

	async fn finish(&self, incoming: Option<Incoming>) -> Result<(), Refusal> {
		let Some(incoming) = incoming else {
			return Ok(());
		};
		let files = self.worker.files.clone();
		tokio::task::spawn_blocking(move || files.finish(incoming))
			.await
			.map_err(|_| Refusal::Store("writing the file failed".into()))??;
		self.worker.metrics.upload();
		Ok(())
	}

	/// Looks something up off the tasks that stream answers, a few at a time.
	async fn lookup<T: Send + 'static>(
		&self,
		look: impl FnOnce(&Self) -> Result<T, Refusal> + Send + 'static,
	) -> Result<T, Refusal> {
		let _turn = self
			.lookups
			.acquire()
			.await
			.map_err(|_| Refusal::ShuttingDown)?;
		let services = self.clone();
		tokio::task::spawn_blocking(move || look(&services))
			.await
			.map_err(|_| Refusal::Store("reading the store failed".into()))?
	}

	fn detail(&self, request: GetReceiptRequest) -> Result<ReceiptDetail, Refusal> {
		let payee = self.payee()?;
		let unknown = || Refusal::NotFound("this worker has no such receipt".into());
		let digest = match request.key {
			Some(Key::Receipt(bytes)) => <[u8; 32]>::try_from(bytes)
				.map(Hash::from)
				.map_err(|_| Refusal::BadRequest("a receipt's digest has 32 bytes".into()))?,
			Some(Key::Id(id)) => payee.store.receipt_of(&id)?.ok_or_else(unknown)?,
			None => {
				return Err(Refusal::BadRequest(
					"neither `receipt` nor `id` is given".into(),
				))
			}
		};
		let record = payee.store.receipt(&digest)?.ok_or_else(unknown)?;
		let mut earned = Vec::new();
		for (epoch, paid) in payee.store.earnings_of(&record)? {
			let report = self.reports.get(&payee.store, epoch)?;
			let mut entry = Earned {
				epoch,
				paid: paid.to_string(),
				..Earned::default()
			};
			if let Some(report) = report {
				place(payee, &digest, &record, &report, &mut entry)?;
			}
			earned.push(entry);
		}
		Ok(ReceiptDetail {
			id: record.id.clone(),
			receipt: record.receipt.encode(),
			attribution: payee.store.attribution(&digest)?.encode(),
			earned,
		})
	}

	fn report_of(&self, epoch: u32) -> Result<ReportDetail, Refusal> {
		let payee = self.payee()?;
		let shown = self
			.reports
			.get(&payee.store, epoch)?
			.ok_or_else(|| Refusal::NotFound(format!("epoch {epoch} is not reported")))?;
		let report = &shown.report;
		Ok(ReportDetail {
			receipts: report.receipts.encode(),
			parts: report.parts.encode(),
			payouts: report.payouts.encode(),
			terms: report.terms_version,
			receipt_leaves: report.receipt_leaves.iter().map(Encode::encode).collect(),
			payout_leaves: report.payout_leaves.iter().map(Encode::encode).collect(),
		})
	}
}

/// Sends everything that `shown` commits to, in pieces, as fast as it is taken.
fn publish(
	payee: &Payee,
	shown: &Shown,
	pieces: &mpsc::Sender<Result<ReportPiece, Status>>,
) -> Result<(), Refusal> {
	let report = &shown.report;
	// A client that has gone away wants no more.
	let send = |piece| pieces.blocking_send(Ok(piece)).is_ok();
	for leaves in report.receipt_leaves.chunks(PIECE) {
		let mut piece = ReportPiece {
			receipt_leaves: leaves.iter().map(Encode::encode).collect(),
			..ReportPiece::default()
		};
		for leaf in leaves {
			if let Some(record) = payee.store.receipt(&leaf.receipt)? {
				piece.receipts.push(record.receipt.encode());
				let attribution = payee.store.attribution(&leaf.receipt)?;
				piece.attributions.push(attribution.encode());
			}
		}
		if !send(piece) {
			return Ok(());
		}
	}
	let parts = report.part_leaves.chunks(PIECE).map(|leaves| ReportPiece {
		part_leaves: leaves.iter().map(Encode::encode).collect(),
		..ReportPiece::default()
	});
	let payouts = report
		.payout_leaves
		.chunks(PIECE)
		.map(|leaves| ReportPiece {
			payout_leaves: leaves.iter().map(Encode::encode).collect(),
			..ReportPiece::default()
		});
	for piece in parts.chain(payouts) {
		if !send(piece) {
			return Ok(());
		}
	}
	Ok(())
}

/// A receipt's place in a report, and what it adds to the payouts.
fn place(
	payee: &Payee,
	digest: &Hash,
	record: &ReceiptRecord,
	shown: &Shown,
	entry: &mut Earned,
) -> Result<(), Refusal> {
	let Some(index) = shown.position(digest) else {
		return Ok(());
	};
	let wrong = |error: String| Refusal::Store(format!("the report cannot be shown: {error}"));
	let position = usize::try_from(index).map_err(|error| wrong(error.to_string()))?;
	let leaves = payouts_of(payee, &shown.report, position, record)
		.map_err(|error| wrong(error.to_string()))?;
	let proof = shown.proof(index)?;
	entry.payouts = leaves.iter().map(Encode::encode).collect();
	entry.reported = true;
	entry.index = index;
	entry.proof = proof.encode();
	Ok(())
}

#[async_trait]
impl Inference for Services {
	type GenerateStream = ReceiverStream<Result<GenerateResponse, Status>>;

	async fn generate(
		&self,
		request: Request<Streaming<GenerateRequest>>,
	) -> Result<Response<Self::GenerateStream>, Status> {
		let (replies, receiver) = mpsc::channel(FRAMES);
		let given = request.metadata().get("x-request-id");
		let span = telemetry::call("Generate", given.and_then(|id| id.to_str().ok()));
		let serve = answer::serve(self.worker.clone(), request.into_inner(), replies);
		tokio::spawn(serve.instrument(span));
		Ok(Response::new(ReceiverStream::new(receiver)))
	}

	async fn quote(
		&self,
		request: Request<QuoteRequest>,
	) -> Result<Response<QuoteResponse>, Status> {
		self.answered(self.quote_for(request.into_inner()).await, "quote")
	}
}

#[async_trait]
impl Adapters for Services {
	async fn list(
		&self,
		_: Request<ListAdaptersRequest>,
	) -> Result<Response<ListAdaptersResponse>, Status> {
		let listed = self
			.list_all()
			.await
			.map(|adapters| ListAdaptersResponse { adapters });
		self.answered(listed, "adapters.list")
	}

	async fn load(
		&self,
		request: Request<AdapterRequest>,
	) -> Result<Response<AdapterStatus>, Status> {
		let model = request.get_ref().model.clone();
		let loaded = self.act(&request, &model, |generator, key| {
			generator.preload(key);
			Ok(())
		});
		self.answered(loaded.await, "adapters.load")
	}

	async fn pin(
		&self,
		request: Request<PinAdapterRequest>,
	) -> Result<Response<AdapterStatus>, Status> {
		let PinAdapterRequest { model, pinned } = request.get_ref().clone();
		let done = self.act(&request, &model, move |generator, key| {
			generator.pin(key, pinned)
		});
		self.answered(done.await, "adapters.pin")
	}

	async fn unload(
		&self,
		request: Request<AdapterRequest>,
	) -> Result<Response<AdapterStatus>, Status> {
		let model = request.get_ref().model.clone();
		let done = self.act(&request, &model, |generator, key| generator.unload(key));
		self.answered(done.await, "adapters.unload")
	}

	async fn upload(
		&self,
		request: Request<Streaming<UploadRequest>>,
	) -> Result<Response<AdapterStatus>, Status> {
		self.answered(self.receive(request.into_inner()).await, "adapters.upload")
	}
}

#[async_trait]
impl Receipts for Services {
	type PublishedStream = ReceiverStream<Result<ReportPiece, Status>>;

	async fn published(
		&self,
		request: Request<ReportRequest>,
	) -> Result<Response<Self::PublishedStream>, Status> {
		let epoch = request.into_inner().epoch;
		let found = self.lookup(move |services| {
			let payee = services.payee()?.clone();
			let shown = services.reports.get(&payee.store, epoch)?;
			let shown =
				shown.ok_or_else(|| Refusal::NotFound(format!("epoch {epoch} is not reported")))?;
			Ok((payee, shown))
		});
		let (payee, shown) = match found.await {
			Ok(found) => found,
			Err(refusal) => {
				self.worker.refused(&refusal, "receipts.published");
				return Err(refusal.status());
			}
		};
		let turn = self
			.lookups
			.clone()
			.acquire_owned()
			.await
			.map_err(|_| Refusal::ShuttingDown.status())?;
		let (pieces, receiver) = mpsc::channel(4);
		tokio::task::spawn_blocking(move || {
			if let Err(refusal) = publish(&payee, &shown, &pieces) {
				let _gone = pieces.blocking_send(Err(refusal.status()));
			}
			drop(turn);
		});
		Ok(Response::new(ReceiverStream::new(receiver)))
	}

	async fn get(
		&self,
		request: Request<GetReceiptRequest>,
	) -> Result<Response<ReceiptDetail>, Status> {
		let request = request.into_inner();
		let found = self.lookup(move |services| services.detail(request));
		self.answered(found.await, "receipts.get")
	}

	async fn report(
		&self,
		request: Request<ReportRequest>,
	) -> Result<Response<ReportDetail>, Status> {
		let epoch = request.into_inner().epoch;
		let found = self.lookup(move |services| services.report_of(epoch));
		self.answered(found.await, "receipts.report")
	}
}

#[cfg(test)]
mod tests;
