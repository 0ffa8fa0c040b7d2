// Tables and arguments as the host writes them. Written by `UPDATE_TABLES=1 cargo test -p openledger-kernels tables_of_the_kernels`
// from src/device/tables.rs and src/device/cuda/args.rs; not to be edited.
#pragma once
#include "common.cuh"

struct LoraChunk {
	u64 table;
	u32 row;
	u32 rows;
	u32 inner;
	u32 ranks;
	float factor;
	u32 unused;
};
static_assert(sizeof(LoraChunk) == 32, "as the host writes it");

struct LoraEntry {
	u64 a;
	u64 b[3];
	u64 gain[3];
	float scale[3];
	u32 rank[3];
};
static_assert(sizeof(LoraEntry) == 80, "as the host writes it");

struct DecodeWork {
	u64 pages;
	u32 row;
	u32 len;
	u32 split;
	u32 splits;
	u32 partial;
	u32 unused;
};
static_assert(sizeof(DecodeWork) == 32, "as the host writes it");

struct DecodeRow {
	u32 row;
	u32 partial;
	u32 splits;
	u32 unused;
};
static_assert(sizeof(DecodeRow) == 16, "as the host writes it");

struct PrefillTile {
	u64 pages;
	u32 row;
	u32 rows;
	u32 position;
	u32 unused;
};
static_assert(sizeof(PrefillTile) == 24, "as the host writes it");

struct SampleRow {
	float temperature;
	float top_p;
	float random;
	u32 top_k;
};
static_assert(sizeof(SampleRow) == 16, "as the host writes it");

struct EmbedArgs {
	u64 table;
	u64 scales;
	u64 tokens;
	u64 rows;
	u64 out;
	u32 n;
	u32 k;
};
static_assert(sizeof(EmbedArgs) == 48, "as the host writes it");

struct RmsNormArgs {
	u64 x;
	u64 add;
	u64 weight;
	u64 gather;
	u64 rows;
	u64 out;
	u32 width;
	float eps;
};
static_assert(sizeof(RmsNormArgs) == 56, "as the host writes it");

struct GemmArgs {
	u64 x;
	u64 w;
	u64 scales;
	u64 y;
	u64 rows;
	u64 workspace;
	u64 counters;
	u32 n;
	u32 k;
	u32 most;
	u32 splits;
};
static_assert(sizeof(GemmArgs) == 72, "as the host writes it");

struct RopeArgs {
	u64 qkv;
	u64 bias;
	u64 q_norm;
	u64 k_norm;
	u64 table;
	u64 positions;
	u64 pages;
	u64 rows;
	u32 heads;
	u32 kv_heads;
	u32 head_dim;
	u32 table_len;
	u32 page_tokens;
	u32 layer;
	float eps;
	u32 unused;
};
static_assert(sizeof(RopeArgs) == 96, "as the host writes it");

struct AttentionArgs {
	u64 qkv;
	u64 out;
	u64 partial;
	u64 work;
	u64 works;
	u64 merge;
	u64 merges;
	u64 tile;
	u64 tiles;
	u32 heads;
	u32 kv_heads;
	u32 head_dim;
	u32 page_tokens;
	u32 layer;
	float scale;
};
static_assert(sizeof(AttentionArgs) == 96, "as the host writes it");

struct LoraArgs {
	u64 chunks;
	u64 count;
	u64 x;
	u64 y;
	u64 inner;
	u32 k;
	u32 n;
	u32 entry;
	u32 slices;
	u32 column[3];
	u32 width[3];
};
static_assert(sizeof(LoraArgs) == 80, "as the host writes it");

struct SiluMulArgs {
	u64 gate_up;
	u64 out;
	u64 rows;
	u32 width;
	u32 unused;
};
static_assert(sizeof(SiluMulArgs) == 32, "as the host writes it");

struct SampleArgs {
	u64 logits;
	u64 how;
	u64 tokens;
	u64 rows;
	u32 vocabulary;
	u32 unused;
};
static_assert(sizeof(SampleArgs) == 40, "as the host writes it");

struct ConvertArgs {
	u64 from;
	u64 to;
	u64 len;
};
static_assert(sizeof(ConvertArgs) == 24, "as the host writes it");

const u32 SPLIT = 128; // positions of a split
const u32 PAIRS = 16; // of a row and a head in a tile
