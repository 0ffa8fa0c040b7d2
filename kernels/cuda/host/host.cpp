// Runs kernels on a processor; see host.h. `registry.h` is written by the test: KERNEL_NAME(name) for each.
#define EMULATED
#include "host.h"

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <sys/mman.h>
#include <vector>

#include "../common.cuh"
#include "../tables.cuh"

host_dim threadIdx, blockIdx, blockDim, gridDim;

namespace {

const size_t STACK = 128 << 10;
const unsigned LARGEST = 1024;

alignas(256) char dynamic_shared[128 << 10];

struct Fetch {
	char *to;
	const void *from;
	bool real;
};

struct Fiber {
	// Its stack pointer while another runs.
	void *stack;
	bool done;
	// What it waits for: a generation of its block's or its warp's barrier to pass.
	const unsigned *waits;
	unsigned until;
	std::deque<std::vector<Fetch>> groups;
	std::vector<Fetch> open;
};

struct Barrier {
	unsigned arrived, generation, members;
};

// Two sides, so that a lane may give again while others still read.
struct Warp {
	Barrier barrier;
	alignas(16) char given[2][32 * 64];
};

Fiber fibers[LARGEST];
Warp warps[LARGEST / 32];
Barrier block;
char *stacks;
void *home;
unsigned current;
void (*entry)(const void *);
const void *arguments;

// Keeps the registers that a call keeps on this stack, and goes on from another (System V, x86-64).
__attribute__((naked, noinline)) void change(void **, void *) {
	__asm__("push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
			"mov %rsp, (%rdi)\n mov %rsi, %rsp\n"
			"pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n ret\n");
}

void yield() { change(&fibers[current].stack, home); }

void pass(Barrier &barrier) {
	unsigned now = barrier.generation;
	if (++barrier.arrived == barrier.members) {
		barrier.arrived = 0;
		barrier.generation++;
		return;
	}
	fibers[current].waits = &barrier.generation;
	fibers[current].until = now;
	yield();
}

void leave(Barrier &barrier) {
	barrier.members--;
	if (barrier.members > 0 && barrier.arrived == barrier.members) {
		barrier.arrived = 0;
		barrier.generation++;
	}
}

void begin() {
	entry(arguments);
	Fiber &own = fibers[current];
	own.done = true;
	leave(block);
	leave(warps[current / 32].barrier);
	yield();
}

template <class A> void invoke(void (*kernel)(const A), const void *args) {
	A own;
	memcpy(&own, args, sizeof(A));
	kernel(own);
}

} // namespace

void *host_dynamic_shared() { return dynamic_shared; }
void __syncthreads() { pass(block); }

const void *host_exchange(const void *own, unsigned bytes) {
	Warp &warp = warps[current / 32];
	char *side = warp.given[warp.barrier.generation % 2];
	memcpy(side + current % 32 * bytes, own, bytes);
	pass(warp.barrier);
	return side;
}

unsigned host_shared_address(const void *p) {
	return (unsigned)((const char *)p - dynamic_shared) ^ 0x80000000u;
}
void host_fetch(unsigned shared, const void *global, bool real) {
	char *to = dynamic_shared + (int)(shared ^ 0x80000000u);
	if ((uintptr_t)to % 16 || (uintptr_t)global % 16) {
		fprintf(stderr, "a copy into shared memory is not aligned\n");
		abort();
	}
	fibers[current].open.push_back({to, global, real});
}
void host_fetch_commit() {
	Fiber &own = fibers[current];
	own.groups.push_back(std::move(own.open));
	own.open.clear();
}
void host_fetch_wait(unsigned left) {
	Fiber &own = fibers[current];
	while (own.groups.size() > left) {
		for (const Fetch &fetch : own.groups.front()) {
			fetch.real ? (void)memcpy(fetch.to, fetch.from, 16) : (void)memset(fetch.to, 0, 16);
		}
		own.groups.pop_front();
	}
}

#include "../rows.cu"
#include "../gemm.cu"
#include "../attention.cu"
#include "../lora.cu"
#include "../sample.cu"

// Runs a kernel over its whole grid. Not zero if there is none of that name, or its threads wait for ever.
extern "C" int run_kernel(const char *name, const unsigned *grid, unsigned threads, unsigned shared, const void *args) {
	struct Named {
		const char *name;
		void (*call)(const void *);
	};
	static const Named named[] = {
#define KERNEL_NAME(name) {#name, [](const void *args) { invoke(name, args); }},
#include "registry.h"
	};
	entry = nullptr;
	for (const Named &one : named) {
		if (!strcmp(one.name, name)) {
			entry = one.call;
		}
	}
	if (!entry || threads > LARGEST || shared > sizeof(dynamic_shared)) {
		return 1;
	}
	if (!stacks) {
		stacks = (char *)mmap(nullptr, STACK * LARGEST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	}
	arguments = args;
	blockDim = {threads, 1, 1};
	gridDim = {grid[0], grid[1], grid[2]};
	for (unsigned z = 0; z < grid[2]; z++) {
		for (unsigned y = 0; y < grid[1]; y++) {
			for (unsigned x = 0; x < grid[0]; x++) {
				blockIdx = {x, y, z};
				// What a block finds in its memory is nobody's promise.
				memset(dynamic_shared, 0xff, shared);
				block = {0, 0, threads};
				for (unsigned w = 0; w < threads / 32; w++) {
					warps[w].barrier = {0, 0, 32};
				}
				for (unsigned i = 0; i < threads; i++) {
					Fiber &fiber = fibers[i];
					fiber.done = false;
					fiber.waits = nullptr;
					fiber.groups.clear();
					fiber.open.clear();
					// Six registers, where to begin, and the place of a return address that is never used.
					void **top = (void **)(stacks + STACK * (i + 1)) - 8;
					top[6] = (void *)begin;
					fiber.stack = top;
				}
				for (unsigned left = threads; left > 0;) {
					bool moved = false;
					for (unsigned turn = 0; turn < threads; turn++) {
						// Every other block from its last thread, so that nobody may count on an order.
						unsigned i = (x + y + z) % 2 ? threads - 1 - turn : turn;
						Fiber &fiber = fibers[i];
						if (fiber.done || (fiber.waits && *fiber.waits == fiber.until)) {
							continue;
						}
						fiber.waits = nullptr;
						current = i;
						threadIdx = {i, 0, 0};
						moved = true;
						change(&home, fiber.stack);
						left -= fiber.done;
					}
					if (!moved) {
						return 2;
					}
				}
			}
		}
	}
	return 0;
}
