//! Checks every invariant of a living chain: downloads its whole state at a finalised block, and asks of
//! it natively what the tests ask of their own chains. Ends with failure if any invariant is broken.
//!
//! The SDK's pallets have checks of their own, which only builds with the feature `try-runtime` contain.

use anyhow::{bail, ensure, Context, Result};
use clap::Parser;
use frame_support::{sp_runtime::Storage, traits::PalletsInfoAccess};
use openledger_runtime::{
	invariants::{self, Check},
	AllPalletsWithSystem, VERSION,
};
use serde_json::Value;
use sp_io::{hashing::twox_128, TestExternalities};
use std::{collections::BTreeMap, process::ExitCode, time::Instant};
use subxt::rpcs::{rpc_params, RpcClient};

/// Keys asked for at a time.
const KEYS: usize = 1_000;
/// Values asked for at a time.
const VALUES: usize = 256;
/// The Wasm runtime, which is large and which nothing here runs.
const CODE: &str = "0x3a636f6465";

/// Checks every invariant of a living chain's state.
#[derive(Parser)]
struct Arguments {
	/// A node's RPC address
	#[arg(default_value = "ws://127.0.0.1:9944")]
	url: String,
	/// Hash of the block to look at, whose state the node must still have; the newest finalised one
	/// if not given
	#[arg(long)]
	at: Option<String>,
}

/// A chain's state at a block.
struct State {
	block: String,
	number: u64,
	entries: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl State {
	async fn download(rpc: &RpcClient, at: Option<String>) -> Result<Self> {
		let block = match at {
			Some(block) => block,
			None => {
				let head = rpc.request("chain_getFinalizedHead", rpc_params![]);
				head.await.context("the node names no finalised block")?
			}
		};
		let header: Value = rpc.request("chain_getHeader", rpc_params![&block]).await?;
		let number = header["number"]
			.as_str()
			.context("there is no such block")?;
		let number = u64::from_str_radix(number.trim_start_matches("0x"), 16)?;
		check_version(rpc, &block).await?;

		let mut keys: Vec<String> = Vec::new();
		loop {
			let params = rpc_params!["0x", KEYS, keys.last(), &block];
			let page: Vec<String> = rpc.request("state_getKeysPaged", params).await?;
			let is_last = page.len() < KEYS;
			keys.extend(page);
			if is_last {
				break;
			}
		}
		keys.retain(|key| key != CODE);

		let mut entries = BTreeMap::new();
		for keys in keys.chunks(VALUES) {
			let params = rpc_params![keys, &block];
			let sets: Vec<Value> = rpc.request("state_queryStorageAt", params).await?;
			let changes = sets
				.first()
				.and_then(|set| set["changes"].as_array())
				.context("the node does not say what is stored")?;
			for change in changes {
				if let (Some(key), Some(value)) = (change[0].as_str(), change[1].as_str()) {
					entries.insert(bytes(key)?, bytes(value)?);
				}
			}
		}
		ensure!(
			entries.len() == keys.len(),
			"the node gave {} values for {} keys",
			entries.len(),
			keys.len()
		);
		Ok(Self {
			block,
			number,
			entries,
		})
	}

	/// Entries and their bytes by pallet; what belongs to none comes last.
	fn sizes(&self) -> Vec<(String, usize, usize)> {
		let infos = AllPalletsWithSystem::infos();
		let mut sizes: Vec<_> = infos
			.iter()
			.map(|pallet| (pallet.name.to_string(), 0, 0))
			.collect();
		sizes.push(("(none)".into(), 0, 0));
		let places: BTreeMap<[u8; 16], usize> = infos
			.iter()
			.enumerate()
			.map(|(place, pallet)| (twox_128(pallet.name.as_bytes()), place))
			.collect();
		for (key, value) in &self.entries {
			let prefix = key.first_chunk::<16>();
			let place = prefix.and_then(|prefix| places.get(prefix));
			let place = *place.unwrap_or(&infos.len());
			if let Some((_, entries, bytes)) = sizes.get_mut(place) {
				*entries += 1;
				*bytes += key.len() + value.len();
			}
		}
		sizes
	}
}

/// Fails where the chain's runtime is another than the one built in here, which would misread its state.
async fn check_version(rpc: &RpcClient, block: &str) -> Result<()> {
	let params = rpc_params![block];
	let version: Value = rpc.request("state_getRuntimeVersion", params).await?;
	let theirs = (
		version["specName"].as_str().unwrap_or_default(),
		version["specVersion"].as_u64().unwrap_or_default(),
	);
	let ours = (VERSION.spec_name.as_ref(), VERSION.spec_version.into());
	ensure!(
		theirs == ours,
		"the chain runs {} {}, this program knows {} {}: build it from the chain's sources",
		theirs.0,
		theirs.1,
		ours.0,
		ours.1
	);
	Ok(())
}

fn bytes(text: &str) -> Result<Vec<u8>> {
	let Some(digits) = text.strip_prefix("0x") else {
		bail!("the node gave {text}, which is no hexadecimal number");
	};
	Ok(hex::decode(digits)?)
}

fn verdict(check: &Check) -> String {
	match &check.result {
		Ok(()) => "holds".into(),
		Err(broken) => format!("BROKEN: {broken:?}"),
	}
}

#[cfg(feature = "try-runtime")]
fn sdk_checks() -> Vec<Check> {
	invariants::check_sdk()
}

#[cfg(not(feature = "try-runtime"))]
fn sdk_checks() -> Vec<Check> {
	Vec::new()
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
	let Arguments { url, at } = Arguments::parse();
	let started = Instant::now();
	let rpc = RpcClient::from_insecure_url(&url)
		.await
		.with_context(|| format!("no node answers at {url}"))?;
	let state = State::download(&rpc, at).await?;
	let downloaded = started.elapsed();

	println!("block {} {}", state.number, state.block);
	println!("{:<20} {:>9} {:>12}", "pallet", "entries", "bytes");
	for (pallet, entries, bytes) in state.sizes() {
		println!("{pallet:<20} {entries:>9} {bytes:>12}");
	}
	let mut chain = TestExternalities::new(Storage {
		top: state.entries,
		children_default: Default::default(),
	});
	let checks = chain.execute_with(|| {
		let mut checks = invariants::check();
		checks.extend(sdk_checks());
		checks
	});
	println!();
	for check in &checks {
		println!("{:<20} {}", check.name, verdict(check));
	}
	let broken = checks.iter().filter(|check| check.result.is_err()).count();
	println!(
		"\n{} of {} checks hold ({:.1} s to download, {:.1} s in all)",
		checks.len() - broken,
		checks.len(),
		downloaded.as_secs_f64(),
		started.elapsed().as_secs_f64()
	);
	Ok(if broken == 0 {
		ExitCode::SUCCESS
	} else {
		ExitCode::FAILURE
	})
}
