//! Strict reader of GGUF headers: every length is checked against the file before it is believed.
//!
//! candle has a reader too; ours exists because the file may come from a stranger: it borrows from the mapping,
//! allocates nothing the file does not back, and names the cause of every refusal.

use std::collections::HashMap;

use candle_core::quantized::GgmlDType;

use crate::error::ModelError;

/// Nesting of arrays in the metadata; real files have one level.
const MAX_DEPTH: usize = 4;

#[derive(Debug)]
pub(crate) enum Value<'a> {
	Unsigned(u64),
	Signed(i64),
	Float(f64),
	Bool(bool),
	String(&'a str),
	Array(Vec<Value<'a>>),
}

#[derive(Debug)]
pub(crate) struct TensorInfo<'a> {
	pub dtype: GgmlDType,
	/// Outermost dimension first.
	pub shape: Vec<usize>,
	pub data: &'a [u8],
}

#[derive(Debug)]
pub(crate) struct Gguf<'a> {
	pub metadata: HashMap<&'a str, Value<'a>>,
	pub tensors: HashMap<&'a str, TensorInfo<'a>>,
}

/// Tensor types by their number in the format; those no model file contains (Q8_1, Q8_K) are left out.
fn dtype_of(number: u32) -> Option<GgmlDType> {
	Some(match number {
		0 => GgmlDType::F32,
		1 => GgmlDType::F16,
		2 => GgmlDType::Q4_0,
		3 => GgmlDType::Q4_1,
		6 => GgmlDType::Q5_0,
		7 => GgmlDType::Q5_1,
		8 => GgmlDType::Q8_0,
		10 => GgmlDType::Q2K,
		11 => GgmlDType::Q3K,
		12 => GgmlDType::Q4K,
		13 => GgmlDType::Q5K,
		14 => GgmlDType::Q6K,
		30 => GgmlDType::BF16,
		_ => return None,
	})
}

struct Reader<'a> {
	bytes: &'a [u8],
	at: usize,
}

impl<'a> Reader<'a> {
	fn take(&mut self, n: u64, what: &str) -> Result<&'a [u8], ModelError> {
		let needed = (self.at as u64).saturating_add(n);
		if needed > self.bytes.len() as u64 {
			let len = self.bytes.len() as u64;
			return Err(ModelError::Truncated {
				what: what.to_string(),
				needed,
				len,
			});
		}
		let from = self.at;
		self.at = needed as usize;
		Ok(&self.bytes[from..self.at])
	}

	fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], ModelError> {
		Ok(self
			.take(N as u64, what)?
			.try_into()
			.expect("take returns N bytes; qed"))
	}

	fn u32(&mut self, what: &str) -> Result<u32, ModelError> {
		Ok(u32::from_le_bytes(self.array(what)?))
	}

	fn u64(&mut self, what: &str) -> Result<u64, ModelError> {
		Ok(u64::from_le_bytes(self.array(what)?))
	}

	fn string(&mut self, what: &str) -> Result<&'a str, ModelError> {
		let len = self.u64(what)?;
		let bytes = self.take(len, what)?;
		std::str::from_utf8(bytes)
			.map_err(|_| ModelError::Malformed(format!("{what} is not UTF-8 text")))
	}

	/// A count of things that take at least `least` bytes each.
	fn count(&mut self, least: u64, what: &str) -> Result<usize, ModelError> {
		let count = self.u64(what)?;
		let needed = (self.at as u64).saturating_add(count.saturating_mul(least));
		if needed > self.bytes.len() as u64 {
			let len = self.bytes.len() as u64;
			return Err(ModelError::Truncated {
				what: what.to_string(),
				needed,
				len,
			});
		}
		Ok(count as usize)
	}

	fn value(&mut self, kind: u32, what: &str, depth: usize) -> Result<Value<'a>, ModelError> {
		Ok(match kind {
			0 => Value::Unsigned(u64::from(self.array::<1>(what)?[0])),
			1 => Value::Signed(i64::from(i8::from_le_bytes(self.array(what)?))),
			2 => Value::Unsigned(u64::from(u16::from_le_bytes(self.array(what)?))),
			3 => Value::Signed(i64::from(i16::from_le_bytes(self.array(what)?))),
			4 => Value::Unsigned(u64::from(self.u32(what)?)),
			5 => Value::Signed(i64::from(i32::from_le_bytes(self.array(what)?))),
			6 => Value::Float(f64::from(f32::from_le_bytes(self.array(what)?))),
			7 => Value::Bool(self.array::<1>(what)?[0] != 0),
			8 => Value::String(self.string(what)?),
			9 => {
				if depth >= MAX_DEPTH {
					return Err(ModelError::Malformed(format!(
						"{what} nests arrays too deeply"
					)));
				}
				let kind = self.u32(what)?;
				let least = match kind {
					0 | 1 | 7 => 1,
					2 | 3 => 2,
					4..=6 => 4,
					_ => 8,
				};
				let count = self.count(least, what)?;
				let mut list = Vec::with_capacity(count);
				for _ in 0..count {
					list.push(self.value(kind, what, depth + 1)?);
				}
				Value::Array(list)
			}
			10 => Value::Unsigned(self.u64(what)?),
			11 => Value::Signed(i64::from_le_bytes(self.array(what)?)),
			12 => Value::Float(f64::from_le_bytes(self.array(what)?)),
			other => {
				return Err(ModelError::Malformed(format!(
					"{what} has the unknown type {other}"
				)))
			}
		})
	}
}

impl<'a> Gguf<'a> {
	/// Whether the bytes begin like a GGUF file.
	pub fn is_magic(bytes: &[u8]) -> bool {
		bytes.starts_with(b"GGUF")
	}

	pub fn parse(bytes: &'a [u8]) -> Result<Self, ModelError> {
		let mut r = Reader { bytes, at: 0 };
		if r.take(4, "the magic number")? != b"GGUF" {
			return Err(ModelError::Malformed(
				"the file does not begin with GGUF".into(),
			));
		}
		let version = r.u32("the version")?;
		if !matches!(version, 2 | 3) {
			return Err(ModelError::Unsupported(format!("GGUF version {version}")));
		}
		let tensor_count = r.count(24, "the tensor count")?;
		let metadata_count = r.count(13, "the metadata count")?;
		let mut metadata = HashMap::with_capacity(metadata_count);
		for _ in 0..metadata_count {
			let key = r.string("a metadata key")?;
			let kind = r.u32(key)?;
			let value = r.value(kind, key, 0)?;
			if metadata.insert(key, value).is_some() {
				return Err(ModelError::Malformed(format!(
					"metadata {key} occurs twice"
				)));
			}
		}
		let mut infos = Vec::with_capacity(tensor_count);
		for _ in 0..tensor_count {
			let name = r.string("a tensor name")?;
			let dimensions = r.u32(name)?;
			if dimensions == 0 || dimensions > 4 {
				return Err(ModelError::Malformed(format!(
					"{name} has {dimensions} dimensions"
				)));
			}
			let mut shape = Vec::with_capacity(4);
			for _ in 0..dimensions {
				shape.push(r.u64(name)?);
			}
			shape.reverse();
			let dtype = r.u32(name)?;
			let dtype = dtype_of(dtype)
				.ok_or_else(|| ModelError::Unsupported(format!("tensor type {dtype} of {name}")))?;
			infos.push((name, shape, dtype, r.u64(name)?));
		}
		let alignment = match metadata.get("general.alignment") {
			None => 32,
			Some(Value::Unsigned(n)) if n.is_power_of_two() && (8..=1 << 20).contains(n) => *n,
			Some(_) => {
				return Err(ModelError::Malformed(
					"general.alignment is impossible".into(),
				))
			}
		};
		let start = (r.at as u64).next_multiple_of(alignment);
		let mut tensors = HashMap::with_capacity(infos.len());
		for (name, shape, dtype, offset) in infos {
			let bad = |why: &str| ModelError::Malformed(format!("tensor {name} {why}"));
			let elements = shape
				.iter()
				.try_fold(1u64, |product, d| product.checked_mul(*d))
				.filter(|n| *n > 0 && *n < 1 << 40)
				.ok_or_else(|| bad("is empty or impossibly large"))?;
			let block = dtype.block_size() as u64;
			if shape.last().is_some_and(|inner| inner % block != 0) {
				return Err(bad("does not consist of whole blocks"));
			}
			if offset % alignment != 0 {
				return Err(bad("is not aligned"));
			}
			let size = elements / block * dtype.type_size() as u64;
			let from = start.saturating_add(offset);
			let needed = from.saturating_add(size);
			if needed > bytes.len() as u64 {
				let len = bytes.len() as u64;
				return Err(ModelError::Truncated {
					what: format!("tensor {name}"),
					needed,
					len,
				});
			}
			let data = &bytes[from as usize..needed as usize];
			let shape = shape.into_iter().map(|d| d as usize).collect();
			if tensors
				.insert(name, TensorInfo { dtype, shape, data })
				.is_some()
			{
				return Err(bad("occurs twice"));
			}
		}
		Ok(Self { metadata, tensors })
	}

	pub fn string(&self, key: &str) -> Result<&'a str, ModelError> {
		match self.metadata.get(key) {
			Some(Value::String(text)) => Ok(text),
			_ => Err(ModelError::Malformed(format!(
				"metadata {key} is not a text"
			))),
		}
	}

	pub fn number(&self, key: &str) -> Option<usize> {
		match self.metadata.get(key)? {
			Value::Unsigned(n) => usize::try_from(*n).ok(),
			Value::Signed(n) => usize::try_from(*n).ok(),
			_ => None,
		}
	}

	pub fn float(&self, key: &str) -> Option<f32> {
		match self.metadata.get(key)? {
			Value::Float(v) => Some(*v as f32),
			_ => None,
		}
	}

	pub fn bool(&self, key: &str) -> Option<bool> {
		match self.metadata.get(key)? {
			Value::Bool(v) => Some(*v),
			_ => None,
		}
	}

	pub fn array(&self, key: &str) -> Result<&[Value<'a>], ModelError> {
		match self.metadata.get(key) {
			Some(Value::Array(list)) => Ok(list),
			_ => Err(ModelError::Malformed(format!(
				"metadata {key} is not a list"
			))),
		}
	}
}
