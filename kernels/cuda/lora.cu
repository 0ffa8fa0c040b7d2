// Low-rank updates of rows that belong to different adapters: for each slice,
// y += scale · factor · (x · aᵀ) · b, y stretched first where the adapter has gains (DoRA).
//
// A chunk is at most 16 rows of one adapter. Its addresses and true ranks come from the adapter's own table, so there
// are no slots and no most number of adapters. Blocks beyond the step's count of chunks, or a chunk's ranks, leave at
// once: grids are sized to the capacity of the tables.
//
// One arithmetic for 1 to 16 rows, as in gemm.cu: the adapter is the tensor cores' 16-row operand, read once straight
// into registers; a row's bits do not depend on how many share its chunk.
//
// Floor of a chunk: ranks · (k + width) · 2 bytes at 4.8 TB/s. 4096 -> 11008, rank 16, 64 chunks: 30.9 MB, 6.4 us
// (target for shrink and expand together: 14 us). A chunk of the same adapter after the first finds it in L2.
// Unmeasured.
#include "tables.cuh"
#include "common.cuh"

DEVICE u32 rank_sum(const LoraEntry &site, u32 slices) {
	u32 sum = 0;
	for (u32 s = 0; s < slices; s++) {
		sum += site.rank[s];
	}
	return sum;
}

// Factor of rank `j` of all slices' ranks.
DEVICE float rank_scale(const LoraEntry &site, u32 slices, u32 j) {
	for (u32 s = 0; s < slices; s++) {
		if (j < site.rank[s]) {
			return site.scale[s];
		}
		j -= site.rank[s];
	}
	return 0.0f;
}

// --- shrink -----------------------------------------------------------------------------------------------------------
// inner[row, j] = x[row] · a[j] · scale · factor. Grid: (chunks, ranks / 16); a block of 16 warps, one for each of 16
// spans of k, added in order: for one chunk alone the time is that of a few loads one after the other, so spans are
// short. All slices' ranks lie one below the other, so tiles run across them.

const u32 SHRINK_SPANS = 16;

KERNEL(512, 1) lora_shrink_bf16(const LoraArgs a) {
	__shared__ float sums[SHRINK_SPANS][16][17];
	if (blockIdx.x >= number(a.count)) {
		return;
	}
	const LoraChunk chunk = ((const LoraChunk *)a.chunks)[blockIdx.x];
	const LoraEntry &site = ((const LoraEntry *)chunk.table)[a.entry];
	u32 ranks = rank_sum(site, a.slices);
	u32 j0 = blockIdx.y * 16;
	if (j0 >= ranks) {
		return;
	}
	u32 warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
	u32 blocks = (a.k + 63) / 64;
	u32 end = span_start(blocks, SHRINK_SPANS, warp + 1);
	const bf16 *w = (const bf16 *)site.a;
	const bf16 *x = (const bf16 *)a.x + (u64)chunk.row * a.k;
	float acc[2][4] = {};
#pragma unroll 2
	for (u32 b = span_start(blocks, SHRINK_SPANS, warp); b < end; b++) {
		uint4 upper[2], lower[2], in[2][2];
#pragma unroll
		for (int s = 0; s < 2; s++) {
			u32 at = b * 64 + 32 * s + 8 * t;
			bool real = at < a.k;
			upper[s] = real && j0 + g < ranks ? stream16(w + (u64)(j0 + g) * a.k + at) : zero16();
			lower[s] = real && j0 + g + 8 < ranks ? stream16(w + (u64)(j0 + g + 8) * a.k + at) : zero16();
			in[0][s] = real && g < chunk.rows ? load16(x + (u64)g * a.k + at) : zero16();
			in[1][s] = real && g + 8 < chunk.rows ? load16(x + (u64)(g + 8) * a.k + at) : zero16();
		}
#pragma unroll
		for (int j = 0; j < 2; j++) {
#pragma unroll
			for (int s = 0; s < 2; s++) {
				mma(acc[j], upper[s].x, lower[s].x, upper[s].y, lower[s].y, in[j][s].x, in[j][s].y);
				mma(acc[j], upper[s].z, lower[s].z, upper[s].w, lower[s].w, in[j][s].z, in[j][s].w);
			}
		}
	}
#pragma unroll
	for (int j = 0; j < 2; j++) {
#pragma unroll
		for (int c = 0; c < 4; c++) {
			sums[warp][g + 8 * (c / 2)][8 * j + 2 * t + c % 2] = acc[j][c];
		}
	}
	__syncthreads();
	u32 j = threadIdx.x % 16, row = threadIdx.x / 16;
	if (row >= chunk.rows || j0 + j >= ranks) {
		return;
	}
	float sum = 0.0f;
	for (u32 s = 0; s < SHRINK_SPANS; s++) {
		sum += sums[s][j][row];
	}
	sum *= rank_scale(site, a.slices, j0 + j) * chunk.factor;
	((bf16 *)a.inner)[chunk.inner + (u64)row * chunk.ranks + j0 + j] = narrow<bf16>(sum);
}

// --- expand -----------------------------------------------------------------------------------------------------------
// Grid: (chunks, column tiles of 512 of all slices); a block of 4 warps, each with 128 columns. Of a step of 16 ranks a
// warp reads 16 rows of 128 columns, 4 KB, by 16-byte loads along the columns; rows of two ranks are joined to operands
// by byte permutation, so that Bᵀ lies as adapters are stored and any rank is true. Lane group g has columns 8g .. and
// 64 + 8g .. : eight columns of y in one piece.

template <class T> struct Eight;

template <> struct Eight<bf16> {
	DEVICE static void add(bf16 *y, const float (&update)[8], const float *gain, float factor) {
		uint4 v = load16(y);
		u32 words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
		for (int i = 0; i < 4; i++) {
			float first = low(words[i]), second = high(words[i]);
			if (gain) {
				first += first * (factor * gain[2 * i]);
				second += second * (factor * gain[2 * i + 1]);
			}
			words[i] = pack(first + update[2 * i], second + update[2 * i + 1]);
		}
		*(uint4 *)y = make_uint4(words[0], words[1], words[2], words[3]);
	}
};

template <> struct Eight<float> {
	DEVICE static void add(float *y, const float (&update)[8], const float *gain, float factor) {
#pragma unroll
		for (int i = 0; i < 8; i++) {
			float v = y[i];
			if (gain) {
				v += v * (factor * gain[i]);
			}
			y[i] = v + update[i];
		}
	}
};

// A tile of columns of one slice.
struct Tile {
	u64 b, gain;
	// First rank of the slice among all ranks; its rank; its columns, and where they begin in y; the tile's first.
	u32 first, rank, width, place, column;
};

// Columns of a tile of an expand.
constexpr u32 TILE = 512;

// The block's chunk and its tile; false if it has none, or one that changes nothing. Written so that all indices are
// known when it is compiled.
DEVICE bool find_tile(const LoraArgs &a, LoraChunk &chunk, Tile &tile) {
	if (blockIdx.x >= number(a.count)) {
		return false;
	}
	chunk = ((const LoraChunk *)a.chunks)[blockIdx.x];
	const LoraEntry &site = ((const LoraEntry *)chunk.table)[a.entry];
	u32 first = 0, index = blockIdx.y;
	bool found = false;
#pragma unroll
	for (u32 slice = 0; slice < 3; slice++) {
		u32 tiles = slice < a.slices ? (a.width[slice] + TILE - 1) / TILE : 0;
		u32 rank = slice < a.slices ? site.rank[slice] : 0;
		if (!found && index < tiles) {
			tile = {site.b[slice], site.gain[slice], first, rank, a.width[slice], a.column[slice], index * TILE};
			found = true;
		}
		index -= found ? 0 : tiles;
		first += rank;
	}
	return found && (tile.rank > 0 || tile.gain);
}

template <class T> DEVICE void lora_expand(const LoraArgs &a) {
	LoraChunk chunk;
	Tile tile = {};
	if (!find_tile(a, chunk, tile)) {
		return;
	}
	u32 rank = tile.rank, width = tile.width;
	u32 warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
	u32 column = tile.column + warp * 128;
	if (column >= width) {
		return;
	}
	const bf16 *b = (const bf16 *)tile.b;
	const bf16 *inner = (const bf16 *)a.inner + chunk.inner + tile.first;
	bool second = chunk.rows > 8;
	float acc[8][2][4] = {};
	for (u32 j0 = 0; j0 < rank; j0 += 16) {
		// Ranks 2t, 2t + 1, 2t + 8, 2t + 9; columns of g and of g + 8.
		u32 rows[2][4][4];
#pragma unroll
		for (int h = 0; h < 2; h++) {
			u32 own = column + 64 * h + 8 * g;
#pragma unroll
			for (int r = 0; r < 4; r++) {
				u32 j = j0 + 2 * t + r % 2 + 8 * (r / 2);
				uint4 v = j < rank && own < width ? stream16(b + (u64)j * width + own) : zero16();
				rows[h][r][0] = v.x;
				rows[h][r][1] = v.y;
				rows[h][r][2] = v.z;
				rows[h][r][3] = v.w;
			}
		}
		u32 in[2][2];
#pragma unroll
		for (int n = 0; n < 2; n++) {
			u32 row = 8 * n + g;
#pragma unroll
			for (int h = 0; h < 2; h++) {
				u32 j = j0 + 2 * t + 8 * h;
				const bf16 *from = inner + (u64)row * chunk.ranks + j;
				u32 two = 0;
				if (row < chunk.rows && j < rank) {
					two = from[0].bits;
				}
				if (row < chunk.rows && j + 1 < rank) {
					two |= (u32)from[1].bits << 16;
				}
				in[n][h] = two;
			}
		}
#pragma unroll
		for (int e = 0; e < 8; e++) {
			u32 w[4];
			w[0] = column_pair(rows[0][0][e / 2], rows[0][1][e / 2], e % 2);
			w[1] = column_pair(rows[1][0][e / 2], rows[1][1][e / 2], e % 2);
			w[2] = column_pair(rows[0][2][e / 2], rows[0][3][e / 2], e % 2);
			w[3] = column_pair(rows[1][2][e / 2], rows[1][3][e / 2], e % 2);
			mma(acc[e][0], w[0], w[1], w[2], w[3], in[0][0], in[0][1]);
			if (second) {
				mma(acc[e][1], w[0], w[1], w[2], w[3], in[1][0], in[1][1]);
			}
		}
	}
	const float *gain = (const float *)tile.gain;
#pragma unroll
	for (int n = 0; n < 2; n++) {
#pragma unroll
		for (int c = 0; c < 4; c++) {
			u32 row = 8 * n + 2 * t + c % 2;
			u32 own = column + 64 * (c / 2) + 8 * g;
			if (row >= chunk.rows || own >= width) {
				continue;
			}
			float update[8];
#pragma unroll
			for (int e = 0; e < 8; e++) {
				update[e] = acc[e][n][c];
			}
			T *y = (T *)a.y + (u64)(chunk.row + row) * a.n + tile.place + own;
			Eight<T>::add(y, update, gain ? gain + own : 0, chunk.factor);
		}
	}
}

KERNEL(128, 2) lora_expand_bf16(const LoraArgs a) { lora_expand<bf16>(a); }
KERNEL(128, 2) lora_expand_bf16_f32(const LoraArgs a) { lora_expand<float>(a); }

// --- f32 --------------------------------------------------------------------------------------------------------------
// For tests and comparisons: a warp per inner value, a thread per column.

KERNEL(256, 1) lora_shrink_f32(const LoraArgs a) {
	if (blockIdx.x >= number(a.count)) {
		return;
	}
	const LoraChunk chunk = ((const LoraChunk *)a.chunks)[blockIdx.x];
	const LoraEntry &site = ((const LoraEntry *)chunk.table)[a.entry];
	u32 ranks = rank_sum(site, a.slices);
	u32 lane = threadIdx.x % 32;
	u32 stop = min(ranks, blockIdx.y * 16 + 16);
	for (u32 j = blockIdx.y * 16 + threadIdx.x / 32; j < stop; j += 8) {
		const float *w = (const float *)site.a + (u64)j * a.k;
		float scale = rank_scale(site, a.slices, j) * chunk.factor;
		for (u32 row = 0; row < chunk.rows; row++) {
			const float *x = (const float *)a.x + (u64)(chunk.row + row) * a.k;
			float sum = 0.0f;
			for (u32 i = lane; i < a.k; i += 32) {
				sum = __fmaf_rn(w[i], x[i], sum);
			}
			sum = sum_warp(sum);
			if (lane == 0) {
				((float *)a.inner)[chunk.inner + (u64)row * chunk.ranks + j] = sum * scale;
			}
		}
	}
}

KERNEL(128, 1) lora_expand_f32(const LoraArgs a) {
	LoraChunk chunk;
	Tile tile = {};
	if (!find_tile(a, chunk, tile)) {
		return;
	}
	u32 rank = tile.rank, width = tile.width;
	const float *b = (const float *)tile.b, *gain = (const float *)tile.gain;
	u32 stop = min(width, tile.column + TILE);
	for (u32 column = tile.column + threadIdx.x; column < stop; column += 128) {
		for (u32 row = 0; row < chunk.rows; row++) {
			const float *inner = (const float *)a.inner + chunk.inner + (u64)row * chunk.ranks + tile.first;
			float update = 0.0f;
			for (u32 j = 0; j < rank; j++) {
				update = __fmaf_rn(inner[j], b[(u64)j * width + column], update);
			}
			float *y = (float *)a.y + (u64)(chunk.row + row) * a.n + tile.place + column;
			float v = *y;
			if (gain) {
				v += v * (chunk.factor * gain[column]);
			}
			*y = v + update;
		}
	}
}
