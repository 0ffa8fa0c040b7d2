//! `openledger chat`.

use super::gateway::Spending;
use crate::{context::Context, output::say, CliError};
use clap::Args;
use serde_json::{json, Value};
use std::io::{BufRead, IsTerminal};

/// Asks a model.
#[derive(Debug, Args)]
pub struct Chat {
	/// The question; without one, questions are read line by line.
	prompt: Option<String>,
	/// The model's name: an adapter or a base model.
	#[arg(long, short)]
	model: String,
	/// Instructions before the conversation.
	#[arg(long)]
	system: Option<String>,
	/// Most tokens of an answer.
	#[arg(long, default_value_t = 256)]
	max_tokens: u32,
	/// 0 always takes the likeliest token.
	#[arg(long, default_value_t = 0.7)]
	temperature: f32,
	/// Makes the answer repeatable.
	#[arg(long)]
	seed: Option<i64>,
	/// Address of the gateway.
	#[arg(
		long,
		env = "OPENLEDGER_GATEWAY",
		default_value = "http://127.0.0.1:8787"
	)]
	gateway: String,
	/// Pays by itself instead of asking a gateway.
	#[arg(long)]
	direct: bool,
	/// How much may be spent with `--direct`.
	#[command(flatten)]
	spending: Spending,
}

impl Chat {
	/// Runs it.
	pub async fn run(self, context: &Context) -> Result<(), CliError> {
		let mut gateway = self.gateway.trim_end_matches('/').to_owned();
		if self.direct {
			gateway = own_gateway(context, self.spending).await?;
		}
		let mut messages = Vec::new();
		if let Some(system) = &self.system {
			messages.push(json!({ "role": "system", "content": system }));
		}
		if let Some(prompt) = self.prompt.clone() {
			messages.push(json!({ "role": "user", "content": prompt }));
			self.ask(context, &gateway, &messages).await?;
			return Ok(());
		}
		let interactive = std::io::stdin().is_terminal();
		for line in prompts(interactive) {
			let line = line
				.map_err(|error| CliError::new("terminal", format!("Reading failed: {error}.")))?;
			if line.trim().is_empty() {
				continue;
			}
			messages.push(json!({ "role": "user", "content": line }));
			match self.ask(context, &gateway, &messages).await {
				Ok(text) => messages.push(json!({ "role": "assistant", "content": text })),
				Err(error) if interactive => {
					messages.pop();
					error.print(context.global.json);
				}
				Err(error) => return Err(error),
			}
		}
		Ok(())
	}

	/// Asks once, showing the text as it comes; the answer's text.
	async fn ask(
		&self,
		context: &Context,
		gateway: &str,
		messages: &[Value],
	) -> Result<String, CliError> {
		let body = json!({
			"model": self.model,
			"messages": messages,
			"max_tokens": self.max_tokens,
			"temperature": self.temperature,
			"seed": self.seed,
			"stream": true,
			"stream_options": { "include_usage": true },
		});
		let url = format!("{gateway}/v1/chat/completions");
		let unreachable = |error: reqwest::Error| {
			CliError::new(
				"gateway-unreachable",
				format!(
					"The gateway at {gateway} does not answer: {error}. Start one with `openledger \
					 gateway`, or use --direct."
				),
			)
		};
		let mut response = reqwest::Client::new()
			.post(url)
			.json(&body)
			.send()
			.await
			.map_err(unreachable)?;
		if !response.status().is_success() {
			let error: Value = response.json().await.unwrap_or_default();
			return Err(refusal(&error));
		}
		let mut answer = Streamed::default();
		while let Some(bytes) = response.chunk().await.map_err(unreachable)? {
			let new = answer.take(&bytes)?;
			if !context.global.json {
				say(&new);
			}
		}
		if context.global.json {
			let value = json!({
				"id": answer.id,
				"text": answer.text,
				"receipt": answer.receipt,
				"usage": answer.usage,
			});
			say(&format!("{value:#}\n"));
		} else {
			say("\n");
			if std::io::stderr().is_terminal() {
				eprintln!(
					"(receipt {}; `openledger receipt show last` explains it)",
					answer.receipt
				);
			}
		}
		Ok(answer.text)
	}
}

fn prompts(interactive: bool) -> impl Iterator<Item = std::io::Result<String>> {
	std::iter::from_fn(move || {
		if interactive {
			eprint!("> ");
		}
		std::io::stdin().lock().lines().next()
	})
}

fn refusal(error: &Value) -> CliError {
	let field = |name: &str| error["error"][name].as_str().unwrap_or_default().to_owned();
	match (field("code"), field("message")) {
		(code, message) if !message.is_empty() => CliError::new(code, message),
		_ => CliError::new("gateway", "The gateway refused without saying why."),
	}
}

/// A gateway in this process.
async fn own_gateway(context: &Context, spending: Spending) -> Result<String, CliError> {
	let chain = context.chain().await?;
	let gateway = spending.open(context, &chain).await?;
	let listen = |error| CliError::new("listen", format!("No port is free: {error}."));
	let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
		.await
		.map_err(listen)?;
	let address = listener.local_addr().map_err(listen)?;
	tokio::spawn(gateway.serve(listener, std::future::pending()));
	Ok(format!("http://{address}"))
}

/// An answer as it streams in.
#[derive(Debug, Default)]
struct Streamed {
	buffer: Vec<u8>,
	id: String,
	text: String,
	receipt: String,
	usage: Value,
}

impl Streamed {
	/// Takes bytes of the stream; the text that was in them.
	fn take(&mut self, bytes: &[u8]) -> Result<String, CliError> {
		self.buffer.extend_from_slice(bytes);
		let mut new = String::new();
		while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
			let line: Vec<u8> = self.buffer.drain(..=end).collect();
			let line = String::from_utf8_lossy(&line);
			let Some(data) = line.trim_end().strip_prefix("data: ") else {
				continue;
			};
			if data == "[DONE]" {
				continue;
			}
			let frame: Value = serde_json::from_str(data)?;
			if frame.get("error").is_some() {
				return Err(refusal(&frame));
			}
			if let Some(id) = frame["id"].as_str() {
				id.clone_into(&mut self.id);
			}
			if let Some(text) = frame["choices"][0]["delta"]["content"].as_str() {
				new.push_str(text);
			}
			if let Some(receipt) = frame["x-openledger-receipt"].as_str() {
				receipt.clone_into(&mut self.receipt);
			}
			if let Some(usage) = frame.get("usage") {
				self.usage = usage.clone();
			}
		}
		self.text.push_str(&new);
		Ok(new)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_stream_cut_anywhere_should_give_the_same_answer() {
		let stream = "data: {\"id\":\"a\",\"choices\":[{\"delta\":{\"content\":\"Lé\"}}]}\n\n\
			: keep-alive\n\n\
			data: {\"id\":\"a\",\"choices\":[{\"delta\":{\"content\":\"ek\"}}]}\n\n\
			data: {\"id\":\"a\",\"choices\":[],\"x-openledger-receipt\":\"0xab\",\"usage\":{\"total_tokens\":3}}\n\n\
			data: [DONE]\n\n";
		for cut in 0..stream.len() {
			let mut answer = Streamed::default();
			let (head, tail) = stream.as_bytes().split_at(cut);
			let text = answer.take(head).unwrap() + &answer.take(tail).unwrap();
			assert_eq!(text, "Léek");
			assert_eq!(
				(answer.text.as_str(), answer.receipt.as_str()),
				("Léek", "0xab")
			);
			assert_eq!(answer.usage["total_tokens"], 3);
		}
	}

	#[test]
	fn an_error_in_the_stream_should_keep_its_code() {
		let mut answer = Streamed::default();
		let frame = b"data: {\"error\":{\"code\":\"escrow-empty\",\"message\":\"top up\"}}\n";
		assert_eq!(answer.take(frame).unwrap_err().code, "escrow-empty");
	}
}
