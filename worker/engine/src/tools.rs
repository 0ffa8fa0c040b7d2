//! Tools a model may call: how they are told to it, and how its calls are read out of its answer.
//!
//! A call is written `<tool_call>`, a line with `{"name": …, "arguments": …}`, `</tool_call>`, as Hermes and Qwen
//! models learn it. Models whose chat template knows tools in this form are told by it; all others read a list of
//! the tools at the top of the conversation. What they then write is held to the form by a
//! [`Constraint`](crate::Constraint).

use serde::Deserialize;
use serde_json::{json, Value};

use crate::tokenizer::ChatMessage;

/// What begins a call.
pub const OPEN: &str = "<tool_call>";
/// What ends one.
pub const CLOSE: &str = "</tool_call>";

/// A function the model may ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
	/// Its name.
	pub name: String,
	/// What it does, for the model.
	pub description: Option<String>,
	/// JSON schema of its arguments.
	pub parameters: Value,
}

impl Tool {
	/// As chat templates expect it.
	pub(crate) fn shown(&self) -> Value {
		json!({ "type": "function", "function": {
			"name": self.name, "description": self.description.as_deref().unwrap_or(""),
			"parameters": self.parameters,
		} })
	}
}

/// Whether and which tools must be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
	/// The model decides.
	Auto,
	/// One of them, or several.
	Required,
	/// This one, once.
	Named(String),
}

/// A call that a model made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
	/// Name of the tool.
	pub name: String,
	/// Its arguments as JSON.
	pub arguments: String,
}

/// One message of a conversation with tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
	/// `system`, `user`, `assistant`, or `tool` for what a tool gave back.
	pub role: String,
	/// What was said.
	pub content: String,
	/// Calls that the assistant made in this message.
	pub calls: Vec<ToolCall>,
}

impl From<ChatMessage> for Turn {
	fn from(message: ChatMessage) -> Self {
		Self {
			role: message.role,
			content: message.content,
			calls: Vec::new(),
		}
	}
}

/// A conversation, and the tools that may be called in its next message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chat {
	/// What was said, oldest first.
	pub messages: Vec<Turn>,
	/// The tools.
	pub tools: Vec<Tool>,
}

impl From<Vec<ChatMessage>> for Chat {
	fn from(messages: Vec<ChatMessage>) -> Self {
		Self {
			messages: messages.into_iter().map(Turn::from).collect(),
			tools: Vec::new(),
		}
	}
}

impl Chat {
	/// The conversation with tools, calls and what they gave back as plain text.
	pub(crate) fn plain(&self) -> Vec<ChatMessage> {
		let mut messages: Vec<ChatMessage> = self
			.messages
			.iter()
			.map(|turn| {
				let mut content = turn.content.clone();
				for call in &turn.calls {
					if !content.is_empty() {
						content.push('\n');
					}
					let name = Value::from(call.name.as_str());
					let arguments = &call.arguments;
					content.push_str(&format!(
						"{OPEN}\n{{\"name\": {name}, \"arguments\": {arguments}}}\n{CLOSE}"
					));
				}
				match turn.role.as_str() {
					// Templates that know no tools know no such role.
					"tool" => ChatMessage {
						role: "user".into(),
						content: format!("<tool_response>\n{content}\n</tool_response>"),
					},
					role => ChatMessage {
						role: role.into(),
						content,
					},
				}
			})
			.collect();
		if self.tools.is_empty() {
			return messages;
		}
		let mut told = String::from(
			"You can call functions. These are the functions, each described by a line of JSON:\n<tools>\n",
		);
		for tool in &self.tools {
			told.push_str(&format!("{}\n", tool.shown()));
		}
		told.push_str(&format!(
			"</tools>\nTo call one, answer with its name and its arguments in this form:\n\
			 {OPEN}\n{{\"name\": \"NAME\", \"arguments\": {{…}}}}\n{CLOSE}"
		));
		match messages.first_mut() {
			Some(first) if first.role == "system" => {
				first.content = format!("{}\n\n{told}", first.content);
			}
			_ => messages.insert(
				0,
				ChatMessage {
					role: "system".into(),
					content: told,
				},
			),
		}
		messages
	}
}

/// A part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
	/// Text.
	Text(String),
	/// A call.
	Call(ToolCall),
}

#[derive(Deserialize)]
struct Written {
	name: String,
	arguments: Value,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
	#[default]
	Text,
	/// Behind [`OPEN`].
	Call,
	/// Behind the call's JSON.
	End,
	/// Behind [`CLOSE`].
	After,
}

/// Takes the calls out of an answer as it comes. What is no whole call stays text.
#[derive(Clone, Debug, Default)]
pub struct CallReader {
	place: Place,
	held: String,
}

impl CallReader {
	/// Takes the next piece of the answer; gives out what is certain now.
	pub fn push(&mut self, piece: &str) -> Vec<Part> {
		self.held.push_str(piece);
		let mut parts = Vec::new();
		while self.advance(&mut parts) {}
		parts
	}

	/// Gives out what was withheld, as text.
	pub fn finish(&mut self) -> Option<String> {
		let held = std::mem::take(&mut self.held);
		match std::mem::take(&mut self.place) {
			Place::Call => Some(format!("{OPEN}{held}")),
			Place::Text if !held.is_empty() => Some(held),
			_ => None,
		}
	}

	/// Does one thing with what is held; `false` when more of the answer is needed for the next.
	fn advance(&mut self, parts: &mut Vec<Part>) -> bool {
		match self.place {
			Place::Text => {
				let (text, found) = match self.held.find(OPEN) {
					Some(at) => {
						let rest = self.held.split_off(at + OPEN.len());
						self.held.truncate(at);
						(std::mem::replace(&mut self.held, rest), true)
					}
					None => {
						let kept = (1..OPEN.len())
							.rev()
							.find(|n| self.held.ends_with(&OPEN[..*n]));
						let rest = self.held.split_off(self.held.len() - kept.unwrap_or(0));
						(std::mem::replace(&mut self.held, rest), false)
					}
				};
				if !text.is_empty() {
					parts.push(Part::Text(text));
				}
				if found {
					self.place = Place::Call;
				}
				found
			}
			Place::Call => {
				// Calls end with a brace, so most pieces need no look at the whole.
				if !self.held.contains('}') {
					return false;
				}
				let (call, at) = {
					let mut values =
						serde_json::Deserializer::from_str(&self.held).into_iter::<Written>();
					(values.next(), values.byte_offset())
				};
				match call {
					Some(Ok(call)) => {
						parts.push(Part::Call(ToolCall {
							name: call.name,
							arguments: call.arguments.to_string(),
						}));
						self.held.drain(..at);
						self.place = Place::End;
						true
					}
					Some(Err(error)) if error.is_eof() => false,
					_ => {
						let text = std::mem::take(&mut self.held);
						parts.push(Part::Text(format!("{OPEN}{text}")));
						self.place = Place::Text;
						false
					}
				}
			}
			Place::End => {
				let rest = self.held.trim_start();
				if let Some(rest) = rest.strip_prefix(CLOSE) {
					self.held = rest.to_owned();
					self.place = Place::After;
					return true;
				}
				let goes_on = CLOSE.starts_with(rest);
				if !goes_on {
					self.place = Place::After;
				}
				!goes_on
			}
			Place::After => {
				let rest = self.held.trim_start().to_owned();
				self.held = rest;
				if self.held.is_empty() {
					return false;
				}
				self.place = Place::Text;
				true
			}
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn read(answer: &str, size: usize) -> Vec<Part> {
		let mut reader = CallReader::default();
		let mut parts: Vec<Part> = Vec::new();
		let mut add = |part: Part| match (parts.last_mut(), part) {
			(Some(Part::Text(before)), Part::Text(text)) => before.push_str(&text),
			(_, part) => parts.push(part),
		};
		let characters: Vec<char> = answer.chars().collect();
		for piece in characters.chunks(size) {
			reader
				.push(&piece.iter().collect::<String>())
				.into_iter()
				.for_each(&mut add);
		}
		reader.finish().map(Part::Text).into_iter().for_each(add);
		parts
	}

	fn call(name: &str, arguments: &str) -> Part {
		Part::Call(ToolCall {
			name: name.into(),
			arguments: arguments.into(),
		})
	}

	#[test]
	fn calls_should_be_read_wherever_the_pieces_are_cut() {
		let answer = "Let me see: a < b.\n<tool_call>\n{\"name\": \"look\", \"arguments\": \
			{\"for\": \"a </tool_call> }\"}}\n</tool_call>\n<tool_call>\n{\"name\": \"end\", \
			\"arguments\": {}}\n</tool_call>";
		let expected = [
			Part::Text("Let me see: a < b.\n".into()),
			call("look", "{\"for\":\"a </tool_call> }\"}"),
			call("end", "{}"),
		];
		for size in [1, 2, 3, 7, 1000] {
			assert_eq!(read(answer, size), expected, "pieces of {size}");
		}
	}

	#[test]
	fn what_is_no_call_should_stay_text() {
		for text in [
			"no call at all <tool",
			"<tool_call>\nnever mind }",
			"<tool_call>\n{\"name\": \"cut off\", \"argu",
			"<tool_call>\n{\"name\": 5, \"arguments\": {}}",
		] {
			for size in [1, 4, 1000] {
				assert_eq!(
					read(text, size),
					[Part::Text(text.into())],
					"pieces of {size}"
				);
			}
		}
	}

	#[test]
	fn tools_should_be_told_in_the_system_message() {
		let tools = vec![Tool {
			name: "look".into(),
			description: Some("Looks.".into()),
			parameters: json!({ "type": "object" }),
		}];
		let turn = |role: &str, content: &str| Turn {
			role: role.into(),
			content: content.into(),
			calls: Vec::new(),
		};
		let mut asked = turn("assistant", "");
		asked.calls.push(ToolCall {
			name: "look".into(),
			arguments: "{}".into(),
		});
		let chat = Chat {
			messages: vec![turn("user", "Hi"), asked, turn("tool", "seen")],
			tools,
		};
		let plain = chat.plain();
		let roles: Vec<&str> = plain.iter().map(|m| m.role.as_str()).collect();
		assert_eq!(roles, ["system", "user", "assistant", "user"]);
		assert!(plain[0].content.contains("\"name\":\"look\""), "{plain:?}");
		assert!(plain[2]
			.content
			.contains("{\"name\": \"look\", \"arguments\": {}}"));
		assert!(plain[3].content.contains("<tool_response>\nseen\n"));
		let mut chat = chat;
		chat.messages.insert(0, turn("system", "Be brief."));
		let plain = chat.plain();
		assert_eq!(plain.len(), 4);
		assert!(plain[0].content.starts_with("Be brief.\n\n"), "{plain:?}");
	}
}
