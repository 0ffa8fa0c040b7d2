//! Who acts, and with which keys.

use openledger_primitives::voucher;
use openledger_runtime::AccountId;
use sp_core::{ecdsa, ed25519, sr25519, Pair, H256};
use sp_keyring::Sr25519Keyring;
use sp_runtime::{
	traits::{IdentifyAccount, Verify},
	MultiSignature, MultiSigner,
};
use std::sync::LazyLock;

/// A key of any kind.
#[derive(Clone)]
enum Key {
	Sr25519(sr25519::Pair),
	Ed25519(Box<ed25519::Pair>),
	Ecdsa(ecdsa::Pair),
}

/// Somebody who can sign.
#[derive(Clone)]
pub struct Person {
	/// What its key was made of.
	pub name: String,
	/// Its account.
	pub account: AccountId,
	key: Key,
}

impl Person {
	/// The person whose key is made of its name; of one of three kinds.
	pub fn new(name: String, kind: usize) -> Self {
		let seed = sp_io::hashing::sha2_256(name.as_bytes());
		let (key, signer) = match kind % 3 {
			0 => {
				let pair = sr25519::Pair::from_seed(&seed);
				(Key::Sr25519(pair.clone()), MultiSigner::from(pair.public()))
			}
			1 => {
				let pair = ed25519::Pair::from_seed(&seed);
				(
					Key::Ed25519(Box::new(pair)),
					MultiSigner::from(pair.public()),
				)
			}
			_ => {
				let pair = ecdsa::Pair::from_seed(&seed);
				(Key::Ecdsa(pair.clone()), MultiSigner::from(pair.public()))
			}
		};
		Self {
			name,
			account: signer.into_account(),
			key,
		}
	}

	/// The accounts that genesis funds. Their keys take a while to derive, so that is done once.
	pub fn funded() -> Vec<Self> {
		static FUNDED: LazyLock<Vec<Person>> = LazyLock::new(|| {
			Sr25519Keyring::well_known()
				.map(|key| Person {
					name: key.to_string(),
					account: key.to_account_id(),
					key: Key::Sr25519(key.pair()),
				})
				.collect()
		});
		FUNDED.clone()
	}

	/// Signs `message`.
	pub fn sign(&self, message: &[u8]) -> MultiSignature {
		match &self.key {
			Key::Sr25519(pair) => pair.sign(message).into(),
			Key::Ed25519(pair) => pair.sign(message).into(),
			Key::Ecdsa(pair) => pair.sign(message).into(),
		}
	}

	/// Signs `digest` as it is, or as a browser wallet does.
	pub fn sign_digest(&self, digest: H256, wrapped: bool) -> MultiSignature {
		if wrapped {
			self.sign(&voucher::wrap(digest))
		} else {
			self.sign(digest.as_bytes())
		}
	}
}

#[test]
fn everybody_should_sign_so_that_the_account_is_believed() {
	for kind in 0..3 {
		let person = Person::new("Zoe".into(), kind);
		let digest = H256::repeat_byte(1);
		let signature = person.sign_digest(digest, true);
		let wrapped = voucher::wrap(digest);
		assert!(signature.verify(wrapped.as_slice(), &person.account));
	}
}
