//! Compute kernels of the inference engine for x86-64, chosen at run time for the processor.
//!
//! Terms: a *row* is one token of one sequence in the current step. `m` rows of `k` inputs meet a weight matrix
//! of `n` rows of `k`; everything is row-major outside of a [`Matrix`]. A *level* is a set of instructions the
//! processor has.
//!
//! Promises the scheduler relies on:
//! - **Row determinism.** On one level, the result of a row depends on that row's inputs alone, bit for bit:
//!   never on how many other rows share the batch, on their adapters or on the number of threads.
//! - **Weights are read once**, in the bytes they are stored in. A step streams every base weight once for up to
//!   [`gemm::ROW_TILE`] rows.
//! - **No allocation** once buffers have grown to the largest step.
//!
//! Parallel kernels run in the [`Pool`] they are given, whose threads sleep when there is nothing to do.

// Index loops over several arrays of one length say what the vector unit does, and a kernel's operands are what
// they are.
#![allow(clippy::needless_range_loop, clippy::too_many_arguments)]

mod shrink;
mod simd;
mod wide;

pub mod attention;
pub mod device;
pub mod gemm;
pub mod lora;
pub mod matrix;
pub mod ops;
pub mod pool;
pub mod quant;

pub use attention::{attention, AttentionRow, KvLayout, KvPage};
pub use gemm::{gemm, Arithmetic, Inputs};
pub use lora::{lora, LoraMemory, LoraSegment, LoraSite, LoraSlice, LoraStore, LoraValues};
pub use matrix::{Matrix, Values};
pub use ops::{rms_norm, rope, silu_mul, silu_mul_rows, softmax, RopeTable};
pub use pool::Pool;
pub use quant::Quant;
pub use shrink::gemm_serial;
pub use simd::Level;
