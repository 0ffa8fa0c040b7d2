// y[rows, n] = x[rows, k] · w[n, k]ᵀ for weights in bf16, int8 with a scale per row, and f32 (tests).
//
// One arithmetic for any number of rows. Tensor cores take the weights as their 16-row operand and the inputs as
// their 8-column one, so that few rows waste tensor operations (of which there are plenty) and not bandwidth. The sum
// over k is cut into SPANS(n) spans of 64-blocks; a span is one chain of mma instructions in ascending order, and the
// spans are added in ascending order. All kernels below do exactly this: a row's bits are the same in each.
//
// Within a block of 64 the order of k is free as long as both operands agree. A lane takes 16 consecutive bytes: of
// bf16, eight of k (32 k in two instructions of 16); of int8, sixteen (64 k in four). So fragments come straight from
// row-major memory by 16-byte loads, without shuffles, and from unpadded shared memory without bank conflicts: eight
// lanes read 128 consecutive bytes.
//
// Floor: n · k · format bytes at 4.8 TB/s for few rows (4096 x 4096 bf16: 7.0 us; 28672 x 4096: 49 us);
// 2 · rows · n · k operations at 989 TFLOP/s for many. Unmeasured.
#include "tables.cuh"
#include "common.cuh"

// 64 of k of one weight row of this lane's group, as operands: four steps of two words.
struct Weights64 {
	u32 word[8];
};

// The lane's 16-byte piece(s) of a block of 64 of k, read from memory or shared memory.
template <class W> struct Piece;

template <> struct Piece<bf16> {
	uint4 v[2];
	template <class Load> DEVICE void get(const bf16 *row, u32 k0, u32 t, u32 k, bool real, Load load) {
#pragma unroll
		for (int s = 0; s < 2; s++) {
			u32 at = k0 + 32 * s + 8 * t;
			v[s] = real && at < k ? load(row + at) : zero16();
		}
	}
	DEVICE Weights64 words() const {
		return {{v[0].x, v[0].y, v[0].z, v[0].w, v[1].x, v[1].y, v[1].z, v[1].w}};
	}
};

template <> struct Piece<signed char> {
	uint4 v[1];
	template <class Load> DEVICE void get(const signed char *row, u32 k0, u32 t, u32 k, bool real, Load load) {
		u32 at = k0 + 16 * t;
		v[0] = real && at < k ? load(row + at) : zero16();
	}
	DEVICE Weights64 words() const {
		Weights64 out;
		u32 four[4] = {v[0].x, v[0].y, v[0].z, v[0].w};
#pragma unroll
		for (int s = 0; s < 4; s++) {
			uint2 two = widen_bytes(four[s]);
			out.word[2 * s] = two.x;
			out.word[2 * s + 1] = two.y;
		}
		return out;
	}
};

// The same 64 of k of an input row: for bf16 weights as those; for int8 weights the lane has k0 + 16t ..
template <class W> DEVICE u32 input_offset(u32 k0, u32 t, int s) {
	return sizeof(W) == 2 ? k0 + 32 * s + 8 * t : k0 + 16 * t + 8 * s;
}

// One block of 64 of k: 16 weight rows (this lane's g and g + 8) by 8 input rows (this lane's g).
DEVICE void multiply(float (&d)[4], const Weights64 &upper, const Weights64 &lower, const uint4 (&x)[2]) {
	u32 in[8] = {x[0].x, x[0].y, x[0].z, x[0].w, x[1].x, x[1].y, x[1].z, x[1].w};
#pragma unroll
	for (int s = 0; s < 4; s++) {
		mma(d, upper.word[2 * s], lower.word[2 * s], upper.word[2 * s + 1], lower.word[2 * s + 1], in[2 * s],
			in[2 * s + 1]);
	}
}

// How many spans a sum has: a constant of the arithmetic, chosen so that few rows keep all processors reading.
DEVICE u32 spans_of(u32 n) { return n <= 8192 ? 8 : n <= 32768 ? 4 : 2; }

template <class W, class T> DEVICE void finish(const GemmArgs &a, u32 row, u32 n, float sum) {
	if (sizeof(W) == 1) {
		sum *= ((const float *)a.scales)[n];
	}
	((T *)a.y)[(u64)row * a.n + n] = narrow<T>(sum);
}

// --- up to 16 rows ----------------------------------------------------------------------------------------------------
// A block of 8 warps: one warp for each span of 32 weight rows, so 8 / SPANS groups of 32. Each warp reads its weights
// once, straight into registers; 4 KB of bf16 are in flight for each. Inputs come from L1 and L2: 8 rows are a
// quarter of the weights' traffic there, 16 a half.

template <class W, class T, int TILES> DEVICE void gemm_rows(const GemmArgs &a) {
	__shared__ float sums[8][32][8 * TILES + 1];
	u32 rows = number(a.rows);
	if (rows == 0) {
		return;
	}
	u32 spans = spans_of(a.n);
	u32 warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
	u32 groups = 8 / spans;
	u32 n0 = (blockIdx.x * groups + warp / spans) * 32;
	u32 span = warp % spans;
	u32 blocks = (a.k + 63) / 64;
	u32 end = span_start(blocks, spans, span + 1);
	float acc[2][TILES][4] = {};
	const W *w = (const W *)a.w;
	const bf16 *x = (const bf16 *)a.x;
	auto stream = [](const void *p) { return stream16(p); };
	if (n0 < a.n) {
#pragma unroll(TILES == 1 ? 2 : 1)
		for (u32 b = span_start(blocks, spans, span); b < end; b++) {
			u32 k0 = b * 64;
			Piece<W> pieces[4];
#pragma unroll
			for (int i = 0; i < 4; i++) {
				u32 n = n0 + 8 * i + g;
				pieces[i].get(w + (u64)n * a.k, k0, t, a.k, n < a.n, stream);
			}
			uint4 in[TILES][2];
#pragma unroll
			for (int j = 0; j < TILES; j++) {
				u32 row = 8 * j + g;
#pragma unroll
				for (int s = 0; s < 2; s++) {
					u32 at = input_offset<W>(k0, t, s);
					in[j][s] = row < rows && at < a.k ? load16(x + (u64)row * a.k + at) : zero16();
				}
			}
#pragma unroll
			for (int i = 0; i < 2; i++) {
				Weights64 upper = pieces[2 * i].words(), lower = pieces[2 * i + 1].words();
#pragma unroll
				for (int j = 0; j < TILES; j++) {
					multiply(acc[i][j], upper, lower, in[j]);
				}
			}
		}
	}
#pragma unroll
	for (int i = 0; i < 2; i++) {
#pragma unroll
		for (int j = 0; j < TILES; j++) {
#pragma unroll
			for (int c = 0; c < 4; c++) {
				sums[warp][16 * i + g + 8 * (c / 2)][8 * j + 2 * t + c % 2] = acc[i][j][c];
			}
		}
	}
	__syncthreads();
	u32 width = groups * 32;
	for (u32 i = threadIdx.x; i < width * 8 * TILES; i += 256) {
		u32 column = i % width, row = i / width;
		u32 n = blockIdx.x * width + column;
		if (n >= a.n || row >= rows) {
			continue;
		}
		float sum = 0.0f;
		for (u32 s = 0; s < spans; s++) {
			sum += sums[column / 32 * spans + s][column % 32][row];
		}
		finish<W, T>(a, row, n, sum);
	}
}

#define GEMM_ROWS(name, W, T)                                                                                           \
	KERNEL(256, 2) gemm_rows8_##name(const GemmArgs a) { gemm_rows<W, T, 1>(a); }                                      \
	KERNEL(256, 2) gemm_rows16_##name(const GemmArgs a) { gemm_rows<W, T, 2>(a); }

GEMM_ROWS(bf16_bf16, bf16, bf16)
GEMM_ROWS(bf16_f32, bf16, float)
GEMM_ROWS(int8_bf16, signed char, bf16)
GEMM_ROWS(int8_f32, signed char, float)

// --- more rows --------------------------------------------------------------------------------------------------------
// A block of 8 warps takes 128 weight rows by 64 input rows; each warp 32 by 32. Blocks of 64 of k go through four
// stages of shared memory (24 KB each in bf16), three of them in flight. Grid: (n / 128, rows / 64, splits). With one
// split a block adds all spans itself. With more, for the decode sizes, where n / 128 blocks would not fill the device,
// each takes some spans and writes every span's sum into the workspace; the block that comes last adds them, in their
// order. Bytes of that: spans · rows · n · 4, written and read once, in L2.
//
// Shared memory limits it: 8 loads of 16 bytes a lane feed 16 mma. That is about a third of the tensor peak, by
// counting; larger warp tiles or wgmma are the next step if prompts turn out to matter.

const int STAGES = 4, TILE_N = 128, TILE_ROWS = 64;

template <class W> struct Stage {
	// Rows of 64 of k. For bf16: two halves of 32 of k, each row 64 bytes.
	u8 w[TILE_N * 64 * sizeof(W)];
	u8 x[TILE_ROWS * 128];
};

// Where 16-byte piece `piece` (of 8) of a row of 64 bf16 lies, so that the lanes of a load do not meet in a bank.
// For bf16 weights lanes take the pieces 4s + t: halves apart, rows 64 bytes. For int8 they take 2t + s: whole rows.
template <class W> DEVICE u32 x_place(u32 row, u32 piece) {
	if (sizeof(W) == 2) {
		return piece / 4 * (TILE_ROWS * 64) + row * 64 + piece % 4 * 16;
	}
	return row * 128 + (piece ^ (row & 1)) * 16;
}

template <class W> DEVICE u32 w_place(u32 row, u32 piece) {
	return piece / 4 * (TILE_N * 64) + row * 64 + piece % 4 * 16;
}

template <class W> DEVICE void fill_stage(Stage<W> *stage, const GemmArgs &a, u32 rows, u32 n0, u32 row0, u32 k0) {
	const u32 PIECES = 4 * sizeof(W), LEN = 16 / sizeof(W);
	u32 w_shared = shared_address(stage->w), x_shared = shared_address(stage->x);
	const W *w = (const W *)a.w;
#pragma unroll
	for (u32 i = threadIdx.x; i < TILE_N * PIECES; i += 256) {
		u32 row = i / PIECES, piece = i % PIECES, at = k0 + piece * LEN;
		bool real = n0 + row < a.n && at < a.k;
		fetch16(w_shared + w_place<W>(row, piece), real ? w + (u64)(n0 + row) * a.k + at : w, real);
	}
	const bf16 *x = (const bf16 *)a.x;
#pragma unroll
	for (u32 i = threadIdx.x; i < TILE_ROWS * 8; i += 256) {
		u32 row = i / 8, piece = i % 8, at = k0 + piece * 8;
		bool real = row0 + row < rows && at < a.k;
		fetch16(x_shared + x_place<W>(row, piece), real ? x + (u64)(row0 + row) * a.k + at : x, real);
	}
}

template <class W, class T> DEVICE void gemm_tile(const GemmArgs &a) {
	DYNAMIC_SHARED(uint4, shared);
	Stage<W> *stages = (Stage<W> *)shared;
	u32 rows = number(a.rows);
	u32 n0 = blockIdx.x * TILE_N, row0 = blockIdx.y * TILE_ROWS;
	if (row0 >= rows) {
		return;
	}
	u32 spans = spans_of(a.n);
	u32 own = spans / a.splits;
	u32 blocks = (a.k + 63) / 64;
	u32 warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
	u32 warp_n = warp % 4 * 32, warp_row = warp / 4 * 32;
	u32 first = span_start(blocks, spans, blockIdx.z * own);
	u32 last = span_start(blocks, spans, (blockIdx.z + 1) * own);
	float acc[2][4][4] = {};
	float total[2][4][4] = {};
	u32 span = blockIdx.z * own;
	u32 border = span_start(blocks, spans, span + 1);

	// What a span's end does: adds it to the total, or writes it out.
	auto close = [&]() {
#pragma unroll
		for (int i = 0; i < 2; i++) {
#pragma unroll
			for (int j = 0; j < 4; j++) {
#pragma unroll
				for (int c = 0; c < 4; c++) {
					if (a.splits == 1) {
						total[i][j][c] += acc[i][j][c];
					} else {
						u32 n = n0 + warp_n + 16 * i + g + 8 * (c / 2);
						u32 row = row0 + warp_row + 8 * j + 2 * t + c % 2;
						if (n < a.n && row < rows) {
							((float *)a.workspace)[((u64)span * a.most + row) * a.n + n] = acc[i][j][c];
						}
					}
					acc[i][j][c] = 0.0f;
				}
			}
		}
		span++;
		border = span_start(blocks, spans, span + 1);
	};

#pragma unroll
	for (u32 s = 0; s < STAGES - 1; s++) {
		if (first + s < last) {
			fill_stage(&stages[s], a, rows, n0, row0, (first + s) * 64);
		}
		fetch_commit();
	}
	for (u32 b = first; b < last; b++) {
		fetch_wait<STAGES - 2>();
		__syncthreads();
		u32 next = b + STAGES - 1;
		if (next < last) {
			fill_stage(&stages[(next - first) % STAGES], a, rows, n0, row0, next * 64);
		}
		fetch_commit();
		while (b >= border) {
			close();
		}
		const Stage<W> *stage = &stages[(b - first) % STAGES];
		uint4 in[4][2];
#pragma unroll
		for (int j = 0; j < 4; j++) {
#pragma unroll
			for (int s = 0; s < 2; s++) {
				u32 piece = sizeof(W) == 2 ? 4 * s + t : 2 * t + s;
				in[j][s] = load16(stage->x + x_place<W>(warp_row + 8 * j + g, piece));
			}
		}
#pragma unroll
		for (int i = 0; i < 2; i++) {
			Weights64 half[2];
#pragma unroll
			for (int h = 0; h < 2; h++) {
				u32 row = warp_n + 16 * i + 8 * h + g;
				Piece<W> piece;
#pragma unroll
				for (u32 s = 0; s < sizeof(W); s++) {
					piece.v[s] = load16(stage->w + w_place<W>(row, 4 * s + t));
				}
				half[h] = piece.words();
			}
#pragma unroll
			for (int j = 0; j < 4; j++) {
				multiply(acc[i][j], half[0], half[1], in[j]);
			}
		}
	}
	u32 stop = (blockIdx.z + 1) * own;
	while (span < stop) {
		close();
	}
	if (a.splits > 1) {
		__shared__ bool last_one;
		// What this block wrote is seen by whoever counts after it.
		__threadfence();
		__syncthreads();
		if (threadIdx.x == 0) {
			u32 *counter = (u32 *)a.counters + blockIdx.y * gridDim.x + blockIdx.x;
			last_one = atomicAdd(counter, 1u) == a.splits - 1;
			if (last_one) {
				*counter = 0;
			}
		}
		__syncthreads();
		if (!last_one) {
			return;
		}
		__threadfence();
		for (u32 i = threadIdx.x; i < TILE_ROWS * TILE_N; i += 256) {
			u32 row = row0 + i / TILE_N, n = n0 + i % TILE_N;
			if (row < rows && n < a.n) {
				float sum = 0.0f;
				for (u32 s = 0; s < spans; s++) {
					sum += fresh((const float *)a.workspace + ((u64)s * a.most + row) * a.n + n);
				}
				finish<W, T>(a, row, n, sum);
			}
		}
		return;
	}
	// Through shared memory, so that rows of y are written in one piece.
	fetch_wait<0>();
	__syncthreads();
	float *out = (float *)shared;
	const u32 PITCH = TILE_N + 4;
#pragma unroll
	for (int i = 0; i < 2; i++) {
#pragma unroll
		for (int j = 0; j < 4; j++) {
#pragma unroll
			for (int c = 0; c < 4; c++) {
				out[(warp_row + 8 * j + 2 * t + c % 2) * PITCH + warp_n + 16 * i + g + 8 * (c / 2)] = total[i][j][c];
			}
		}
	}
	__syncthreads();
	for (u32 i = threadIdx.x; i < TILE_ROWS * TILE_N; i += 256) {
		u32 row = row0 + i / TILE_N, n = n0 + i % TILE_N;
		if (row < rows && n < a.n) {
			finish<W, T>(a, row, n, out[i / TILE_N * PITCH + i % TILE_N]);
		}
	}
}

KERNEL(256, 2) gemm_tile_bf16_bf16(const GemmArgs a) { gemm_tile<bf16, bf16>(a); }
KERNEL(256, 2) gemm_tile_bf16_f32(const GemmArgs a) { gemm_tile<bf16, float>(a); }
KERNEL(256, 2) gemm_tile_int8_bf16(const GemmArgs a) { gemm_tile<signed char, bf16>(a); }
KERNEL(256, 2) gemm_tile_int8_f32(const GemmArgs a) { gemm_tile<signed char, float>(a); }

// --- f32 --------------------------------------------------------------------------------------------------------------
// For tests and comparisons: a warp per output. Grid: (n / 8, rows).

KERNEL(256, 1) gemm_f32(const GemmArgs a) {
	u32 n = blockIdx.x * 8 + threadIdx.x / 32, row = blockIdx.y, lane = threadIdx.x % 32;
	if (row >= number(a.rows) || n >= a.n) {
		return;
	}
	const float *w = (const float *)a.w + (u64)n * a.k, *x = (const float *)a.x + (u64)row * a.k;
	float sum = 0.0f;
	for (u32 i = lane; i < a.k; i += 32) {
		sum = __fmaf_rn(w[i], x[i], sum);
	}
	sum = sum_warp(sum);
	if (lane == 0) {
		((float *)a.y)[(u64)row * a.n + n] = sum;
	}
}
