//! What must hold of this chain's state whatever was done: the invariants of every pallet of ours, and
//! those of the money, which no pallet sees as a whole. Only built natively, for tests and for
//! `check-state`, which looks at the state of a living chain.

use crate::{
	accounts,
	currency::{EXISTENTIAL_DEPOSIT, TOTAL_SUPPLY},
	AccountId, Attribution, Balance, Balances, Channels, Datanets, Models, Providers, Runtime,
	RuntimeHoldReason, Stakes, System,
};
use alloc::{collections::BTreeMap, vec::Vec};
use codec::{Decode, Encode};
use frame_support::{ensure, traits::fungible::Inspect};
use sp_runtime::{DispatchError, TryRuntimeError};

/// What an invariant's check came to.
pub struct Check {
	/// The pallet, or what else was checked.
	pub name: &'static str,
	/// The invariant that is broken, if one is.
	pub result: Result<(), TryRuntimeError>,
}

/// Checks every invariant of our pallets and of the money.
pub fn check() -> Vec<Check> {
	let run = |name: &'static str, check: fn() -> Result<(), TryRuntimeError>| Check {
		name,
		result: check(),
	};
	alloc::vec![
		run("Datanets", Datanets::do_try_state),
		run("Models", Models::do_try_state),
		run("Providers", Providers::do_try_state),
		run("Channels", Channels::do_try_state),
		run("Attribution", Attribution::do_try_state),
		run("Stakes", Stakes::do_try_state),
		run("issuance", issuance),
		run("holds", holds),
		run("revenue", revenue),
	]
}

/// That everything stored can be read, and the own checks of every pallet, the SDK's among them. Those
/// exist in builds with the feature `try-runtime` alone.
#[cfg(feature = "try-runtime")]
pub fn check_sdk() -> Vec<Check> {
	use crate::{AllPalletsWithSystem, BlockNumber};
	use frame_support::traits::{
		PalletsInfoAccess, TryDecodeEntireStorage, TryState, TryStateSelect,
	};

	let run = |name: &'static str| Check {
		name,
		result: <AllPalletsWithSystem as TryState<BlockNumber>>::try_state(
			System::block_number(),
			TryStateSelect::Only(alloc::vec![name.as_bytes().to_vec()]),
		),
	};
	let decoded = <AllPalletsWithSystem as TryDecodeEntireStorage>::try_decode_entire_state();
	let mut checks = alloc::vec![Check {
		name: "decoding",
		result: decoded
			.map(|_| ())
			.map_err(|_| TryRuntimeError::Other("an entry cannot be read")),
	}];
	checks.extend(
		AllPalletsWithSystem::infos()
			.into_iter()
			// It looks a block's author up among the validators after the block, who are others if the
			// block began their session.
			.filter(|pallet| pallet.name != "Authorship")
			.map(|pallet| run(pallet.name)),
	);
	checks
}

/// All OPEN is in accounts, no more than there ever was, and what is missing of that was burnt.
fn issuance() -> Result<(), TryRuntimeError> {
	let mut sum: Balance = 0;
	for account in frame_system::Account::<Runtime>::iter_values() {
		sum = plus(plus(sum, account.data.free)?, account.data.reserved)?;
	}
	let issued = Balances::total_issuance();
	ensure!(sum == issued, "the accounts do not sum to the issuance");
	let burnt = TOTAL_SUPPLY
		.checked_sub(issued)
		.ok_or("more OPEN than there ever was")?;
	ensure!(
		Attribution::totals().burnt <= burnt,
		"what was burnt of redeemed money is still there"
	);
	for account in accounts::endowed() {
		ensure!(
			Balances::balance(&account) >= EXISTENTIAL_DEPOSIT,
			"an account of the protocol is without the least balance"
		);
	}
	Ok(())
}

/// What is held of each account for reasons of our pallets is what their books say, to the unit, and
/// nothing else is.
fn holds() -> Result<(), TryRuntimeError> {
	let mut books = BTreeMap::new();
	book_datanets(&mut books)?;
	book_models(&mut books)?;
	book_service(&mut books)?;
	book_stakes(&mut books)?;
	for (account, held) in pallet_balances::Holds::<Runtime>::iter() {
		let mut sum: Balance = 0;
		for entry in held {
			sum = plus(sum, entry.amount)?;
			let booked = books.remove(&(account.clone(), entry.id.encode()));
			if is_ours(&entry.id) {
				ensure!(
					booked == Some(entry.amount),
					"what is held and what the books say"
				);
			}
		}
		ensure!(
			sum <= System::account(&account).data.reserved,
			"more is held than is reserved"
		);
	}
	books.retain(|_, amount| *amount > 0);
	ensure!(books.is_empty(), "the books say more than is held");
	Ok(())
}

/// What left the channels came to attribution.
fn revenue() -> Result<(), TryRuntimeError> {
	let mut redeemed: Balance = 0;
	for channel in pallet_channels::Channels::<Runtime>::iter_values() {
		redeemed = plus(redeemed, channel.redeemed)?;
	}
	ensure!(
		redeemed <= Attribution::totals().redeemed,
		"channels redeemed more than was shared out"
	);
	Ok(())
}

/// What should be held, by account and encoded reason.
type Books = BTreeMap<(AccountId, Vec<u8>), Balance>;

fn is_ours(reason: &RuntimeHoldReason) -> bool {
	matches!(
		reason,
		RuntimeHoldReason::Datanets(_)
			| RuntimeHoldReason::Models(_)
			| RuntimeHoldReason::Providers(_)
			| RuntimeHoldReason::Channels(_)
			| RuntimeHoldReason::Attribution(_)
			| RuntimeHoldReason::Stakes(_)
	)
}

fn plus(sum: Balance, more: Balance) -> Result<Balance, DispatchError> {
	sum.checked_add(more)
		.ok_or(DispatchError::Other("sums overflow"))
}

fn book(
	books: &mut Books,
	who: AccountId,
	reason: impl Into<RuntimeHoldReason>,
	amount: Balance,
) -> Result<(), DispatchError> {
	let entry = books.entry((who, reason.into().encode())).or_default();
	*entry = plus(*entry, amount)?;
	Ok(())
}

/// What a deposit is; it encodes as its amount.
fn amount_of(deposit: &impl Encode) -> Result<Balance, DispatchError> {
	Balance::decode(&mut &deposit.encode()[..])
		.map_err(|_| DispatchError::Other("a deposit is no amount"))
}

fn book_datanets(books: &mut Books) -> Result<(), DispatchError> {
	use pallet_datanets::*;
	for (id, deposit) in DatanetDeposits::<Runtime>::iter() {
		let pool = Datanets::<Runtime>::get(id).ok_or("a deposit of no Datanet")?;
		book(books, pool.owner, HoldReason::Datanet, amount_of(&deposit)?)?;
	}
	let contributor = |datanet, id| {
		Contributions::<Runtime>::get(datanet, id)
			.map(|kept| kept.contributor)
			.ok_or("money for no contribution")
	};
	for (datanet, id, deposit) in ContributionDeposits::<Runtime>::iter() {
		let who = contributor(datanet, id)?;
		book(books, who, HoldReason::Contribution, amount_of(&deposit)?)?;
	}
	for (datanet, id, bond) in Bonds::<Runtime>::iter() {
		let stake = plus(bond.amount, bond.fee)?;
		book(books, contributor(datanet, id)?, HoldReason::Bond, stake)?;
	}
	for reviewer in Panels::<Runtime>::iter_values().flatten() {
		book(books, reviewer.account, HoldReason::Stake, reviewer.stake)?;
	}
	for (datanet, id, review) in Reviews::<Runtime>::iter() {
		let who = contributor(datanet, id)?;
		book(books, who, HoldReason::Appeal, review.deposit)?;
	}
	Ok(())
}

fn book_models(books: &mut Books) -> Result<(), DispatchError> {
	use pallet_models::*;
	for (id, deposit) in BaseModelDeposits::<Runtime>::iter() {
		let model = BaseModels::<Runtime>::get(id).ok_or("a deposit of no base model")?;
		let amount = amount_of(&deposit)?;
		book(books, model.owner, HoldReason::BaseModel, amount)?;
	}
	for (id, deposit) in AdapterDeposits::<Runtime>::iter() {
		let adapter = Adapters::<Runtime>::get(id).ok_or("a deposit of no adapter")?;
		let amount = amount_of(&deposit)?;
		book(books, adapter.owner, HoldReason::Adapter, amount)?;
	}
	for (id, deposit) in ProposalDeposits::<Runtime>::iter() {
		let proposer = Proposals::<Runtime>::get(id)
			.and_then(|algorithm| algorithm.proposer)
			.ok_or("a deposit of no proposed algorithm")?;
		book(books, proposer, HoldReason::Algorithm, amount_of(&deposit)?)?;
	}
	Ok(())
}

fn book_service(books: &mut Books) -> Result<(), DispatchError> {
	for (who, provider) in pallet_providers::Providers::<Runtime>::iter() {
		let reason = pallet_providers::HoldReason::Bond;
		book(books, who, reason, provider.bond)?;
	}
	for (id, channel) in pallet_channels::Channels::<Runtime>::iter() {
		use pallet_channels::{Deposits, HoldReason};
		let deposit = Deposits::<Runtime>::get(id).ok_or("a channel without a deposit")?;
		let amount = amount_of(&deposit)?;
		book(books, channel.payer, HoldReason::Deposit, amount)?;
	}
	for report in pallet_attribution::Reports::<Runtime>::iter_values() {
		let reason = pallet_attribution::HoldReason::Report;
		book(books, report.reporter, reason, report.deposit)?;
	}
	for (_, _, demand) in pallet_attribution::Demands::<Runtime>::iter() {
		let reason = pallet_attribution::HoldReason::Demand;
		book(books, demand.by, reason, demand.deposit)?;
	}
	Ok(())
}

fn book_stakes(books: &mut Books) -> Result<(), DispatchError> {
	use pallet_stakes::*;
	for (_, who, position) in Positions::<Runtime>::iter() {
		let held = position.held().ok_or("a stake overflows")?;
		book(books, who, HoldReason::Stake, held)?;
	}
	for slash in Slashes::<Runtime>::iter_values() {
		for (who, amount) in slash.parts {
			book(books, who, HoldReason::Stake, amount)?;
		}
	}
	Ok(())
}
