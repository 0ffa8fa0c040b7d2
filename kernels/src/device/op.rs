//! The operations, what they mean, and which shapes they can do.
//!
//! All matrices are row-major. An activation is of the operation's `element`; sums are f32 whatever that is.

use super::{
	tables::{
		DecodeRow, DecodeWork, Entry, LoraChunk, PrefillTile, SampleRow, MAX_SLICES, TILE_PAIRS,
	},
	Arena, DeviceError, Ptr, Stream,
};
use crate::KvLayout;

/// Type of activations, of keys and values, and of adapters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
	/// f32: for tests and comparisons.
	F32,
	/// bfloat16.
	Bf16,
}

impl Element {
	/// Bytes of a value.
	pub fn bytes(self) -> usize {
		match self {
			Self::F32 => 4,
			Self::Bf16 => 2,
		}
	}
}

/// How a weight matrix is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WeightFormat {
	/// f32; only with f32 activations.
	F32,
	/// bfloat16; only with bf16 activations.
	Bf16,
	/// Signed bytes, and one f32 scale for each row of the matrix.
	Int8,
}

impl WeightFormat {
	/// Bytes of a weight, without its scale.
	pub fn bytes(self) -> usize {
		match self {
			Self::F32 => 4,
			Self::Bf16 => 2,
			Self::Int8 => 1,
		}
	}
}

/// A weight matrix of `n` rows (outputs) of `k` (inputs), as checkpoints have it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
	/// How it is stored.
	pub format: WeightFormat,
	/// `[n, k]`, aligned to 16 bytes.
	pub data: Ptr,
	/// For [`WeightFormat::Int8`]: f32 `[n]`. Otherwise nowhere.
	pub scales: Ptr,
	/// Outputs.
	pub n: usize,
	/// Inputs: for bf16 a multiple of 8, for int8 of 16.
	pub k: usize,
}

impl Weights {
	/// Bytes of the matrix and its scales: what a step must read of it.
	pub fn bytes(&self) -> usize {
		let scales = match self.format {
			WeightFormat::Int8 => self.n * 4,
			_ => 0,
		};
		self.n * self.k * self.format.bytes() + scales
	}
}

/// A number that the host writes into a table for every step, and the most it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
	/// Where it is: a u32.
	pub at: Ptr,
	/// Rows of the table it counts, or rows the buffers have: grids are made for this many.
	pub most: usize,
}

/// `out[r] = table[tokens[r]]`: the residual stream's beginning, f32.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Embed {
	/// The embedding: `n` tokens of width `k`. Any format, whatever the activations are.
	pub table: Weights,
	/// u32 `[rows]`; tokens beyond the table are taken as its last.
	pub tokens: Ptr,
	/// Rows.
	pub rows: Count,
	/// f32 `[rows, k]`.
	pub out: Ptr,
}

/// `x[r] += add[r]`, then `out[i] = x[r] / sqrt(mean(x[r]²) + eps) · weight`, where `r` is `gather[i]` or `i`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsNorm {
	/// Type of `add` and `out`.
	pub element: Element,
	/// The residual stream, f32 `[.., width]`; written only if there is something to add.
	pub x: Ptr,
	/// `[rows, width]`. Not together with `gather`.
	pub add: Option<Ptr>,
	/// f32 `[width]`.
	pub weight: Ptr,
	/// Added to the mean square.
	pub eps: f32,
	/// Width of a row.
	pub width: usize,
	/// u32 `[rows]`: which rows of `x` are wanted.
	pub gather: Option<Ptr>,
	/// Rows of `out`.
	pub rows: Count,
	/// `[rows, width]`.
	pub out: Ptr,
}

/// `y[r] = x[r] · weightsᵀ`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gemm {
	/// Type of `x`: f32 for f32 weights, otherwise bf16.
	pub element: Element,
	/// `[rows, k]`, aligned to 16 bytes.
	pub x: Ptr,
	/// The weights.
	pub weights: Weights,
	/// Type of `y`: `element`, or f32 (for logits).
	pub out: Element,
	/// `[rows, n]`.
	pub y: Ptr,
	/// Rows.
	pub rows: Count,
	/// By the vendor's library instead of this one's kernels: only bf16 weights. It computes all `rows.most` rows, and
	/// a row's bits then depend on `rows.most`: never on other rows' values, but on how a prompt was cut.
	pub library: bool,
}

/// Weights of the norms of every query and key head (Qwen3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadNorms {
	/// f32 `[head_dim]`.
	pub q: Ptr,
	/// f32 `[head_dim]`.
	pub k: Ptr,
	/// Added to the mean square.
	pub eps: f32,
}

/// Where a row's keys and values go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Append {
	/// Address of each row's page, u64 `[rows]`; its place in the page is the row's position modulo `page_tokens`.
	pub pages: Ptr,
	/// How a page is laid out, in values of the operation's `element`.
	pub layout: KvLayout,
	/// Layer.
	pub layer: usize,
}

/// What happens to q, k and v between their product and attention: bias, norms of heads, rotation of queries and
/// keys (element `i` of a head pairs with `i + head_dim / 2`), and keys and values put into their page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rope {
	/// Type of `qkv`, and of keys and values.
	pub element: Element,
	/// `[rows, (heads + 2 · kv_heads) · head_dim]`, in place.
	pub qkv: Ptr,
	/// Rows.
	pub rows: Count,
	/// Query heads.
	pub heads: usize,
	/// Key/value heads.
	pub kv_heads: usize,
	/// Values of a head; even.
	pub head_dim: usize,
	/// f32 `[(heads + 2 · kv_heads) · head_dim]`, added first.
	pub bias: Option<Ptr>,
	/// Norms, second.
	pub norms: Option<HeadNorms>,
	/// f32 `[positions, head_dim]`: `head_dim / 2` cosines, then as many sines. Without it nothing is rotated.
	pub table: Option<Ptr>,
	/// Positions of the table; rows beyond are taken as its last.
	pub table_len: usize,
	/// u32 `[rows]`.
	pub positions: Ptr,
	/// Where keys and values go.
	pub append: Append,
}

/// Causal attention of rows over their sequences' pages: decoding rows split over the context and merged, prompts in
/// tiles. `out[r, h] = Σ softmax(q · kᵀ / √head_dim) · v`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
	/// Type of everything but `partial`.
	pub element: Element,
	/// The queries: rows of `(heads + 2 · kv_heads) · head_dim`, of which the first `heads · head_dim` count.
	pub qkv: Ptr,
	/// `[rows, heads · head_dim]`.
	pub out: Ptr,
	/// Rows that `qkv` and `out` have.
	pub rows: usize,
	/// Query heads.
	pub heads: usize,
	/// How pages are laid out. `page_tokens` is a multiple of 16.
	pub layout: KvLayout,
	/// Layer.
	pub layer: usize,
	/// [`DecodeWork`]s.
	pub work: Ptr,
	/// How many.
	pub works: Count,
	/// [`DecodeRow`]s.
	pub merge: Ptr,
	/// How many.
	pub merges: Count,
	/// [`PrefillTile`]s.
	pub tile: Ptr,
	/// How many.
	pub tiles: Count,
	/// Most positions any row sees: what the twin checks page tables against.
	pub positions: usize,
	/// f32, for partial results: [`Attention::partial_bytes`] for the most partial results of a step.
	pub partial: Ptr,
	/// Partial results that fit.
	pub partials: usize,
}

impl Attention {
	/// Bytes that `partials` partial results take: for each head its largest score, its sum, and its values.
	pub fn partial_bytes(partials: usize, heads: usize, head_dim: usize) -> usize {
		partials * heads * (head_dim + 2) * 4
	}

	/// Rows of a prefill tile.
	pub fn tile_rows(heads: usize, kv_heads: usize) -> usize {
		super::tables::PREFILL_WARPS * (TILE_PAIRS / (heads / kv_heads.max(1)).max(1))
	}
}

/// Columns of `y` that a slice of a fused site has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoraColumns {
	/// First column; a multiple of 8.
	pub column: usize,
	/// Columns; a multiple of 8.
	pub width: usize,
}

/// The update of one site for all rows that use adapters: for each slice,
/// `y[r] = y[r] · (1 + factor · gain) + (scale · factor · x[r] · Aᵀ) · Bᵀ`. Rows in no chunk are not touched.
///
/// `y` must hold what the base computed and nothing else where an adapter has gains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lora {
	/// Type of `x`, of the adapters' weights, and of `inner`.
	pub element: Element,
	/// [`LoraChunk`]s.
	pub chunks: Ptr,
	/// How many.
	pub count: Count,
	/// Which [`LoraEntry`](super::tables::LoraEntry) of each adapter's table: layer times the sites of a layer, plus
	/// the site.
	pub entry: usize,
	/// `[rows, k]`.
	pub x: Ptr,
	/// Inputs; for bf16 a multiple of 8.
	pub k: usize,
	/// Type of `y`.
	pub out: Element,
	/// `[rows, n]`.
	pub y: Ptr,
	/// Columns of a row of `y`.
	pub n: usize,
	/// Rows that `x` and `y` have.
	pub rows: usize,
	/// The slices, as many as [`Lora::slice_count`].
	pub slices: [LoraColumns; MAX_SLICES],
	/// Slices of the site.
	pub slice_count: usize,
	/// Values between updates, `inner_len` of them, of type `element`.
	pub inner: Ptr,
	/// Size of `inner` in values.
	pub inner_len: usize,
	/// Largest sum of ranks of a chunk that the grid is made for.
	pub ranks: usize,
}

/// `out = silu(gate) · up` for rows that hold `width` gates and then `width` ups.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SiluMul {
	/// Type of everything.
	pub element: Element,
	/// `[rows, 2 · width]`.
	pub gate_up: Ptr,
	/// Rows.
	pub rows: Count,
	/// Columns of `out`.
	pub width: usize,
	/// `[rows, width]`.
	pub out: Ptr,
}

/// Draws a token for each row.
///
/// Of equally likely tokens the first counts as the more likely. Among the `top_k` most likely tokens, those are kept
/// that are needed to reach `top_p` of their mass; the token is the first, in the order of tokens, at which the mass
/// of those kept exceeds `random` of their sum. Masses are counted in units of 2⁻³² of the most likely token's, so
/// their sums are exact. A row with no finite logit gives token 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
	/// f32 `[rows, vocabulary]`.
	pub logits: Ptr,
	/// Tokens; at most 2²⁴.
	pub vocabulary: usize,
	/// Rows.
	pub rows: Count,
	/// [`SampleRow`]s `[rows]`.
	pub how: Ptr,
	/// u32 `[rows]`.
	pub tokens: Ptr,
}

/// `to[i] = from[i]`, rounded to the nearest even if `to` is narrower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Convert {
	/// Values.
	pub from: Ptr,
	/// Their type.
	pub from_element: Element,
	/// Where to.
	pub to: Ptr,
	/// Which type they get.
	pub to_element: Element,
	/// How many.
	pub len: usize,
}

/// Copies bytes within the arena; the places do not overlap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Copy {
	/// Where from.
	pub from: Ptr,
	/// Where to.
	pub to: Ptr,
	/// How many bytes.
	pub bytes: usize,
}

/// One launch.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Op {
	Embed(Embed),
	RmsNorm(RmsNorm),
	Gemm(Gemm),
	Rope(Rope),
	Attention(Attention),
	Lora(Lora),
	SiluMul(SiluMul),
	Sample(Sample),
	Convert(Convert),
	Copy(Copy),
}

macro_rules! ops {
	($($name:ident),*) => {$(
		impl From<$name> for Op {
			fn from(op: $name) -> Self {
				Self::$name(op)
			}
		}
	)*};
}

ops!(Embed, RmsNorm, Gemm, Rope, Attention, Lora, SiluMul, Sample, Convert, Copy);

/// Largest extent of anything: products of a few stay within 64 bits, and grids within what devices can do.
const MOST: usize = 1 << 31;

/// Most rows of a table that a grid's second axis runs over.
const MOST_ROWS: usize = 65_535;

/// Checks operands one by one; the first problem counts.
struct Checker {
	op: &'static str,
	arena: Arena,
}

impl Checker {
	fn shape(&self, right: bool, why: impl FnOnce() -> String) -> Result<(), DeviceError> {
		match right {
			true => Ok(()),
			false => Err(DeviceError::shape(self.op, why())),
		}
	}

	fn extent(&self, name: &str, value: usize, multiple: usize) -> Result<(), DeviceError> {
		self.shape(
			value > 0 && value < MOST && value.is_multiple_of(multiple),
			|| format!("{name} is {value}; it must be above zero and a multiple of {multiple}"),
		)
	}

	/// `factors` multiplied, in bytes.
	fn operand(
		&self,
		what: &'static str,
		at: Ptr,
		factors: &[usize],
		align: u64,
	) -> Result<(), DeviceError> {
		let bytes = factors.iter().try_fold(1usize, |a, b| a.checked_mul(*b));
		let bytes = bytes.unwrap_or(usize::MAX);
		if self.arena.holds(at, bytes) && at.0.is_multiple_of(align) {
			return Ok(());
		}
		Err(DeviceError::Outside { what, at, bytes })
	}

	fn count(&self, what: &'static str, count: Count) -> Result<(), DeviceError> {
		self.shape(count.most <= MOST_ROWS, || {
			format!(
				"{what} has room for {}; {MOST_ROWS} is the most",
				count.most
			)
		})?;
		self.operand(what, count.at, &[4], 4)
	}

	fn weights(&self, weights: &Weights) -> Result<(), DeviceError> {
		self.extent("n", weights.n, 1)?;
		let multiple = match weights.format {
			WeightFormat::F32 => 1,
			WeightFormat::Bf16 => 8,
			WeightFormat::Int8 => 16,
		};
		self.extent("k", weights.k, multiple)?;
		let size = [weights.n, weights.k, weights.format.bytes()];
		self.operand("weights", weights.data, &size, 16)?;
		match weights.format {
			WeightFormat::Int8 => self.operand("scales", weights.scales, &[weights.n, 4], 4),
			_ => Ok(()),
		}
	}

	fn heads(&self, heads: usize, kv_heads: usize, head_dim: usize) -> Result<(), DeviceError> {
		self.extent("heads", heads, 1)?;
		self.extent("kv_heads", kv_heads, 1)?;
		self.extent("head_dim", head_dim, 2)?;
		self.shape(head_dim <= 256, || {
			format!("head_dim is {head_dim}; 256 is the most")
		})?;
		let group = heads / kv_heads;
		self.shape(
			group * kv_heads == heads && group <= TILE_PAIRS,
			|| format!("{heads} query heads for {kv_heads} kv heads; they must be 1 to {TILE_PAIRS} times as many"),
		)
	}

	fn layout(&self, layout: &KvLayout, layer: usize) -> Result<(), DeviceError> {
		self.extent("page_tokens", layout.page_tokens, 16)?;
		self.shape(layer < layout.layers, || {
			format!("layer {layer} of a page with {}", layout.layers)
		})
	}
}

impl Op {
	/// Its name.
	pub fn name(&self) -> &'static str {
		match self {
			Self::Embed(_) => "embed",
			Self::RmsNorm(_) => "rms_norm",
			Self::Gemm(_) => "gemm",
			Self::Rope(_) => "rope",
			Self::Attention(_) => "attention",
			Self::Lora(_) => "lora",
			Self::SiluMul(_) => "silu_mul",
			Self::Sample(_) => "sample",
			Self::Convert(_) => "convert",
			Self::Copy(_) => "copy",
		}
	}

	/// Products share a workspace, so they stay on one stream.
	pub(crate) fn check_stream(&self, stream: Stream) -> Result<(), DeviceError> {
		match (self, stream) {
			(Self::Gemm(_), Stream::Load) => Err(DeviceError::shape(
				self.name(),
				"products run on the compute stream",
			)),
			_ => Ok(()),
		}
	}

	/// Checks what can be known without the tables: shapes, alignment, and that every operand lies in the arena at
	/// its largest.
	///
	/// # Errors
	/// [`DeviceError::Shape`], [`DeviceError::Outside`].
	pub fn check(&self, arena: Arena) -> Result<(), DeviceError> {
		let c = Checker {
			op: self.name(),
			arena,
		};
		match self {
			Self::Embed(op) => {
				c.weights(&op.table)?;
				c.count("rows", op.rows)?;
				c.operand("tokens", op.tokens, &[op.rows.most, 4], 4)?;
				c.operand("out", op.out, &[op.rows.most, op.table.k, 4], 16)
			}
			Self::RmsNorm(op) => {
				c.extent("width", op.width, 1)?;
				c.shape(op.width <= 1 << 16, || {
					format!("width is {}; 65536 is the most", op.width)
				})?;
				c.count("rows", op.rows)?;
				c.operand("weight", op.weight, &[op.width, 4], 16)?;
				// What `gather` points at is the plan's to say.
				let rows = if op.gather.is_some() { 1 } else { op.rows.most };
				c.operand("x", op.x, &[rows, op.width, 4], 16)?;
				let size = [op.rows.most, op.width, op.element.bytes()];
				if let Some(add) = op.add {
					c.shape(op.gather.is_none(), || {
						"add and gather exclude each other".into()
					})?;
					c.operand("add", add, &size, 16)?;
				}
				if let Some(gather) = op.gather {
					c.operand("gather", gather, &[op.rows.most, 4], 4)?;
				}
				c.operand("out", op.out, &size, 16)
			}
			Self::Gemm(op) => {
				c.weights(&op.weights)?;
				c.count("rows", op.rows)?;
				let fits = match op.weights.format {
					WeightFormat::F32 => op.element == Element::F32,
					_ => op.element == Element::Bf16,
				};
				c.shape(fits, || {
					"f32 weights need f32 activations, all others bf16".into()
				})?;
				c.shape(op.out == op.element || op.out == Element::F32, || {
					"y is of the activations' type or f32".into()
				})?;
				c.shape(
					!op.library || op.weights.format == WeightFormat::Bf16,
					|| "the library multiplies bf16 weights only".into(),
				)?;
				let (k, n) = (op.weights.k, op.weights.n);
				c.operand("x", op.x, &[op.rows.most, k, op.element.bytes()], 16)?;
				c.operand("y", op.y, &[op.rows.most, n, op.out.bytes()], 16)
			}
			Self::Rope(op) => {
				c.heads(op.heads, op.kv_heads, op.head_dim)?;
				c.layout(&op.append.layout, op.append.layer)?;
				let layout = &op.append.layout;
				c.shape(
					layout.kv_heads == op.kv_heads && layout.head_dim == op.head_dim,
					|| "the pages are for other heads".into(),
				)?;
				c.count("rows", op.rows)?;
				let width = (op.heads + 2 * op.kv_heads) * op.head_dim;
				let size = [op.rows.most, width, op.element.bytes()];
				c.operand("qkv", op.qkv, &size, 16)?;
				if let Some(bias) = op.bias {
					c.operand("bias", bias, &[width, 4], 4)?;
				}
				if let Some(norms) = op.norms {
					c.operand("q norm", norms.q, &[op.head_dim, 4], 4)?;
					c.operand("k norm", norms.k, &[op.head_dim, 4], 4)?;
				}
				if let Some(table) = op.table {
					c.extent("table_len", op.table_len, 1)?;
					c.operand("rope table", table, &[op.table_len, op.head_dim, 4], 4)?;
				}
				c.operand("positions", op.positions, &[op.rows.most, 4], 4)?;
				c.operand("pages", op.append.pages, &[op.rows.most, 8], 8)
			}
			Self::Attention(op) => {
				let (kv_heads, dim) = (op.layout.kv_heads, op.layout.head_dim);
				c.heads(op.heads, kv_heads, dim)?;
				c.layout(&op.layout, op.layer)?;
				c.shape(op.rows < MOST && op.positions < MOST, || "too large".into())?;
				let size = op.element.bytes();
				let width = (op.heads + 2 * kv_heads) * dim;
				c.operand("qkv", op.qkv, &[op.rows, width, size], 16)?;
				c.operand("out", op.out, &[op.rows, op.heads * dim, size], 16)?;
				for (name, at, count, bytes) in [
					("decode work", op.work, op.works, DecodeWork::BYTES),
					("decode rows", op.merge, op.merges, DecodeRow::BYTES),
					("prefill tiles", op.tile, op.tiles, PrefillTile::BYTES),
				] {
					c.count(name, count)?;
					c.operand(name, at, &[count.most, bytes], 8)?;
				}
				let partial = [op.partials, op.heads, dim + 2, 4];
				c.operand("partial results", op.partial, &partial, 16)
			}
			Self::Lora(op) => {
				let multiple = match op.element {
					Element::F32 => 1,
					Element::Bf16 => 8,
				};
				c.extent("k", op.k, multiple)?;
				c.extent("n", op.n, multiple)?;
				c.shape(op.slice_count <= MAX_SLICES, || {
					format!("{} slices; {MAX_SLICES} is the most", op.slice_count)
				})?;
				for slice in &op.slices[..op.slice_count] {
					c.extent("the width of a slice", slice.width, multiple)?;
					let end = slice.column.checked_add(slice.width);
					c.shape(
						slice.column.is_multiple_of(multiple) && end.is_some_and(|end| end <= op.n),
						|| format!("a slice of {slice:?} in rows of {}", op.n),
					)?;
				}
				c.shape(op.ranks <= 1 << 14, || {
					format!("ranks are {}; 16384 is the most", op.ranks)
				})?;
				c.shape(op.out == op.element || op.out == Element::F32, || {
					"y is of the activations' type or f32".into()
				})?;
				c.count("chunks", op.count)?;
				c.operand("chunks", op.chunks, &[op.count.most, LoraChunk::BYTES], 8)?;
				c.operand("x", op.x, &[op.rows, op.k, op.element.bytes()], 16)?;
				c.operand("y", op.y, &[op.rows, op.n, op.out.bytes()], 16)?;
				c.operand("inner", op.inner, &[op.inner_len, op.element.bytes()], 16)
			}
			Self::SiluMul(op) => {
				c.extent("width", op.width, 1)?;
				c.count("rows", op.rows)?;
				let (rows, size) = (op.rows.most, op.element.bytes());
				c.operand("gate_up", op.gate_up, &[rows, 2, op.width, size], 16)?;
				c.operand("out", op.out, &[rows, op.width, size], 16)
			}
			Self::Sample(op) => {
				c.extent("vocabulary", op.vocabulary, 1)?;
				c.shape(op.vocabulary <= 1 << 24, || {
					format!("{} tokens; 2^24 is the most", op.vocabulary)
				})?;
				c.count("rows", op.rows)?;
				c.operand("logits", op.logits, &[op.rows.most, op.vocabulary, 4], 4)?;
				c.operand("how", op.how, &[op.rows.most, SampleRow::BYTES], 4)?;
				c.operand("tokens", op.tokens, &[op.rows.most, 4], 4)
			}
			Self::Convert(op) => {
				let (from, to) = (op.from_element.bytes(), op.to_element.bytes());
				c.operand("from", op.from, &[op.len, from], from as u64)?;
				c.operand("to", op.to, &[op.len, to], to as u64)
			}
			Self::Copy(op) => {
				c.operand("from", op.from, &[op.bytes], 1)?;
				c.operand("to", op.to, &[op.bytes], 1)
			}
		}
	}
}
