//! Every kernel at every level against a slow f64 reference: odd sizes, single rows, nothing at all.

#![allow(clippy::needless_range_loop)]

use half::bf16;
use openledger_kernels::*;

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

fn gemm_reference(y: &[f32], x: &[f32], w: &[f32], m: usize, n: usize, k: usize) -> Vec<f64> {
	let mut out: Vec<f64> = y.iter().map(|v| f64::from(*v)).collect();
	for i in 0..m {
		for j in 0..n {
			for t in 0..k {
				out[i * n + j] += f64::from(x[i * k + t]) * f64::from(w[j * k + t]);
			}
		}
	}
	out
}

#[test]
fn gemm_should_agree_with_f64_at_odd_sizes() {
	let mut values = Values(1);
	for level in Level::available() {
		for (m, n, k) in [
			(0, 5, 7),
			(3, 0, 4),
			(3, 4, 0),
			(1, 1, 1),
			(1, 9, 33),
			(1, 64, 576),
			(2, 13, 17),
			(3, 31, 48),
			(4, 8, 100),
			(5, 7, 15),
			(7, 130, 65),
			(16, 96, 129),
			(17, 250, 576),
			(67, 70, 31),
			(130, 65, 64),
		] {
			let (x, w, y0) = (values.take(m * k), values.take(n * k), values.take(m * n));
			let what = format!("{} {m}x{n}x{k}", level.name());
			let want = gemm_reference(&y0, &x, &w, m, n, k);
			let scale = (k as f64).sqrt() + 1.0;
			let mut y = y0.clone();
			gemm(level, &mut y, &x, &Matrix::f32(w.clone(), n, k), m);
			close(&y, &want, scale, &what);
			let mut y = y0.clone();
			gemm_serial(level, &mut y, &x, &w, m, n, k);
			close(&y, &want, scale, &what);

			let narrow = Matrix::f32(w.clone(), n, k).to_bf16();
			let rounded: Vec<f32> = w.iter().map(|v| bf16::from_f32(*v).to_f32()).collect();
			let mut y = y0.clone();
			gemm(level, &mut y, &x, &narrow, m);
			close(
				&y,
				&gemm_reference(&y0, &x, &rounded, m, n, k),
				scale,
				&what,
			);
		}
	}
}

#[test]
fn gemm_should_give_a_row_the_same_bits_in_every_batch() {
	let mut values = Values(2);
	let (m, n, k) = (70, 530, 583);
	let (x, w) = (values.take(m * k), Matrix::f32(values.take(n * k), n, k));
	for level in Level::available() {
		let mut all = vec![0.0; m * n];
		gemm(level, &mut all, &x, &w, m);
		for size in [1, 2, 3, 5, 8, 33] {
			for start in (0..m - size).step_by(size) {
				let mut some = vec![0.0; size * n];
				gemm(
					level,
					&mut some,
					&x[start * k..(start + size) * k],
					&w,
					size,
				);
				assert_eq!(
					some,
					all[start * n..(start + size) * n],
					"{} {size}",
					level.name()
				);
			}
		}
	}
}

#[test]
fn copy_row_should_return_the_stored_row() {
	let w = Matrix::f32(vec![1.0, 2.0, 3.0, 4.5, 5.0, 6.0], 2, 3);
	let mut row = [0.0; 3];
	w.copy_row(1, &mut row);
	assert_eq!(row, [4.5, 5.0, 6.0]);
	w.to_bf16().copy_row(0, &mut row);
	assert_eq!(row, [1.0, 2.0, 3.0]);
	assert_eq!((w.bytes(), w.to_bf16().bytes()), (24, 12));
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
		for (m, width) in [(0, 3), (1, 1), (2, 37), (3, 1536)] {
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

#[test]
fn lora_should_change_only_the_rows_of_its_segments() {
	let mut values = Values(7);
	let (m, n, k) = (45, 50, 37);
	for level in Level::available() {
		let (x, y0) = (values.take(m * k), values.take(m * n));
		let ranks = [(1usize, 3usize), (8, 5), (0, 2)];
		let mut store = Vec::new();
		for (first, second) in ranks {
			let a = values.take((first + second) * k);
			let b = (values.take(first * 20), values.take(second * 9));
			store.push((a, b));
		}
		// Rows 0..2 and 40..45 use no adapter; the middle segment is longer than one chunk.
		let rows = [2..3, 3..38, 38..40];
		let slices: Vec<Vec<LoraSlice>> = store
			.iter()
			.zip(ranks)
			.map(|((_, b), (first, second))| {
				vec![
					LoraSlice {
						first: 0,
						rank: first,
						column: 0,
						b: &b.0,
						width: 20,
					},
					LoraSlice {
						first,
						rank: second,
						column: 41,
						b: &b.1,
						width: 9,
					},
				]
			})
			.collect();
		let segments: Vec<LoraSegment> = store
			.iter()
			.zip(&slices)
			.zip(rows.clone())
			.map(|(((a, _), slices), rows)| LoraSegment { rows, a, slices })
			.collect();
		let mut want: Vec<f64> = y0.iter().map(|v| f64::from(*v)).collect();
		for segment in &segments {
			for row in segment.rows.clone() {
				for slice in segment.slices {
					for j in 0..slice.rank {
						let a = &segment.a[(slice.first + j) * k..][..k];
						let t: f64 = a
							.iter()
							.zip(&x[row * k..])
							.map(|(a, x)| f64::from(*a) * f64::from(*x))
							.sum();
						for c in 0..slice.width {
							want[row * n + slice.column + c] +=
								t * f64::from(slice.b[j * slice.width + c]);
						}
					}
				}
			}
		}
		let mut y = y0.clone();
		lora(level, &mut y, n, &x, k, &segments);
		close(&y, &want, 20.0, level.name());
		assert_eq!(y[..2 * n], y0[..2 * n]);
		assert_eq!(y[40 * n..], y0[40 * n..]);
		let mut alone = y0.clone();
		lora(level, &mut alone, n, &x, k, &segments[1..2]);
		assert_eq!(
			alone[3 * n..38 * n],
			y[3 * n..38 * n],
			"the same bits without the others"
		);
		let mut nothing = y0.clone();
		lora(level, &mut nothing, n, &x, k, &[]);
		assert_eq!(nothing, y0);
	}
}

#[test]
#[should_panic(expected = "in order and disjoint")]
fn lora_should_refuse_segments_that_share_rows() {
	let a = [0.0; 2];
	let segment = |rows| LoraSegment {
		rows,
		a: &a,
		slices: &[],
	};
	lora(
		Level::best(),
		&mut [0.0; 8],
		2,
		&[0.0; 8],
		2,
		&[segment(0..2), segment(1..3)],
	);
}

#[test]
fn attention_should_agree_with_f64_over_pages() {
	let mut values = Values(8);
	for (heads, kv_heads, dim) in [(1, 1, 2), (6, 2, 10), (9, 3, 64), (4, 4, 48)] {
		let layout = KvLayout {
			layers: 2,
			kv_heads,
			head_dim: dim,
			page_tokens: 4,
		};
		let lengths = [1usize, 4, 5, 11, 40];
		let layer = 1;
		let mut sequences = Vec::new();
		for len in lengths {
			let mut pages: Vec<KvPage> = (0..len.div_ceil(4))
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
			attention(level, &mut out, &q, stride, heads, &rows, &layout, layer);
			close(&out, &want, 1.0, level.name());
			let width = heads * dim;
			let mut alone = vec![0.0; width];
			attention(
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
			attention(level, &mut [], &[], stride, heads, &[], &layout, layer);
		}
	}
}
