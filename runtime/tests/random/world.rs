//! The chain under test, what is known of it beside its storage, and what is checked all the time.

use crate::{
	common::check_invariants,
	people::Person,
	reports::{Book, Earned},
};
use codec::Encode;
use frame_support::{
	storage::with_transaction,
	traits::{
		fungible::Inspect, CallMetadata, Get, GetCallMetadata, OnFinalize, UnfilteredDispatchable,
	},
};
use openledger_primitives::{
	Attribution as Scores, Balance, ChannelId, ContributionId, DatanetId, EpochIndex, Generation,
	Hash, Lane, Receipt, RecordLeaf, PARTS,
};
use openledger_runtime::{
	accounts, currency::*, parameters::governed::serving, time::SLOT_MILLIS, AccountId,
	AllPalletsWithSystem, Attribution, Babe, Balances, BlockNumber, Executive, Header, Providers,
	Runtime, RuntimeCall, RuntimeEvent, RuntimeOrigin, Session, SignedPayload, System, TxExtension,
	UncheckedExtrinsic,
};
use pallet_datanets::Vote;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sp_consensus_babe::{
	digests::{CompatibleDigestItem, PreDigest, SecondaryPlainPreDigest},
	AuthorityId,
};
use sp_core::sr25519;
use sp_runtime::{
	generic::Era,
	traits::{Dispatchable, Header as _},
	Digest, DigestItem, DispatchError, TransactionOutcome,
};
use std::{
	collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
	fmt,
	time::Duration,
};

/// How many of the last operations a failure prints.
const REMEMBERED: usize = 24;
/// How many begin without money.
pub const NEWCOMERS: usize = 6;
/// The first slot.
const FIRST_SLOT: u64 = 1_000_000;

/// What a voucher drew of licence money: for whom, on which lane, and how much.
type Drawn = (AccountId, (ChannelId, Generation, Lane), Balance);

/// How often each call was made and went well, and other counts.
#[derive(Default)]
pub struct Tally {
	calls: BTreeMap<(&'static str, &'static str), (u32, u32)>,
	refusals: BTreeMap<String, u32>,
	counts: BTreeMap<&'static str, u32>,
}

impl Tally {
	pub fn add(&mut self, other: Self) {
		for (call, (ok, refused)) in other.calls {
			let sum = self.calls.entry(call).or_default();
			sum.0 += ok;
			sum.1 += refused;
		}
		for (why, count) in other.refusals {
			*self.refusals.entry(why).or_default() += count;
		}
		for (what, count) in other.counts {
			*self.counts.entry(what).or_default() += count;
		}
	}

	pub fn successes(&self, pallet: &str, call: &str) -> u32 {
		let mut calls = self.calls.iter();
		calls
			.find(|((in_pallet, name), _)| *in_pallet == pallet && *name == call)
			.map_or(0, |(_, (ok, _))| *ok)
	}

	pub fn count(&self, what: &str) -> u32 {
		self.counts.get(what).copied().unwrap_or_default()
	}
}

impl fmt::Display for Tally {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		writeln!(f, "{:<42} {:>7} {:>8}", "call", "ok", "refused")?;
		for ((pallet, call), (ok, refused)) in &self.calls {
			writeln!(f, "{:<42} {ok:>7} {refused:>8}", format!("{pallet}.{call}"))?;
		}
		for (what, count) in &self.counts {
			writeln!(f, "{what:<42} {count:>7}")?;
		}
		if std::env::var_os("OPENLEDGER_RANDOM_REFUSALS").is_some() {
			for (why, count) in &self.refusals {
				writeln!(f, "{count:>7} {why}")?;
			}
		}
		Ok(())
	}
}

/// A receipt that a payer acknowledged, and how much of it was paid.
pub struct Served {
	pub receipt: Receipt,
	/// The attribution behind it, where it is false.
	pub false_span: Option<Scores>,
	pub paid: Balance,
}

/// What a payer has signed for on one lane in one generation.
#[derive(Default)]
pub struct LaneBook {
	pub served: Vec<Served>,
	pub receipts: Hash,
	pub tokens: u64,
	pub amount: Balance,
	pub licence: Balance,
}

/// An operation for the record.
struct Step {
	step: u64,
	block: BlockNumber,
	origin: String,
	call: RuntimeCall,
	result: Option<Result<(), DispatchError>>,
}

/// The chain and those who act on it.
pub struct World {
	pub rng: ChaCha8Rng,
	seed: u64,
	pub step: u64,
	pub tally: Tally,
	pub check_time: Duration,
	last: VecDeque<Step>,
	slot: u64,
	/// Who made the block, by its place among the authorities.
	pub author: u32,
	/// Who act: first those with money, then newcomers.
	pub people: Vec<Person>,
	/// Keys for machines.
	pub hot_keys: Vec<Person>,
	by_account: HashMap<AccountId, Person>,
	/// What must be missing of the whole supply.
	burnt: Balance,
	/// What left the channels.
	redeemed: Balance,
	/// The records behind each root.
	pub records: HashMap<Hash, Vec<RecordLeaf>>,
	/// Where each record is in each Datanet.
	pub places: BTreeMap<(DatanetId, Hash), Vec<(ContributionId, u32)>>,
	/// The open reviews.
	pub reviews: Vec<(DatanetId, ContributionId)>,
	/// What was rejected once.
	pub rejected: Vec<(DatanetId, ContributionId)>,
	/// What was voted, with its salt.
	pub votes: BTreeMap<(DatanetId, ContributionId, AccountId), (Vote, Hash)>,
	/// The open channels.
	pub channels: Vec<ChannelId>,
	generations: BTreeMap<ChannelId, Generation>,
	pub lanes: BTreeMap<(ChannelId, Generation, Lane), LaneBook>,
	/// What each pot was paid for.
	pub pots: BTreeMap<(AccountId, EpochIndex), Vec<Earned>>,
	/// The pots without a report.
	pub unreported: BTreeSet<(AccountId, EpochIndex)>,
	/// What the reports on chain were made of.
	pub filed: BTreeMap<(AccountId, EpochIndex), Book>,
	settled: BTreeMap<(AccountId, EpochIndex), pallet_attribution::Report>,
	/// The contributions that each adapter may pay.
	pub payable: HashMap<u32, Vec<(DatanetId, ContributionId)>>,
	/// Governed values that are to be livable again, with the step in which.
	pub extremes: Vec<(u64, (u8, u8))>,
	/// The keys that validators make blocks with.
	pub authors: HashMap<AuthorityId, sr25519::Pair>,
	/// Numbers for names that were not used.
	names: u32,
	/// Whether the last call came to be dispatched.
	valid: bool,
}

impl World {
	pub fn new(seed: u64) -> Self {
		let mut people = Person::funded();
		people
			.extend((0..NEWCOMERS).map(|number| Person::new(format!("Newcomer{number}"), number)));
		let hot_keys: Vec<_> = (0..24)
			.map(|number| Person::new(format!("Machine{number}"), number))
			.collect();
		let by_account = people
			.iter()
			.chain(&hot_keys)
			.map(|person| (person.account.clone(), person.clone()))
			.collect();
		Self {
			rng: ChaCha8Rng::seed_from_u64(seed),
			seed,
			step: 0,
			tally: Tally::default(),
			check_time: Duration::ZERO,
			last: VecDeque::new(),
			slot: FIRST_SLOT,
			author: 0,
			people,
			hot_keys,
			by_account,
			burnt: 0,
			redeemed: 0,
			records: HashMap::new(),
			places: BTreeMap::new(),
			reviews: Vec::new(),
			rejected: Vec::new(),
			votes: BTreeMap::new(),
			channels: Vec::new(),
			generations: BTreeMap::new(),
			lanes: BTreeMap::new(),
			pots: BTreeMap::new(),
			unreported: BTreeSet::new(),
			filed: BTreeMap::new(),
			settled: BTreeMap::new(),
			payable: HashMap::new(),
			extremes: Vec::new(),
			authors: HashMap::new(),
			names: 0,
			valid: true,
		}
	}

	/// The first block, in which periods become short enough for everything to happen.
	pub fn begin(&mut self) {
		self.begin_block(0);
		self.make_livable();
		for _ in 0..4 {
			self.create();
			self.register_base();
		}
	}

	pub fn finish(mut self) -> Tally {
		println!(
			"seed {}: block {}, session {}, epoch {}, {:.1} s of checks",
			self.seed,
			System::block_number(),
			Session::current_index(),
			Attribution::epoch().index,
			self.check_time.as_secs_f64(),
		);
		std::mem::take(&mut self.tally)
	}

	// Chance.

	pub fn choose(&mut self, operations: &[crate::Operation]) -> fn(&mut World) {
		let whole = operations.iter().map(|(weight, _)| weight).sum();
		let mut drawn = self.rng.random_range(0..whole);
		for (weight, operation) in operations {
			if drawn < *weight {
				return *operation;
			}
			drawn -= weight;
		}
		unreachable!("the weights sum to the whole")
	}

	/// Once in `times`.
	pub fn once_in(&mut self, times: u32) -> bool {
		self.rng.random_range(0..times) == 0
	}

	/// A number below `count`, which is not zero.
	pub fn below(&mut self, count: usize) -> usize {
		self.rng.random_range(0..count)
	}

	pub fn one_of<T: Clone>(&mut self, some: &[T]) -> Option<T> {
		(!some.is_empty()).then(|| some[self.below(some.len())].clone())
	}

	pub fn hash(&mut self) -> Hash {
		Hash::from(self.rng.random::<[u8; 32]>())
	}

	/// An amount of any size up to about `most`.
	pub fn amount(&mut self, most: Balance) -> Balance {
		let digits = self.rng.random_range(0..=most.max(1).ilog10());
		let most = 10u128.saturating_pow(digits + 1).min(most.max(1));
		self.rng.random_range(1..=most)
	}

	/// An amount that is mostly enough where `least` is needed.
	pub fn enough(&mut self, least: Balance) -> Balance {
		let least = least.max(10);
		self.rng.random_range(least - least / 10..=least * 3)
	}

	pub fn person(&mut self) -> Person {
		// Newcomers have little money, and few calls of theirs go well.
		let count = if self.once_in(8) {
			self.people.len()
		} else {
			self.people.len() - NEWCOMERS
		};
		let at = self.below(count);
		self.people[at].clone()
	}

	/// Who has this account; a stranger where nobody has.
	pub fn known(&mut self, account: &AccountId) -> Person {
		match self.by_account.get(account) {
			Some(person) => person.clone(),
			None => self.person(),
		}
	}

	/// Mostly who has this account, sometimes somebody else.
	pub fn mostly(&mut self, account: &AccountId) -> Person {
		if self.once_in(16) {
			self.person()
		} else {
			self.known(account)
		}
	}

	/// A number that was not used in a name.
	pub fn fresh_number(&mut self) -> u32 {
		self.names += 1;
		self.names
	}

	// Calls.

	/// `who` makes a call, sometimes as a transaction that is signed and paid for. Whether it went well.
	pub fn sign(&mut self, who: &Person, call: impl Into<RuntimeCall>) -> bool {
		let call = call.into();
		if self.once_in(16) {
			return self.transact(who, call);
		}
		let origin = RuntimeOrigin::signed(who.account.clone());
		self.submit(who.name.clone(), origin, call).is_ok()
	}

	/// Makes a call with `origin`.
	pub fn submit(
		&mut self,
		name: String,
		origin: RuntimeOrigin,
		call: impl Into<RuntimeCall>,
	) -> Result<(), DispatchError> {
		let call = call.into();
		self.remember(name, call.clone());
		self.valid = true;
		let result = call.clone().dispatch(origin);
		self.made(&call, result.map(|_| ()).map_err(|error| error.error))
	}

	fn transact(&mut self, who: &Person, call: RuntimeCall) -> bool {
		self.remember(format!("{}, in a transaction", who.name), call.clone());
		let nonce = System::account_nonce(&who.account);
		let payload = SignedPayload::new(call.clone(), extension(nonce)).unwrap();
		let signature = payload.using_encoded(|payload| who.sign(payload));
		let transaction = UncheckedExtrinsic::new_signed(
			call.clone(),
			who.account.clone().into(),
			signature,
			extension(nonce),
		);
		let applied = Executive::apply_extrinsic(transaction);
		self.valid = applied.is_ok();
		if self.valid {
			self.count("transaction with a fee");
		}
		let result = applied.unwrap_or(Err(DispatchError::Other("invalid")));
		self.made(&call, result).is_ok()
	}

	/// Makes a call in a transaction that nobody signs.
	pub fn transact_unsigned(&mut self, call: RuntimeCall) -> bool {
		self.remember("nobody".into(), call.clone());
		let transaction = UncheckedExtrinsic::new_transaction(call.clone(), extension(0));
		let applied = Executive::apply_extrinsic(transaction);
		let result = applied.unwrap_or(Err(DispatchError::Other("invalid")));
		self.made(&call, result).is_ok()
	}

	fn remember(&mut self, origin: String, call: RuntimeCall) {
		if self.last.len() == REMEMBERED {
			self.last.pop_front();
		}
		self.last.push_back(Step {
			step: self.step,
			block: System::block_number(),
			origin,
			call,
			result: None,
		});
	}

	fn made(
		&mut self,
		call: &RuntimeCall,
		result: Result<(), DispatchError>,
	) -> Result<(), DispatchError> {
		let CallMetadata {
			pallet_name,
			function_name,
		} = call.get_call_metadata();
		let count = self
			.tally
			.calls
			.entry((pallet_name, function_name))
			.or_default();
		if result.is_ok() {
			count.0 += 1;
		} else {
			count.1 += 1;
		}
		if let Err(error) = &result {
			let why = match error {
				DispatchError::Module(error) => error.message.unwrap_or_default().to_string(),
				other => format!("{other:?}"),
			};
			let why = format!("{pallet_name}.{function_name}: {why}");
			*self.tally.refusals.entry(why).or_default() += 1;
		}
		if let Some(step) = self.last.back_mut() {
			step.result = Some(result);
		}
		if let (true, RuntimeCall::Balances(pallet_balances::Call::burn { value, .. })) =
			(result.is_ok(), call)
		{
			self.burnt += value;
		}
		self.observe();
		result
	}

	/// Whether the last call was made at all: its sender could pay the fee, and the block had room.
	pub fn was_valid(&self) -> bool {
		self.valid
	}

	pub fn count(&mut self, what: &'static str) {
		*self.tally.counts.entry(what).or_default() += 1;
	}

	// Blocks.

	/// Ends the block and begins the next one, some slots later.
	pub fn pass_block(&mut self) {
		AllPalletsWithSystem::on_finalize(System::block_number());
		self.observe();
		let skipped = match self.below(24) {
			0..4 => 20,
			4..8 => self.rng.random_range(1..20),
			_ => 0,
		};
		self.begin_block(skipped);
		self.end_extremes();
	}

	fn begin_block(&mut self, skipped: u64) {
		self.slot += 1 + skipped;
		let disabled = Session::disabled_validators();
		let mut authors: Vec<u32> = (0..Babe::authorities().len() as u32)
			.filter(|index| !disabled.contains(index))
			.collect();
		let parent = self.hash();
		let before = Session::validators();
		// The block that begins a session may disable whoever would make it, and then is not made.
		loop {
			self.author = self.one_of(&authors).expect("somebody may make blocks");
			if self.is_begun(parent) {
				break;
			}
			authors.retain(|index| *index != self.author);
		}
		if Session::validators() != before {
			self.count("validators changed");
		}
		let now = self.slot * SLOT_MILLIS;
		RuntimeCall::from(pallet_timestamp::Call::set { now })
			.dispatch_bypass_filter(RuntimeOrigin::none())
			.unwrap();
		self.observe();
	}

	/// Begins a block of the chosen author, if the author may make it.
	fn is_begun(&self, parent: Hash) -> bool {
		let pre_digest = PreDigest::SecondaryPlain(SecondaryPlainPreDigest {
			authority_index: self.author,
			slot: self.slot.into(),
		});
		let digest = Digest {
			logs: vec![<DigestItem as CompatibleDigestItem>::babe_pre_digest(
				pre_digest,
			)],
		};
		let header = Header::new(
			System::block_number() + 1,
			Default::default(),
			Default::default(),
			parent,
			digest,
		);
		with_transaction(|| {
			Executive::initialize_block(&header);
			let is_disabled = Session::disabled_validators().contains(&self.author);
			let done = Ok::<_, DispatchError>(!is_disabled);
			if is_disabled {
				TransactionOutcome::Rollback(done)
			} else {
				TransactionOutcome::Commit(done)
			}
		})
		.expect("both ways are good")
	}

	pub fn slot(&self) -> u64 {
		self.slot
	}

	// What happened.

	/// Takes note of the events since the last time.
	fn observe(&mut self) {
		let events: Vec<_> = System::read_events_no_consensus()
			.map(|record| record.event)
			.collect();
		System::reset_events();
		let mut redeemed = Vec::new();
		for event in events {
			match event {
				RuntimeEvent::Datanets(event) => self.observe_data(event),
				RuntimeEvent::Channels(event) => self.observe_channel(event, &mut redeemed),
				RuntimeEvent::Attribution(event) => self.observe_money(event, &mut redeemed),
				RuntimeEvent::Stakes(pallet_stakes::Event::Slashed { .. }) => {
					self.count("slash carried out")
				}
				_ => {}
			}
		}
		assert!(redeemed.is_empty(), "redeemed money was shared out");
	}

	fn observe_data(&mut self, event: pallet_datanets::Event<Runtime>) {
		use pallet_datanets::{Event, Outcome};
		match event {
			Event::ReviewOpened {
				datanet,
				contribution,
				..
			} => self.reviews.push((datanet, contribution)),
			Event::ReviewConcluded {
				datanet,
				contribution,
				outcome,
				appeal,
				..
			} => {
				self.count(match outcome {
					Outcome::Accepted => "review accepted",
					Outcome::Rejected => "review rejected",
					Outcome::Undecided => "review undecided",
				});
				self.review_ended(datanet, contribution);
				if outcome == Outcome::Rejected && !appeal {
					self.rejected.push((datanet, contribution));
				}
			}
			Event::ReviewCancelled {
				datanet,
				contribution,
			} => self.review_ended(datanet, contribution),
			_ => {}
		}
	}

	fn review_ended(&mut self, datanet: DatanetId, contribution: ContributionId) {
		self.reviews.retain(|open| *open != (datanet, contribution));
		self.votes
			.retain(|(of, id, _), _| (*of, *id) != (datanet, contribution));
	}

	fn observe_channel(
		&mut self,
		event: pallet_channels::Event<Runtime>,
		redeemed: &mut Vec<Drawn>,
	) {
		use pallet_channels::Event;
		match event {
			Event::Opened {
				channel,
				generation,
				..
			} => {
				self.channels.push(channel);
				let known = self.generations.insert(channel, generation);
				assert_eq!(known, None, "no channel's id is used twice");
			}
			Event::Withdrawn {
				channel,
				generation,
				..
			} => {
				let before = self.generations.insert(channel, generation).unwrap();
				assert!(before < generation, "no generation is used twice");
			}
			Event::Closed { channel } => self.channels.retain(|open| *open != channel),
			Event::Redeemed {
				channel,
				generation,
				lane,
				compute,
				licence,
				amount,
				provider,
				..
			} => {
				assert_eq!(self.generations[&channel], generation);
				self.redeemed += compute + licence;
				redeemed.push((provider.clone(), (channel, generation, lane), licence));
				let signed = self.lanes[&(channel, generation, lane)].amount;
				assert!(amount <= signed, "nobody pays more than was signed for");
				self.count(if amount < signed {
					"voucher paid in part"
				} else {
					"voucher paid"
				});
				if licence > 0 {
					let factor = u128::from(serving::BondFactor::get());
					let covered = Providers::bond_of(&provider) / u128::from(PARTS) * factor;
					// Less than a unit of the bond's millionth is rounded.
					assert!(
						Attribution::at_risk(&provider) <= covered + factor,
						"the bond answers for what is collected"
					);
				}
			}
			Event::VoucherSkipped { .. } => self.count("voucher skipped"),
			_ => {}
		}
	}

	fn observe_money(
		&mut self,
		event: pallet_attribution::Event<Runtime>,
		redeemed: &mut Vec<Drawn>,
	) {
		use openledger_primitives::dispute::Fault;
		use pallet_attribution::Event;
		match event {
			Event::Collected {
				provider,
				epoch,
				licence,
				split,
				..
			} => {
				self.burnt += split.burnt;
				let mut paid = 0;
				for (_, lane, licence) in redeemed.extract_if(.., |(by, _, _)| *by == provider) {
					paid += licence;
					if licence > 0 {
						self.earn((provider.clone(), epoch), lane, licence);
					}
				}
				assert_eq!(paid, licence);
			}
			Event::ReportRemoved {
				provider,
				epoch,
				fault,
				slashed,
				reward,
				..
			} => {
				self.burnt += slashed - reward;
				let key = (provider, epoch);
				let book = self.filed.remove(&key).unwrap();
				assert!(
					book.lie.is_some() || fault == Fault::AuditFailed,
					"an honest report was removed: {fault:?}"
				);
				assert!(
					!self.settled.contains_key(&key),
					"a settled report is final"
				);
				self.unreported.insert(key);
			}
			Event::Settled {
				provider, epoch, ..
			}
			| Event::Forfeited {
				provider, epoch, ..
			} => {
				let report = Attribution::report_of(provider.clone(), epoch).unwrap();
				let key = (provider, epoch);
				self.unreported.remove(&key);
				self.filed.remove(&key);
				let before = self.settled.insert(key, report);
				assert_eq!(before, None, "a report is settled once");
			}
			Event::AuditDrawn { .. } => self.count("audit drawn"),
			Event::AuditPassed { .. } => self.count("audit passed"),
			Event::AuditMissed { .. } => self.count("audit missed"),
			Event::Deferred { .. } => self.count("payment deferred as credit"),
			Event::Unpayable { .. } => self.count("payout to nobody"),
			_ => {}
		}
	}

	/// Counts licence money of a lane for its receipts, in their order.
	fn earn(
		&mut self,
		pot: (AccountId, EpochIndex),
		lane: (ChannelId, Generation, Lane),
		mut licence: Balance,
	) {
		if Attribution::report_of(pot.0.clone(), pot.1).is_none() {
			self.unreported.insert(pot.clone());
		}
		let earned = self.pots.entry(pot).or_default();
		let book = self.lanes.get_mut(&lane).unwrap();
		for served in &mut book.served {
			let paid = licence.min(served.receipt.licence - served.paid);
			if paid > 0 {
				licence -= paid;
				served.paid += paid;
				Earned::add(earned, Some(served), paid);
			}
		}
		if licence > 0 {
			Earned::add(earned, None, licence);
		}
	}

	// What must hold.

	/// What is cheap enough to check after every operation: no money came from nowhere, none is lost.
	pub fn check_money(&self) {
		assert_eq!(
			Balances::total_issuance() + self.burnt,
			TOTAL_SUPPLY,
			"what is missing was burnt"
		);
		let flows = Attribution::totals();
		assert_eq!(flows.redeemed, self.redeemed, "all that left the channels");
		assert_eq!(
			flows.redeemed,
			flows.burnt + flows.treasury + flows.providers + flows.licence,
			"all that was redeemed went somewhere"
		);
		let unsettled = flows.licence - flows.settled;
		let credits = flows.credited - flows.claimed;
		assert!(
			Balances::balance(&accounts::attribution_pot())
				>= unsettled + credits + EXISTENTIAL_DEPOSIT,
			"pots and credits are backed"
		);
		assert!(
			Balances::balance(&accounts::stakers_pot())
				>= pallet_stakes::Owed::<Runtime>::get() + EXISTENTIAL_DEPOSIT,
			"rewards are backed"
		);
	}

	/// Every invariant of every pallet; and that what is final stays as it was.
	pub fn check_everything(&mut self) {
		check_invariants();
		for ((provider, epoch), report) in &self.settled {
			let now = Attribution::report_of(provider.clone(), *epoch);
			assert_eq!(now.as_ref(), Some(report), "a settled report is final");
		}
		let left: Vec<_> = self.lanes.keys().copied().collect();
		for (channel, generation, lane) in left {
			// What nobody can redeem any more is of no use.
			if self.generations[&channel] > generation || !self.channels.contains(&channel) {
				self.lanes.remove(&(channel, generation, lane));
			}
		}
	}
}

fn extension(nonce: u32) -> TxExtension {
	(
		frame_system::AuthorizeCall::new(),
		frame_system::CheckNonZeroSender::new(),
		frame_system::CheckSpecVersion::new(),
		frame_system::CheckTxVersion::new(),
		frame_system::CheckGenesis::new(),
		frame_system::CheckEra::from(Era::Immortal),
		frame_system::CheckNonce::from(nonce),
		frame_system::CheckWeight::new(),
		pallet_transaction_payment::ChargeTransactionPayment::from(0),
		frame_metadata_hash_extension::CheckMetadataHash::new(false),
		frame_system::WeightReclaim::new(),
	)
}

impl Drop for World {
	fn drop(&mut self) {
		if !std::thread::panicking() {
			return;
		}
		println!("seed {} failed at step {}", self.seed, self.step);
		println!("again: OPENLEDGER_RANDOM_SEED={} OPENLEDGER_RANDOM_OPS={} cargo test -p openledger-runtime --test random", self.seed, self.step + 1);
		for step in &self.last {
			let mut call = format!("{:?}", step.call);
			if call.len() > 1_000 {
				let end = (0..=1_000).rev().find(|at| call.is_char_boundary(*at));
				call.truncate(end.unwrap_or_default());
				call.push('…');
			}
			println!(
				"step {} block {} by {}: {call} -> {:?}",
				step.step, step.block, step.origin, step.result
			);
		}
	}
}
