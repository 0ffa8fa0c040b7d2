//! OPEN as people write it: decimals, exact to the last of 18 digits.

use openledger_primitives::{Balance, OPEN};

/// Digits after the point.
const DECIMALS: usize = 18;

/// An amount that was typed, in units. Parses `1`, `1.5`, `0.000000000000000001`, `1_000`, each with or
/// without `OPEN` behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Open(pub Balance);

/// Why a text is no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
	/// Not a decimal number.
	#[error("`{0}` is no amount of OPEN: write a number such as 12 or 1.5")]
	NotANumber(String),
	/// Finer than the smallest unit.
	#[error("`{0}` has more than 18 digits after the point, and OPEN has 18")]
	TooFine(String),
	/// More than fits.
	#[error("`{0}` is more OPEN than a balance can hold")]
	TooMuch(String),
}

impl std::str::FromStr for Open {
	type Err = AmountError;

	fn from_str(text: &str) -> Result<Self, AmountError> {
		let number = text.trim();
		let number = number
			.strip_suffix("OPEN")
			.unwrap_or(number)
			.trim()
			.replace('_', "");
		let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
		let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
		if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) {
			return Err(AmountError::NotANumber(text.into()));
		}
		let fraction = fraction.trim_end_matches('0');
		if fraction.len() > DECIMALS {
			return Err(AmountError::TooFine(text.into()));
		}
		let too_much = || AmountError::TooMuch(text.into());
		let whole: Balance = match whole.trim_start_matches('0') {
			"" => 0,
			whole => whole.parse().map_err(|_| too_much())?,
		};
		// At most 18 digits, so both the number and its scaling fit.
		let fraction: Balance = format!("{fraction:0<DECIMALS$}")
			.parse()
			.map_err(|_| too_much())?;
		whole
			.checked_mul(OPEN)
			.and_then(|units| units.checked_add(fraction))
			.map(Self)
			.ok_or_else(too_much)
	}
}

impl std::fmt::Display for Open {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.pad(&plain(self.0))
	}
}

/// `amount` units in OPEN, with as many decimals as it has and no more.
pub fn plain(amount: Balance) -> String {
	let fraction = format!("{:018}", amount % OPEN);
	let fraction = fraction.trim_end_matches('0');
	if fraction.is_empty() {
		(amount / OPEN).to_string()
	} else {
		format!("{}.{fraction}", amount / OPEN)
	}
}

/// `amount` units with the name of the coin.
pub fn named(amount: Balance) -> String {
	format!("{} OPEN", plain(amount))
}

#[cfg(test)]
mod tests {
	use super::*;

	fn units(text: &str) -> Result<Balance, AmountError> {
		text.parse::<Open>().map(|amount| amount.0)
	}

	#[test]
	fn amounts_should_be_read_exactly() {
		assert_eq!(units("1"), Ok(OPEN));
		assert_eq!(units("1.5"), Ok(1_500_000_000_000_000_000));
		assert_eq!(units("0.000000000000000001"), Ok(1));
		assert_eq!(units(".5 OPEN"), Ok(OPEN / 2));
		assert_eq!(units("1_000."), Ok(1_000 * OPEN));
		assert_eq!(units("0.10"), Ok(OPEN / 10));
		assert_eq!(units("0.1000000000000000000000"), Ok(OPEN / 10));
		assert_eq!(
			units("340282366920938463463.374607431768211455"),
			Ok(Balance::MAX)
		);
	}

	#[test]
	fn bad_amounts_should_be_refused_by_name() {
		for text in ["", ".", "-1", "1,5", "1e3", "0x10", "OPEN", "1.2.3"] {
			assert!(
				matches!(units(text), Err(AmountError::NotANumber(_))),
				"{text}"
			);
		}
		assert!(matches!(
			units("0.0000000000000000001"),
			Err(AmountError::TooFine(_))
		));
		for text in [
			"340282366920938463463.374607431768211456",
			"999999999999999999999999999999",
		] {
			assert!(
				matches!(units(text), Err(AmountError::TooMuch(_))),
				"{text}"
			);
		}
	}

	#[test]
	fn amounts_should_be_shown_in_full_precision_and_read_back() {
		for amount in [0, 1, OPEN, OPEN + 1, 15 * OPEN / 10, Balance::MAX] {
			assert_eq!(units(&plain(amount)), Ok(amount));
		}
		assert_eq!(plain(OPEN + 1), "1.000000000000000001");
		assert_eq!(named(25 * OPEN / 10), "2.5 OPEN");
	}
}
