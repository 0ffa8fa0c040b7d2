//! What a step's tables say: from the items of a batch to bytes, on the host, without a device.
//!
//! A [`Layout`] fixes where each table lies in one buffer for a given [`Capacity`], so that launches (and captured
//! graphs) of that capacity never change. [`Layout::fill`] writes the buffer for one step.

use std::ops::Range;

use super::{
	tables::{
		DecodeRow, DecodeWork, Entry, LoraChunk, PrefillTile, CHUNK_ROWS, SPLIT_POSITIONS,
		WORK_SPLITS,
	},
	Attention, Count, Ptr,
};

/// An adapter (or a member of a weighted set) on the device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlanAdapter {
	/// Its [`LoraEntry`](super::tables::LoraEntry)s.
	pub table: Ptr,
	/// The largest sum of ranks of any of its sites.
	pub ranks: usize,
	/// Factor of all it does.
	pub factor: f32,
}

/// Consecutive new tokens of one sequence.
#[derive(Clone, Copy, Debug)]
pub struct PlanItem<'a> {
	/// The tokens; at least one.
	pub tokens: &'a [u32],
	/// Position of the first.
	pub position: usize,
	/// The sequence's pages from its beginning, those for the new tokens included.
	pub pages: &'a [Ptr],
	/// Its adapter; several for a weighted set, applied in order; none for the base model.
	pub adapters: &'a [PlanAdapter],
	/// Whether the logits after the last token are wanted.
	pub logits: bool,
}

/// What the tables and buffers of a step have room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Capacity {
	/// Rows (tokens).
	pub rows: usize,
	/// Items, and so rows whose logits are wanted.
	pub items: usize,
	/// Entries in all page tables.
	pub pages: usize,
	/// Partial results of attention: [`Capacity::splits`] for each item that decodes.
	pub partials: usize,
	/// Updates a row has at most: 1, or the members of the largest set; 0 without adapters.
	pub depth: usize,
	/// Largest sum of ranks of an adapter's site.
	pub ranks: usize,
}

impl Capacity {
	/// Splits of a context of `len` positions.
	pub fn splits(len: usize) -> usize {
		len.div_ceil(SPLIT_POSITIONS)
	}

	/// Decode works that can be needed.
	fn works(&self) -> usize {
		// An item's splits are cut into works; the last of each may be short.
		(self.partials / WORK_SPLITS + self.items).min(self.partials)
	}

	/// Prefill tiles that can be needed when a tile takes one row or more.
	fn tiles(&self, tile_rows: usize) -> usize {
		(self.rows / tile_rows.max(1) + self.items).min(self.rows)
	}

	/// Chunks of one depth that can be needed.
	fn chunks(&self) -> usize {
		match self.depth {
			0 => 0,
			_ => (self.rows / CHUNK_ROWS + self.items).min(self.rows),
		}
	}
}

/// Why a step cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanError {
	/// The step has more of something than the capacity.
	TooMany {
		/// Of what.
		what: &'static str,
		/// How many there are.
		needed: usize,
		/// How many there is room for.
		capacity: usize,
	},
	/// An item contradicts itself.
	Item {
		/// Which.
		index: usize,
		/// What is wrong.
		why: &'static str,
	},
}

impl std::fmt::Display for PlanError {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		match self {
			Self::TooMany {
				what,
				needed,
				capacity,
			} => write!(f, "a step of {needed} {what} where {capacity} fit"),
			Self::Item { index, why } => write!(f, "item {index} of the step {why}"),
		}
	}
}

impl std::error::Error for PlanError {}

/// How a model's attention is cut, as far as plans depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
	/// Query heads.
	pub heads: usize,
	/// Key/value heads.
	pub kv_heads: usize,
	/// Positions in a page.
	pub page_tokens: usize,
}

/// Where the tables of a step lie in their buffer, in bytes from its beginning. Offsets are multiples of 16.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
	capacity: Capacity,
	shape: Shape,
	/// u32: rows, wanted rows, decode works, decode rows, prefill tiles, then chunks and head chunks of each depth.
	counts: usize,
	tokens: usize,
	positions: usize,
	row_pages: usize,
	wanted: usize,
	pages: usize,
	works: usize,
	merges: usize,
	tiles: usize,
	/// Of each depth: chunks over the rows of the batch, and over the rows whose logits are wanted.
	chunks: Vec<[usize; 2]>,
	bytes: usize,
}

/// Numbers before those of the chunks.
const FIXED_COUNTS: usize = 5;

/// What a filled step consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filled {
	/// Rows.
	pub rows: usize,
	/// Rows whose logits are wanted.
	pub wanted: usize,
	/// Decode works.
	pub works: usize,
	/// Rows that decode.
	pub merges: usize,
	/// Partial results.
	pub partials: usize,
	/// Prefill tiles.
	pub tiles: usize,
	/// Chunks of the first depth.
	pub chunks: usize,
	/// Updates of the row that has the most.
	pub depth: usize,
	/// Entries of the page tables.
	pub pages: usize,
}

/// A table that is being written.
struct Table {
	at: usize,
	len: usize,
	most: usize,
	what: &'static str,
}

impl Table {
	fn new(at: usize, most: usize, what: &'static str) -> Self {
		Self {
			at,
			len: 0,
			most,
			what,
		}
	}

	fn push<T: Entry>(&mut self, out: &mut [u8], entry: T) -> Result<(), PlanError> {
		if self.len == self.most {
			return Err(PlanError::TooMany {
				what: self.what,
				needed: self.len + 1,
				capacity: self.most,
			});
		}
		let at = self.at + self.len * T::BYTES;
		entry.write(&mut out[at..at + T::BYTES]);
		self.len += 1;
		Ok(())
	}
}

/// Rows that share their adapters.
struct Segment<'a> {
	rows: Range<usize>,
	heads: Range<usize>,
	adapters: &'a [PlanAdapter],
}

/// Numbers that tables hold.
fn small(value: usize) -> u32 {
	u32::try_from(value).unwrap_or(u32::MAX)
}

impl Layout {
	/// Lays the tables out.
	pub fn new(shape: Shape, capacity: Capacity) -> Self {
		let mut bytes = 0;
		let mut take = |entries: usize, size: usize| {
			let at = bytes;
			bytes = (at + entries * size).next_multiple_of(16);
			at
		};
		let tile_rows = Attention::tile_rows(shape.heads, shape.kv_heads);
		Self {
			counts: take(FIXED_COUNTS + 2 * capacity.depth, 4),
			tokens: take(capacity.rows, 4),
			positions: take(capacity.rows, 4),
			row_pages: take(capacity.rows, 8),
			wanted: take(capacity.items, 4),
			pages: take(capacity.pages, 8),
			works: take(capacity.works(), DecodeWork::BYTES),
			merges: take(capacity.items, DecodeRow::BYTES),
			tiles: take(capacity.tiles(tile_rows), PrefillTile::BYTES),
			chunks: (0..capacity.depth)
				.map(|_| {
					[
						take(capacity.chunks(), LoraChunk::BYTES),
						take(capacity.items, LoraChunk::BYTES),
					]
				})
				.collect(),
			bytes,
			capacity,
			shape,
		}
	}

	/// Size of the buffer.
	pub fn bytes(&self) -> usize {
		self.bytes
	}

	/// What it was made for.
	pub fn capacity(&self) -> &Capacity {
		&self.capacity
	}

	/// The tables of a buffer at `base`, for launches.
	pub fn tables(&self, base: Ptr) -> Tables {
		let c = &self.capacity;
		let count = |index: usize, most: usize| Count {
			at: base.at(self.counts + 4 * index),
			most,
		};
		let tile_rows = Attention::tile_rows(self.shape.heads, self.shape.kv_heads);
		Tables {
			rows: count(0, c.rows),
			tokens: base.at(self.tokens),
			positions: base.at(self.positions),
			row_pages: base.at(self.row_pages),
			wanted: base.at(self.wanted),
			wanted_count: count(1, c.items),
			work: base.at(self.works),
			works: count(2, c.works()),
			merge: base.at(self.merges),
			merges: count(3, c.items),
			tile: base.at(self.tiles),
			tiles: count(4, c.tiles(tile_rows)),
			chunks: self
				.chunks
				.iter()
				.enumerate()
				.map(|(depth, at)| ChunkTables {
					rows: base.at(at[0]),
					row_count: count(FIXED_COUNTS + 2 * depth, c.chunks()),
					heads: base.at(at[1]),
					head_count: count(FIXED_COUNTS + 2 * depth + 1, c.items),
				})
				.collect(),
			inner_len: self.inner_len(),
		}
	}

	/// Writes the tables of a step into `out`, which is then copied to `base`: the place in the arena that
	/// [`Layout::tables`] was asked about. Rows are numbered in the order of the items.
	///
	/// Items with one token decode, the others are prompts; the results are the same bits either way. Adapters cost
	/// least when items with the same ones stand next to each other.
	///
	/// # Errors
	/// [`PlanError`]; what `out` holds is then undefined.
	///
	/// # Panics
	/// When `out` has fewer than [`Layout::bytes`] bytes.
	pub fn fill(
		&self,
		base: Ptr,
		items: &[PlanItem<'_>],
		out: &mut [u8],
	) -> Result<Filled, PlanError> {
		assert!(out.len() >= self.bytes, "out must have room for the layout");
		let c = &self.capacity;
		let mut tokens = Table::new(self.tokens, c.rows, "rows");
		let mut positions = Table::new(self.positions, c.rows, "rows");
		let mut row_pages = Table::new(self.row_pages, c.rows, "rows");
		let mut wanted = Table::new(self.wanted, c.items, "items");
		let mut pages = Table::new(self.pages, c.pages, "page table entries");
		let tile_rows = Attention::tile_rows(self.shape.heads, self.shape.kv_heads);
		let mut works = Table::new(self.works, c.works(), "decode works");
		let mut merges = Table::new(self.merges, c.items, "items");
		let mut tiles = Table::new(self.tiles, c.tiles(tile_rows), "prefill tiles");
		let mut partials = 0;
		let mut segments: Vec<Segment<'_>> = Vec::new();
		if items.len() > c.items {
			return Err(PlanError::TooMany {
				what: "items",
				needed: items.len(),
				capacity: c.items,
			});
		}
		for (index, item) in items.iter().enumerate() {
			let wrong = |why| Err(PlanError::Item { index, why });
			let count = item.tokens.len();
			let end = item.position.saturating_add(count);
			if count == 0 {
				return wrong("has no tokens");
			}
			if end > 1 << 30 {
				return wrong("lies beyond any context");
			}
			if item.pages.len() < end.div_ceil(self.shape.page_tokens) {
				return wrong("has fewer pages than positions");
			}
			let (first, first_head) = (tokens.len, wanted.len);
			let own_pages = base.at(self.pages + 8 * pages.len);
			for page in &item.pages[..end.div_ceil(self.shape.page_tokens)] {
				pages.push(out, *page)?;
			}
			for (token, position) in item.tokens.iter().zip(item.position..) {
				tokens.push(out, *token)?;
				positions.push(out, small(position))?;
				row_pages.push(out, item.pages[position / self.shape.page_tokens])?;
			}
			if item.logits {
				wanted.push(out, small(first + count - 1))?;
			}
			if count == 1 {
				let splits = Capacity::splits(end);
				merges.push(
					out,
					DecodeRow {
						row: small(first),
						partial: small(partials),
						splits: small(splits),
						unused: 0,
					},
				)?;
				for split in (0..splits).step_by(WORK_SPLITS) {
					works.push(
						out,
						DecodeWork {
							pages: own_pages,
							row: small(first),
							len: small(end),
							split: small(split),
							splits: small(WORK_SPLITS.min(splits - split)),
							partial: small(partials + split),
							unused: 0,
						},
					)?;
				}
				partials += splits;
				if partials > c.partials {
					return Err(PlanError::TooMany {
						what: "partial results",
						needed: partials,
						capacity: c.partials,
					});
				}
			} else {
				for start in (0..count).step_by(tile_rows) {
					tiles.push(
						out,
						PrefillTile {
							pages: own_pages,
							row: small(first + start),
							rows: small(tile_rows.min(count - start)),
							position: small(item.position + start),
							unused: 0,
						},
					)?;
				}
			}
			if item.adapters.is_empty() {
				continue;
			}
			if item.adapters.len() > c.depth {
				return Err(PlanError::TooMany {
					what: "updates of a row",
					needed: item.adapters.len(),
					capacity: c.depth,
				});
			}
			if let Some(adapter) = item.adapters.iter().find(|a| a.ranks > c.ranks) {
				return Err(PlanError::TooMany {
					what: "ranks",
					needed: adapter.ranks,
					capacity: c.ranks,
				});
			}
			let (rows, heads) = (first..tokens.len, first_head..wanted.len);
			match segments.last_mut() {
				Some(last) if last.rows.end == first && last.adapters == item.adapters => {
					last.rows.end = rows.end;
					last.heads.end = heads.end;
				}
				_ => segments.push(Segment {
					rows,
					heads,
					adapters: item.adapters,
				}),
			}
		}
		let mut counts = vec![tokens.len, wanted.len, works.len, merges.len, tiles.len];
		for (depth, at) in self.chunks.iter().enumerate() {
			for (at, most, of) in [(at[0], c.chunks(), 0), (at[1], c.items, 1)] {
				let mut table = Table::new(at, most, "chunks of adapters");
				let mut inner = 0;
				for segment in &segments {
					let Some(adapter) = segment.adapters.get(depth) else {
						continue;
					};
					let rows = match of {
						0 => segment.rows.clone(),
						_ => segment.heads.clone(),
					};
					for row in rows.clone().step_by(CHUNK_ROWS) {
						let count = CHUNK_ROWS.min(rows.end - row);
						table.push(
							out,
							LoraChunk {
								table: adapter.table,
								row: small(row),
								rows: small(count),
								inner: small(inner),
								ranks: small(adapter.ranks),
								factor: adapter.factor,
								unused: 0,
							},
						)?;
						inner += count * adapter.ranks;
					}
				}
				counts.push(table.len);
			}
		}
		for (index, count) in counts.iter().enumerate() {
			let at = self.counts + 4 * index;
			small(*count).write(&mut out[at..at + 4]);
		}
		Ok(Filled {
			rows: tokens.len,
			wanted: wanted.len,
			works: works.len,
			merges: merges.len,
			partials,
			tiles: tiles.len,
			chunks: counts.get(FIXED_COUNTS).copied().unwrap_or(0),
			depth: segments.iter().map(|s| s.adapters.len()).max().unwrap_or(0),
			pages: pages.len,
		})
	}

	/// Values that [`Lora::inner`](super::Lora::inner) needs.
	pub fn inner_len(&self) -> usize {
		self.capacity.rows * self.capacity.ranks
	}
}

/// Addresses and counts of a step's tables.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Tables {
	/// Rows of the step.
	pub rows: Count,
	/// u32 per row.
	pub tokens: Ptr,
	/// u32 per row.
	pub positions: Ptr,
	/// Address of the page per row.
	pub row_pages: Ptr,
	/// u32: rows whose logits are wanted, in the order of the items.
	pub wanted: Ptr,
	pub wanted_count: Count,
	pub work: Ptr,
	pub works: Count,
	pub merge: Ptr,
	pub merges: Count,
	pub tile: Ptr,
	pub tiles: Count,
	/// Of each depth.
	pub chunks: Vec<ChunkTables>,
	/// Values that the inner buffer needs.
	pub inner_len: usize,
}

/// [`LoraChunk`]s of one depth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChunkTables {
	/// Over the rows of the step.
	pub rows: Ptr,
	/// How many.
	pub row_count: Count,
	/// Over the rows whose logits are wanted, numbered in their order.
	pub heads: Ptr,
	/// How many.
	pub head_count: Count,
}

#[cfg(test)]
mod tests {
	use super::*;

	/// SplitMix64.
	struct Random(u64);

	impl Random {
		fn below(&mut self, most: usize) -> usize {
			self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
			let mut z = self.0;
			z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
			z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
			((z ^ z >> 31) % most.max(1) as u64) as usize
		}
	}

	const BASE: Ptr = Ptr(0x10_0000);

	struct Filler {
		bytes: Vec<u8>,
	}

	impl Filler {
		fn entry<T: Entry>(&self, table: Ptr, index: usize) -> T {
			let at = (table.0 - BASE.0) as usize + index * T::BYTES;
			T::read(&self.bytes[at..at + T::BYTES])
		}

		fn count(&self, count: Count) -> usize {
			let value = self.entry::<u32>(count.at, 0) as usize;
			assert!(value <= count.most);
			value
		}
	}

	struct Step {
		shape: Shape,
		tokens: Vec<Vec<u32>>,
		positions: Vec<usize>,
		pages: Vec<Vec<Ptr>>,
		adapters: Vec<Vec<PlanAdapter>>,
		logits: Vec<bool>,
	}

	impl Step {
		fn new(seed: u64) -> Self {
			let mut r = Random(seed);
			let group = 1 + r.below(16);
			let kv_heads = 1 + r.below(4);
			let shape = Shape {
				heads: group * kv_heads,
				kv_heads,
				page_tokens: 16 * (1 + r.below(4)),
			};
			let known: Vec<PlanAdapter> = (0..1 + r.below(5))
				.map(|i| PlanAdapter {
					table: Ptr(4096 * (i as u64 + 1)),
					ranks: r.below(100),
					factor: 1.0,
				})
				.collect();
			let mut step = Self {
				shape,
				tokens: vec![],
				positions: vec![],
				pages: vec![],
				adapters: vec![],
				logits: vec![],
			};
			for _ in 0..r.below(12) {
				let count = match r.below(2) {
					0 => 1,
					_ => 1 + r.below(90),
				};
				let position = r.below(1500);
				let needed = (position + count).div_ceil(shape.page_tokens);
				step.tokens.push((0..count).map(|t| t as u32 + 7).collect());
				step.positions.push(position);
				step.pages.push(
					(0..needed + r.below(2))
						.map(|_| Ptr(r.below(1 << 30) as u64 * 16))
						.collect(),
				);
				step.adapters.push(match r.below(4) {
					0 => vec![],
					1 => known.clone(),
					_ => vec![known[r.below(known.len())]],
				});
				step.logits.push(r.below(2) == 0);
			}
			step
		}

		fn items(&self) -> Vec<PlanItem<'_>> {
			(0..self.tokens.len())
				.map(|i| PlanItem {
					tokens: &self.tokens[i],
					position: self.positions[i],
					pages: &self.pages[i],
					adapters: &self.adapters[i],
					logits: self.logits[i],
				})
				.collect()
		}

		/// Just enough.
		fn capacity(&self) -> Capacity {
			let end = |i: usize| self.positions[i] + self.tokens[i].len();
			let all = 0..self.tokens.len();
			Capacity {
				rows: self.tokens.iter().map(Vec::len).sum(),
				items: self.tokens.len(),
				pages: all
					.clone()
					.map(|i| end(i).div_ceil(self.shape.page_tokens))
					.sum(),
				partials: all
					.filter(|i| self.tokens[*i].len() == 1)
					.map(|i| Capacity::splits(end(i)))
					.sum(),
				depth: self.adapters.iter().map(Vec::len).max().unwrap_or(0),
				ranks: self
					.adapters
					.iter()
					.flatten()
					.map(|a| a.ranks)
					.max()
					.unwrap_or(0),
			}
		}
	}

	#[test]
	fn a_plan_should_reach_every_row_once_and_nothing_else() {
		for seed in 0..600 {
			let step = Step::new(seed);
			let items = step.items();
			let mut capacity = step.capacity();
			if seed % 3 == 0 {
				capacity.rows += 40;
				capacity.items += 3;
				capacity.pages += 5;
				capacity.partials += 9;
				capacity.depth += 1;
			}
			let plan = Layout::new(step.shape, capacity);
			let mut filler = Filler {
				bytes: vec![0xff; plan.bytes()],
			};
			let filled = plan
				.fill(BASE, &items, &mut filler.bytes)
				.unwrap_or_else(|e| panic!("seed {seed}: {e}"));
			let t = plan.tables(BASE);
			assert_eq!(filler.count(t.rows), filled.rows);
			assert_eq!(filler.count(t.wanted_count), filled.wanted);

			// Rows, their pages, and who is wanted.
			let mut row = 0;
			let mut wanted = 0;
			let mut heads = Vec::new();
			for item in &items {
				for (i, token) in item.tokens.iter().enumerate() {
					let position = item.position + i;
					assert_eq!(filler.entry::<u32>(t.tokens, row), *token);
					assert_eq!(filler.entry::<u32>(t.positions, row) as usize, position);
					let page: Ptr = filler.entry(t.row_pages, row);
					assert_eq!(page, item.pages[position / step.shape.page_tokens]);
					row += 1;
				}
				heads.push(wanted..wanted + usize::from(item.logits));
				if item.logits {
					assert_eq!(filler.entry::<u32>(t.wanted, wanted) as usize, row - 1);
					wanted += 1;
				}
			}
			assert_eq!((row, wanted), (filled.rows, filled.wanted));

			// Attention: every row once, with its sequence's pages and its own length.
			let starts: Vec<usize> = items
				.iter()
				.scan(0, |at, item| {
					*at += item.tokens.len();
					Some(*at - item.tokens.len())
				})
				.collect();
			let item_of = |row: usize| starts.partition_point(|s| *s <= row) - 1;
			let pages_match = |pages: Ptr, item: &PlanItem<'_>| {
				let end = item.position + item.tokens.len();
				for (i, page) in item.pages[..end.div_ceil(step.shape.page_tokens)]
					.iter()
					.enumerate()
				{
					assert_eq!(filler.entry::<Ptr>(pages, i), *page);
				}
			};
			let mut seen = vec![0; filled.rows];
			let mut results = vec![0; filled.partials];
			let mut lengths = vec![0; filled.rows];
			for i in 0..filler.count(t.works) {
				let work: DecodeWork = filler.entry(t.work, i);
				let item = &items[item_of(work.row as usize)];
				assert_eq!(work.len as usize, item.position + 1);
				pages_match(work.pages, item);
				assert!((1..=WORK_SPLITS as u32).contains(&work.splits));
				for split in 0..work.splits {
					assert!(((work.split + split) as usize * SPLIT_POSITIONS) < work.len as usize);
					results[(work.partial + split) as usize] += 1;
					lengths[work.row as usize] += 1;
				}
			}
			assert!(results.iter().all(|n| *n == 1), "seed {seed}");
			for i in 0..filler.count(t.merges) {
				let merge: DecodeRow = filler.entry(t.merge, i);
				let item = &items[item_of(merge.row as usize)];
				assert_eq!(item.tokens.len(), 1);
				assert_eq!(merge.splits as usize, Capacity::splits(item.position + 1));
				assert_eq!(merge.splits, lengths[merge.row as usize]);
				seen[merge.row as usize] += 1;
			}
			let tile_rows = Attention::tile_rows(step.shape.heads, step.shape.kv_heads);
			for i in 0..filler.count(t.tiles) {
				let tile: PrefillTile = filler.entry(t.tile, i);
				assert!((1..=tile_rows as u32).contains(&tile.rows));
				let which = item_of(tile.row as usize);
				let item = &items[which];
				pages_match(tile.pages, item);
				let first = tile.row as usize - starts[which];
				assert_eq!(tile.position as usize, item.position + first);
				assert!(first + tile.rows as usize <= item.tokens.len());
				for row in tile.row..tile.row + tile.rows {
					seen[row as usize] += 1;
				}
			}
			assert!(seen.iter().all(|n| *n == 1), "seed {seed}: {seen:?}");

			// Adapters: every row once at each depth, in its own memory.
			for (depth, chunks) in t.chunks.iter().enumerate() {
				for (table, count, of_heads) in [
					(chunks.rows, chunks.row_count, false),
					(chunks.heads, chunks.head_count, true),
				] {
					let all = if of_heads { filled.wanted } else { filled.rows };
					let mut used: Vec<Option<Ptr>> = vec![None; all];
					let mut inner = 0;
					for i in 0..filler.count(count) {
						let chunk: LoraChunk = filler.entry(table, i);
						assert!((1..=CHUNK_ROWS as u32).contains(&chunk.rows));
						assert_eq!(chunk.inner as usize, inner);
						inner += (chunk.rows * chunk.ranks) as usize;
						assert!(inner <= plan.inner_len(), "seed {seed}");
						for row in chunk.row..chunk.row + chunk.rows {
							assert_eq!(used[row as usize].replace(chunk.table), None);
						}
					}
					for (which, item) in items.iter().enumerate() {
						let rows = match of_heads {
							true => heads[which].clone(),
							false => starts[which]..starts[which] + item.tokens.len(),
						};
						let want = item.adapters.get(depth).map(|a| a.table);
						assert!(used[rows].iter().all(|used| *used == want), "seed {seed}");
					}
				}
			}
		}
	}

	#[test]
	fn a_step_beyond_the_capacity_should_be_refused_by_name() {
		let mut refused = 0;
		for seed in 0..200 {
			let step = Step::new(seed);
			let items = step.items();
			let whole = step.capacity();
			for what in ["rows", "items", "pages", "partials", "depth", "ranks"] {
				let mut capacity = whole;
				let field = match what {
					"rows" => &mut capacity.rows,
					"items" => &mut capacity.items,
					"pages" => &mut capacity.pages,
					"partials" => &mut capacity.partials,
					"depth" => &mut capacity.depth,
					_ => &mut capacity.ranks,
				};
				if *field == 0 {
					continue;
				}
				*field -= 1;
				let plan = Layout::new(step.shape, capacity);
				let mut bytes = vec![0; plan.bytes()];
				let error = plan.fill(BASE, &items, &mut bytes);
				assert!(
					matches!(error, Err(PlanError::TooMany { .. })),
					"seed {seed}, {what}: {error:?}"
				);
				refused += 1;
			}
		}
		assert!(refused > 500);
	}

	#[test]
	fn tables_should_stay_where_they_are_whatever_a_step_holds() {
		let capacity = Capacity {
			rows: 64,
			items: 32,
			pages: 400,
			partials: 100,
			depth: 2,
			ranks: 48,
		};
		let shape = Shape {
			heads: 32,
			kv_heads: 8,
			page_tokens: 32,
		};
		let plan = Layout::new(shape, capacity);
		assert_eq!(plan, Layout::new(shape, capacity));
		let t = plan.tables(BASE);
		for at in [
			t.tokens,
			t.row_pages,
			t.work,
			t.merge,
			t.tile,
			t.chunks[1].heads,
		] {
			assert_eq!(at.0 % 16, 0);
			assert!(at.0 >= BASE.0 && at.0 < BASE.0 + plan.bytes() as u64);
		}
		let mut bytes = vec![0xff; plan.bytes()];
		let filled = plan.fill(BASE, &[], &mut bytes);
		assert_eq!(filled, Ok(Filled::default()));
	}

	#[test]
	fn items_that_contradict_themselves_should_be_refused() {
		let shape = Shape {
			heads: 2,
			kv_heads: 1,
			page_tokens: 16,
		};
		let plan = Layout::new(
			shape,
			Capacity {
				rows: 8,
				items: 2,
				pages: 8,
				partials: 8,
				depth: 0,
				ranks: 0,
			},
		);
		let mut bytes = vec![0; plan.bytes()];
		let good = PlanItem {
			tokens: &[1, 2],
			position: 15,
			pages: &[Ptr(16), Ptr(32)],
			adapters: &[],
			logits: true,
		};
		assert!(plan.fill(BASE, &[good], &mut bytes).is_ok());
		let bad = [
			PlanItem {
				tokens: &[],
				..good
			},
			PlanItem {
				pages: &good.pages[..1],
				..good
			},
			PlanItem {
				position: usize::MAX,
				..good
			},
		];
		for item in bad {
			let error = plan.fill(BASE, &[good, item], &mut bytes);
			assert!(
				matches!(error, Err(PlanError::Item { index: 1, .. })),
				"{error:?}"
			);
		}
	}
}
