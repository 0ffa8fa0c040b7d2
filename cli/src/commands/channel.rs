//! `openledger channel`.

use crate::{
	amount::{named, plain, Open},
	context::Context,
	output::{fields, short, table, Output},
	CliError,
};
use clap::Subcommand;
use openledger_client::{
	calls,
	events::ChannelsEvent,
	types::{self, LaneEntry},
	Chain, ChainEvent,
};
use openledger_primitives::{AccountId, Balance, ChannelId};
use serde_json::json;

/// Payment channels.
#[derive(Debug, Subcommand)]
pub enum Channel {
	/// Opens a channel to a provider. (The gateway does this by itself.)
	Open {
		/// The provider's account.
		#[arg(long)]
		provider: String,
		/// What to put in, in OPEN.
		#[arg(long, value_name = "OPEN")]
		escrow: Open,
		/// A key that may sign vouchers: an address or a key's name.
		#[arg(long, requires = "limit")]
		delegate: Option<String>,
		/// How much that key may spend, in OPEN.
		#[arg(long, value_name = "OPEN")]
		limit: Option<Open>,
	},
	/// Puts more into a channel; anybody may.
	TopUp {
		/// The channel.
		channel: ChannelId,
		/// How much, in OPEN.
		amount: Open,
	},
	/// Names the key that may sign vouchers, or removes it.
	Delegate {
		/// The channel.
		channel: ChannelId,
		/// The key: an address or a key's name; without one, the present delegate is removed.
		#[arg(requires = "limit")]
		key: Option<String>,
		/// How much it may spend, in OPEN.
		#[arg(long, value_name = "OPEN")]
		limit: Option<Open>,
	},
	/// Gives notice: the escrow can be withdrawn when it has thawed.
	Thaw {
		/// The channel.
		channel: ChannelId,
	},
	/// Takes the notice back.
	CancelThaw {
		/// The channel.
		channel: ChannelId,
	},
	/// Takes the thawed escrow back.
	Withdraw {
		/// The channel.
		channel: ChannelId,
	},
	/// Removes an empty channel and returns its deposit.
	Close {
		/// The channel.
		channel: ChannelId,
	},
	/// Lists the channels an account pays from.
	List {
		/// The payer; otherwise the account of `--key`.
		payer: Option<String>,
	},
	/// Shows a channel and what was redeemed of it.
	Show {
		/// The channel.
		channel: ChannelId,
	},
}

impl Channel {
	/// Runs it.
	pub async fn run(self, context: &Context) -> Result<Output, CliError> {
		let chain = context.chain().await?;
		match self {
			Self::Open {
				provider,
				escrow,
				delegate,
				limit,
			} => {
				let provider = context.account(Some(&provider))?;
				let delegate = delegated(context, delegate, limit)?;
				let call = calls::open_channel(provider, escrow.0, delegate);
				let done = context.submit(&chain, &call).await?;
				let id = done.events.iter().find_map(|event| match event {
					ChainEvent::Channels(ChannelsEvent::Opened { channel, .. }) => Some(*channel),
					_ => None,
				});
				let Some(id) = id else {
					return Err(CliError::new(
						"runtime-incompatible",
						"The chain opened a channel without saying which.",
					));
				};
				let human = show(&chain, id).await?.1;
				Ok(Output::new(
					json!({ "channel": id, "transaction": done }),
					human,
				))
			}
			Self::TopUp { channel, amount } => {
				let call = calls::top_up(channel, amount.0);
				let done = context.submit(&chain, &call).await?;
				Ok(Output::new(done, show(&chain, channel).await?.1))
			}
			Self::Delegate {
				channel,
				key,
				limit,
			} => {
				let call = calls::set_delegate(channel, delegated(context, key, limit)?);
				let done = context.submit(&chain, &call).await?;
				Ok(Output::new(done, show(&chain, channel).await?.1))
			}
			Self::Thaw { channel } => {
				let done = context.submit(&chain, &calls::thaw(channel)).await?;
				Ok(Output::new(done, show(&chain, channel).await?.1))
			}
			Self::CancelThaw { channel } => {
				let done = context.submit(&chain, &calls::cancel_thaw(channel)).await?;
				Ok(Output::new(done, show(&chain, channel).await?.1))
			}
			Self::Withdraw { channel } => {
				let done = context
					.submit(&chain, &calls::withdraw_escrow(channel))
					.await?;
				Ok(Output::new(done, show(&chain, channel).await?.1))
			}
			Self::Close { channel } => {
				let done = context
					.submit(&chain, &calls::close_channel(channel))
					.await?;
				Ok(Output::new(done, format!("Channel {channel} is closed.")))
			}
			Self::List { payer } => {
				let payer = context.account(payer.as_deref())?;
				let channels = chain.channels_of(&payer).await?;
				let rows = channels.iter().map(|channel| {
					[
						channel.id.to_string(),
						short(&channel.provider),
						plain(channel.escrow),
						plain(channel.redeemed),
						thaw(channel),
					]
				});
				let heading = [
					"channel",
					"provider",
					"escrow OPEN",
					"redeemed OPEN",
					"thaw",
				];
				Ok(Output::new(&channels, table(&heading, rows)))
			}
			Self::Show { channel } => {
				let (value, human) = show(&chain, channel).await?;
				Ok(Output::new(value, human))
			}
		}
	}
}

fn delegated(
	context: &Context,
	key: Option<String>,
	limit: Option<Open>,
) -> Result<Option<(AccountId, Balance)>, CliError> {
	match (key, limit) {
		(Some(key), Some(limit)) => Ok(Some((context.account(Some(&key))?, limit.0))),
		(None, None) => Ok(None),
		_ => Err(CliError::usage(
			"A delegate needs both its key and --limit.",
		)),
	}
}

fn thaw(channel: &types::Channel) -> String {
	match channel.thaw {
		Some(free_at) => format!("free at block {free_at}"),
		None => "no".into(),
	}
}

async fn show(chain: &Chain, id: ChannelId) -> Result<(serde_json::Value, String), CliError> {
	let chain = chain.pinned().await?;
	let channel = chain.channel(id).await?.ok_or_else(|| {
		CliError::missing(format!(
			"There is no channel {id}. `openledger channel list` shows yours."
		))
	})?;
	let lanes = chain.lanes(id).await?;
	let delegate = match &channel.delegate {
		Some(delegate) => format!(
			"{}, {} of {} spent",
			delegate.signer,
			plain(delegate.spent),
			named(delegate.limit)
		),
		None => "none".into(),
	};
	let mut human = fields([
		("channel", id.to_string()),
		("payer", channel.payer.to_string()),
		("provider", channel.provider.to_string()),
		("generation", channel.generation.to_string()),
		("escrow", named(channel.escrow)),
		("redeemed", named(channel.redeemed)),
		("delegate", delegate),
		("thaw", thaw(&channel)),
	]);
	if !lanes.is_empty() {
		let rows = lanes.iter().map(lane_row);
		let heading = [
			"lane",
			"generation",
			"redeemed OPEN",
			"of it licence",
			"tokens",
		];
		human = format!("{human}\n\n{}", table(&heading, rows));
	}
	Ok((json!({ "channel": channel, "lanes": lanes }), human))
}

fn lane_row(entry: &LaneEntry) -> [String; 5] {
	[
		entry.lane.to_string(),
		entry.state.generation.to_string(),
		plain(entry.state.amount),
		plain(entry.state.licence),
		entry.state.tokens.to_string(),
	]
}
