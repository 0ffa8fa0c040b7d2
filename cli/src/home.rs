//! Where things are kept on this machine.

use crate::CliError;
use openledger_client::{KeyFile, Keypair};
use std::{
	io::{IsTerminal, Write},
	path::{Path, PathBuf},
};

/// Environment variable that opens sealed keys without asking.
pub const PASSPHRASE: &str = "OPENLEDGER_PASSPHRASE";

/// The folder of keys, of the gateway's journal, of published records and of the answers paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
	/// `folder`, or `$XDG_CONFIG_HOME/openledger`, or `~/.config/openledger`.
	pub fn find(folder: Option<PathBuf>) -> Result<Self, CliError> {
		let config = || {
			let xdg = std::env::var_os("XDG_CONFIG_HOME").filter(|path| !path.is_empty());
			let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".config"));
			Some(xdg.map(PathBuf::from).or_else(home)?.join("openledger"))
		};
		folder.or_else(config).map(Self).ok_or_else(|| {
			CliError::usage(
				"There is no home folder here: say where to keep things with --home DIR.",
			)
		})
	}

	/// The folder itself.
	pub fn path(&self) -> &Path {
		&self.0
	}

	/// Folder of keys.
	pub fn keys(&self) -> PathBuf {
		self.0.join("keys")
	}

	/// The file of the key with this name.
	pub fn key_file(&self, name: &str) -> Result<PathBuf, CliError> {
		let valid = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
		if name.is_empty() || name.starts_with('.') || !name.chars().all(valid) {
			return Err(CliError::usage(format!(
				"`{name}` cannot name a key: use letters, digits, dots, dashes and underscores."
			)));
		}
		Ok(self.keys().join(format!("{name}.json")))
	}

	/// Folder of the gateway: its journal and its hot keys.
	pub fn gateway(&self) -> PathBuf {
		self.0.join("gateway")
	}

	/// Folder of records that were contributed and can be fetched from here.
	pub fn content(&self) -> PathBuf {
		self.0.join("content")
	}

	/// Every answer that was paid for, one JSON object per line.
	pub fn answers(&self) -> PathBuf {
		self.0.join("answers.jsonl")
	}

	/// The key that `what` names: a development URI, a key file, or a key in this home.
	pub fn key(&self, what: &str) -> Result<Keypair, CliError> {
		if what.starts_with("//") {
			return Ok(Keypair::from_uri(what)?);
		}
		let path = if what.contains('/') || what.ends_with(".json") {
			PathBuf::from(what)
		} else {
			self.key_file(what)?
		};
		if !path.exists() {
			return Err(CliError::missing(format!(
				"There is no key `{what}` ({}). Make one with `openledger keys new {what}`, or name \
				 another with --key.",
				path.display()
			)));
		}
		let passphrase = match KeyFile::read(&path)?.is_sealed() {
			true => Some(passphrase(&format!("Passphrase of {}: ", path.display()))?),
			false => None,
		};
		Ok(KeyFile::open(&path, passphrase.as_deref())?)
	}
}

/// The passphrase from the environment, or asked for at the terminal.
pub fn passphrase(prompt: &str) -> Result<String, CliError> {
	if let Ok(passphrase) = std::env::var(PASSPHRASE) {
		return Ok(passphrase);
	}
	if !std::io::stdin().is_terminal() {
		return Err(CliError::usage(format!(
			"The key is sealed and there is no terminal to ask at: set {PASSPHRASE}."
		)));
	}
	rpassword::prompt_password(prompt).map_err(|error| {
		CliError::new("terminal", format!("The terminal cannot be read: {error}."))
	})
}

/// Replaces a file as a whole: readers see the old one or the new one.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
	let io = |error| CliError::io(path, error);
	let folder = path.parent().unwrap_or(Path::new("."));
	std::fs::create_dir_all(folder).map_err(io)?;
	let name = path.file_name().unwrap_or_default().to_string_lossy();
	let part = folder.join(format!(".{name}.{}.part", std::process::id()));
	let mut file = std::fs::File::create(&part).map_err(io)?;
	file.write_all(bytes)
		.and_then(|()| file.sync_all())
		.map_err(io)?;
	std::fs::rename(&part, path).map_err(io)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn key_names_should_not_leave_the_folder() {
		let home = Home(PathBuf::from("/h"));
		assert_eq!(
			home.key_file("alice-1").unwrap(),
			PathBuf::from("/h/keys/alice-1.json")
		);
		for name in ["", "..", ".x", "a/b", "a b"] {
			assert_eq!(home.key_file(name).unwrap_err().code, "usage", "{name}");
		}
	}

	#[test]
	fn unknown_key_should_say_how_to_make_one() {
		let home = Home(PathBuf::from("/nowhere"));
		let error = home.key("bob").unwrap_err();
		assert_eq!(error.code, "not-found");
		assert!(error.message.contains("openledger keys new bob"));
		assert!(home.key("//Bob").is_ok());
	}
}
