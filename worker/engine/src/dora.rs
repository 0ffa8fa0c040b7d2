//! DoRA at serving time: `y = m / ‖W + s·BA‖ · (Wx + s·BAx)`, row by row of `W`.
//!
//! The lengths need the base weights once, when an adapter is loaded. With `g = m / ‖W + s·BA‖` a row's output is
//! `Wx + (g − 1)·Wx + g·s·BAx`: the stretch goes into `B`, and what remains is a vector `g − 1` per site (see
//! [`crate::adapter::SliceWeights::gain`]).
//!
//! Cost of a load: `n·k·(r + 1)` multiply-adds per module, from `‖w + s·bA‖² = ‖w‖² + 2s·b·(A w) + s²·b (A Aᵀ) b`.

use openledger_kernels::{gemm_serial, Level};

/// The weights of a base model, row by row.
pub trait BaseRows: Send + Sync {
	/// Copies row `row` of a module's weight (`q_proj`, …, `lm_head`, `embed_tokens`) into `out`, which has the
	/// module's input width. The layer does not count for the last two.
	fn row(&self, layer: usize, module: &str, row: usize, out: &mut [f32]);
}

/// Turns magnitudes into gains: multiplies each column of `b` (`Bᵀ` scaled, `[rank, width]`) by its row's stretch
/// and leaves the stretch less 1 in `magnitude`.
///
/// # Errors
/// The first row whose stretch is no finite number.
pub(crate) fn stretch(
	rows: &dyn BaseRows,
	layer: usize,
	module: &str,
	a: &[f32],
	b: &mut [f32],
	rank: usize,
	magnitude: &mut [f32],
) -> Result<(), usize> {
	/// Rows of `W` that meet `A` at a time.
	const ROWS: usize = 16;
	let level = Level::best();
	let width = magnitude.len();
	let inputs = a.len() / rank;
	let mut gram = vec![0.0; rank * rank];
	gemm_serial(level, &mut gram, a, a, rank, rank, inputs);
	let mut w = vec![0.0; ROWS * inputs];
	let mut wa = vec![0.0; ROWS * rank];
	let mut column = vec![0.0; rank];
	for first in (0..width).step_by(ROWS) {
		let count = ROWS.min(width - first);
		let w = &mut w[..count * inputs];
		for (i, out) in w.chunks_exact_mut(inputs).enumerate() {
			rows.row(layer, module, first + i, out);
		}
		let wa = &mut wa[..count * rank];
		wa.fill(0.0);
		gemm_serial(level, wa, w, a, count, rank, inputs);
		for i in 0..count {
			let row = first + i;
			for (j, value) in column.iter_mut().enumerate() {
				*value = b[j * width + row];
			}
			let w = &w[i * inputs..(i + 1) * inputs];
			let mut square = length_squared(w);
			for (j, bj) in column.iter().enumerate() {
				let bj = f64::from(*bj);
				square += 2.0 * bj * f64::from(wa[i * rank + j]);
				let gram = &gram[j * rank..(j + 1) * rank];
				let inner: f64 = gram
					.iter()
					.zip(&column)
					.map(|(g, b)| f64::from(*g) * f64::from(*b))
					.sum();
				square += bj * inner;
			}
			let stretch = (f64::from(magnitude[row]) / square.sqrt()) as f32;
			if !stretch.is_finite() {
				return Err(row);
			}
			for (j, value) in column.iter().enumerate() {
				let stretched = value * stretch;
				if !stretched.is_finite() {
					return Err(row);
				}
				b[j * width + row] = stretched;
			}
			magnitude[row] = stretch - 1.0;
		}
	}
	Ok(())
}

/// In eight sums that do not wait for each other.
fn length_squared(values: &[f32]) -> f64 {
	let mut sums = [0f64; 8];
	let chunks = values.chunks_exact(8);
	let rest = chunks.remainder();
	for chunk in chunks {
		for (sum, v) in sums.iter_mut().zip(chunk) {
			*sum += f64::from(*v) * f64::from(*v);
		}
	}
	let rest = rest.iter().map(|v| f64::from(*v) * f64::from(*v));
	sums.into_iter().chain(rest).sum()
}

#[cfg(test)]
mod tests {
	use super::*;

	/// `W[row, i] = row + i / 2` of width 3.
	struct Ramp;

	impl BaseRows for Ramp {
		fn row(&self, _: usize, _: &str, row: usize, out: &mut [f32]) {
			for (i, o) in out.iter_mut().enumerate() {
				*o = row as f32 + i as f32 / 2.0;
			}
		}
	}

	#[test]
	fn stretch_should_be_magnitude_over_the_updated_rows_length() {
		let (rank, width, inputs) = (2, 19, 3);
		let a = [0.5, -1.0, 2.0, 1.5, 0.25, -0.75];
		let before: Vec<f32> = (0..rank * width).map(|i| (i as f32 * 0.37).sin()).collect();
		let mut b = before.clone();
		let magnitudes: Vec<f32> = (0..width).map(|i| 1.0 + i as f32 / 4.0).collect();
		let mut gain = magnitudes.clone();
		stretch(&Ramp, 0, "q_proj", &a, &mut b, rank, &mut gain).unwrap_or_else(|r| panic!("{r}"));
		for row in 0..width {
			let mut w = [0.0; 3];
			Ramp.row(0, "", row, &mut w);
			for j in 0..rank {
				for i in 0..inputs {
					w[i] += before[j * width + row] * a[j * inputs + i];
				}
			}
			let length = w.iter().map(|v| v * v).sum::<f32>().sqrt();
			let expected = magnitudes[row] / length;
			assert!((gain[row] + 1.0 - expected).abs() < 1e-5 * expected.abs());
			for j in 0..rank {
				let at = j * width + row;
				assert!((b[at] - before[at] * expected).abs() < 1e-5);
			}
		}
	}

	#[test]
	fn a_row_of_no_length_should_be_refused() {
		struct Zero;
		impl BaseRows for Zero {
			fn row(&self, _: usize, _: &str, _: usize, out: &mut [f32]) {
				out.fill(0.0);
			}
		}
		let mut b = [1.0, 0.0];
		let mut magnitude = [1.0, 1.0];
		let refused = stretch(&Zero, 0, "q_proj", &[1.0, 1.0], &mut b, 1, &mut magnitude);
		assert_eq!(refused, Err(1));
	}
}
