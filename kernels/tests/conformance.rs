//! Every kernel at every level against a slow f64 reference: odd sizes, single rows, nothing at all.

#![allow(clippy::needless_range_loop)]
#![allow(clippy::unwrap_used)]

use half::{bf16, f16};
use openledger_kernels::{Values as Weights, *};

/// Deterministic values in -1..1.
struct Values(u64);

impl Values {
	fn next(&mut self) -> f32 {
		self.0 = self
			.0
			.wrapping_mul(6364136223846793005)
			.wrapping_add(1442695040888963407);
		((self.0 >> 40) as f32 / (1u64 << 23) as f32) - 1.0
	}

	fn take(&mut self, n: usize) -> Vec<f32> {
		(0..n).map(|_| self.next()).collect()
	}
}

fn close(got: &[f32], want: &[f64], scale: f64, what: &str) {
	assert_eq!(got.len(), want.len(), "{what}");
	for (i, (g, w)) in got.iter().zip(want).enumerate() {
		assert!(
			(f64::from(*g) - w).abs() <= 2e-6 * scale,
			"{what}: [{i}] is {g}, not {w}"
		);
	}
}

/// Rows of random weights in every format, and the same weights in f64 by a reader of its own.
fn stored(values: &mut Values, format: &str, n: usize, k: usize) -> (Weights, Vec<f64>) {
	let plain = values.take(n * k);
	let wide = |v: &[f32]| v.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
	match format {
		"f32" => (Weights::F32(plain.clone()), wide(&plain)),
		"f16" => {
			let halves: Vec<f16> = plain.iter().map(|v| f16::from_f32(*v)).collect();
			let exact = halves.iter().map(|v| v.to_f64()).collect();
			(Weights::F16(halves), exact)
		}
		"bf16" => {
			let brains: Vec<bf16> = plain.iter().map(|v| bf16::from_f32(*v)).collect();
			let exact = brains.iter().map(|v| v.to_f64()).collect();
			(Weights::Bf16(brains), exact)
		}
		_ => {
			let quant = Quant::ALL.into_iter().find(|q| q.name() == format).unwrap();
			let mut bytes = Vec::new();
			let mut exact = Vec::new();
			for _ in 0..n * k / quant.block_len() {
				let mut block: Vec<u8> = (0..quant.block_bytes())
					.map(|_| (values.next() * 128.0) as i8 as u8)
					.collect();
				// Weights of about 1, whatever the width of the codes.
				let step = 1.0 / f32::from(1u16 << quant_bits(quant));
				let inner = if quant.block_len() == 256 {
					1.0 / 32.0
				} else {
					1.0
				};
				let mut set = |at: usize, v: f32| {
					block[at..at + 2].copy_from_slice(&f16::from_f32(v).to_le_bytes());
				};
				let scale = (values.next() + 1.5) * step * inner;
				match quant {
					Quant::Q6K => set(208, scale),
					_ => set(0, scale),
				}
				if matches!(quant, Quant::Q4_1 | Quant::Q5_1 | Quant::Q4K | Quant::Q5K) {
					set(2, values.next() * inner * 0.5);
				}
				exact.extend(slow_block(quant, &block));
				bytes.extend(block);
			}
			(Weights::Blocks(quant, bytes), exact)
		}
	}
}

fn quant_bits(quant: Quant) -> u32 {
	match quant {
		Quant::Q4_0 | Quant::Q4_1 | Quant::Q4K => 4,
		Quant::Q5_0 | Quant::Q5_1 | Quant::Q5K => 5,
		Quant::Q6K => 6,
		Quant::Q8_0 => 8,
	}
}

/// A block's weights, bit by bit from the description of the format.
fn slow_block(quant: Quant, block: &[u8]) -> Vec<f64> {
	let half = |at: usize| f16::from_le_bytes([block[at], block[at + 1]]).to_f64();
	let bit = |from: usize, i: usize| i32::from(block[from + i / 8] >> (i % 8) & 1);
	// Codes of four bits: the first 16 of 32 are the low halves of 16 bytes, the others the high halves.
	let nibble = |from: usize, i: usize| i32::from(block[from + i % 16] >> (i / 16 * 4) & 15);
	let long = |from: usize, i: usize| {
		i32::from(block[from + i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15)
	};
	let six = |part: usize| -> (f64, f64) {
		let q = &block[4..16];
		let (scale, minimum) = if part < 4 {
			(q[part] & 63, q[part + 4] & 63)
		} else {
			(
				(q[part + 4] & 15) | (q[part - 4] >> 6 << 4),
				(q[part + 4] >> 4) | (q[part] >> 6 << 4),
			)
		};
		(f64::from(scale), f64::from(minimum))
	};
	(0..quant.block_len())
		.map(|i| match quant {
			Quant::Q4_0 => half(0) * f64::from(nibble(2, i) - 8),
			Quant::Q4_1 => half(0) * f64::from(nibble(4, i)) + half(2),
			Quant::Q5_0 => half(0) * f64::from(nibble(6, i) + 16 * bit(2, i) - 16),
			Quant::Q5_1 => half(0) * f64::from(nibble(8, i) + 16 * bit(4, i)) + half(2),
			Quant::Q8_0 => half(0) * f64::from(block[2 + i] as i8),
			Quant::Q4K => {
				let (scale, minimum) = six(i / 32);
				half(0) * scale * f64::from(long(16, i)) - half(2) * minimum
			}
			Quant::Q5K => {
				let (scale, minimum) = six(i / 32);
				let fifth = i32::from(block[16 + i % 32] >> (i / 32) & 1);
				half(0) * scale * f64::from(long(48, i) + 16 * fifth) - half(2) * minimum
			}
			Quant::Q6K => {
				let (half_block, i2) = (i / 128, i % 128);
				let low = block[half_block * 64 + i2 % 64] >> (i2 / 64 * 4) & 15;
				let high = block[128 + half_block * 32 + i2 % 32] >> (i2 / 32 * 2) & 3;
				let scale = f64::from(block[192 + i / 16] as i8);
				half(208) * scale * f64::from(i32::from(low | high << 4) - 32)
			}
		})
		.collect()
}

const FORMATS: [&str; 11] = [
	"f32", "f16", "bf16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K",
];

fn gemm_reference(y: &[f32], x: &[f64], w: &[f64], m: usize, n: usize, k: usize) -> Vec<f64> {
	let mut out: Vec<f64> = y.iter().map(|v| f64::from(*v)).collect();
	for i in 0..m {
		for j in 0..n {
			for t in 0..k {
				out[i * n + j] += x[i * k + t] * w[j * k + t];
			}
		}
	}
	out
}

/// What rounded arithmetic makes of inputs that meet weights of this format.
fn rounded_inputs(format: &str, x: &[f32], k: usize) -> Vec<f64> {
	match format {
		"f32" | "f16" => x.iter().map(|v| f64::from(*v)).collect(),
		"bf16" => x.iter().map(|v| bf16::from_f32(*v).to_f64()).collect(),
		_ => x
			.chunks(k.max(1))
			.flat_map(|row| row.chunks(32))
			.flat_map(|block| {
				let largest = block.iter().fold(0f32, |m, v| m.max(v.abs()));
				let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
				let step = f64::from(largest / 127.0);
				block
					.iter()
					.map(move |v| f64::from((v * inverse).round_ties_even()) * step)
					.collect::<Vec<_>>()
			})
			.collect(),
	}
}

/// Shapes with odd numbers of rows and columns; formats in blocks take those whose `k` consists of whole ones.
const SHAPES: [(usize, usize, usize); 20] = [
	(0, 5, 7),
	(3, 0, 4),
	(3, 4, 0),
	(1, 1, 1),
	(1, 9, 33),
	(2, 13, 17),
	(3, 31, 48),
	(4, 8, 100),
	(5, 7, 15),
	(7, 130, 65),
	(16, 96, 129),
	(17, 250, 576),
	(67, 70, 31),
	(130, 65, 64),
	(1, 1, 32),
	(1, 47, 256),
	(2, 64, 512),
	(9, 33, 768),
	(15, 17, 96),
	(70, 19, 256),
];

fn blocks_fit(format: &str, k: usize) -> bool {
	match format {
		"f32" | "f16" | "bf16" => true,
		_ if format.ends_with("_K") => k.is_multiple_of(256),
		_ => k.is_multiple_of(32),
	}
}

#[test]
fn gemm_should_agree_with_f64_in_every_format_at_odd_sizes() {
	let mut values = Values(1);
	let pool = Pool::new(3).unwrap();
	for format in FORMATS {
		for (m, n, k) in SHAPES
			.into_iter()
			.filter(|(_, _, k)| blocks_fit(format, *k))
		{
			let (weights, exact) = stored(&mut values, format, n, k);
			let (x, y0) = (values.take(m * k), values.take(m * n));
			let plain: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
			let wants = [
				(
					Arithmetic::Exact,
					gemm_reference(&y0, &plain, &exact, m, n, k),
				),
				(
					Arithmetic::Rounded,
					gemm_reference(&y0, &rounded_inputs(format, &x, k), &exact, m, n, k),
				),
			];
			let matrix = match k {
				0 => Matrix::f32(Vec::new(), n, k),
				_ => Matrix::new(&pool, &[&weights], k),
			};
			let mut inputs = Inputs::default();
			for level in Level::available() {
				for (arithmetic, want) in &wants {
					let mut y = y0.clone();
					gemm(
						&pool,
						level,
						*arithmetic,
						&mut y,
						&x,
						&matrix,
						m,
						&mut inputs,
					);
					let what = format!("{format} {} {arithmetic:?} {m}x{n}x{k}", level.name());
					close(&y, want, (k as f64).sqrt() + 1.0, &what);
				}
			}
		}
	}
}

/// What rounding the inputs costs: the error of an output over the typical size of outputs.
#[test]
fn rounding_inputs_should_cost_less_than_one_percent() {
	let mut values = Values(21);
	let pool = Pool::serial();
	for format in FORMATS {
		let (m, n, k) = (8, 64, 768);
		let (weights, exact) = stored(&mut values, format, n, k);
		let x = values.take(m * k);
		let plain: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
		let want = gemm_reference(&vec![0.0; m * n], &plain, &exact, m, n, k);
		let matrix = Matrix::new(&pool, &[&weights], k);
		let mut y = vec![0.0; m * n];
		let level = Level::best();
		gemm(
			&pool,
			level,
			Arithmetic::Rounded,
			&mut y,
			&x,
			&matrix,
			m,
			&mut Inputs::default(),
		);
		let rms = |list: &mut dyn Iterator<Item = f64>| {
			(list.map(|v| v * v).sum::<f64>() / (m * n) as f64).sqrt()
		};
		let error = rms(&mut y.iter().zip(&want).map(|(g, w)| f64::from(*g) - w))
			/ rms(&mut want.iter().copied());
		println!("{format}: {error:.2e}");
		let bounds = match format {
			"f32" | "f16" => 0.0..=1e-6,
			_ => 1e-4..=1e-2,
		};
		assert!(bounds.contains(&error), "{format}: {error}");
	}
}

#[test]
fn gemm_should_give_a_row_the_same_bits_in_every_batch() {
	let mut values = Values(2);
	let pool = Pool::new(2).unwrap();
	let mut inputs = Inputs::default();
	for format in FORMATS {
		let (m, n) = (70, 130);
		let k = if blocks_fit(format, 583) { 583 } else { 512 };
		let (weights, _) = stored(&mut values, format, n, k);
		let (x, w) = (values.take(m * k), Matrix::new(&pool, &[&weights], k));
		for level in Level::available() {
			for arithmetic in [Arithmetic::Exact, Arithmetic::Rounded] {
				let mut all = vec![0.0; m * n];
				gemm(&pool, level, arithmetic, &mut all, &x, &w, m, &mut inputs);
				for size in [1, 2, 3, 5, 8, 33] {
					for start in (0..m - size).step_by(size) {
						let mut some = vec![0.0; size * n];
						let x = &x[start * k..(start + size) * k];
						gemm(
							&pool,
							level,
							arithmetic,
							&mut some,
							x,
							&w,
							size,
							&mut inputs,
						);
						assert_eq!(
							some,
							all[start * n..(start + size) * n],
							"{format} {} {arithmetic:?} {size}",
							level.name()
						);
					}
				}
			}
		}
	}
}

#[test]
fn gemm_serial_should_agree_with_f64_at_odd_sizes() {
	let mut values = Values(22);
	for level in Level::available() {
		for (m, n, k) in SHAPES {
			let (x, w, y0) = (values.take(m * k), values.take(n * k), values.take(m * n));
			let wide = |v: &[f32]| v.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
			let want = gemm_reference(&y0, &wide(&x), &wide(&w), m, n, k);
			let mut y = y0;
			gemm_serial(level, &mut y, &x, &w, m, n, k);
			close(&y, &want, (k as f64).sqrt() + 1.0, level.name());
		}
	}
}

#[test]
fn gemm_should_take_parts_of_different_formats() {
	let mut values = Values(3);
	let pool = Pool::new(2).unwrap();
	let (m, k) = (5, 256);
	let sizes = [("Q4_K", 40), ("Q6_K", 17), ("bf16", 3), ("f32", 16)];
	let parts: Vec<_> = sizes
		.map(|(format, n)| stored(&mut values, format, n, k))
		.into();
	let n = sizes.iter().map(|(_, n)| n).sum();
	let all: Vec<f64> = parts.iter().flat_map(|(_, exact)| exact.clone()).collect();
	let matrix = Matrix::new(&pool, &parts.iter().map(|(w, _)| w).collect::<Vec<_>>(), k);
	assert_eq!((matrix.n(), matrix.k()), (n, k));
	assert_eq!(matrix.formats(), ["Q4_K", "Q6_K", "bf16", "f32"]);
	let x = values.take(m * k);
	let plain: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
	let want = gemm_reference(&vec![0.0; m * n], &plain, &all, m, n, k);
	for level in Level::available() {
		let mut y = vec![0.0; m * n];
		let exact = Arithmetic::Exact;
		gemm(
			&pool,
			level,
			exact,
			&mut y,
			&x,
			&matrix,
			m,
			&mut Inputs::default(),
		);
		close(&y, &want, 17.0, level.name());
	}
	let mut row = vec![0.0; k];
	for at in [0, 39, 40, 56, 57, 59, 60, 75] {
		matrix.copy_row(at, &mut row);
		close(&row, &all[at * k..(at + 1) * k], 1.0, "row");
	}
}

#[test]
fn a_row_that_is_no_number_should_stay_alone() {
	let mut values = Values(4);
	let pool = Pool::serial();
	for format in FORMATS {
		let (n, k) = (20, 256);
		let (weights, _) = stored(&mut values, format, n, k);
		let matrix = Matrix::new(&pool, &[&weights], k);
		let mut x = values.take(3 * k);
		for level in Level::available() {
			for arithmetic in [Arithmetic::Exact, Arithmetic::Rounded] {
				x[k + 7] = 0.5;
				let mut clean = vec![0.0; 3 * n];
				gemm(
					&pool,
					level,
					arithmetic,
					&mut clean,
					&x,
					&matrix,
					3,
					&mut Inputs::default(),
				);
				for bad in [f32::NAN, f32::INFINITY] {
					x[k + 7] = bad;
					let mut y = vec![0.0; 3 * n];
					gemm(
						&pool,
						level,
						arithmetic,
						&mut y,
						&x,
						&matrix,
						3,
						&mut Inputs::default(),
					);
					assert_eq!(y[..n], clean[..n], "{format}");
					assert_eq!(y[2 * n..], clean[2 * n..], "{format}");
					assert!(
						y[n..2 * n].iter().all(|v| !v.is_finite()),
						"{format} {} {arithmetic:?}: {:?}",
						level.name(),
						&y[n..2 * n]
					);
				}
			}
		}
	}
}

#[test]
fn copy_row_should_return_the_stored_row_and_bytes_what_is_streamed() {
	let mut values = Values(5);
	let pool = Pool::serial();
	for format in FORMATS {
		let (n, k) = (32, 768);
		let (weights, exact) = stored(&mut values, format, n, k);
		let matrix = Matrix::new(&pool, &[&weights], k);
		let mut row = vec![0.0; k];
		let all = weights.to_f32();
		for at in [0, 1, 15, 16, 31] {
			matrix.copy_row(at, &mut row);
			assert_eq!(row, all[at * k..(at + 1) * k], "{format}");
			close(&row, &exact[at * k..(at + 1) * k], 1.0, format);
		}
		let more = matrix.bytes() as f64 / weights.bytes() as f64;
		assert!(
			(1.0..1.03).contains(&more),
			"{format} streams {more} of its bytes"
		);
	}
}

#[test]
fn int8_should_keep_every_weight_within_its_step() {
	let mut values = Values(6);
	let mut weights = values.take(64 * 32);
	weights[32..64].fill(0.0);
	weights[64] = 1e30;
	let Weights::Blocks(Quant::Q8_0, bytes) = Weights::F32(weights.clone()).to_int8(64) else {
		panic!("int8 is Q8_0");
	};
	let got = Weights::Blocks(Quant::Q8_0, bytes).to_f32();
	for (block, (w, g)) in weights.chunks(32).zip(got.chunks(32)).enumerate() {
		assert!(g.iter().all(|v| v.is_finite()));
		if block == 2 {
			continue;
		}
		let largest = w.iter().fold(0f32, |m, v| m.max(v.abs()));
		for (w, g) in w.iter().zip(g) {
			assert!(
				(w - g).abs() <= largest * (1.0 / 254.0 + 1.0 / 1024.0),
				"{w} became {g}"
			);
		}
	}
	// Rows that are no whole blocks stay as they are.
	assert_eq!(
		Weights::F32(vec![1.0; 6]).to_int8(3),
		Weights::F32(vec![1.0; 6])
	);
}

#[test]
fn pool_should_run_every_part_once_also_nested_and_after_a_panic() {
	use std::sync::atomic::{AtomicUsize, Ordering};
	for threads in [1, 2, 4] {
		let pool = Pool::new(threads).unwrap();
		assert_eq!(pool.threads(), threads);
		for parts in [0, 1, 2, 3, 7, 100] {
			for _ in 0..200 {
				let counts: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
				pool.run(parts, |i| {
					counts[i].fetch_add(1, Ordering::Relaxed);
				});
				assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1));
			}
		}
		let sum = AtomicUsize::new(0);
		pool.run(4, |i| {
			pool.run(3, |j| {
				sum.fetch_add(10 * i + j, Ordering::Relaxed);
			})
		});
		assert_eq!(sum.into_inner(), 10 * 6 * 3 + 3 * 4);
		let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
			pool.run(5, |i| assert_ne!(i, 3));
		}));
		assert!(failed.is_err());
		let after = AtomicUsize::new(0);
		pool.run(5, |_| {
			after.fetch_add(1, Ordering::Relaxed);
		});
		assert_eq!(after.into_inner(), 5);
	}
}

#[test]
fn pool_should_use_no_processor_time_when_idle() {
	let ticks = || -> u64 {
		let mut sum = 0;
		for task in std::fs::read_dir("/proc/self/task").unwrap() {
			let path = task.unwrap().path();
			let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
			if name.starts_with("kernels-") {
				let stat = std::fs::read_to_string(path.join("schedstat")).unwrap_or_default();
				let spent = stat.split_whitespace().next().unwrap_or("0");
				sum += spent.parse::<u64>().unwrap();
			}
		}
		sum
	};
	let pool = Pool::new(3).unwrap();
	pool.run(10, |_| {});
	// Pools of the other tests may be at work beside this one, so the quietest interval counts.
	let mut least = u64::MAX;
	for _ in 0..60 {
		std::thread::sleep(std::time::Duration::from_millis(50));
		let before = ticks();
		std::thread::sleep(std::time::Duration::from_millis(50));
		least = least.min(ticks().saturating_sub(before));
		if least < 1_000_000 {
			break;
		}
	}
	assert!(least < 1_000_000, "idle workers used {least} ns of 50 ms");
	pool.run(10, |_| {});
}

#[test]
fn rms_norm_should_agree_with_f64() {
	let mut values = Values(3);
	for level in Level::available() {
		for (m, k) in [(0, 4), (1, 1), (3, 17), (2, 576), (5, 100)] {
			let (x, weight) = (values.take(m * k), values.take(k));
			let mut out = vec![0.0; m * k];
			rms_norm(level, &mut out, &x, &weight, 1e-5);
			let mut want = Vec::new();
			for row in x.chunks_exact(k) {
				let mean = row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / k as f64;
				let scale = 1.0 / (mean + 1e-5).sqrt();
				want.extend(
					row.iter()
						.zip(&weight)
						.map(|(v, w)| f64::from(*v) * scale * f64::from(*w)),
				);
			}
			close(&out, &want, 1.0, level.name());
		}
	}
}

#[test]
fn rope_should_rotate_pairs_half_a_head_apart() {
	let mut values = Values(4);
	let frequencies = [1.0, 0.31, 0.007];
	let table = RopeTable::new(&frequencies, 50);
	assert_eq!(table.positions(), 50);
	for level in Level::available() {
		for position in [0, 1, 49] {
			let x = values.take(4 * 6);
			let mut got = x.clone();
			rope(level, &mut got, &table, position);
			let mut want = vec![0.0; x.len()];
			for h in 0..4 {
				for i in 0..3 {
					let angle = position as f64 * f64::from(frequencies[i]);
					let (a, b) = (f64::from(x[h * 6 + i]), f64::from(x[h * 6 + i + 3]));
					want[h * 6 + i] = a * angle.cos() - b * angle.sin();
					want[h * 6 + i + 3] = b * angle.cos() + a * angle.sin();
				}
			}
			close(&got, &want, 1.0, level.name());
		}
	}
}

#[test]
fn silu_mul_should_agree_with_f64_also_for_large_inputs() {
	let mut values = Values(5);
	for level in Level::available() {
		for (m, width) in [(0, 3), (1, 1), (2, 37), (3, 1536), (7, 1536)] {
			let mut x = values.take(2 * m * width);
			for (i, v) in x.iter_mut().enumerate() {
				if i % 7 == 0 {
					*v *= 100.0;
				}
			}
			let mut out = vec![0.0; m * width];
			silu_mul(level, &mut out, &x, width);
			let mut want = Vec::new();
			for row in x.chunks_exact(2 * width) {
				for i in 0..width {
					let (g, u) = (f64::from(row[i]), f64::from(row[width + i]));
					want.push(g / (1.0 + (-g).exp()) * u);
				}
			}
			close(&out, &want, 1e4, level.name());
			let mut shared = vec![0.0; m * width];
			silu_mul_rows(&Pool::new(2).unwrap(), level, &mut shared, &x, width);
			assert_eq!(shared, out);
		}
	}
}

#[test]
fn softmax_should_sum_to_one_and_survive_extremes() {
	for level in Level::available() {
		softmax(level, &mut []);
		let mut one = [3.0];
		softmax(level, &mut one);
		assert_eq!(one, [1.0]);
		let mut extreme = vec![-1e30; 40];
		extreme[17] = 1e30;
		softmax(level, &mut extreme);
		assert_eq!(extreme.iter().sum::<f32>(), 1.0);
		let mut row = Values(6).take(1001);
		let want: Vec<f64> = {
			let e: Vec<f64> = row.iter().map(|v| f64::from(*v).exp()).collect();
			let sum: f64 = e.iter().sum();
			e.iter().map(|v| v / sum).collect()
		};
		softmax(level, &mut row);
		close(&row, &want, 1e-3, level.name());
	}
}

/// A site whose weights are f32 or bf16.
struct Site {
	a: Vec<f32>,
	b: Vec<Vec<f32>>,
	narrow: Option<(Vec<bf16>, Vec<Vec<bf16>>)>,
	/// First rank, rank, column, width.
	places: Vec<(usize, usize, usize, usize)>,
	scale: f32,
}

impl Site {
	fn new(
		values: &mut Values,
		k: usize,
		places: Vec<(usize, usize, usize, usize)>,
		scale: f32,
		narrow: bool,
	) -> Self {
		let ranks: usize = places.iter().map(|p| p.1).sum();
		let round = |v: f32| {
			if narrow {
				bf16::from_f32(v).to_f32()
			} else {
				v
			}
		};
		let mut take = |n: usize| values.take(n).into_iter().map(round).collect::<Vec<_>>();
		let a = take(ranks * k);
		let b: Vec<_> = places.iter().map(|p| take(p.1 * p.3)).collect();
		let cut = |v: &Vec<f32>| v.iter().map(|v| bf16::from_f32(*v)).collect::<Vec<_>>();
		let narrow = narrow.then(|| (cut(&a), b.iter().map(cut).collect()));
		Self {
			a,
			b,
			narrow,
			places,
			scale,
		}
	}
}

impl LoraSite for Site {
	fn a(&self) -> LoraValues<'_> {
		match &self.narrow {
			Some((a, _)) => LoraValues::Bf16(a),
			None => LoraValues::F32(&self.a),
		}
	}
	fn slices(&self) -> usize {
		self.places.len()
	}
	fn slice(&self, index: usize) -> LoraSlice<'_> {
		let (first, rank, column, width) = self.places[index];
		LoraSlice {
			first,
			rank,
			column,
			width,
			scale: self.scale,
			b: match &self.narrow {
				Some((_, b)) => LoraValues::Bf16(&b[index]),
				None => LoraValues::F32(&self.b[index]),
			},
		}
	}
}

#[test]
fn lora_should_change_only_the_rows_of_its_segments() {
	let mut values = Values(7);
	for (m, n, k, threads) in [
		(45, 50, 37, 1),
		(45, 50, 37, 2),
		(45, 330, 137, 4),
		(3, 330, 137, 2),
	] {
		let pool = Pool::new(threads).unwrap();
		let wide = n - 41;
		let sites = [
			Site::new(
				&mut values,
				k,
				vec![(0, 1, 0, 20), (1, 3, 41, 9)],
				1.0,
				false,
			),
			Site::new(
				&mut values,
				k,
				vec![(0, 8, 0, 20), (8, 5, 41, wide)],
				0.5,
				true,
			),
			Site::new(
				&mut values,
				k,
				vec![(0, 0, 0, 20), (0, 2, 41, 9)],
				2.0,
				false,
			),
			Site::new(&mut values, k, vec![], 2.0, false),
		];
		// Rows before the first segment and after the last use no adapter; the second is longer than one chunk.
		let rows = match m {
			45 => [2..3, 3..38, 38..40, 40..41],
			_ => [0..0, 1..2, 2..2, 2..2],
		};
		let segments: Vec<LoraSegment<Site>> = rows
			.iter()
			.zip(&sites)
			.map(|(rows, site)| LoraSegment {
				rows: rows.clone(),
				site,
				factor: if rows.len() > 1 { -0.75 } else { 1.0 },
			})
			.collect();
		let (x, y0) = (values.take(m * k), values.take(m * n));
		let mut want: Vec<f64> = y0.iter().map(|v| f64::from(*v)).collect();
		for segment in &segments {
			for row in segment.rows.clone() {
				for (slice, b) in segment.site.places.iter().zip(&segment.site.b) {
					let (first, rank, column, width) = *slice;
					for j in 0..rank {
						let a = &segment.site.a[(first + j) * k..][..k];
						let t: f64 = a
							.iter()
							.zip(&x[row * k..])
							.map(|(a, x)| f64::from(*a) * f64::from(*x))
							.sum();
						for c in 0..width {
							want[row * n + column + c] += t
								* f64::from(segment.site.scale * segment.factor)
								* f64::from(b[j * width + c]);
						}
					}
				}
			}
		}
		let mut memory = LoraMemory::default();
		for level in Level::available() {
			let mut y = y0.clone();
			lora(&pool, level, &mut y, n, &x, k, &segments, &mut memory);
			close(&y, &want, 30.0, level.name());
			let (first, last) = (rows[0].start.max(usize::from(m == 3)), rows[2].end);
			assert_eq!(y[..first * n], y0[..first * n]);
			assert_eq!(y[last * n..], y0[last * n..]);
			// The same bits without the others, and cut up differently.
			for row in rows[1].clone() {
				let mut alone = y0.clone();
				let segment = LoraSegment {
					rows: row..row + 1,
					site: &sites[1],
					factor: segments[1].factor,
				};
				lora(
					&Pool::serial(),
					level,
					&mut alone,
					n,
					&x,
					k,
					&[segment],
					&mut memory,
				);
				assert_eq!(alone[row * n..(row + 1) * n], y[row * n..(row + 1) * n]);
			}
			let mut nothing = y0.clone();
			lora::<Site>(&pool, level, &mut nothing, n, &x, k, &[], &mut memory);
			assert_eq!(nothing, y0);
		}
	}
}

#[test]
#[should_panic(expected = "in order and disjoint")]
fn lora_should_refuse_segments_that_share_rows() {
	let site = Site::new(&mut Values(9), 2, vec![], 1.0, false);
	let segment = |rows| LoraSegment {
		rows,
		site: &site,
		factor: 1.0,
	};
	lora(
		&Pool::serial(),
		Level::best(),
		&mut [0.0; 8],
		2,
		&[0.0; 8],
		2,
		&[segment(0..2), segment(1..3)],
		&mut LoraMemory::default(),
	);
}

#[test]
fn attention_should_agree_with_f64_over_pages() {
	let mut values = Values(8);
	let pool = Pool::new(2).unwrap();
	let shapes = [(1, 1, 2), (6, 2, 10), (9, 3, 64), (4, 4, 48), (14, 2, 64)];
	let pages = [4, 32, 40];
	for ((heads, kv_heads, dim), page_tokens) in
		shapes.into_iter().flat_map(|s| pages.map(|p| (s, p)))
	{
		let layout = KvLayout {
			layers: 2,
			kv_heads,
			head_dim: dim,
			page_tokens,
		};
		let lengths = [1usize, 4, 5, 11, 75];
		let layer = 1;
		let mut sequences = Vec::new();
		for len in lengths {
			let mut pages: Vec<KvPage> = (0..len.div_ceil(page_tokens))
				.map(|_| vec![f32::NAN; layout.page_len()].into())
				.collect();
			let kv: Vec<(Vec<f32>, Vec<f32>)> = (0..len)
				.map(|_| (values.take(kv_heads * dim), values.take(kv_heads * dim)))
				.collect();
			for (position, (k, v)) in kv.iter().enumerate() {
				layout.write(&mut pages, layer, position, k, v);
			}
			sequences.push((pages, kv));
		}
		let stride = heads * dim + 3;
		let q = values.take(lengths.len() * stride);
		let rows: Vec<AttentionRow> = sequences
			.iter()
			.zip(lengths)
			.map(|((pages, _), len)| AttentionRow { pages, len })
			.collect();
		let mut want = Vec::new();
		for (r, (_, kv)) in sequences.iter().enumerate() {
			for h in 0..heads {
				let kvh = h / (heads / kv_heads);
				let q = &q[r * stride + h * dim..][..dim];
				let e: Vec<f64> = kv
					.iter()
					.map(|(k, _)| {
						let s: f64 = q
							.iter()
							.zip(&k[kvh * dim..])
							.map(|(q, k)| f64::from(*q) * f64::from(*k))
							.sum();
						(s / (dim as f64).sqrt()).exp()
					})
					.collect();
				let sum: f64 = e.iter().sum();
				for i in 0..dim {
					want.push(
						kv.iter()
							.zip(&e)
							.map(|((_, v), e)| e / sum * f64::from(v[kvh * dim + i]))
							.sum(),
					);
				}
			}
		}
		for level in Level::available() {
			let mut out = vec![9.0; lengths.len() * heads * dim];
			attention(
				&pool, level, &mut out, &q, stride, heads, &rows, &layout, layer,
			);
			close(&out, &want, 1.0, level.name());
			let width = heads * dim;
			let mut alone = vec![0.0; width];
			attention(
				&pool,
				level,
				&mut alone,
				&q[4 * stride..],
				stride,
				heads,
				&rows[4..],
				&layout,
				layer,
			);
			assert_eq!(alone, out[4 * width..]);
			attention(
				&pool,
				level,
				&mut [],
				&[],
				stride,
				heads,
				&[],
				&layout,
				layer,
			);
		}
	}
}
