//! An adapter as it lies on the device, and the same in pinned memory.
//!
//! A *table* comes first: one row for each site of each layer, and one for the output matrix, with the addresses of
//! the site's tensors ([`LoraEntry`]). Behind it the tensors, each in an extent of its own: all `A` of a site one
//! below the other, `Bᵀ` of each projection, the gains of DoRA. The embedding's update stays with the host, which adds
//! it up for the few tokens of a step. In pinned memory they stand one after the other, so extents that are neighbours are one copy.

use half::bf16;
use openledger_kernels::{
	device::{
		tables::{Entry, LoraEntry, MAX_SLICES},
		DeviceError, Element, Pinned, Ptr,
	},
	LoraStore,
};

use super::pool::ALIGN;
use crate::{
	adapter::{LoraWeights, Site, SiteWeights},
	config::ModelConfig,
};

/// The sites of a layer, in the order of the table.
pub(crate) const SITES: [Site; 4] = [Site::Qkv, Site::Output, Site::GateUp, Site::Down];

/// Row of the table of a site, in a model of so many layers; of the head, whatever the layer.
pub(crate) fn row(layers: usize, layer: usize, site: Site) -> usize {
	match site {
		Site::Head => layers * SITES.len(),
		_ => layer * SITES.len() + site as usize,
	}
}

/// What a base model's adapters look like.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
	element: Element,
	layers: usize,
	/// First columns of each site's projections, the head's last.
	columns: [Vec<usize>; 5],
}

impl Shape {
	/// Of adapters to this model, in this precision.
	pub fn new(config: &ModelConfig, element: Element) -> Self {
		let (q, kv) = (config.q_width(), config.kv_width());
		Self {
			element,
			layers: config.layers,
			columns: [
				vec![0, q, q + kv],
				vec![0],
				vec![0, config.intermediate_size],
				vec![0],
				vec![0],
			],
		}
	}

	fn rows(&self) -> usize {
		self.layers * SITES.len() + 1
	}

	/// The sites in the order of the table.
	fn sites<'a>(
		&'a self,
		adapter: &'a LoraWeights,
	) -> impl Iterator<Item = (Site, &'a SiteWeights)> {
		(0..self.layers)
			.flat_map(|layer| SITES.map(|site| (layer, site)))
			.chain([(0, Site::Head)])
			.map(|(layer, site)| (site, adapter.site(layer, site)))
	}

	/// Largest sum of ranks of any site.
	pub fn ranks(&self, adapter: &LoraWeights) -> usize {
		self.sites(adapter)
			.map(|(_, site)| site.slices.iter().map(|s| s.rank).sum())
			.max()
			.unwrap_or(0)
	}
}

/// A tensor in host memory.
enum Source<'a> {
	Table,
	Values(&'a LoraStore),
	Gains(&'a [f32]),
}

impl Source<'_> {
	fn bytes(&self, shape: &Shape) -> usize {
		match self {
			Self::Table => shape.rows() * LoraEntry::BYTES,
			Self::Values(LoraStore::F32(v)) => v.len() * shape.element.bytes(),
			Self::Values(LoraStore::Bf16(v)) => v.len() * shape.element.bytes(),
			Self::Gains(v) => v.len() * 4,
		}
	}
}

/// All tensors, in the order of the extents.
fn sources<'a>(shape: &'a Shape, adapter: &'a LoraWeights) -> impl Iterator<Item = Source<'a>> {
	let sites = shape.sites(adapter).flat_map(|(_, site)| {
		let a = (!site.slices.is_empty()).then_some(Source::Values(&site.a));
		let slices = site.slices.iter().flat_map(|slice| {
			let gain = (!slice.gain.is_empty()).then_some(Source::Gains(&slice.gain));
			[Source::Values(&slice.b)].into_iter().chain(gain)
		});
		a.into_iter().chain(slices)
	});
	[Source::Table].into_iter().chain(sites)
}

/// Sizes of an adapter's tensors in bytes, in the order of the extents.
pub(crate) fn sizes(shape: &Shape, adapter: &LoraWeights) -> Vec<usize> {
	sources(shape, adapter)
		.map(|source| source.bytes(shape))
		.collect()
}

/// A copy into the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
	pub to: Ptr,
	pub from: usize,
	pub bytes: usize,
}

/// An adapter in pinned memory. Its table holds the addresses of one place on the device.
#[derive(Clone, Debug)]
pub(crate) struct Image {
	memory: Pinned,
	sizes: Vec<usize>,
}

fn padded(bytes: usize) -> usize {
	bytes.max(1).next_multiple_of(ALIGN)
}

impl Image {
	/// Bytes of pinned memory.
	pub fn bytes(shape: &Shape, adapter: &LoraWeights) -> usize {
		sizes(shape, adapter).into_iter().map(padded).sum()
	}

	/// Writes all but the table.
	pub fn new(shape: &Shape, adapter: &LoraWeights, memory: Pinned) -> Result<Self, DeviceError> {
		let mut at = 0;
		let mut sizes = Vec::new();
		for source in sources(shape, adapter) {
			match &source {
				Source::Table => {}
				Source::Values(LoraStore::F32(values)) => match shape.element {
					Element::F32 => write(&memory, at, values, |v| v.to_le_bytes())?,
					Element::Bf16 => {
						write(&memory, at, values, |v| bf16::from_f32(v).to_le_bytes())?
					}
				},
				Source::Values(LoraStore::Bf16(values)) => match shape.element {
					Element::F32 => write(&memory, at, values, |v| v.to_f32().to_le_bytes())?,
					Element::Bf16 => write(&memory, at, values, |v| v.to_le_bytes())?,
				},
				Source::Gains(values) => write(&memory, at, values, |v| v.to_le_bytes())?,
			}
			let bytes = source.bytes(shape);
			at += padded(bytes);
			sizes.push(bytes);
		}
		Ok(Self { memory, sizes })
	}

	/// The memory.
	pub fn memory(&self) -> &Pinned {
		&self.memory
	}

	/// Writes the table for tensors at these addresses.
	pub fn place(
		&self,
		shape: &Shape,
		adapter: &LoraWeights,
		addresses: &[Ptr],
	) -> Result<(), DeviceError> {
		let mut next = addresses.iter().skip(1).copied();
		let mut take = || next.next().unwrap_or_default();
		let mut table = vec![0; shape.rows() * LoraEntry::BYTES];
		let rows = table.chunks_exact_mut(LoraEntry::BYTES);
		for ((site, weights), out) in shape.sites(adapter).zip(rows) {
			let mut row = LoraEntry::default();
			if !weights.slices.is_empty() {
				row.a = take();
			}
			for slice in &weights.slices {
				let columns = &shape.columns[site as usize];
				let index = columns.iter().position(|c| *c == slice.column);
				let index = index.unwrap_or(0).min(MAX_SLICES - 1);
				row.b[index] = take();
				if !slice.gain.is_empty() {
					row.gain[index] = take();
				}
				row.scale[index] = slice.scale;
				row.rank[index] = slice.rank as u32;
			}
			row.write(out);
		}
		self.memory.write(0, &table)
	}

	/// The copies that bring it to these addresses; neighbours in one.
	pub fn copies(&self, addresses: &[Ptr]) -> Vec<Piece> {
		let mut pieces: Vec<Piece> = Vec::new();
		let mut from = 0;
		for (bytes, to) in self.sizes.iter().map(|b| padded(*b)).zip(addresses) {
			match pieces.last_mut() {
				Some(last) if last.to.at(last.bytes) == *to => last.bytes += bytes,
				_ => pieces.push(Piece {
					to: *to,
					from,
					bytes,
				}),
			}
			from += bytes;
		}
		pieces
	}
}

/// Values at a time.
const BLOCK: usize = 4096;

fn write<T: Copy, const N: usize>(
	memory: &Pinned,
	mut at: usize,
	values: &[T],
	bytes: impl Fn(T) -> [u8; N],
) -> Result<(), DeviceError> {
	let mut block = Vec::with_capacity(BLOCK * N);
	for values in values.chunks(BLOCK) {
		block.clear();
		block.extend(values.iter().flat_map(|v| bytes(*v)));
		memory.write(at, &block)?;
		at += block.len();
	}
	Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
	use openledger_kernels::device::{Device, Twin};

	use super::*;
	use crate::{adapter::AdapterConfig, device::check};

	#[test]
	fn an_image_should_hold_every_tensor_and_the_table_lead_to_it() {
		let config = check::shape();
		let files =
			check::random_adapter(&config, 1, 4, &["q_proj", "v_proj", "down_proj"]).unwrap();
		let parsed = AdapterConfig::parse(&files.config).unwrap();
		let adapter = LoraWeights::parse(&parsed, &files.weights, &config).unwrap();
		let shape = Shape::new(&config, Element::Bf16);
		let sizes = sizes(&shape, &adapter);
		// The table; for each of two layers A of q and v, two Bs, and A and B of down.
		assert_eq!(sizes.len(), 1 + 2 * 5);
		assert_eq!(shape.ranks(&adapter), 8);
		let memory = Twin::new(1 << 10)
			.unwrap()
			.pinned(Image::bytes(&shape, &adapter))
			.unwrap();
		let image = Image::new(&shape, &adapter, memory).unwrap();
		// All but the last lie next to each other on the device.
		let mut at = 1 << 20;
		let mut addresses = Vec::new();
		for (i, size) in sizes.iter().enumerate() {
			at += if i + 1 == sizes.len() { 4096 } else { 0 };
			addresses.push(Ptr(at));
			at += padded(*size) as u64;
		}
		let copies = image.copies(&addresses);
		assert_eq!(copies.len(), 2);
		assert_eq!(
			copies.iter().map(|c| c.bytes).sum::<usize>(),
			image.memory().len()
		);
		assert_eq!(copies[1].to, addresses[sizes.len() - 1]);

		image.place(&shape, &adapter, &addresses).unwrap();
		let read = |at: usize, len: usize| {
			let mut bytes = vec![0; len];
			image.memory().read(at, &mut bytes).unwrap();
			bytes
		};
		let row = |layer, site| {
			let row = row(config.layers, layer, site);
			LoraEntry::read(&read(row * LoraEntry::BYTES, LoraEntry::BYTES))
		};
		let qkv = row(1, Site::Qkv);
		assert_eq!((qkv.rank, qkv.scale), ([4, 0, 4], [1.0, 0.0, 1.0]));
		assert_eq!(qkv.a, addresses[6]);
		assert_eq!(qkv.b, [addresses[7], Ptr(0), addresses[8]]);
		assert_eq!(row(1, Site::Down).b[0], addresses[10]);
		assert_eq!(row(0, Site::Output), LoraEntry::default());
		assert_eq!(row(0, Site::Head), LoraEntry::default());
		// What lies where `Bᵀ` of v shall go is that.
		let from: usize = sizes[..8].iter().map(|s| padded(*s)).sum();
		let LoraStore::Bf16(wanted) = &adapter.site(1, Site::Qkv).slices[1].b else {
			panic!("the file is bf16")
		};
		let bytes: Vec<u8> = wanted.iter().flat_map(|v| v.to_le_bytes()).collect();
		assert_eq!(read(from, sizes[8]), bytes);
	}
}
