//! What the calls cost at worst, measured.
//!
//! Everybody who pays or is paid has money held for every reason of this pallet, so each change of a
//! hold reads and writes a long list.

// This runs nowhere but where weights are measured; a wrong sum or index there stops the measurement.
#![allow(
	clippy::arithmetic_side_effects,
	clippy::expect_used,
	clippy::indexing_slicing,
	clippy::unwrap_used
)]

use crate::*;
use alloc::{vec, vec::Vec};
use frame::{
	benchmarking::prelude::*,
	traits::{
		fungible::{hold::Inspect as _, Balanced, Inspect as _},
		tokens::Precision,
	},
};
use openledger_primitives::{merkle::MAX_DEPTH, ContributionLeaf, Hash};

/// What everybody has, in existential deposits.
const WEALTH: Balance = 1_000_000_000_000;
/// What is held of everybody for each reason beforehand, in units.
const HELD: Balance = 1;
/// Bytes of the record that two contributions share.
const RECORD_BYTES: u32 = 1_000;

/// Somebody with money, of which a little is held for every reason.
fn funded<T: Config>(role: &'static str, index: u32) -> Result<AccountId, BenchmarkError> {
	let who: AccountId = account(role, index, 0);
	let wealth = T::Currency::minimum_balance() * WEALTH;
	// Dropping what it gives issues the money.
	drop(<T::Currency as Balanced<AccountId>>::deposit(
		&who,
		wealth,
		Precision::Exact,
	)?);
	for reason in [
		HoldReason::Datanet,
		HoldReason::Contribution,
		HoldReason::Bond,
		HoldReason::Stake,
		HoldReason::Appeal,
	] {
		Pallet::<T>::take(reason, &who, HELD)?;
	}
	Ok(who)
}

/// What is held of `who` for `reason` beyond what everybody has held.
fn held<T: Config>(reason: HoldReason, who: &AccountId) -> Balance {
	T::Currency::balance_on_hold(&reason.into(), who) - HELD
}

/// A text of `len` bytes, or of as many as fit.
fn text<B: Get<u32>>(len: u32) -> BoundedVec<u8, B> {
	BoundedVec::truncate_from(vec![b'x'; len as usize])
}

/// The clock that the pallet sees.
fn now<T: Config>() -> BlockNumber {
	T::BlockNumberProvider::current_block_number()
}

/// Lets blocks pass.
fn pass<T: Config>(blocks: BlockNumber) {
	T::BlockNumberProvider::set_block_number(now::<T>().saturating_add(blocks));
}

/// A Datanet with the longest texts, and its owner.
fn pool<T: Config>(curation: Curation) -> Result<(DatanetId, AccountId), BenchmarkError> {
	let owner = funded::<T>("owner", 0)?;
	let id = NextDatanet::<T>::get();
	let longest = || text(T::MaxNameLen::get());
	Pallet::<T>::do_create(owner.clone(), longest(), longest(), longest(), curation)?;
	Ok((id, owner))
}

/// Records that nobody else has.
fn records(seed: u8) -> Commitment {
	Commitment {
		root: Hash::repeat_byte(seed),
		sum: RECORD_BYTES.into(),
		count: 1,
	}
}

/// A contribution with the longest URI, and who made it.
fn give<T: Config>(
	datanet: DatanetId,
	records: Commitment,
) -> Result<(ContributionId, AccountId), BenchmarkError> {
	let who = funded::<T>("contributor", 0)?;
	let pool = Datanets::<T>::get(datanet).ok_or("no such Datanet")?;
	let payout = account("payout", 0, 0);
	let uri = text(T::MaxUriLen::get());
	Pallet::<T>::do_contribute(who.clone(), datanet, records, uri, payout)?;
	Ok((pool.contributions, who))
}

/// Least stake of a reviewer that is worth something.
fn least_stake<T: Config>() -> Balance {
	T::MinReviewerStake::get().max(T::Currency::minimum_balance() * 1_000)
}

/// Puts so many reviewers on a panel and lets them warm up. The first has more stake than all others
/// together, so that it alone makes every quorum short of all.
fn seat<T: Config>(datanet: DatanetId, seats: u32) -> Result<Vec<AccountId>, BenchmarkError> {
	let mut panel = Vec::new();
	for index in 0..seats {
		let who = funded::<T>("reviewer", index)?;
		let weight = if index == 0 { 100_000 } else { 2 };
		let stake = least_stake::<T>() * weight;
		Pallet::<T>::do_join_panel(who.clone(), datanet, stake)?;
		panel.push(who);
	}
	pass::<T>(T::ReviewerWarmUp::get());
	Ok(panel)
}

/// A reviewer's salt.
fn salt() -> Hash {
	Hash::repeat_byte(7)
}

/// Commits all of the panel to reject.
fn commit<T: Config>(
	datanet: DatanetId,
	id: ContributionId,
	panel: &[AccountId],
) -> Result<(), BenchmarkError> {
	for who in panel {
		let commitment = vote_commitment(datanet, id, who, Vote::Reject, &salt());
		Pallet::<T>::do_commit_vote(who.clone(), datanet, id, commitment)?;
	}
	Ok(())
}

/// Reveals what [`commit`] committed to.
fn reveal<T: Config>(
	datanet: DatanetId,
	id: ContributionId,
	panel: &[AccountId],
) -> Result<(), BenchmarkError> {
	for who in panel {
		Pallet::<T>::do_reveal_vote(who.clone(), datanet, id, Vote::Reject, salt())?;
	}
	Ok(())
}

/// A contribution, and those who take part in what becomes of it.
struct Case {
	datanet: DatanetId,
	id: ContributionId,
	contributor: AccountId,
	panel: Vec<AccountId>,
}

/// A contribution whose review with so many seats has begun.
fn under_review<T: Config>(seats: u32) -> Result<Case, BenchmarkError> {
	let (datanet, _) = pool::<T>(Curation::Reviewers)?;
	let panel = seat::<T>(datanet, seats)?;
	let (id, contributor) = give::<T>(datanet, records(1))?;
	Ok(Case {
		datanet,
		id,
		contributor,
		panel,
	})
}

/// A contribution that so many reviewers have rejected.
fn rejected<T: Config>(seats: u32) -> Result<Case, BenchmarkError> {
	let case = under_review::<T>(seats)?;
	commit::<T>(case.datanet, case.id, &case.panel)?;
	reveal::<T>(case.datanet, case.id, &case.panel)?;
	Pallet::<T>::do_conclude_review(case.datanet, case.id)?;
	Ok(case)
}

/// A contribution whose appeal is lost at the highest cost: all of so many reviewers have committed
/// and want to leave, the first has revealed, which decides it, and all others are silent.
fn lost_appeal<T: Config>(seats: u32) -> Result<Case, BenchmarkError> {
	let case = rejected::<T>(seats)?;
	let (datanet, id) = (case.datanet, case.id);
	Pallet::<T>::do_appeal(case.contributor.clone(), datanet, id)?;
	commit::<T>(datanet, id, &case.panel)?;
	for who in &case.panel {
		Pallet::<T>::do_leave_panel(who.clone(), datanet)?;
	}
	reveal::<T>(datanet, id, &case.panel[..1])?;
	let review = Reviews::<T>::get(datanet, id).ok_or("no review")?;
	assert!(review.appeal && review.seats.len() == seats as usize);
	pass::<T>(review.reveal_until.saturating_sub(now::<T>()));
	Ok(case)
}

/// What the last of a panel loses by its silence. The first is not silent.
fn silence_slash<T: Config>(seats: u32) -> Balance {
	let part = Permill::from_parts(T::SilenceSlash::get());
	if seats == 1 {
		0
	} else {
		part.mul_floor(least_stake::<T>() * 2)
	}
}

/// Whether there is nothing left of a contribution and its review, its reviewers have gone with their
/// stake, and nothing is held of its contributor.
fn is_over<T: Config>(case: &Case) -> bool {
	let (datanet, id) = (case.datanet, case.id);
	!Contributions::<T>::contains_key(datanet, id)
		&& !ContributionDeposits::<T>::contains_key(datanet, id)
		&& !Bonds::<T>::contains_key(datanet, id)
		&& !Reviews::<T>::contains_key(datanet, id)
		&& !ContributionByRoot::<T>::contains_key(datanet, records(1).root)
		&& !Panels::<T>::contains_key(datanet)
		&& Datanets::<T>::get(datanet).is_some_and(|pool| pool.kept == 0)
		&& case
			.panel
			.iter()
			.all(|who| held::<T>(HoldReason::Stake, who) == 0)
		&& [
			HoldReason::Contribution,
			HoldReason::Bond,
			HoldReason::Appeal,
		]
		.into_iter()
		.all(|reason| held::<T>(reason, &case.contributor) == 0)
}

/// A proof of a record by so many nodes, at least one, and the records that it holds for. The record is
/// the same for every `bytes`.
///
/// The tree is as deep as one can be, and the record its last: what verifying takes is told by the
/// depth, and where the proof has no node, padding is hashed.
fn prove(
	contribution: ContributionId,
	nodes: u32,
	bytes: u32,
) -> Result<(Commitment, RecordProof), BenchmarkError> {
	let leaf = RecordLeaf {
		record: Hash::repeat_byte(9),
		bytes,
	};
	// One node for each bit that is set; the highest makes the depth.
	let index = 1 << (MAX_DEPTH - 1) | ((1 << (nodes - 1)) - 1);
	let (mut node, mut padding) = (leaf.node(), Node::default());
	let mut proof = Vec::new();
	for level in 0..MAX_DEPTH {
		let pair = if index >> level & 1 == 1 {
			let sibling = Node {
				hash: Hash::repeat_byte(8),
				sum: Balance::from(RECORD_BYTES) << level,
			};
			proof.push(sibling);
			merkle::join(&sibling, &node)
		} else {
			merkle::join(&node, &padding)
		};
		node = pair.map_err(|_| "the sums overflow")?;
		padding = merkle::join(&padding, &padding).map_err(|_| "the sums overflow")?;
	}
	assert_eq!(proof.len(), nodes as usize);
	let records = Commitment {
		root: node.hash,
		sum: node.sum,
		count: index + 1,
	};
	let proof = RecordProof {
		contribution,
		index,
		leaf,
		proof: BoundedVec::truncate_from(proof),
	};
	Ok((records, proof))
}

/// A hash like no other of its kind.
fn numbered(number: u32) -> Hash {
	let mut bytes = [0; 32];
	let (_, last) = bytes.split_at_mut(28);
	last.copy_from_slice(&number.to_be_bytes());
	bytes.into()
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// Worst case: three texts of `t` bytes in all.
	#[benchmark]
	fn create(t: Linear<3, { 3 * T::MaxNameLen::get() }>) -> Result<(), BenchmarkError> {
		let owner = funded::<T>("owner", 0)?;
		let id = NextDatanet::<T>::get();
		let [name, licence, media_type] = [t.div_ceil(3), (t + 1) / 3, t / 3];
		assert_eq!(name + licence + media_type, t);

		#[extrinsic_call]
		_(
			RawOrigin::Signed(owner.clone()),
			text(name),
			text(licence),
			text(media_type),
			Curation::Reviewers,
		);

		let pool = Datanets::<T>::get(id).ok_or("not stored")?;
		assert_eq!(pool.owner, owner);
		assert_eq!(
			Pallet::<T>::text_len(&[&pool.name, &pool.licence, &pool.media_type]),
			t
		);
		assert!(DatanetDeposits::<T>::contains_key(id));
		assert_eq!(NextDatanet::<T>::get(), id + 1);
		Ok(())
	}

	/// Worst case: a full panel, all of which gets a seat in the review that begins.
	#[benchmark]
	fn contribute(t: Linear<1, { T::MaxUriLen::get() }>) -> Result<(), BenchmarkError> {
		let seats = T::MaxPanel::get();
		let (datanet, _) = pool::<T>(Curation::Reviewers)?;
		seat::<T>(datanet, seats)?;
		let who = funded::<T>("contributor", 0)?;

		#[extrinsic_call]
		_(
			RawOrigin::Signed(who.clone()),
			datanet,
			records(1),
			text(t),
			account("payout", 0, 0),
		);

		let kept = Contributions::<T>::get(datanet, 0).ok_or("not stored")?;
		assert_eq!(kept.contributor, who);
		assert_eq!(kept.uri.len(), t as usize);
		assert_eq!(
			ContributionByRoot::<T>::get(datanet, records(1).root),
			Some(0)
		);
		let bond = Bonds::<T>::get(datanet, 0).ok_or("no bond")?;
		assert_eq!(
			held::<T>(HoldReason::Bond, &who),
			T::ContributionBond::get() + T::ReviewFee::get()
		);
		assert_eq!(bond.fee, T::ReviewFee::get());
		let review = Reviews::<T>::get(datanet, 0).ok_or("no review")?;
		assert_eq!(review.seats.len(), seats as usize);
		Ok(())
	}

	/// Worst case: the longest texts; there is a bond that becomes free some time.
	#[benchmark]
	fn accept() -> Result<(), BenchmarkError> {
		let (datanet, owner) = pool::<T>(Curation::Owner)?;
		let (id, _) = give::<T>(datanet, records(1))?;

		#[extrinsic_call]
		_(RawOrigin::Signed(owner), datanet, id);

		let kept = Contributions::<T>::get(datanet, id).ok_or("gone")?;
		assert_eq!(kept.state, ContributionState::Accepted { since: 1 });
		let free_at = now::<T>().saturating_add(T::BondPeriod::get());
		assert_eq!(
			Bonds::<T>::get(datanet, id).and_then(|bond| bond.free_at),
			Some(free_at)
		);
		Ok(())
	}

	/// Worst case: the longest texts; deposit and bond go back to somebody with other holds.
	#[benchmark]
	fn reject() -> Result<(), BenchmarkError> {
		let (datanet, owner) = pool::<T>(Curation::Owner)?;
		let (id, contributor) = give::<T>(datanet, records(1))?;

		#[extrinsic_call]
		_(RawOrigin::Signed(owner), datanet, id);

		assert!(is_over::<T>(&Case {
			datanet,
			id,
			contributor,
			panel: Vec::new()
		}));
		Ok(())
	}

	/// Worst case: every contribution that the Datanet keeps is accepted and has the longest URI, and
	/// there is an earlier snapshot to compare with.
	#[benchmark]
	fn snapshot(c: Linear<1, { T::MaxContributions::get() }>) -> Result<(), BenchmarkError> {
		let (datanet, owner) = pool::<T>(Curation::Owner)?;
		let (id, _) = give::<T>(datanet, records(1))?;
		Pallet::<T>::do_accept(owner.clone(), datanet, id)?;
		let model = Contributions::<T>::get(datanet, id).ok_or("gone")?;
		let mut leaves = Vec::new();
		// Written as `contribute` would write them; what it writes besides, a snapshot does not read.
		for contribution in 0..c {
			let mut kept = model.clone();
			kept.records.root = numbered(contribution + 1);
			leaves.push(ContributionLeaf {
				contribution,
				records: kept.records,
			});
			Contributions::<T>::insert(datanet, contribution, kept);
			Admitted::<T>::insert(datanet, contribution, ());
		}
		Datanets::<T>::mutate(datanet, |pool| {
			if let Some(pool) = pool {
				pool.contributions = c;
				pool.kept = c;
				pool.accepted = c;
				pool.snapshots = 1;
			}
		});
		let earlier = Snapshot::<T> {
			contributions: records(2),
			licence: text(T::MaxNameLen::get()),
			block: now::<T>(),
		};
		Snapshots::<T>::insert(datanet, 1, earlier);

		#[extrinsic_call]
		_(RawOrigin::Signed(owner), datanet);

		let tree = merkle::Tree::new(leaves.iter().map(ContributionLeaf::node).collect())
			.map_err(|_| "no tree")?;
		let made = Snapshots::<T>::get(datanet, 2).ok_or("no snapshot")?;
		assert_eq!(made.contributions, tree.commitment());
		assert_eq!(made.contributions.count, c);
		assert_eq!(
			Datanets::<T>::get(datanet).map(|pool| pool.snapshots),
			Some(2)
		);
		Ok(())
	}

	/// Worst case: an appeal is up that is lost with the withdrawal. Its review with `s` seats is over;
	/// one reviewer is paid, all others are slashed, and all leave.
	#[benchmark]
	fn withdraw(s: Linear<1, { T::MaxPanel::get() }>) -> Result<(), BenchmarkError> {
		let case = lost_appeal::<T>(s)?;
		let last = case.panel.last().ok_or("nobody")?.clone();
		let before = T::Currency::total_balance(&last);

		#[extrinsic_call]
		_(
			RawOrigin::Signed(case.contributor.clone()),
			case.datanet,
			case.id,
		);

		assert!(is_over::<T>(&case));
		let paid = if s == 1 { T::ReviewFee::get() } else { 0 };
		assert_eq!(
			T::Currency::total_balance(&last),
			before + paid - silence_slash::<T>(s)
		);
		Ok(())
	}

	/// Worst case: the longest texts.
	#[benchmark]
	fn set_payout_account() -> Result<(), BenchmarkError> {
		let (datanet, _) = pool::<T>(Curation::Open)?;
		let (id, contributor) = give::<T>(datanet, records(1))?;
		let payout: AccountId = account("other payout", 0, 0);

		#[extrinsic_call]
		_(RawOrigin::Signed(contributor), datanet, id, payout.clone());

		let kept = Contributions::<T>::get(datanet, id).ok_or("gone")?;
		assert_eq!(kept.payout, payout);
		Ok(())
	}

	/// Worst case: the longest texts; the contributor has other holds.
	#[benchmark]
	fn release_bond() -> Result<(), BenchmarkError> {
		let (datanet, _) = pool::<T>(Curation::Open)?;
		let (id, contributor) = give::<T>(datanet, records(1))?;
		pass::<T>(T::BondPeriod::get());
		assert!(held::<T>(HoldReason::Bond, &contributor) > 0);

		#[extrinsic_call]
		_(RawOrigin::Signed(contributor.clone()), datanet, id);

		assert!(!Bonds::<T>::contains_key(datanet, id));
		assert_eq!(held::<T>(HoldReason::Bond, &contributor), 0);
		Ok(())
	}

	/// Worst case: two valid proofs of `n` nodes in all, more than which a proof of one record cannot
	/// have, in two of the deepest trees. A snapshot has made the original known, so the bond is
	/// divided; none contains the duplicate, which is removed, and its deposit returned.
	#[benchmark]
	fn claim_duplicate(n: Linear<2, { 2 * MAX_DEPTH }>) -> Result<(), BenchmarkError> {
		let (datanet, owner) = pool::<T>(Curation::Open)?;
		let claimer = funded::<T>("claimer", 0)?;
		let (first, original) = prove(0, n / 2, RECORD_BYTES)?;
		let (second, duplicate) = prove(1, n.div_ceil(2), RECORD_BYTES + 1)?;
		give::<T>(datanet, first)?;
		Pallet::<T>::do_snapshot(owner, datanet).map_err(|error| error.error)?;
		pass::<T>(T::OriginalAge::get());
		let (id, contributor) = give::<T>(datanet, second)?;
		let bond = Bonds::<T>::get(datanet, id).ok_or("no bond")?.amount;
		let reward = Permill::from_parts(T::DuplicateReward::get()).mul_floor(bond);
		let others = held::<T>(HoldReason::Bond, &contributor) - bond;
		let before = T::Currency::balance(&claimer);

		#[extrinsic_call]
		_(
			RawOrigin::Signed(claimer.clone()),
			datanet,
			original,
			duplicate,
		);

		assert!(!Contributions::<T>::contains_key(datanet, id));
		assert!(!Bonds::<T>::contains_key(datanet, id));
		assert!(Contributions::<T>::contains_key(datanet, 0));
		assert_eq!(held::<T>(HoldReason::Bond, &contributor), others);
		assert_eq!(T::Currency::balance(&claimer), before + reward);
		Ok(())
	}

	/// Worst case: the panel is full, and the reviewer with the least stake is displaced.
	#[benchmark]
	fn join_panel() -> Result<(), BenchmarkError> {
		let (datanet, _) = pool::<T>(Curation::Reviewers)?;
		let panel = seat::<T>(datanet, T::MaxPanel::get())?;
		let who = funded::<T>("newcomer", 0)?;
		let stake = least_stake::<T>() * 200_000;

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), datanet, stake);

		let kept = Panels::<T>::get(datanet);
		assert_eq!(kept.len(), panel.len());
		assert!(kept
			.iter()
			.any(|reviewer| reviewer.account == who && reviewer.stake == stake));
		assert_eq!(held::<T>(HoldReason::Stake, &who), stake);
		let gone = panel
			.iter()
			.filter(|who| held::<T>(HoldReason::Stake, who) == 0)
			.count();
		assert_eq!(gone, 1);
		Ok(())
	}

	/// Worst case: the panel is full, and the last on it gets its stake back at once.
	#[benchmark]
	fn leave_panel() -> Result<(), BenchmarkError> {
		let (datanet, _) = pool::<T>(Curation::Reviewers)?;
		let panel = seat::<T>(datanet, T::MaxPanel::get())?;
		let who = panel.last().ok_or("nobody")?.clone();

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), datanet);

		assert_eq!(Panels::<T>::get(datanet).len(), panel.len() - 1);
		assert_eq!(held::<T>(HoldReason::Stake, &who), 0);
		Ok(())
	}

	/// Worst case: a full panel, all of which gets a seat.
	#[benchmark]
	fn open_review() -> Result<(), BenchmarkError> {
		let (datanet, _) = pool::<T>(Curation::Reviewers)?;
		let (id, _) = give::<T>(datanet, records(1))?;
		assert!(!Reviews::<T>::contains_key(datanet, id));
		let panel = seat::<T>(datanet, T::MaxPanel::get())?;

		#[extrinsic_call]
		_(RawOrigin::Signed(panel[0].clone()), datanet, id);

		let review = Reviews::<T>::get(datanet, id).ok_or("no review")?;
		assert_eq!(review.seats.len(), panel.len());
		assert!(!review.appeal);
		Ok(())
	}

	/// Worst case: every seat is taken, all others have committed, and who commits is the last of all.
	#[benchmark]
	fn commit_vote() -> Result<(), BenchmarkError> {
		let case = under_review::<T>(T::MaxPanel::get())?;
		let (who, others) = case.panel.split_last().ok_or("nobody")?;
		commit::<T>(case.datanet, case.id, others)?;
		let commitment = vote_commitment(case.datanet, case.id, who, Vote::Accept, &salt());

		#[extrinsic_call]
		_(
			RawOrigin::Signed(who.clone()),
			case.datanet,
			case.id,
			commitment,
		);

		let review = Reviews::<T>::get(case.datanet, case.id).ok_or("no review")?;
		assert_eq!(review.seats.len(), case.panel.len());
		assert!(review
			.seats
			.iter()
			.all(|seat| matches!(seat.ballot, Ballot::Sealed(_))));
		Ok(())
	}

	/// Worst case: every seat is taken, all have committed, and who reveals is the last of all.
	#[benchmark]
	fn reveal_vote() -> Result<(), BenchmarkError> {
		let case = under_review::<T>(T::MaxPanel::get())?;
		commit::<T>(case.datanet, case.id, &case.panel)?;
		let who = case.panel.last().ok_or("nobody")?.clone();

		#[extrinsic_call]
		_(
			RawOrigin::Signed(who.clone()),
			case.datanet,
			case.id,
			Vote::Reject,
			salt(),
		);

		let review = Reviews::<T>::get(case.datanet, case.id).ok_or("no review")?;
		let seat = review.seats.last().ok_or("no seat")?;
		assert_eq!(seat.reviewer, who);
		assert_eq!(seat.ballot, Ballot::Open(Vote::Reject));
		Ok(())
	}

	/// Worst case: an appeal is lost; of `s` reviewers one is paid, all others are slashed, and all leave.
	#[benchmark]
	fn conclude_review(s: Linear<1, { T::MaxPanel::get() }>) -> Result<(), BenchmarkError> {
		let case = lost_appeal::<T>(s)?;
		let anybody = funded::<T>("anybody", 0)?;
		let last = case.panel.last().ok_or("nobody")?.clone();
		let before = T::Currency::total_balance(&last);

		#[extrinsic_call]
		_(RawOrigin::Signed(anybody), case.datanet, case.id);

		assert!(is_over::<T>(&case));
		let paid = if s == 1 { T::ReviewFee::get() } else { 0 };
		assert_eq!(
			T::Currency::total_balance(&last),
			before + paid - silence_slash::<T>(s)
		);
		Ok(())
	}

	/// Worst case: a full panel, all of which gets a seat.
	#[benchmark]
	fn appeal() -> Result<(), BenchmarkError> {
		let case = rejected::<T>(T::MaxPanel::get())?;

		#[extrinsic_call]
		_(
			RawOrigin::Signed(case.contributor.clone()),
			case.datanet,
			case.id,
		);

		let review = Reviews::<T>::get(case.datanet, case.id).ok_or("no review")?;
		assert!(review.appeal);
		assert_eq!(review.seats.len(), case.panel.len());
		assert_eq!(
			held::<T>(HoldReason::Appeal, &case.contributor),
			T::AppealDeposit::get()
		);
		assert_eq!(
			Bonds::<T>::get(case.datanet, case.id).map(|bond| bond.fee),
			Some(T::ReviewFee::get())
		);
		Ok(())
	}

	/// Worst case: the longest texts; deposit and bond go back to somebody with other holds.
	#[benchmark]
	fn clear_rejected() -> Result<(), BenchmarkError> {
		let mut case = rejected::<T>(1)?;
		for who in case.panel.drain(..) {
			Pallet::<T>::do_leave_panel(who, case.datanet)?;
		}
		pass::<T>(T::AppealPeriod::get());
		let anybody = funded::<T>("anybody", 0)?;

		#[extrinsic_call]
		_(RawOrigin::Signed(anybody), case.datanet, case.id);

		assert!(is_over::<T>(&case));
		Ok(())
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
