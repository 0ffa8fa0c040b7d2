// The kernels' own sources on a processor: what a block does, thread by thread, for tests without a device.
//
// Threads of a block are fibers on one thread; they change over where a kernel waits for others: at a barrier, a
// shuffle, an mma. Copies into shared memory that a kernel starts happen as late as it allows them to. So what is
// tried here is all of a kernel but its speed and its memory ordering: indices, operand layouts, tails, tables.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#define __device__
#define __global__
#define __forceinline__ inline
#define __shared__ static
#define __align__(n) __attribute__((aligned(n)))
#define KERNEL(threads, blocks) extern "C" void
#define DYNAMIC_SHARED(type, name) type *name = (type *)host_dynamic_shared()

struct uint2 {
	unsigned x, y;
};
struct alignas(16) uint4 {
	unsigned x, y, z, w;
};
struct alignas(8) float2 {
	float x, y;
};
struct host_dim {
	unsigned x, y, z;
};
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }

extern host_dim threadIdx, blockIdx, blockDim, gridDim;
void *host_dynamic_shared();
// Waits until all threads of the block that have not left are here.
void __syncthreads();
// Gives `bytes` of this lane to the warp, waits for all 32 lanes, and returns what each gave.
const void *host_exchange(const void *own, unsigned bytes);
void host_fetch(unsigned shared, const void *global, bool real);
void host_fetch_commit();
void host_fetch_wait(unsigned left);
unsigned host_shared_address(const void *p);

template <class A, class B> inline A host_cast(B b) {
	static_assert(sizeof(A) == sizeof(B), "");
	A a;
	memcpy(&a, &b, sizeof(A));
	return a;
}
inline float __uint_as_float(unsigned v) { return host_cast<float>(v); }
inline float __int_as_float(int v) { return host_cast<float>(v); }
inline unsigned __float_as_uint(float v) { return host_cast<unsigned>(v); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float rsqrtf(float a) { return (float)(1.0 / sqrt((double)a)); }
inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned s) {
	uint64_t both = (uint64_t)y << 32 | x;
	unsigned out = 0;
	for (int i = 0; i < 4; i++) {
		out |= (unsigned)(both >> (s >> 4 * i & 7) * 8 & 255) << 8 * i;
	}
	return out;
}
inline unsigned atomicAdd(unsigned *p, unsigned v) {
	unsigned old = *p;
	*p += v;
	return old;
}
inline unsigned long long atomicAdd(unsigned long long *p, unsigned long long v) {
	unsigned long long old = *p;
	*p += v;
	return old;
}
template <class T> inline T __shfl_xor_sync(unsigned, T v, int by) {
	const T *all = (const T *)host_exchange(&v, sizeof(T));
	return all[threadIdx.x % 32 ^ by];
}

inline unsigned short host_bf16(float v) {
	unsigned bits = host_cast<unsigned>(v);
	if (v != v) {
		return 0x7fff;
	}
	return (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
inline unsigned pack(float low, float high) { return host_bf16(low) | (unsigned)host_bf16(high) << 16; }
inline float fresh(const float *p) { return *p; }
inline void __threadfence() {}
inline uint4 stream16(const void *p) { return *(const uint4 *)p; }
inline void fetch16(unsigned shared, const void *global, bool real) { host_fetch(shared, global, real); }
inline void fetch_commit() { host_fetch_commit(); }
template <int N> inline void fetch_wait() { host_fetch_wait(N); }
inline unsigned shared_address(const void *p) { return host_shared_address(p); }
inline float exp2_fast(float x) {
	float v = exp2f(x);
	return v < 1.17549435e-38f ? 0.0f : v;
}

// By the definition of m16n8k16 in the PTX manual, element by element.
inline void mma(float (&d)[4], unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1) {
	struct Lane {
		unsigned a[4], b[2];
	} own = {{a0, a1, a2, a3}, {b0, b1}};
	const Lane *all = (const Lane *)host_exchange(&own, sizeof(own));
	auto half = [](unsigned word, int upper) { return host_cast<float>((upper ? word >> 16 : word & 0xffff) << 16); };
	// Rows lane / 4 and lane / 4 + 8 of a, columns 2 (lane % 4) and the next of b.
	int lane = threadIdx.x % 32;
	double a[2][16], b[2][16];
	for (int k = 0; k < 16; k++) {
		for (int i = 0; i < 2; i++) {
			a[i][k] = half(all[lane / 4 * 4 + k % 8 / 2].a[i + k / 8 * 2], k % 2);
			b[i][k] = half(all[(lane % 4 * 2 + i) * 4 + k % 8 / 2].b[k / 8], k % 2);
		}
	}
	for (int i = 0; i < 4; i++) {
		double sum = d[i];
		for (int k = 0; k < 16; k++) {
			sum += a[i / 2][k] * b[i % 2][k];
		}
		d[i] = (float)sum;
	}
}
