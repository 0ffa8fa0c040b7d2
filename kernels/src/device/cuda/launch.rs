//! From an operation to launches: which kernel, which grid, which arguments. Pure, so that it is tested anywhere.

use super::args::{
	AttentionArgs, ConvertArgs, EmbedArgs, GemmArgs, LoraArgs, RmsNormArgs, RopeArgs, SampleArgs,
	SiluMulArgs,
};
use crate::device::{
	tables::{Entry, MAX_SLICES},
	Attention, Element, Gemm, Lora, Op, Ptr, WeightFormat,
};

/// Words that the largest arguments take.
const ARGUMENT_WORDS: usize = 14;

/// Columns of a slice that a block of `lora_expand_*` takes.
const EXPAND_COLUMNS: usize = 512;

/// Outputs and rows that a block of `gemm_tile_*` takes.
const TILE_OUTPUTS: usize = 128;
const TILE_ROWS: usize = 64;

/// Most dynamic shared memory of `gemm_tile_*`: four stages of bf16 weights and inputs, 64 of k each.
pub(crate) const TILE_SHARED: usize = 4 * (TILE_OUTPUTS + TILE_ROWS) * 64 * 2;

/// Tiles whose spans may be shared out: more than any device has processors.
pub(crate) const COUNTERS: usize = 4096;

/// What depends on the device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
	/// Processors that run blocks.
	pub processors: usize,
	/// [`COUNTERS`] u32 that are zero between launches.
	pub counters: Ptr,
	/// For sums of spans.
	pub workspace: Ptr,
	/// Its size in bytes.
	pub workspace_bytes: usize,
}

/// A kernel with its grid and arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Launch {
	pub kernel: &'static str,
	pub grid: [u32; 3],
	pub threads: u32,
	/// Dynamic shared memory in bytes.
	pub shared: u32,
	pub arguments: [u64; ARGUMENT_WORDS],
	/// How many bytes of them count.
	pub bytes: usize,
}

/// One thing to queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Work {
	Kernel(Launch),
	Copy { from: Ptr, to: Ptr, bytes: usize },
	Library(Gemm),
}

fn small(value: usize) -> u32 {
	u32::try_from(value).unwrap_or(u32::MAX)
}

fn optional(at: Option<Ptr>) -> u64 {
	at.map_or(0, |at| at.0)
}

impl Launch {
	fn new<T: Entry>(kernel: &'static str, grid: [usize; 3], threads: u32, args: T) -> Self {
		let mut bytes = [0u8; ARGUMENT_WORDS * 8];
		args.write(&mut bytes[..T::BYTES]);
		let mut arguments = [0; ARGUMENT_WORDS];
		for (word, bytes) in arguments.iter_mut().zip(bytes.chunks_exact(8)) {
			*word = u64::read(bytes);
		}
		Self {
			kernel,
			grid: grid.map(small),
			threads,
			shared: 0,
			arguments,
			bytes: T::BYTES,
		}
	}
}

/// Spans that the sum over `k` of a product with `n` outputs has: `spans_of` in `gemm.cu`.
fn spans(n: usize) -> usize {
	match n {
		..=8192 => 8,
		8193..=32768 => 4,
		_ => 2,
	}
}

/// Blocks that share the spans of a tile: few rows and outputs alone would not keep the device busy.
fn splits(config: &Config, n: usize, rows: usize) -> usize {
	let blocks = n.div_ceil(TILE_OUTPUTS) * rows.div_ceil(TILE_ROWS);
	let spans = spans(n);
	let most = config.processors.min(COUNTERS);
	if blocks >= most || spans * rows * n * 4 > config.workspace_bytes {
		return 1;
	}
	let mut splits = 1;
	while splits < spans && blocks * splits < 2 * config.processors {
		splits *= 2;
	}
	splits
}

fn gemm(config: &Config, op: &Gemm, out: &mut impl FnMut(Work)) {
	let (n, k, rows) = (op.weights.n, op.weights.k, op.rows.most);
	let splits = match op.weights.format {
		WeightFormat::F32 => 1,
		_ if rows <= 16 => 1,
		_ => splits(config, n, rows),
	};
	let int8 = op.weights.format == WeightFormat::Int8;
	let args = GemmArgs {
		x: op.x.0,
		w: op.weights.data.0,
		scales: if int8 { op.weights.scales.0 } else { 0 },
		y: op.y.0,
		rows: op.rows.at.0,
		workspace: config.workspace.0,
		counters: config.counters.0,
		n: small(n),
		k: small(k),
		most: small(rows),
		splits: small(splits),
	};
	let mut kernel = |name, grid, shared| {
		let mut launch = Launch::new(name, grid, 256, args);
		launch.shared = shared;
		out(Work::Kernel(launch));
	};
	if op.weights.format == WeightFormat::F32 {
		return kernel("gemm_f32", [n.div_ceil(8), rows, 1], 0);
	}
	let wide = op.out == Element::F32;
	if rows <= 16 {
		let name = match (rows <= 8, int8, wide) {
			(true, false, false) => "gemm_rows8_bf16_bf16",
			(true, false, true) => "gemm_rows8_bf16_f32",
			(true, true, false) => "gemm_rows8_int8_bf16",
			(true, true, true) => "gemm_rows8_int8_f32",
			(false, false, false) => "gemm_rows16_bf16_bf16",
			(false, false, true) => "gemm_rows16_bf16_f32",
			(false, true, false) => "gemm_rows16_int8_bf16",
			(false, true, true) => "gemm_rows16_int8_f32",
		};
		let outputs = 8 / spans(n) * 32;
		return kernel(name, [n.div_ceil(outputs), 1, 1], 0);
	}
	let name = match (int8, wide) {
		(false, false) => "gemm_tile_bf16_bf16",
		(false, true) => "gemm_tile_bf16_f32",
		(true, false) => "gemm_tile_int8_bf16",
		(true, true) => "gemm_tile_int8_f32",
	};
	// Four stages of 64 of k: weights in their format, inputs in bf16.
	let stage = TILE_OUTPUTS * 64 * op.weights.format.bytes() + TILE_ROWS * 64 * 2;
	let grid = [n.div_ceil(TILE_OUTPUTS), rows.div_ceil(TILE_ROWS), splits];
	kernel(name, grid, small(4 * stage));
}

fn attention(op: &Attention, out: &mut impl FnMut(Work)) {
	let (heads, kv_heads, dim) = (op.heads, op.layout.kv_heads, op.layout.head_dim);
	let args = AttentionArgs {
		qkv: op.qkv.0,
		out: op.out.0,
		partial: op.partial.0,
		work: op.work.0,
		works: op.works.at.0,
		merge: op.merge.0,
		merges: op.merges.at.0,
		tile: op.tile.0,
		tiles: op.tiles.at.0,
		heads: small(heads),
		kv_heads: small(kv_heads),
		head_dim: small(dim),
		page_tokens: small(op.layout.page_tokens),
		layer: small(op.layer),
		scale: std::f32::consts::LOG2_E / (dim as f32).sqrt(),
	};
	let mut kernel = |name, most: usize, second, threads| {
		if most > 0 {
			out(Work::Kernel(Launch::new(
				name,
				[most, second, 1],
				threads,
				args,
			)));
		}
	};
	let (decode, prefill, across) = match (op.element, dim) {
		(Element::Bf16, 64) => ("attention_decode_64", "attention_prefill_64", kv_heads),
		(Element::Bf16, 128) => ("attention_decode_128", "attention_prefill_128", kv_heads),
		(Element::Bf16, _) => (
			"attention_plain_decode_bf16",
			"attention_plain_prefill_bf16",
			heads,
		),
		(Element::F32, _) => (
			"attention_plain_decode_f32",
			"attention_plain_prefill_f32",
			heads,
		),
	};
	let merge = match op.element {
		Element::F32 => "attention_merge_f32",
		Element::Bf16 => "attention_merge_bf16",
	};
	kernel(decode, op.works.most, across, 128);
	kernel(merge, op.merges.most, heads, 32);
	kernel(prefill, op.tiles.most, across, 128);
}

fn lora(op: &Lora, out: &mut impl FnMut(Work)) {
	let of = |f: fn(&crate::device::LoraColumns) -> usize| {
		let mut all = [0; MAX_SLICES];
		for (all, slice) in all.iter_mut().zip(&op.slices[..op.slice_count]) {
			*all = small(f(slice));
		}
		all
	};
	let args = LoraArgs {
		chunks: op.chunks.0,
		count: op.count.at.0,
		x: op.x.0,
		y: op.y.0,
		inner: op.inner.0,
		k: small(op.k),
		n: small(op.n),
		entry: small(op.entry),
		slices: small(op.slice_count),
		column: of(|s| s.column),
		width: of(|s| s.width),
	};
	if op.count.most == 0 || op.slice_count == 0 {
		return;
	}
	let (shrink, threads, expand) = match (op.element, op.out) {
		(Element::F32, _) => ("lora_shrink_f32", 256, "lora_expand_f32"),
		(Element::Bf16, Element::Bf16) => ("lora_shrink_bf16", 512, "lora_expand_bf16"),
		(Element::Bf16, Element::F32) => ("lora_shrink_bf16", 512, "lora_expand_bf16_f32"),
	};
	if op.ranks > 0 {
		let grid = [op.count.most, op.ranks.div_ceil(16), 1];
		out(Work::Kernel(Launch::new(shrink, grid, threads, args)));
	}
	let tiles = op.slices[..op.slice_count]
		.iter()
		.map(|s| s.width.div_ceil(EXPAND_COLUMNS))
		.sum();
	let grid = [op.count.most, tiles, 1];
	out(Work::Kernel(Launch::new(expand, grid, 128, args)));
}

/// Gives what an operation that was checked consists of, in order.
pub(crate) fn lower(config: &Config, op: &Op, mut out: impl FnMut(Work)) {
	let out = &mut |work: Work| match work {
		Work::Kernel(launch) if launch.grid.contains(&0) => {}
		Work::Copy { bytes: 0, .. } => {}
		work => out(work),
	};
	match op {
		Op::Embed(op) => {
			let args = EmbedArgs {
				table: op.table.data.0,
				scales: op.table.scales.0,
				tokens: op.tokens.0,
				rows: op.rows.at.0,
				out: op.out.0,
				n: small(op.table.n),
				k: small(op.table.k),
			};
			let name = match op.table.format {
				WeightFormat::F32 => "embed_f32",
				WeightFormat::Bf16 => "embed_bf16",
				WeightFormat::Int8 => "embed_int8",
			};
			let grid = [op.rows.most, 1, 1];
			out(Work::Kernel(Launch::new(name, grid, 256, args)));
		}
		Op::RmsNorm(op) => {
			let args = RmsNormArgs {
				x: op.x.0,
				add: optional(op.add),
				weight: op.weight.0,
				gather: optional(op.gather),
				rows: op.rows.at.0,
				out: op.out.0,
				width: small(op.width),
				eps: op.eps,
			};
			let name = match op.element {
				Element::F32 => "rms_norm_f32",
				Element::Bf16 => "rms_norm_bf16",
			};
			let grid = [op.rows.most, 1, 1];
			out(Work::Kernel(Launch::new(name, grid, 256, args)));
		}
		Op::Gemm(op) if op.rows.most == 0 => {}
		Op::Gemm(op) if op.library => out(Work::Library(*op)),
		Op::Gemm(op) => gemm(config, op, out),
		Op::Rope(op) => {
			let layout = &op.append.layout;
			let args = RopeArgs {
				qkv: op.qkv.0,
				bias: optional(op.bias),
				q_norm: optional(op.norms.map(|n| n.q)),
				k_norm: optional(op.norms.map(|n| n.k)),
				table: optional(op.table),
				positions: op.positions.0,
				pages: op.append.pages.0,
				rows: op.rows.at.0,
				heads: small(op.heads),
				kv_heads: small(op.kv_heads),
				head_dim: small(op.head_dim),
				table_len: small(op.table_len),
				page_tokens: small(layout.page_tokens),
				layer: small(op.append.layer),
				eps: op.norms.map_or(0.0, |n| n.eps),
				unused: 0,
			};
			let name = match op.element {
				Element::F32 => "rope_f32",
				Element::Bf16 => "rope_bf16",
			};
			let grid = [op.rows.most, 1, 1];
			out(Work::Kernel(Launch::new(name, grid, 256, args)));
		}
		Op::Attention(op) => attention(op, out),
		Op::Lora(op) => lora(op, out),
		Op::SiluMul(op) => {
			let args = SiluMulArgs {
				gate_up: op.gate_up.0,
				out: op.out.0,
				rows: op.rows.at.0,
				width: small(op.width),
				unused: 0,
			};
			let name = match op.element {
				Element::F32 => "silu_mul_f32",
				Element::Bf16 => "silu_mul_bf16",
			};
			let grid = [op.width.div_ceil(256), op.rows.most, 1];
			out(Work::Kernel(Launch::new(name, grid, 256, args)));
		}
		Op::Sample(op) => {
			let args = SampleArgs {
				logits: op.logits.0,
				how: op.how.0,
				tokens: op.tokens.0,
				rows: op.rows.at.0,
				vocabulary: small(op.vocabulary),
				unused: 0,
			};
			let grid = [op.rows.most, 1, 1];
			out(Work::Kernel(Launch::new("sample", grid, 1024, args)));
		}
		Op::Convert(op) => {
			let args = ConvertArgs {
				from: op.from.0,
				to: op.to.0,
				len: op.len as u64,
			};
			let name = match (op.from_element, op.to_element) {
				(Element::F32, Element::Bf16) => "convert_f32_bf16",
				(Element::Bf16, Element::F32) => "convert_bf16_f32",
				(same, _) => {
					return out(Work::Copy {
						from: op.from,
						to: op.to,
						bytes: op.len * same.bytes(),
					})
				}
			};
			let blocks = op.len.div_ceil(256).min(16 * config.processors.max(1));
			out(Work::Kernel(Launch::new(name, [blocks, 1, 1], 256, args)));
		}
		Op::Copy(op) => out(Work::Copy {
			from: op.from,
			to: op.to,
			bytes: op.bytes,
		}),
	}
}

/// Names of all kernels, as in the sources.
pub(crate) const KERNELS: &[&str] = &[
	"embed_f32",
	"embed_bf16",
	"embed_int8",
	"rms_norm_f32",
	"rms_norm_bf16",
	"rope_f32",
	"rope_bf16",
	"silu_mul_f32",
	"silu_mul_bf16",
	"convert_f32_bf16",
	"convert_bf16_f32",
	"gemm_f32",
	"gemm_rows8_bf16_bf16",
	"gemm_rows8_bf16_f32",
	"gemm_rows8_int8_bf16",
	"gemm_rows8_int8_f32",
	"gemm_rows16_bf16_bf16",
	"gemm_rows16_bf16_f32",
	"gemm_rows16_int8_bf16",
	"gemm_rows16_int8_f32",
	"gemm_tile_bf16_bf16",
	"gemm_tile_bf16_f32",
	"gemm_tile_int8_bf16",
	"gemm_tile_int8_f32",
	"attention_decode_64",
	"attention_decode_128",
	"attention_prefill_64",
	"attention_prefill_128",
	"attention_merge_bf16",
	"attention_merge_f32",
	"attention_plain_decode_f32",
	"attention_plain_decode_bf16",
	"attention_plain_prefill_f32",
	"attention_plain_prefill_bf16",
	"lora_shrink_f32",
	"lora_shrink_bf16",
	"lora_expand_f32",
	"lora_expand_bf16",
	"lora_expand_bf16_f32",
	"sample",
];

/// The sources, in the order in which one program consists of them.
pub(crate) const SOURCES: &[(&str, &str)] = &[
	("rows.cu", include_str!("../../../cuda/rows.cu")),
	("gemm.cu", include_str!("../../../cuda/gemm.cu")),
	("attention.cu", include_str!("../../../cuda/attention.cu")),
	("lora.cu", include_str!("../../../cuda/lora.cu")),
	("sample.cu", include_str!("../../../cuda/sample.cu")),
];

/// The headers they include.
pub(crate) const HEADERS: &[(&str, &str)] = &[
	("common.cuh", include_str!("../../../cuda/common.cuh")),
	("tables.cuh", include_str!("../../../cuda/tables.cuh")),
];

#[cfg(test)]
mod tests {
	use super::*;
	use crate::device::{Count, LoraColumns, Weights};

	const CONFIG: Config = Config {
		processors: 132,
		counters: Ptr(1 << 19),
		workspace: Ptr(1 << 20),
		workspace_bytes: 64 << 20,
	};

	/// Threads that the sources say a kernel's blocks have.
	fn threads(kernel: &str) -> u32 {
		let mut name = format!(") {kernel}(");
		if let Some((_, of)) = kernel.split_once("gemm_rows") {
			let rows = of.split('_').next().unwrap_or("");
			name = format!(") gemm_rows{rows}_##name(");
		}
		let found = SOURCES
			.iter()
			.flat_map(|(_, source)| source.lines())
			.find(|line| line.contains("KERNEL(") && line.contains(&name));
		let number = found
			.and_then(|line| line.split("KERNEL(").nth(1))
			.and_then(|rest| rest.split(',').next());
		number
			.and_then(|number| number.parse().ok())
			.unwrap_or_else(|| panic!("{kernel} is not in the sources"))
	}

	fn launches(op: impl Into<Op>) -> Vec<Launch> {
		let mut all = Vec::new();
		lower(&CONFIG, &op.into(), |work| match work {
			Work::Kernel(launch) => all.push(launch),
			other => panic!("{other:?}"),
		});
		for launch in &all {
			assert!(KERNELS.contains(&launch.kernel), "{}", launch.kernel);
			assert_eq!(launch.threads, threads(launch.kernel), "{}", launch.kernel);
			assert!(launch.grid[1] <= 65_535 && launch.grid[2] <= 65_535);
			assert!(launch.shared as usize <= TILE_SHARED);
		}
		all
	}

	fn product(format: WeightFormat, out: Element, rows: usize, n: usize, k: usize) -> Gemm {
		Gemm {
			element: match format {
				WeightFormat::F32 => Element::F32,
				_ => Element::Bf16,
			},
			x: Ptr(16),
			weights: Weights {
				format,
				data: Ptr(32),
				scales: Ptr(48),
				n,
				k,
			},
			out,
			y: Ptr(64),
			rows: Count {
				at: Ptr(80),
				most: rows,
			},
			library: false,
		}
	}

	#[test]
	fn grids_should_cover_every_row_and_output_and_keep_the_device_busy() {
		for format in [WeightFormat::F32, WeightFormat::Bf16, WeightFormat::Int8] {
			for out in [Element::Bf16, Element::F32] {
				if format == WeightFormat::F32 && out == Element::Bf16 {
					continue;
				}
				for rows in [0, 1, 8, 9, 16, 17, 64, 65, 256, 4096] {
					for n in [1, 64, 4096, 6144, 8193, 28_672, 128_256] {
						let all = launches(product(format, out, rows, n, 4096));
						let Some(first) = all.first() else {
							assert_eq!(rows, 0);
							continue;
						};
						let [x, y, z] = first.grid.map(|g| g as usize);
						let (per_x, per_y) = match first.kernel {
							"gemm_f32" => (8, 1),
							name if name.starts_with("gemm_rows8_") => (8 / spans(n) * 32, 8),
							name if name.starts_with("gemm_rows16_") => (8 / spans(n) * 32, 16),
							_ => (128, 64),
						};
						assert!(x * per_x >= n && (x - 1) * per_x < n);
						assert!(y * per_y >= rows && (y - 1) * per_y < rows);
						assert!(z <= spans(n) && spans(n).is_multiple_of(z));
						assert_eq!(all.len(), 1);
						if z > 1 {
							assert!(spans(n) * rows * n * 4 <= CONFIG.workspace_bytes);
							assert!(x * y <= COUNTERS);
						}
						if rows >= 17 && n >= 4096 && format == WeightFormat::Bf16 {
							assert!(x * y * z >= 132, "{rows} {n}: {x} {y} {z}");
						}
					}
				}
			}
		}
	}

	#[test]
	fn the_host_and_the_kernels_should_cut_sums_alike() {
		let source = include_str!("../../../cuda/gemm.cu");
		assert!(source.contains("return n <= 8192 ? 8 : n <= 32768 ? 4 : 2;"));
		for (n, want) in [(1, 8), (8192, 8), (8193, 4), (32_768, 4), (32_769, 2)] {
			assert_eq!(spans(n), want);
		}
		assert!(source.contains("STAGES = 4, TILE_N = 128, TILE_ROWS = 64"));
		let source = include_str!("../../../cuda/lora.cu");
		assert!(source.contains("constexpr u32 TILE = 512;"));
	}

	#[test]
	fn row_wise_operations_should_have_a_block_for_every_row() {
		let rows = Count {
			at: Ptr(16),
			most: 33,
		};
		let layout = crate::KvLayout {
			layers: 1,
			kv_heads: 2,
			head_dim: 64,
			page_tokens: 16,
		};
		let at = Ptr(32);
		for element in [Element::F32, Element::Bf16] {
			let ops: [Op; 4] = [
				crate::device::RmsNorm {
					element,
					x: at,
					add: None,
					weight: at,
					eps: 1e-5,
					width: 4096,
					gather: None,
					rows,
					out: at,
				}
				.into(),
				crate::device::Rope {
					element,
					qkv: at,
					rows,
					heads: 8,
					kv_heads: 2,
					head_dim: 64,
					bias: None,
					norms: None,
					table: None,
					table_len: 0,
					positions: at,
					append: crate::device::Append {
						pages: at,
						layout,
						layer: 0,
					},
				}
				.into(),
				crate::device::SiluMul {
					element,
					gate_up: at,
					rows,
					width: 1000,
					out: at,
				}
				.into(),
				crate::device::Sample {
					logits: at,
					vocabulary: 1000,
					rows,
					how: at,
					tokens: at,
				}
				.into(),
			];
			for (op, grid) in ops
				.into_iter()
				.zip([[33, 1, 1], [33, 1, 1], [4, 33, 1], [33, 1, 1]])
			{
				let all = launches(op);
				assert_eq!((all.len(), all[0].grid), (1, grid));
			}
			for head_dim in [48, 64, 128] {
				let all = launches(Attention {
					element,
					qkv: at,
					out: at,
					rows: 40,
					heads: 8,
					layout: crate::KvLayout { head_dim, ..layout },
					layer: 0,
					work: at,
					works: Count { most: 50, ..rows },
					merge: at,
					merges: rows,
					tile: at,
					tiles: Count { most: 0, ..rows },
					positions: 4096,
					partial: at,
					partials: 200,
				});
				let across = match (element, head_dim) {
					(Element::Bf16, 64 | 128) => 2,
					_ => 8,
				};
				let grids: Vec<[u32; 3]> = all.iter().map(|l| l.grid).collect();
				assert_eq!(grids, [[50, across, 1], [33, 8, 1]]);
			}
		}
	}

	#[test]
	fn updates_should_have_blocks_for_every_rank_and_column() {
		let slice = |column, width| LoraColumns { column, width };
		let op = Lora {
			element: Element::Bf16,
			chunks: Ptr(16),
			count: Count {
				at: Ptr(32),
				most: 70,
			},
			entry: 3,
			x: Ptr(48),
			k: 4096,
			out: Element::Bf16,
			y: Ptr(64),
			n: 6144,
			rows: 64,
			slices: [slice(0, 4096), slice(4096, 1024), slice(5120, 1024)],
			slice_count: 3,
			inner: Ptr(80),
			inner_len: 64 * 48,
			ranks: 48,
		};
		let all = launches(op);
		assert_eq!(all[0].grid, [70, 3, 1]);
		assert_eq!(all[1].grid, [70, 8 + 2 + 2, 1]);
		let args = |launch: &Launch| {
			let bytes: Vec<u8> = launch
				.arguments
				.iter()
				.flat_map(|word| word.to_le_bytes())
				.collect();
			LoraArgs::read(&bytes[..launch.bytes])
		};
		for launch in &all {
			let args = args(launch);
			assert_eq!(args.width, [4096, 1024, 1024]);
			assert_eq!(args.column, [0, 4096, 5120]);
			assert_eq!(
				(args.k, args.n, args.entry, args.slices),
				(4096, 6144, 3, 3)
			);
		}
		assert_eq!(launches(Lora { ranks: 0, ..op }).len(), 1);
		let none = Count {
			at: Ptr(32),
			most: 0,
		};
		assert!(launches(Lora { count: none, ..op }).is_empty());
	}
}
