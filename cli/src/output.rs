//! What commands print.

use comfy_table::{presets, Table};
use openledger_primitives::{AccountId, Hash};
use serde::Serialize;
use std::io::Write;

/// A command's result, in both forms.
#[derive(Clone, Debug)]
pub struct Output {
	json: serde_json::Value,
	human: String,
}

impl Output {
	/// `value` as JSON and `human` for people.
	pub fn new(value: impl Serialize, human: impl Into<String>) -> Self {
		Self {
			// Values of ours always serialise: no maps with odd keys, no failing impls.
			json: serde_json::to_value(value).unwrap_or_default(),
			human: human.into(),
		}
	}

	/// The JSON form.
	pub fn json(&self) -> &serde_json::Value {
		&self.json
	}

	/// The form for people.
	pub fn human(&self) -> &str {
		&self.human
	}

	/// Prints one of the forms.
	pub fn print(&self, json: bool) {
		if json {
			say(&format!("{:#}\n", self.json));
		} else {
			say(&format!("{}\n", self.human.trim_end()));
		}
	}
}

/// Writes to standard output at once. A reader that has gone away, as in `… | head`, wants no more.
pub fn say(text: &str) {
	let mut out = std::io::stdout().lock();
	let _gone = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A table with a heading; numbers are best given as text.
pub fn table<R: IntoIterator<Item = String>>(
	heading: &[&str],
	rows: impl IntoIterator<Item = R>,
) -> String {
	let mut table = Table::new();
	table.load_style(presets::UTF8_FULL_CONDENSED);
	table.set_header(heading.iter().copied());
	for row in rows {
		table.add_row(row);
	}
	table.to_string()
}

/// Names and values, one per line.
pub fn fields<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
	let pairs: Vec<_> = pairs.into_iter().collect();
	let width = pairs
		.iter()
		.map(|(name, _)| name.chars().count())
		.max()
		.unwrap_or_default();
	let lines: Vec<String> = pairs
		.iter()
		.map(|(name, value)| format!("{name:width$}  {value}"))
		.collect();
	lines.join("\n")
}

/// An account short enough for a table: `5Grwva…KutQY`.
pub fn short(account: &AccountId) -> String {
	let address = account.to_string();
	match (
		address.get(..6),
		address.get(address.len().saturating_sub(5)..),
	) {
		(Some(head), Some(tail)) => format!("{head}…{tail}"),
		_ => address,
	}
}

/// A hash in full, as `sha256sum` prints it.
pub fn hash(hash: &Hash) -> String {
	hex::encode(hash)
}

/// The beginning of a hash.
pub fn short_hash(hash: &Hash) -> String {
	let mut digits = hex::encode(hash);
	digits.truncate(12);
	digits + "…"
}

/// A size in bytes for people.
pub fn bytes(bytes: u128) -> String {
	const STEP: f64 = 1024.0;
	let mut size = bytes as f64;
	for unit in ["B", "KiB", "MiB", "GiB"] {
		if size < STEP {
			return if unit == "B" {
				format!("{bytes} B")
			} else {
				format!("{size:.1} {unit}")
			};
		}
		size /= STEP;
	}
	format!("{size:.1} TiB")
}
