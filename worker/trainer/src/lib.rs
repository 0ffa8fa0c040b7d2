//! Base model + Datanet snapshots -> a LoRA adapter, its attribution index and a manifest.
//!
//! # Terms
//!
//! - **Sample**: a record as the model sees it in training, a question and the answer it should give.
//! - **Held out**: records that are never trained on; their loss says whether the adapter learned more
//!   than the records by heart.
//! - **Manifest**: what the adapter was made from and how, so that others can make it again.
//!
//! # A story
//!
//! A builder loads a base model with `openledger_engine::load_model`, reads snapshots whose roots are
//! on chain, and calls [`train`]. [`Trained::save`] writes a folder with `adapter_model.safetensors`
//! and `adapter_config.json` as PEFT writes them, `index.bin` and `training_manifest.json`; their
//! hashes are what the chain is told of the adapter.
//!
//! # Design
//!
//! Only the LoRA matrices are variables of the automatic differentiation. What lies between them is
//! made of a few large operations with their own gradients (`graph`), since the generic ones would
//! also compute the gradient of every frozen matrix. Blocks below the first trained one are computed
//! once per sample and remembered.
//!
//! The same seed, inputs and machine give the same files. Another processor may sum in another order,
//! so files made elsewhere differ in the last bits.

#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod data;
mod graph;
pub mod model;
mod progress;
mod save;
mod settings;
mod train;

pub use data::{question, split_record};
pub use progress::{Bar, Progress};
pub use save::{FileHashes, Manifest, SnapshotEntry};
pub use settings::{BadSetting, TrainSettings, TARGETS};
pub use train::{index_of, tokenize, train, TrainError, Trained};
