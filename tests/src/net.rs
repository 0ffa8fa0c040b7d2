//! A network of validators, each a real process with its own database, talking over TCP.

use crate::{binary, free_port, Process};
use anyhow::{anyhow, bail, Context, Result};
use serde_json::{json, Value};
use std::{
	future::Future,
	path::{Path, PathBuf},
	process::Command,
	time::{Duration, Instant},
};
use tokio::sync::{Mutex, MutexGuard};

/// The validators of the local test network: the development keys that genesis names.
pub const VALIDATORS: [&str; 4] = ["alice", "bob", "charlie", "dave"];

/// Two networks at a time would be too many nodes for a small machine to keep its slots.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// Waits for its turn: networks run one after another. Hold what it returns while one runs.
pub async fn turn() -> MutexGuard<'static, ()> {
	ONE_AT_A_TIME.lock().await
}

/// One node of a network.
pub struct Peer {
	/// What it is called in errors and logs.
	pub name: String,
	/// Its identity in the network.
	pub id: String,
	/// Where others reach it, identity included.
	pub address: String,
	rpc: u16,
	log: PathBuf,
	arguments: Vec<String>,
	process: Option<Process>,
}

impl Peer {
	/// Prepares node `index` of a network: `arguments` say what it does; its data and log are in
	/// `folder`, under its name.
	fn new(folder: &Path, index: usize, name: &str, arguments: &[&str]) -> Result<Self> {
		// Identities are fixed and small numbers, so that each node knows the others beforehand.
		let node_key = format!("{:064x}", index + 1);
		let file = folder.join("node-key");
		std::fs::write(&file, &node_key)?;
		let inspected = Command::new(binary("openledger-node")?)
			.args(["key", "inspect-node-key", "--file"])
			.arg(&file)
			.output()?;
		let id = String::from_utf8(inspected.stdout)?.trim().to_owned();
		if id.is_empty() {
			bail!("openledger-node key inspect-node-key printed no identity");
		}
		let (p2p, rpc) = (free_port()?, free_port()?);
		let listen = format!("/ip4/127.0.0.1/tcp/{p2p}");
		let base_path = folder.join(name);
		let base_path = base_path.to_str().context("the test's folder is UTF-8")?;
		let rpc_port = rpc.to_string();
		let common = [
			"--chain",
			"local",
			"--base-path",
			base_path,
			"--node-key",
			&node_key,
			"--listen-addr",
			&listen,
			"--rpc-port",
			&rpc_port,
			// The tests tell nodes whom to talk to.
			"--rpc-methods",
			"unsafe",
			"--no-mdns",
			"--allow-private-ip",
			"--no-telemetry",
			"--no-prometheus",
		];
		Ok(Self {
			name: name.into(),
			address: format!("{listen}/p2p/{id}"),
			id,
			rpc,
			log: folder.join(format!("{name}.log")),
			arguments: common
				.iter()
				.chain(arguments)
				.map(ToString::to_string)
				.collect(),
			process: None,
		})
	}

	fn spawn(&mut self) -> Result<()> {
		let mut command = Command::new(binary("openledger-node")?);
		command.args(&self.arguments);
		self.process = Some(Process::spawn(command, &self.log)?);
		Ok(())
	}

	async fn until_it_answers(&self) -> Result<()> {
		self.process
			.as_ref()
			.context("the node runs")?
			.until_http(&format!("http://127.0.0.1:{}/health", self.rpc), 240)
			.await
	}

	/// Ends it as `kill -9` does.
	pub fn kill(&mut self) -> Result<()> {
		self.process.take().context("the node runs")?.kill()
	}

	/// Starts it again on what it left behind.
	pub async fn restart(&mut self) -> Result<()> {
		self.spawn()?;
		self.until_it_answers().await
	}

	/// All it printed so far.
	pub fn log(&self) -> String {
		std::fs::read_to_string(&self.log).unwrap_or_default()
	}

	/// Calls an RPC method.
	pub async fn call(&self, method: &str, parameters: Value) -> Result<Value> {
		let request = json!({
			"jsonrpc": "2.0",
			"id": 1,
			"method": method,
			"params": parameters,
		});
		let answer: Value = reqwest::Client::new()
			.post(format!("http://127.0.0.1:{}", self.rpc))
			.json(&request)
			.send()
			.await?
			.json()
			.await?;
		match answer.get("error") {
			Some(error) => Err(anyhow!("{}: {method}: {error}", self.name)),
			None => Ok(answer.get("result").cloned().unwrap_or_default()),
		}
	}

	/// Number of the best block.
	pub async fn best(&self) -> Result<u32> {
		number_of(&self.call("chain_getHeader", json!([])).await?)
	}

	/// Number of the last finalised block.
	pub async fn finalised(&self) -> Result<u32> {
		let hash = self.call("chain_getFinalizedHead", json!([])).await?;
		number_of(&self.call("chain_getHeader", json!([hash])).await?)
	}

	/// Hash of the block with this number on the best chain.
	pub async fn hash_at(&self, number: u32) -> Result<String> {
		let hash = self.call("chain_getBlockHash", json!([number])).await?;
		let hash = hash
			.as_str()
			.with_context(|| format!("{} has no block {number}", self.name))?;
		Ok(hash.to_owned())
	}

	/// Number of nodes it is connected to.
	pub async fn peers(&self) -> Result<u64> {
		self.call("system_health", json!([])).await?["peers"]
			.as_u64()
			.context("system_health counts peers")
	}

	/// The raw bytes, in hex, of a storage value at a block.
	pub async fn storage(&self, key: &str, block: &str) -> Result<Option<String>> {
		let value = self.call("state_getStorage", json!([key, block])).await?;
		Ok(value.as_str().map(str::to_owned))
	}

	/// Up to 100 storage keys below a prefix at a block, in hex.
	pub async fn keys(&self, prefix: &str, block: &str) -> Result<Vec<String>> {
		let keys = self
			.call("state_getKeysPaged", json!([prefix, 100, null, block]))
			.await?;
		Ok(serde_json::from_value(keys)?)
	}

	/// Waits until block `number` is final here, for at most `seconds`.
	pub async fn until_final(&self, number: u32, seconds: u64) -> Result<()> {
		let what = format!("{} finalises block {number}", self.name);
		eventually(&what, seconds, || async {
			let now = self.finalised().await?;
			Ok((now >= number).then_some(()))
		})
		.await
	}
}

fn number_of(header: &Value) -> Result<u32> {
	let number = header["number"].as_str().context("a header has a number")?;
	Ok(u32::from_str_radix(number.trim_start_matches("0x"), 16)?)
}

/// Calls `check` every half second until it returns something, for at most `seconds`.
pub async fn eventually<T, F>(what: &str, seconds: u64, mut check: impl FnMut() -> F) -> Result<T>
where
	F: Future<Output = Result<Option<T>>>,
{
	let deadline = Instant::now() + Duration::from_secs(seconds);
	loop {
		if let Some(found) = check().await? {
			return Ok(found);
		}
		if Instant::now() > deadline {
			bail!("{what}: not within {seconds} s");
		}
		tokio::time::sleep(Duration::from_millis(500)).await;
	}
}

/// A running network.
pub struct Network {
	/// Its nodes, the four validators first.
	pub peers: Vec<Peer>,
	folder: PathBuf,
}

impl Network {
	/// Starts [`VALIDATORS`] from genesis with their data in `folder`. They find each other by boot
	/// nodes; with `closed` each talks to no others than these.
	pub async fn start(folder: &Path, closed: bool) -> Result<Self> {
		let mut peers = VALIDATORS
			.iter()
			.enumerate()
			.map(|(i, name)| Peer::new(folder, i, name, &["--validator", &format!("--{name}")]))
			.collect::<Result<Vec<_>>>()?;
		let addresses: Vec<String> = peers.iter().map(|peer| peer.address.clone()).collect();
		for peer in &mut peers {
			if closed {
				// Of the two network backends only this one lets go of a peer that is taken off the
				// list of those it may talk to.
				let restricted = ["--network-backend", "libp2p", "--reserved-only"];
				peer.arguments.extend(restricted.map(str::to_owned));
			}
			peer.arguments.push(if closed {
				"--reserved-nodes".into()
			} else {
				"--bootnodes".into()
			});
			let others = addresses.iter().filter(|address| **address != peer.address);
			peer.arguments.extend(others.cloned());
			peer.spawn()?;
		}
		for peer in &peers {
			peer.until_it_answers().await?;
		}
		Ok(Self {
			peers,
			folder: folder.into(),
		})
	}

	/// Starts one more node that knows the first four, and returns its place among
	/// [the nodes](Self::peers).
	pub async fn add(&mut self, name: &str, arguments: &[&str]) -> Result<usize> {
		let index = self.peers.len();
		let mut peer = Peer::new(&self.folder, index, name, arguments)?;
		peer.arguments.push("--bootnodes".into());
		let known = self.peers.iter().take(VALIDATORS.len());
		peer.arguments
			.extend(known.map(|known| known.address.clone()));
		peer.spawn()?;
		peer.until_it_answers().await?;
		self.peers.push(peer);
		Ok(index)
	}

	/// Waits until block `number` is final on every node, for at most `seconds` each, and checks that
	/// it is the same block on all.
	pub async fn until_final(&self, number: u32, seconds: u64) -> Result<()> {
		let mut first = None;
		for peer in &self.peers {
			peer.until_final(number, seconds).await?;
			let hash = peer.hash_at(number).await?;
			let expected = first.get_or_insert_with(|| hash.clone());
			if *expected != hash {
				bail!(
					"{} finalised {hash} as block {number}, others {expected}",
					peer.name
				);
			}
		}
		Ok(())
	}

	/// Separates the first two validators from the others, or joins them again. The network must
	/// have been started closed.
	pub async fn set_partition(&self, apart: bool) -> Result<()> {
		let (left, right) = self
			.peers
			.split_at_checked(2)
			.context("a network has four nodes")?;
		for (side, others) in [(left, right), (right, left)] {
			for peer in side {
				for other in others {
					if apart {
						peer.call("system_removeReservedPeer", json!([other.id]))
							.await?;
					} else {
						peer.call("system_addReservedPeer", json!([other.address]))
							.await?;
					}
				}
			}
		}
		Ok(())
	}
}
