//! From logits to a token.

use std::{cmp::Ordering, collections::BinaryHeap};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::EngineError;

/// How a request's tokens are chosen. The default is greedy.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Sampling {
	/// Divides the logits; 0 takes the likeliest token (the lowest id among equals).
	pub temperature: f32,
	/// Keeps the likeliest tokens up to this share of the probability, `0 < top_p <= 1`; `None` keeps all.
	pub top_p: Option<f32>,
	/// Keeps this many of the likeliest tokens; `None` keeps all.
	pub top_k: Option<usize>,
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
		Ok(())
	}
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
}

impl Sampler {
	/// Starts a sequence.
	pub fn new(sampling: Sampling) -> Self {
		let seed = sampling.seed.unwrap_or_else(rand::random);
		Self {
			sampling,
			rng: ChaCha8Rng::seed_from_u64(seed),
		}
	}

	/// The next token, or `None` when no logit is a number.
	pub fn next(&mut self, logits: &[f32]) -> Option<u32> {
		let mut best: Option<(usize, f32)> = None;
		for (id, logit) in logits.iter().enumerate() {
			if logit.is_finite() && best.is_none_or(|(_, b)| *logit > b) {
				best = Some((id, *logit));
			}
		}
		let (best, peak) = best?;
		let all = self.sampling.top_k.is_none() && self.sampling.top_p.is_none_or(|p| p >= 1.0);
		if self.sampling.temperature == 0.0 || self.sampling.top_k == Some(1) {
			return Some(best as u32);
		}
		let scale = 1.0 / self.sampling.temperature;
		let candidates = logits
			.iter()
			.enumerate()
			.filter(|(_, l)| l.is_finite())
			.map(|(id, logit)| Candidate {
				weight: ((logit - peak) * scale).exp(),
				id: id as u32,
			});
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
	use super::*;

	fn counts(sampling: Sampling, logits: &[f32]) -> Vec<usize> {
		let mut sampler = Sampler::new(sampling);
		let mut counts = vec![0; logits.len()];
		for _ in 0..4000 {
			counts[sampler.next(logits).unwrap() as usize] += 1;
		}
		counts
	}

	#[test]
	fn greedy_should_take_the_lowest_id_among_equals() {
		let mut sampler = Sampler::new(Sampling::greedy());
		assert_eq!(sampler.next(&[0.0, 2.0, 2.0, 1.0]), Some(1));
		assert_eq!(sampler.next(&[f32::NAN, -3.0]), Some(1));
		assert_eq!(sampler.next(&[f32::NAN, f32::INFINITY]), None);
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
				.map(|_| sampler.next(&logits).unwrap())
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
		];
		assert!(bad
			.iter()
			.all(|s| s.check().unwrap_err().code() == "bad-sampling"));
		assert!(Sampling::greedy().check().is_ok());
	}
}
