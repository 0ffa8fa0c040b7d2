// What all kernels share. No header of any toolkit is included, so that the run-time compiler needs none either.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

// A bfloat16's bits.
struct bf16 {
	u16 bits;
};

#define DEVICE __device__ __forceinline__
#ifndef EMULATED
#define KERNEL(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define DYNAMIC_SHARED(type, name) extern __shared__ type name[]
#endif

const u32 ALL = 0xffffffffu;

// What only a device can do; host/host.h says the same for a processor.
#ifndef EMULATED

// Two floats rounded to the nearest even, `low` in the lower half.
DEVICE u32 pack(float low, float high) {
	u32 out;
	asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(high), "f"(low));
	return out;
}

// Weights are read once by one block: they need not push anything else out of L1.
DEVICE uint4 stream16(const void *p) {
	uint4 v;
	asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
				 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
				 : "l"(p));
	return v;
}

// What other blocks of this launch wrote: from L2.
DEVICE float fresh(const float *p) {
	float v;
	asm volatile("ld.global.cg.f32 %0, [%1];" : "=f"(v) : "l"(p) : "memory");
	return v;
}

// Starts copying 16 bytes into shared memory; zeros if not `real`.
DEVICE void fetch16(u32 shared, const void *global, bool real) {
	u32 size = real ? 16 : 0;
	asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(global), "r"(size)
				 : "memory");
}
DEVICE void fetch_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N> DEVICE void fetch_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }

DEVICE u32 shared_address(const void *p) { return (u32)__cvta_generic_to_shared(p); }

// d[16, 8] += a[16, 16] · b[16, 8], bf16 into f32. Lane 4g + t has, of `a`: (g, 2t..) (g + 8, 2t..) (g, 2t + 8..)
// (g + 8, 2t + 8..); of `b`: (2t.., g) (2t + 8.., g); of `d`: (g, 2t) (g, 2t + 1) (g + 8, 2t) (g + 8, 2t + 1).
DEVICE void mma(float (&d)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {
	asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
				 "{%0, %1, %2, %3};"
				 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
				 : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// 2^x, to 2 ulp; 0 for large negative x.
DEVICE float exp2_fast(float x) {
	float out;
	asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(out) : "f"(x));
	return out;
}

#endif

// The u32 that the host wrote for this step.
DEVICE u32 number(u64 at) { return *(const u32 *)at; }

DEVICE float widen(bf16 v) { return __uint_as_float((u32)v.bits << 16); }
DEVICE float widen(float v) { return v; }

DEVICE float low(u32 two) { return __uint_as_float(two << 16); }
DEVICE float high(u32 two) { return __uint_as_float(two & 0xffff0000u); }

template <class T> DEVICE T narrow(float v);
template <> DEVICE float narrow<float>(float v) { return v; }
template <> DEVICE bf16 narrow<bf16>(float v) {
	bf16 out;
	out.bits = (u16)pack(v, 0.0f);
	return out;
}

DEVICE uint4 zero16() { return make_uint4(0, 0, 0, 0); }

DEVICE uint4 load16(const void *p) { return *(const uint4 *)p; }

// The lower, or the upper, halves of two words beside each other: a column of two rows.
DEVICE u32 column_pair(u32 first, u32 second, int upper) {
	return __byte_perm(first, second, upper ? 0x7632 : 0x5410);
}

DEVICE float sum_warp(float v) {
	for (int by = 16; by > 0; by >>= 1) {
		v += __shfl_xor_sync(ALL, v, by);
	}
	return v;
}

// Sum over a block of `WARPS` warps, the same in all threads; the order depends on nothing.
template <int WARPS> DEVICE float sum_block(float v) {
	__shared__ float parts[WARPS];
	v = sum_warp(v);
	if (threadIdx.x % 32 == 0) {
		parts[threadIdx.x / 32] = v;
	}
	__syncthreads();
	float sum = 0.0f;
	for (int i = 0; i < WARPS; i++) {
		sum += parts[i];
	}
	__syncthreads();
	return sum;
}

// Four signed bytes as four bf16, exactly: a byte in the mantissa of 2^23 is that number and 128 too much.
DEVICE uint2 widen_bytes(u32 four) {
	four ^= 0x80808080u;
	float v[4];
	v[0] = __uint_as_float(__byte_perm(four, 0x4b000000u, 0x7540));
	v[1] = __uint_as_float(__byte_perm(four, 0x4b000000u, 0x7541));
	v[2] = __uint_as_float(__byte_perm(four, 0x4b000000u, 0x7542));
	v[3] = __uint_as_float(__byte_perm(four, 0x4b000000u, 0x7543));
	for (int i = 0; i < 4; i++) {
		v[i] -= 8388736.0f;
	}
	return make_uint2(pack(v[0], v[1]), pack(v[2], v[3]));
}

// Span `index` of `spans` of `blocks` blocks: where it begins. How a sum is split depends on its length alone.
DEVICE u32 span_start(u32 blocks, u32 spans, u32 index) { return (u32)((u64)blocks * index / spans); }
