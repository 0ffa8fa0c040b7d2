//! Keys: making them, keeping them in files, and naming accounts.
//!
//! A key is sr25519, made from a mnemonic, a seed, or a development URI such as `//Alice`. On disk it is
//! a JSON file that only its owner can read, with the secret in plain or sealed by a passphrase
//! (scrypt and XSalsa20-Poly1305).

use crate::chain::Config;
use crypto_secretbox::{
	aead::{Aead, KeyInit},
	XSalsa20Poly1305,
};
use openledger_primitives::{AccountId, SignedVoucher, Voucher};
use serde::{Deserialize, Serialize};
use sp_core::{
	crypto::{Ss58Codec, Zeroize},
	sr25519, Pair,
};
use sp_runtime::MultiSignature;
use std::{
	fs,
	io::{self, Write},
	path::{Path, PathBuf},
};
use subxt::transactions::Signer;

/// Memory and time that opening a sealed key takes: 2^15 × 8 × 128 B = 32 MiB.
const SCRYPT_LOG_N: u8 = 15;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 1;
/// More than this is not a file of ours, and would only make us work.
const SCRYPT_LOG_N_MAX: u8 = 20;

/// What can go wrong with a key. The text says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
	/// Not a secret.
	#[error(
		"This is no secret key: give a mnemonic of 12 to 24 words, a seed of 32 bytes in hex, or a \
		 development key such as //Alice."
	)]
	BadSecret,
	/// Not an account.
	#[error("`{0}` is no account: give an SS58 address such as 5Grwva…, or 32 bytes in hex.")]
	BadAccount(String),
	/// The file cannot be read or written.
	#[error("The key file {path} cannot be used: {source}.")]
	Io {
		/// The file.
		path: PathBuf,
		/// Why.
		source: io::Error,
	},
	/// There is a file already.
	#[error("There is a key file {0} already, and it is not overwritten. Choose another name.")]
	Exists(PathBuf),
	/// Others may read the file.
	#[error("Others can read the key file {0}. Run: chmod 600 {0}")]
	TooOpen(PathBuf),
	/// The file is no key file.
	#[error("{path} is no key file of OpenLedger: {reason}.")]
	BadFile {
		/// The file.
		path: PathBuf,
		/// Why.
		reason: String,
	},
	/// The file is sealed.
	#[error(
		"The key file {0} is sealed. Give its passphrase in OPENLEDGER_PASSPHRASE, or type it when \
		 asked."
	)]
	Sealed(PathBuf),
	/// The passphrase is not the one.
	#[error("The passphrase does not open the key file {0}.")]
	WrongPassphrase(PathBuf),
}

/// A secret key and its account.
#[derive(Clone)]
pub struct Keypair(sr25519::Pair);

impl core::fmt::Debug for Keypair {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		write!(f, "Keypair({})", self.account())
	}
}

impl Keypair {
	/// From a mnemonic, a seed in hex, or a development URI, with derivations such as `//gateway`.
	pub fn from_uri(secret: &str) -> Result<Self, KeyError> {
		let secret = secret.trim();
		// Nothing at all would mean the public development phrase, and so would a lone `/path`.
		if secret.is_empty() || secret.starts_with('/') && !secret.starts_with("//") {
			return Err(KeyError::BadSecret);
		}
		sr25519::Pair::from_string(secret, None)
			.map(Self)
			.map_err(|_| KeyError::BadSecret)
	}

	/// A new random key, with the mnemonic of 12 words that makes it again.
	pub fn generate() -> (Self, String) {
		let (pair, phrase, _) = sr25519::Pair::generate_with_phrase(None);
		(Self(pair), phrase)
	}

	/// The account that this key signs for.
	pub fn account(&self) -> AccountId {
		AccountId::from(self.0.public())
	}

	/// Signs `message`.
	pub fn sign_bytes(&self, message: &[u8]) -> MultiSignature {
		MultiSignature::from(self.0.sign(message))
	}

	/// Signs a voucher.
	pub fn sign_voucher(&self, voucher: Voucher) -> SignedVoucher {
		let signature = self.sign_bytes(voucher.digest().as_bytes());
		SignedVoucher { voucher, signature }
	}
}

impl Signer<Config> for Keypair {
	fn account_id(&self) -> subxt::utils::AccountId32 {
		subxt::utils::AccountId32(self.0.public().0)
	}

	fn sign(&self, payload: &[u8]) -> subxt::utils::MultiSignature {
		subxt::utils::MultiSignature::Sr25519(self.0.sign(payload).0)
	}
}

/// An account from its SS58 address, from 32 bytes in hex, or from a development URI (`//Alice`).
pub fn parse_account(text: &str) -> Result<AccountId, KeyError> {
	let text = text.trim();
	let bad = || KeyError::BadAccount(text.into());
	if text.starts_with("//") {
		return Keypair::from_uri(text)
			.map(|key| key.account())
			.map_err(|_| bad());
	}
	if let Some(digits) = text.strip_prefix("0x") {
		let bytes = hex::decode(digits).map_err(|_| bad())?;
		return <[u8; 32]>::try_from(bytes)
			.map(AccountId::from)
			.map_err(|_| bad());
	}
	AccountId::from_ss58check(text).map_err(|_| bad())
}

/// A key file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFile {
	/// Version of the format: 1.
	pub version: u32,
	/// Kind of key: `sr25519`.
	pub scheme: String,
	/// The account, in SS58.
	pub address: String,
	/// The secret.
	secret: Secret,
}

/// A secret at rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Secret {
	/// As it is: what [`Keypair::from_uri`] takes.
	Plain(String),
	/// Sealed under a key that scrypt makes of a passphrase.
	Sealed {
		log_n: u8,
		r: u32,
		p: u32,
		salt: String,
		nonce: String,
		ciphertext: String,
	},
}

impl KeyFile {
	/// Writes the key that `secret` makes to a new file, sealed if there is a passphrase.
	pub fn create(path: &Path, secret: &str, passphrase: Option<&str>) -> Result<Self, KeyError> {
		let key = Keypair::from_uri(secret)?;
		let secret = match passphrase {
			None => Secret::Plain(secret.trim().into()),
			Some(passphrase) => seal(secret.trim(), passphrase),
		};
		let file = Self {
			version: 1,
			scheme: "sr25519".into(),
			address: key.account().to_string(),
			secret,
		};
		let bad = |reason: serde_json::Error| KeyError::BadFile {
			path: path.into(),
			reason: reason.to_string(),
		};
		write_private(path, &serde_json::to_vec_pretty(&file).map_err(bad)?)?;
		Ok(file)
	}

	/// Reads a file without opening the secret.
	pub fn read(path: &Path) -> Result<Self, KeyError> {
		let io = |source| KeyError::Io {
			path: path.into(),
			source,
		};
		let bytes = fs::read(path).map_err(io)?;
		if readable_by_others(path).map_err(io)? {
			return Err(KeyError::TooOpen(path.into()));
		}
		let bad = |reason: String| KeyError::BadFile {
			path: path.into(),
			reason,
		};
		let file: Self = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
		if file.version != 1 || file.scheme != "sr25519" {
			return Err(bad(format!(
				"it holds {} version {}",
				file.scheme, file.version
			)));
		}
		Ok(file)
	}

	/// Whether opening it takes a passphrase.
	pub fn is_sealed(&self) -> bool {
		matches!(self.secret, Secret::Sealed { .. })
	}

	/// Reads a file and opens its secret.
	pub fn open(path: &Path, passphrase: Option<&str>) -> Result<Keypair, KeyError> {
		let file = Self::read(path)?;
		let mut secret = match &file.secret {
			Secret::Plain(secret) => secret.clone(),
			sealed => {
				let passphrase = passphrase.ok_or_else(|| KeyError::Sealed(path.into()))?;
				unseal(sealed, passphrase).ok_or_else(|| KeyError::WrongPassphrase(path.into()))?
			}
		};
		let key = Keypair::from_uri(&secret);
		secret.zeroize();
		let key = key?;
		if key.account().to_string() != file.address {
			return Err(KeyError::BadFile {
				path: path.into(),
				reason: "its secret does not make its address".into(),
			});
		}
		Ok(key)
	}
}

fn seal(secret: &str, passphrase: &str) -> Secret {
	let salt: [u8; 32] = rand::random();
	let nonce: [u8; 24] = rand::random();
	let cipher = cipher(passphrase, &salt, SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P)
		.expect("the parameters are constants that scrypt accepts; qed");
	let ciphertext = cipher
		.encrypt(&nonce.into(), secret.as_bytes())
		.expect("a mnemonic is far below the cipher's limit; qed");
	Secret::Sealed {
		log_n: SCRYPT_LOG_N,
		r: SCRYPT_R,
		p: SCRYPT_P,
		salt: hex::encode(salt),
		nonce: hex::encode(nonce),
		ciphertext: hex::encode(ciphertext),
	}
}

fn unseal(secret: &Secret, passphrase: &str) -> Option<String> {
	let Secret::Sealed {
		log_n,
		r,
		p,
		salt,
		nonce,
		ciphertext,
	} = secret
	else {
		return None;
	};
	if *log_n > SCRYPT_LOG_N_MAX || *r > SCRYPT_R || *p > 16 {
		return None;
	}
	let cipher = cipher(passphrase, &hex::decode(salt).ok()?, *log_n, *r, *p)?;
	let nonce: [u8; 24] = hex::decode(nonce).ok()?.try_into().ok()?;
	let plain = cipher
		.decrypt(&nonce.into(), hex::decode(ciphertext).ok()?.as_slice())
		.ok()?;
	String::from_utf8(plain).ok()
}

fn cipher(passphrase: &str, salt: &[u8], log_n: u8, r: u32, p: u32) -> Option<XSalsa20Poly1305> {
	let params = scrypt::Params::new(log_n, r, p, 32).ok()?;
	let mut key = [0u8; 32];
	scrypt::scrypt(passphrase.as_bytes(), salt, &params, &mut key).ok()?;
	let cipher = XSalsa20Poly1305::new(&key.into());
	key.zeroize();
	Some(cipher)
}

/// Creates a file that only its owner can read, with its folder; refuses to overwrite.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
	let io = |source: io::Error| match source.kind() {
		io::ErrorKind::AlreadyExists => KeyError::Exists(path.into()),
		_ => KeyError::Io {
			path: path.into(),
			source,
		},
	};
	if let Some(folder) = path.parent() {
		fs::create_dir_all(folder).map_err(io)?;
	}
	let mut options = fs::OpenOptions::new();
	options.write(true).create_new(true);
	#[cfg(unix)]
	std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
	let mut file = options.open(path).map_err(io)?;
	file.write_all(bytes)
		.and_then(|()| file.sync_all())
		.map_err(io)
}

#[cfg(unix)]
fn readable_by_others(path: &Path) -> io::Result<bool> {
	use std::os::unix::fs::PermissionsExt;
	Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn readable_by_others(_: &Path) -> io::Result<bool> {
	Ok(false)
}

#[cfg(test)]
mod tests {
	use super::*;

	const PHRASE: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";

	#[test]
	fn development_uri_should_make_the_well_known_account() {
		let alice = Keypair::from_uri("//Alice").unwrap();
		let address = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
		assert_eq!(alice.account().to_string(), address);
		assert_eq!(parse_account(address).unwrap(), alice.account());
		assert_eq!(parse_account("//Alice").unwrap(), alice.account());
		let hex = format!("0x{}", hex::encode(alice.account()));
		assert_eq!(parse_account(&hex).unwrap(), alice.account());
	}

	#[test]
	fn bad_secrets_and_accounts_should_be_refused() {
		for secret in ["", "bottom drive", "0x12", "Alice"] {
			assert!(
				matches!(Keypair::from_uri(secret), Err(KeyError::BadSecret)),
				"{secret}"
			);
		}
		let account = Keypair::from_uri("//Alice").unwrap().account().to_string();
		for bad in ["", "5Grwva", "0x00", &account.replace("5Gr", "5Gs")] {
			assert!(
				matches!(parse_account(bad), Err(KeyError::BadAccount(_))),
				"{bad}"
			);
		}
	}

	#[test]
	fn signed_voucher_should_verify_for_its_signer_only() {
		let (key, _) = Keypair::generate();
		let (other, _) = Keypair::generate();
		let voucher = Voucher {
			genesis: [7; 32].into(),
			channel: 1,
			generation: 0,
			lane: 3,
			amount: 10,
			licence: 4,
			tokens: 5,
			receipts: [0; 32].into(),
			quote: 1,
			valid_until: 100,
		};
		let mut signed = key.sign_voucher(voucher);
		assert!(signed.is_signed_by(&key.account()));
		assert!(!signed.is_signed_by(&other.account()));
		signed.voucher.amount += 1;
		assert!(!signed.is_signed_by(&key.account()));
	}

	#[test]
	fn plain_key_file_should_be_private_and_open_again() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("keys/alice.json");
		KeyFile::create(&path, PHRASE, None).unwrap();
		let key = KeyFile::open(&path, None).unwrap();
		assert_eq!(key.account(), Keypair::from_uri(PHRASE).unwrap().account());
		assert!(matches!(
			KeyFile::create(&path, "//Bob", None),
			Err(KeyError::Exists(_))
		));
		#[cfg(unix)]
		{
			use std::os::unix::fs::PermissionsExt;
			let mode = fs::metadata(&path).unwrap().permissions().mode();
			assert_eq!(mode & 0o777, 0o600);
			fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
			assert!(matches!(
				KeyFile::open(&path, None),
				Err(KeyError::TooOpen(_))
			));
		}
	}

	#[test]
	fn sealed_key_file_should_open_with_its_passphrase_only() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("sealed.json");
		KeyFile::create(&path, PHRASE, Some("correct horse")).unwrap();
		assert!(!fs::read_to_string(&path).unwrap().contains("bottom"));
		assert!(matches!(
			KeyFile::open(&path, None),
			Err(KeyError::Sealed(_))
		));
		let wrong = KeyFile::open(&path, Some("battery staple"));
		assert!(matches!(wrong, Err(KeyError::WrongPassphrase(_))));
		let key = KeyFile::open(&path, Some("correct horse")).unwrap();
		assert_eq!(key.account(), Keypair::from_uri(PHRASE).unwrap().account());
	}
}
