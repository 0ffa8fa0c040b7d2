//! How far training is.

use indicatif::{ProgressBar, ProgressStyle};

/// After each step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
	/// Steps done.
	pub step: usize,
	/// Steps in all.
	pub steps: usize,
	/// Mean loss of the step's tokens, in nats.
	pub loss: f32,
	/// Tokens read per second since the first step.
	pub tokens_per_second: f64,
}

/// A progress bar on stderr: step, loss, tokens per second, time left.
pub struct Bar(ProgressBar);

impl Bar {
	/// An empty bar. It draws nothing where stderr is no terminal.
	pub fn new() -> Self {
		let bar = ProgressBar::new(0);
		if let Ok(style) =
			ProgressStyle::with_template("{bar:30} step {pos}/{len}  {msg}  {eta} left")
		{
			bar.set_style(style);
		}
		Self(bar)
	}

	/// Shows `progress`.
	pub fn show(&self, progress: &Progress) {
		let Progress {
			step,
			steps,
			loss,
			tokens_per_second,
		} = progress;
		self.0.set_length(*steps as u64);
		self.0.set_position(*step as u64);
		self.0
			.set_message(format!("loss {loss:.3}  {tokens_per_second:.0} tok/s"));
		if step == steps {
			self.0.finish();
		}
	}
}

impl Default for Bar {
	fn default() -> Self {
		Self::new()
	}
}
