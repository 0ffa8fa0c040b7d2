//! The server of a provider: answers over gRPC and HTTP, paid per token.
//!
//! # Terms
//!
//! - **Answer**: one prompt and the tokens that follow it. It runs on a *lane* of a payer's channel.
//! - **Voucher**: the payer's signed total for a lane. The newest one is on disk before the tokens it
//!   pays for are followed by more.
//! - **Receipt**: what an answer was, what it cost, how it is attributed. The next voucher of the lane
//!   acknowledges it.
//! - **Followed block**: the finalized block up to which redemptions are counted. Everything the worker
//!   believes of the chain it believes as of that block.
//!
//! # A story
//!
//! A payer's gateway calls `Generate` with a model's name and a lane. [`worker`] finds the model in the
//! [`catalog`], [`payee`] looks whether the channel can pay, [`answer`] streams tokens from the
//! [`generator`] for as long as [`payments`] finds the vouchers good and [`store`] has them on disk. At
//! the end [`attributor`] scores the answer and the receipt is written. [`redeemer`] turns vouchers into
//! money, [`follower`] sees what was paid in which epoch, [`reporter`] posts the epoch's usage report
//! and settles it.
//!
//! # Design
//!
//! - What must survive `kill -9` is in [`store`], each step in one synced transaction. What is in memory
//!   can be made again from it and from the chain.
//! - An answer that the payer breaks off gets a receipt for the tokens that were sent, and what is not
//!   paid of them is due with the lane's next answer. One that the worker breaks off gets a receipt for
//!   exactly the tokens that are paid: at once if the process lives, at the next start if not.
//! - The seams [`chain::Chain`] and [`generator::Generator`] let every rule of payment be tested without
//!   a node and without a model.
//! - Every refusal is an [`error::Refusal`]: a code for programs, a sentence for people, a metric, a log
//!   line.

#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod answer;
pub mod attributor;
pub mod catalog;
pub mod chain;
pub mod completion;
pub mod doctor;
pub mod error;
pub mod files;
pub mod follower;
pub mod generator;
pub mod grpc;
pub mod heart;
pub mod http;
pub mod meter;
pub mod metrics;
pub mod openai;
pub mod operator;
pub mod payee;
pub mod payments;
pub mod redeemer;
pub mod reporter;
pub mod serve;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod top;
pub mod trees;
pub mod view;
pub mod worker;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
