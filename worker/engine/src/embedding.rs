//! From the hidden states of a prompt to what it means.

use crate::error::EngineError;

/// The mean of the hidden states of `tokens` tokens, scaled to length 1.
///
/// # Errors
/// [`EngineError::Backend`] when the sum is of another number of tokens, or no direction can be told from it.
pub(crate) fn embed(
	(mut sum, summed): (Vec<f32>, usize),
	tokens: usize,
) -> Result<Vec<f32>, EngineError> {
	if summed != tokens {
		let reason = format!("{summed} hidden states came for {tokens} tokens");
		return Err(EngineError::Backend(reason));
	}
	let squares: f64 = sum.iter().map(|v| f64::from(*v) * f64::from(*v)).sum();
	let length = squares.sqrt();
	if !length.is_finite() || length == 0.0 {
		let reason = "the hidden states have no direction".to_owned();
		return Err(EngineError::Backend(reason));
	}
	// A mean and a sum have the same direction.
	sum.iter_mut()
		.for_each(|v| *v = (f64::from(*v) / length) as f32);
	Ok(sum)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
	use super::*;

	#[test]
	fn an_embedding_should_have_length_one_and_count_every_token() {
		assert_eq!(embed((vec![3.0, 4.0], 2), 2).unwrap(), [0.6, 0.8]);
		assert_eq!(embed((vec![3.0, 4.0], 1), 2).unwrap_err().code(), "backend");
		assert!(embed((vec![0.0, 0.0], 2), 2).is_err());
		assert!(embed((vec![f32::NAN, 1.0], 2), 2).is_err());
	}
}
