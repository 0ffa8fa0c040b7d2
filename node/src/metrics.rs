//! The chain's own figures among the node's metrics: licence money, credits, reports, escrow, bonds.
//!
//! Every value is read from the state of the last finalised block and decoded by the metadata of the
//! runtime that made it, so that it stays right across runtime upgrades that this program knows
//! nothing of. What a runtime does not have is not shown. To show more, add a line to [`FIGURES`].

use crate::service::Client;
use futures::StreamExt;
use openledger_runtime::{accounts, currency::OPEN, AccountId, Hash};
use sc_client_api::{BlockchainEvents, HeaderBackend, StorageKey, StorageProvider};
use scale_value::{At, Composite, Value, ValueDef};
use sp_api::{Core as _, Metadata as _, ProvideRuntimeApi};
use sp_io::hashing::{blake2_128, twox_128};
use std::{
	sync::Arc,
	time::{Duration, Instant},
};
use substrate_prometheus_endpoint::{register, Gauge, Opts, PrometheusError, Registry, F64, U64};

/// Least time between two readings.
const PERIOD: Duration = Duration::from_secs(15);
/// Most entries of one map that are read. Maps that have more are summed up to here only, and named
/// by `openledger_chain_incomplete`.
const MOST_ENTRIES: usize = 10_000;

/// Which part of the state a figure comes from.
enum Source {
	/// A single value.
	Value,
	/// Every entry of a map, added up.
	Entries,
	/// The entry of one account in a map hashed by Blake2-128-concat.
	Account(fn() -> AccountId),
}

/// How a figure is shown.
enum Unit {
	/// A count, or a block number.
	Number,
	/// An amount in OPEN, as near as a float comes.
	Open,
}

/// A metric and the storage item it comes from.
struct Figure {
	name: &'static str,
	help: &'static str,
	pallet: &'static str,
	item: &'static str,
	source: Source,
	unit: Unit,
	/// The figure in a decoded value; `None` where the value has not the form expected.
	read: fn(&Value<u32>) -> Option<u128>,
}

const FIGURES: &[Figure] = &[
	Figure {
		name: "openledger_chain_epoch",
		help: "Attribution epoch in progress",
		pallet: "Attribution",
		item: "CurrentEpoch",
		source: Source::Value,
		unit: Unit::Number,
		read: |epoch| field(epoch, "index"),
	},
	Figure {
		name: "openledger_chain_epoch_start_block",
		help: "First block of the attribution epoch in progress",
		pallet: "Attribution",
		item: "CurrentEpoch",
		source: Source::Value,
		unit: Unit::Number,
		read: |epoch| field(epoch, "start"),
	},
	Figure {
		name: "openledger_chain_redeemed_open",
		help: "OPEN ever redeemed from channels",
		pallet: "Attribution",
		item: "Totals",
		source: Source::Value,
		unit: Unit::Open,
		read: |totals| field(totals, "redeemed"),
	},
	Figure {
		name: "openledger_chain_burnt_open",
		help: "OPEN ever burnt by the protocol's cut",
		pallet: "Attribution",
		item: "Totals",
		source: Source::Value,
		unit: Unit::Open,
		read: |totals| field(totals, "burnt"),
	},
	Figure {
		name: "openledger_chain_provider_income_open",
		help: "OPEN ever paid to providers for computing",
		pallet: "Attribution",
		item: "Totals",
		source: Source::Value,
		unit: Unit::Open,
		read: |totals| field(totals, "providers"),
	},
	Figure {
		name: "openledger_chain_licence_open",
		help: "OPEN ever put into pots as licence money",
		pallet: "Attribution",
		item: "Totals",
		source: Source::Value,
		unit: Unit::Open,
		read: |totals| field(totals, "licence"),
	},
	Figure {
		name: "openledger_chain_licence_pending_open",
		help: "OPEN in pots that waits to be reported and settled",
		pallet: "Attribution",
		item: "Totals",
		source: Source::Value,
		unit: Unit::Open,
		read: |totals| field(totals, "licence")?.checked_sub(field(totals, "settled")?),
	},
	Figure {
		name: "openledger_chain_credits_open",
		help: "OPEN credited to accounts and not claimed yet",
		pallet: "Attribution",
		item: "Totals",
		source: Source::Value,
		unit: Unit::Open,
		read: |totals| field(totals, "credited")?.checked_sub(field(totals, "claimed")?),
	},
	Figure {
		name: "openledger_chain_claimed_open",
		help: "OPEN ever claimed by those it was credited to",
		pallet: "Attribution",
		item: "Totals",
		source: Source::Value,
		unit: Unit::Open,
		read: |totals| field(totals, "claimed"),
	},
	Figure {
		name: "openledger_chain_reports",
		help: "Usage reports on the chain",
		pallet: "Attribution",
		item: "Reports",
		source: Source::Entries,
		unit: Unit::Number,
		read: |_| Some(1),
	},
	Figure {
		name: "openledger_chain_reports_pending",
		help: "Usage reports not fully settled",
		pallet: "Attribution",
		item: "Reports",
		source: Source::Entries,
		unit: Unit::Number,
		read: |report| {
			let payouts = field(report.at("payouts")?, "count")?;
			Some((field(report, "settled")? < payouts).into())
		},
	},
	Figure {
		name: "openledger_chain_audits_pending",
		help: "Usage reports that have yet to answer an audit",
		pallet: "Attribution",
		item: "Reports",
		source: Source::Entries,
		unit: Unit::Number,
		read: |report| match &report.at("audit")?.value {
			ValueDef::Variant(audit) => Some((audit.name == "Some").into()),
			_ => None,
		},
	},
	Figure {
		name: "openledger_chain_audits_to_draw",
		help: "Usage reports that coming blocks may draw for an audit",
		pallet: "Attribution",
		item: "ToDraw",
		source: Source::Entries,
		unit: Unit::Number,
		read: |reports| length(reports.at(0)?),
	},
	Figure {
		name: "openledger_chain_reports_disproved",
		help: "Pots whose usage report was disproved, until they are settled",
		pallet: "Attribution",
		item: "Disproved",
		source: Source::Entries,
		unit: Unit::Number,
		read: |_| Some(1),
	},
	Figure {
		name: "openledger_chain_at_risk_open",
		help: "OPEN in pots, of all providers, that is not settled",
		pallet: "Attribution",
		item: "AtRisk",
		source: Source::Entries,
		unit: Unit::Open,
		read: number,
	},
	Figure {
		name: "openledger_chain_channels",
		help: "Open payment channels",
		pallet: "Channels",
		item: "Channels",
		source: Source::Entries,
		unit: Unit::Number,
		read: |_| Some(1),
	},
	Figure {
		name: "openledger_chain_escrow_open",
		help: "OPEN in the escrow of all channels",
		pallet: "Channels",
		item: "Channels",
		source: Source::Entries,
		unit: Unit::Open,
		read: |channel| field(channel, "escrow"),
	},
	Figure {
		name: "openledger_chain_providers",
		help: "Registered providers, those that are leaving or jailed included",
		pallet: "Providers",
		item: "Providers",
		source: Source::Entries,
		unit: Unit::Number,
		read: |_| Some(1),
	},
	Figure {
		name: "openledger_chain_bonds_open",
		help: "OPEN in the bonds of all providers",
		pallet: "Providers",
		item: "Providers",
		source: Source::Entries,
		unit: Unit::Open,
		read: |provider| field(provider, "bond"),
	},
	Figure {
		name: "openledger_chain_datanets",
		help: "Datanets ever made",
		pallet: "Datanets",
		item: "NextDatanet",
		source: Source::Value,
		unit: Unit::Number,
		read: number,
	},
	Figure {
		name: "openledger_chain_base_models",
		help: "Base models ever registered",
		pallet: "Models",
		item: "NextBaseModel",
		source: Source::Value,
		unit: Unit::Number,
		read: number,
	},
	Figure {
		name: "openledger_chain_adapters",
		help: "Adapters ever registered",
		pallet: "Models",
		item: "NextAdapter",
		source: Source::Value,
		unit: Unit::Number,
		read: number,
	},
	Figure {
		name: "openledger_chain_validators",
		help: "Validators of the session in progress",
		pallet: "Session",
		item: "Validators",
		source: Source::Value,
		unit: Unit::Number,
		read: length,
	},
	Figure {
		name: "openledger_chain_validators_disabled",
		help: "Validators barred from the session in progress for an offence",
		pallet: "Session",
		item: "DisabledValidators",
		source: Source::Value,
		unit: Unit::Number,
		read: length,
	},
	Figure {
		name: "openledger_chain_session",
		help: "Session in progress",
		pallet: "Session",
		item: "CurrentIndex",
		source: Source::Value,
		unit: Unit::Number,
		read: number,
	},
	Figure {
		name: "openledger_chain_offences",
		help: "Offences of validators ever reported",
		pallet: "Offences",
		item: "Reports",
		source: Source::Entries,
		unit: Unit::Number,
		read: |_| Some(1),
	},
	Figure {
		name: "openledger_chain_candidates",
		help: "Accounts that offer to validate",
		pallet: "Stakes",
		item: "Candidates",
		source: Source::Entries,
		unit: Unit::Number,
		read: |_| Some(1),
	},
	Figure {
		name: "openledger_chain_stake_open",
		help: "OPEN at stake on all candidates, their own included",
		pallet: "Stakes",
		item: "Candidates",
		source: Source::Entries,
		unit: Unit::Open,
		read: |candidate| field(candidate, "stake"),
	},
	Figure {
		name: "openledger_chain_validators_jailed",
		help: "Validators kept out of the set after an offence",
		pallet: "Stakes",
		item: "Jailed",
		source: Source::Entries,
		unit: Unit::Number,
		read: |_| Some(1),
	},
	Figure {
		name: "openledger_chain_slashes_pending",
		help: "Slashes that governance may still cancel",
		pallet: "Stakes",
		item: "Slashes",
		source: Source::Entries,
		unit: Unit::Number,
		read: |_| Some(1),
	},
	Figure {
		name: "openledger_chain_issuance_open",
		help: "OPEN that exists; it only ever falls",
		pallet: "Balances",
		item: "TotalIssuance",
		source: Source::Value,
		unit: Unit::Open,
		read: number,
	},
	Figure {
		name: "openledger_chain_treasury_open",
		help: "OPEN in the treasury",
		pallet: "System",
		item: "Account",
		source: Source::Account(accounts::treasury),
		unit: Unit::Open,
		read: free_balance,
	},
	Figure {
		name: "openledger_chain_community_open",
		help: "OPEN in the community reserve",
		pallet: "System",
		item: "Account",
		source: Source::Account(accounts::community),
		unit: Unit::Open,
		read: free_balance,
	},
	Figure {
		name: "openledger_chain_stakers_pot_open",
		help: "OPEN of the stakers that they have not collected yet",
		pallet: "System",
		item: "Account",
		source: Source::Account(accounts::stakers_pot),
		unit: Unit::Open,
		read: free_balance,
	},
	Figure {
		name: "openledger_chain_attribution_pot_open",
		help: "OPEN in pots and credits, and the least balance that keeps their account",
		pallet: "System",
		item: "Account",
		source: Source::Account(accounts::attribution_pot),
		unit: Unit::Open,
		read: free_balance,
	},
];

fn number(value: &Value<u32>) -> Option<u128> {
	value.as_u128()
}

fn field(value: &Value<u32>, name: &str) -> Option<u128> {
	value.at(name)?.as_u128()
}

fn free_balance(account: &Value<u32>) -> Option<u128> {
	field(account.at("data")?, "free")
}

fn length(list: &Value<u32>) -> Option<u128> {
	match &list.value {
		ValueDef::Composite(Composite::Unnamed(items)) => Some(items.len() as u128),
		_ => None,
	}
}

/// What the metadata says of a storage item.
struct Item {
	prefix: Vec<u8>,
	value_type: u32,
	/// What stands for a value that is not there, if anything does.
	default: Option<Vec<u8>>,
}

/// The metadata of one runtime, as far as the figures need it.
struct Layout {
	spec_version: u32,
	types: scale_info::PortableRegistry,
	/// For each of [`FIGURES`], where it is; `None` if this runtime does not have it.
	items: Vec<Option<Item>>,
}

impl Layout {
	fn read(client: &Client, at: Hash, spec_version: u32) -> Result<Self, String> {
		use frame_metadata::{v14, RuntimeMetadata, RuntimeMetadataPrefixed};
		let opaque = client
			.runtime_api()
			.metadata(at)
			.map_err(|error| error.to_string())?;
		let metadata = <RuntimeMetadataPrefixed as codec::Decode>::decode(&mut opaque.as_slice())
			.map_err(|error| error.to_string())?;
		let RuntimeMetadata::V14(metadata) = metadata.1 else {
			return Err("the runtime's metadata is not of version 14".into());
		};
		let find = |figure: &Figure| -> Option<Item> {
			let storage = metadata
				.pallets
				.iter()
				.find(|pallet| pallet.name == figure.pallet)?
				.storage
				.as_ref()?;
			let entry = storage.entries.iter().find(|e| e.name == figure.item)?;
			let value_type = match (&entry.ty, &figure.source) {
				(v14::StorageEntryType::Plain(value), Source::Value) => value,
				(
					v14::StorageEntryType::Map { value, .. },
					Source::Entries | Source::Account(_),
				) => value,
				_ => return None,
			};
			let prefix = [storage.prefix.as_bytes(), figure.item.as_bytes()]
				.map(twox_128)
				.concat();
			let has_default = matches!(entry.modifier, v14::StorageEntryModifier::Default);
			Some(Item {
				prefix,
				value_type: value_type.id,
				default: has_default.then(|| entry.default.clone()),
			})
		};
		let items = FIGURES.iter().map(find).collect();
		Ok(Self {
			spec_version,
			types: metadata.types,
			items,
		})
	}

	fn figure(&self, figure: &Figure, item: &Item, mut bytes: &[u8]) -> Option<u128> {
		let value =
			scale_value::scale::decode_as_type(&mut bytes, item.value_type, &self.types).ok()?;
		(figure.read)(&value)
	}
}

/// What was read of one figure.
struct Reading {
	value: u128,
	/// Whether there were more entries than may be read.
	incomplete: bool,
}

fn read(
	client: &Client,
	at: Hash,
	layout: &Layout,
	figure: &Figure,
	item: &Item,
) -> Option<Reading> {
	let stored = |key: Vec<u8>| -> Option<Vec<u8>> {
		let found = client.storage(at, &StorageKey(key)).ok()?;
		found.map(|data| data.0).or_else(|| item.default.clone())
	};
	let one = |bytes: Vec<u8>| {
		Some(Reading {
			value: layout.figure(figure, item, &bytes)?,
			incomplete: false,
		})
	};
	match figure.source {
		Source::Value => one(stored(item.prefix.clone())?),
		Source::Account(account) => {
			let account = account();
			let id: &[u8] = account.as_ref();
			one(stored(
				[item.prefix.as_slice(), &blake2_128(id), id].concat(),
			)?)
		}
		Source::Entries => {
			let prefix = StorageKey(item.prefix.clone());
			let mut entries = client.storage_pairs(at, Some(&prefix), None).ok()?;
			let mut value: u128 = 0;
			for (_, entry) in entries.by_ref().take(MOST_ENTRIES) {
				value = value.saturating_add(layout.figure(figure, item, &entry.0)?);
			}
			Some(Reading {
				value,
				incomplete: entries.next().is_some(),
			})
		}
	}
}

enum Registered {
	Number(Gauge<U64>),
	Open(Gauge<F64>),
}

/// The metrics, and where they come from.
pub struct ChainMetrics {
	registry: Registry,
	/// For each of [`FIGURES`], its metric once there is a value for it.
	gauges: Vec<Option<Registered>>,
	incomplete: Gauge<U64>,
	layout: Option<Layout>,
}

impl ChainMetrics {
	/// Prepares the metrics.
	///
	/// # Errors
	/// When a metric of the same name is registered already.
	pub fn new(registry: &Registry) -> Result<Self, PrometheusError> {
		let incomplete = Gauge::with_opts(Opts::new(
			"openledger_chain_incomplete",
			format!(
				"Figures that count only the first {MOST_ENTRIES} entries, since there are more"
			),
		))?;
		Ok(Self {
			registry: registry.clone(),
			gauges: FIGURES.iter().map(|_| None).collect(),
			incomplete: register(incomplete, registry)?,
			layout: None,
		})
	}

	/// Reads all figures now and again as blocks become final, for as long as the node runs.
	pub async fn run(mut self, client: Arc<Client>) {
		let mut finalised = client.finality_notification_stream();
		let mut last = None;
		loop {
			if last.is_none_or(|last: Instant| last.elapsed() >= PERIOD) {
				if let Err(error) = self.update(&client) {
					tracing::debug!(target: "metrics", "The chain's figures cannot be read: {error}");
				}
				last = Some(Instant::now());
			}
			// Dropped at once: a notification keeps its block from being pruned.
			if finalised.next().await.is_none() {
				return;
			}
		}
	}

	fn update(&mut self, client: &Client) -> Result<(), String> {
		let at = client.info().finalized_hash;
		let spec_version = client
			.runtime_api()
			.version(at)
			.map_err(|error| error.to_string())?
			.spec_version;
		let layout = match self.layout.take() {
			Some(layout) if layout.spec_version == spec_version => layout,
			_ => Layout::read(client, at, spec_version)?,
		};
		let mut incomplete = 0;
		let each = FIGURES.iter().zip(&layout.items).zip(&mut self.gauges);
		for ((figure, item), gauge) in each {
			let Some(item) = item else { continue };
			let Some(reading) = read(client, at, &layout, figure, item) else {
				tracing::debug!(
					target: "metrics",
					"{}.{} has no value of the form expected", figure.pallet, figure.item,
				);
				continue;
			};
			incomplete += u64::from(reading.incomplete);
			if gauge.is_none() {
				*gauge = Some(
					register_figure(figure, &self.registry).map_err(|error| error.to_string())?,
				);
			}
			match gauge {
				Some(Registered::Number(gauge)) => {
					gauge.set(reading.value.try_into().unwrap_or(u64::MAX));
				}
				Some(Registered::Open(gauge)) => gauge.set(reading.value as f64 / OPEN as f64),
				None => {}
			}
		}
		self.incomplete.set(incomplete);
		self.layout = Some(layout);
		Ok(())
	}
}

fn register_figure(figure: &Figure, registry: &Registry) -> Result<Registered, PrometheusError> {
	let options = Opts::new(figure.name, figure.help);
	Ok(match figure.unit {
		Unit::Number => Registered::Number(register(Gauge::with_opts(options)?, registry)?),
		Unit::Open => Registered::Open(register(Gauge::with_opts(options)?, registry)?),
	})
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::collections::BTreeSet;

	#[test]
	fn every_figure_should_have_its_own_name_of_ours() {
		let names: BTreeSet<&str> = FIGURES.iter().map(|figure| figure.name).collect();
		assert_eq!(names.len(), FIGURES.len());
		for figure in FIGURES {
			assert!(
				figure.name.starts_with("openledger_chain_"),
				"{}",
				figure.name
			);
			assert_eq!(
				figure.name.ends_with("_open"),
				matches!(figure.unit, Unit::Open),
				"{}",
				figure.name
			);
		}
	}
}
