//! Benchmarks of GRANDPA's calls in this runtime. Those of the SDK measure only a part of a report.

use super::equivocation::{Offender, SESSION};
use crate::{Block, Grandpa, Hash, Header, Runtime, RuntimeOrigin};
use alloc::boxed::Box;
use codec::{Decode, Encode};
use core::marker::PhantomData;
use frame_benchmarking::v2::*;
use pallet_grandpa::{Call, SetIdSession, Stalled};
use sp_consensus_grandpa::{
	localized_payload, AuthorityId, AuthoritySignature, EquivocationProof, Message, Prevote,
	RoundNumber, SetId, KEY_TYPE,
};
use sp_runtime::{traits::NumberFor, RuntimeAppPublic};

/// Carries these benchmarks.
pub struct Pallet<T: Config>(PhantomData<T>);
/// What they run in.
pub trait Config: frame_system::Config {}
impl Config for Runtime {}

type Vote = (Prevote<Header>, AuthoritySignature);

/// Two votes of one round, both signed by the offender, in the second set of voters.
fn equivocation(offender: &Offender) -> EquivocationProof<Hash, NumberFor<Block>> {
	const SET: SetId = 1;
	const ROUND: RoundNumber = 1;
	SetIdSession::<Runtime>::insert(SET - 1, SESSION - 1);
	SetIdSession::<Runtime>::insert(SET, SESSION);
	let key = &offender.keys.grandpa;
	let vote = |target: u8| -> Vote {
		let vote = Prevote::<Header> {
			target_hash: [target; 32].into(),
			target_number: 10,
		};
		let message = Message::<Header>::Prevote(vote.clone());
		let signature = key.sign(&localized_payload(ROUND, SET, &message));
		(vote, signature.expect("the key was generated here; qed"))
	};
	// The proof's parts are of types that have no public name here, so it is read as nodes send it.
	const PREVOTE: u8 = 0;
	let parts: (SetId, u8, RoundNumber, AuthorityId, Vote, Vote) =
		(SET, PREVOTE, ROUND, key.clone(), vote(0), vote(1));
	Decode::decode(&mut &parts.encode()[..]).expect("these are a proof's parts in order; qed")
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// The worst case is an unsigned report, since its evidence is checked twice: when it enters the
	/// block, and when it is carried out.
	#[benchmark]
	fn report_equivocation(v: Linear<4, 512>, d: Linear<0, 256>) {
		let offender = Offender::new(v, d);
		let equivocation_proof = Box::new(equivocation(&offender));
		let key_owner_proof = offender.proof(KEY_TYPE, offender.keys.grandpa.as_ref());
		let call = Call::<Runtime>::report_equivocation_unsigned {
			equivocation_proof: equivocation_proof.clone(),
			key_owner_proof: key_owner_proof.clone(),
		};

		#[block]
		{
			Grandpa::pre_dispatch(&call).expect("the evidence is good; qed");
			Grandpa::report_equivocation_unsigned(
				RuntimeOrigin::none(),
				equivocation_proof,
				key_owner_proof,
			)
			.map_err(|reason| reason.error)
			.expect("the evidence is good; qed");
		}

		offender.assert_punished();
	}

	#[benchmark]
	fn note_stalled() {
		#[block]
		{
			Grandpa::note_stalled(RuntimeOrigin::root(), 1_000, 1).expect("it is root; qed");
		}

		assert!(Stalled::<Runtime>::exists());
	}
}
