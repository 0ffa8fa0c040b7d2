//! What an attribution promises: the same bytes everywhere, evidence that can be checked, and no
//! gain from copying.
#![allow(clippy::unwrap_used)]

use openledger_attribution::{
	data_weights, Algorithm, ClaimError, Contribution, Index, IndexError, Records, Snapshot, Token,
};
use openledger_primitives::{fees::Terms, Attribution, Hash};
use proptest::prelude::*;

/// Words with the white space before them; the id is a hash of the word. Long words are cut after
/// three bytes, which puts token borders inside characters as byte-level tokenizers do.
fn tokenize(text: &str) -> Vec<Token> {
	let mut tokens = Vec::new();
	let mut start = 0;
	for word in text.split_inclusive(' ') {
		for chunk in word.as_bytes().chunks(3) {
			let id = chunk
				.iter()
				.fold(7u32, |id, byte| (id * 31 + u32::from(*byte)) % 50_000);
			tokens.push((id, (start, start + chunk.len())));
			start += chunk.len();
		}
	}
	tokens
}

fn snapshot(datanet: u32, contributions: &[(&str, &[&str])]) -> Snapshot {
	Snapshot {
		datanet,
		version: 1,
		licence: "CC0-1.0".into(),
		contributions: contributions
			.iter()
			.zip(0..)
			.map(|((contributor, texts), id)| Contribution {
				id,
				contributor: contributor.to_string(),
				payout: contributor.to_string(),
				records: Records::new(texts.iter().map(|text| text.to_string()))
					.unwrap()
					.records,
			})
			.collect(),
	}
}

const SOUP: &str = "simmer the leeks in butter until soft then add the stock and cook for an hour";
const CAKE: &str = "fold the beaten whites into the batter and bake it on the lowest shelf at once";
const JUNK: &str = "zq xv kk zq xv kk zq xv kk zq xv kk zq xv kk zq xv kk zq xv kk zq xv kk zq xv";

fn kitchen() -> Index {
	let snapshot = snapshot(5, &[("ann", &[SOUP]), ("bob", &[CAKE]), ("eve", &[JUNK])]);
	Index::build(&[snapshot], &tokenize).unwrap()
}

fn span_sa(index: &Index, prompt: &str, answer: &str) -> Attribution {
	index.attribute(Algorithm::SpanSa1, prompt, answer, &tokenize)
}

fn shares(attribution: &Attribution) -> Vec<(u32, u64)> {
	attribution
		.scores
		.iter()
		.map(|score| (score.contribution, score.weight))
		.collect()
}

fn assert_exact(index: &Index, attribution: &Attribution, answer: &str) {
	for span in &attribution.spans {
		let record = index.record(span).unwrap().as_bytes();
		let at = span.record_offset as usize;
		let in_record = &record[at..at + span.length as usize];
		let at = span.answer_offset as usize;
		assert_eq!(in_record, &answer.as_bytes()[at..at + span.length as usize]);
		assert!(span.length > 0);
	}
}

#[test]
fn answer_should_be_attributed_to_those_it_quotes_and_never_to_junk() {
	let index = kitchen();
	let answer = format!("First, {SOUP}. Or else {CAKE}");
	let found = span_sa(&index, "how do I cook?", &answer);
	assert_exact(&index, &found, &answer);
	let named: Vec<u32> = found
		.scores
		.iter()
		.map(|score| score.contribution)
		.collect();
	assert_eq!(named, [0, 1]);
	let quoted: u32 = found.spans.iter().map(|span| span.length).sum();
	assert!(
		quoted as usize > (SOUP.len() + CAKE.len()) * 9 / 10,
		"{quoted}"
	);
	assert_eq!(span_sa(&index, "", "an answer of its own words").spans, []);
	assert_eq!(span_sa(&index, "", "").spans, []);
}

#[test]
fn what_the_prompt_said_should_earn_nothing() {
	let index = kitchen();
	assert_eq!(span_sa(&index, &format!("repeat: {SOUP}"), SOUP).spans, []);
	let half = &SOUP[..SOUP.len() / 2];
	let found = span_sa(&index, half, SOUP);
	assert_exact(&index, &found, SOUP);
	assert!(found
		.spans
		.iter()
		.all(|span| span.answer_offset as usize + 8 > half.len()));
	assert!(!found.spans.is_empty());
}

/// Letters with the space before them, every other character by itself: as tokenizers split codes.
fn tokenize_codes(text: &str) -> Vec<Token> {
	let mut tokens: Vec<Token> = Vec::new();
	let mut start = 0;
	for (at, character) in text.char_indices() {
		let end = at + character.len_utf8();
		let goes_on = text[end..].starts_with(|next: char| next.is_ascii_alphabetic())
			&& (character == ' ' || character.is_ascii_alphabetic());
		if !goes_on {
			let id = text[start..end].bytes().fold(7u32, |id, byte| {
				(id.wrapping_mul(31).wrapping_add(byte.into())) % 50_000
			});
			tokens.push((id, (start, end)));
			start = end;
		}
	}
	tokens
}

#[test]
fn code_from_the_prompt_should_earn_nothing_though_it_has_other_tokens_there() {
	let codes = "Chronic candidiasis of the vulva is coded as B37.32 in the table";
	let snapshot = snapshot(1, &[("ann", &[codes]), ("bob", &[CAKE]), ("eve", &[JUNK])]);
	let index = Index::build(&[snapshot], &tokenize_codes).unwrap();
	let answer = "Well, B37.32 means nothing to me.";
	let attribute =
		|prompt: &str| index.attribute(Algorithm::SpanSa1, prompt, answer, &tokenize_codes);
	let alone = attribute("Tell me a code.");
	assert_exact(&index, &alone, answer);
	assert_eq!(alone.spans.len(), 1, "{alone:?}");
	let ids =
		|text: &str| -> Vec<u32> { tokenize_codes(text).into_iter().map(|(id, _)| id).collect() };
	for prompt in ["What is (B37.32)?", "B37.32", "code:B37.32\n"] {
		let same_tokens = ids(prompt)
			.windows(6)
			.any(|window| ids(" B37.32").starts_with(window));
		assert!(!same_tokens, "the case is about other tokens");
		assert_eq!(attribute(prompt).spans, [], "{prompt}");
	}
	assert_eq!(
		attribute("What is (B37.31)?"),
		alone,
		"another code is no echo"
	);
}

#[test]
fn contributions_without_a_single_token_should_count_the_same() {
	let records = snapshot(
		1,
		&[("ann", &[SOUP, CAKE]), ("bob", &[SOUP]), ("eve", &[JUNK])],
	);
	let silent = |_: &str| Vec::new();
	let index = Index::build(&[records], &silent).unwrap();
	let weights: Vec<(u32, u64)> = index
		.equal()
		.iter()
		.map(|score| (score.contribution, score.weight))
		.collect();
	assert_eq!(weights, [(0, 1), (1, 1), (2, 1)]);
	let nobody = Attribution {
		algorithm: 1,
		..Attribution::default()
	};
	let shares = data_weights(&nobody, &index.equal(), &Terms::default()).unwrap();
	assert_eq!(shares.len(), 3);
}

#[test]
fn run_that_too_many_contributors_have_should_earn_nothing() {
	let other = format!("{SOUP} indeed");
	// The last word is left out, since the space after it makes another token of it.
	let common = &SOUP[..SOUP.len() - "hour".len()];
	let two = snapshot(1, &[("ann", &[SOUP]), ("bob", &[&other])]);
	let index = Index::build(&[two], &tokenize).unwrap();
	assert_eq!(span_sa(&index, "", common).spans, []);
	let three = snapshot(1, &[("ann", &[SOUP]), ("bob", &[&other]), ("eve", &[JUNK])]);
	let index = Index::build(&[three], &tokenize).unwrap();
	let found = shares(&span_sa(&index, "", common));
	assert_eq!(found.len(), 2);
	assert!(found[0].1.abs_diff(found[1].1) <= 1, "{found:?}");
}

#[test]
fn weight_should_not_grow_with_the_number_of_occurrences() {
	let again = format!("{SOUP} {SOUP} {SOUP}");
	let once = snapshot(1, &[("ann", &[SOUP]), ("bob", &[CAKE]), ("eve", &[JUNK])]);
	let thrice = snapshot(
		1,
		&[("ann", &[SOUP, &again]), ("bob", &[CAKE]), ("eve", &[JUNK])],
	);
	let answer = format!("{SOUP}! {CAKE}");
	let [once, thrice] = [once, thrice].map(|snapshot| {
		let index = Index::build(&[snapshot], &tokenize).unwrap();
		shares(&span_sa(&index, "", &answer))
	});
	assert_eq!(once, thrice);
}

#[test]
fn sole_contributor_should_still_be_paid_for_its_spans() {
	let index = Index::build(&[snapshot(1, &[("ann", &[SOUP])])], &tokenize).unwrap();
	assert_eq!(shares(&span_sa(&index, "", SOUP)).len(), 1);
}

#[test]
fn several_contributions_of_one_contributor_should_count_as_one_holder() {
	let other = format!("{SOUP} indeed");
	let split = snapshot(1, &[("ann", &[SOUP]), ("ann", &[&other]), ("bob", &[CAKE])]);
	let index = Index::build(&[split], &tokenize).unwrap();
	let answer = format!("{SOUP}, {CAKE}");
	let found = span_sa(&index, "", &answer);
	assert_eq!(found.scores.len(), 2, "{found:?}");
}

#[test]
fn run_that_begins_inside_a_character_should_be_trimmed_to_equal_bytes() {
	// The tokens of "é" and "è" share their first byte only, so runs end inside a character.
	let record = "aa é bb cc dd ee ff gg hh è ii";
	let answer = "zz è bb cc dd ee ff gg hh é jj";
	let snapshot = snapshot(1, &[("ann", &[record]), ("bob", &[CAKE])]);
	let bytes = |text: &str| -> Vec<Token> {
		let whole = |at: usize| {
			let start = (0..=at)
				.rev()
				.find(|at| text.is_char_boundary(*at))
				.unwrap();
			let end = (at + 1..=text.len())
				.find(|at| text.is_char_boundary(*at))
				.unwrap();
			(start, end)
		};
		text.bytes()
			.enumerate()
			.map(|(at, byte)| (byte.into(), whole(at)))
			.collect()
	};
	let index = Index::build(&[snapshot], &bytes).unwrap();
	let found = index.attribute(Algorithm::SpanSa1, "", answer, &bytes);
	assert_exact(&index, &found, answer);
	assert_eq!(found.spans.len(), 1);
	assert_eq!(
		found.spans[0].length as usize,
		" bb cc dd ee ff gg hh ".len()
	);
}

#[test]
fn copied_record_should_earn_only_for_the_earlier_contribution() {
	let copied = snapshot(1, &[("ann", &[SOUP]), ("bob", &[CAKE]), ("eve", &[SOUP])]);
	let index = Index::build(&[copied], &tokenize).unwrap();
	let equal: Vec<u32> = index
		.equal()
		.iter()
		.map(|score| score.contribution)
		.collect();
	assert_eq!(equal, [0, 1]);
	assert_eq!(shares(&span_sa(&index, "", SOUP)).len(), 1);
}

#[test]
fn weights_of_an_answer_should_sum_to_the_whole() {
	let index = kitchen();
	let answer = format!("{SOUP} and {CAKE}");
	let found = span_sa(&index, "", &answer);
	let weights = data_weights(&found, &index.equal(), &Terms::default()).unwrap();
	let total: u128 = weights.iter().map(|(_, _, weight)| weight).sum();
	assert_eq!(total, openledger_attribution::weights::WHOLE);
	assert_eq!(weights.len(), 3);
	assert!(weights[0].2 > weights[2].2 && weights[1].2 > weights[2].2);
}

#[test]
fn index_should_know_the_snapshots_it_was_built_from() {
	let kitchen = snapshot(5, &[("ann", &[SOUP]), ("bob", &[CAKE])]);
	let other = snapshot(2, &[("eve", &[JUNK])]);
	let index = Index::build(&[kitchen.clone(), other.clone()], &tokenize).unwrap();
	let read = Index::decode(&index.encode()).unwrap();
	assert_eq!(read.encode(), index.encode());
	read.verify_against(5, 1, &kitchen.commitment().unwrap())
		.unwrap();
	read.verify_against(2, 1, &other.commitment().unwrap())
		.unwrap();
	let wrong = read.verify_against(2, 1, &kitchen.commitment().unwrap());
	assert!(matches!(wrong, Err(IndexError::WrongRoot { datanet: 2 })));
	let missing = read.verify_against(2, 9, &other.commitment().unwrap());
	assert!(matches!(missing, Err(IndexError::NoSuchSnapshot { .. })));
	let twice = Index::build(&[other.clone(), other], &tokenize);
	assert!(matches!(twice, Err(IndexError::BadOrder)));
	assert!(matches!(
		Index::build(&[], &tokenize),
		Err(IndexError::Empty)
	));
}

#[test]
fn bad_files_and_bad_tokenizers_should_give_their_own_error() {
	let bytes = kitchen().encode();
	for end in 0..bytes.len() {
		let error = Index::decode(&bytes[..end]).unwrap_err();
		assert!(
			matches!(error, IndexError::Truncated { .. }),
			"{end}: {error}"
		);
	}
	let longer = [&bytes[..], &[0]].concat();
	assert!(matches!(
		Index::decode(&longer),
		Err(IndexError::TrailingBytes(1))
	));
	assert!(matches!(
		Index::decode(b"GGUF"),
		Err(IndexError::NotAnIndex)
	));
	let mut newer = bytes.clone();
	newer[7] = 2;
	assert!(matches!(
		Index::decode(&newer),
		Err(IndexError::UnknownVersion(2))
	));
	let past_the_end = |text: &str| vec![(1, (0, text.len() + 1))];
	let snapshot = snapshot(1, &[("ann", &[SOUP])]);
	let error = Index::build(&[snapshot], &past_the_end).unwrap_err();
	assert!(matches!(
		error,
		IndexError::BadToken {
			contribution: 0,
			record: 0
		}
	));
	assert!(matches!(
		Algorithm::from_id(77),
		Err(IndexError::UnknownAlgorithm(77))
	));
}

#[test]
fn claim_should_hold_and_fail_for_each_forged_part() {
	let snapshot = snapshot(
		5,
		&[
			("ann", &[CAKE, SOUP, JUNK]),
			("bob", &["x", "y"]),
			("eve", &["z"]),
		],
	);
	let root = snapshot.commitment().unwrap();
	let index = Index::build(&[snapshot], &tokenize).unwrap();
	let answer = format!("First {SOUP}");
	let found = span_sa(&index, "", &answer);
	let honest = index.claim(&found.spans[0]).unwrap();
	honest.verify(&root, answer.as_bytes()).unwrap();

	let forged = |change: &dyn Fn(&mut openledger_attribution::SpanClaim)| {
		let mut claim = honest.clone();
		change(&mut claim);
		claim.verify(&root, answer.as_bytes()).unwrap_err()
	};
	use ClaimError::*;
	assert!(matches!(forged(&|c| c.record.push(b'!')), WrongRecord));
	assert!(matches!(forged(&|c| c.record.clear()), RecordLength(0)));
	assert!(matches!(
		forged(&|c| c.span.record = Hash::zero()),
		WrongRecord
	));
	assert!(matches!(
		forged(&|c| c.span.contribution = 1),
		WrongContribution
	));
	assert!(matches!(
		forged(&|c| c.span.record_index = 0),
		NotInContribution(_)
	));
	assert!(matches!(
		forged(&|c| c.record_proof[0].sum += 1),
		NotInContribution(_)
	));
	assert!(matches!(
		forged(&|c| c.record_proof.truncate(1)),
		NotInContribution(_)
	));
	let root_of_another = forged(&|c| c.contribution.records.root = Hash::zero());
	assert!(matches!(root_of_another, NotInContribution(_)));
	let other_contribution = forged(&|c| {
		c.contribution.contribution = 1;
		c.span.contribution = 1;
	});
	assert!(matches!(other_contribution, ContributionNotInSnapshot(_)));
	assert!(matches!(
		forged(&|c| c.contribution_index = 2),
		ContributionNotInSnapshot(_)
	));
	let proof = forged(&|c| c.contribution_proof[0].hash = Hash::zero());
	assert!(matches!(proof, ContributionNotInSnapshot(_)));
	assert!(matches!(
		forged(&|c| c.span.record_offset += 1),
		TextDiffers | OutOfRange
	));
	assert!(matches!(
		forged(&|c| c.span.answer_offset -= 1),
		TextDiffers
	));
	assert!(matches!(forged(&|c| c.span.length = u32::MAX), OutOfRange));
	assert!(matches!(forged(&|c| c.span.length = 0), OutOfRange));
	let other_answer = honest.verify(&root, b"First boil the leeks in water until done");
	assert!(matches!(other_answer, Err(OutOfRange | TextDiffers)));
	let mut span = found.spans[0];
	span.contribution = 9;
	assert!(matches!(index.claim(&span), Err(NotInSnapshot)));
}

/// Records of words from a small vocabulary, so that they share runs.
fn texts() -> impl Strategy<Value = Vec<String>> {
	let word = prop::sample::select(vec!["a ", "bc ", "def ", "ghij ", "ü ", "k\n", "mno pq "]);
	let record = prop::collection::vec(word, 1..40).prop_map(|words| words.concat());
	prop::collection::vec(record, 1..4)
}

fn built(contributions: &[Vec<String>]) -> Index {
	let named: Vec<(String, Vec<&str>)> = contributions
		.iter()
		.enumerate()
		.map(|(at, texts)| (format!("c{at}"), texts.iter().map(String::as_str).collect()))
		.collect();
	let borrowed: Vec<(&str, &[&str])> = named
		.iter()
		.map(|(name, texts)| (name.as_str(), texts.as_slice()))
		.collect();
	Index::build(&[snapshot(1, &borrowed)], &tokenize).unwrap()
}

fn total(attribution: &Attribution, of: impl Fn(u32) -> bool) -> u64 {
	attribution
		.scores
		.iter()
		.filter(|s| of(s.contribution))
		.map(|s| s.weight)
		.sum()
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(128))]

	#[test]
	fn attribution_should_be_deterministic_exact_and_cover_each_byte_once(
		contributions in prop::collection::vec(texts(), 1..6),
		answer in texts(),
	) {
		let answer = answer.concat();
		let index = built(&contributions);
		let found = span_sa(&index, "", &answer);
		let read = Index::decode(&index.encode()).unwrap();
		prop_assert_eq!(&found, &span_sa(&read, "", &answer));
		assert_exact(&index, &found, &answer);
		let scored: u64 = total(&found, |_| true);
		prop_assert_eq!(scored, found.spans.iter().map(|span| span.weight).sum::<u64>());
		// Spans that begin at different places of the answer do not overlap.
		let mut ends = std::collections::BTreeMap::new();
		for span in &found.spans {
			ends.insert(span.answer_offset, span.answer_offset + span.length);
		}
		let ranges: Vec<(u32, u32)> = ends.into_iter().collect();
		prop_assert!(ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{:?}", ranges);
	}

	#[test]
	fn no_paid_span_should_stand_in_the_prompt(
		contributions in prop::collection::vec(texts(), 1..6),
		prompt in texts(),
		answer in texts(),
	) {
		let (prompt, answer) = (prompt.concat(), answer.concat());
		let index = built(&contributions);
		let found = span_sa(&index, &prompt, &answer);
		assert_exact(&index, &found, &answer);
		for span in &found.spans {
			let start = span.answer_offset as usize;
			let text = &answer[start..start + span.length as usize];
			prop_assert!(!prompt.contains(text), "{text:?} is in {prompt:?}");
		}
	}

	#[test]
	fn exact_copy_should_not_raise_the_total_of_the_pair(
		contributions in prop::collection::vec(texts(), 1..5),
		answer in texts(),
	) {
		let answer = answer.concat();
		let before = span_sa(&built(&contributions), "", &answer);
		let mut copied = contributions.clone();
		copied.push(contributions[0].clone());
		let copy = contributions.len() as u32;
		let after = span_sa(&built(&copied), "", &answer);
		let pair = |id: u32| id == 0 || id == copy;
		prop_assert_eq!(total(&before, pair), total(&after, pair));
		prop_assert_eq!(total(&after, |id| id == copy), 0);
	}

	#[test]
	fn damaged_index_should_never_panic(
		at in any::<prop::sample::Index>(),
		byte in any::<u8>(),
		cut in any::<prop::sample::Index>(),
	) {
		let mut bytes = kitchen().encode();
		let at = at.index(bytes.len());
		bytes[at] ^= byte;
		if let Ok(index) = Index::decode(&bytes) {
			span_sa(&index, "", SOUP);
		}
		let _ = Index::decode(&bytes[..cut.index(bytes.len())]);
	}

	#[test]
	fn weights_should_sum_to_the_whole_for_any_scores(
		scores in prop::collection::vec((0u32..5, 0u64..u64::MAX), 0..8),
		equal in prop::collection::vec((0u32..5, 1u64..1_000_000), 1..8),
		attributed in 0u32..=1_000_000,
		cap in 0u32..=1_000_000,
	) {
		let score = |(contribution, weight)| openledger_primitives::Score {
			datanet: 1,
			contribution,
			weight,
		};
		let attribution = Attribution {
			algorithm: 1,
			scores: scores.into_iter().map(score).collect(),
			spans: vec![],
		};
		let equal: Vec<_> = equal.into_iter().map(score).collect();
		let terms = Terms { attributed, cap, ..Terms::default() };
		let weights = data_weights(&attribution, &equal, &terms).unwrap();
		let total: u128 = weights.iter().map(|(_, _, weight)| weight).sum();
		prop_assert_eq!(total, openledger_attribution::weights::WHOLE);
	}
}
