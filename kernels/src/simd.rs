//! Which instructions the processor has, and how a kernel body is compiled once for each.

use std::sync::OnceLock;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
	Portable,
	/// AVX2, FMA, F16C.
	Avx2,
	/// AVX-512 F, BW, VL, DQ.
	Avx512,
	/// And VNNI: dot products of bytes.
	Vnni,
	/// And BF16: dot products of bfloat16.
	Brain,
}

/// A set of instructions this processor is known to have.
///
/// Only [`Level::best`] and [`Level::available`] make one, after asking the processor: holding a `Level` is the
/// proof that its instructions may be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(pub(crate) Kind);

impl Level {
	/// Plain Rust, for every processor.
	pub const PORTABLE: Level = Level(Kind::Portable);

	/// The widest level of this processor.
	pub fn best() -> Level {
		static BEST: OnceLock<Level> = OnceLock::new();
		*BEST.get_or_init(|| Self::available().last().copied().unwrap_or(Self::PORTABLE))
	}

	/// Every level of this processor, narrowest first.
	pub fn available() -> Vec<Level> {
		let mut levels = vec![Self::PORTABLE];
		let avx2 = is_x86_feature_detected!("avx2")
			&& is_x86_feature_detected!("fma")
			&& is_x86_feature_detected!("f16c");
		let avx512 = is_x86_feature_detected!("avx512f")
			&& is_x86_feature_detected!("avx512bw")
			&& is_x86_feature_detected!("avx512vl")
			&& is_x86_feature_detected!("avx512dq");
		let kinds = [
			(Kind::Avx2, avx2),
			(Kind::Avx512, avx512),
			(Kind::Vnni, is_x86_feature_detected!("avx512vnni")),
			(Kind::Brain, is_x86_feature_detected!("avx512bf16")),
		];
		// Each set includes those before it.
		levels.extend(
			kinds
				.into_iter()
				.take_while(|(_, has)| *has)
				.map(|(kind, _)| Level(kind)),
		);
		levels
	}

	/// `portable`, `avx2`, `avx512`, `avx512-vnni` or `avx512-bf16`.
	pub fn name(self) -> &'static str {
		match self.0 {
			Kind::Portable => "portable",
			Kind::Avx2 => "avx2",
			Kind::Avx512 => "avx512",
			Kind::Vnni => "avx512-vnni",
			Kind::Brain => "avx512-bf16",
		}
	}
}

/// Compiles `body`, a function generic over `const FMA: bool` and marked `#[inline(always)]`, for each level and
/// defines `name(level, ..)` that calls the right one.
macro_rules! leveled {
	($(#[$meta:meta])* $vis:vis fn $name:ident ($($arg:ident : $ty:ty),* $(,)?) $(-> $ret:ty)? = $body:ident) => {
		$(#[$meta])*
		#[allow(clippy::too_many_arguments)]
		$vis fn $name(level: $crate::Level, $($arg: $ty),*) $(-> $ret)? {
			#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")]
			#[allow(clippy::too_many_arguments)]
			fn avx512($($arg: $ty),*) $(-> $ret)? { $body::<true>($($arg),*) }
			#[target_feature(enable = "avx2,fma")]
			#[allow(clippy::too_many_arguments)]
			fn avx2($($arg: $ty),*) $(-> $ret)? { $body::<true>($($arg),*) }
			match level.0 {
				$crate::simd::Kind::Portable => $body::<false>($($arg),*),
				// SAFETY: a `Level` exists only when the processor has its instructions.
				$crate::simd::Kind::Avx2 => unsafe { avx2($($arg),*) },
				// SAFETY: as above.
				_ => unsafe { avx512($($arg),*) },
			}
		}
	};
}
pub(crate) use leveled;

/// Lanes of the explicit partial sums. Wide enough for one AVX-512 or two AVX2 registers.
pub(crate) const LANES: usize = 16;

/// `a * b + c`, fused where the level has FMA (without it `mul_add` would be a slow library call).
#[inline(always)]
pub(crate) fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
	if FMA {
		a.mul_add(b, c)
	} else {
		a * b + c
	}
}

/// Sum of the lanes as a fixed tree.
#[inline(always)]
pub(crate) fn reduce(mut lanes: [f32; LANES]) -> f32 {
	let mut width = LANES / 2;
	while width > 0 {
		for i in 0..width {
			lanes[i] += lanes[i + width];
		}
		width /= 2;
	}
	lanes[0]
}

/// Sum of a block of inputs, as a fixed tree.
#[inline(always)]
pub(crate) fn sum_block(x: &[f32; 2 * LANES]) -> f32 {
	reduce(std::array::from_fn(|l| x[l] + x[l + LANES]))
}

/// Dot product with [`LANES`] partial sums and a scalar tail: one order for every caller.
#[inline(always)]
pub(crate) fn dot<const FMA: bool>(a: &[f32], b: &[f32]) -> f32 {
	let mut lanes = [0f32; LANES];
	let mut xs = a.chunks_exact(LANES);
	let mut ys = b.chunks_exact(LANES);
	for (x, y) in (&mut xs).zip(&mut ys) {
		for l in 0..LANES {
			lanes[l] = fma::<FMA>(x[l], y[l], lanes[l]);
		}
	}
	let mut sum = reduce(lanes);
	for (x, y) in xs.remainder().iter().zip(ys.remainder()) {
		sum = fma::<FMA>(*x, *y, sum);
	}
	sum
}

/// e^x without a branch or a table, so that loops over it vectorise. Relative error below 3e-7; exactly 0 under
/// -87.3 and clamped at e^88.
///
/// Range reduction by ln 2 in two parts and the degree-6 polynomial of Cephes' `expf`.
#[inline(always)]
pub(crate) fn exp<const FMA: bool>(x: f32) -> f32 {
	let clamped = x.clamp(-87.3, 88.0);
	// Adding 1.5 * 2^23 leaves the nearest integer in the low bits: no call, and no conversion that looks at its range.
	const ROUND: f32 = 12_582_912.0;
	let integer = clamped * std::f32::consts::LOG2_E + ROUND;
	let n = integer - ROUND;
	let r = fma::<FMA>(n, -0.693_359_4, clamped);
	let r = fma::<FMA>(n, 2.121_944_4e-4, r);
	let mut p = 1.987_569_1e-4;
	p = fma::<FMA>(p, r, 1.398_2e-3);
	p = fma::<FMA>(p, r, 8.333_452e-3);
	p = fma::<FMA>(p, r, 4.166_579_6e-2);
	p = fma::<FMA>(p, r, 1.666_666_5e-1);
	p = fma::<FMA>(p, r, 0.5);
	let p = fma::<FMA>(p, r * r, r) + 1.0;
	let exponent = integer.to_bits().wrapping_sub(ROUND.to_bits() - 127);
	let scale = f32::from_bits(exponent << 23);
	let y = p * scale;
	if x < -87.3 {
		0.0
	} else {
		y
	}
}

/// Largest value; negative infinity for none.
#[inline(always)]
pub(crate) fn max(values: &[f32]) -> f32 {
	let mut lanes = [f32::NEG_INFINITY; LANES];
	let mut chunks = values.chunks_exact(LANES);
	for chunk in &mut chunks {
		for l in 0..LANES {
			lanes[l] = if chunk[l] > lanes[l] {
				chunk[l]
			} else {
				lanes[l]
			};
		}
	}
	let mut best = f32::NEG_INFINITY;
	for &v in lanes.iter().chain(chunks.remainder()) {
		if v > best {
			best = v;
		}
	}
	best
}

/// Replaces each value by `e^(value - shift)` and returns their sum.
#[inline(always)]
pub(crate) fn exp_sum<const FMA: bool>(values: &mut [f32], shift: f32) -> f32 {
	let mut lanes = [0f32; LANES];
	let mut chunks = values.chunks_exact_mut(LANES);
	for chunk in &mut chunks {
		for l in 0..LANES {
			chunk[l] = exp::<FMA>(chunk[l] - shift);
			lanes[l] += chunk[l];
		}
	}
	let mut sum = reduce(lanes);
	for v in chunks.into_remainder() {
		*v = exp::<FMA>(*v - shift);
		sum += *v;
	}
	sum
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn exp_should_agree_with_f64_over_the_whole_range() {
		let mut x = -87.0f32;
		while x < 88.0 {
			for got in [exp::<true>(x), exp::<false>(x)] {
				let want = f64::from(x).exp();
				assert!(
					(f64::from(got) - want).abs() <= 4e-7 * want,
					"exp({x}) = {got}, not {want}"
				);
			}
			x += 0.013;
		}
		assert_eq!(exp::<true>(-1000.0), 0.0);
		assert_eq!(exp::<true>(f32::NEG_INFINITY), 0.0);
		assert_eq!(exp::<true>(0.0), 1.0);
	}
}
