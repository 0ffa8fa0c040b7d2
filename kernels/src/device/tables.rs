//! The rows of the tables in device memory, byte for byte as `cuda/tables.cuh` has them.
//!
//! All are little-endian, of plain numbers, aligned to 8 bytes.

use super::Ptr;

/// Rows of a chunk of [`LoraChunk`]; a segment with more is cut.
pub const CHUNK_ROWS: usize = 16;

/// Projections a fused site has at most (q, k, v).
pub const MAX_SLICES: usize = 3;

/// Positions that one sum of attention runs over; those sums are then merged in order. A constant of the arithmetic:
/// how a context is split must depend on positions alone.
pub const SPLIT_POSITIONS: usize = 128;

/// Splits that one [`DecodeWork`] covers at most.
pub const WORK_SPLITS: usize = 4;

/// Pairs of a row and a query head that one tile of attention takes; so no kv head has more query heads than this.
pub const TILE_PAIRS: usize = 16;

/// Warps of a prefill block: it takes `PREFILL_WARPS · (TILE_PAIRS / group)` rows.
pub const PREFILL_WARPS: usize = 4;

/// A row of a table.
pub trait Entry: Copy {
	/// Bytes of a row.
	const BYTES: usize;
	/// How C declares one called `%`.
	const C: &'static str;
	/// Writes it.
	///
	/// # Panics
	/// When `out` has not [`Entry::BYTES`] bytes.
	fn write(&self, out: &mut [u8]);
	/// Reads it.
	///
	/// # Panics
	/// When `from` has not [`Entry::BYTES`] bytes.
	fn read(from: &[u8]) -> Self;
}

macro_rules! number {
	($($name:ty => $c:literal),*) => {$(
		impl Entry for $name {
			const BYTES: usize = std::mem::size_of::<$name>();
			const C: &'static str = $c;
			fn write(&self, out: &mut [u8]) {
				out.copy_from_slice(&self.to_le_bytes());
			}
			fn read(from: &[u8]) -> Self {
				let mut bytes = [0; std::mem::size_of::<$name>()];
				bytes.copy_from_slice(from);
				Self::from_le_bytes(bytes)
			}
		}
	)*};
}

number!(u32 => "u32 %", u64 => "u64 %", f32 => "float %");

impl Entry for Ptr {
	const BYTES: usize = 8;
	const C: &'static str = u64::C;
	fn write(&self, out: &mut [u8]) {
		self.0.write(out);
	}
	fn read(from: &[u8]) -> Self {
		Self(u64::read(from))
	}
}

impl<T: Entry + Default> Entry for [T; MAX_SLICES] {
	const BYTES: usize = MAX_SLICES * T::BYTES;
	const C: &'static str = match T::C.as_bytes() {
		b"u32 %" => "u32 %[3]",
		b"u64 %" => "u64 %[3]",
		b"float %" => "float %[3]",
		_ => panic!("arrays are of numbers"),
	};
	fn write(&self, out: &mut [u8]) {
		assert_eq!(out.len(), Self::BYTES);
		for (value, out) in self.iter().zip(out.chunks_exact_mut(T::BYTES)) {
			value.write(out);
		}
	}
	fn read(from: &[u8]) -> Self {
		assert_eq!(from.len(), Self::BYTES);
		let mut all = [T::default(); MAX_SLICES];
		for (value, from) in all.iter_mut().zip(from.chunks_exact(T::BYTES)) {
			*value = T::read(from);
		}
		all
	}
}

macro_rules! entry {
	($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
		$(#[$doc])*
		#[derive(Clone, Copy, Debug, Default, PartialEq)]
		pub struct $name {
			$($(#[$field_doc])* pub $field: $type,)*
		}

		impl $name {
			/// The structure as C has it.
			#[cfg(test)]
			pub(crate) fn declaration() -> String {
				let mut text = format!("struct {} {{\n", stringify!($name));
				$(
					let field = <$type as Entry>::C.replace('%', stringify!($field));
					text.push_str(&format!("\t{field};\n"));
				)*
				text.push_str(&format!(
					"}};\nstatic_assert(sizeof({}) == {}, \"as the host writes it\");\n",
					stringify!($name),
					Self::BYTES
				));
				text
			}
		}

		impl Entry for $name {
			const BYTES: usize = 0 $(+ <$type>::BYTES)*;
			const C: &'static str = stringify!($name);
			fn write(&self, out: &mut [u8]) {
				assert_eq!(out.len(), Self::BYTES);
				let rest = out;
				$(
					let (own, rest) = rest.split_at_mut(<$type>::BYTES);
					self.$field.write(own);
				)*
				debug_assert!(rest.is_empty());
			}
			fn read(from: &[u8]) -> Self {
				assert_eq!(from.len(), Self::BYTES);
				let rest = from;
				$(
					let (own, rest) = rest.split_at(<$type>::BYTES);
					let $field = <$type>::read(own);
				)*
				debug_assert!(rest.is_empty());
				Self { $($field),* }
			}
		}
	};
}

entry! {
	/// At most [`CHUNK_ROWS`] rows of the batch that use one adapter.
	LoraChunk {
		/// The adapter's [`LoraEntry`]s, one for each site of each layer.
		table: Ptr,
		/// First row.
		row: u32,
		/// Rows.
		rows: u32,
		/// Where the chunk's `x · Aᵀ` begins in the inner buffer, in values.
		inner: u32,
		/// Values between its rows there: the largest sum of ranks of any site of the adapter.
		ranks: u32,
		/// Factor of the update, beside the slices' own.
		factor: f32,
		/// Nothing.
		unused: u32,
	}
}

entry! {
	/// An adapter's update of one site of one layer. A slice of rank zero is not changed.
	LoraEntry {
		/// All `A` one below the other: `[sum of ranks, k]`.
		a: Ptr,
		/// `Bᵀ` of each slice: `[rank, width]`.
		b: [Ptr; MAX_SLICES],
		/// With DoRA, f32: by how much the base's columns are stretched, less 1, `[width]`; otherwise nowhere.
		gain: [Ptr; MAX_SLICES],
		/// Factor of each slice.
		scale: [f32; MAX_SLICES],
		/// Rank of each slice.
		rank: [u32; MAX_SLICES],
	}
}

entry! {
	/// Up to [`WORK_SPLITS`] splits of the context of one row that decodes.
	DecodeWork {
		/// Addresses of the sequence's pages, one after the other.
		pages: Ptr,
		/// The row.
		row: u32,
		/// Positions it sees, its own included.
		len: u32,
		/// First of the splits.
		split: u32,
		/// Splits.
		splits: u32,
		/// Number of the first split's partial result.
		partial: u32,
		/// Nothing.
		unused: u32,
	}
}

entry! {
	/// A row that decodes: where the partial results are that make it up.
	DecodeRow {
		/// The row.
		row: u32,
		/// First partial result.
		partial: u32,
		/// Partial results.
		splits: u32,
		/// Nothing.
		unused: u32,
	}
}

entry! {
	/// Consecutive rows of one sequence.
	PrefillTile {
		/// Addresses of the sequence's pages, one after the other.
		pages: Ptr,
		/// First row.
		row: u32,
		/// Rows.
		rows: u32,
		/// Position of the first row.
		position: u32,
		/// Nothing.
		unused: u32,
	}
}

entry! {
	/// How a row's next token is drawn.
	SampleRow {
		/// Temperature; the most likely token at zero.
		temperature: f32,
		/// Smallest set of likely tokens with this mass; 1 for all.
		top_p: f32,
		/// Random number in `0..1`.
		random: f32,
		/// Most tokens to draw from; 0 for all.
		top_k: u32,
	}
}

pub(crate) use entry;
