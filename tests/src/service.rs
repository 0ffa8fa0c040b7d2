//! A provider and a payer on a chain: a worker that serves the demo model, and a gateway before it.

use crate::{binary, free_port, model, until, Cli, Node, Process};
use anyhow::{Context, Result};
use std::{
	path::{Path, PathBuf},
	process::Command,
};

/// The base model's name on the test chains.
pub const BASE: &str = "smollm2-135m";

/// A chain, a registered provider with its worker, and a payer's gateway.
pub struct Service {
	/// The chain.
	pub node: Node,
	/// Charlie, who pays.
	pub payer: Cli,
	/// Address of the gateway's OpenAI API.
	pub gateway: String,
	/// The payer's files.
	pub home: PathBuf,
	/// The gateway's process.
	pub gateway_process: Process,
	worker: Option<Process>,
	worker_ports: (u16, u16),
	folder: PathBuf,
}

impl Service {
	/// Starts all of it in `folder`. Alice owns the base model, Bob provides, Charlie pays.
	pub async fn start(folder: &Path) -> Result<Self> {
		let node = Node::start(folder).await?;
		let home = folder.join("home");
		let user = |key| Cli::new(&node.url, &home, key);
		let (bob, payer) = (user("//Bob"), user("//Charlie"));
		let file = model()?;
		let file = file.to_str().context("the model's path is UTF-8")?;
		let price = ["--rate-in", "0.5", "--rate-out", "1"];
		let register = ["model", "register", BASE, "--file", file];
		user("//Alice").run(&[register.as_slice(), &price].concat())?;

		let hot = user("//Bob//hot").run(&["keys", "show"])?;
		let hot = hot["account"]
			.as_str()
			.context("keys show prints an account")?;
		bob.run(&["account", "send", hot, "100"])?;
		let worker_ports = (free_port()?, free_port()?);
		let endpoint = format!("http://127.0.0.1:{}", worker_ports.0);
		let register = [
			"provider",
			"register",
			"--hot-key",
			hot,
			"--endpoint",
			&endpoint,
		];
		let terms = ["--bond", "1000", "--base", BASE, "--wait", "finalized"];
		bob.run(&[register.as_slice(), &terms, &price].concat())?;

		let worker = spawn_worker(&node.url, folder, worker_ports).await?;
		let port = free_port()?;
		let listen = format!("127.0.0.1:{port}");
		let command = payer.command(&["gateway", "--listen", &listen, "--escrow", "50"])?;
		let gateway_process = Process::spawn(command, &folder.join("gateway.log"))?;
		let gateway = format!("http://{listen}");
		gateway_process
			.until_http(&format!("{gateway}/health"), 60)
			.await?;
		Ok(Self {
			node,
			payer,
			gateway,
			home,
			gateway_process,
			worker: Some(worker),
			worker_ports,
			folder: folder.into(),
		})
	}

	/// Ends the worker as `kill -9` does.
	pub fn kill_worker(&mut self) -> Result<()> {
		self.worker.take().context("the worker runs")?.kill()
	}

	/// Starts the worker again on what it left behind.
	pub async fn restart_worker(&mut self) -> Result<()> {
		self.worker = Some(spawn_worker(&self.node.url, &self.folder, self.worker_ports).await?);
		Ok(())
	}

	/// Waits until nothing more is redeemed, and returns the payer's only channel with its lanes.
	pub async fn redeemed(&self) -> Result<serde_json::Value> {
		let mut last = serde_json::Value::Null;
		let mut unchanged = 0;
		until("redemption comes to rest", 180, || {
			let now = self.payer.run(&["channel", "show", "0"])?;
			let has_lanes = now["lanes"]
				.as_array()
				.is_some_and(|lanes| !lanes.is_empty());
			unchanged = if has_lanes && now == last {
				unchanged + 1
			} else {
				0
			};
			last = now;
			// Four redemption periods without a change.
			Ok((unchanged >= 40).then(|| last.clone()))
		})
		.await
	}
}

async fn spawn_worker(chain: &str, folder: &Path, ports: (u16, u16)) -> Result<Process> {
	let mut command = Command::new(binary("openledger-worker")?);
	command
		.args([
			"serve",
			"--chain",
			chain,
			"--key",
			"//Bob//hot",
			"--redeem-every",
			"5",
		])
		.args(["--grpc", &format!("127.0.0.1:{}", ports.0)])
		.args(["--http", &format!("127.0.0.1:{}", ports.1)])
		.arg("--model")
		.arg(model()?)
		.arg("--store")
		.arg(folder.join("store"))
		.arg("--data")
		.arg(folder.join("data"));
	let process = Process::spawn(command, &folder.join("worker.log"))?;
	process
		.until_http(&format!("http://127.0.0.1:{}/health", ports.1), 120)
		.await?;
	Ok(process)
}
