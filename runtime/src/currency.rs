//! OPEN: its units, its supply, and what storage costs.

use crate::Balance;

/// Ticker of the chain's coin.
pub const SYMBOL: &str = "OPEN";
/// Digits after the point.
pub const DECIMALS: u8 = 18;
/// Format number of printed addresses (the generic one of the ecosystem).
pub const SS58_PREFIX: u8 = 42;

/// One OPEN.
pub const OPEN: Balance = 1_000_000_000_000_000_000;
/// A thousandth of an OPEN.
pub const MILLI_OPEN: Balance = OPEN / 1_000;
/// A millionth of an OPEN.
pub const MICRO_OPEN: Balance = OPEN / 1_000_000;

/// All the OPEN there is: present at genesis, burnable, never minted again.
pub const TOTAL_SUPPLY: Balance = 1_000_000_000 * OPEN;

/// The least an account may hold; below it the account is removed and the rest goes to the
/// treasury.
pub const EXISTENTIAL_DEPOSIT: Balance = MILLI_OPEN;

/// Deposit for keeping `items` storage entries of `bytes` in all. It is held, not spent: removing
/// the entries returns it.
pub const fn deposit(items: u32, bytes: u32) -> Balance {
	let for_items = (items as Balance).saturating_mul(100 * MILLI_OPEN);
	let for_bytes = (bytes as Balance).saturating_mul(100 * MICRO_OPEN);
	for_items.saturating_add(for_bytes)
}
