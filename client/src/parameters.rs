//! The figures that bound what can be done.

use crate::{
	api::{
		self,
		runtime_types::openledger_runtime::parameters::{
			governed::{attribution, serving},
			RuntimeParametersValue as Value,
		},
	},
	types::Parameters,
	Chain, ChainError,
};
use openledger_primitives::{BlockNumber, OPEN};

/// Blocks in a day, as the runtime counts them.
const DAYS: BlockNumber = 14_400;

impl Chain {
	/// What holds now. Where governance has set nothing, the runtime's defaults.
	pub async fn parameters(&self) -> Result<Parameters, ChainError> {
		let view = self.view().await?;
		let constants = view.constants();
		let fixed = |error| ChainError::from_subxt(subxt::Error::ConstantError(error));
		// The chain stores only what governance has set, so the defaults of the runtime's
		// `parameters.rs` stand here too.
		let mut parameters = Parameters {
			existential_deposit: constants
				.entry(api::constants().balances().existential_deposit())
				.map_err(fixed)?,
			max_lanes: constants
				.entry(api::constants().channels().max_lanes())
				.map_err(fixed)?,
			max_batch: constants
				.entry(api::constants().channels().max_batch())
				.map_err(fixed)?,
			max_settle: constants
				.entry(api::constants().attribution().max_settle())
				.map_err(fixed)?,
			max_voucher_lifetime: DAYS,
			thaw_period: 2 * DAYS,
			min_escrow: OPEN / 10,
			min_bond: 100 * OPEN,
			unbonding_period: 7 * DAYS,
			max_rate: 1_000 * OPEN,
			heartbeat_period: DAYS / 144,
			epoch_length: DAYS / 24,
			dispute_window: DAYS,
		};
		for ((_,), value) in self
			.all(api::storage().parameters().parameters(), ())
			.await?
		{
			set(&mut parameters, value);
		}
		Ok(parameters)
	}
}

fn set(parameters: &mut Parameters, value: Value) {
	match value {
		Value::Serving(value) => match value {
			serving::ParametersValue::ThawPeriod(blocks) => parameters.thaw_period = blocks,
			serving::ParametersValue::VoucherLifetime(blocks) => {
				parameters.max_voucher_lifetime = blocks;
			}
			serving::ParametersValue::MinEscrow(amount) => parameters.min_escrow = amount,
			serving::ParametersValue::MinBond(amount) => parameters.min_bond = amount,
			serving::ParametersValue::UnbondingPeriod(blocks) => {
				parameters.unbonding_period = blocks;
			}
			serving::ParametersValue::MaxRate(amount) => parameters.max_rate = amount,
			serving::ParametersValue::HeartbeatPeriod(blocks) => {
				parameters.heartbeat_period = blocks;
			}
			_ => (),
		},
		Value::Attribution(value) => match value {
			attribution::ParametersValue::EpochLength(blocks) => parameters.epoch_length = blocks,
			attribution::ParametersValue::DisputeWindow(blocks) => {
				parameters.dispute_window = blocks;
			}
			_ => (),
		},
		_ => (),
	}
}
