//! Datanets: who pools records, who reviews them, who copies.

use crate::{people::Person, world::World};
use frame_support::traits::Get;
use frame_support::BoundedVec;
use openledger_primitives::{
	merkle::Tree, Commitment, ContributionId, DatanetId, Hash, RecordLeaf,
};
use openledger_runtime::{parameters::governed::datanets, Datanets, Runtime, System};
use pallet_datanets::{
	vote_commitment, Ballot, Call, Contribution, ContributionState, Curation, Phase, RecordProof,
	Vote,
};
use rand::Rng;

/// How often something is looked for at random before anything will do.
const TRIES: usize = 24;

/// `text` with the bound that is asked for.
pub fn text<S: Get<u32>>(text: &str) -> BoundedVec<u8, S> {
	text.as_bytes().to_vec().try_into().unwrap()
}

pub fn tree(leaves: &[RecordLeaf]) -> Tree {
	Tree::new(leaves.iter().map(RecordLeaf::node).collect()).unwrap()
}

/// A contribution and where it is.
type Found = (DatanetId, ContributionId, Option<Contribution<Runtime>>);

impl World {
	/// A Datanet that there is, or the one that comes next.
	pub fn datanet(&mut self) -> DatanetId {
		let next = pallet_datanets::NextDatanet::<Runtime>::get();
		self.below(next as usize + 1) as u32
	}

	/// A contribution for which `test` holds, if one is found; otherwise any.
	fn contribution(
		&mut self,
		test: impl Fn(&pallet_datanets::Datanet<Runtime>, &Contribution<Runtime>) -> bool,
	) -> Found {
		let mut found = (0, 0, None);
		for _ in 0..TRIES {
			let datanet = self.datanet();
			let Some(pool) = Datanets::datanet(datanet) else {
				continue;
			};
			let id = self.below(pool.contributions as usize + 1) as u32;
			let kept = Datanets::contribution(datanet, id);
			let fits = kept.as_ref().is_some_and(|kept| test(&pool, kept));
			found = (datanet, id, kept);
			if fits {
				break;
			}
		}
		found
	}

	/// Mostly who contributed this.
	fn contributor(&mut self, kept: &Option<Contribution<Runtime>>) -> Person {
		match kept {
			Some(kept) => self.mostly(&kept.contributor),
			None => self.person(),
		}
	}

	/// Mostly who owns this.
	fn owner(&mut self, datanet: DatanetId) -> Person {
		match Datanets::datanet(datanet) {
			Some(pool) => self.mostly(&pool.owner),
			None => self.person(),
		}
	}

	pub fn create(&mut self) {
		// Few enough that each comes to something.
		if pallet_datanets::NextDatanet::<Runtime>::get() >= 16 && !self.once_in(8) {
			return self.contribute();
		}
		let who = self.person();
		let curation = match self.below(4) {
			0 => Curation::Open,
			1 => Curation::Owner,
			_ => Curation::Reviewers,
		};
		let name = if self.once_in(8) { "" } else { "Tide tables" };
		let call = Call::create {
			name: text(name),
			licence: text("CC-BY-4.0"),
			media_type: text("text/plain"),
			curation,
		};
		self.sign(&who, call);
	}

	pub fn contribute(&mut self) {
		let who = self.person();
		let datanet = self.datanet();
		let count = self.rng.random_range(1..=4);
		let leaves: Vec<_> = (0..count)
			.map(|_| {
				// Some records come again.
				let known = self.once_in(4);
				let number = if known {
					self.rng.random_range(0..=100)
				} else {
					self.rng.random_range(0..=u32::MAX)
				};
				RecordLeaf {
					record: Hash::from_low_u64_be(u64::from(number) + 1),
					bytes: 1 + number % 1_000,
				}
			})
			.collect();
		let mut records = tree(&leaves).commitment();
		let valid = !self.once_in(16);
		if !valid {
			records = Commitment {
				count: 0,
				..records
			};
		}
		let payout = self.person().account;
		let id = Datanets::datanet(datanet).map(|pool| pool.contributions);
		let call = Call::contribute {
			datanet,
			records,
			uri: text("https://example.org/records"),
			payout,
		};
		if self.sign(&who, call) {
			assert!(valid, "no tree has no records");
			let id = id.expect("the Datanet is there");
			for (index, leaf) in (0..).zip(&leaves) {
				let places = self.places.entry((datanet, leaf.record)).or_default();
				places.push((id, index));
			}
			self.records.insert(records.root, leaves);
		}
	}

	pub fn accept(&mut self) {
		let (datanet, contribution, _) = self.contribution(|pool, kept| {
			pool.curation == Curation::Owner && kept.state == ContributionState::Pending
		});
		let who = self.owner(datanet);
		let call = Call::accept {
			datanet,
			contribution,
		};
		self.sign(&who, call);
	}

	pub fn reject(&mut self) {
		let (datanet, contribution, _) = self.contribution(|pool, kept| {
			pool.curation == Curation::Owner && kept.state == ContributionState::Pending
		});
		let who = self.owner(datanet);
		let call = Call::reject {
			datanet,
			contribution,
		};
		self.sign(&who, call);
	}

	pub fn snapshot(&mut self) {
		let datanet = self.datanet();
		let who = self.owner(datanet);
		self.sign(&who, Call::snapshot { datanet });
	}

	pub fn withdraw_contribution(&mut self) {
		let (datanet, contribution, kept) = self.contribution(|_, kept| {
			matches!(
				kept.state,
				ContributionState::Pending
					| ContributionState::Rejected { .. }
					| ContributionState::Accepted { .. }
			)
		});
		let who = self.contributor(&kept);
		let call = Call::withdraw {
			datanet,
			contribution,
		};
		self.sign(&who, call);
	}

	pub fn set_payout_account(&mut self) {
		let (datanet, contribution, kept) = self.contribution(|_, _| true);
		let who = self.contributor(&kept);
		let payout = self.person().account;
		let call = Call::set_payout_account {
			datanet,
			contribution,
			payout,
		};
		self.sign(&who, call);
	}

	pub fn release_bond(&mut self) {
		let (mut datanet, mut contribution, mut kept) = (0, 0, None);
		for _ in 0..TRIES {
			(datanet, contribution, kept) = self.contribution(|_, kept| {
				matches!(
					kept.state,
					ContributionState::Accepted { .. } | ContributionState::Withdrawn { .. }
				)
			});
			let free_at = Datanets::bond(datanet, contribution).and_then(|bond| bond.free_at);
			if free_at.is_some_and(|free_at| free_at <= System::block_number()) {
				break;
			}
		}
		let who = self.contributor(&kept);
		let call = Call::release_bond {
			datanet,
			contribution,
		};
		self.sign(&who, call);
	}

	/// Proof that a contribution contains a record.
	fn prove(&self, datanet: DatanetId, contribution: ContributionId, index: u32) -> RecordProof {
		let leaves = Datanets::contribution_records(datanet, contribution)
			.and_then(|records| self.records.get(&records.root));
		let nothing = RecordLeaf {
			record: Hash::zero(),
			bytes: 1,
		};
		match leaves {
			Some(leaves) => RecordProof {
				contribution,
				index,
				leaf: leaves[index as usize],
				proof: tree(leaves).proof(index).unwrap().try_into().unwrap(),
			},
			None => RecordProof {
				contribution,
				index,
				leaf: nothing,
				proof: Default::default(),
			},
		}
	}

	pub fn claim_duplicate(&mut self) {
		let twice: Vec<_> = self
			.places
			.iter()
			.filter(|(_, places)| places.len() > 1)
			.map(|((datanet, _), places)| (*datanet, places.clone()))
			.collect();
		let Some((datanet, mut places)) = self.one_of(&twice) else {
			return;
		};
		// Only of what was accepted anything is kept.
		places.retain(|(id, _)| {
			Datanets::contribution(datanet, *id)
				.is_some_and(|kept| matches!(kept.state, ContributionState::Accepted { .. }))
				|| id % 5 == 0
		});
		let Some(first) = self.one_of(&places) else {
			return;
		};
		places.retain(|(id, _)| *id != first.0);
		let Some(second) = self.one_of(&places) else {
			return;
		};
		let (mut original, mut duplicate) = (first.min(second), first.max(second));
		if self.once_in(12) {
			(original, duplicate) = (duplicate, original);
		}
		let who = self.person();
		let mut proof = self.prove(datanet, duplicate.0, duplicate.1);
		let broken = self.once_in(12);
		if broken {
			proof.leaf.bytes += 1;
		}
		let call = Call::claim_duplicate {
			datanet,
			original: self.prove(datanet, original.0, original.1),
			duplicate: proof,
		};
		let proven = self.sign(&who, call);
		assert!(
			!proven || (original.0 < duplicate.0 && !broken),
			"only the later one is a duplicate, and only with a proof"
		);
	}

	pub fn join_panel(&mut self) {
		let mut datanet = self.datanet();
		for _ in 0..TRIES {
			let curation = Datanets::datanet(datanet).map(|pool| pool.curation);
			if curation == Some(Curation::Reviewers) {
				break;
			}
			datanet = self.datanet();
		}
		let who = self.person();
		let stake = self.enough(datanets::MinReviewerStake::get());
		self.sign(&who, Call::join_panel { datanet, stake });
	}

	pub fn leave_panel(&mut self) {
		let datanet = self.datanet();
		let panel = Datanets::panel(datanet);
		let who = match self.one_of(&panel) {
			Some(reviewer) => self.mostly(&reviewer.account),
			None => self.person(),
		};
		self.sign(&who, Call::leave_panel { datanet });
	}

	pub fn open_review(&mut self) {
		let (datanet, contribution, _) = self.contribution(|pool, kept| {
			pool.curation == Curation::Reviewers && kept.state == ContributionState::Pending
		});
		let who = self.person();
		let call = Call::open_review {
			datanet,
			contribution,
		};
		self.sign(&who, call);
	}

	pub fn commit_vote(&mut self) {
		let reviews = std::mem::take(&mut self.reviews);
		let review = self.one_of(&reviews);
		self.reviews = reviews;
		let Some((datanet, contribution)) = review else {
			return self.open_review();
		};
		let seats = Datanets::review(datanet, contribution).unwrap().seats;
		let empty: Vec<_> = seats
			.into_iter()
			.filter(|seat| seat.ballot == Ballot::Empty)
			.map(|seat| seat.reviewer)
			.collect();
		let who = match self.one_of(&empty) {
			Some(account) => self.mostly(&account),
			None => self.person(),
		};
		let vote = if self.once_in(3) {
			Vote::Reject
		} else {
			Vote::Accept
		};
		let salt = self.hash();
		let call = Call::commit_vote {
			datanet,
			contribution,
			commitment: vote_commitment(datanet, contribution, &who.account, vote, &salt),
		};
		if self.sign(&who, call) {
			let key = (datanet, contribution, who.account);
			self.votes.insert(key, (vote, salt));
		}
	}

	pub fn reveal_vote(&mut self) {
		let votes: Vec<_> = self
			.votes
			.iter()
			.map(|(at, vote)| (at.clone(), *vote))
			.collect();
		let ready = |((datanet, contribution, _), _): &&((_, _, _), _)| {
			Datanets::review(*datanet, *contribution)
				.is_some_and(|review| review.phase(System::block_number()) == Phase::Reveal)
		};
		let ready: Vec<_> = votes.iter().filter(ready).cloned().collect();
		let Some(((datanet, contribution, account), (vote, mut salt))) =
			self.one_of(&ready).or_else(|| self.one_of(&votes))
		else {
			return;
		};
		let who = self.mostly(&account);
		let wrong = self.once_in(16);
		if wrong {
			salt = self.hash();
		}
		let call = Call::reveal_vote {
			datanet,
			contribution,
			vote,
			salt,
		};
		if self.sign(&who, call) {
			assert!(!wrong, "a vote is revealed as it was committed to");
			self.votes.remove(&(datanet, contribution, who.account));
		}
	}

	pub fn conclude_review(&mut self) {
		let over: Vec<_> = self
			.reviews
			.iter()
			.copied()
			.filter(|(datanet, contribution)| {
				Datanets::review(*datanet, *contribution)
					.is_some_and(|review| review.phase(System::block_number()) == Phase::Over)
			})
			.collect();
		let chosen = match self.one_of(&over) {
			Some(over) => Some(over),
			None => {
				let reviews = self.reviews.clone();
				self.one_of(&reviews)
			}
		};
		let Some((datanet, contribution)) = chosen else {
			return;
		};
		let who = self.person();
		let call = Call::conclude_review {
			datanet,
			contribution,
		};
		self.sign(&who, call);
	}

	/// Something that reviewers rejected and that is still there.
	fn a_rejected(&mut self, late: bool) -> Option<Found> {
		self.rejected.retain(|(datanet, id)| {
			Datanets::contribution(*datanet, *id)
				.is_some_and(|kept| matches!(kept.state, ContributionState::Rejected { .. }))
		});
		let now = System::block_number();
		let fits: Vec<_> = self
			.rejected
			.iter()
			.map(|(datanet, id)| (*datanet, *id, Datanets::contribution(*datanet, *id)))
			.filter(|(_, _, kept)| {
				let state = kept.as_ref().map(|kept| kept.state);
				matches!(state, Some(ContributionState::Rejected { until }) if (until <= now) == late)
			})
			.collect();
		self.one_of(&fits)
	}

	pub fn appeal(&mut self) {
		let late = self.once_in(8);
		let Some((datanet, contribution, kept)) = self.a_rejected(late) else {
			return;
		};
		let who = self.contributor(&kept);
		let call = Call::appeal {
			datanet,
			contribution,
		};
		self.sign(&who, call);
	}

	pub fn clear_rejected(&mut self) {
		let late = !self.once_in(8);
		let Some((datanet, contribution, _)) = self.a_rejected(late) else {
			return;
		};
		let who = self.person();
		let call = Call::clear_rejected {
			datanet,
			contribution,
		};
		self.sign(&who, call);
	}
}
