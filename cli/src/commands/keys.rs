//! `openledger keys`.

use crate::{
	context::Context,
	home,
	output::{fields, table, Output},
	CliError,
};
use clap::Subcommand;
use openledger_client::{KeyFile, Keypair};
use serde_json::json;
use std::io::Read;

/// Keys on this machine.
#[derive(Debug, Subcommand)]
pub enum Keys {
	/// Makes a new key and shows, once, the words that restore it.
	New {
		/// What to call it.
		#[arg(default_value = "default")]
		name: String,
		/// Seals the file with a passphrase.
		#[arg(long)]
		seal: bool,
	},
	/// Keeps a key that exists: reads its words, seed or URI from standard input.
	Import {
		/// What to call it.
		#[arg(default_value = "default")]
		name: String,
		/// The secret itself; other users of this machine can see it while the command runs.
		#[arg(long)]
		secret: Option<String>,
		/// Seals the file with a passphrase.
		#[arg(long)]
		seal: bool,
	},
	/// Lists the keys.
	List,
	/// Shows a key's account.
	Show {
		/// Which; otherwise the one of `--key`.
		name: Option<String>,
	},
}

impl Keys {
	/// Runs it.
	pub fn run(self, context: &Context) -> Result<Output, CliError> {
		match self {
			Self::New { name, seal } => {
				let (_, words) = Keypair::generate();
				let file = keep(context, &name, &words, seal)?;
				let human = fields([
					("key", name.clone()),
					("account", file.address.clone()),
					("file", context.home.key_file(&name)?.display().to_string()),
					("words", words.clone()),
				]);
				let human = format!(
					"{human}\n\nWrite the words down and keep them secret: they are the key."
				);
				let value = json!({ "name": name, "account": file.address, "words": words });
				Ok(Output::new(value, human))
			}
			Self::Import { name, secret, seal } => {
				let secret = match secret {
					Some(secret) => secret,
					None => read_secret()?,
				};
				let file = keep(context, &name, &secret, seal)?;
				let human = fields([("key", name.clone()), ("account", file.address.clone())]);
				Ok(Output::new(
					json!({ "name": name, "account": file.address }),
					human,
				))
			}
			Self::List => list(context),
			Self::Show { name } => {
				let account = context.account(name.as_deref())?;
				let hex = format!("0x{}", hex::encode(&account));
				let human = fields([("account", account.to_string()), ("hex", hex.clone())]);
				Ok(Output::new(
					json!({ "account": account, "hex": hex }),
					human,
				))
			}
		}
	}
}

fn keep(context: &Context, name: &str, secret: &str, seal: bool) -> Result<KeyFile, CliError> {
	let path = context.home.key_file(name)?;
	let passphrase = match seal {
		true => Some(home::passphrase("New passphrase: ")?),
		false => None,
	};
	Ok(KeyFile::create(&path, secret, passphrase.as_deref())?)
}

fn read_secret() -> Result<String, CliError> {
	use std::io::IsTerminal;
	let unreadable = |error| {
		CliError::new(
			"terminal",
			format!("Standard input cannot be read: {error}."),
		)
	};
	if std::io::stdin().is_terminal() {
		return rpassword::prompt_password("Words, seed or URI: ").map_err(unreadable);
	}
	let mut secret = String::new();
	std::io::stdin()
		.take(4096)
		.read_to_string(&mut secret)
		.map_err(unreadable)?;
	Ok(secret)
}

fn list(context: &Context) -> Result<Output, CliError> {
	let folder = context.home.keys();
	let mut keys = Vec::new();
	if folder.exists() {
		let io = |error| CliError::io(&folder, error);
		for entry in std::fs::read_dir(&folder).map_err(io)? {
			let path = entry.map_err(io)?.path();
			let name = path
				.file_stem()
				.unwrap_or_default()
				.to_string_lossy()
				.into_owned();
			if path
				.extension()
				.is_some_and(|extension| extension == "json")
			{
				let file = KeyFile::read(&path)?;
				keys.push((name, file.address.clone(), file.is_sealed()));
			}
		}
	}
	keys.sort();
	let rows = keys.iter().map(|(name, address, sealed)| {
		let sealed = if *sealed { "sealed" } else { "plain" };
		[name.clone(), address.clone(), sealed.to_owned()]
	});
	let human = match keys.is_empty() {
		true => "No keys yet: make one with `openledger keys new`.".to_owned(),
		false => table(&["key", "account", "file"], rows),
	};
	let value: Vec<_> = keys
		.iter()
		.map(
			|(name, account, sealed)| json!({ "name": name, "account": account, "sealed": sealed }),
		)
		.collect();
	Ok(Output::new(value, human))
}
