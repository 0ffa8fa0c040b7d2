//! One file per call, and one for sequences of them.

mod accept;
mod contribute;
mod create;
mod deposits;
mod reject;
mod snapshot;
mod withdraw;
