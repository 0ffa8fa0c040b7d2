//! The chain's clock.

use crate::{BlockNumber, Moment};

/// Length of a slot in milliseconds; with every validator up there is one block per slot.
pub const SLOT_MILLIS: Moment = 6_000;
/// Blocks in a minute.
pub const MINUTES: BlockNumber = 10;
/// Blocks in an hour.
pub const HOURS: BlockNumber = 60 * MINUTES;
/// Blocks in a day.
pub const DAYS: BlockNumber = 24 * HOURS;

/// Slots in a BABE epoch, which is also a session.
pub const EPOCH_SLOTS: u64 = HOURS as u64;

/// Sessions for which an offence can still be reported: one week.
pub const REPORTABLE_SESSIONS: u32 = 7 * 24;

/// Chance that a slot has a primary author: one in four, so that authors seldom collide. Secondary
/// authors fill the other slots.
pub const PRIMARY_PROBABILITY: (u64, u64) = (1, 4);
