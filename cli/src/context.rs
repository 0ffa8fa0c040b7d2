//! What every command works with.

use crate::{args::Global, home::Home, output::Output, CliError};
use openledger_client::{
	keys::parse_account, types::ModelId, Chain, Keypair, Payload, Submitted, Wait,
};
use openledger_primitives::{AccountId, BaseModelId};

/// The options that hold for every command, put to use.
pub struct Context {
	/// What was typed.
	pub global: Global,
	/// Where things are kept.
	pub home: Home,
}

impl Context {
	/// From what was typed.
	pub fn new(global: Global) -> Result<Self, CliError> {
		let home = Home::find(global.home.clone())?;
		Ok(Self { global, home })
	}

	/// Connects to the chain.
	pub async fn chain(&self) -> Result<Chain, CliError> {
		Ok(Chain::connect(&self.global.chain).await?)
	}

	/// The key that signs.
	pub fn key(&self) -> Result<Keypair, CliError> {
		self.home.key(&self.global.key)
	}

	/// What to wait for.
	pub fn wait(&self) -> Wait {
		self.global.wait.into()
	}

	/// Signs a call with the command's key and waits for it.
	pub async fn submit(&self, chain: &Chain, call: &impl Payload) -> Result<Submitted, CliError> {
		Ok(chain.submit(call, &self.key()?, self.wait()).await?)
	}

	/// Prints a result.
	pub fn print(&self, output: &Output) {
		output.print(self.global.json);
	}

	/// The account that `what` names: an address, a development URI, or a key in this home. Without it,
	/// the account of the command's key.
	pub fn account(&self, what: Option<&str>) -> Result<AccountId, CliError> {
		let Some(what) = what else {
			return match self.global.key.starts_with("//") {
				true => Ok(self.key()?.account()),
				false => self.account(Some(&self.global.key)),
			};
		};
		if let Ok(account) = parse_account(what) {
			return Ok(account);
		}
		// The address of a sealed key is readable without its passphrase.
		let path = match what.contains('/') || what.ends_with(".json") {
			true => what.into(),
			false => self.home.key_file(what)?,
		};
		if path.exists() {
			let file = openledger_client::KeyFile::read(&path)?;
			return Ok(parse_account(&file.address)?);
		}
		Err(CliError::missing(format!(
			"`{what}` is neither an address nor a key here. Give an SS58 address, or make the key \
			 with `openledger keys new {what}`."
		)))
	}
}

/// The base model that `what` names, by name or id.
pub async fn base_of(chain: &Chain, what: &str) -> Result<BaseModelId, CliError> {
	if let Ok(id) = what.parse() {
		return Ok(id);
	}
	match chain.by_name(what).await? {
		Some(ModelId::Base(id)) => Ok(id),
		_ => Err(CliError::missing(format!(
			"There is no base model `{what}`. `openledger model list` shows them."
		))),
	}
}
