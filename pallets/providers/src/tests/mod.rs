//! One file per call, and one for sequences of them.

mod bond_more;
mod bonds;
mod leave;
mod register;
mod set_endpoint;
mod set_hot_key;
mod set_quote;
mod withdraw_bond;
