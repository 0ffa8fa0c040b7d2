//! What only the operator of a worker may do, and how they show that they are.
//!
//! A bearer token in a file that only the worker's user can read. It is made at the first start; the
//! worker keeps its hash alone in memory.

use crate::{error::Refusal, settings::Serve};
use anyhow::{bail, Context, Result};
use sha2::{Digest, Sha256};
use std::{
	fs::{self, OpenOptions},
	hint::black_box,
	io::Write,
	path::{Path, PathBuf},
};
use tonic::metadata::MetadataMap;

/// Name of the file in the data folder.
pub const TOKEN_FILE: &str = "operator.token";

/// Fewest characters of a token that the operator chose.
const LEAST: usize = 32;

/// Most characters of one.
const MOST: usize = 1024;

/// Knows the operator's token.
#[derive(Clone)]
pub struct Operator {
	digest: [u8; 32],
}

impl std::fmt::Debug for Operator {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.write_str("Operator")
	}
}

fn digest(token: &[u8]) -> [u8; 32] {
	Sha256::digest(token).into()
}

impl Operator {
	/// Whoever knows `token`.
	pub fn new(token: &str) -> Self {
		Self {
			digest: digest(token.as_bytes()),
		}
	}

	/// The token in the file that the settings name, or in the data folder; there it is made if needed.
	pub fn open(settings: &Serve) -> Result<Self> {
		let path = match &settings.operator_token_file {
			Some(path) => path.clone(),
			None => made(&settings.data)?,
		};
		let text = fs::read_to_string(&path)
			.with_context(|| format!("the operator's token {} cannot be read", path.display()))?;
		let token = text.trim();
		let printable = token.bytes().all(|byte| byte.is_ascii_graphic());
		if !(LEAST..=MOST).contains(&token.len()) || !printable {
			bail!(
				"{} does not hold a token: {LEAST} to {MOST} printable characters without spaces. \
				 Delete {TOKEN_FILE} in the data folder to have a new one made",
				path.display()
			);
		}
		warn_if_shared(&path);
		Ok(Self::new(token))
	}

	/// Refuses a call that does not carry the token as `authorization: Bearer <token>`.
	pub fn check(&self, metadata: &MetadataMap) -> Result<(), Refusal> {
		let value = metadata.get("authorization");
		self.check_value(value.and_then(|value| value.to_str().ok()))
	}

	/// The same for the value of an HTTP request's `authorization`.
	pub fn check_value(&self, value: Option<&str>) -> Result<(), Refusal> {
		let token = value
			.and_then(|value| value.split_once(' '))
			.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
			.map(|(_, token)| token.trim());
		match token {
			Some(token) if self.is(token) => Ok(()),
			_ => Err(Refusal::NotTheOperator),
		}
	}

	/// Takes the same time wherever the hashes differ; and a caller cannot choose the hash's bytes one
	/// after the other.
	fn is(&self, token: &str) -> bool {
		let found = digest(token.as_bytes());
		let differing = found
			.iter()
			.zip(&self.digest)
			.fold(0u8, |differing, (a, b)| black_box(differing | (a ^ b)));
		differing == 0
	}
}

/// The token's file in `data`, made with a random token if it is not there.
fn made(data: &Path) -> Result<PathBuf> {
	let path = data.join(TOKEN_FILE);
	if path.exists() {
		return Ok(path);
	}
	fs::create_dir_all(data)
		.with_context(|| format!("the data folder {} cannot be made", data.display()))?;
	// Written aside first, so that a crash leaves no file with half a token.
	let aside = data.join(format!(".{TOKEN_FILE}.{}", std::process::id()));
	let write = || -> std::io::Result<()> {
		let mut options = OpenOptions::new();
		options.write(true).create(true).truncate(true);
		#[cfg(unix)]
		std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
		let mut file = options.open(&aside)?;
		writeln!(file, "{}", hex::encode(rand::random::<[u8; 32]>()))?;
		file.sync_all()?;
		fs::rename(&aside, &path)
	};
	write().with_context(|| format!("the operator's token {} cannot be made", path.display()))?;
	tracing::info!(path = %path.display(), "made a token for the operator's calls");
	Ok(path)
}

#[cfg(unix)]
fn warn_if_shared(path: &Path) {
	use std::os::unix::fs::PermissionsExt;
	let shared = fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0);
	if shared {
		tracing::warn!(path = %path.display(), "others can read the operator's token; chmod 600 it");
	}
}

#[cfg(not(unix))]
fn warn_if_shared(_: &Path) {}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::settings::{Cli, Command};
	use clap::Parser;

	fn settings(data: &Path) -> Serve {
		let arguments = [
			"openledger-worker".as_ref(),
			"serve".as_ref(),
			"--model".as_ref(),
			"m".as_ref(),
			"--data".as_ref(),
			data.as_os_str(),
		];
		let Command::Serve(settings) = Cli::try_parse_from(arguments).unwrap().command else {
			panic!("serve was asked for")
		};
		*settings
	}

	fn with(header: &str) -> MetadataMap {
		let mut metadata = MetadataMap::new();
		metadata.insert("authorization", header.parse().unwrap());
		metadata
	}

	#[test]
	fn token_should_be_made_once_for_the_operator_alone() {
		let folder = tempfile::tempdir().unwrap();
		let data = folder.path().join("data");
		let operator = Operator::open(&settings(&data)).unwrap();
		let token = fs::read_to_string(data.join(TOKEN_FILE)).unwrap();
		assert_eq!(token.trim().len(), 64);
		#[cfg(unix)]
		{
			use std::os::unix::fs::PermissionsExt;
			let mode = fs::metadata(data.join(TOKEN_FILE)).unwrap().permissions();
			assert_eq!(mode.mode() & 0o777, 0o600);
		}
		let header = with(&format!("Bearer {}", token.trim()));
		assert_eq!(operator.check(&header), Ok(()));
		let again = Operator::open(&settings(&data)).unwrap();
		assert_eq!(again.check(&header), Ok(()), "a restart keeps it");
		assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
		let elsewhere = Operator::open(&settings(&folder.path().join("other"))).unwrap();
		assert!(elsewhere.check(&header).is_err(), "tokens are random");
	}

	#[test]
	fn call_without_the_token_should_be_refused() {
		let token = "0123456789abcdef0123456789abcdef";
		let operator = Operator::new(token);
		assert_eq!(operator.check(&with(&format!("bearer {token}"))), Ok(()));
		let longer = format!("Bearer {token}0");
		let shorter = format!("Bearer {}", &token[1..]);
		for header in ["Bearer", "Bearer ", token, "Basic x", &longer, &shorter] {
			assert_eq!(
				operator.check(&with(header)),
				Err(Refusal::NotTheOperator),
				"{header}"
			);
		}
		assert!(operator.check(&MetadataMap::new()).is_err());
		let status = Refusal::NotTheOperator.status();
		assert_eq!(status.code(), tonic::Code::Unauthenticated);
		assert!(status.message().contains(TOKEN_FILE));
	}

	#[test]
	fn file_that_holds_no_token_should_be_refused_with_its_name() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("mine");
		let mut settings = settings(folder.path());
		settings.operator_token_file = Some(path.clone());
		let error = format!("{:#}", Operator::open(&settings).unwrap_err());
		assert!(
			error.contains("mine"),
			"a file that was named is not made: {error}"
		);
		for text in ["", "short\n", &"two words ".repeat(9), &"x".repeat(2_000)] {
			fs::write(&path, text).unwrap();
			let error = format!("{:#}", Operator::open(&settings).unwrap_err());
			assert!(error.contains("mine"), "{error}");
		}
		fs::write(&path, "correct-horse-battery-staple-0123456789\n").unwrap();
		let header = with("Bearer correct-horse-battery-staple-0123456789");
		assert!(Operator::open(&settings).unwrap().check(&header).is_ok());
	}
}
