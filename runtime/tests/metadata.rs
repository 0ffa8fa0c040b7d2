//! The committed metadata is the runtime's.
//!
//! Clients are generated from `client/metadata.scale`, so that file is the chain's interface. A
//! change of a pallet's index, a call's arguments or an event's field shows here, and in the
//! review of the commit that regenerates the file.
#![allow(clippy::unwrap_used)]

use openledger_runtime::Runtime;
use std::{env, fs, path::Path};

/// The newest metadata format; it describes runtime APIs and view functions too.
const FORMAT: u32 = 16;

#[cfg_attr(
	feature = "try-runtime",
	ignore = "a runtime with the SDK's checks has an API more"
)]
#[test]
fn committed_metadata_should_be_the_runtimes() {
	let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../client/metadata.scale");
	// Constants that governance can change are read from the state; here they have their defaults.
	let metadata = sp_io::TestExternalities::default()
		.execute_with(|| Runtime::metadata_at_version(FORMAT))
		.expect("the runtime speaks this format");
	if env::var_os("UPDATE_METADATA").is_some() {
		fs::write(&file, &*metadata).unwrap();
		return;
	}
	let committed = fs::read(&file).unwrap_or_default();
	assert!(
		committed == *metadata,
		"client/metadata.scale is not this runtime's metadata. If the change is meant, \
		 run: make metadata",
	);
}

#[test]
fn pallets_should_keep_their_indices() {
	use frame_support::traits::PalletsInfoAccess;
	let indices: Vec<(usize, &str)> = openledger_runtime::AllPalletsWithSystem::infos()
		.iter()
		.map(|pallet| (pallet.index, pallet.name))
		.collect();
	assert_eq!(
		indices,
		[
			(0, "System"),
			(1, "Babe"),
			(2, "Timestamp"),
			(3, "Authorship"),
			(4, "Balances"),
			(5, "TransactionPayment"),
			(6, "Offences"),
			(7, "Historical"),
			(8, "Session"),
			(9, "Grandpa"),
			(10, "Parameters"),
			(11, "Launch"),
			(12, "Preimage"),
			(13, "Scheduler"),
			(14, "Referenda"),
			(15, "ConvictionVoting"),
			(16, "Treasury"),
			(17, "Governance"),
			(20, "Utility"),
			(21, "Multisig"),
			(22, "Proxy"),
			(30, "Datanets"),
			(31, "Models"),
			(32, "Providers"),
			(33, "Channels"),
			(34, "Attribution"),
			(35, "Stakes"),
		]
	);
}
