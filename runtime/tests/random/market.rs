//! Models, providers and channels: who offers, who serves, who pays.

use crate::{
	data::text,
	people::Person,
	world::{LaneBook, Served, World},
};
use frame_support::traits::Get;
use openledger_primitives::{
	voucher::acknowledge, AdapterId, Attribution as Scores, Balance, ChannelId, Hash, Heartbeat,
	Lane, Rate, Receipt, SignedVoucher, Span, Voucher,
};
use openledger_runtime::{
	currency::*, governance::Origin, parameters::governed::serving, AccountId, Attribution,
	Channels, Datanets, Models, Providers, Runtime, RuntimeCall, System,
};
use pallet_channels::Call as ChannelCall;
use pallet_models::{AlgorithmState, Call as ModelCall};
use pallet_providers::{Call as ProviderCall, ProviderState};
use rand::Rng;

impl World {
	fn rate(&mut self) -> Rate {
		let most = if self.once_in(24) {
			serving::MaxRate::get().saturating_mul(2)
		} else {
			serving::MaxRate::get().min(5 * OPEN)
		};
		Rate {
			input: self.amount(most),
			output: self.amount(most),
		}
	}

	// Models.

	pub fn register_base(&mut self) {
		if pallet_models::NextBaseModel::<Runtime>::get() >= 8 && !self.once_in(8) {
			return self.register_adapter();
		}
		let who = self.person();
		let number = self.fresh_number();
		let name = if self.once_in(8) { 1 } else { number };
		let call = ModelCall::register_base {
			name: text(&format!("base-{name}")),
			architecture: text("llama"),
			weights: self.hash(),
			tokenizer: self.hash(),
			licence: text("Apache-2.0"),
			rate: self.rate(),
		};
		self.sign(&who, call);
	}

	pub fn register_adapter(&mut self) {
		let mut lineage = Vec::new();
		for _ in 0..6 {
			let datanet = self.datanet();
			let snapshots = Datanets::datanet(datanet).map_or(0, |pool| pool.snapshots);
			if snapshots > 0 {
				let version = self.rng.random_range(1..=snapshots);
				lineage.push((datanet, version));
			}
		}
		if !self.once_in(12) {
			lineage.sort_unstable();
			lineage.dedup();
		}
		let bases = pallet_models::NextBaseModel::<Runtime>::get() as usize;
		let algorithms = pallet_models::NextAlgorithm::<Runtime>::get() as usize;
		let algorithm = (0..8)
			.map(|_| self.below(algorithms) as u16)
			.find(|id| is_in(*id, AlgorithmState::Active));
		let who = self.person();
		let number = self.fresh_number();
		let base = self.below(bases + 1) as u32;
		let registration = pallet_models::AdapterRegistration {
			name: text(&format!("adapter-{number}")),
			base,
			weights: self.hash(),
			config: self.hash(),
			rank: 8,
			targets: vec![text("q_proj")].try_into().unwrap(),
			lineage: lineage.try_into().unwrap(),
			manifest: self.hash(),
			algorithm: algorithm.unwrap_or_default(),
			index: self.hash(),
			uri: text("https://example.org/adapter"),
			rate: self.rate(),
		};
		let id = pallet_models::NextAdapter::<Runtime>::get();
		if self.sign(&who, ModelCall::register_adapter { registration }) {
			self.learn_payable(id);
		}
	}

	/// Who may be paid for the data of an adapter; never changes.
	fn learn_payable(&mut self, adapter: AdapterId) {
		let mut payable = Vec::new();
		for (datanet, version) in Models::adapter_lineage(adapter).unwrap() {
			let count = Datanets::datanet(datanet).unwrap().contributions;
			payable.extend(
				(0..count)
					.filter(|id| Datanets::payout_account(datanet, version, *id).is_some())
					.map(|id| (datanet, id)),
			);
		}
		payable.sort_unstable();
		payable.dedup();
		assert!(!payable.is_empty(), "a snapshot contains something");
		self.payable.insert(adapter, payable);
	}

	fn an_adapter(&mut self) -> AdapterId {
		let next = pallet_models::NextAdapter::<Runtime>::get();
		self.below(next as usize + 1) as u32
	}

	pub fn retire_adapter(&mut self) {
		let adapter = self.an_adapter();
		let who = match Models::adapter_owner(adapter) {
			Some(owner) => self.mostly(&owner),
			None => self.person(),
		};
		self.sign(&who, ModelCall::retire_adapter { adapter });
	}

	pub fn propose_algorithm(&mut self) {
		let who = self.person();
		let number = self.fresh_number();
		let proposal = pallet_models::AlgorithmProposal {
			name: text(&format!("mix-{number}/1")),
			spec: if self.once_in(8) {
				Hash::zero()
			} else {
				self.hash()
			},
			vectors: self.hash(),
			schema: self.hash(),
			uri: text("https://example.org/algorithm"),
		};
		self.sign(&who, ModelCall::propose_algorithm { proposal });
	}

	fn an_algorithm(&mut self, state: AlgorithmState) -> u16 {
		let next = pallet_models::NextAlgorithm::<Runtime>::get() as usize;
		let tries: Vec<_> = (0..16).map(|_| self.below(next + 1) as u16).collect();
		let found = tries.iter().find(|id| is_in(**id, state));
		*found.unwrap_or(&tries[0])
	}

	fn a_proposal(&mut self) -> pallet_models::ProposalId {
		let next = pallet_models::NextProposal::<Runtime>::get() as usize;
		let tries: Vec<_> = (0..16).map(|_| self.below(next + 1) as u32).collect();
		let found = tries.iter().find(|id| Models::proposal(**id).is_some());
		*found.unwrap_or(&tries[0])
	}

	pub fn withdraw_algorithm(&mut self) {
		let proposal = self.a_proposal();
		let proposer = Models::proposal(proposal).and_then(|known| known.proposer);
		let who = match proposer {
			Some(proposer) => self.mostly(&proposer),
			None => self.person(),
		};
		self.sign(&who, ModelCall::withdraw_algorithm { proposal });
	}

	pub fn shadow_algorithm(&mut self) {
		let proposal = self.a_proposal();
		self.decide(
			Origin::Attribution,
			ModelCall::shadow_algorithm { proposal },
		);
	}

	pub fn activate_algorithm(&mut self) {
		let algorithm = self.an_algorithm(AlgorithmState::Shadow);
		self.decide(
			Origin::Attribution,
			ModelCall::activate_algorithm { algorithm },
		);
	}

	pub fn retire_algorithm(&mut self) {
		let algorithm = self.an_algorithm(AlgorithmState::Active);
		self.decide(
			Origin::Attribution,
			ModelCall::retire_algorithm { algorithm },
		);
	}

	// Providers.

	fn all_providers(&self) -> Vec<AccountId> {
		let mut all: Vec<_> = pallet_providers::Providers::<Runtime>::iter_keys().collect();
		all.sort();
		all
	}

	fn a_provider(&mut self, test: impl Fn(&AccountId, &ProviderState) -> bool) -> Person {
		let (fit, all): (Vec<_>, Vec<_>) = self.all_providers().into_iter().partition(|account| {
			Providers::provider(account.clone())
				.is_some_and(|provider| test(account, &provider.state))
		});
		match self.one_of(&fit).or_else(|| self.one_of(&all)) {
			Some(account) => self.mostly(&account),
			None => self.person(),
		}
	}

	fn a_machine(&mut self) -> Person {
		let at = self.below(self.hot_keys.len());
		self.hot_keys[at].clone()
	}

	pub fn register_provider(&mut self) {
		let who = self.person();
		let bases = pallet_models::NextBaseModel::<Runtime>::get() as usize;
		let bases = vec![self.below(bases + 1) as u32];
		let least = serving::MinBond::get();
		let bond = self.enough(least);
		// A person's own account can be another's machine, too.
		let hot_key = if self.once_in(16) {
			self.person()
		} else {
			self.a_machine()
		};
		let call = ProviderCall::register {
			hot_key: hot_key.account,
			endpoint: text("https://example.org"),
			bond,
			bases: bases.try_into().unwrap(),
			rate: self.rate(),
		};
		self.sign(&who, call);
	}

	pub fn set_quote(&mut self) {
		let who = self.a_provider(|_, state| *state == ProviderState::Active);
		let rate = self.rate();
		self.sign(&who, ProviderCall::set_quote { rate });
	}

	pub fn set_hot_key(&mut self) {
		let who = self.a_provider(|_, _| true);
		let hot_key = self.a_machine().account;
		self.sign(&who, ProviderCall::set_hot_key { hot_key });
	}

	pub fn set_endpoint(&mut self) {
		let who = self.a_provider(|_, _| true);
		let url = if self.once_in(4) {
			"gopher://example.org"
		} else {
			"http://192.0.2.1:8000"
		};
		let call = ProviderCall::set_endpoint {
			endpoint: text(url),
		};
		self.sign(&who, call);
	}

	pub fn bond_more_as_provider(&mut self) {
		let who = self.a_provider(|_, state| *state == ProviderState::Active);
		let amount = self.amount(200 * OPEN);
		self.sign(&who, ProviderCall::bond_more { amount });
	}

	pub fn leave(&mut self) {
		let who = self.a_provider(|_, state| *state == ProviderState::Active);
		self.sign(&who, ProviderCall::leave {});
	}

	pub fn withdraw_bond(&mut self) {
		let now = System::block_number();
		let who = self.a_provider(|account, state| {
			matches!(state, ProviderState::Leaving { free_at } if *free_at <= now)
				&& Attribution::at_risk(account) == 0
		});
		let owes = Attribution::at_risk(&who.account);
		if self.sign(&who, ProviderCall::withdraw_bond {}) {
			assert_eq!(owes, 0, "a bond stays for what it answers for");
		}
	}

	pub fn unjail_provider(&mut self) {
		let now = System::block_number();
		let who = self.a_provider(
			|_, state| matches!(state, ProviderState::Jailed { until } if *until <= now),
		);
		// Who lost of its bond needs more first.
		let bond = Providers::bond_of(&who.account);
		if bond < serving::MinBond::get() && !self.once_in(4) {
			let amount = serving::MinBond::get() - bond;
			self.sign(&who, ProviderCall::bond_more { amount });
		}
		self.sign(&who, ProviderCall::unjail {});
	}

	pub fn heartbeat(&mut self) {
		let who = self.a_provider(|_, state| *state == ProviderState::Active);
		let now = System::block_number();
		let at = if self.once_in(8) {
			now + 1
		} else {
			now - self.rng.random_range(0..=1.min(now))
		};
		let beat = Heartbeat {
			genesis: System::block_hash(0),
			provider: who.account.clone(),
			at,
		};
		let hot_key = Providers::provider(who.account.clone()).map(|provider| provider.hot_key);
		let machine = match hot_key {
			Some(hot_key) => self.mostly(&hot_key),
			None => self.person(),
		};
		let signature = machine.sign(beat.digest().as_bytes());
		self.transact_unsigned(RuntimeCall::Providers(ProviderCall::heartbeat {
			provider: who.account,
			at,
			signature,
		}));
	}

	// Channels.

	fn a_delegate(&mut self) -> Option<(AccountId, Balance)> {
		self.once_in(2)
			.then(|| (self.a_machine().account, self.amount(50 * OPEN)))
	}

	pub fn open_channel(&mut self) {
		if self.channels.len() > 60 && !self.once_in(8) {
			return self.redeem();
		}
		let who = self.person();
		let provider = self.a_provider(|_, state| *state == ProviderState::Active);
		let least = serving::MinEscrow::get();
		let escrow = if self.once_in(3) {
			self.enough(least)
		} else {
			self.enough(50 * OPEN)
		};
		let delegate = self.a_delegate();
		let call = ChannelCall::open {
			provider: provider.account,
			escrow,
			delegate,
		};
		self.sign(&who, call);
	}

	/// A channel and mostly who pays from it.
	fn a_channel(
		&mut self,
		test: impl Fn(&pallet_channels::Channel) -> bool,
	) -> (ChannelId, Person) {
		let channels = self.channels.clone();
		let fit: Vec<_> = channels
			.iter()
			.copied()
			.filter(|id| Channels::channel(*id).is_some_and(|channel| test(&channel)))
			.collect();
		match self.one_of(&fit).or_else(|| self.one_of(&channels)) {
			Some(id) => {
				let payer = Channels::channel(id).unwrap().payer;
				(id, self.mostly(&payer))
			}
			None => (0, self.person()),
		}
	}

	pub fn top_up(&mut self) {
		let (channel, payer) = self.a_channel(|_| true);
		let who = if self.once_in(3) {
			self.person()
		} else {
			payer
		};
		let amount = if self.once_in(16) {
			0
		} else {
			self.amount(100 * OPEN)
		};
		let thaw = Channels::channel(channel).and_then(|channel| channel.thaw);
		self.sign(&who, ChannelCall::top_up { channel, amount });
		let after = Channels::channel(channel).and_then(|channel| channel.thaw);
		assert_eq!(thaw, after, "a top-up changes nothing of a thaw");
	}

	pub fn set_delegate(&mut self) {
		let (channel, who) = self.a_channel(|_| true);
		let delegate = self.a_delegate();
		self.sign(&who, ChannelCall::set_delegate { channel, delegate });
	}

	pub fn thaw(&mut self) {
		let (channel, who) = self.a_channel(|channel| channel.thaw.is_none());
		self.sign(&who, ChannelCall::thaw { channel });
	}

	pub fn cancel_thaw(&mut self) {
		let (channel, who) = self.a_channel(|channel| channel.thaw.is_some());
		self.sign(&who, ChannelCall::cancel_thaw { channel });
	}

	pub fn withdraw_escrow(&mut self) {
		let now = System::block_number();
		let thawed = |channel: &pallet_channels::Channel| channel.thaw.is_some_and(|at| at <= now);
		let (channel, who) = self.a_channel(thawed);
		let is_thawed = Channels::channel(channel).is_some_and(|channel| thawed(&channel));
		if self.sign(&who, ChannelCall::withdraw { channel }) {
			assert!(is_thawed, "no escrow is taken back before its thaw ends");
		}
	}

	pub fn close(&mut self) {
		let now = System::block_number();
		let (channel, who) = self
			.a_channel(|channel| channel.escrow == 0 || channel.thaw.is_some_and(|at| at <= now));
		self.sign(&who, ChannelCall::close { channel });
	}

	/// A provider serves a few answers, and redeems what was signed for them.
	pub fn redeem(&mut self) {
		let provider = self.a_provider(|_, state| *state == ProviderState::Active);
		let mine: Vec<_> = self
			.channels
			.iter()
			.copied()
			.filter(|id| {
				Channels::channel(*id).is_some_and(|channel| channel.provider == provider.account)
			})
			.collect();
		let mut vouchers = Vec::new();
		for _ in 0..self.rng.random_range(0..=4) {
			if let Some(channel) = self.one_of(&mine) {
				vouchers.push(self.serve(channel));
			}
		}
		let who = self.redeemer(&provider);
		let call = ChannelCall::redeem {
			vouchers: vouchers.try_into().unwrap(),
		};
		self.sign(&who, call);
	}

	/// The provider or its machine, sometimes somebody else.
	pub fn redeemer(&mut self, provider: &Person) -> Person {
		let hot_key = Providers::provider(provider.account.clone()).map(|known| known.hot_key);
		match hot_key {
			Some(hot_key) if !self.once_in(4) => self.mostly(&hot_key),
			_ => self.mostly(&provider.account),
		}
	}

	/// Answers on one lane of a channel, and the voucher for all of them; sometimes a bad one.
	fn serve(&mut self, id: ChannelId) -> SignedVoucher {
		let channel = Channels::channel(id).unwrap();
		let lane = self.below(4) as Lane;
		let key = (id, channel.generation, lane);
		let mut book = self.lanes.remove(&key).unwrap_or_default();
		for _ in 0..self.rng.random_range(0..=2) {
			self.answer(&channel, key, &mut book);
		}
		if self.once_in(24) {
			// The payer pays ahead of the answer.
			let ahead = self.amount(OPEN);
			book.amount += ahead;
			book.licence += ahead;
		}
		let mut voucher = Voucher {
			genesis: System::block_hash(0),
			channel: id,
			generation: channel.generation,
			lane,
			amount: book.amount,
			licence: book.licence,
			tokens: book.tokens,
			receipts: book.receipts,
			quote: 1,
			valid_until: System::block_number() + self.rng.random_range(0..=4),
		};
		self.lanes.insert(key, book);
		if self.once_in(8) {
			match self.below(7) {
				0 => voucher.genesis = self.hash(),
				1 => voucher.channel += 1_000_000,
				2 => voucher.generation += 1,
				3 => voucher.lane = 300,
				4 => voucher.valid_until = System::block_number().saturating_sub(1),
				5 => voucher.valid_until += 1_000_000,
				_ => voucher.licence = voucher.amount + 1,
			}
		}
		let delegate = channel.delegate.map(|delegate| delegate.signer);
		let former = channel.former.map(|former| former.delegate.signer);
		let signers: Vec<_> = [Some(channel.payer), delegate, former]
			.into_iter()
			.flatten()
			.collect();
		let signer = self.one_of(&signers).expect("there is a payer");
		let signer = self.mostly(&signer);
		let wrapped = self.once_in(2);
		let signature = signer.sign_digest(voucher.digest(), wrapped);
		SignedVoucher { voucher, signature }
	}

	/// One answer, whose receipt the payer acknowledges.
	fn answer(
		&mut self,
		channel: &pallet_channels::Channel,
		(id, generation, lane): (ChannelId, u32, Lane),
		book: &mut LaneBook,
	) {
		let adapter = Some(self.an_adapter()).filter(|id| self.payable.contains_key(id));
		let known = adapter.and_then(pallet_models::Adapters::<Runtime>::get);
		let base = match &known {
			Some(adapter) => adapter.base,
			None => self.below(pallet_models::NextBaseModel::<Runtime>::get() as usize) as u32,
		};
		let Some(model) = pallet_models::BaseModels::<Runtime>::get(base) else {
			return;
		};
		let mut rate = model.rate;
		if let Some(adapter) = &known {
			rate = rate.checked_add(&adapter.rate).unwrap();
		}
		let (tokens_in, tokens_out) = (
			self.rng.random_range(1..500),
			self.rng.random_range(1..1_500),
		);
		let licence = rate.charge(tokens_in, tokens_out).unwrap();
		let compute = Providers::quote(channel.provider.clone())
			.and_then(|quote| quote.rate.charge(tokens_in, tokens_out))
			.unwrap_or_default();
		// A few attributions claim a span that is in no record.
		let false_span = (adapter.is_some() && self.once_in(24)).then(|| {
			let payable = self.payable[&adapter.expect("there is one")].clone();
			let (datanet, contribution) = self.one_of(&payable).expect("somebody is payable");
			Scores {
				algorithm: known.as_ref().map_or(0, |known| known.algorithm),
				scores: Vec::new(),
				spans: vec![Span {
					datanet,
					contribution,
					record: Hash::zero(),
					record_index: 1_000,
					record_offset: 0,
					answer_offset: 0,
					length: 1,
					weight: 1,
				}],
			}
		});
		let receipt = Receipt {
			genesis: System::block_hash(0),
			channel: id,
			generation,
			lane,
			sequence: book.served.len() as u32,
			base,
			adapter,
			tokens_in,
			tokens_out,
			quote: 1,
			compute,
			licence,
			request: self.hash(),
			response: self.hash(),
			algorithm: known.as_ref().map_or(0, |known| known.algorithm),
			index: known.as_ref().map_or(Hash::zero(), |known| known.index),
			attribution: false_span
				.as_ref()
				.map_or(Hash::repeat_byte(10), Scores::digest),
		};
		book.receipts = acknowledge(book.receipts, receipt.digest());
		book.tokens += u64::from(tokens_in + tokens_out);
		book.amount += compute + licence;
		book.licence += licence;
		book.served.push(Served {
			receipt,
			false_span,
			paid: 0,
		});
	}
}

fn is_in(algorithm: u16, state: AlgorithmState) -> bool {
	Models::algorithm(algorithm).is_some_and(|known| known.state == state)
}
