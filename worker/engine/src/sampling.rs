//! From logits to a token.

use std::{
	cmp::{Ordering, Reverse},
	collections::{BinaryHeap, HashMap},
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{error::EngineError, grammar::Grammar};

/// Most entries of [`Sampling::logit_bias`].
const MAX_BIASES: usize = 1024;

/// Most alternatives of [`Sampling::logprobs`].
pub const MAX_LOGPROBS: usize = 20;

/// What stands for the logarithm of a probability too small to tell.
const LEAST_LOGPROB: f32 = -9999.0;

/// How a request's tokens are chosen. The default is greedy.
///
/// The model's logits are changed in this order: what the grammar forbids is taken out, `logit_bias` is added, then
/// the penalties, then `temperature`; `min_p`, `top_k` and `top_p` cut what is left.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Sampling {
	/// Divides the logits; 0 takes the likeliest token (the lowest id among equals).
	pub temperature: f32,
	/// Keeps the likeliest tokens up to this share of the probability, `0 < top_p <= 1`; `None` keeps all.
	pub top_p: Option<f32>,
	/// Keeps this many of the likeliest tokens; `None` keeps all.
	pub top_k: Option<usize>,
	/// Keeps tokens at least this probable, measured against the likeliest, `0 <= min_p <= 1`; `None` keeps all.
	pub min_p: Option<f32>,
	/// Subtracted from the logit of every token the answer has already, -2 to 2.
	pub presence_penalty: f32,
	/// Subtracted for each time the answer has the token already, -2 to 2.
	pub frequency_penalty: f32,
	/// Divides positive logits, and multiplies negative ones, of tokens that prompt or answer have already; above 0
	/// and at most 100, `None` is 1.
	pub repetition_penalty: Option<f32>,
	/// Added to the logits of these tokens, -100 to 100 each.
	pub logit_bias: Vec<(u32, f32)>,
	/// Gives [`TokenLogprobs`] with this many of the likeliest tokens, 0 to [`MAX_LOGPROBS`]; `None` gives none.
	pub logprobs: Option<usize>,
	/// Tokens before which the model may not end its answer. A grammar may still end it.
	pub min_tokens: usize,
	/// Same seed and prompt, same text. `None` takes one from the operating system.
	pub seed: Option<u64>,
}

impl Sampling {
	/// The likeliest token each time.
	pub fn greedy() -> Self {
		Self::default()
	}

	/// Checks the ranges.
	///
	/// # Errors
	/// [`EngineError::BadSampling`].
	pub fn check(&self) -> Result<(), EngineError> {
		let bad = |name, expected| Err(EngineError::BadSampling { name, expected });
		if !(0.0..=100.0).contains(&self.temperature) {
			return bad("temperature", "a number from 0 to 100");
		}
		if self.top_p.is_some_and(|p| !(p > 0.0 && p <= 1.0)) {
			return bad("top_p", "above 0 and at most 1");
		}
		if self.top_k == Some(0) {
			return bad("top_k", "at least 1");
		}
		if self.min_p.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
			return bad("min_p", "a number from 0 to 1");
		}
		if !(-2.0..=2.0).contains(&self.presence_penalty) {
			return bad("presence_penalty", "a number from -2 to 2");
		}
		if !(-2.0..=2.0).contains(&self.frequency_penalty) {
			return bad("frequency_penalty", "a number from -2 to 2");
		}
		if self
			.repetition_penalty
			.is_some_and(|p| !(p > 0.0 && p <= 100.0))
		{
			return bad("repetition_penalty", "above 0 and at most 100");
		}
		let biases = &self.logit_bias;
		if biases.len() > MAX_BIASES || biases.iter().any(|(_, b)| !(-100.0..=100.0).contains(b)) {
			let expected = "at most 1024 tokens with a number from -100 to 100 each";
			return bad("logit_bias", expected);
		}
		if self.logprobs.is_some_and(|most| most > MAX_LOGPROBS) {
			return bad("top_logprobs", "a number from 0 to 20");
		}
		Ok(())
	}

	/// The same, for the `index`-th of several answers to one prompt: the first keeps the seed, each other has one
	/// derived from it.
	pub fn nth(&self, index: usize) -> Self {
		// An odd factor gives every index its own seed.
		let shift = (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
		Self {
			seed: self.seed.map(|seed| seed.wrapping_add(shift)),
			..self.clone()
		}
	}

	fn penalises(&self) -> bool {
		self.presence_penalty != 0.0
			|| self.frequency_penalty != 0.0
			|| self.repetition_penalty.is_some_and(|p| p != 1.0)
	}
}

/// How probable a token was to the model itself: the softmax of its logits before anything changed them.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenLogprobs {
	/// Natural logarithm of the token's probability.
	pub logprob: f32,
	/// The likeliest tokens, in order, with theirs.
	pub top: Vec<(u32, f32)>,
}

/// A chosen token.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
	/// The token.
	pub id: u32,
	/// Its probability, where [`Sampling::logprobs`] asks for it.
	pub logprobs: Option<Box<TokenLogprobs>>,
}

/// A token and its probability, ordered by probability, then by lower id.
#[derive(Clone, Copy, PartialEq)]
struct Candidate {
	weight: f32,
	id: u32,
}

impl Eq for Candidate {}

impl Ord for Candidate {
	fn cmp(&self, other: &Self) -> Ordering {
		self.weight
			.total_cmp(&other.weight)
			.then(other.id.cmp(&self.id))
	}
}

impl PartialOrd for Candidate {
	fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
		Some(self.cmp(other))
	}
}

/// Chooses the tokens of one sequence.
#[derive(Clone, Debug)]
pub struct Sampler {
	sampling: Sampling,
	rng: ChaCha8Rng,
	grammar: Option<Grammar>,
	/// Tokens that end an answer.
	eos: Vec<u32>,
	/// Tokens of prompt and answer, with how often the answer has them; kept where penalties need them.
	seen: HashMap<u32, u32>,
	generated: usize,
	/// The changed logits, kept between steps.
	changed: Vec<f32>,
}

impl Sampler {
	/// Starts a sequence.
	pub fn new(sampling: Sampling) -> Self {
		Self::for_request(sampling, None, &[], &[])
	}

	/// Starts a sequence that continues `prompt`, ends with one of `eos` and keeps to `grammar`.
	pub fn for_request(
		sampling: Sampling,
		grammar: Option<Grammar>,
		prompt: &[u32],
		eos: &[u32],
	) -> Self {
		let seed = sampling.seed.unwrap_or_else(rand::random);
		let seen = match sampling.penalises() {
			true => prompt.iter().map(|id| (*id, 0)).collect(),
			false => HashMap::new(),
		};
		Self {
			sampling,
			rng: ChaCha8Rng::seed_from_u64(seed),
			grammar,
			eos: eos.to_vec(),
			seen,
			generated: 0,
			changed: Vec::new(),
		}
	}

	/// Whether the next token is the likeliest by the logits as they are, and nothing is to be said about others: then
	/// whoever computes the logits can choose it.
	pub fn takes_likeliest(&self) -> bool {
		let sampling = &self.sampling;
		(sampling.temperature == 0.0 || sampling.top_k == Some(1))
			&& self.grammar.is_none()
			&& sampling.logit_bias.is_empty()
			&& sampling.logprobs.is_none()
			&& !sampling.penalises()
			&& self.generated >= sampling.min_tokens
	}

	/// Takes note of a token that was chosen like that.
	pub fn took(&mut self, id: u32) -> Choice {
		self.generated += 1;
		Choice { id, logprobs: None }
	}

	/// The next token.
	///
	/// # Errors
	/// [`EngineError::Backend`] when no token that is allowed has a logit that is a number, and
	/// [`EngineError::GrammarTooComplex`].
	pub fn next(&mut self, logits: &[f32]) -> Result<Choice, EngineError> {
		let mut changed = std::mem::take(&mut self.changed);
		let shaped = self.shape(logits, &mut changed)?;
		let id = self.pick(if shaped { &changed } else { logits });
		self.changed = changed;
		let id = id.ok_or_else(|| EngineError::Backend("the model gave no finite logit".into()))?;
		self.generated += 1;
		if let Some(grammar) = &mut self.grammar {
			grammar.accept(id)?;
		}
		if self.sampling.penalises() {
			*self.seen.entry(id).or_default() += 1;
		}
		let logprobs = self
			.sampling
			.logprobs
			.map(|most| Box::new(logprobs(logits, id, most)));
		Ok(Choice { id, logprobs })
	}

	/// Writes what the logits become before the temperature into `changed`; `false` if they stay as they are.
	fn shape(&mut self, logits: &[f32], changed: &mut Vec<f32>) -> Result<bool, EngineError> {
		let sampling = &self.sampling;
		let goes_on = self.generated < sampling.min_tokens && self.grammar.is_none();
		let penalises = sampling.penalises();
		if self.grammar.is_none() && sampling.logit_bias.is_empty() && !penalises && !goes_on {
			return Ok(false);
		}
		changed.clear();
		match &mut self.grammar {
			None => changed.extend_from_slice(logits),
			Some(grammar) => grammar.apply(logits, changed)?,
		}
		for (id, bias) in &sampling.logit_bias {
			if let Some(logit) = changed.get_mut(*id as usize) {
				*logit += bias;
			}
		}
		if penalises {
			let repetition = sampling.repetition_penalty.unwrap_or(1.0);
			for (id, count) in &self.seen {
				let Some(logit) = changed.get_mut(*id as usize) else {
					continue;
				};
				*logit = if *logit > 0.0 {
					*logit / repetition
				} else {
					*logit * repetition
				};
				if *count > 0 {
					*logit -= sampling.presence_penalty;
					*logit -= sampling.frequency_penalty * *count as f32;
				}
			}
		}
		if goes_on {
			for id in &self.eos {
				if let Some(logit) = changed.get_mut(*id as usize) {
					*logit = f32::NEG_INFINITY;
				}
			}
		}
		Ok(true)
	}

	/// A token by temperature and cuts, or `None` when no logit is a number.
	fn pick(&mut self, logits: &[f32]) -> Option<u32> {
		let (best, peak) = likeliest(logits)?;
		let sampling = &self.sampling;
		if sampling.temperature == 0.0 || sampling.top_k == Some(1) {
			return Some(best);
		}
		let all = sampling.top_k.is_none() && sampling.top_p.is_none_or(|p| p >= 1.0);
		let scale = 1.0 / sampling.temperature;
		// The likeliest has weight 1, so `min_p` is a weight.
		let least = sampling.min_p.unwrap_or(0.0);
		let candidates = logits
			.iter()
			.enumerate()
			.filter(|(_, l)| l.is_finite())
			.map(|(id, logit)| Candidate {
				weight: ((logit - peak) * scale).exp(),
				id: id as u32,
			})
			.filter(|c| c.weight >= least);
		if all {
			let candidates: Vec<Candidate> = candidates.collect();
			return self.draw(&candidates);
		}
		// A heap gives the likeliest ones in order without sorting the whole vocabulary.
		let mut heap: BinaryHeap<Candidate> = candidates.collect();
		let k = self.sampling.top_k.unwrap_or(usize::MAX).min(heap.len());
		let mut kept = Vec::new();
		match self.sampling.top_p {
			None => {
				while kept.len() < k {
					kept.extend(heap.pop());
				}
			}
			Some(p) => {
				let whole: f64 = if k == heap.len() {
					heap.iter().map(|c| f64::from(c.weight)).sum()
				} else {
					// top-p counts within what top-k left.
					while kept.len() < k {
						kept.extend(heap.pop());
					}
					heap = kept.drain(..).collect();
					heap.iter().map(|c| f64::from(c.weight)).sum()
				};
				let mut sum = 0.0;
				while let Some(candidate) = heap.pop() {
					sum += f64::from(candidate.weight);
					kept.push(candidate);
					if sum >= f64::from(p) * whole {
						break;
					}
				}
			}
		}
		self.draw(&kept)
	}

	fn draw(&mut self, candidates: &[Candidate]) -> Option<u32> {
		let whole: f64 = candidates.iter().map(|c| f64::from(c.weight)).sum();
		let mut left = self.rng.random::<f64>() * whole;
		for candidate in candidates {
			left -= f64::from(candidate.weight);
			if left < 0.0 {
				return Some(candidate.id);
			}
		}
		// Rounding may leave a little: the last one with any probability.
		candidates
			.iter()
			.rev()
			.find(|c| c.weight > 0.0)
			.map(|c| c.id)
	}
}

/// The token with the highest logit, the lowest id among equals, and that logit.
fn likeliest(logits: &[f32]) -> Option<(u32, f32)> {
	let mut best: Option<(usize, f32)> = None;
	for (id, logit) in logits.iter().enumerate() {
		if logit.is_finite() && best.is_none_or(|(_, b)| *logit > b) {
			best = Some((id, *logit));
		}
	}
	best.map(|(id, logit)| (id as u32, logit))
}

fn logprobs(logits: &[f32], id: u32, most: usize) -> TokenLogprobs {
	let peak = likeliest(logits).map_or(0.0, |(_, peak)| peak);
	let finite = || logits.iter().enumerate().filter(|(_, l)| l.is_finite());
	let whole: f64 = finite().map(|(_, l)| f64::from((l - peak).exp())).sum();
	let log_whole = peak + whole.ln() as f32;
	let mut top: BinaryHeap<Reverse<Candidate>> = BinaryHeap::with_capacity(most + 1);
	if most > 0 {
		for (id, weight) in finite() {
			let full = top.len() == most;
			if full && top.peek().is_some_and(|least| *weight <= least.0.weight) {
				continue;
			}
			top.push(Reverse(Candidate {
				weight: *weight,
				id: id as u32,
			}));
			if full {
				top.pop();
			}
		}
	}
	let logprob = |logit: f32| (logit - log_whole).max(LEAST_LOGPROB);
	TokenLogprobs {
		logprob: logits
			.get(id as usize)
			.filter(|l| l.is_finite())
			.map_or(LEAST_LOGPROB, |l| logprob(*l)),
		top: top
			.into_sorted_vec()
			.into_iter()
			.map(|Reverse(c)| (c.id, logprob(c.weight)))
			.collect(),
	}
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
	use super::*;

	fn counts(sampling: Sampling, logits: &[f32]) -> Vec<usize> {
		let mut sampler = Sampler::new(sampling);
		let mut counts = vec![0; logits.len()];
		for _ in 0..4000 {
			counts[sampler.next(logits).unwrap().id as usize] += 1;
		}
		counts
	}

	#[test]
	fn greedy_should_take_the_lowest_id_among_equals() {
		let mut sampler = Sampler::new(Sampling::greedy());
		assert_eq!(sampler.next(&[0.0, 2.0, 2.0, 1.0]).unwrap().id, 1);
		assert_eq!(sampler.next(&[f32::NAN, -3.0]).unwrap().id, 1);
		let error = sampler.next(&[f32::NAN, f32::INFINITY]).unwrap_err();
		assert_eq!(error.code(), "backend");
	}

	#[test]
	fn temperature_should_follow_the_softmax() {
		let sampling = Sampling {
			temperature: 1.0,
			seed: Some(1),
			..Default::default()
		};
		let counts = counts(sampling, &[0.0, 3f32.ln(), f32::NEG_INFINITY]);
		assert!((2850..3150).contains(&counts[1]), "{counts:?}");
		assert_eq!(counts[2], 0);
	}

	#[test]
	fn top_p_and_top_k_should_cut_the_tail() {
		let logits = [0.1f32.ln(), 0.5f32.ln(), 0.3f32.ln(), 0.1f32.ln()];
		let base = Sampling {
			temperature: 1.0,
			seed: Some(2),
			..Default::default()
		};
		let cut = counts(
			Sampling {
				top_p: Some(0.79),
				..base.clone()
			},
			&logits,
		);
		assert!(cut[0] == 0 && cut[3] == 0 && cut[2] > 1200, "{cut:?}");
		let cut = counts(
			Sampling {
				top_k: Some(1),
				..base.clone()
			},
			&logits,
		);
		assert_eq!(cut[1], 4000);
		// Of the two that top-k leaves, the first has 0.625 of the probability.
		let cut = counts(
			Sampling {
				top_k: Some(2),
				top_p: Some(0.6),
				..base
			},
			&logits,
		);
		assert_eq!(cut[1], 4000);
	}

	#[test]
	fn a_seed_should_fix_the_choice() {
		let sampling = Sampling {
			temperature: 1.0,
			seed: Some(7),
			..Default::default()
		};
		let logits: Vec<f32> = (0..100).map(|i| (i % 7) as f32).collect();
		let draw = || {
			let mut sampler = Sampler::new(sampling.clone());
			(0..20)
				.map(|_| sampler.next(&logits).unwrap().id)
				.collect::<Vec<_>>()
		};
		assert_eq!(draw(), draw());
	}

	#[test]
	fn check_should_refuse_values_out_of_range() {
		let bad = [
			Sampling {
				temperature: -1.0,
				..Default::default()
			},
			Sampling {
				temperature: f32::NAN,
				..Default::default()
			},
			Sampling {
				top_p: Some(0.0),
				..Default::default()
			},
			Sampling {
				top_k: Some(0),
				..Default::default()
			},
			Sampling {
				min_p: Some(1.1),
				..Default::default()
			},
			Sampling {
				presence_penalty: 2.1,
				..Default::default()
			},
			Sampling {
				frequency_penalty: f32::NAN,
				..Default::default()
			},
			Sampling {
				repetition_penalty: Some(0.0),
				..Default::default()
			},
			Sampling {
				logit_bias: vec![(1, 101.0)],
				..Default::default()
			},
			Sampling {
				logprobs: Some(21),
				..Default::default()
			},
		];
		assert!(bad
			.iter()
			.all(|s| s.check().unwrap_err().code() == "bad-sampling"));
		assert!(Sampling::greedy().check().is_ok());
	}

	#[test]
	fn min_p_should_cut_what_is_improbable_beside_the_likeliest() {
		let logits = [0.5f32.ln(), 0.3f32.ln(), 0.19f32.ln(), 0.01f32.ln()];
		let sampling = Sampling {
			temperature: 1.0,
			min_p: Some(0.4),
			seed: Some(3),
			..Default::default()
		};
		let counts = counts(sampling, &logits);
		assert!(counts[1] > 1200, "0.3 is 0.6 of 0.5: {counts:?}");
		assert_eq!((counts[2], counts[3]), (0, 0), "{counts:?}");
	}

	#[test]
	fn penalties_should_weigh_on_what_was_said() {
		let logits = [2.0, 1.9, -1.0];
		let next = |sampling: Sampling, prompt: &[u32], steps: usize| {
			let mut sampler = Sampler::for_request(sampling, None, prompt, &[]);
			(0..steps)
				.map(|_| sampler.next(&logits).unwrap().id)
				.collect::<Vec<_>>()
		};
		let presence = Sampling {
			presence_penalty: 0.5,
			..Default::default()
		};
		// Both are said once, and then the first is ahead again however often it is said.
		assert_eq!(next(presence.clone(), &[], 4), [0, 1, 0, 0]);
		assert_eq!(next(presence, &[0], 1), [0], "the prompt does not count");
		let frequency = Sampling {
			frequency_penalty: 0.5,
			..Default::default()
		};
		assert_eq!(next(frequency, &[], 4), [0, 1, 0, 1]);
		let repetition = Sampling {
			repetition_penalty: Some(2.0),
			..Default::default()
		};
		assert_eq!(next(repetition, &[0], 2), [1, 0], "the prompt counts");
	}

	#[test]
	fn logit_bias_should_ban_and_force() {
		let next = |logit_bias| {
			let sampling = Sampling {
				logit_bias,
				..Default::default()
			};
			let mut sampler = Sampler::new(sampling);
			sampler.next(&[3.0, 2.0, 1.0]).unwrap().id
		};
		assert_eq!(next(vec![(0, -100.0)]), 1);
		assert_eq!(next(vec![(2, 100.0), (7, 100.0)]), 2);
	}

	#[test]
	fn an_answer_should_not_end_before_its_least_length() {
		let sampling = Sampling {
			min_tokens: 2,
			..Default::default()
		};
		let mut sampler = Sampler::for_request(sampling, None, &[], &[0]);
		let ids: Vec<u32> = (0..3)
			.map(|_| sampler.next(&[5.0, 1.0]).unwrap().id)
			.collect();
		assert_eq!(ids, [1, 1, 0]);
	}

	#[test]
	fn logprobs_should_be_the_models_own() {
		let sampling = Sampling {
			logprobs: Some(2),
			logit_bias: vec![(1, 100.0)],
			..Default::default()
		};
		let mut sampler = Sampler::new(sampling);
		let logits = [0.6f32.ln(), 0.3f32.ln(), 0.1f32.ln(), f32::NEG_INFINITY];
		let choice = sampler.next(&logits).unwrap();
		assert_eq!(choice.id, 1, "the bias chose it");
		let told = choice.logprobs.unwrap();
		assert!((told.logprob - 0.3f32.ln()).abs() < 1e-5, "{told:?}");
		let top: Vec<u32> = told.top.iter().map(|(id, _)| *id).collect();
		assert_eq!(top, [0, 1]);
		assert!((told.top[0].1 - 0.6f32.ln()).abs() < 1e-5, "{told:?}");
	}

	#[test]
	fn each_of_several_answers_should_have_its_own_seed() {
		let sampling = Sampling {
			seed: Some(7),
			..Default::default()
		};
		assert_eq!(sampling.nth(0).seed, Some(7));
		let seeds: std::collections::HashSet<_> = (0..64).map(|i| sampling.nth(i).seed).collect();
		assert_eq!(seeds.len(), 64);
		assert_eq!(Sampling::default().nth(3).seed, None);
	}
}
