//! The chains this node knows by name. Any other is given as a file:
//! `--chain path/to/spec.json`.

use openledger_runtime::{currency, opaque::Block, WASM_BINARY};
use sc_chain_spec::{ChainSpecExtension, ChainType, Properties};
use serde::{Deserialize, Serialize};
use sp_genesis_builder::{DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};

/// What a chain's specification may say besides its genesis.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ChainSpecExtension)]
#[serde(rename_all = "camelCase")]
pub struct Extensions {
	/// Blocks that must have the given hash: they pick one side of a past fork.
	pub fork_blocks: sc_client_api::ForkBlocks<Block>,
	/// Blocks that must never be imported.
	pub bad_blocks: sc_client_api::BadBlocks<Block>,
	/// Where light clients start from.
	pub light_sync_state: sc_sync_state_rpc::LightSyncStateExtension,
}

/// The specification of a chain.
pub type ChainSpec = sc_service::GenericChainSpec<Extensions>;

/// The specification called `id`, or the one in the file `id`.
///
/// Known names: `dev`, one validator with a public key; `local` (or nothing), four of them.
pub fn load(id: &str) -> Result<ChainSpec, String> {
	match id {
		"dev" => development(),
		"" | "local" => local_testnet(),
		path => ChainSpec::from_json_file(path.into()).map_err(|error| {
			format!(
				"`{path}` is no chain this node knows (dev, local), and reading it as a file \
				 failed: {error}"
			)
		}),
	}
}

fn development() -> Result<ChainSpec, String> {
	Ok(builder()?
		.with_name("OpenLedger Development")
		.with_id("openledger_dev")
		.with_chain_type(ChainType::Development)
		.with_genesis_config_preset_name(DEV_RUNTIME_PRESET)
		.build())
}

fn local_testnet() -> Result<ChainSpec, String> {
	Ok(builder()?
		.with_name("OpenLedger Local Testnet")
		.with_id("openledger_local")
		.with_chain_type(ChainType::Local)
		.with_genesis_config_preset_name(LOCAL_TESTNET_RUNTIME_PRESET)
		.build())
}

fn builder() -> Result<sc_chain_spec::ChainSpecBuilder<Extensions>, String> {
	let wasm = WASM_BINARY.ok_or(
		"this node was built without the runtime's Wasm (SKIP_WASM_BUILD was set); build it \
		 again without that variable, or name a specification file with --chain",
	)?;
	let mut properties = Properties::new();
	properties.insert("tokenSymbol".into(), currency::SYMBOL.into());
	properties.insert("tokenDecimals".into(), currency::DECIMALS.into());
	properties.insert("ss58Format".into(), currency::SS58_PREFIX.into());
	Ok(ChainSpec::builder(wasm, Extensions::default())
		.with_protocol_id("open")
		.with_properties(properties))
}
