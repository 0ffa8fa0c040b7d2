// Draws a token for each row: the most likely one, or one of the top k and top p with a given random number.
//
// Floor: rows · vocabulary · 4 bytes read once (128256: 0.5 MB, 0.1 us at 4.8 TB/s). One block per row reads them
// about ten times, from L2; the masses are f64 exponentials counted in units of 2^-32, so that their sums are exact in
// any order and the token depends on nothing but the row. Unmeasured.
//
// No sorting: a threshold is found by four passes over the bytes of the logits' ordered bits, from the highest down.
// Each pass counts, in 256 bins, the tokens (or the mass) whose higher bytes agree with what was found so far.
#include "tables.cuh"
#include "common.cuh"

const u32 THREADS = 1024;

// Larger for larger logits; the smallest for what is no number.
DEVICE u32 order_of(float v) {
	if (v != v) {
		v = -__int_as_float(0x7f800000);
	}
	u32 bits = __float_as_uint(v);
	return bits >> 31 ? ~bits : bits | 0x80000000u;
}

DEVICE float value_of(u32 order) {
	return __uint_as_float(order >> 31 ? order & 0x7fffffffu : ~order);
}

DEVICE u64 mass_of(u32 order, float best, float temperature) {
	return (u64)(exp((double)((value_of(order) - best) / temperature)) * 4294967296.0);
}

struct Bins {
	u64 mass[256];
	u32 tokens[256];
	u64 reached_mass;
	u32 bin;
};

// The order of the token at which, going down from the largest, the count of tokens reaches `wanted` (or, with `BY_MASS`,
// their mass). Tokens below `least` do not count. Gives the tokens and the mass above that order as well.
template <bool BY_MASS>
DEVICE u32 threshold(Bins &bins, const float *logits, u32 vocabulary, u64 wanted, u32 least, float best, float temperature,
					 u64 &above) {
	u32 found = 0, mask = 0;
	above = 0;
	for (int shift = 24; shift >= 0; shift -= 8) {
		for (u32 i = threadIdx.x; i < 256; i += THREADS) {
			bins.mass[i] = 0;
			bins.tokens[i] = 0;
		}
		__syncthreads();
		for (u32 i = threadIdx.x; i < vocabulary; i += THREADS) {
			u32 order = order_of(logits[i]);
			if (order >= least && (order & mask) == found) {
				u32 bin = order >> shift & 255;
				if (BY_MASS) {
					atomicAdd(&bins.mass[bin], mass_of(order, best, temperature));
				}
				atomicAdd(&bins.tokens[bin], 1u);
			}
		}
		__syncthreads();
		if (threadIdx.x == 0) {
			u64 sum = above;
			u32 last = 0;
			u64 before = above;
			for (int bin = 255; bin >= 0; bin--) {
				u64 own = BY_MASS ? bins.mass[bin] : (u64)bins.tokens[bin];
				if (bins.tokens[bin] > 0) {
					last = bin;
					before = sum;
				}
				sum += own;
				if (bins.tokens[bin] > 0 && sum >= wanted) {
					break;
				}
			}
			bins.bin = last;
			bins.reached_mass = before;
		}
		__syncthreads();
		found |= bins.bin << shift;
		mask |= 255u << shift;
		above = bins.reached_mass;
		__syncthreads();
	}
	return found;
}

// Sum over the block of what each thread has, and of the threads before it.
DEVICE u64 scan(u64 *parts, u64 own, u64 &before) {
	parts[threadIdx.x] = own;
	__syncthreads();
	for (u32 by = 1; by < THREADS; by <<= 1) {
		u64 other = threadIdx.x >= by ? parts[threadIdx.x - by] : 0;
		__syncthreads();
		parts[threadIdx.x] += other;
		__syncthreads();
	}
	u64 all = parts[THREADS - 1];
	before = parts[threadIdx.x] - own;
	__syncthreads();
	return all;
}

KERNEL(1024, 1) sample(const SampleArgs a) {
	__shared__ Bins bins;
	__shared__ u64 parts[THREADS];
	__shared__ u32 chosen;
	u32 row = blockIdx.x;
	if (row >= number(a.rows)) {
		return;
	}
	const float *logits = (const float *)a.logits + (u64)row * a.vocabulary;
	const SampleRow how = ((const SampleRow *)a.how)[row];
	u32 *token = (u32 *)a.tokens + row;

	// The most likely token, the first of equals: the largest order, then the largest complement of the index.
	u64 own = 0;
	for (u32 i = threadIdx.x; i < a.vocabulary; i += THREADS) {
		u64 key = (u64)order_of(logits[i]) << 32 | (ALL - i);
		own = key > own ? key : own;
	}
	parts[threadIdx.x] = own;
	__syncthreads();
	for (u32 by = THREADS / 2; by > 0; by >>= 1) {
		if (threadIdx.x < by && parts[threadIdx.x + by] > parts[threadIdx.x]) {
			parts[threadIdx.x] = parts[threadIdx.x + by];
		}
		__syncthreads();
	}
	u64 first = parts[0];
	__syncthreads();
	float best = value_of((u32)(first >> 32));
	bool finite = best - best == 0.0f;
	if (!finite || how.temperature <= 0.0f) {
		if (threadIdx.x == 0) {
			*token = finite ? ALL - (u32)first : 0;
		}
		return;
	}

	// The top k: all above `least`, and the first `ties` of those equal to it.
	u32 least = 0;
	u64 ties = a.vocabulary;
	u64 above;
	if (how.top_k > 0 && how.top_k < a.vocabulary) {
		least = threshold<false>(bins, logits, a.vocabulary, how.top_k, 0, best, how.temperature, above);
		ties = how.top_k - above;
	}
	u64 mass = 0, mass_before;
	for (u32 i = threadIdx.x; i < a.vocabulary; i += THREADS) {
		u32 order = order_of(logits[i]);
		if (least == 0 || order > least) {
			mass += mass_of(order, best, how.temperature);
		}
	}
	u64 total = scan(parts, mass, mass_before);
	if (least > 0) {
		total += ties * mass_of(least, best, how.temperature);
	}
	// The top p of them.
	if (how.top_p < 1.0f) {
		u64 wanted = (u64)((double)how.top_p * (double)total);
		u32 edge =
			threshold<true>(bins, logits, a.vocabulary, wanted, least, best, how.temperature, above);
		u64 each = mass_of(edge, best, how.temperature);
		u64 needed = 1;
		if (each > 0 && wanted > above) {
			needed = (wanted - above + each - 1) / each;
		}
		ties = edge == least ? (needed < ties ? needed : ties) : needed;
		least = edge;
	}

	// Each thread has consecutive tokens: how many ties come before them, then how much mass.
	u32 size = (a.vocabulary + THREADS - 1) / THREADS;
	u32 from = min(threadIdx.x * size, a.vocabulary), to = min(from + size, a.vocabulary);
	u64 equal = 0, equal_before;
	mass = 0;
	for (u32 i = from; i < to; i++) {
		u32 order = order_of(logits[i]);
		equal += order == least;
		mass += order > least ? mass_of(order, best, how.temperature) : 0;
	}
	scan(parts, equal, equal_before);
	u64 left = ties > equal_before ? ties - equal_before : 0;
	u64 each = mass_of(least, best, how.temperature);
	mass += (equal < left ? equal : left) * each;
	u64 sum = scan(parts, mass, mass_before);
	u64 aim = (u64)((double)how.random * (double)sum);
	if (threadIdx.x == 0) {
		chosen = ALL - (u32)first;
	}
	__syncthreads();
	if (mass_before <= aim && aim < mass_before + mass) {
		u64 passed = mass_before;
		for (u32 i = from; i < to; i++) {
			u32 order = order_of(logits[i]);
			if (order > least) {
				passed += mass_of(order, best, how.temperature);
			} else if (order == least && left > 0) {
				left--;
				passed += each;
			}
			if (passed > aim) {
				chosen = i;
				break;
			}
		}
	}
	__syncthreads();
	if (threadIdx.x == 0) {
		*token = chosen;
	}
}
