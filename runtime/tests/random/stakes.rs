//! Who validates, who backs them, and who misbehaves.

use crate::{people::Person, world::World};
use codec::{Decode, Encode};
use frame_support::traits::{Get, KeyOwnerProofSystem};
use openledger_runtime::{
	currency::OPEN, governance::Origin, parameters::governed::stakes, AccountId, Babe, Header,
	Historical, Runtime, RuntimeOrigin, Session, SessionKeys, Stakes,
};
use pallet_stakes::{Call, Candidates, Positions};
use rand::Rng;
use sp_consensus_babe::{
	digests::{CompatibleDigestItem, PreDigest, SecondaryPlainPreDigest},
	AuthorityId, EquivocationProof, Slot, KEY_TYPE,
};
use sp_core::{sr25519, Pair};
use sp_keyring::Sr25519Keyring;
use sp_runtime::{traits::Header as _, Digest, DigestItem, Perbill};

impl World {
	fn all_candidates(&self) -> Vec<AccountId> {
		let mut all: Vec<_> = Candidates::<Runtime>::iter_keys().collect();
		all.sort();
		all
	}

	fn a_candidate(&mut self) -> AccountId {
		let all = self.all_candidates();
		match self.one_of(&all) {
			Some(candidate) if !self.once_in(24) => candidate,
			_ => self.person().account,
		}
	}

	/// Somebody's stake on a candidate.
	fn a_position(
		&mut self,
		test: impl Fn(&AccountId, &AccountId, &pallet_stakes::Position<Runtime>) -> bool,
	) -> Option<(AccountId, AccountId)> {
		let mut all: Vec<_> = Positions::<Runtime>::iter()
			.filter(|(id, who, position)| test(id, who, position))
			.map(|(id, who, _)| (id, who))
			.collect();
		all.sort();
		self.one_of(&all)
	}

	fn commission(&mut self) -> Perbill {
		Perbill::from_percent(self.rng.random_range(0..=22))
	}

	pub fn bond(&mut self) {
		let who = self.person();
		let least = stakes::MinSelfStake::get();
		let amount = self.enough(least);
		let commission = self.commission();
		if self.sign(&who, Call::bond { amount, commission }) {
			self.set_keys_of(&who);
		}
	}

	pub fn set_keys(&mut self) {
		let account = self.a_candidate();
		let who = self.known(&account);
		self.set_keys_of(&who);
	}

	/// Session keys that can be found again.
	fn set_keys_of(&mut self, who: &Person) {
		let number = self.fresh_number();
		let seed = format!("0x{number:064x}");
		let pair = sr25519::Pair::from_string(&seed, None).unwrap();
		let seed = seed.into_bytes();
		let generated = SessionKeys::generate(&who.account.encode(), Some(seed));
		self.authors.insert(generated.keys.babe.clone(), pair);
		let call = pallet_session::Call::set_keys {
			keys: generated.keys,
			proof: generated.proof.encode(),
		};
		self.sign(who, call);
	}

	/// A candidate with a stake of its own.
	fn a_staked_candidate(&mut self) -> AccountId {
		let position = self.a_position(|id, who, position| {
			id == who && position.stake().is_some_and(|stake| stake > 0)
		});
		match position {
			Some((id, _)) => id,
			None => self.a_candidate(),
		}
	}

	pub fn bond_more(&mut self) {
		let account = self.a_staked_candidate();
		let who = self.mostly(&account);
		let amount = self.enough(100 * OPEN);
		self.sign(&who, Call::bond_more { amount });
	}

	/// An amount to take out of a stake: all of it, or some.
	fn some_of(&mut self, id: &AccountId, who: &AccountId) -> u128 {
		let stake = Stakes::position(id.clone(), who.clone())
			.and_then(|position| position.stake())
			.unwrap_or(OPEN);
		if self.once_in(3) {
			stake
		} else {
			self.amount(stake + 1)
		}
	}

	pub fn unbond(&mut self) {
		let account = self.a_staked_candidate();
		let who = self.mostly(&account);
		let amount = self.some_of(&who.account, &who.account);
		self.sign(&who, Call::unbond { amount });
	}

	pub fn delegate(&mut self) {
		let candidate = self.a_candidate();
		let who = self.person();
		let amount = self.enough(stakes::MinDelegation::get());
		self.sign(&who, Call::delegate { candidate, amount });
	}

	pub fn undelegate(&mut self) {
		let position = self.a_position(|id, who, position| {
			id != who && position.stake().is_some_and(|stake| stake > 0)
		});
		let (candidate, account) = match position {
			Some(position) => position,
			None => (self.a_candidate(), self.person().account),
		};
		let who = self.mostly(&account);
		let amount = self.some_of(&candidate, &who.account);
		self.sign(&who, Call::undelegate { candidate, amount });
	}

	pub fn withdraw_unbonded(&mut self) {
		let now = pallet_stakes::CurrentSession::<Runtime>::get();
		let early = self.once_in(12);
		let position = self.a_position(|_, _, position| {
			position
				.unbonding
				.iter()
				.any(|chunk| early || chunk.free_at <= now)
		});
		let Some((candidate, account)) = position else {
			return;
		};
		let who = self.mostly(&account);
		self.sign(&who, Call::withdraw_unbonded { candidate });
	}

	pub fn claim_rewards(&mut self) {
		let position = self.a_position(|id, who, _| Stakes::claimable(id.clone(), who.clone()) > 0);
		let (candidate, staker) = match position {
			Some(position) => position,
			None => (self.a_candidate(), self.person().account),
		};
		let who = self.person();
		self.sign(&who, Call::claim { candidate, staker });
	}

	pub fn validate(&mut self) {
		let account = self.a_candidate();
		let who = self.mostly(&account);
		let commission = self.commission();
		self.sign(&who, Call::validate { commission });
	}

	pub fn chill(&mut self) {
		let account = self.a_candidate();
		let who = self.mostly(&account);
		self.sign(&who, Call::chill {});
	}

	pub fn unjail(&mut self) {
		let mut jailed: Vec<_> = pallet_stakes::Jailed::<Runtime>::iter_keys().collect();
		jailed.sort();
		let who = match self.one_of(&jailed) {
			Some(account) => self.mostly(&account),
			None => self.person(),
		};
		self.sign(&who, Call::unjail {});
	}

	/// Ends a candidate, mostly one that has nothing at stake itself.
	pub fn dissolve(&mut self) {
		let deserted: Vec<_> = self
			.all_candidates()
			.into_iter()
			.filter(|id| Positions::<Runtime>::get(id, id).held() == Some(0))
			.collect();
		let candidate = match self.one_of(&deserted) {
			Some(candidate) => candidate,
			None => self.a_candidate(),
		};
		let who = self.person();
		self.sign(&who, Call::dissolve { candidate });
	}

	pub fn purge_keys(&mut self) {
		let mut gone: Vec<_> = pallet_session::NextKeys::<Runtime>::iter_keys()
			.filter(|account| !Candidates::<Runtime>::contains_key(account))
			.collect();
		gone.sort();
		let who = match self.one_of(&gone) {
			Some(account) => self.mostly(&account),
			None => self.person(),
		};
		self.sign(&who, Call::purge_keys {});
	}

	/// Reports that a validator made two blocks in this slot, which it did.
	pub fn equivocate(&mut self) {
		let authorities = Babe::authorities();
		if authorities.len() < 2 && !self.once_in(8) {
			return;
		}
		let index = self.below(authorities.len());
		// Nobody includes what disables him: BABE has no block whose author is disabled.
		if authorities.len() > 1 && index as u32 == self.author {
			return;
		}
		let offender = authorities[index].0.clone();
		let pair = match self.authors.get(&offender) {
			Some(pair) => pair.clone(),
			None => Sr25519Keyring::Alice.pair(),
		};
		if AuthorityId::from(pair.public()) != offender {
			return;
		}
		let slot = self.slot();
		let block = |number: u32| {
			let pre_digest = PreDigest::SecondaryPlain(SecondaryPlainPreDigest {
				authority_index: index as u32,
				slot: slot.into(),
			});
			let digest = Digest {
				logs: vec![DigestItem::babe_pre_digest(pre_digest)],
			};
			let mut header = Header::new(
				number,
				Default::default(),
				Default::default(),
				Default::default(),
				digest,
			);
			let signature = pair.sign(header.hash().as_ref());
			header
				.digest_mut()
				.push(DigestItem::babe_seal(signature.into()));
			header
		};
		let proof = EquivocationProof {
			offender: offender.clone(),
			slot: Slot::from(slot),
			first_header: block(7),
			second_header: block(8),
		};
		let Some(key_owner) = Historical::prove((KEY_TYPE, offender)) else {
			return;
		};
		let call = pallet_babe::Call::report_equivocation_unsigned {
			equivocation_proof: Box::new(proof),
			key_owner_proof: Decode::decode(&mut &key_owner.encode()[..]).unwrap(),
		};
		let author = RuntimeOrigin::none();
		if self.submit("a block's author".into(), author, call).is_ok() {
			self.count("equivocation reported");
		}
	}

	pub fn cancel_slash(&mut self) {
		let slashes: Vec<_> = Stakes::slashes().into_iter().map(|(id, _)| id).collect();
		let id = self.one_of(&slashes).unwrap_or(1_000);
		self.decide(Origin::Canceller, Call::cancel_slash { id });
	}

	pub fn set_fallback(&mut self) {
		let mut keyed: Vec<_> = pallet_session::NextKeys::<Runtime>::iter_keys().collect();
		keyed.sort();
		let mut validators: Vec<_> = (0..self.below(4))
			.filter_map(|_| self.one_of(&keyed))
			.collect();
		if !self.once_in(8) {
			validators.sort();
			validators.dedup();
		}
		let call = Call::set_fallback {
			validators: validators.try_into().unwrap(),
		};
		let origin = if self.once_in(8) {
			RuntimeOrigin::signed(Session::validators()[0].clone())
		} else {
			RuntimeOrigin::root()
		};
		let _ = self.submit("governance".into(), origin, call);
	}
}
