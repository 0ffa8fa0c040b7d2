//! Everything but attention and low-rank updates.

use super::{
	bench::{epsilon, rounded, Bench},
	Extent, Why,
};
use crate::{
	device::{
		tables::SampleRow, Append, Convert, Copy, Count, DeviceError, Element, Embed, Gemm,
		HeadNorms, Op, Ptr, RmsNorm, Rope, Sample, SiluMul, Stream, WeightFormat,
	},
	KvLayout,
};

const BOTH: [Element; 2] = [Element::F32, Element::Bf16];

fn wrong<T>(why: impl Into<String>) -> Result<T, Why> {
	Err(Why::Wrong(why.into()))
}

pub(super) fn copies(b: &mut Bench<'_>, _: Extent) -> Result<(), Why> {
	for len in [0, 1, 255, 256, 10_007] {
		b.clear();
		let mut values = b.values(Element::F32, len);
		// Halfway cases, denormal numbers, and values that overflow when rounded.
		for (value, special) in
			values
				.iter_mut()
				.zip([1.003_906_2, 1.011_718_8, 1e-40, -0.0, 3.4e38, f32::INFINITY])
		{
			*value = special;
		}
		let from = b.input(Element::F32, &values)?;
		let narrow = b.output(Element::Bf16, len)?;
		let wide = b.output(Element::F32, len)?;
		let copied = b.output(Element::F32, len)?;
		for (from, from_element, to, to_element) in [
			(from, Element::F32, narrow, Element::Bf16),
			(narrow, Element::Bf16, wide, Element::F32),
		] {
			b.launch(Convert {
				from,
				from_element,
				to,
				to_element,
				len,
			})?;
		}
		b.launch(Copy {
			from,
			to: copied,
			bytes: len * 4,
		})?;
		let got = b.read(Element::F32, wide, len)?;
		b.same("conversion", &got, &rounded(Element::Bf16, values.clone()))?;
		let got = b.read(Element::F32, copied, len)?;
		b.same("copy", &got, &values)?;
		b.device.fill(Stream::Compute, copied, 7, len)?;
		if b.bytes(copied, len)?.iter().any(|byte| *byte != 7) {
			return wrong("a fill did not reach all bytes");
		}
		b.guards("copies")?;
	}
	Ok(())
}

/// Work that waits for a load; a graph that sees new tables; nothing that runs before its time.
pub(super) fn order(b: &mut Bench<'_>, _: Extent) -> Result<(), Why> {
	let len = 4096;
	let (loaded, result) = (
		b.output(Element::F32, len)?,
		b.output(Element::F32, 2 * len)?,
	);
	let rows = b.count(0, 2)?;
	let pinned = b.device.pinned(len * 4 + 4)?;
	let back = b.device.pinned(2 * len * 4)?;
	let event = b.device.event()?;
	let done = b.device.event()?;
	let op = Op::SiluMul(SiluMul {
		element: Element::F32,
		gate_up: loaded,
		rows: Count {
			at: rows.at,
			most: 1,
		},
		width: len / 2,
		out: result,
	});
	b.device.begin_capture(Stream::Compute)?;
	let launched = b.device.launch(Stream::Compute, &op);
	let graph = b.device.end_capture(Stream::Compute)?;
	launched?;
	for round in 0..3 {
		let values = b.values(Element::F32, len);
		let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
		pinned.write(0, &bytes)?;
		pinned.write(len * 4, &u32::from(round != 1).to_le_bytes())?;
		b.device.fill(Stream::Compute, result, 0xff, len * 2)?;
		b.device
			.copy_in(Stream::Load, loaded, &pinned, 0, len * 4)?;
		b.device
			.copy_in(Stream::Load, rows.at, &pinned, len * 4, 4)?;
		b.device.record(Stream::Load, event)?;
		b.device.wait(Stream::Compute, event)?;
		b.device.replay(Stream::Compute, graph)?;
		b.device
			.copy_out(Stream::Compute, &back, 0, result, len * 2)?;
		b.device.record(Stream::Compute, done)?;
		b.device.finish(done)?;
		if !b.device.passed(event)? || !b.device.passed(done)? {
			return wrong("an event that was waited for has not passed");
		}
		let mut bytes = vec![0; len * 2];
		back.read(0, &mut bytes)?;
		let got: Vec<f32> = bytes
			.chunks_exact(4)
			.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
			.collect();
		if round == 1 {
			if got.iter().any(|v| !v.is_nan()) {
				return wrong("a graph did not see that its table says no rows");
			}
			continue;
		}
		let want: Vec<f64> = (0..len / 2)
			.map(|i| silu(values[i]) * f64::from(values[len / 2 + i]))
			.collect();
		b.close("a graph's result", &got, &want, |i| {
			1e-5 * want[i].abs() + 1e-7
		})?;
		// The load of the next round must not overtake this one's work.
		b.device.wait(Stream::Load, done)?;
	}
	if b.device.seconds(event, done)? < 0.0 {
		return wrong("time runs backwards");
	}
	b.device.drop_graph(graph);
	b.device.drop_graph(graph);
	if b.device.end_capture(Stream::Compute).is_ok() {
		return wrong("a capture ended that had not begun");
	}
	if pinned.write(len * 4 + 1, &[0; 4]).is_ok() {
		return wrong("a pinned buffer took more than it has");
	}
	b.guards("order")
}

pub(super) fn embed(b: &mut Bench<'_>, _: Extent) -> Result<(), Why> {
	for (rows, n, k) in [(0, 3, 16), (1, 1, 16), (5, 70, 48), (9, 33, 576)] {
		for format in [WeightFormat::F32, WeightFormat::Bf16, WeightFormat::Int8] {
			b.clear();
			let (table, values) = b.weights(format, n, k)?;
			let mut tokens: Vec<u32> = (0..rows).map(|_| b.below(n) as u32).collect();
			if let Some(last) = tokens.last_mut() {
				*last = n as u32 + 5;
			}
			let most = rows + 2;
			let op = Embed {
				table,
				tokens: b.table(&[tokens.clone(), vec![0; 2]].concat())?,
				rows: b.count(rows, most)?,
				out: b.output(Element::F32, most * k)?,
			};
			b.launch(op)?;
			let got = b.read(Element::F32, op.out, rows * k)?;
			let want: Vec<f32> = tokens
				.iter()
				.flat_map(|t| &values[(*t as usize).min(n - 1) * k..][..k])
				.copied()
				.collect();
			b.same("embedding", &got, &want)?;
			b.untouched("embedding", op.out.at(rows * k * 4), 2 * k * 4)?;
			b.guards("embedding")?;
		}
	}
	Ok(())
}

pub(super) fn rms_norm(b: &mut Bench<'_>, _: Extent) -> Result<(), Why> {
	for element in BOTH {
		for (rows, width) in [(0, 8), (1, 1), (3, 17), (4, 576), (2, 4099)] {
			for mode in ["plain", "add", "gather"] {
				b.clear();
				let most = rows + 1;
				let x = b.values(Element::F32, most * width);
				let add = b.values(element, most * width);
				let weight = b.values(Element::F32, width);
				let from: Vec<u32> = (0..most).map(|i| (most - 1 - i) as u32).collect();
				let eps = 1e-5;
				let op = RmsNorm {
					element,
					x: b.input(Element::F32, &x)?,
					add: match mode {
						"add" => Some(b.input(element, &add)?),
						_ => None,
					},
					weight: b.input(Element::F32, &weight)?,
					eps,
					width,
					gather: match mode {
						"gather" => Some(b.table(&from)?),
						_ => None,
					},
					rows: b.count(rows, most)?,
					out: b.output(element, most * width)?,
				};
				b.launch(op)?;
				let mut residual = x.clone();
				if mode == "add" {
					for i in 0..rows * width {
						residual[i] = x[i] + add[i];
					}
				}
				let mut want = Vec::new();
				for row in 0..rows {
					let row = match mode {
						"gather" => from[row] as usize,
						_ => row,
					};
					let x = &residual[row * width..][..width];
					let mean = x.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / width as f64;
					let scale = 1.0 / (mean + f64::from(eps)).sqrt();
					want.extend(
						x.iter()
							.zip(&weight)
							.map(|(v, w)| f64::from(*v) * scale * f64::from(*w)),
					);
				}
				let got = b.read(element, op.out, rows * width)?;
				b.close(mode, &got, &want, |i| {
					(epsilon(element) + 1e-5) * want[i].abs() + 1e-30
				})?;
				let kept = b.read(Element::F32, op.x, most * width)?;
				b.same("the residual stream", &kept, &residual)?;
				let size = element.bytes();
				b.untouched(mode, op.out.at(rows * width * size), width * size)?;
				b.guards(mode)?;
			}
		}
	}
	Ok(())
}

pub(super) fn gemm(b: &mut Bench<'_>, extent: Extent) -> Result<(), Why> {
	let mut shapes = vec![
		(0, 5, 16),
		(1, 1, 16),
		(3, 37, 64),
		(8, 100, 80),
		(9, 129, 576),
		(17, 130, 208),
		(65, 40, 144),
	];
	if extent == Extent::Whole {
		shapes.extend([
			(16, 8200, 112),
			(16, 256, 2064),
			(64, 300, 1088),
			(130, 257, 4096),
			(33, 33_000, 64),
		]);
	}
	for (format, element) in [
		(WeightFormat::F32, Element::F32),
		(WeightFormat::Bf16, Element::Bf16),
		(WeightFormat::Int8, Element::Bf16),
	] {
		for &(rows, n, k) in &shapes {
			for out in BOTH {
				if out == Element::Bf16 && element == Element::F32 {
					continue;
				}
				product(b, format, element, out, rows, n, k)?;
			}
		}
	}
	Ok(())
}

fn product(
	b: &mut Bench<'_>,
	format: WeightFormat,
	element: Element,
	out: Element,
	rows: usize,
	n: usize,
	k: usize,
) -> Result<(), Why> {
	b.clear();
	let what = format!("{rows} rows, {n} outputs, {k} inputs, {format:?} to {out:?}");
	let (weights, w) = b.weights(format, n, k)?;
	let most = rows + 1;
	let x = b.values(element, most * k);
	let op = Gemm {
		element,
		x: b.input(element, &x)?,
		weights,
		out,
		y: b.output(out, most * n)?,
		rows: b.count(rows, most)?,
		library: false,
	};
	b.launch(op)?;
	let got = b.read(out, op.y, rows * n)?;
	let mut want = vec![0f64; rows * n];
	let mut size = vec![0f64; rows * n];
	for row in 0..rows {
		let x = &x[row * k..][..k];
		for column in 0..n {
			let w = &w[column * k..][..k];
			let (mut sum, mut absolute) = (0.0, 0.0);
			for (x, w) in x.iter().zip(w) {
				let product = f64::from(*x) * f64::from(*w);
				sum += product;
				absolute += product.abs();
			}
			want[row * n + column] = sum;
			size[row * n + column] = absolute;
		}
	}
	// Sums in f32, which tensor cores may cut instead of rounding, then one rounding of the result.
	b.close(&what, &got, &want, |i| {
		epsilon(out) * want[i].abs() + 4e-6 * size[i] + 1e-30
	})?;
	b.untouched(&what, op.y.at(rows * n * out.bytes()), n * out.bytes())?;
	b.guards(&what)?;
	if rows == 0 {
		return Ok(());
	}
	// One row alone, and with room for more: other kernels, the same bits.
	let row = b.below(rows);
	for room in [1, 9, 40] {
		let op = Gemm {
			x: b.input(
				element,
				&[&x[row * k..][..k], &vec![0.5; (room - 1) * k]].concat(),
			)?,
			y: b.output(out, room * n)?,
			rows: b.count(1, room)?,
			..op
		};
		b.launch(op)?;
		let alone = b.read(out, op.y, n)?;
		b.same(&what, &alone, &got[row * n..][..n])?;
	}
	if b.device.info().library && format == WeightFormat::Bf16 {
		let op = Gemm {
			y: b.output(out, most * n)?,
			library: true,
			..op
		};
		b.launch(op)?;
		let got = b.read(out, op.y, rows * n)?;
		b.close(&format!("{what}, by the library"), &got, &want, |i| {
			epsilon(out) * want[i].abs() + 4e-6 * size[i] + 1e-30
		})?;
	}
	b.guards(&what)
}

pub(super) fn rope(b: &mut Bench<'_>, _: Extent) -> Result<(), Why> {
	for element in BOTH {
		for (heads, kv_heads, head_dim) in
			[(1, 1, 2), (6, 2, 10), (9, 3, 64), (4, 1, 128), (2, 2, 256)]
		{
			for (rows, full) in [(0, false), (3, false), (7, true)] {
				b.clear();
				let what =
					format!("{rows} rows, {heads}/{kv_heads} heads of {head_dim}, {element:?}");
				let layout = KvLayout {
					layers: 2,
					kv_heads,
					head_dim,
					page_tokens: 16,
				};
				let width = (heads + 2 * kv_heads) * head_dim;
				let most = rows + 1;
				let qkv = b.values(element, most * width);
				let bias = b.values(Element::F32, width);
				let norms = [
					b.values(Element::F32, head_dim),
					b.values(Element::F32, head_dim),
				];
				let positions: Vec<u32> = (0..most).map(|i| (i * 19) as u32).collect();
				let table_len = most * 19;
				let half = head_dim / 2;
				let mut table = Vec::new();
				for position in 0..table_len {
					let angle = |i: usize| position as f64 * 0.9f64.powi(i as i32);
					table.extend((0..half).map(|i| angle(i).cos() as f32));
					table.extend((0..half).map(|i| angle(i).sin() as f32));
				}
				let page_bytes = layout.page_len() * element.bytes();
				let pages: Vec<Ptr> = (0..most)
					.map(|_| Ok(b.buffer(page_bytes)?.at))
					.collect::<Result<_, Why>>()?;
				let eps = 1e-6;
				let op = Rope {
					element,
					qkv: b.input(element, &qkv)?,
					rows: b.count(rows, most)?,
					heads,
					kv_heads,
					head_dim,
					bias: match full {
						true => Some(b.input(Element::F32, &bias)?),
						false => None,
					},
					norms: match full {
						true => Some(HeadNorms {
							q: b.input(Element::F32, &norms[0])?,
							k: b.input(Element::F32, &norms[1])?,
							eps,
						}),
						false => None,
					},
					table: Some(b.input(Element::F32, &table)?),
					table_len,
					positions: b.table(&positions)?,
					append: Append {
						pages: b.table(&pages)?,
						layout,
						layer: 1,
					},
				};
				b.launch(op)?;
				let got = b.read(element, op.qkv, most * width)?;
				let mut want: Vec<f64> = qkv.iter().map(|v| f64::from(*v)).collect();
				let mut size = vec![1.0; want.len()];
				for row in 0..rows {
					let turned = (heads + kv_heads) * head_dim;
					for head in 0..heads + 2 * kv_heads {
						let at = row * width + head * head_dim;
						let values = &mut want[at..at + head_dim];
						if full {
							let bias = &bias[head * head_dim..][..head_dim];
							values
								.iter_mut()
								.zip(bias)
								.for_each(|(v, b)| *v += f64::from(*b));
						}
						if head * head_dim >= turned {
							continue;
						}
						if full {
							let mean = values.iter().map(|v| v * v).sum::<f64>() / head_dim as f64;
							let scale = 1.0 / (mean + f64::from(eps)).sqrt();
							let norm = &norms[usize::from(head >= heads)];
							values
								.iter_mut()
								.zip(norm)
								.for_each(|(v, w)| *v *= scale * f64::from(*w));
						}
						for i in 0..half {
							let angle =
								|i: usize| f64::from(table[positions[row] as usize * head_dim + i]);
							let (c, s) = (angle(i), angle(half + i));
							let (x, y) = (values[i], values[i + half]);
							values[i] = x * c - y * s;
							values[i + half] = y * c + x * s;
							let most = x.abs() + y.abs();
							size[at + i] = most;
							size[at + half + i] = most;
						}
					}
				}
				b.close(&what, &got, &want, |i| {
					epsilon(element) * want[i].abs() + 1e-5 * size[i] + 1e-7
				})?;
				for row in 0..rows {
					let slot = positions[row] as usize % 16 * head_dim;
					let page = b.read(element, pages[row], layout.page_len())?;
					let mut seen = vec![false; page.len()];
					for head in 0..kv_heads {
						for (at, from) in [
							(layout.keys(1, head), heads + head),
							(layout.values(1, head), heads + kv_heads + head),
						] {
							let from = row * width + from * head_dim;
							let at = at + slot;
							b.same(&what, &page[at..at + head_dim], &got[from..from + head_dim])?;
							seen[at..at + head_dim].fill(true);
						}
					}
					if page.iter().zip(&seen).any(|(v, seen)| !seen && !v.is_nan()) {
						return wrong(format!("{what}: another position of a page was written"));
					}
				}
				b.guards(&what)?;
			}
		}
	}
	Ok(())
}

fn silu(x: f32) -> f64 {
	let x = f64::from(x);
	x / (1.0 + (-x).exp())
}

pub(super) fn silu_mul(b: &mut Bench<'_>, _: Extent) -> Result<(), Why> {
	for element in BOTH {
		for (rows, width) in [(0, 3), (1, 1), (3, 37), (2, 1536)] {
			b.clear();
			let most = rows + 1;
			let mut both = b.values(element, most * 2 * width);
			for (i, value) in both.iter_mut().enumerate() {
				if i % 5 == 0 {
					*value *= 64.0;
				}
			}
			let op = SiluMul {
				element,
				gate_up: b.input(element, &both)?,
				rows: b.count(rows, most)?,
				width,
				out: b.output(element, most * width)?,
			};
			b.launch(op)?;
			let got = b.read(element, op.out, rows * width)?;
			let want: Vec<f64> = (0..rows * width)
				.map(|i| {
					let at = i / width * 2 * width + i % width;
					silu(both[at]) * f64::from(both[at + width])
				})
				.collect();
			b.close("silu", &got, &want, |i| {
				(epsilon(element) + 1e-5) * want[i].abs() + 1e-25
			})?;
			let size = element.bytes();
			b.untouched("silu", op.out.at(rows * width * size), width * size)?;
			b.guards("silu")?;
		}
	}
	Ok(())
}

/// Which tokens may come out when sums are off by a part of `slack`.
fn possible(logits: &[f32], how: SampleRow, slack: f64) -> Vec<bool> {
	let mut order: Vec<usize> = (0..logits.len()).collect();
	order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
	if how.top_k > 0 {
		order.truncate(how.top_k as usize);
	}
	let best = logits[order[0]];
	let mass = |token: usize| f64::from((logits[token] - best) / how.temperature).exp();
	let total: f64 = order.iter().map(|t| mass(*t)).sum();
	let wanted = f64::from(how.top_p) * total;
	let mut may = vec![false; logits.len()];
	let mut sum = 0.0;
	for (kept, token) in order.iter().enumerate() {
		let before = sum;
		sum += mass(*token);
		let last = kept + 1 == order.len();
		// Whether the set may end here.
		let enough = sum >= wanted * (1.0 - slack);
		let needed = kept == 0 || before < wanted * (1.0 + slack);
		if (how.top_p >= 1.0 && !last) || (how.top_p < 1.0 && !(enough && needed)) {
			continue;
		}
		let mut kept = order[..=kept].to_vec();
		kept.sort_unstable();
		let aim = f64::from(how.random) * sum;
		let room = slack * sum;
		let mut passed = 0.0;
		for token in kept {
			let before = passed;
			passed += mass(token);
			may[token] |= before - room <= aim && aim <= passed + room;
		}
	}
	may
}

pub(super) fn sample(b: &mut Bench<'_>, extent: Extent) -> Result<(), Why> {
	let vocabularies: &[usize] = match extent {
		Extent::Small => &[1, 7, 3000],
		Extent::Whole => &[1, 7, 1023, 3000, 49_152],
	};
	for &vocabulary in vocabularies {
		b.clear();
		let mut rows = Vec::new();
		let mut logits: Vec<f32> = Vec::new();
		for i in 0..24 {
			// Ties, wide and narrow distributions, either sign.
			let steps = [3.0, 1000.0, 1e6][i % 3];
			let spread = [1.0, 10.0, 40.0][i / 3 % 3];
			for _ in 0..vocabulary {
				logits.push((b.value() * steps).round() / steps * spread);
			}
			rows.push(SampleRow {
				temperature: [0.0, 0.7, 1.0, 2.5][i % 4],
				top_p: [1.0, 0.9, 0.3, 0.0][i / 4 % 4],
				random: (b.value().abs()).min(0.999_999),
				top_k: [0, 1, 5, 40][i / 2 % 4],
			});
		}
		// One row with nothing finite, and one with a single finite logit among others.
		logits.extend(std::iter::repeat_n(f32::NEG_INFINITY, vocabulary));
		rows.push(rows[1]);
		let mut single = vec![f32::NAN; vocabulary];
		single[vocabulary / 2] = -3.0;
		logits.extend(single);
		rows.push(rows[1]);
		let count = rows.len();
		let op = Sample {
			logits: b.input(Element::F32, &logits)?,
			vocabulary,
			rows: b.count(count, count)?,
			how: b.table(&rows)?,
			tokens: b.buffer(count * 4)?.at,
		};
		b.launch(op)?;
		let tokens: Vec<u32> = b
			.bytes(op.tokens, count * 4)?
			.chunks_exact(4)
			.map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
			.collect();
		for (i, (token, how)) in tokens.iter().zip(&rows).enumerate() {
			let own = &logits[i * vocabulary..][..vocabulary];
			let right = match i {
				24 => *token == 0,
				25 => *token as usize == vocabulary / 2,
				_ if how.temperature == 0.0 => {
					let best = own.iter().copied().fold(f32::NEG_INFINITY, f32::max);
					own.iter().position(|v| *v == best) == Some(*token as usize)
				}
				_ => possible(own, *how, 1e-5)
					.get(*token as usize)
					.copied()
					.unwrap_or(false),
			};
			if !right {
				return wrong(format!(
					"row {i} of {vocabulary} tokens: token {token} cannot come out of {how:?}"
				));
			}
		}
		b.guards("sampling")?;
	}
	Ok(())
}

/// Bad shapes and addresses are refused before anything runs.
pub(super) fn refusals(b: &mut Bench<'_>, _: Extent) -> Result<(), Why> {
	let (weights, _) = b.weights(WeightFormat::Bf16, 16, 16)?;
	let rows = b.count(1, 1)?;
	let good = Gemm {
		element: Element::Bf16,
		x: b.output(Element::Bf16, 16)?,
		weights,
		out: Element::Bf16,
		y: b.output(Element::Bf16, 16)?,
		rows,
		library: false,
	};
	let mut odd = good;
	odd.weights.k = 12;
	let mut mixed = good;
	mixed.element = Element::F32;
	for (op, what) in [(odd, "an odd k"), (mixed, "mixed types")] {
		match b.device.launch(Stream::Compute, &op.into()) {
			Err(DeviceError::Shape { .. }) => {}
			other => return wrong(format!("{what} gave {other:?}")),
		}
	}
	match b.device.launch(Stream::Load, &good.into()) {
		Err(DeviceError::Shape { .. }) => {}
		other => return wrong(format!("a product on the load stream gave {other:?}")),
	}
	let arena = b.device.arena();
	let mut outside = good;
	outside.y = arena.start.at(arena.bytes - 16);
	let mut before = good;
	before.x = Ptr(arena.start.0.wrapping_sub(16));
	let mut crooked = good;
	crooked.x = good.x.at(2);
	let mut many = good;
	many.rows.most = 60_000_000;
	for (op, what) in [
		(outside, "a result beyond the arena"),
		(before, "inputs before the arena"),
		(crooked, "inputs that are not aligned"),
		(many, "more rows than a grid has"),
	] {
		match b.device.launch(Stream::Compute, &op.into()) {
			Err(DeviceError::Outside { .. } | DeviceError::Shape { .. }) => {}
			other => return wrong(format!("{what} gave {other:?}")),
		}
	}
	if b.device
		.write(arena.start.at(arena.bytes - 1), &[0, 0])
		.is_ok()
	{
		return wrong("a write beyond the arena was taken");
	}
	// A capture with a bad launch in it ends, and the stream goes on.
	b.device.begin_capture(Stream::Compute)?;
	let failed = b.device.launch(Stream::Compute, &odd.into());
	let ended = b.device.end_capture(Stream::Compute);
	if failed.is_ok() || ended.is_ok() {
		return wrong("a capture with a bad launch was kept");
	}
	let zeros = vec![0.0; 16];
	b.set(Element::Bf16, good.x, &zeros)?;
	b.launch(good)?;
	let got = b.read(Element::Bf16, good.y, 16)?;
	b.same("after refusals", &got, &zeros)
}
