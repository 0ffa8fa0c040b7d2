//! How reviewers come, vote, are paid, and go.

use crate::{
	impls::{decrement, increment},
	*,
};
use alloc::vec::Vec;
use openledger_primitives::fees::apportion;

/// How many times less a reviewer loses who does not vote than one who does not reveal.
const ABSENCE: u32 = 5;

/// The part of the least stake that a reviewer must still have to be seated: who joined with the least and
/// is away for some days shall not leave the reviews to those who are not.
const KEEPS_SEAT: Permill = Permill::from_percent(80);

impl<T: Config> Pallet<T> {
	pub(crate) fn do_join_panel(
		who: AccountId,
		datanet: DatanetId,
		stake: Balance,
	) -> DispatchResult {
		Self::ensure_panel(datanet)?;
		let mut panel = Panels::<T>::get(datanet);
		let known = panel.iter().position(|reviewer| reviewer.account == who);
		let mut reviewer = match known {
			Some(at) => panel.swap_remove(at),
			None => Reviewer {
				account: who.clone(),
				stake: 0,
				since: 0,
				seats: 0,
				leaving: false,
				absent: 0,
			},
		};
		ensure!(!reviewer.leaving, Error::<T>::AlreadyLeaving);
		reviewer.stake = reviewer
			.stake
			.checked_add(stake)
			.ok_or(ArithmeticError::Overflow)?;
		ensure!(
			stake > 0 && reviewer.stake >= T::MinReviewerStake::get(),
			Error::<T>::StakeTooLow
		);
		reviewer.since = T::BlockNumberProvider::current_block_number();
		let total = reviewer.stake;
		let displaced = if panel.is_full() {
			Some(Self::displace(&mut panel, total)?)
		} else {
			None
		};
		Self::take(HoldReason::Stake, &who, stake)?;
		panel
			.try_push(reviewer)
			.map_err(|_| Error::<T>::PanelFull)?;
		Panels::<T>::insert(datanet, panel);
		if let Some(gone) = displaced {
			Self::part_with(datanet, gone, Some(who.clone()))?;
		}
		Self::deposit_event(Event::PanelJoined {
			datanet,
			reviewer: who,
			stake: total,
		});
		Ok(())
	}

	pub(crate) fn do_leave_panel(who: AccountId, datanet: DatanetId) -> DispatchResult {
		let mut panel = Panels::<T>::get(datanet);
		let at = panel
			.iter()
			.position(|reviewer| reviewer.account == who)
			.ok_or(Error::<T>::NotReviewer)?;
		let mut reviewer = panel.swap_remove(at);
		ensure!(!reviewer.leaving, Error::<T>::AlreadyLeaving);
		// Or stake that is there for a block could displace a panel and leave it empty.
		let now = T::BlockNumberProvider::current_block_number();
		ensure!(Self::is_warm(&reviewer, now), Error::<T>::WarmingUp);
		if reviewer.seats == 0 {
			Self::put_panel(datanet, panel);
			return Self::part_with(datanet, reviewer, None);
		}
		reviewer.leaving = true;
		panel
			.try_push(reviewer)
			.map_err(|_| Error::<T>::PanelFull)?;
		Panels::<T>::insert(datanet, panel);
		Self::deposit_event(Event::PanelLeaving {
			datanet,
			reviewer: who,
		});
		Ok(())
	}

	pub(crate) fn do_open_review(datanet: DatanetId, id: ContributionId) -> DispatchResult {
		Self::ensure_panel(datanet)?;
		let contribution =
			Contributions::<T>::get(datanet, id).ok_or(Error::<T>::UnknownContribution)?;
		ensure!(
			contribution.state == ContributionState::Pending,
			Error::<T>::NotPending
		);
		Self::ensure_no_review(datanet, id)?;
		let seats = Self::seats_for(datanet, &contribution)?;
		ensure!(!seats.is_empty(), Error::<T>::NoReviewers);
		Self::begin_review(datanet, id, seats, None)
	}

	pub(crate) fn do_commit_vote(
		who: AccountId,
		datanet: DatanetId,
		id: ContributionId,
		commitment: Hash,
	) -> DispatchResult {
		let contribution =
			Contributions::<T>::get(datanet, id).ok_or(Error::<T>::UnknownContribution)?;
		let mut review = Reviews::<T>::get(datanet, id).ok_or(Error::<T>::NoReview)?;
		ensure!(contribution.contributor != who, Error::<T>::OwnContribution);
		let phase = review.phase(T::BlockNumberProvider::current_block_number());
		let seat = Self::seat_of(&mut review, &who)?;
		ensure!(seat.ballot == Ballot::Empty, Error::<T>::AlreadyCommitted);
		ensure!(phase == Phase::Commit, Error::<T>::CommitPhaseOver);
		let panel = Panels::<T>::get(datanet);
		let reviewer = panel
			.iter()
			.find(|reviewer| reviewer.account == who)
			.ok_or(Error::<T>::NotReviewer)?;
		// Nobody votes with what was lost since.
		seat.weight = seat.weight.min(reviewer.stake);
		seat.ballot = Ballot::Sealed(commitment);
		Reviews::<T>::insert(datanet, id, review);
		Self::deposit_event(Event::VoteCommitted {
			datanet,
			contribution: id,
			reviewer: who,
			commitment,
		});
		Ok(())
	}

	pub(crate) fn do_reveal_vote(
		who: AccountId,
		datanet: DatanetId,
		id: ContributionId,
		vote: Vote,
		salt: Hash,
	) -> DispatchResult {
		let mut review = Reviews::<T>::get(datanet, id).ok_or(Error::<T>::NoReview)?;
		let phase = review.phase(T::BlockNumberProvider::current_block_number());
		let seat = Self::seat_of(&mut review, &who)?;
		let commitment = match seat.ballot {
			Ballot::Empty => return Err(Error::<T>::NotCommitted.into()),
			Ballot::Open(_) => return Err(Error::<T>::AlreadyRevealed.into()),
			Ballot::Sealed(commitment) => commitment,
		};
		match phase {
			Phase::Commit => return Err(Error::<T>::RevealTooEarly.into()),
			Phase::Over => return Err(Error::<T>::RevealPhaseOver.into()),
			Phase::Reveal => {}
		}
		ensure!(
			vote_commitment(datanet, id, &who, vote, &salt) == commitment,
			Error::<T>::WrongReveal
		);
		seat.ballot = Ballot::Open(vote);
		let weight = seat.weight;
		Reviews::<T>::insert(datanet, id, review);
		Self::deposit_event(Event::VoteRevealed {
			datanet,
			contribution: id,
			reviewer: who,
			vote,
			weight,
		});
		Ok(())
	}

	pub(crate) fn do_conclude_review(
		datanet: DatanetId,
		id: ContributionId,
	) -> DispatchResultWithPostInfo {
		let review = Reviews::<T>::get(datanet, id);
		let seats = review.as_ref().map_or(0, |review| review.seats.len());
		let seats = u32::try_from(seats).unwrap_or(u32::MAX);
		let post_info = PostDispatchInfo::from(Some(T::WeightInfo::conclude_review(seats)));
		review
			.ok_or_else(|| Error::<T>::NoReview.into())
			.and_then(|review| Self::conclude(datanet, id, review))
			.map(|()| post_info)
			.map_err(|error| DispatchErrorWithPostInfo { post_info, error })
	}

	pub(crate) fn do_appeal(
		who: AccountId,
		datanet: DatanetId,
		id: ContributionId,
	) -> DispatchResult {
		let contribution = Self::own_contribution(&who, datanet, id)?;
		let ContributionState::Rejected { until } = contribution.state else {
			return Err(Error::<T>::NotRejected.into());
		};
		Self::ensure_no_review(datanet, id)?;
		let now = T::BlockNumberProvider::current_block_number();
		ensure!(now < until, Error::<T>::AppealPeriodOver);

		let seats = Self::seats_for(datanet, &contribution)?;
		ensure!(!seats.is_empty(), Error::<T>::NoReviewers);

		let (deposit, fee) = (T::AppealDeposit::get(), T::ReviewFee::get());
		Self::take(HoldReason::Appeal, &who, deposit)?;
		Self::take(HoldReason::Bond, &who, fee)?;
		Bonds::<T>::try_mutate(datanet, id, |bond| {
			let bond = bond.as_mut().ok_or(Error::<T>::NoBond)?;
			bond.fee = bond.fee.checked_add(fee).ok_or(ArithmeticError::Overflow)?;
			Ok::<_, DispatchError>(())
		})?;
		Self::begin_review(datanet, id, seats, Some(deposit))?;
		Self::deposit_event(Event::Appealed {
			datanet,
			contribution: id,
			contributor: who,
			deposit,
		});
		Ok(())
	}

	pub(crate) fn do_clear_rejected(datanet: DatanetId, id: ContributionId) -> DispatchResult {
		let pool = Datanets::<T>::get(datanet).ok_or(Error::<T>::UnknownDatanet)?;
		let contribution =
			Contributions::<T>::get(datanet, id).ok_or(Error::<T>::UnknownContribution)?;
		let ContributionState::Rejected { until } = contribution.state else {
			return Err(Error::<T>::NotRejected.into());
		};
		Self::ensure_no_review(datanet, id)?;
		let now = T::BlockNumberProvider::current_block_number();
		ensure!(now >= until, Error::<T>::AppealPeriodRunning);
		Self::reject_from(pool, datanet, id, contribution)
	}

	/// Those of the panel who may vote on a contribution if its review begins now.
	pub(crate) fn seats_for(
		datanet: DatanetId,
		contribution: &Contribution<T>,
	) -> Result<SeatsOf<T>, DispatchError> {
		let now = T::BlockNumberProvider::current_block_number();
		let least = KEEPS_SEAT.mul_ceil(T::MinReviewerStake::get());
		let seats: Vec<Seat> = Panels::<T>::get(datanet)
			.into_iter()
			.filter(|reviewer| {
				!reviewer.leaving
					&& reviewer.stake >= least
					&& Self::is_warm(reviewer, now)
					// The payout account may vote: a contributor could name any reviewer to silence it.
					&& reviewer.account != contribution.contributor
			})
			.map(|reviewer| Seat {
				reviewer: reviewer.account,
				weight: reviewer.stake,
				ballot: Ballot::Empty,
			})
			.collect();
		BoundedVec::try_from(seats).map_err(|_| Error::<T>::PanelFull.into())
	}

	/// Whether all of a reviewer's stake has stood for the warm-up.
	fn is_warm(reviewer: &Reviewer, now: BlockNumber) -> bool {
		reviewer.since.saturating_add(T::ReviewerWarmUp::get()) <= now
	}

	/// Begins a review with these seats, whose reviewers stay until it ends; `deposit` is what an appeal
	/// has put at stake.
	pub(crate) fn begin_review(
		datanet: DatanetId,
		id: ContributionId,
		seats: SeatsOf<T>,
		deposit: Option<Balance>,
	) -> DispatchResult {
		Panels::<T>::try_mutate(datanet, |panel| -> DispatchResult {
			for reviewer in panel.iter_mut() {
				if seats.iter().any(|seat| seat.reviewer == reviewer.account) {
					reviewer.seats = increment(reviewer.seats)?;
				}
			}
			Ok(())
		})?;
		let now = T::BlockNumberProvider::current_block_number();
		let commit_until = now.saturating_add(T::CommitPeriod::get().max(1));
		let reveal_until = commit_until.saturating_add(T::RevealPeriod::get().max(1));
		let appeal = deposit.is_some();
		let count = u32::try_from(seats.len()).unwrap_or(u32::MAX);
		let review = Review::<T> {
			appeal,
			deposit: deposit.unwrap_or_default(),
			commit_until,
			reveal_until,
			seats,
		};
		Reviews::<T>::insert(datanet, id, review);
		Self::deposit_event(Event::ReviewOpened {
			datanet,
			contribution: id,
			appeal,
			seats: count,
			commit_until,
			reveal_until,
		});
		Ok(())
	}

	/// Ends the review, if there is one, of a contribution that is being withdrawn.
	pub(crate) fn cancel_review(
		datanet: DatanetId,
		id: ContributionId,
		contribution: &Contribution<T>,
	) -> DispatchResult {
		let Some(review) = Reviews::<T>::take(datanet, id) else {
			return Ok(());
		};
		let contributor = &contribution.contributor;
		// Once all is revealed, a withdrawal saves nobody from what concluding would bring.
		let now = T::BlockNumberProvider::current_block_number();
		if review.phase(now) == Phase::Over {
			Self::settle_seats(datanet, id, &review, true)?;
			Self::pay_fee(datanet, id, contributor, &review, |ballot| {
				matches!(ballot, Ballot::Open(_))
			})?;
		} else {
			Self::settle_seats(datanet, id, &review, false)?;
			Self::pay_fee(datanet, id, contributor, &review, |ballot| {
				*ballot != Ballot::Empty
			})?;
		}
		Self::deposit_event(Event::ReviewCancelled {
			datanet,
			contribution: id,
		});
		if review.appeal {
			Self::lose_appeal(datanet, id, contributor, review.deposit);
		}
		Ok(())
	}

	/// Counts the votes and does what they say.
	fn conclude(datanet: DatanetId, id: ContributionId, review: Review<T>) -> DispatchResult {
		let pool = Datanets::<T>::get(datanet).ok_or(Error::<T>::UnknownDatanet)?;
		let mut contribution =
			Contributions::<T>::get(datanet, id).ok_or(Error::<T>::UnknownContribution)?;
		let now = T::BlockNumberProvider::current_block_number();
		ensure!(review.phase(now) == Phase::Over, Error::<T>::ReviewRunning);

		let accept = review.weight(|ballot| *ballot == Ballot::Open(Vote::Accept))?;
		let reject = review.weight(|ballot| *ballot == Ballot::Open(Vote::Reject))?;
		let seated = review.weight(|_| true)?;
		let voted = accept
			.checked_add(reject)
			.ok_or(ArithmeticError::Overflow)?;
		let quorum = if review.appeal {
			T::AppealQuorum::get()
		} else {
			T::ReviewQuorum::get()
		};
		let outcome = if voted == 0 || voted < Permill::from_parts(quorum).mul_ceil(seated) {
			Outcome::Undecided
		} else if accept > reject {
			Outcome::Accepted
		} else {
			Outcome::Rejected
		};
		Reviews::<T>::remove(datanet, id);
		Self::settle_seats(datanet, id, &review, true)?;
		let contributor = contribution.contributor.clone();
		if outcome != Outcome::Undecided {
			Self::pay_fee(datanet, id, &contributor, &review, |ballot| {
				matches!(ballot, Ballot::Open(_))
			})?;
		}
		Self::deposit_event(Event::ReviewConcluded {
			datanet,
			contribution: id,
			appeal: review.appeal,
			outcome,
			accept,
			reject,
			seated,
		});

		if review.appeal {
			if outcome == Outcome::Rejected {
				Self::lose_appeal(datanet, id, &contributor, review.deposit);
			} else {
				Self::give_back(HoldReason::Appeal, &contributor, review.deposit)?;
			}
		}
		match (outcome, review.appeal) {
			// There is no place for it, and seats must not wait until there is.
			(Outcome::Accepted, _) if Self::is_full(&pool) => {
				Self::reject_from(pool, datanet, id, contribution)
			}
			(Outcome::Accepted, _) => Self::accept_into(pool, datanet, id, contribution),
			(Outcome::Rejected | Outcome::Undecided, true) => {
				Self::reject_from(pool, datanet, id, contribution)
			}
			(Outcome::Rejected, false) => {
				let until = now.saturating_add(T::AppealPeriod::get());
				contribution.state = ContributionState::Rejected { until };
				Contributions::<T>::insert(datanet, id, contribution);
				Ok(())
			}
			(Outcome::Undecided, false) => Ok(()),
		}
	}

	/// Frees those who have a seat in a review that ends, with `slash` takes a part of the stake of those
	/// who have not revealed and a smaller one of those who have not voted, and lets go who waited for
	/// it.
	fn settle_seats(
		datanet: DatanetId,
		id: ContributionId,
		review: &Review<T>,
		slash: bool,
	) -> DispatchResult {
		let mut panel = Panels::<T>::get(datanet);
		let now = T::BlockNumberProvider::current_block_number();
		let silence = T::SilenceSlash::get();
		for seat in review.seats.iter() {
			// Who has a seat cannot have left.
			let Some(at) = panel
				.iter()
				.position(|reviewer| reviewer.account == seat.reviewer)
			else {
				defensive!("a seat of somebody who left");
				continue;
			};
			let mut reviewer = panel.swap_remove(at);
			reviewer.seats = decrement(reviewer.seats)?;
			match seat.ballot {
				Ballot::Sealed(_) if slash => {
					let part = Permill::from_parts(silence);
					Self::slash_reviewer(datanet, id, &mut reviewer, part)?;
				}
				Ballot::Empty if slash && Self::may_count_absence(&reviewer, now) => {
					let part = Permill::from_parts(silence.div_ceil(ABSENCE));
					Self::slash_reviewer(datanet, id, &mut reviewer, part)?;
					reviewer.absent = now;
				}
				_ => {}
			}
			reviewer.leaving |= reviewer.stake == 0;
			if reviewer.leaving && reviewer.seats == 0 {
				Self::part_with(datanet, reviewer, None)?;
			} else {
				panel
					.try_push(reviewer)
					.map_err(|_| Error::<T>::PanelFull)?;
			}
		}
		Self::put_panel(datanet, panel);
		Ok(())
	}

	/// Whether a reviewer loses something for another absence: once in the time of a commit phase, or
	/// many contributions made at once would cost who is away for a day all that it has.
	fn may_count_absence(reviewer: &Reviewer, now: BlockNumber) -> bool {
		reviewer.absent == 0 || reviewer.absent.saturating_add(T::CommitPeriod::get()) <= now
	}

	/// Takes `part` of a reviewer's stake.
	fn slash_reviewer(
		datanet: DatanetId,
		id: ContributionId,
		reviewer: &mut Reviewer,
		part: Permill,
	) -> DispatchResult {
		let due = part.mul_floor(reviewer.stake);
		let amount = Self::forfeit(HoldReason::Stake, &reviewer.account, due);
		reviewer.stake = reviewer
			.stake
			.checked_sub(amount)
			.ok_or(ArithmeticError::Underflow)?;
		Self::deposit_event(Event::ReviewerSlashed {
			datanet,
			contribution: id,
			reviewer: reviewer.account.clone(),
			amount,
		});
		Ok(())
	}

	/// Divides the fee among the seats for which `earns` holds by what they weigh: by heads, splitting one
	/// stake over many accounts would take it from the others. Without any such seat the fee stays where
	/// it is.
	fn pay_fee(
		datanet: DatanetId,
		id: ContributionId,
		contributor: &AccountId,
		review: &Review<T>,
		earns: impl Fn(&Ballot) -> bool,
	) -> DispatchResult {
		let earners = review.seats.iter().filter(|seat| earns(&seat.ballot));
		let weights: Vec<Balance> = earners.clone().map(|seat| seat.weight).collect();
		let Some(mut bond) = Bonds::<T>::get(datanet, id) else {
			return Ok(());
		};
		let Some(shares) = apportion(bond.fee, &weights) else {
			return Ok(());
		};
		let mut rest = bond.fee;
		for (Seat { reviewer, .. }, share) in earners.zip(shares) {
			if share == 0 {
				continue;
			}
			Self::pay_held(HoldReason::Bond, contributor, reviewer, share)?;
			rest = rest.checked_sub(share).ok_or(ArithmeticError::Underflow)?;
			Self::deposit_event(Event::ReviewerPaid {
				datanet,
				contribution: id,
				reviewer: reviewer.clone(),
				amount: share,
			});
		}
		Self::give_back(HoldReason::Bond, contributor, rest)?;
		bond.fee = 0;
		Bonds::<T>::insert(datanet, id, bond);
		Ok(())
	}

	/// Forfeits what an appeal had at stake.
	fn lose_appeal(
		datanet: DatanetId,
		id: ContributionId,
		contributor: &AccountId,
		deposit: Balance,
	) {
		let deposit = Self::forfeit(HoldReason::Appeal, contributor, deposit);
		Self::deposit_event(Event::AppealLost {
			datanet,
			contribution: id,
			contributor: contributor.clone(),
			deposit,
		});
	}

	/// Takes out of a full panel the reviewer with the least stake who has no seat in an open review, if
	/// that is less than `stake`.
	fn displace(panel: &mut PanelOf<T>, stake: Balance) -> Result<Reviewer, DispatchError> {
		let least = panel
			.iter()
			.enumerate()
			.filter(|(_, reviewer)| reviewer.seats == 0 && reviewer.stake < stake)
			.min_by_key(|(_, reviewer)| reviewer.stake)
			.map(|(at, _)| at)
			.ok_or(Error::<T>::PanelFull)?;
		Ok(panel.swap_remove(least))
	}

	/// Returns the stake of somebody who is not on the panel any more.
	fn part_with(
		datanet: DatanetId,
		gone: Reviewer,
		displaced_by: Option<AccountId>,
	) -> DispatchResult {
		Self::give_back(HoldReason::Stake, &gone.account, gone.stake)?;
		Self::deposit_event(Event::PanelLeft {
			datanet,
			reviewer: gone.account,
			stake: gone.stake,
			displaced_by,
		});
		Ok(())
	}

	/// Stores a panel, or nothing if nobody is on it.
	fn put_panel(datanet: DatanetId, panel: PanelOf<T>) {
		if panel.is_empty() {
			Panels::<T>::remove(datanet);
		} else {
			Panels::<T>::insert(datanet, panel);
		}
	}

	/// The seat of `who` in a review.
	fn seat_of<'a>(
		review: &'a mut Review<T>,
		who: &AccountId,
	) -> Result<&'a mut Seat, DispatchError> {
		review
			.seats
			.iter_mut()
			.find(|seat| seat.reviewer == *who)
			.ok_or(Error::<T>::NotSeated.into())
	}

	/// Fails unless reviewers curate the Datanet.
	fn ensure_panel(datanet: DatanetId) -> DispatchResult {
		let pool = Datanets::<T>::get(datanet).ok_or(Error::<T>::UnknownDatanet)?;
		ensure!(pool.curation == Curation::Reviewers, Error::<T>::NoPanel);
		Ok(())
	}

	/// Fails if a review of the contribution is open.
	fn ensure_no_review(datanet: DatanetId, id: ContributionId) -> DispatchResult {
		ensure!(
			!Reviews::<T>::contains_key(datanet, id),
			Error::<T>::UnderReview
		);
		Ok(())
	}
}
