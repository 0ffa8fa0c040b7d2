//! Benchmarks of BABE's calls in this runtime. Those of the SDK measure only a part of a report.

use super::equivocation::{Offender, SESSION};
use crate::{configs::SessionLength, genesis, Babe, Header, Runtime, RuntimeOrigin};
use alloc::boxed::Box;
use core::marker::PhantomData;
use frame_benchmarking::v2::*;
use frame_support::traits::Get;
use pallet_babe::{Call, GenesisSlot, PendingEpochConfigChange};
use sp_consensus_babe::{
	digests::{CompatibleDigestItem, NextConfigDescriptor, PreDigest, SecondaryPlainPreDigest},
	EquivocationProof, Slot, KEY_TYPE,
};
use sp_runtime::{traits::Header as _, Digest, DigestItem, RuntimeAppPublic};

/// Carries these benchmarks.
pub struct Pallet<T: Config>(PhantomData<T>);
/// What they run in.
pub trait Config: frame_system::Config {}
impl Config for Runtime {}

/// Two blocks of one slot, both signed by the offender.
fn equivocation(offender: &Offender, validators: u32) -> EquivocationProof<Header> {
	let first_slot: u64 = 1;
	GenesisSlot::<Runtime>::put(Slot::from(first_slot));
	let slot = Slot::from(first_slot + u64::from(SESSION) * SessionLength::get());
	let key = &offender.keys.babe;
	let block = |state_root: u8| {
		let digest =
			DigestItem::babe_pre_digest(PreDigest::SecondaryPlain(SecondaryPlainPreDigest {
				authority_index: validators - 1,
				slot,
			}));
		let mut header = Header::new(
			1,
			Default::default(),
			[state_root; 32].into(),
			Default::default(),
			Digest {
				logs: [digest].into(),
			},
		);
		let signature = key
			.sign(&header.hash())
			.expect("the key was generated here; qed");
		header.digest_mut().push(DigestItem::babe_seal(signature));
		header
	};
	EquivocationProof {
		offender: key.clone(),
		slot,
		first_header: block(0),
		second_header: block(1),
	}
}

#[benchmarks]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn plan_config_change() {
		let config = NextConfigDescriptor::V1 {
			c: genesis::EPOCH_CONFIG.c,
			allowed_slots: genesis::EPOCH_CONFIG.allowed_slots,
		};

		#[block]
		{
			Babe::plan_config_change(RuntimeOrigin::root(), config)
				.expect("it is the present configuration; qed");
		}

		assert!(PendingEpochConfigChange::<Runtime>::exists());
	}

	/// The worst case is an unsigned report, since its evidence is checked twice: when it enters the
	/// block, and when it is carried out.
	#[benchmark]
	fn report_equivocation(v: Linear<4, 512>, d: Linear<0, 256>) {
		let offender = Offender::new(v, d);
		let equivocation_proof = Box::new(equivocation(&offender, v));
		let key_owner_proof = offender.proof(KEY_TYPE, offender.keys.babe.as_ref());
		let call = Call::<Runtime>::report_equivocation_unsigned {
			equivocation_proof: equivocation_proof.clone(),
			key_owner_proof: key_owner_proof.clone(),
		};

		#[block]
		{
			Babe::pre_dispatch(&call).expect("the evidence is good; qed");
			Babe::report_equivocation_unsigned(
				RuntimeOrigin::none(),
				equivocation_proof,
				key_owner_proof,
			)
			.map_err(|reason| reason.error)
			.expect("the evidence is good; qed");
		}

		offender.assert_punished();
	}
}
