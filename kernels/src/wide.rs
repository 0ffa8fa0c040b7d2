//! Sixteen lanes at once: the few operations all matrix kernels are made of, for each set of instructions.
//!
//! A kernel is written once, generic over [`Wide`], and compiled inside functions that enable the instructions. Every
//! function here is inlined there; called from anywhere else it would be undefined, so all are unsafe, with one
//! condition that is not repeated: the processor has the instructions, and pointers point to as many readable (or
//! writable) values as the name says.

use half::{bf16, f16};
use std::arch::x86_64::*;

/// Lanes: outputs a vector holds.
pub(crate) const LANES: usize = 16;

/// Vectors of [`LANES`] f32 (`F`) and of as many 32-bit words (`I`), a word being a number or four bytes.
#[allow(clippy::missing_safety_doc)]
pub(crate) trait Wide {
	type F: Copy;
	type I: Copy;

	unsafe fn zero() -> Self::F;
	unsafe fn splat(v: f32) -> Self::F;
	unsafe fn load(p: *const f32) -> Self::F;
	unsafe fn store(p: *mut f32, v: Self::F);
	/// 16 values of IEEE half precision.
	unsafe fn load_f16(p: *const u8) -> Self::F;
	/// 16 values of bfloat16.
	unsafe fn load_bf16(p: *const bf16) -> Self::F;
	/// 16 unsigned bytes.
	unsafe fn load_u8(p: *const u8) -> Self::F;
	/// 16 signed bytes.
	unsafe fn load_i8(p: *const u8) -> Self::F;
	unsafe fn add(a: Self::F, b: Self::F) -> Self::F;
	unsafe fn mul(a: Self::F, b: Self::F) -> Self::F;
	/// `a * b + c`; fused where the processor can.
	unsafe fn fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F;

	/// 64 bytes.
	unsafe fn words(p: *const u8) -> Self::I;
	unsafe fn word(v: i32) -> Self::I;
	unsafe fn and(a: Self::I, b: Self::I) -> Self::I;
	unsafe fn or(a: Self::I, b: Self::I) -> Self::I;
	/// Shifts of each word, zeros coming in.
	unsafe fn shl(a: Self::I, n: u32) -> Self::I;
	unsafe fn shr(a: Self::I, n: u32) -> Self::I;
	/// `a - v` in each byte.
	unsafe fn sub_bytes(a: Self::I, v: u8) -> Self::I;
	/// Each word as a number.
	unsafe fn float(a: Self::I) -> Self::F;
	/// Each word as the bits of an f32.
	unsafe fn bits(a: Self::I) -> Self::F;
	/// The signed byte `index` of each word.
	unsafe fn byte(a: Self::I, index: u32) -> Self::F;
	/// The four bits from bit `shift` of each word, less 8.
	unsafe fn nibble(a: Self::I, shift: u32) -> Self::F;
	/// `acc` plus the products of the four unsigned bytes of each word with the four signed bytes at `x`. Without
	/// `FULL` the bytes are below 64.
	unsafe fn dot<const FULL: bool>(acc: Self::I, a: Self::I, x: *const i8) -> Self::I;
	/// `acc` plus the products of the two bf16 of each word with the two at `x`.
	unsafe fn dot_bf16(acc: Self::F, a: Self::I, x: *const bf16) -> Self::F;
}

/// Arrays; whatever the compiler makes of them.
pub(crate) struct Plain;

impl Wide for Plain {
	type F = [f32; LANES];
	type I = [u32; LANES];

	#[inline(always)]
	unsafe fn zero() -> Self::F {
		[0.0; LANES]
	}
	#[inline(always)]
	unsafe fn splat(v: f32) -> Self::F {
		[v; LANES]
	}
	#[inline(always)]
	unsafe fn load(p: *const f32) -> Self::F {
		// SAFETY: 16 readable values.
		unsafe { p.cast::<Self::F>().read_unaligned() }
	}
	#[inline(always)]
	unsafe fn store(p: *mut f32, v: Self::F) {
		// SAFETY: 16 writable values.
		unsafe { p.cast::<Self::F>().write_unaligned(v) }
	}
	#[inline(always)]
	unsafe fn load_f16(p: *const u8) -> Self::F {
		// SAFETY: 32 readable bytes.
		let bits = unsafe { p.cast::<[u16; LANES]>().read_unaligned() };
		bits.map(|b| f16::from_bits(b).to_f32())
	}
	#[inline(always)]
	unsafe fn load_bf16(p: *const bf16) -> Self::F {
		// SAFETY: 16 readable values.
		unsafe { p.cast::<[bf16; LANES]>().read_unaligned() }.map(bf16::to_f32)
	}
	#[inline(always)]
	unsafe fn load_u8(p: *const u8) -> Self::F {
		// SAFETY: 16 readable bytes.
		unsafe { p.cast::<[u8; LANES]>().read_unaligned() }.map(f32::from)
	}
	#[inline(always)]
	unsafe fn load_i8(p: *const u8) -> Self::F {
		// SAFETY: 16 readable bytes.
		unsafe { p.cast::<[i8; LANES]>().read_unaligned() }.map(f32::from)
	}
	#[inline(always)]
	unsafe fn add(a: Self::F, b: Self::F) -> Self::F {
		std::array::from_fn(|l| a[l] + b[l])
	}
	#[inline(always)]
	unsafe fn mul(a: Self::F, b: Self::F) -> Self::F {
		std::array::from_fn(|l| a[l] * b[l])
	}
	#[inline(always)]
	unsafe fn fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F {
		std::array::from_fn(|l| a[l] * b[l] + c[l])
	}
	#[inline(always)]
	unsafe fn words(p: *const u8) -> Self::I {
		// SAFETY: 64 readable bytes.
		unsafe { p.cast::<Self::I>().read_unaligned() }
	}
	#[inline(always)]
	unsafe fn word(v: i32) -> Self::I {
		[v as u32; LANES]
	}
	#[inline(always)]
	unsafe fn and(a: Self::I, b: Self::I) -> Self::I {
		std::array::from_fn(|l| a[l] & b[l])
	}
	#[inline(always)]
	unsafe fn or(a: Self::I, b: Self::I) -> Self::I {
		std::array::from_fn(|l| a[l] | b[l])
	}
	#[inline(always)]
	unsafe fn shl(a: Self::I, n: u32) -> Self::I {
		a.map(|v| v << n)
	}
	#[inline(always)]
	unsafe fn shr(a: Self::I, n: u32) -> Self::I {
		a.map(|v| v >> n)
	}
	#[inline(always)]
	unsafe fn sub_bytes(a: Self::I, v: u8) -> Self::I {
		a.map(|word| u32::from_le_bytes(word.to_le_bytes().map(|b| b.wrapping_sub(v))))
	}
	#[inline(always)]
	unsafe fn float(a: Self::I) -> Self::F {
		a.map(|v| v as i32 as f32)
	}
	#[inline(always)]
	unsafe fn bits(a: Self::I) -> Self::F {
		a.map(f32::from_bits)
	}
	#[inline(always)]
	unsafe fn byte(a: Self::I, index: u32) -> Self::F {
		a.map(|v| ((v << (24 - 8 * index)) as i32 >> 24) as f32)
	}
	#[inline(always)]
	unsafe fn nibble(a: Self::I, shift: u32) -> Self::F {
		a.map(|v| ((v >> shift & 15) as i32 - 8) as f32)
	}
	#[inline(always)]
	unsafe fn dot<const FULL: bool>(acc: Self::I, a: Self::I, x: *const i8) -> Self::I {
		// SAFETY: four readable bytes.
		let x = unsafe { x.cast::<[i8; 4]>().read_unaligned() }.map(i32::from);
		std::array::from_fn(|l| {
			let sum = (a[l] & 255) as i32 * x[0]
				+ (a[l] >> 8 & 255) as i32 * x[1]
				+ (a[l] >> 16 & 255) as i32 * x[2]
				+ (a[l] >> 24) as i32 * x[3];
			acc[l].wrapping_add(sum as u32)
		})
	}
	#[inline(always)]
	unsafe fn dot_bf16(acc: Self::F, a: Self::I, x: *const bf16) -> Self::F {
		// SAFETY: two readable values.
		let x = unsafe { x.cast::<[bf16; 2]>().read_unaligned() }.map(bf16::to_f32);
		std::array::from_fn(|l| {
			acc[l] + f32::from_bits(a[l] << 16) * x[0] + f32::from_bits(a[l] & 0xffff_0000) * x[1]
		})
	}
}

/// Two vectors of eight lanes.
pub(crate) struct Avx2;

impl Wide for Avx2 {
	type F = [__m256; 2];
	type I = [__m256i; 2];

	#[inline(always)]
	unsafe fn zero() -> Self::F {
		// SAFETY: see the module.
		unsafe { [_mm256_setzero_ps(); 2] }
	}
	#[inline(always)]
	unsafe fn splat(v: f32) -> Self::F {
		// SAFETY: see the module.
		unsafe { [_mm256_set1_ps(v); 2] }
	}
	#[inline(always)]
	unsafe fn load(p: *const f32) -> Self::F {
		// SAFETY: see the module.
		unsafe { [_mm256_loadu_ps(p), _mm256_loadu_ps(p.add(8))] }
	}
	#[inline(always)]
	unsafe fn store(p: *mut f32, v: Self::F) {
		// SAFETY: see the module.
		unsafe {
			_mm256_storeu_ps(p, v[0]);
			_mm256_storeu_ps(p.add(8), v[1]);
		}
	}
	#[inline(always)]
	unsafe fn load_f16(p: *const u8) -> Self::F {
		// SAFETY: see the module.
		unsafe {
			[
				_mm256_cvtph_ps(_mm_loadu_si128(p.cast())),
				_mm256_cvtph_ps(_mm_loadu_si128(p.add(16).cast())),
			]
		}
	}
	#[inline(always)]
	unsafe fn load_bf16(p: *const bf16) -> Self::F {
		// SAFETY: see the module.
		unsafe {
			let low = _mm256_cvtepu16_epi32(_mm_loadu_si128(p.cast()));
			let high = _mm256_cvtepu16_epi32(_mm_loadu_si128(p.add(8).cast()));
			Self::bits([_mm256_slli_epi32::<16>(low), _mm256_slli_epi32::<16>(high)])
		}
	}
	#[inline(always)]
	unsafe fn load_u8(p: *const u8) -> Self::F {
		// SAFETY: see the module.
		unsafe {
			[
				_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(p.cast()))),
				_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(p.add(8).cast()))),
			]
		}
	}
	#[inline(always)]
	unsafe fn load_i8(p: *const u8) -> Self::F {
		// SAFETY: see the module.
		unsafe {
			[
				_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(p.cast()))),
				_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(p.add(8).cast()))),
			]
		}
	}
	#[inline(always)]
	unsafe fn add(a: Self::F, b: Self::F) -> Self::F {
		// SAFETY: see the module.
		unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
	}
	#[inline(always)]
	unsafe fn mul(a: Self::F, b: Self::F) -> Self::F {
		// SAFETY: see the module.
		unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
	}
	#[inline(always)]
	unsafe fn fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F {
		// SAFETY: see the module.
		unsafe {
			[
				_mm256_fmadd_ps(a[0], b[0], c[0]),
				_mm256_fmadd_ps(a[1], b[1], c[1]),
			]
		}
	}
	#[inline(always)]
	unsafe fn words(p: *const u8) -> Self::I {
		// SAFETY: see the module.
		unsafe {
			[
				_mm256_loadu_si256(p.cast()),
				_mm256_loadu_si256(p.add(32).cast()),
			]
		}
	}
	#[inline(always)]
	unsafe fn word(v: i32) -> Self::I {
		// SAFETY: see the module.
		unsafe { [_mm256_set1_epi32(v); 2] }
	}
	#[inline(always)]
	unsafe fn and(a: Self::I, b: Self::I) -> Self::I {
		// SAFETY: see the module.
		unsafe { [_mm256_and_si256(a[0], b[0]), _mm256_and_si256(a[1], b[1])] }
	}
	#[inline(always)]
	unsafe fn or(a: Self::I, b: Self::I) -> Self::I {
		// SAFETY: see the module.
		unsafe { [_mm256_or_si256(a[0], b[0]), _mm256_or_si256(a[1], b[1])] }
	}
	#[inline(always)]
	unsafe fn shl(a: Self::I, n: u32) -> Self::I {
		// SAFETY: see the module.
		unsafe {
			let n = _mm256_set1_epi32(n as i32);
			[_mm256_sllv_epi32(a[0], n), _mm256_sllv_epi32(a[1], n)]
		}
	}
	#[inline(always)]
	unsafe fn shr(a: Self::I, n: u32) -> Self::I {
		// SAFETY: see the module.
		unsafe {
			let n = _mm256_set1_epi32(n as i32);
			[_mm256_srlv_epi32(a[0], n), _mm256_srlv_epi32(a[1], n)]
		}
	}
	#[inline(always)]
	unsafe fn sub_bytes(a: Self::I, v: u8) -> Self::I {
		// SAFETY: see the module.
		unsafe {
			let v = _mm256_set1_epi8(v as i8);
			[_mm256_sub_epi8(a[0], v), _mm256_sub_epi8(a[1], v)]
		}
	}
	#[inline(always)]
	unsafe fn float(a: Self::I) -> Self::F {
		// SAFETY: see the module.
		unsafe { [_mm256_cvtepi32_ps(a[0]), _mm256_cvtepi32_ps(a[1])] }
	}
	#[inline(always)]
	unsafe fn bits(a: Self::I) -> Self::F {
		// SAFETY: see the module.
		unsafe { [_mm256_castsi256_ps(a[0]), _mm256_castsi256_ps(a[1])] }
	}
	#[inline(always)]
	unsafe fn byte(a: Self::I, index: u32) -> Self::F {
		// SAFETY: see the module.
		unsafe {
			let a = Self::shl(a, 24 - 8 * index);
			[
				_mm256_cvtepi32_ps(_mm256_srai_epi32::<24>(a[0])),
				_mm256_cvtepi32_ps(_mm256_srai_epi32::<24>(a[1])),
			]
		}
	}
	#[inline(always)]
	unsafe fn nibble(a: Self::I, shift: u32) -> Self::F {
		// SAFETY: see the module.
		unsafe {
			let a = Self::and(Self::shr(a, shift), Self::word(15));
			let eight = _mm256_set1_epi32(8);
			[
				_mm256_cvtepi32_ps(_mm256_sub_epi32(a[0], eight)),
				_mm256_cvtepi32_ps(_mm256_sub_epi32(a[1], eight)),
			]
		}
	}
	#[inline(always)]
	unsafe fn dot<const FULL: bool>(acc: Self::I, a: Self::I, x: *const i8) -> Self::I {
		// SAFETY: see the module.
		unsafe {
			let x = _mm256_set1_epi32(x.cast::<i32>().read_unaligned());
			let one = _mm256_set1_epi16(1);
			let mut sum = acc;
			if FULL {
				// Pairs of products of whole bytes do not fit 16 bits; those of halves do.
				let low = _mm256_set1_epi8(15);
				let sixteen = _mm256_set1_epi16(16);
				for h in 0..2 {
					let lows = _mm256_maddubs_epi16(_mm256_and_si256(a[h], low), x);
					let high = _mm256_and_si256(_mm256_srli_epi16::<4>(a[h]), low);
					let highs = _mm256_maddubs_epi16(high, x);
					sum[h] = _mm256_add_epi32(sum[h], _mm256_madd_epi16(lows, one));
					sum[h] = _mm256_add_epi32(sum[h], _mm256_madd_epi16(highs, sixteen));
				}
			} else {
				for h in 0..2 {
					let pairs = _mm256_maddubs_epi16(a[h], x);
					sum[h] = _mm256_add_epi32(sum[h], _mm256_madd_epi16(pairs, one));
				}
			}
			sum
		}
	}
	#[inline(always)]
	unsafe fn dot_bf16(acc: Self::F, a: Self::I, x: *const bf16) -> Self::F {
		// SAFETY: see the module.
		unsafe {
			let low = Self::bits(Self::shl(a, 16));
			let high = Self::bits(Self::and(a, Self::word(-65536)));
			let acc = Self::fma(low, Self::splat((*x).to_f32()), acc);
			Self::fma(high, Self::splat((*x.add(1)).to_f32()), acc)
		}
	}
}

/// One vector of sixteen lanes; with `VNNI`, dot products of bytes in one instruction, with `BF16` those of bf16.
pub(crate) struct Avx512<const VNNI: bool, const BF16: bool>;

impl<const VNNI: bool, const BF16: bool> Wide for Avx512<VNNI, BF16> {
	type F = __m512;
	type I = __m512i;

	#[inline(always)]
	unsafe fn zero() -> Self::F {
		// SAFETY: see the module.
		unsafe { _mm512_setzero_ps() }
	}
	#[inline(always)]
	unsafe fn splat(v: f32) -> Self::F {
		// SAFETY: see the module.
		unsafe { _mm512_set1_ps(v) }
	}
	#[inline(always)]
	unsafe fn load(p: *const f32) -> Self::F {
		// SAFETY: see the module.
		unsafe { _mm512_loadu_ps(p) }
	}
	#[inline(always)]
	unsafe fn store(p: *mut f32, v: Self::F) {
		// SAFETY: see the module.
		unsafe { _mm512_storeu_ps(p, v) }
	}
	#[inline(always)]
	unsafe fn load_f16(p: *const u8) -> Self::F {
		// SAFETY: see the module.
		unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(p.cast())) }
	}
	#[inline(always)]
	unsafe fn load_bf16(p: *const bf16) -> Self::F {
		// SAFETY: see the module.
		unsafe {
			let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(p.cast()));
			_mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide))
		}
	}
	#[inline(always)]
	unsafe fn load_u8(p: *const u8) -> Self::F {
		// SAFETY: see the module.
		unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(p.cast()))) }
	}
	#[inline(always)]
	unsafe fn load_i8(p: *const u8) -> Self::F {
		// SAFETY: see the module.
		unsafe { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(p.cast()))) }
	}
	#[inline(always)]
	unsafe fn add(a: Self::F, b: Self::F) -> Self::F {
		// SAFETY: see the module.
		unsafe { _mm512_add_ps(a, b) }
	}
	#[inline(always)]
	unsafe fn mul(a: Self::F, b: Self::F) -> Self::F {
		// SAFETY: see the module.
		unsafe { _mm512_mul_ps(a, b) }
	}
	#[inline(always)]
	unsafe fn fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F {
		// SAFETY: see the module.
		unsafe { _mm512_fmadd_ps(a, b, c) }
	}
	#[inline(always)]
	unsafe fn words(p: *const u8) -> Self::I {
		// SAFETY: see the module.
		unsafe { _mm512_loadu_si512(p.cast()) }
	}
	#[inline(always)]
	unsafe fn word(v: i32) -> Self::I {
		// SAFETY: see the module.
		unsafe { _mm512_set1_epi32(v) }
	}
	#[inline(always)]
	unsafe fn and(a: Self::I, b: Self::I) -> Self::I {
		// SAFETY: see the module.
		unsafe { _mm512_and_si512(a, b) }
	}
	#[inline(always)]
	unsafe fn or(a: Self::I, b: Self::I) -> Self::I {
		// SAFETY: see the module.
		unsafe { _mm512_or_si512(a, b) }
	}
	#[inline(always)]
	unsafe fn shl(a: Self::I, n: u32) -> Self::I {
		// SAFETY: see the module.
		unsafe { _mm512_sllv_epi32(a, _mm512_set1_epi32(n as i32)) }
	}
	#[inline(always)]
	unsafe fn shr(a: Self::I, n: u32) -> Self::I {
		// SAFETY: see the module.
		unsafe { _mm512_srlv_epi32(a, _mm512_set1_epi32(n as i32)) }
	}
	#[inline(always)]
	unsafe fn sub_bytes(a: Self::I, v: u8) -> Self::I {
		// SAFETY: see the module.
		unsafe { _mm512_sub_epi8(a, _mm512_set1_epi8(v as i8)) }
	}
	#[inline(always)]
	unsafe fn float(a: Self::I) -> Self::F {
		// SAFETY: see the module.
		unsafe { _mm512_cvtepi32_ps(a) }
	}
	#[inline(always)]
	unsafe fn bits(a: Self::I) -> Self::F {
		// SAFETY: see the module.
		unsafe { _mm512_castsi512_ps(a) }
	}
	#[inline(always)]
	unsafe fn byte(a: Self::I, index: u32) -> Self::F {
		// SAFETY: see the module.
		unsafe {
			let top = Self::shl(a, 24 - 8 * index);
			_mm512_cvtepi32_ps(_mm512_srai_epi32::<24>(top))
		}
	}
	#[inline(always)]
	unsafe fn nibble(a: Self::I, shift: u32) -> Self::F {
		// SAFETY: see the module. The permutation looks at the low four bits of each word alone: a table look-up.
		unsafe {
			let table = _mm512_setr_ps(
				-8.0, -7.0, -6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0,
				7.0,
			);
			_mm512_permutexvar_ps(Self::shr(a, shift), table)
		}
	}
	#[inline(always)]
	unsafe fn dot<const FULL: bool>(acc: Self::I, a: Self::I, x: *const i8) -> Self::I {
		// SAFETY: see the module.
		unsafe {
			let x = _mm512_set1_epi32(x.cast::<i32>().read_unaligned());
			if VNNI {
				return _mm512_dpbusd_epi32(acc, a, x);
			}
			let one = _mm512_set1_epi16(1);
			if !FULL {
				let pairs = _mm512_maddubs_epi16(a, x);
				return _mm512_add_epi32(acc, _mm512_madd_epi16(pairs, one));
			}
			// Pairs of products of whole bytes do not fit 16 bits; those of halves do.
			let low = _mm512_set1_epi8(15);
			let lows = _mm512_maddubs_epi16(_mm512_and_si512(a, low), x);
			let high = _mm512_and_si512(_mm512_srli_epi16::<4>(a), low);
			let highs = _mm512_maddubs_epi16(high, x);
			let sum = _mm512_add_epi32(acc, _mm512_madd_epi16(lows, one));
			_mm512_add_epi32(sum, _mm512_madd_epi16(highs, _mm512_set1_epi16(16)))
		}
	}
	#[inline(always)]
	unsafe fn dot_bf16(acc: Self::F, a: Self::I, x: *const bf16) -> Self::F {
		// SAFETY: see the module; a `__m512bh` is 32 bf16, as the words are.
		unsafe {
			if BF16 {
				let x = _mm512_set1_epi32(x.cast::<i32>().read_unaligned());
				return _mm512_dpbf16_ps(
					acc,
					std::mem::transmute::<__m512i, __m512bh>(a),
					std::mem::transmute::<__m512i, __m512bh>(x),
				);
			}
			let low = Self::bits(Self::shl(a, 16));
			let high = Self::bits(Self::and(a, Self::word(-65536)));
			let acc = Self::fma(low, Self::splat((*x).to_f32()), acc);
			Self::fma(high, Self::splat((*x.add(1)).to_f32()), acc)
		}
	}
}
