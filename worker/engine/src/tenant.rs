//! Who a request is for: the unit of fairness and of isolation.

use sha2::{Digest, Sha256};

/// Whoever must neither starve others nor read their KV: a payer's account, or an API key.
///
/// Requests of one tenant share their queue's turn and may share KV pages; requests of two never do. Requests
/// without a tenant are all of one, [`Tenant::ANONYMOUS`].
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant([u8; 32]);

impl Tenant {
	/// Whoever did not say who they are.
	pub const ANONYMOUS: Self = Self([0; 32]);

	/// All tenants that [`crate::Engine::tenants`] does not list singly any more.
	pub const OTHERS: Self = Self([0xff; 32]);

	/// The tenant of that name, which may be a secret: only its SHA-256 is kept.
	pub fn of(name: impl AsRef<[u8]>) -> Self {
		let mut hasher = Sha256::new();
		hasher.update(b"openledger/tenant/1\0");
		hasher.update(name.as_ref());
		Self(hasher.finalize().into())
	}

	/// The bytes of the identity.
	pub fn as_bytes(&self) -> &[u8; 32] {
		&self.0
	}
}

/// `anonymous`, `others`, or the first 16 hexadecimal digits: enough to tell tenants apart in metrics and logs.
impl std::fmt::Display for Tenant {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		match *self {
			Self::ANONYMOUS => f.write_str("anonymous"),
			Self::OTHERS => f.write_str("others"),
			Self(bytes) => f.write_str(&crate::hex(&bytes[..8])),
		}
	}
}

impl std::fmt::Debug for Tenant {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		write!(f, "Tenant({self})")
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn names_should_make_different_tenants_and_never_show() {
		let (a, b) = (Tenant::of("sk-secret"), Tenant::of("sk-secret2"));
		assert_ne!(a, b);
		assert_eq!(a, Tenant::of(b"sk-secret"));
		assert!(!format!("{a:?} {a}").contains("secret"));
		assert_eq!(Tenant::default(), Tenant::ANONYMOUS);
		assert_eq!(Tenant::ANONYMOUS.to_string(), "anonymous");
	}
}
