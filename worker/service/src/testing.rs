//! A chain in memory, a scripted engine, and a payer, so that every rule of payment can be tested.

use crate::{
	answer,
	attributor::Attributor,
	catalog::OnChain,
	chain::{BlockEvents, Chain, ChainError, Skipped},
	error::Refusal,
	files::{Files, Registered, INDEX_FILE},
	follower::Follower,
	generator::Generator,
	meter::Meter,
	metrics::Metrics,
	payee::Payee,
	payments::{LaneKey, Totals},
	redeemer::Redeemer,
	reporter::Reporter,
	store::{Block, Interval, Redemption, Store},
	view::View,
	worker::{Limits, Mode, Worker},
};
use codec::{Decode, Encode};
use futures::stream::{BoxStream, StreamExt};
use openledger_attribution::{Contribution, Index, Records, Snapshot, Token};
use openledger_client::{
	reports::{find, Published, Trees},
	types::{
		Adapter, AdapterState, Audit, BaseModel, Channel, Delegate, Epoch, LaneState, ModelId, Pot,
		Provider, ProviderState, Quote, Report,
	},
	Keypair, LaneOf,
};
use openledger_engine::{
	store::{CONFIG_FILE, WEIGHTS_FILE},
	AdapterKey, AdapterStore, Chat, Constraint, EngineError, EngineStats, FinishReason, Grammar,
	Request, StreamEvent, Tenant, TenantStats,
};
use openledger_primitives::{
	algorithm, content_hash,
	dispute::{
		AdapterFact, AuditAnswer, ChainFacts, ChannelFact, Dispute, Fault, NotProven, ReportFacts,
		Source,
	},
	fees::{scale, split_redemption},
	merkle::{verify_range, Node},
	report::{parts_tree, payouts_tree, receipts_tree},
	voucher::acknowledge,
	AccountId, AdapterId, Balance, BaseModelId, BlockNumber, ChannelId, Commitment, DatanetId,
	EpochIndex, Hash, Lane, PayoutLeaf, Rate, Receipt, SignedVoucher, SnapshotVersion, Terms,
	TermsVersion, Voucher as Claim, OPEN,
};
use openledger_proto::v1::{
	generate_request::Frame as Out, generate_response::Frame as In, start, Accepted, Cancel,
	Finished, GenerateRequest, GenerateResponse, Payer as WirePayer, Start,
};
use std::{
	collections::BTreeMap,
	path::{Path, PathBuf},
	sync::{
		atomic::{AtomicUsize, Ordering},
		Arc, Mutex, MutexGuard,
	},
	time::Duration,
};
use tokio::{
	sync::{mpsc, watch, Semaphore},
	task::JoinHandle,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{async_trait, Status};

pub const GENESIS: Hash = Hash::repeat_byte(7);
pub const CHANNEL: ChannelId = 5;
pub const BASE: &str = "base";
pub const ADAPTER: &str = "fox";
pub const LIFETIME: BlockNumber = 1_000;
pub const HEARTBEAT_PERIOD: BlockNumber = 4;

/// What the scripted engine answers, word by word, over and over.
pub const TEXT: &str = "the quick brown fox jumps over the lazy dog and runs into the deep dark \
	forest near the river where nobody ever goes in winter ";

pub fn keys(uri: &str) -> (Keypair, AccountId) {
	let key = Keypair::from_uri(uri).unwrap();
	let account = key.account();
	(key, account)
}

pub fn sign(uri: &str, claim: Claim) -> SignedVoucher {
	keys(uri).0.sign_voucher(claim)
}

pub fn provider() -> AccountId {
	keys("//Provider").1
}

/// The answer's first `tokens` tokens.
pub fn text_of(tokens: u32) -> String {
	TEXT.split_inclusive(' ')
		.cycle()
		.take(tokens as usize)
		.collect()
}

/// What the base model costs.
const BASE_RATE: Rate = Rate {
	input: OPEN / 10,
	output: OPEN / 5,
};

#[derive(Default)]
pub struct ChainState {
	/// Epoch of each block, and what it redeemed.
	pub blocks: Vec<(EpochIndex, Vec<Redemption>)>,
	pub channels: BTreeMap<ChannelId, Channel>,
	pub lanes: BTreeMap<(ChannelId, Lane), LaneState>,
	pub adapters: Vec<Adapter>,
	pub quote: Rate,
	pub quote_id: u32,
	pub jailed: bool,
	/// Blocks that heartbeats named.
	pub heartbeats: Vec<BlockNumber>,
	pub epoch: EpochIndex,
	pub pots: BTreeMap<EpochIndex, Pot>,
	pub reports: BTreeMap<EpochIndex, Report>,
	pub settled: Vec<PayoutLeaf>,
	pub window: BlockNumber,
	/// Calls that fail before one succeeds.
	pub failures: u32,
	/// Draws every report for an audit with this seed.
	pub audit: Option<Hash>,
	/// Settlements that are included before they fail.
	pub settle_limit: Option<u32>,
	/// Vouchers that were skipped, with their blocks.
	pub skipped: Vec<(BlockNumber, Skipped)>,
	/// Skips every voucher for this reason.
	pub skip: Option<&'static str>,
	pub snapshots: BTreeMap<(DatanetId, SnapshotVersion), Commitment>,
	/// What was redeemed of each lane in each epoch.
	pub sources: BTreeMap<(EpochIndex, LaneOf), Source>,
	/// How many lanes were to be swept of which epoch.
	pub swept: Vec<(EpochIndex, u32)>,
}

/// A chain that makes one block per call.
#[derive(Default)]
pub struct FakeChain(Mutex<ChainState>);

impl FakeChain {
	pub fn lock(&self) -> MutexGuard<'_, ChainState> {
		self.0.lock().unwrap()
	}

	pub fn new() -> Arc<Self> {
		let chain = Self::default();
		{
			let mut state = chain.lock();
			state.blocks = vec![(0, Vec::new()); 10];
			state.quote = Rate {
				input: OPEN,
				output: 3 * OPEN,
			};
			state.quote_id = 1;
			state.window = 3;
			let channel = Channel {
				id: CHANNEL,
				payer: keys("//Payer").1,
				provider: provider(),
				generation: 0,
				escrow: 1_000 * OPEN,
				deposited: 1_000 * OPEN,
				redeemed: 0,
				thaw: None,
				delegate: None,
			};
			state.channels.insert(CHANNEL, channel);
		}
		Arc::new(chain)
	}

	pub fn channel_mut(&self, change: impl FnOnce(&mut Channel)) {
		change(self.lock().channels.get_mut(&CHANNEL).unwrap());
		self.next_block();
	}

	pub fn delegate(&self, uri: &str, limit: Balance) {
		let signer = keys(uri).1;
		self.channel_mut(|channel| {
			channel.delegate = Some(Delegate {
				signer,
				limit,
				spent: 0,
			});
		});
	}

	pub fn next_block(&self) -> BlockNumber {
		let mut state = self.lock();
		let epoch = state.epoch;
		state.blocks.push((epoch, Vec::new()));
		(state.blocks.len() - 1) as u32
	}

	pub fn next_epoch(&self) {
		self.lock().epoch += 1;
		self.next_block();
	}

	fn fails(state: &mut ChainState) -> Result<(), ChainError> {
		if state.failures > 0 {
			state.failures -= 1;
			return Err(ChainError::Unreachable("the connection broke".into()));
		}
		Ok(())
	}

	fn hash_of(number: usize) -> Hash {
		Hash::from_low_u64_be(number as u64 + 1)
	}

	fn number_of(hash: Hash) -> usize {
		hash.to_low_u64_be() as usize - 1
	}
}

fn refused(name: &str) -> ChainError {
	ChainError::Refused {
		name: name.into(),
		docs: "no".into(),
	}
}

#[async_trait]
impl Chain for FakeChain {
	fn genesis(&self) -> Hash {
		GENESIS
	}

	async fn finalized(&self) -> Result<Block, ChainError> {
		let number = self.lock().blocks.len() - 1;
		Ok(Block {
			number: number as u32,
			hash: Self::hash_of(number),
		})
	}

	async fn events(&self, number: u32, _: &AccountId) -> Result<BlockEvents, ChainError> {
		let state = self.lock();
		let redemptions = state.blocks[number as usize].1.clone();
		let here = state.skipped.iter().filter(|(at, _)| *at == number);
		let skipped = here.map(|(_, skipped)| skipped.clone()).collect();
		let block = Block {
			number,
			hash: Self::hash_of(number as usize),
		};
		Ok(BlockEvents {
			block,
			redemptions,
			skipped,
		})
	}

	async fn max_voucher_lifetime(&self, _: Hash) -> Result<BlockNumber, ChainError> {
		Ok(LIFETIME)
	}

	async fn heartbeat_period(&self, _: Hash) -> Result<BlockNumber, ChainError> {
		Ok(HEARTBEAT_PERIOD)
	}

	async fn last_heartbeat(
		&self,
		_: Hash,
		_: &AccountId,
	) -> Result<Option<BlockNumber>, ChainError> {
		Ok(self.lock().heartbeats.last().copied())
	}

	async fn heartbeat(
		&self,
		_: &AccountId,
		known: BlockNumber,
	) -> Result<BlockNumber, ChainError> {
		let mut state = self.lock();
		Self::fails(&mut state)?;
		state.heartbeats.push(known);
		drop(state);
		Ok(self.next_block())
	}

	async fn provider_of(&self, _: Hash, _: &AccountId) -> Result<Option<AccountId>, ChainError> {
		Ok(Some(provider()))
	}

	async fn provider(&self, _: Hash, who: &AccountId) -> Result<Option<Provider>, ChainError> {
		let state = self.lock();
		Ok(Some(Provider {
			account: who.clone(),
			hot_key: keys("//Hot").1,
			endpoint: String::new(),
			bond: 0,
			bases: vec![0],
			quote: Quote {
				id: state.quote_id,
				rate: state.quote,
			},
			state: if state.jailed {
				ProviderState::Jailed { until: 0 }
			} else {
				ProviderState::Active
			},
		}))
	}

	async fn base_model(&self, _: Hash, id: BaseModelId) -> Result<Option<BaseModel>, ChainError> {
		Ok((id == 0).then(|| BaseModel {
			id,
			owner: keys("//BaseOwner").1,
			name: BASE.into(),
			architecture: "llama".into(),
			weights: Hash::zero(),
			tokenizer: Hash::zero(),
			licence: "Apache-2.0".into(),
			rate: BASE_RATE,
		}))
	}

	async fn by_name(&self, _: Hash, name: &str) -> Result<Option<ModelId>, ChainError> {
		if name == BASE {
			return Ok(Some(ModelId::Base(0)));
		}
		let state = self.lock();
		let found = state.adapters.iter().find(|adapter| adapter.name == name);
		Ok(found.map(|adapter| ModelId::Adapter(adapter.id)))
	}

	async fn adapter(&self, _: Hash, id: AdapterId) -> Result<Option<Adapter>, ChainError> {
		Ok(self
			.lock()
			.adapters
			.iter()
			.find(|adapter| adapter.id == id)
			.cloned())
	}

	async fn adapters(&self, _: Hash) -> Result<Vec<Adapter>, ChainError> {
		Ok(self.lock().adapters.clone())
	}

	async fn snapshot(
		&self,
		_: Hash,
		datanet: DatanetId,
		version: SnapshotVersion,
	) -> Result<Option<Commitment>, ChainError> {
		Ok(self.lock().snapshots.get(&(datanet, version)).copied())
	}

	async fn channel(&self, _: Hash, id: ChannelId) -> Result<Option<Channel>, ChainError> {
		Ok(self.lock().channels.get(&id).cloned())
	}

	async fn lane(
		&self,
		_: Hash,
		channel: ChannelId,
		lane: Lane,
	) -> Result<Option<LaneState>, ChainError> {
		Ok(self.lock().lanes.get(&(channel, lane)).copied())
	}

	async fn epoch(&self, at: Hash) -> Result<Epoch, ChainError> {
		let index = self.lock().blocks[Self::number_of(at)].0;
		Ok(Epoch {
			index,
			start: 0,
			length: 10,
			terms: 1,
		})
	}

	async fn terms(&self, _: Hash, _: TermsVersion) -> Result<Option<Terms>, ChainError> {
		Ok(Some(Terms::default()))
	}

	async fn pot(&self, _: Hash, _: &AccountId, epoch: u32) -> Result<Option<Pot>, ChainError> {
		Ok(self.lock().pots.get(&epoch).copied())
	}

	async fn report(
		&self,
		_: Hash,
		_: &AccountId,
		epoch: u32,
	) -> Result<Option<Report>, ChainError> {
		Ok(self.lock().reports.get(&epoch).cloned())
	}

	async fn redeem(&self, vouchers: Vec<SignedVoucher>) -> Result<BlockNumber, ChainError> {
		let mut state = self.lock();
		Self::fails(&mut state)?;
		let now = state.blocks.len() as u32;
		let mut done = Vec::new();
		for signed in vouchers {
			let voucher = &signed.voucher;
			let key = (voucher.channel, voucher.lane);
			let mut channel = state.channels[&voucher.channel].clone();
			let delegate = channel.delegate.clone().map(|delegate| delegate.signer);
			let good = signed.is_signed_by(&channel.payer)
				|| delegate.is_some_and(|signer| signed.is_signed_by(&signer));
			let mut lane = state.lanes.get(&key).copied().unwrap_or_default();
			let bad = !good || voucher.valid_until < now || voucher.amount <= lane.amount;
			if let Some(reason) = state.skip.or(bad.then_some("BadSignature")) {
				let skipped = Skipped {
					channel: voucher.channel,
					lane: voucher.lane,
					reason: reason.into(),
				};
				state.skipped.push((now, skipped));
				continue;
			}
			let whole = voucher.amount - lane.amount;
			let pay = whole.min(channel.escrow);
			let licence = scale(pay, voucher.licence - lane.licence, whole).unwrap();
			let compute = pay - licence;
			channel.escrow -= pay;
			channel.redeemed += pay;
			lane.generation = channel.generation;
			lane.amount += pay;
			lane.licence += licence;
			let epoch = state.epoch;
			let split = split_redemption(compute, licence, &Terms::default()).unwrap();
			let pot = state.pots.entry(epoch).or_insert(Pot {
				licence: 0,
				net: 0,
				terms: 1,
			});
			pot.licence += licence;
			pot.net += split.pot;
			if licence > 0 {
				let place = (voucher.channel, voucher.generation, voucher.lane);
				let source = state.sources.entry((epoch, place)).or_default();
				source.licence += licence;
				source.total = lane.licence;
				source.receipts = voucher.receipts;
			}
			done.push(Redemption {
				key: LaneKey {
					channel: voucher.channel,
					generation: voucher.generation,
					lane: voucher.lane,
				},
				compute,
				licence,
				amount: lane.amount,
			});
			state.channels.insert(voucher.channel, channel);
			state.lanes.insert(key, lane);
		}
		let epoch = state.epoch;
		state.blocks.push((epoch, done));
		Ok(now)
	}

	async fn submit_report(
		&self,
		epoch: EpochIndex,
		receipts: Commitment,
		parts: Commitment,
		payouts: Commitment,
	) -> Result<BlockNumber, ChainError> {
		let mut state = self.lock();
		Self::fails(&mut state)?;
		let now = state.blocks.len() as u32;
		let pot = state.pots[&epoch];
		if state.epoch <= epoch {
			return Err(refused("Attribution.EpochNotOver"));
		}
		if state.reports.contains_key(&epoch) {
			return Err(refused("Attribution.AlreadyReported"));
		}
		if receipts.sum != pot.licence || parts.sum != pot.net || payouts.sum != pot.net {
			return Err(refused("Attribution.ReceiptsDoNotMatch"));
		}
		let report = Report {
			receipts,
			parts,
			payouts,
			terms: 1,
			reporter: provider(),
			reported_at: now,
			open_at: now + state.window,
			audit: state.audit.map(|seed| Audit {
				seed,
				due: now + 100,
				missed: false,
			}),
			settled: 0,
			paid: 0,
		};
		state.reports.insert(epoch, report);
		let current = state.epoch;
		state.blocks.push((current, Vec::new()));
		Ok(now)
	}

	async fn answer_audit(
		&self,
		_: &AccountId,
		epoch: EpochIndex,
		answer: AuditAnswer,
	) -> Result<BlockNumber, ChainError> {
		let mut state = self.lock();
		Self::fails(&mut state)?;
		let now = state.blocks.len() as u32;
		let mut report = state.reports[&epoch].clone();
		if report.audit.take().is_none() {
			return Err(refused("Attribution.NoAudit"));
		}
		let shown = answer.receipts.iter().all(|shown| {
			shown.leaf.before(&report.receipts).is_ok()
				&& shown.receipt.as_ref().map(Receipt::digest) == Some(shown.leaf.leaf.receipt)
		}) && answer.parts.iter().all(|shown| {
			shown.part.before(&report.parts).is_ok() && shown.payout.before(&report.payouts).is_ok()
		});
		if !shown || answer.receipts.is_empty() || answer.parts.is_empty() {
			return Err(refused("Attribution.InvalidOpening"));
		}
		state.reports.insert(epoch, report);
		let current = state.epoch;
		state.blocks.push((current, Vec::new()));
		Ok(now)
	}

	async fn settle(
		&self,
		_: &AccountId,
		epoch: EpochIndex,
		leaves: Vec<PayoutLeaf>,
		proof: Vec<Node>,
	) -> Result<BlockNumber, ChainError> {
		let mut state = self.lock();
		Self::fails(&mut state)?;
		let now = state.blocks.len() as u32;
		let mut report = state.reports[&epoch].clone();
		if now < report.open_at {
			return Err(refused("Attribution.WindowOpen"));
		}
		if let Some(limit) = &mut state.settle_limit {
			if *limit == 0 {
				return Err(ChainError::Unreachable("the connection broke".into()));
			}
			*limit -= 1;
		}
		let nodes = leaves.iter().map(PayoutLeaf::node).collect();
		verify_range(&report.payouts, report.settled, nodes, &proof)
			.map_err(|_| refused("Attribution.InvalidProof"))?;
		report.settled += leaves.len() as u32;
		report.paid += leaves.iter().map(|leaf| leaf.amount).sum::<Balance>();
		state.reports.insert(epoch, report);
		state.settled.extend(leaves);
		let current = state.epoch;
		state.blocks.push((current, Vec::new()));
		Ok(now)
	}

	async fn sweep(
		&self,
		_: &AccountId,
		epoch: EpochIndex,
		limit: u32,
	) -> Result<BlockNumber, ChainError> {
		let mut state = self.lock();
		Self::fails(&mut state)?;
		if state.swept.iter().any(|(swept, _)| *swept == epoch) {
			return Err(refused("Attribution.NothingToSweep"));
		}
		let now = state.blocks.len() as u32;
		state.swept.push((epoch, limit));
		let current = state.epoch;
		state.blocks.push((current, Vec::new()));
		Ok(now)
	}
}

/// The chain in memory as it judges reports; all payees exist.
struct Judge<'a>(&'a FakeChain);

impl ChainFacts for Judge<'_> {
	fn genesis(&self) -> Hash {
		GENESIS
	}

	fn channel(&self, id: ChannelId) -> ChannelFact {
		match self.0.lock().channels.get(&id) {
			None => ChannelFact::NeverOpened,
			Some(channel) => ChannelFact::Open {
				provider: channel.provider.clone(),
			},
		}
	}

	fn source(
		&self,
		_: &AccountId,
		epoch: EpochIndex,
		channel: ChannelId,
		generation: u32,
		lane: Lane,
	) -> Option<Source> {
		let state = self.0.lock();
		let source = state.sources.get(&(epoch, (channel, generation, lane)));
		Some(source.copied().unwrap_or_default())
	}

	fn base_rate(&self, base: BaseModelId) -> Option<Rate> {
		(base == 0).then_some(BASE_RATE)
	}

	fn adapter(&self, id: AdapterId) -> Option<AdapterFact> {
		let state = self.0.lock();
		let found = state.adapters.iter().find(|adapter| adapter.id == id)?;
		Some(AdapterFact {
			base: found.base,
			rate: found.rate,
			algorithm: found.algorithm,
			index: found.index,
		})
	}

	fn is_payable(&self, _: &openledger_primitives::Payee) -> bool {
		true
	}

	fn records(&self, _: DatanetId, _: u32) -> Option<Commitment> {
		None
	}

	fn reported(&self, _: &AccountId, epoch: EpochIndex) -> Option<(AccountId, Commitment)> {
		let report = self.0.lock().reports.get(&epoch).cloned()?;
		Some((report.reporter, report.receipts))
	}
}

/// An engine that answers [`TEXT`], one word a token, as far as it is allowed to.
pub struct Script {
	pub store: PathBuf,
	/// After this many tokens it fails.
	pub fails_at: Option<u32>,
	/// After this many tokens the answer ends by itself.
	pub stops_at: u32,
	/// Refuses every request.
	pub full: bool,
	/// Whom its requests were for.
	pub tenants: Arc<Mutex<Vec<Option<Tenant>>>>,
	/// Folders that were taken into the store.
	pub imports: Arc<AtomicUsize>,
}

impl Script {
	pub fn new(store: &Path) -> Self {
		Self {
			store: store.to_owned(),
			fails_at: None,
			stops_at: u32::MAX,
			full: false,
			tenants: Arc::default(),
			imports: Arc::default(),
		}
	}
}

fn bytes_of(text: &str) -> Vec<u32> {
	text.bytes().map(u32::from).collect()
}

fn tokens_of(text: &str) -> Vec<Token> {
	text.bytes()
		.enumerate()
		.map(|(at, byte)| (byte.into(), (at, at + 1)))
		.collect()
}

impl Generator for Script {
	fn chat(&self, chat: &Chat) -> Result<Vec<u32>, Refusal> {
		let messages = chat.messages.iter();
		Ok(messages
			.flat_map(|message| bytes_of(&message.content))
			.collect())
	}

	fn token(&self, id: u32) -> (Vec<u8>, bool) {
		(u8::try_from(id).into_iter().collect(), false)
	}

	fn compile(&self, _: &Constraint) -> Result<Grammar, Refusal> {
		Err(EngineError::BadGrammar("a script keeps to no grammar".into()).into())
	}

	fn prompt(&self, text: &str) -> Result<Vec<u32>, Refusal> {
		Ok(bytes_of(text))
	}

	fn tokenize(&self, text: &str) -> Vec<Token> {
		tokens_of(text)
	}

	fn text(&self, tokens: &[u32]) -> Result<String, Refusal> {
		let bytes = tokens.iter().filter_map(|token| u8::try_from(*token).ok());
		Ok(String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned())
	}

	fn context(&self) -> usize {
		1_000
	}

	fn submit(&self, request: Request) -> Result<BoxStream<'static, StreamEvent>, Refusal> {
		if self.full {
			return Err(EngineError::QueueFull {
				waiting: 1,
				retry_after: Duration::from_secs(7),
			}
			.into());
		}
		self.tenants.lock().unwrap().push(request.tenant);
		let (fails_at, stops_at) = (self.fails_at, self.stops_at);
		let prompt_tokens = request.prompt.len() as u32;
		let stream = async_stream::stream! {
			let mut words = TEXT.split_inclusive(' ').cycle();
			let mut out = 0u32;
			loop {
				while request.allowance.as_ref().is_some_and(|allowance| allowance.get() <= out) {
					tokio::time::sleep(Duration::from_millis(1)).await;
				}
				if fails_at == Some(out) {
					yield StreamEvent::Failed(EngineError::Backend("scripted".into()));
					return;
				}
				out += 1;
				let text = words.next().unwrap().to_owned();
				yield StreamEvent::Token { id: out, text, logprobs: None };
				let reason = if out >= stops_at {
					FinishReason::Stop
				} else if out as usize >= request.max_tokens {
					FinishReason::Length
				} else {
					continue;
				};
				yield StreamEvent::Finished {
					reason, prompt_tokens, completion_tokens: out, cached_tokens: 0,
				};
				return;
			}
		};
		Ok(stream.boxed())
	}

	fn stats(&self) -> EngineStats {
		EngineStats::default()
	}

	fn tenants(&self) -> Vec<TenantStats> {
		Vec::new()
	}

	fn resident(&self) -> Vec<(AdapterKey, usize)> {
		Vec::new()
	}

	fn preload(&self, _: &AdapterKey) {}

	fn pin(&self, _: &AdapterKey, _: bool) -> Result<(), Refusal> {
		Ok(())
	}

	fn pinned(&self) -> Vec<AdapterKey> {
		Vec::new()
	}

	fn unload(&self, _: &AdapterKey) -> Result<(), Refusal> {
		Ok(())
	}

	fn check_adapter(&self, _: &AdapterKey) -> Result<(), Refusal> {
		Ok(())
	}

	fn store(&self) -> PathBuf {
		self.store.clone()
	}

	fn import(&self, folder: &Path) -> Result<AdapterKey, Refusal> {
		self.imports.fetch_add(1, Ordering::Relaxed);
		Ok(AdapterStore::open(&self.store)?.import(folder)?)
	}

	fn shutdown(&self) {}
}

/// Puts an adapter into the store and onto the chain; its first contribution holds [`TEXT`].
pub fn register_adapter(chain: &FakeChain, store: &Path) -> Adapter {
	let contribution = |id, text: &str| Contribution {
		id,
		contributor: keys(&format!("//Contributor{id}")).1.to_string(),
		payout: keys(&format!("//Contributor{id}")).1.to_string(),
		records: Records::new([text.to_owned()]).unwrap().records,
	};
	let snapshot = Snapshot {
		datanet: 1,
		version: 1,
		licence: "CC-BY-4.0".into(),
		contributions: vec![
			contribution(0, TEXT),
			contribution(1, "leek soup with three leeks, salt, and a lot of patience"),
			contribution(2, "a paragraph about tax law that nobody reads to its end"),
		],
	};
	let index = Index::build(&[snapshot], &tokens_of).unwrap();
	let (version, commitment) = index.commitment(1).unwrap();
	chain.lock().snapshots.insert((1, version), commitment);
	let index = index.encode();
	let (weights, config) = (b"weights".to_vec(), b"config".to_vec());
	let registered = Registered {
		weights: content_hash(&weights),
		config: content_hash(&config),
		index: content_hash(&index),
	};
	let files = Files::new(store.to_owned(), 1 << 20);
	for (name, bytes) in [
		(WEIGHTS_FILE, &weights),
		(CONFIG_FILE, &config),
		(INDEX_FILE, &index),
	] {
		let mut incoming = files.receive(&registered, name).unwrap();
		incoming.write(bytes).unwrap();
		files.finish(incoming).unwrap();
	}
	let adapter = Adapter {
		id: 4,
		owner: keys("//AdapterOwner").1,
		name: ADAPTER.into(),
		base: 0,
		weights: content_hash(&weights),
		config: content_hash(&config),
		rank: 8,
		targets: vec!["q_proj".into()],
		lineage: vec![(1, 1)],
		manifest: Hash::zero(),
		algorithm: algorithm::SPAN_SA_1,
		index: content_hash(&index),
		uri: String::new(),
		rate: Rate {
			input: OPEN / 4,
			output: OPEN,
		},
		state: AdapterState::Active,
	};
	chain.lock().adapters.push(adapter.clone());
	adapter
}

/// A worker over the fake chain.
pub struct World {
	pub chain: Arc<FakeChain>,
	pub worker: Arc<Worker>,
	pub payee: Arc<Payee>,
	pub follower: Follower,
	pub redeemer: Redeemer,
	pub reporter: Reporter,
	pub stop: watch::Sender<bool>,
	pub folder: tempfile::TempDir,
}

impl World {
	pub async fn new() -> Self {
		Self::with(FakeChain::new(), |_| {}).await
	}

	pub async fn with(chain: Arc<FakeChain>, change: impl FnOnce(&mut Script)) -> Self {
		let folder = tempfile::tempdir().unwrap();
		std::fs::create_dir_all(folder.path().join("store")).unwrap();
		register_adapter(&chain, &folder.path().join("store"));
		Self::open(chain, folder, change).await
	}

	pub async fn open(
		chain: Arc<FakeChain>,
		folder: tempfile::TempDir,
		change: impl FnOnce(&mut Script),
	) -> Self {
		let store_folder = folder.path().join("store");
		let mut script = Script::new(&store_folder);
		change(&mut script);
		let generator: Arc<dyn Generator> = Arc::new(script);
		let files = Arc::new(Files::new(store_folder, 1 << 20));
		let attributor = Arc::new(Attributor::new(files.clone(), generator.clone(), 1 << 20));
		let store = Store::open(&folder.path().join("data")).unwrap();
		store.claim(GENESIS, &provider()).await.unwrap();
		let dynamic: Arc<dyn Chain> = chain.clone();
		let (follower, followed) = Follower::start(dynamic.clone(), store.clone(), provider())
			.await
			.unwrap();
		follower.catch_up().await.unwrap();
		let view = Arc::new(View::new(dynamic));
		let payee = Arc::new(Payee {
			catalog: OnChain::new(view.clone(), files.clone(), provider(), 0),
			view,
			store,
			meter: Meter::default(),
			attributor: attributor.clone(),
			genesis: GENESIS,
			provider: provider(),
			max_lifetime: LIFETIME,
			followed,
			block_age: Duration::from_secs(60),
			patience: Duration::from_millis(1),
		});
		payee.recover_all().await.unwrap();
		let metrics = Metrics::new(BASE, 8, generator.clone(), files.clone());
		let (stop, stopping) = watch::channel(false);
		let worker = Arc::new(Worker {
			generator,
			files,
			attributor,
			metrics: metrics.clone(),
			limits: Limits {
				voucher_wait: Duration::from_millis(1_000),
				..Limits::default()
			},
			operator: crate::operator::Operator::new("the operator's token in tests"),
			mode: Mode::Paid(payee.clone()),
			places: Arc::new(Semaphore::new(16)),
			stop: stopping,
		});
		let every = Duration::from_secs(60);
		Self {
			chain,
			worker,
			redeemer: Redeemer::new(
				payee.clone(),
				follower.skips(),
				metrics.clone(),
				every,
				OPEN,
				10,
			),
			reporter: Reporter::new(payee.clone(), metrics).with_batch(2),
			payee,
			follower,
			stop,
			folder,
		}
	}

	/// Kills the worker: what is on disk now is all that the next one finds.
	pub async fn crash(self) -> Self {
		self.crash_with(|_| {}).await
	}

	pub async fn crash_with(self, change: impl FnOnce(&mut Script)) -> Self {
		// A write that was begun may still be on its way; a crash can come before or after it.
		tokio::time::sleep(Duration::from_millis(20)).await;
		let folder = tempfile::tempdir().unwrap();
		for part in ["data", "store"] {
			copy(&self.folder.path().join(part), &folder.path().join(part));
		}
		Self::open(self.chain.clone(), folder, change).await
	}

	pub fn key(&self, lane: Lane) -> LaneKey {
		LaneKey {
			channel: CHANNEL,
			generation: 0,
			lane,
		}
	}

	/// A payer that has begun a call.
	pub fn call(&self, start: Start) -> Call {
		let (frames, inbound) = mpsc::channel(64);
		let (replies, outbound) = mpsc::channel(64);
		let task = tokio::spawn(answer::serve(
			self.worker.clone(),
			ReceiverStream::new(inbound),
			replies,
		));
		let call = Call {
			frames,
			replies: outbound,
			task,
		};
		call.frames
			.try_send(Ok(GenerateRequest {
				frame: Some(Out::Start(start)),
			}))
			.unwrap();
		call
	}

	/// A whole answer, paid and acknowledged.
	pub async fn answer(&self, payer: &mut Payer, model: &str, max_tokens: u32) -> Finished {
		let mut call = self.call(payer.start(model, max_tokens));
		payer.accept(&mut call).await;
		let finished = payer.stream(&mut call, u32::MAX).await.unwrap();
		payer.acknowledge(&mut call, &finished).await;
		finished
	}

	/// Redeems everything, and follows the chain.
	/// Checks that nobody can prove any of this worker's reports wrong.
	pub fn assert_reports_hold(&self) {
		let judge = Judge(&self.chain);
		let epochs: Vec<_> = self.chain.lock().reports.keys().copied().collect();
		for epoch in epochs {
			let (published, facts) = self.published(epoch);
			assert_eq!(find(&published, &facts, &judge, 16), Ok(Vec::new()));
			self.assert_acknowledged(&published, &facts, &judge);
		}
	}

	/// What whoever sees the leaves finds wrong with a report that `change` was made to, without repetition.
	pub fn faults(&self, epoch: EpochIndex, change: impl FnOnce(&mut Published)) -> Vec<Fault> {
		let (mut published, facts) = self.published(epoch);
		change(&mut published);
		let facts = ReportFacts {
			receipts: receipts_tree(&published.receipt_leaves)
				.unwrap()
				.commitment(),
			parts: parts_tree(&published.part_leaves).unwrap().commitment(),
			payouts: payouts_tree(&published.payout_leaves).unwrap().commitment(),
			..facts
		};
		let found = find(&published, &facts, &Judge(&self.chain), 256).unwrap();
		let mut faults: Vec<_> = found.into_iter().map(|finding| finding.fault).collect();
		faults.dedup();
		faults
	}

	/// A report on the chain, and what the worker publishes of it.
	fn published(&self, epoch: EpochIndex) -> (Published, ReportFacts) {
		let on_chain = self.chain.lock().reports[&epoch].clone();
		let made = self.payee.store.epoch(epoch).unwrap().unwrap();
		let made = made.report.unwrap();
		let mut published = Published {
			receipt_leaves: made.receipt_leaves,
			part_leaves: made.part_leaves,
			payout_leaves: made.payout_leaves,
			..Published::default()
		};
		for leaf in &published.receipt_leaves {
			if let Some(record) = self.payee.store.receipt(&leaf.receipt).unwrap() {
				published.receipts.insert(leaf.receipt, record.receipt);
			}
		}
		let facts = ReportFacts {
			provider: provider(),
			epoch,
			reporter: on_chain.reporter,
			receipts: on_chain.receipts,
			parts: on_chain.parts,
			payouts: on_chain.payouts,
			terms: made.terms,
		};
		(published, facts)
	}

	/// Checks the disputes that only payers can file, who know all receipts of their lanes.
	fn assert_acknowledged(&self, published: &Published, facts: &ReportFacts, judge: &Judge<'_>) {
		let trees = Trees::new(published, facts).unwrap();
		for (at, leaf) in published.receipt_leaves.iter().enumerate() {
			let Some(receipt) = published.receipts.get(&leaf.receipt) else {
				continue;
			};
			let key = LaneKey {
				channel: receipt.channel,
				generation: receipt.generation,
				lane: receipt.lane,
			};
			let whole = Interval {
				from: 0,
				to: Balance::MAX,
			};
			let source = judge
				.source(
					&facts.provider,
					facts.epoch,
					key.channel,
					key.generation,
					key.lane,
				)
				.unwrap();
			let (mut folded, mut acknowledged) = (Hash::zero(), Vec::new());
			let mut lane = self
				.payee
				.store
				.receipts_in(&key, &whole)
				.unwrap()
				.into_iter();
			while folded != source.receipts {
				let (digest, record, _) = lane.next().unwrap();
				folded = acknowledge(folded, digest);
				acknowledged.push(record.receipt);
			}
			let (leaf, receipt) = (trees.receipt(at).unwrap(), receipt.clone());
			let digests: Vec<_> = acknowledged.iter().map(Receipt::digest).collect();
			for dispute in [
				Dispute::NotAcknowledged {
					leaf: leaf.clone(),
					receipt: receipt.clone(),
					acknowledged: digests.try_into().unwrap(),
				},
				Dispute::NotRedeemed {
					leaf,
					receipt,
					acknowledged: acknowledged.try_into().unwrap(),
				},
			] {
				assert_eq!(dispute.check(facts, judge), Err(NotProven::Holds));
			}
		}
	}

	pub async fn redeem(&mut self) -> usize {
		let sent = self.redeemer.redeem().await.unwrap();
		self.follower.catch_up().await.unwrap();
		sent
	}
}

fn copy(from: &Path, to: &Path) {
	std::fs::create_dir_all(to).unwrap();
	for entry in std::fs::read_dir(from).unwrap() {
		let path = entry.unwrap().path();
		let target = to.join(path.file_name().unwrap());
		if path.is_dir() {
			copy(&path, &target);
		} else {
			std::fs::copy(&path, &target).unwrap();
		}
	}
}

/// The client's end of a call.
pub struct Call {
	pub frames: mpsc::Sender<Result<GenerateRequest, Status>>,
	pub replies: mpsc::Receiver<Result<GenerateResponse, Status>>,
	pub task: JoinHandle<()>,
}

impl Call {
	pub async fn next(&mut self) -> Result<In, Status> {
		let reply = tokio::time::timeout(Duration::from_secs(20), self.replies.recv()).await;
		let reply = reply
			.expect("the worker answers")
			.expect("the stream goes on")?;
		Ok(reply.frame.unwrap())
	}

	pub async fn accepted(&mut self) -> Accepted {
		match self.next().await.unwrap() {
			In::Accepted(accepted) => accepted,
			other => panic!("{other:?}"),
		}
	}

	pub async fn voucher(&self, signed: SignedVoucher) {
		self.raw_voucher(signed.encode()).await;
	}

	pub async fn raw_voucher(&self, bytes: Vec<u8>) {
		self.send(Out::Voucher(bytes)).await;
	}

	pub async fn cancel(&self) {
		self.send(Out::Cancel(Cancel {})).await;
	}

	async fn send(&self, frame: Out) {
		// The worker may have ended the call already.
		let _sent = self
			.frames
			.send(Ok(GenerateRequest { frame: Some(frame) }))
			.await;
	}

	/// The code with which the worker ends the call; frames before it are skipped.
	pub async fn refusal(&mut self) -> String {
		loop {
			if let Err(status) = self.next().await {
				let code = status.metadata().get(openledger_proto::ERROR_CODE).unwrap();
				return code.to_str().unwrap().to_owned();
			}
		}
	}
}

/// A payer on one lane, as the gateway does it.
#[derive(Clone)]
pub struct Payer {
	pub signer: &'static str,
	pub lane: Lane,
	/// The newest voucher it signed.
	pub claim: Claim,
	/// Receipts it acknowledged, in order.
	pub receipts: Vec<Receipt>,
	pub text: String,
}

impl Payer {
	pub fn new(lane: Lane) -> Self {
		Self {
			signer: "//Payer",
			lane,
			claim: Claim {
				genesis: GENESIS,
				channel: CHANNEL,
				generation: 0,
				lane,
				amount: 0,
				licence: 0,
				tokens: 0,
				receipts: Hash::zero(),
				quote: 1,
				valid_until: 500,
			},
			receipts: Vec::new(),
			text: String::new(),
		}
	}

	pub fn start(&self, model: &str, max_tokens: u32) -> Start {
		Start {
			model: model.into(),
			input: Some(start::Input::Prompt("tell me about the fox".into())),
			max_tokens,
			payer: Some(WirePayer {
				channel: CHANNEL,
				generation: self.claim.generation,
				lane: self.lane.into(),
			}),
			..Start::default()
		}
	}

	pub fn due(&mut self, due: &openledger_proto::v1::Due) -> SignedVoucher {
		self.claim.amount = due.amount.parse().unwrap();
		self.claim.licence = due.licence.parse().unwrap();
		self.claim.tokens = due.tokens;
		sign(self.signer, self.claim.clone())
	}

	pub fn totals(&self) -> Totals {
		Totals {
			amount: self.claim.amount,
			licence: self.claim.licence,
			tokens: self.claim.tokens,
		}
	}

	/// Pays the prompt, and acknowledges what the worker says is not acknowledged.
	pub async fn accept(&mut self, call: &mut Call) -> Accepted {
		let accepted = call.accepted().await;
		for bytes in &accepted.unacknowledged {
			let receipt = Receipt::decode(&mut &bytes[..]).unwrap();
			self.claim.receipts = acknowledge(
				Hash::from_slice(&accepted.lane.as_ref().unwrap().receipts),
				receipt.digest(),
			);
			self.receipts.push(receipt);
		}
		let voucher = self.due(accepted.due.as_ref().unwrap());
		call.voucher(voucher).await;
		self.text.clear();
		accepted
	}

	/// Reads the stream and pays at most `vouchers` times; `None` if it stops paying.
	pub async fn stream(&mut self, call: &mut Call, vouchers: u32) -> Option<Finished> {
		let mut paid = 0;
		loop {
			match call.next().await.unwrap() {
				In::Chunk(chunk) => {
					self.text.push_str(&chunk.text);
					if let Some(due) = &chunk.payment_due {
						if paid == vouchers {
							return None;
						}
						paid += 1;
						let voucher = self.due(due);
						call.voucher(voucher).await;
					}
				}
				In::Finished(finished) => return Some(finished),
				other => panic!("{other:?}"),
			}
		}
	}

	/// Signs the voucher that acknowledges the receipt, without sending it.
	pub fn last(&mut self, finished: &Finished) -> SignedVoucher {
		let receipt = Receipt::decode(&mut &finished.receipt[..]).unwrap();
		assert_eq!(receipt.response, content_hash(self.text.as_bytes()));
		self.claim.receipts = acknowledge(self.claim.receipts, receipt.digest());
		self.receipts.push(receipt);
		self.due(finished.due.as_ref().unwrap())
	}

	pub async fn acknowledge(&mut self, call: &mut Call, finished: &Finished) {
		let voucher = self.last(finished);
		call.voucher(voucher).await;
		match call.next().await.unwrap() {
			In::Settled(settled) => {
				let lane = settled.lane.unwrap();
				assert_eq!(lane.amount, self.claim.amount.to_string());
				assert_eq!(lane.receipts, self.claim.receipts.0);
			}
			other => panic!("{other:?}"),
		}
	}
}
