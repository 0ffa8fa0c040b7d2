//! Networks of real processes for whole-system tests: a development node with a worker and a gateway,
//! or several validators.
//!
//! The programs come from `OPENLEDGER_BIN_DIR`, else from the folder this test was built into; build
//! them first with `scripts/build.sh`. Every process is killed when its handle is dropped.

pub mod net;
pub mod process;
pub mod service;

use anyhow::{bail, Context, Result};
use process::{free_port, Process};
use serde_json::Value;
use std::{
	path::{Path, PathBuf},
	process::Command,
	time::{Duration, Instant},
};

/// Where the three programs are.
pub fn binary(name: &str) -> Result<PathBuf> {
	let folder = match std::env::var_os("OPENLEDGER_BIN_DIR") {
		Some(folder) => PathBuf::from(folder),
		// target/debug/deps/<test> → target/debug
		None => std::env::current_exe()?
			.ancestors()
			.nth(2)
			.context("a test runs from the target folder")?
			.to_path_buf(),
	};
	let path = folder.join(name);
	if !path.exists() {
		bail!(
			"no {name} in {}: run scripts/build.sh first",
			folder.display()
		);
	}
	Ok(path)
}

/// The demo model, which `scripts/model.sh` fetches.
pub fn model() -> Result<PathBuf> {
	let path = match std::env::var_os("OPENLEDGER_MODEL") {
		Some(path) => PathBuf::from(path),
		None => {
			let cache = std::env::var_os("XDG_CACHE_HOME")
				.map(PathBuf::from)
				.or_else(|| {
					std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"))
				});
			cache
				.context("neither XDG_CACHE_HOME nor HOME is set")?
				.join("openledger/models/SmolLM2-135M-Instruct.Q4_1.gguf")
		}
	};
	if !path.exists() {
		bail!("no model at {}: run scripts/model.sh first", path.display());
	}
	Ok(path)
}

/// A development chain of one validator.
pub struct Node {
	/// Its WebSocket address.
	pub url: String,
	_process: Process,
}

impl Node {
	/// Starts a chain from genesis with its data in `folder`, and waits until it answers.
	pub async fn start(folder: &Path) -> Result<Self> {
		Self::start_chain("dev", folder).await
	}

	/// The same for the chain called `chain`, or specified in the file of that name.
	pub async fn start_chain(chain: &str, folder: &Path) -> Result<Self> {
		let (rpc, p2p) = (free_port()?, free_port()?);
		let mut command = Command::new(binary("openledger-node")?);
		command
			.args([
				"--dev",
				"--chain",
				chain,
				"--no-prometheus",
				"--no-telemetry",
				"--state-pruning",
				"archive",
			])
			.arg("--base-path")
			.arg(folder.join("chain"))
			.args(["--rpc-port", &rpc.to_string(), "--port", &p2p.to_string()]);
		let process = Process::spawn(command, &folder.join("node.log"))?;
		process
			.until_http(&format!("http://127.0.0.1:{rpc}/health"), 120)
			.await?;
		Ok(Self {
			url: format!("ws://127.0.0.1:{rpc}"),
			_process: process,
		})
	}
}

/// Runs `openledger` as one user.
#[derive(Clone)]
pub struct Cli {
	chain: String,
	home: PathBuf,
	key: String,
}

impl Cli {
	/// `openledger` for the holder of `key` on the chain at `url`, with its files in `home`.
	pub fn new(url: &str, home: &Path, key: &str) -> Self {
		Self {
			chain: url.into(),
			home: home.into(),
			key: key.into(),
		}
	}

	/// The same user with another key.
	pub fn with_key(&self, key: &str) -> Self {
		Self {
			key: key.into(),
			..self.clone()
		}
	}

	/// The command `openledger ARGUMENTS`, for processes that stay.
	pub fn command(&self, arguments: &[&str]) -> Result<Command> {
		let mut command = Command::new(binary("openledger")?);
		command
			.args(["--chain", &self.chain, "--key", &self.key, "--json"])
			.arg("--home")
			.arg(&self.home)
			.args(arguments);
		Ok(command)
	}

	/// Runs `openledger ARGUMENTS --json` to its end and returns what it printed.
	pub fn run(&self, arguments: &[&str]) -> Result<Value> {
		let output = self.command(arguments)?.output()?;
		if !output.status.success() {
			bail!(
				"openledger {} failed: {}{}",
				arguments.join(" "),
				String::from_utf8_lossy(&output.stderr),
				String::from_utf8_lossy(&output.stdout),
			);
		}
		serde_json::from_slice(&output.stdout)
			.with_context(|| format!("openledger {} printed no JSON", arguments.join(" ")))
	}
}

/// Calls `check` every half second until it returns something, for at most `seconds`.
pub async fn until<T>(
	what: &str,
	seconds: u64,
	mut check: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
	let deadline = Instant::now() + Duration::from_secs(seconds);
	loop {
		if let Some(found) = check()? {
			return Ok(found);
		}
		if Instant::now() > deadline {
			bail!("{what}: not within {seconds} s");
		}
		tokio::time::sleep(Duration::from_millis(500)).await;
	}
}
