//! `openledger provider`.

use crate::{
	amount::{named, plain, Open},
	args::RateArgs,
	context::{base_of, Context},
	output::{fields, short, table, Output},
	CliError,
};
use clap::Subcommand;
use openledger_client::{
	calls,
	types::{self, ProviderState},
};
use openledger_primitives::BlockNumber;

/// Providers.
#[derive(Debug, Subcommand)]
pub enum Provider {
	/// Registers the account of `--key` as a provider.
	Register {
		/// The key its worker signs with: an address or a key's name.
		#[arg(long)]
		hot_key: String,
		/// Where its worker answers, such as http://203.0.113.7:9000.
		#[arg(long, value_name = "URL")]
		endpoint: String,
		/// The bond, in OPEN.
		#[arg(long, value_name = "OPEN")]
		bond: Open,
		/// A base model it serves, by name or id; can be given several times.
		#[arg(long = "base", required = true)]
		bases: Vec<String>,
		/// What it asks.
		#[command(flatten)]
		rate: RateArgs,
	},
	/// Shows a provider.
	Show {
		/// Its account; otherwise that of `--key`.
		provider: Option<String>,
	},
	/// Announces another price, which holds after the notice that governance sets.
	Quote {
		/// What it asks.
		#[command(flatten)]
		rate: RateArgs,
	},
	/// Changes where the provider's worker answers.
	Endpoint {
		/// The new address.
		url: String,
	},
	/// Changes the key that the provider's worker signs with.
	HotKey {
		/// The new key: an address or a key's name.
		key: String,
	},
	/// Asks to be let out of jail, once its time is over and the bond is large enough.
	Unjail,
	/// Gives notice; the bond is free after the unbonding period.
	Leave,
	/// Takes the bond back after the unbonding period.
	WithdrawBond,
	/// Lists all providers.
	List,
}

impl Provider {
	/// Runs it.
	pub async fn run(self, context: &Context) -> Result<Output, CliError> {
		let chain = context.chain().await?;
		let done = match self {
			Self::Register {
				hot_key,
				endpoint,
				bond,
				bases,
				rate,
			} => {
				let hot_key = context.account(Some(&hot_key))?;
				let mut ids = Vec::with_capacity(bases.len());
				for base in &bases {
					ids.push(base_of(&chain, base).await?);
				}
				let call = calls::register_provider(hot_key, &endpoint, bond.0, ids, rate.into());
				context.submit(&chain, &call).await?
			}
			Self::Quote { rate } => {
				context
					.submit(&chain, &calls::set_quote(rate.into()))
					.await?
			}
			Self::Endpoint { url } => context.submit(&chain, &calls::set_endpoint(&url)).await?,
			Self::HotKey { key } => {
				let call = calls::set_hot_key(context.account(Some(&key))?);
				context.submit(&chain, &call).await?
			}
			Self::Unjail => context.submit(&chain, &calls::unjail()).await?,
			Self::Leave => context.submit(&chain, &calls::leave()).await?,
			Self::WithdrawBond => context.submit(&chain, &calls::withdraw_bond()).await?,
			Self::List => {
				let providers = chain.providers().await?;
				let rows = providers.iter().map(row);
				let heading = [
					"provider",
					"endpoint",
					"bases",
					"in / 1,000",
					"out / 1,000",
					"state",
				];
				return Ok(Output::new(&providers, table(&heading, rows)));
			}
			Self::Show { provider } => {
				let account = context.account(provider.as_deref())?;
				let provider = chain.provider(&account).await?.ok_or_else(|| {
					CliError::missing(format!(
						"{account} is no provider. `openledger provider list` shows them."
					))
				})?;
				let seen = chain.last_heartbeat(&account).await?;
				return Ok(Output::new(&provider, show(&provider, seen)));
			}
		};
		let account = context.account(None)?;
		let human = match chain.provider(&account).await? {
			Some(provider) => show(&provider, chain.last_heartbeat(&account).await?),
			None => format!("{account} is no provider any more."),
		};
		Ok(Output::new(done, human))
	}
}

fn state(state: &ProviderState) -> String {
	match state {
		ProviderState::Active => "active".into(),
		ProviderState::Leaving { free_at } => format!("leaving, bond free at block {free_at}"),
		ProviderState::Jailed { until } => format!("jailed, may ask out at block {until}"),
	}
}

fn row(provider: &types::Provider) -> [String; 6] {
	let bases: Vec<String> = provider.bases.iter().map(ToString::to_string).collect();
	[
		short(&provider.account),
		provider.endpoint.clone(),
		bases.join(", "),
		plain(provider.quote.rate.input),
		plain(provider.quote.rate.output),
		state(&provider.state),
	]
}

fn show(provider: &types::Provider, seen: Option<BlockNumber>) -> String {
	let bases: Vec<String> = provider.bases.iter().map(ToString::to_string).collect();
	fields([
		("provider", provider.account.to_string()),
		("hot key", provider.hot_key.to_string()),
		("endpoint", provider.endpoint.clone()),
		("bond", named(provider.bond)),
		("base models", bases.join(", ")),
		(
			"quote",
			format!(
				"no. {}: {} in, {} out per 1,000 tokens",
				provider.quote.id,
				named(provider.quote.rate.input),
				named(provider.quote.rate.output)
			),
		),
		("state", state(&provider.state)),
		(
			"last heartbeat",
			seen.map_or_else(|| "none".into(), |block| format!("of block {block}")),
		),
	])
}
