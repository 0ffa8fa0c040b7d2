//! Speed of the matrix product over the shapes of SmolLM2-135M, per level and number of rows, on one thread and in
//! time on the processor (so that a busy machine disturbs it less):
//! `cargo run --release --example gemm -p openledger-kernels`.

use openledger_kernels::{gemm_serial, Level};

/// Seconds this thread has spent on a processor.
fn spent() -> f64 {
	let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
	let nanoseconds = stat
		.split_whitespace()
		.next()
		.and_then(|n| n.parse::<f64>().ok());
	nanoseconds.unwrap_or(f64::NAN) / 1e9
}

fn main() {
	let (n, k) = (3072, 576);
	// As many matrices as a model has layers, so that they come from memory and not from a cache.
	let weights: Vec<Vec<f32>> = (0..30)
		.map(|i| vec![0.01 + i as f32 * 1e-4; n * k])
		.collect();
	println!("level     rows   GB/s of weights   GFLOP/s   ({n} x {k}, f32, one thread)");
	for level in Level::available() {
		for m in [1, 2, 4, 8, 16, 64] {
			let x = vec![0.5f32; m * k];
			let mut y = vec![0f32; m * n];
			let mut best = f64::MAX;
			for _ in 0..5 {
				let begin = spent();
				for w in &weights {
					gemm_serial(level, &mut y, &x, w, m, n, k);
				}
				best = best.min(spent() - begin);
			}
			let weights = (weights.len() * n * k) as f64;
			println!(
				"{:<9} {m:>4} {:>17.1} {:>9.1}",
				level.name(),
				weights * 4.0 / best / 1e9,
				weights * 2.0 * m as f64 / best / 1e9
			);
		}
	}
}
