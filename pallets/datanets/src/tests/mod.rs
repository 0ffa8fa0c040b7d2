//! One file per call, and others for sequences of them, for attacks,
//! for the invariants and for older storage.

mod accept;
mod appeal;
mod attacks;
mod claim_duplicate;
mod clear_rejected;
mod commit_vote;
mod conclude_review;
mod contribute;
mod create;
mod deposits;
mod join_panel;
mod leave_panel;
mod migrations;
mod open_review;
mod random;
mod reject;
mod release_bond;
mod reveal_vote;
mod set_payout_account;
mod snapshot;
mod try_state;
mod weights;
mod withdraw;
