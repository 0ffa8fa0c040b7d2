//! `openledger receipt`.

use crate::{
	amount::plain,
	answers,
	context::Context,
	explain,
	output::{short, short_hash, table, Output},
	CliError,
};
use clap::Subcommand;

/// Who was paid for an answer, and why.
#[derive(Debug, Subcommand)]
pub enum Receipt {
	/// Explains one answer: its price, who gets which part, what it quotes, and what proves it.
	Show {
		/// The answer's id, its receipt's digest, or `last`.
		#[arg(default_value = "last")]
		answer: String,
	},
	/// Lists the answers that were paid for from here, the newest last.
	List {
		/// At most so many.
		#[arg(long, default_value_t = 20)]
		limit: usize,
	},
}

impl Receipt {
	/// Runs it.
	pub async fn run(self, context: &Context) -> Result<Output, CliError> {
		match self {
			Self::Show { answer } => {
				let answer = answers::find(&context.home, &answer)?;
				let explained = explain::explain(&context.chain().await?, answer).await?;
				let text = explained.text();
				Ok(Output::new(explained, text))
			}
			Self::List { limit } => {
				let mut answers = answers::all(&context.home)?;
				answers.drain(..answers.len().saturating_sub(limit));
				let rows = answers.iter().map(|answer| {
					[
						answer.id.clone(),
						short_hash(&answer.digest),
						answer.model.clone(),
						short(&answer.provider),
						format!(
							"{} / {}",
							answer.receipt.tokens_in, answer.receipt.tokens_out
						),
						plain(answer.receipt.amount().unwrap_or_default()),
					]
				});
				let heading = [
					"answer",
					"receipt",
					"model",
					"provider",
					"tokens",
					"price OPEN",
				];
				let human = table(&heading, rows);
				Ok(Output::new(&answers, human))
			}
		}
	}
}
