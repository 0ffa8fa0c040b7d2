//! What the rules of the chain amount to when many use them, or one abuses them.
//!
//! Everything here calls the functions that the pallets call, with the runtime's own weights and
//! bounds; nothing is fitted.

#![deny(missing_docs)]

pub mod collusion;
pub mod scale;
