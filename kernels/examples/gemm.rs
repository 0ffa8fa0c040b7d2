//! Speed of the matrix product per format, arithmetic and number of rows, beside the speed of a plain read:
//! `cargo run --release --example gemm -p openledger-kernels [threads] [level] [format] [n] [k]`.
//!
//! With one thread, the default, times are those the thread spent on a processor, so that a busy machine disturbs them
//! less. Every format gets 30 matrices of `n` × `k` (3,072 × 768), as if they were layers: they come from memory, not from a
//! cache.

use half::{bf16, f16};
use openledger_kernels::{
	gemm, quant::to_int8, Arithmetic, Inputs, Level, Matrix, Pool, Quant, Values,
};
use std::time::Instant;

/// Seconds this thread has spent on a processor.
fn spent() -> f64 {
	let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
	let nanoseconds = stat
		.split_whitespace()
		.next()
		.and_then(|n| n.parse::<f64>().ok());
	nanoseconds.unwrap_or(f64::NAN) / 1e9
}

fn formats(len: usize) -> Vec<Values> {
	let values: Vec<f32> = (0..len)
		.map(|i| (i * 7919 % 1000) as f32 / 1000.0 - 0.5)
		.collect();
	let mut list = vec![
		Values::F16(values.iter().map(|v| f16::from_f32(*v)).collect()),
		Values::Bf16(values.iter().map(|v| bf16::from_f32(*v)).collect()),
		Values::Blocks(Quant::Q8_0, to_int8(&values)),
		Values::F32(values),
	];
	for quant in Quant::ALL.into_iter().filter(|q| *q != Quant::Q8_0) {
		let len = len / quant.block_len() * quant.block_bytes();
		// Any bytes are weights. Small ones keep the scales finite.
		let bytes = (0..len).map(|i| (i * 7919 % 61) as u8).collect();
		list.push(Values::Blocks(quant, bytes));
	}
	list
}

fn main() {
	let mut arguments = std::env::args().skip(1);
	let threads = arguments.next().and_then(|a| a.parse().ok()).unwrap_or(1);
	let level = arguments.next();
	let level = Level::available()
		.into_iter()
		.rfind(|l| level.as_ref().is_none_or(|name| l.name() == name))
		.unwrap_or(Level::best());
	let format = arguments.next().filter(|name| name != "all");
	let mut size = |otherwise| {
		arguments
			.next()
			.and_then(|a| a.parse().ok())
			.unwrap_or(otherwise)
	};
	let (n, k): (usize, usize) = (size(3072), size(768));
	let pool = Pool::new(threads).unwrap_or_else(|_| Pool::serial());
	let begin = Instant::now();
	let clock = || match threads {
		1 => spent(),
		_ => begin.elapsed().as_secs_f64(),
	};

	let plain: Vec<u64> = vec![1; 24 << 20];
	let mut read = f64::MAX;
	for _ in 0..5 {
		let begin = clock();
		let size = plain.len() / threads;
		pool.run(threads, |i| {
			let sum = plain[i * size..(i + 1) * size]
				.iter()
				.fold(0u64, |s, v| s.wrapping_add(*v));
			std::hint::black_box(sum);
		});
		read = read.min(clock() - begin);
	}
	println!(
		"{} {threads} thread(s); plain read {:.1} GB/s",
		level.name(),
		(plain.len() * 8) as f64 / read / 1e9
	);
	println!("format  inputs   rows  us/product   GB/s of weights   G multiply-adds/s");
	let chosen = |values: &Values| format.as_ref().is_none_or(|name| values.name() == name);
	for values in formats(n * k).into_iter().filter(chosen) {
		let weights: Vec<Matrix> = (0..30).map(|_| Matrix::new(&pool, &[&values], k)).collect();
		for arithmetic in [Arithmetic::Exact, Arithmetic::Rounded] {
			for m in [1, 2, 3, 4, 7, 8, 16, 32, 64] {
				let x = vec![0.5f32; m * k];
				let mut y = vec![0f32; m * n];
				let mut inputs = Inputs::default();
				let mut best = f64::MAX;
				for _ in 0..3 {
					let (begin, mut rounds, mut took) = (clock(), 0.0, 0.0);
					// The clock moves in steps of up to 4 ms.
					while took < 0.1 {
						for w in &weights {
							gemm(&pool, level, arithmetic, &mut y, &x, w, m, &mut inputs);
						}
						rounds += 1.0;
						took = clock() - begin;
					}
					best = best.min(took / rounds);
				}
				let bytes: usize = weights.iter().map(Matrix::bytes).sum();
				println!(
					"{:<7} {:<8} {m:>4} {:>10.1} {:>17.1} {:>19.1}",
					values.name(),
					format!("{arithmetic:?}").to_lowercase(),
					best / weights.len() as f64 * 1e6,
					bytes as f64 / best / 1e9,
					(weights.len() * n * k * m) as f64 / best / 1e9
				);
			}
		}
	}
}
