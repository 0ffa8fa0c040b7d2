//! Compute kernels of the inference engine: f32 arithmetic on x86-64, chosen at run time for the processor.
//!
//! Terms: a *row* is one token of one sequence in the current step. `m` rows of `k` inputs meet a weight matrix
//! of `n` rows of `k`; everything is row-major. A *level* is a set of instructions the processor has.
//!
//! Two promises the scheduler relies on:
//! - **Row determinism.** On one level, the result of a row depends on that row's inputs alone, bit for bit:
//!   never on how many other rows share the batch, on their adapters or on the number of threads.
//! - **Weights are read once.** A step streams every base weight once for up to [`gemm::ROW_TILE`] rows.
//!
//! Parallel kernels run in the rayon pool of the calling thread.

// Index loops over several arrays of one length say what the vector unit does, and a kernel's operands are what
// they are.
#![allow(clippy::needless_range_loop, clippy::too_many_arguments)]

mod simd;

pub mod attention;
pub mod gemm;
pub mod lora;
pub mod ops;

pub use attention::{attention, AttentionRow, KvLayout, KvPage};
pub use gemm::{gemm, gemm_serial, Matrix};
pub use lora::{lora, LoraSegment, LoraSlice};
pub use ops::{rms_norm, rope, silu_mul, softmax, RopeTable};
pub use simd::Level;
