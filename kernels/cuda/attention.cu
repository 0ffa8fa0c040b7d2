// Causal attention over paged keys and values, with grouped query heads.
//
// One arithmetic for rows that decode and for prompts. The 16 rows of the tensor cores' first operand are pairs of a
// row of the batch and one of the query heads that share a kv head: all heads of one row when it decodes, several rows
// of a prompt. A context is cut into splits of SPLIT positions. A split is one running softmax over steps of 16
// positions in ascending order; splits are merged in ascending order. A pair that does not see a step multiplies by
// one and adds zero. So a row's bits are the same alone, in company, and however its prompt was cut.
//
// Page: [layer][key, value][kv head][position][head_dim]. Fragments come straight from it by 16-byte loads: the order
// of head_dim inside a score's sum is free as long as queries agree (a lane takes eight of 32), and so is which column
// of the values' product stands for which element (lane group g takes elements 64i + 8g ..): rows of two positions are
// joined to operands by byte permutation.
//
// Floor of a decoding row at context len: 2 · len · kv_heads · head_dim · 2 bytes at 4.8 TB/s (Llama-3.1-8B, 512
// positions: 2.1 MB a layer and row with 8 kv heads of 128, 0.44 us). Of a prompt: 4 · len · heads · head_dim
// operations a row at 989 TFLOP/s. Unmeasured.
#include "tables.cuh"
#include "common.cuh"

const float NOTHING = -1e30f;
const u32 STEP = 16;

DEVICE u64 page_offset(const AttentionArgs &a, u32 kv_head, u32 value) {
	return ((u64)(a.layer * 2 + value) * a.kv_heads + kv_head) * a.page_tokens * a.head_dim;
}

// Running softmax of this lane's two pairs (g and g + 8), and their part of the values.
template <int D> struct Running {
	float max[2], sum[2];
	float out[D / 64][8][4];

	DEVICE void clear() {
#pragma unroll
		for (int r = 0; r < 2; r++) {
			max[r] = NOTHING;
			sum[r] = 0.0f;
		}
#pragma unroll
		for (int i = 0; i < D / 64; i++) {
#pragma unroll
			for (int e = 0; e < 8; e++) {
#pragma unroll
				for (int c = 0; c < 4; c++) {
					out[i][e][c] = 0.0f;
				}
			}
		}
	}

	// The sums of the four lanes of a group, which saw different positions.
	DEVICE void finish() {
#pragma unroll
		for (int r = 0; r < 2; r++) {
			sum[r] += __shfl_xor_sync(ALL, sum[r], 1);
			sum[r] += __shfl_xor_sync(ALL, sum[r], 2);
		}
	}
};

// Adds one finished split to what came before it. `merge` says how, for kernels that keep them in memory too.
struct Factors {
	float old, fresh, max, sum;
};

DEVICE Factors merge(float max, float sum, float split_max, float split_sum) {
	Factors f;
	f.max = fmaxf(max, split_max);
	f.old = exp2_fast(max - f.max);
	f.fresh = exp2_fast(split_max - f.max);
	f.sum = __fmaf_rn(sum, f.old, __fmul_rn(split_sum, f.fresh));
	return f;
}

DEVICE float merged(const Factors &f, float old, float fresh) {
	return __fmaf_rn(old, f.old, __fmul_rn(fresh, f.fresh));
}

template <int D> DEVICE void merge_into(Running<D> &total, const Running<D> &split) {
	Factors f[2];
#pragma unroll
	for (int r = 0; r < 2; r++) {
		f[r] = merge(total.max[r], total.sum[r], split.max[r], split.sum[r]);
		total.max[r] = f[r].max;
		total.sum[r] = f[r].sum;
	}
#pragma unroll
	for (int i = 0; i < D / 64; i++) {
#pragma unroll
		for (int e = 0; e < 8; e++) {
#pragma unroll
			for (int c = 0; c < 4; c++) {
				total.out[i][e][c] = merged(f[c / 2], total.out[i][e][c], split.out[i][e][c]);
			}
		}
	}
}

// Queries of this lane's two pairs: of every 32 elements, eight.
template <int D> struct Queries {
	uint4 v[2][D / 32];
};

// One step of 16 positions from `base`. `key(position in the step, element)` and `value(..)` give 16 bytes each, zeros
// where nobody sees the position; `len` is what each of the lane's pairs sees.
template <int D, class Key, class Value>
DEVICE void attend(Running<D> &run, const Queries<D> &q, u32 base, const u32 (&len)[2], float scale, u32 g, u32 t,
				   Key key, Value value) {
	uint4 values[D / 64][4];
#pragma unroll
	for (int i = 0; i < D / 64; i++) {
#pragma unroll
		for (int p = 0; p < 4; p++) {
			values[i][p] = value(2 * t + p % 2 + 8 * (p / 2), 64 * i + 8 * g);
		}
	}
	float s[2][4] = {};
#pragma unroll
	for (int n = 0; n < 2; n++) {
#pragma unroll
		for (int b = 0; b < D / 32; b++) {
			uint4 k = key(8 * n + g, 32 * b + 8 * t);
			mma(s[n], q.v[0][b].x, q.v[1][b].x, q.v[0][b].y, q.v[1][b].y, k.x, k.y);
			mma(s[n], q.v[0][b].z, q.v[1][b].z, q.v[0][b].w, q.v[1][b].w, k.z, k.w);
		}
	}
	float most[2] = {NOTHING, NOTHING};
#pragma unroll
	for (int n = 0; n < 2; n++) {
#pragma unroll
		for (int c = 0; c < 4; c++) {
			u32 position = base + 8 * n + 2 * t + c % 2;
			s[n][c] = position < len[c / 2] ? __fmul_rn(s[n][c], scale) : NOTHING;
			most[c / 2] = fmaxf(most[c / 2], s[n][c]);
		}
	}
	float shrink[2];
#pragma unroll
	for (int r = 0; r < 2; r++) {
		most[r] = fmaxf(most[r], __shfl_xor_sync(ALL, most[r], 1));
		most[r] = fmaxf(most[r], __shfl_xor_sync(ALL, most[r], 2));
		most[r] = fmaxf(most[r], run.max[r]);
		shrink[r] = exp2_fast(run.max[r] - most[r]);
		run.max[r] = most[r];
	}
	float p[2][4];
	float sum[2] = {0.0f, 0.0f};
#pragma unroll
	for (int n = 0; n < 2; n++) {
#pragma unroll
		for (int c = 0; c < 4; c++) {
			p[n][c] = s[n][c] == NOTHING ? 0.0f : exp2_fast(s[n][c] - most[c / 2]);
			sum[c / 2] += p[n][c];
		}
	}
#pragma unroll
	for (int r = 0; r < 2; r++) {
		run.sum[r] = __fmaf_rn(run.sum[r], shrink[r], sum[r]);
	}
	u32 a0 = pack(p[0][0], p[0][1]), a1 = pack(p[0][2], p[0][3]);
	u32 a2 = pack(p[1][0], p[1][1]), a3 = pack(p[1][2], p[1][3]);
#pragma unroll
	for (int i = 0; i < D / 64; i++) {
		u32 rows[4][4];
#pragma unroll
		for (int r = 0; r < 4; r++) {
			rows[r][0] = values[i][r].x;
			rows[r][1] = values[i][r].y;
			rows[r][2] = values[i][r].z;
			rows[r][3] = values[i][r].w;
		}
#pragma unroll
		for (int e = 0; e < 8; e++) {
			float(&o)[4] = run.out[i][e];
#pragma unroll
			for (int c = 0; c < 4; c++) {
				o[c] = __fmul_rn(o[c], shrink[c / 2]);
			}
			mma(o, a0, a1, a2, a3, column_pair(rows[0][e / 2], rows[1][e / 2], e % 2),
				column_pair(rows[2][e / 2], rows[3][e / 2], e % 2));
		}
	}
}

template <int D> DEVICE float score_scale() { return 1.4426950408889634f * (D == 64 ? 0.125f : 0.08838834764831845f); }

// --- rows that decode -------------------------------------------------------------------------------------------------
// Grid: (works, kv heads); a block of 4 warps, one for each split of the work. A warp has 8 KB of keys and values in
// flight for head_dim 128. Bytes beside the pages: heads · (head_dim + 2) · 4 a split, written and read once.

template <int D> DEVICE void attention_decode(const AttentionArgs &a) {
	if (blockIdx.x >= number(a.works)) {
		return;
	}
	const DecodeWork work = ((const DecodeWork *)a.work)[blockIdx.x];
	u32 warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
	if (warp >= work.splits) {
		return;
	}
	u32 kv_head = blockIdx.y, group = a.heads / a.kv_heads;
	const bf16 *query =
		(const bf16 *)a.qkv + (u64)work.row * (a.heads + 2 * a.kv_heads) * D + (u64)kv_head * group * D;
	Queries<D> q;
	u32 len[2];
#pragma unroll
	for (int r = 0; r < 2; r++) {
		u32 pair = g + 8 * r;
		len[r] = pair < group ? work.len : 0;
#pragma unroll
		for (int b = 0; b < D / 32; b++) {
			q.v[r][b] = pair < group ? load16(query + pair * D + 32 * b + 8 * t) : zero16();
		}
	}
	const u64 *pages = (const u64 *)work.pages;
	u64 keys = page_offset(a, kv_head, 0), values = page_offset(a, kv_head, 1);
	u32 start = (work.split + warp) * SPLIT;
	u32 end = min(start + SPLIT, work.len);
	Running<D> run;
	run.clear();
	for (u32 base = start; base < end; base += STEP) {
		const bf16 *page = (const bf16 *)pages[base / a.page_tokens];
		u64 slot = (u64)(base % a.page_tokens) * D;
		auto row = [&](u64 part, u32 position, u32 element) {
			return base + position < work.len ? stream16(page + part + slot + position * D + element) : zero16();
		};
		attend<D>(
			run, q, base, len, score_scale<D>(), g, t, [&](u32 p, u32 e) { return row(keys, p, e); },
			[&](u32 p, u32 e) { return row(values, p, e); });
	}
	run.finish();
	u64 result = work.partial + warp;
#pragma unroll
	for (int r = 0; r < 2; r++) {
		u32 pair = g + 8 * r;
		if (pair >= group) {
			continue;
		}
		float *out = (float *)a.partial + (result * a.heads + kv_head * group + pair) * (D + 2);
		if (t == 0) {
			out[0] = run.max[r];
			out[1] = run.sum[r];
		}
#pragma unroll
		for (int i = 0; i < D / 64; i++) {
#pragma unroll
			for (int c = 0; c < 2; c++) {
				float *eight = out + 2 + 64 * i + 8 * (2 * t + c);
#pragma unroll
				for (int e = 0; e < 8; e += 2) {
					*(float2 *)(eight + e) = make_float2(run.out[i][e][2 * r + c], run.out[i][e + 1][2 * r + c]);
				}
			}
		}
	}
}

KERNEL(128, 2) attention_decode_64(const AttentionArgs a) { attention_decode<64>(a); }
KERNEL(128, 2) attention_decode_128(const AttentionArgs a) { attention_decode<128>(a); }

// Writes what a warp has of a head: every 32nd element, not yet divided by the sum of the weights.
template <class T> DEVICE void write_row(const AttentionArgs &a, u32 row, u32 head, const float (&out)[8], float sum) {
	T *to = (T *)a.out + ((u64)row * a.heads + head) * a.head_dim;
	float scale = __frcp_rn(sum);
#pragma unroll
	for (u32 i = 0; i < 8; i++) {
		u32 e = threadIdx.x % 32 + 32 * i;
		if (e < a.head_dim) {
			to[e] = narrow<T>(__fmul_rn(out[i], scale));
		}
	}
}

// Merges the splits of a row. Grid: (rows, heads); a warp, whose lanes have every 32nd element.
template <class T> DEVICE void attention_merge(const AttentionArgs &a) {
	if (blockIdx.x >= number(a.merges)) {
		return;
	}
	const DecodeRow row = ((const DecodeRow *)a.merge)[blockIdx.x];
	u32 head = blockIdx.y, lane = threadIdx.x;
	float max = NOTHING, sum = 0.0f;
	float out[8] = {};
	for (u32 s = 0; s < row.splits; s++) {
		const float *part = (const float *)a.partial + ((u64)(row.partial + s) * a.heads + head) * (a.head_dim + 2);
		Factors f = merge(max, sum, part[0], part[1]);
		max = f.max;
		sum = f.sum;
#pragma unroll
		for (u32 i = 0; i < 8; i++) {
			u32 e = lane + 32 * i;
			if (e < a.head_dim) {
				out[i] = merged(f, out[i], part[2 + e]);
			}
		}
	}
	write_row<T>(a, row.row, head, out, sum);
}

KERNEL(32, 1) attention_merge_bf16(const AttentionArgs a) { attention_merge<bf16>(a); }
KERNEL(32, 1) attention_merge_f32(const AttentionArgs a) { attention_merge<float>(a); }

// --- prompts ----------------------------------------------------------------------------------------------------------
// Grid: (tiles, kv heads); a block of 4 warps, each with 16 / group rows of the tile. 32 positions at a time go through
// shared memory, two buffers; rows of keys and values are padded so that no load meets in a bank. The keys and values
// of a sequence are read from L2 once for every tile: 64 pairs.

template <int D> DEVICE void attention_prefill(const AttentionArgs &a) {
	const u32 POSITIONS = 32, KEY_PITCH = D + 32, VALUE_PITCH = D + 8;
	__shared__ __align__(16) bf16 shared_keys[2][POSITIONS * KEY_PITCH];
	__shared__ __align__(16) bf16 shared_values[2][POSITIONS * VALUE_PITCH];
	if (blockIdx.x >= number(a.tiles)) {
		return;
	}
	const PrefillTile tile = ((const PrefillTile *)a.tile)[blockIdx.x];
	u32 warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
	u32 kv_head = blockIdx.y, group = a.heads / a.kv_heads;
	u32 rows = 16 / group;
	u64 width = (u64)(a.heads + 2 * a.kv_heads) * D;
	Queries<D> q;
	u32 len[2], row_of[2], head_of[2];
#pragma unroll
	for (int r = 0; r < 2; r++) {
		u32 pair = g + 8 * r;
		u32 row = warp * rows + pair / group;
		bool real = pair < rows * group && row < tile.rows;
		row_of[r] = tile.row + row;
		head_of[r] = kv_head * group + pair % group;
		len[r] = real ? tile.position + row + 1 : 0;
		const bf16 *query = (const bf16 *)a.qkv + row_of[r] * width + head_of[r] * D;
#pragma unroll
		for (int b = 0; b < D / 32; b++) {
			q.v[r][b] = real ? load16(query + 32 * b + 8 * t) : zero16();
		}
	}
	const u64 *pages = (const u64 *)tile.pages;
	u64 keys = page_offset(a, kv_head, 0), values = page_offset(a, kv_head, 1);
	u32 end = tile.position + tile.rows;
	u32 count = (end + POSITIONS - 1) / POSITIONS;

	auto fill = [&](u32 index) {
		u32 to_keys = shared_address(shared_keys[index % 2]);
		u32 to_values = shared_address(shared_values[index % 2]);
#pragma unroll
		for (u32 i = threadIdx.x; i < POSITIONS * D / 8; i += 128) {
			u32 row = i / (D / 8), element = i % (D / 8) * 8;
			u32 position = index * POSITIONS + row;
			bool real = position < end;
			const bf16 *page = (const bf16 *)pages[(real ? position : 0) / a.page_tokens];
			u64 at = (u64)(position % a.page_tokens) * D + element;
			fetch16(to_keys + (row * KEY_PITCH + element) * 2, page + (real ? keys + at : 0), real);
			fetch16(to_values + (row * VALUE_PITCH + element) * 2, page + (real ? values + at : 0), real);
		}
		fetch_commit();
	};

	Running<D> total, run;
	total.clear();
	run.clear();
	fill(0);
	for (u32 index = 0; index < count; index++) {
		if (index + 1 < count) {
			fill(index + 1);
		} else {
			fetch_commit();
		}
		fetch_wait<1>();
		__syncthreads();
		const bf16 *own_keys = shared_keys[index % 2], *own_values = shared_values[index % 2];
#pragma unroll 1
		for (u32 step = 0; step < POSITIONS; step += STEP) {
			u32 base = index * POSITIONS + step;
			if (base >= end) {
				break;
			}
			attend<D>(
				run, q, base, len, score_scale<D>(), g, t,
				[&](u32 p, u32 e) { return load16(own_keys + (step + p) * KEY_PITCH + e); },
				[&](u32 p, u32 e) { return load16(own_values + (step + p) * VALUE_PITCH + e); });
		}
		__syncthreads();
		if ((index + 1) * POSITIONS % SPLIT == 0 || index + 1 == count) {
			run.finish();
			merge_into<D>(total, run);
			run.clear();
		}
	}
#pragma unroll
	for (int r = 0; r < 2; r++) {
		if (len[r] == 0) {
			continue;
		}
		bf16 *out = (bf16 *)a.out + ((u64)row_of[r] * a.heads + head_of[r]) * D;
		float scale = __frcp_rn(total.sum[r]);
#pragma unroll
		for (int i = 0; i < D / 64; i++) {
#pragma unroll
			for (int c = 0; c < 2; c++) {
				float v[8];
#pragma unroll
				for (int e = 0; e < 8; e++) {
					v[e] = __fmul_rn(total.out[i][e][2 * r + c], scale);
				}
				uint4 eight = make_uint4(pack(v[0], v[1]), pack(v[2], v[3]), pack(v[4], v[5]), pack(v[6], v[7]));
				*(uint4 *)(out + 64 * i + 8 * (2 * t + c)) = eight;
			}
		}
	}
}

KERNEL(128, 2) attention_prefill_64(const AttentionArgs a) { attention_prefill<64>(a); }
KERNEL(128, 2) attention_prefill_128(const AttentionArgs a) { attention_prefill<128>(a); }

// --- any head_dim, any type ---------------------------------------------------------------------------------------------
// For f32 and for head_dims other than 64 and 128: a warp for each row and head, position by position. The same splits
// and merges; within a split, steps of one position.

template <class T> struct Plain {
	float max, sum, out[8];

	DEVICE void clear() {
		max = NOTHING;
		sum = 0.0f;
		for (int i = 0; i < 8; i++) {
			out[i] = 0.0f;
		}
	}

	DEVICE void split(const AttentionArgs &a, const float (&q)[8], const u64 *pages, u32 kv_head, u32 start, u32 end) {
		u32 lane = threadIdx.x % 32;
		u64 keys = page_offset(a, kv_head, 0), values = page_offset(a, kv_head, 1);
		for (u32 position = start; position < end; position++) {
			const T *page = (const T *)pages[position / a.page_tokens];
			u64 slot = (u64)(position % a.page_tokens) * a.head_dim;
			float score = 0.0f;
#pragma unroll
			for (u32 i = 0; i < 8; i++) {
				u32 e = lane + 32 * i;
				if (e < a.head_dim) {
					score = __fmaf_rn(q[i], widen(page[keys + slot + e]), score);
				}
			}
			score = __fmul_rn(sum_warp(score), a.scale);
			float most = fmaxf(max, score);
			float shrink = exp2_fast(max - most), weight = exp2_fast(score - most);
			max = most;
			sum = __fmaf_rn(sum, shrink, weight);
#pragma unroll
			for (u32 i = 0; i < 8; i++) {
				u32 e = lane + 32 * i;
				if (e < a.head_dim) {
					out[i] = __fmaf_rn(weight, widen(page[values + slot + e]), __fmul_rn(out[i], shrink));
				}
			}
		}
	}
};

template <class T> DEVICE void queries(const AttentionArgs &a, u32 row, u32 head, float (&q)[8]) {
	const T *query = (const T *)a.qkv + ((u64)row * (a.heads + 2 * a.kv_heads) + head) * a.head_dim;
#pragma unroll
	for (u32 i = 0; i < 8; i++) {
		u32 e = threadIdx.x % 32 + 32 * i;
		q[i] = e < a.head_dim ? widen(query[e]) : 0.0f;
	}
}

// Grid: (works, heads), 4 warps.
template <class T> DEVICE void attention_plain_decode(const AttentionArgs &a) {
	if (blockIdx.x >= number(a.works)) {
		return;
	}
	const DecodeWork work = ((const DecodeWork *)a.work)[blockIdx.x];
	u32 warp = threadIdx.x / 32, lane = threadIdx.x % 32, head = blockIdx.y;
	if (warp >= work.splits) {
		return;
	}
	float q[8];
	queries<T>(a, work.row, head, q);
	Plain<T> run;
	run.clear();
	u32 start = (work.split + warp) * SPLIT;
	run.split(a, q, (const u64 *)work.pages, head / (a.heads / a.kv_heads), start, min(start + SPLIT, work.len));
	float *out = (float *)a.partial + ((u64)(work.partial + warp) * a.heads + head) * (a.head_dim + 2);
	if (lane == 0) {
		out[0] = run.max;
		out[1] = run.sum;
	}
#pragma unroll
	for (u32 i = 0; i < 8; i++) {
		u32 e = lane + 32 * i;
		if (e < a.head_dim) {
			out[2 + e] = run.out[i];
		}
	}
}

// Grid: (tiles, heads), 4 warps, each with every fourth row.
template <class T> DEVICE void attention_plain_prefill(const AttentionArgs &a) {
	if (blockIdx.x >= number(a.tiles)) {
		return;
	}
	const PrefillTile tile = ((const PrefillTile *)a.tile)[blockIdx.x];
	u32 head = blockIdx.y;
	for (u32 row = threadIdx.x / 32; row < tile.rows; row += 4) {
		float q[8];
		queries<T>(a, tile.row + row, head, q);
		u32 len = tile.position + row + 1;
		float max = NOTHING, sum = 0.0f, out[8] = {};
		for (u32 start = 0; start < len; start += SPLIT) {
			Plain<T> run;
			run.clear();
			run.split(a, q, (const u64 *)tile.pages, head / (a.heads / a.kv_heads), start, min(start + SPLIT, len));
			Factors f = merge(max, sum, run.max, run.sum);
			max = f.max;
			sum = f.sum;
#pragma unroll
			for (u32 i = 0; i < 8; i++) {
				out[i] = merged(f, out[i], run.out[i]);
			}
		}
		write_row<T>(a, tile.row + row, head, out, sum);
	}
}

KERNEL(128, 1) attention_plain_decode_f32(const AttentionArgs a) { attention_plain_decode<float>(a); }
KERNEL(128, 1) attention_plain_decode_bf16(const AttentionArgs a) { attention_plain_decode<bf16>(a); }
KERNEL(128, 1) attention_plain_prefill_f32(const AttentionArgs a) { attention_plain_prefill<float>(a); }
KERNEL(128, 1) attention_plain_prefill_bf16(const AttentionArgs a) { attention_plain_prefill<bf16>(a); }
