//! One file per call, and others for sequences of them and for the invariants.

mod attacks;
mod bond_more;
mod bonds;
mod heartbeat;
mod jail;
mod leave;
mod register;
mod set_endpoint;
mod set_hot_key;
mod set_quote;
mod slash;
mod try_state;
mod withdraw_bond;
