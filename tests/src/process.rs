//! Child processes that end with their handle.

use anyhow::{bail, Context, Result};
use std::{
	fs::File,
	net::TcpListener,
	path::{Path, PathBuf},
	process::{Child, Command, Stdio},
	time::{Duration, Instant},
};

/// A running program; killed when dropped.
pub struct Process {
	child: Child,
	name: String,
	log: PathBuf,
}

impl Process {
	/// Starts `command` with everything it prints in `log`.
	pub fn spawn(mut command: Command, log: &Path) -> Result<Self> {
		let name = command.get_program().to_string_lossy().into_owned();
		let file = File::options().create(true).append(true).open(log)?;
		let child = command
			.stdin(Stdio::null())
			.stdout(file.try_clone()?)
			.stderr(file)
			.spawn()
			.with_context(|| format!("starting {name}"))?;
		Ok(Self {
			child,
			name,
			log: log.into(),
		})
	}

	/// Ends it as `kill -9` does: no handler runs, nothing is flushed.
	pub fn kill(&mut self) -> Result<()> {
		self.child.kill()?;
		self.child.wait()?;
		Ok(())
	}

	/// Waits until a GET of `url` succeeds, for at most `seconds`; fails with the end of the log when
	/// the program ends first.
	pub async fn until_http(&self, url: &str, seconds: u64) -> Result<()> {
		let deadline = Instant::now() + Duration::from_secs(seconds);
		loop {
			if let Ok(answer) = reqwest::get(url).await {
				if answer.status().is_success() {
					return Ok(());
				}
			}
			if Instant::now() > deadline || self.has_ended() {
				bail!("{} did not answer at {url}:\n{}", self.name, self.tail());
			}
			tokio::time::sleep(Duration::from_millis(200)).await;
		}
	}

	fn has_ended(&self) -> bool {
		// A zombie still has a /proc entry, so ask for its state.
		std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))
			.map_or(true, |stat| stat.contains(") Z"))
	}

	/// The last lines of the log.
	pub fn tail(&self) -> String {
		let text = std::fs::read_to_string(&self.log).unwrap_or_default();
		let lines: Vec<&str> = text.lines().collect();
		lines[lines.len().saturating_sub(30)..].join("\n")
	}
}

impl Drop for Process {
	fn drop(&mut self) {
		// It may have ended already, and nobody can be told here.
		let _ = self.kill();
	}
}

/// A port nobody listens on.
pub fn free_port() -> Result<u16> {
	Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
