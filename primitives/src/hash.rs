//! The two ways anything is hashed: content hashes of bytes, structured hashes of values.

use crate::Hash;
use codec::Encode;
use sp_io::hashing::sha2_256;

/// SHA-256 of `bytes`: the hash by which files, records, prompts and answers are known.
pub fn content_hash(bytes: &[u8]) -> Hash {
	Hash::from(sha2_256(bytes))
}

/// `sha256(tag ‖ SCALE(value))`. Each type and version has its own ASCII `tag`, so that no value of
/// one type can stand for a value of another.
pub fn structured_hash(tag: &[u8], value: &impl Encode) -> Hash {
	let mut bytes = tag.to_vec();
	value.encode_to(&mut bytes);
	Hash::from(sha2_256(&bytes))
}
