//! Every kind of key, raw and as browser wallets wrap it.

use super::*;
use frame::deps::{
	sp_core::{ecdsa, ed25519, sr25519, Pair},
	sp_runtime::{traits::IdentifyAccount, MultiSignature, MultiSigner},
};
use openledger_primitives::voucher::wrap;

/// Opens a channel from the account behind `pair` and redeems two vouchers that it signed: one over
/// the digest, one over the wrapped digest.
fn assert_can_pay<P: Pair>(pair: P)
where
	MultiSigner: From<P::Public>,
	MultiSignature: From<P::Signature>,
{
	ExtBuilder.build_and_execute(|| {
		let payer: AccountId = MultiSigner::from(pair.public()).into_account();
		assert_ok!(Balances::transfer_allow_death(
			signed(alice()),
			payer.clone(),
			50 * OPEN
		));
		assert_ok!(Channels::open(
			signed(payer.clone()),
			bob(),
			10 * OPEN,
			None
		));

		let raw = voucher(OPEN, 0);
		let signature = pair.sign(raw.digest().as_bytes()).into();
		assert_eq!(
			skipped(SignedVoucher {
				voucher: raw,
				signature
			}),
			None
		);

		let wrapped = voucher(2 * OPEN, 0);
		let signature = pair.sign(&wrap(wrapped.digest())).into();
		assert_eq!(
			skipped(SignedVoucher {
				voucher: wrapped,
				signature
			}),
			None
		);
		assert_eq!(escrow(), 8 * OPEN);

		// Neither over other bytes, nor over another voucher.
		let owed = voucher(3 * OPEN, 0);
		let other = pair.sign(b"<Bytes></Bytes>").into();
		assert_skipped(
			SignedVoucher {
				voucher: owed.clone(),
				signature: other,
			},
			SkipReason::BadSignature,
		);
		let less = pair
			.sign(voucher(2 * OPEN + 1, 0).digest().as_bytes())
			.into();
		assert_skipped(
			SignedVoucher {
				voucher: owed,
				signature: less,
			},
			SkipReason::BadSignature,
		);
	})
}

#[test]
fn sr25519_keys_should_be_able_to_pay() {
	assert_can_pay(sr25519::Pair::from_seed(&[1; 32]));
}

#[test]
fn ed25519_keys_should_be_able_to_pay() {
	assert_can_pay(ed25519::Pair::from_seed(&[2; 32]));
}

#[test]
fn ecdsa_keys_should_be_able_to_pay() {
	assert_can_pay(ecdsa::Pair::from_seed(&[3; 32]));
}

#[test]
fn delegates_should_be_able_to_sign_with_another_kind_of_key_than_the_payers() {
	ExtBuilder.build_and_execute(|| {
		let pair = ecdsa::Pair::from_seed(&[4; 32]);
		open(Some((
			MultiSigner::from(pair.public()).into_account(),
			OPEN,
		)));
		let owed = voucher(OPEN, 0);
		let signature = pair.sign(&wrap(owed.digest())).into();
		assert_eq!(
			skipped(SignedVoucher {
				voucher: owed,
				signature
			}),
			None
		);
	})
}
