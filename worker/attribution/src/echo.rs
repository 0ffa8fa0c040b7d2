//! What an answer only repeats: the prompt's text, searchable.
//!
//! A suffix automaton over the bytes: built in time linear in the prompt, and one pass over the
//! answer tells, for each place, how much of what was just read stands in the prompt.

use std::ops::Range;

/// Fewest bytes of a text for white space around it to be left out: a token has one at least.
const LEAST: usize = crate::span::MIN_TOKENS;

/// No state.
const NONE: u32 = u32::MAX;

#[derive(Clone, Debug)]
struct State {
	/// Length of the longest text that leads here.
	length: u32,
	/// The state of the longest suffix that leads elsewhere.
	link: u32,
	/// By the next byte, ascending.
	next: Vec<(u8, u32)>,
}

impl State {
	fn next(&self, byte: u8) -> Option<u32> {
		let at = self.next.binary_search_by_key(&byte, |(b, _)| *b).ok()?;
		Some(self.next[at].1)
	}

	fn set(&mut self, byte: u8, to: u32) {
		match self.next.binary_search_by_key(&byte, |(b, _)| *b) {
			Ok(at) => self.next[at].1 = to,
			Err(at) => self.next.insert(at, (byte, to)),
		}
	}
}

/// Every text that stands in a prompt.
struct Automaton {
	states: Vec<State>,
	last: u32,
}

impl Automaton {
	fn of(text: &[u8]) -> Self {
		let root = State {
			length: 0,
			link: NONE,
			next: Vec::new(),
		};
		let mut automaton = Self {
			states: vec![root],
			last: 0,
		};
		for byte in text {
			automaton.push(*byte);
		}
		automaton
	}

	fn state(&self, at: u32) -> &State {
		&self.states[at as usize]
	}

	fn add(&mut self, state: State) -> u32 {
		// Two states a byte at most, and a prompt is far below 2^31 bytes.
		let at = self.states.len() as u32;
		self.states.push(state);
		at
	}

	fn push(&mut self, byte: u8) {
		let new = self.add(State {
			length: self.state(self.last).length + 1,
			link: 0,
			next: Vec::new(),
		});
		let mut at = self.last;
		self.last = new;
		while at != NONE && self.state(at).next(byte).is_none() {
			self.states[at as usize].set(byte, new);
			at = self.state(at).link;
		}
		let Some(known) = (at != NONE).then(|| self.state(at).next(byte)).flatten() else {
			return;
		};
		if self.state(known).length == self.state(at).length + 1 {
			self.states[new as usize].link = known;
			return;
		}
		let copy = State {
			length: self.state(at).length + 1,
			..self.state(known).clone()
		};
		let copy = self.add(copy);
		while at != NONE && self.state(at).next(byte) == Some(known) {
			self.states[at as usize].set(byte, copy);
			at = self.state(at).link;
		}
		self.states[known as usize].link = copy;
		self.states[new as usize].link = copy;
	}

	/// For each byte of `text`, how many bytes up to it, itself included, stand in the prompt together.
	fn reach(&self, text: &[u8]) -> Vec<u32> {
		let (mut at, mut length) = (0u32, 0u32);
		text.iter()
			.map(|byte| {
				loop {
					if let Some(next) = self.state(at).next(*byte) {
						at = next;
						length += 1;
						break;
					}
					let link = self.state(at).link;
					if link == NONE {
						length = 0;
						break;
					}
					at = link;
					length = self.state(at).length;
				}
				length
			})
			.collect()
	}
}

/// An answer against its prompt.
pub(crate) struct Echo<'a> {
	answer: &'a [u8],
	reach: Vec<u32>,
}

impl<'a> Echo<'a> {
	/// Time and memory grow with the lengths of both texts, not with their product.
	pub(crate) fn new(prompt: &str, answer: &'a str) -> Self {
		Self {
			answer: answer.as_bytes(),
			reach: Automaton::of(prompt.as_bytes()).reach(answer.as_bytes()),
		}
	}

	/// Whether these bytes of the answer stand in the prompt, white space around them left out. Where that
	/// leaves fewer than [`LEAST`] bytes, the white space counts too: a short word stands in most prompts.
	pub(crate) fn has(&self, range: Range<usize>) -> bool {
		let Some(text) = self.answer.get(range.clone()) else {
			return false;
		};
		let before = text.len() - text.trim_ascii_start().len();
		let length = text.trim_ascii().len();
		let (start, end) = if length < LEAST {
			(range.start, range.end)
		} else {
			(range.start + before, range.start + before + length)
		};
		end > start && self.reach[end - 1] as usize >= end - start
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	#[test]
	fn white_space_around_a_text_should_not_hide_it() {
		let echo = Echo::new("the code (B37.32) is", "code: B37.32\nB37.33");
		assert!(echo.has(5..13), "the text without its white space is there");
		assert!(!echo.has(13..19));
		assert!(!echo.has(0..5));
		assert!(
			!echo.has(12..13),
			"white space by itself has to stand there too"
		);
		let short = Echo::new("is it?", " \n  \n is ");
		assert!(
			!short.has(0..9),
			"a short word among white space is no echo"
		);
		assert!(!echo.has(3..99));
		assert!(!Echo::new("", "x").has(0..1));
	}

	#[test]
	fn a_long_monotonous_prompt_should_take_linear_time() {
		let prompt = "a".repeat(1 << 20);
		let answer = "a".repeat(1 << 16) + "b";
		let echo = Echo::new(&prompt, &answer);
		assert!(echo.has(0..1 << 16));
		assert!(!echo.has(0..(1 << 16) + 1));
	}

	proptest! {
		#[test]
		fn search_should_agree_with_a_scan(
			prompt in "[ab ]{0,40}",
			answer in "[abc ]{1,30}",
			from in any::<prop::sample::Index>(),
			to in any::<prop::sample::Index>(),
		) {
			let (from, to) = (from.index(answer.len()), to.index(answer.len()) + 1);
			prop_assume!(from < to);
			let echo = Echo::new(&prompt, &answer);
			let text = &answer[from..to];
			let trimmed = text.trim_ascii();
			let text = if trimmed.len() < LEAST { text } else { trimmed };
			prop_assert_eq!(echo.has(from..to), prompt.contains(text));
		}
	}
}
