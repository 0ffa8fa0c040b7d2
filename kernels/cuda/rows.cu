// Row-wise kernels: embedding, norm, rotation with the keys' and values' way into pages, activation, conversion.
//
// Floor of each: the bytes named above it at 4.8 TB/s; operations do not matter. At the engine's batch sizes those
// rows lie in L2, and a launch (some 2 us) costs more than they do. All unmeasured.
#include "tables.cuh"
#include "common.cuh"

// --- embedding ------------------------------------------------------------------------------------------------------
// Bytes: rows · k · (format + 4). One block per row.

template <class Load> DEVICE void embed(const EmbedArgs &a, Load load) {
	u32 row = blockIdx.x;
	if (row >= number(a.rows)) {
		return;
	}
	u32 token = min(((const u32 *)a.tokens)[row], a.n - 1);
	float *out = (float *)a.out + (u64)row * a.k;
	for (u32 i = threadIdx.x; i < a.k; i += blockDim.x) {
		out[i] = load((u64)token * a.k + i, token);
	}
}

KERNEL(256, 1) embed_f32(const EmbedArgs a) {
	embed(a, [&](u64 at, u32) { return ((const float *)a.table)[at]; });
}

KERNEL(256, 1) embed_bf16(const EmbedArgs a) {
	embed(a, [&](u64 at, u32) { return widen(((const bf16 *)a.table)[at]); });
}

KERNEL(256, 1) embed_int8(const EmbedArgs a) {
	embed(a, [&](u64 at, u32 token) {
		return (float)((const signed char *)a.table)[at] * ((const float *)a.scales)[token];
	});
}

// --- norm -----------------------------------------------------------------------------------------------------------
// Bytes: rows · width · (4 + out), and with something to add 4 + add more. One block per row; the second pass reads
// what this thread wrote or L1.

template <class T> DEVICE void rms_norm(const RmsNormArgs &a) {
	u32 row = blockIdx.x;
	if (row >= number(a.rows)) {
		return;
	}
	u64 from = a.gather ? ((const u32 *)a.gather)[row] : row;
	float *x = (float *)a.x + from * a.width;
	const T *add = a.add ? (const T *)a.add + (u64)row * a.width : 0;
	float sum = 0.0f;
	for (u32 i = threadIdx.x; i < a.width; i += 256) {
		float v = x[i];
		if (add) {
			v += widen(add[i]);
			x[i] = v;
		}
		sum = __fmaf_rn(v, v, sum);
	}
	float scale = rsqrtf(sum_block<8>(sum) / (float)a.width + a.eps);
	const float *weight = (const float *)a.weight;
	T *out = (T *)a.out + (u64)row * a.width;
	for (u32 i = threadIdx.x; i < a.width; i += 256) {
		out[i] = narrow<T>(x[i] * scale * weight[i]);
	}
}

KERNEL(256, 1) rms_norm_f32(const RmsNormArgs a) { rms_norm<float>(a); }
KERNEL(256, 1) rms_norm_bf16(const RmsNormArgs a) { rms_norm<bf16>(a); }

// --- bias, norms of heads, rotation, pages ---------------------------------------------------------------------------
// Bytes: rows · (heads + 2 kv heads) · head_dim · 2 types, and the keys and values once more into pages. One block per
// row, one warp per head; a lane has the pairs (i, i + head_dim / 2) for i = lane, lane + 32, ..

template <class T> DEVICE void rope(const RopeArgs &a) {
	u32 row = blockIdx.x;
	if (row >= number(a.rows)) {
		return;
	}
	const u32 PAIRS = 4;
	u32 lane = threadIdx.x % 32;
	u32 half = a.head_dim / 2;
	u32 heads = a.heads + 2 * a.kv_heads;
	u32 position = ((const u32 *)a.positions)[row];
	const float *cosines =
		a.table ? (const float *)a.table + (u64)min(position, a.table_len - 1) * a.head_dim : 0;
	T *page = (T *)((const u64 *)a.pages)[row];
	u64 slot = (u64)(position % a.page_tokens) * a.head_dim;
	for (u32 head = threadIdx.x / 32; head < heads; head += 8) {
		T *values = (T *)a.qkv + ((u64)row * heads + head) * a.head_dim;
		bool turned = head < a.heads + a.kv_heads;
		float x[PAIRS], y[PAIRS];
		float sum = 0.0f;
#pragma unroll
		for (u32 p = 0; p < PAIRS; p++) {
			u32 i = lane + 32 * p;
			bool real = i < half;
			x[p] = real ? widen(values[i]) : 0.0f;
			y[p] = real ? widen(values[i + half]) : 0.0f;
			if (a.bias && real) {
				const float *bias = (const float *)a.bias + head * a.head_dim;
				x[p] += bias[i];
				y[p] += bias[i + half];
			}
			sum = __fmaf_rn(x[p], x[p], sum);
			sum = __fmaf_rn(y[p], y[p], sum);
		}
		float scale = 1.0f;
		const float *norm = 0;
		if (turned && a.q_norm) {
			scale = rsqrtf(sum_warp(sum) / (float)a.head_dim + a.eps);
			norm = (const float *)(head < a.heads ? a.q_norm : a.k_norm);
		}
		T *kept = 0;
		if (head >= a.heads) {
			bool key = head < a.heads + a.kv_heads;
			u64 kv = key ? head - a.heads : head - a.heads - a.kv_heads;
			u64 half_page = (u64)a.layer * 2 + (key ? 0 : 1);
			kept = page + ((half_page * a.kv_heads + kv) * a.page_tokens) * a.head_dim + slot;
		}
#pragma unroll
		for (u32 p = 0; p < PAIRS; p++) {
			u32 i = lane + 32 * p;
			if (i >= half) {
				continue;
			}
			float u = x[p], v = y[p];
			if (norm) {
				u = u * scale * norm[i];
				v = v * scale * norm[i + half];
			}
			if (turned && cosines) {
				float c = cosines[i], s = cosines[i + half];
				float w = u * c - v * s;
				v = v * c + u * s;
				u = w;
			}
			T first = narrow<T>(u), second = narrow<T>(v);
			values[i] = first;
			values[i + half] = second;
			if (kept) {
				kept[i] = first;
				kept[i + half] = second;
			}
		}
	}
}

KERNEL(256, 1) rope_f32(const RopeArgs a) { rope<float>(a); }
KERNEL(256, 1) rope_bf16(const RopeArgs a) { rope<bf16>(a); }

// --- activation -----------------------------------------------------------------------------------------------------
// Bytes: rows · width · 3 types. Grid: (columns / 256, rows).

template <class T> DEVICE void silu_mul(const SiluMulArgs &a) {
	u32 column = blockIdx.x * 256 + threadIdx.x;
	u32 row = blockIdx.y;
	if (row >= number(a.rows) || column >= a.width) {
		return;
	}
	const T *gates = (const T *)a.gate_up + (u64)row * 2 * a.width;
	float gate = widen(gates[column]);
	float up = widen(gates[a.width + column]);
	((T *)a.out)[(u64)row * a.width + column] = narrow<T>(gate / (1.0f + expf(-gate)) * up);
}

KERNEL(256, 1) silu_mul_f32(const SiluMulArgs a) { silu_mul<float>(a); }
KERNEL(256, 1) silu_mul_bf16(const SiluMulArgs a) { silu_mul<bf16>(a); }

// --- conversion -----------------------------------------------------------------------------------------------------
// Bytes: len · (from + to).

KERNEL(256, 1) convert_f32_bf16(const ConvertArgs a) {
	for (u64 i = blockIdx.x * 256ull + threadIdx.x; i < a.len; i += gridDim.x * 256ull) {
		((bf16 *)a.to)[i] = narrow<bf16>(((const float *)a.from)[i]);
	}
}

KERNEL(256, 1) convert_bf16_f32(const ConvertArgs a) {
	for (u64 i = blockIdx.x * 256ull + threadIdx.x; i < a.len; i += gridDim.x * 256ull) {
		((float *)a.to)[i] = widen(((const bf16 *)a.from)[i]);
	}
}
