//! The calls that [`Chain::submit`](crate::Chain::submit) takes, from plain values.
//!
//! What a call does, and what it fails with, stands in the pallet of the same name.

use crate::{api, types::Curation, Keypair};
use openledger_primitives::{
	dispute::{AuditAnswer, Dispute},
	merkle::Node,
	AccountId, AdapterId, AlgorithmId, Balance, BaseModelId, ChannelId, Commitment, ContributionId,
	DatanetId, EpochIndex, Hash, Heartbeat, PayoutLeaf, Rate, SignedVoucher, SnapshotVersion,
};
use subxt::{
	transactions::Payload,
	utils::{MultiAddress, Static},
};

/// Sends `amount` units from the signer to `to`; never so much that the signer's account goes.
pub fn transfer(to: AccountId, amount: Balance) -> impl Payload {
	api::tx()
		.balances()
		.transfer_keep_alive(MultiAddress::Id(Static(to)), amount)
}

/// `Datanets.create`.
pub fn create_datanet(
	name: &str,
	licence: &str,
	media_type: &str,
	curation: Curation,
) -> impl Payload {
	api::tx().datanets().create(
		name.as_bytes().to_vec(),
		licence.as_bytes().to_vec(),
		media_type.as_bytes().to_vec(),
		curation.into(),
	)
}

/// `Datanets.contribute`.
pub fn contribute(
	datanet: DatanetId,
	records: Commitment,
	uri: &str,
	payout: AccountId,
) -> impl Payload {
	api::tx().datanets().contribute(
		datanet,
		Static(records),
		uri.as_bytes().to_vec(),
		Static(payout),
	)
}

/// `Datanets.accept`.
pub fn accept(datanet: DatanetId, contribution: ContributionId) -> impl Payload {
	api::tx().datanets().accept(datanet, contribution)
}

/// `Datanets.reject`.
pub fn reject(datanet: DatanetId, contribution: ContributionId) -> impl Payload {
	api::tx().datanets().reject(datanet, contribution)
}

/// `Datanets.snapshot`.
pub fn snapshot(datanet: DatanetId) -> impl Payload {
	api::tx().datanets().snapshot(datanet)
}

/// `Datanets.withdraw`.
pub fn withdraw_contribution(datanet: DatanetId, contribution: ContributionId) -> impl Payload {
	api::tx().datanets().withdraw(datanet, contribution)
}

/// `Models.register_base`.
pub fn register_base(
	name: &str,
	architecture: &str,
	weights: Hash,
	tokenizer: Hash,
	licence: &str,
	rate: Rate,
) -> impl Payload {
	api::tx().models().register_base(
		name.as_bytes().to_vec(),
		architecture.as_bytes().to_vec(),
		weights,
		tokenizer,
		licence.as_bytes().to_vec(),
		Static(rate),
	)
}

/// What an adapter's owner says of it. The fields mean what they mean in
/// [`Adapter`](crate::types::Adapter).
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct AdapterRegistration {
	pub name: String,
	pub base: BaseModelId,
	pub weights: Hash,
	pub config: Hash,
	pub rank: u16,
	pub targets: Vec<String>,
	pub lineage: Vec<(DatanetId, SnapshotVersion)>,
	pub manifest: Hash,
	pub algorithm: AlgorithmId,
	pub index: Hash,
	pub uri: String,
	pub rate: Rate,
}

/// `Models.register_adapter`.
pub fn register_adapter(registration: AdapterRegistration) -> impl Payload {
	use api::runtime_types::pallet_models::types as models;
	api::tx()
		.models()
		.register_adapter(models::AdapterRegistration {
			name: registration.name.into_bytes(),
			base: registration.base,
			weights: registration.weights,
			config: registration.config,
			rank: registration.rank,
			targets: registration
				.targets
				.into_iter()
				.map(String::into_bytes)
				.collect(),
			lineage: registration.lineage,
			manifest: registration.manifest,
			algorithm: registration.algorithm,
			index: registration.index,
			uri: registration.uri.into_bytes(),
			rate: Static(registration.rate),
		})
}

/// `Models.retire_adapter`.
pub fn retire_adapter(adapter: AdapterId) -> impl Payload {
	api::tx().models().retire_adapter(adapter)
}

/// `Providers.register`.
pub fn register_provider(
	hot_key: AccountId,
	endpoint: &str,
	bond: Balance,
	bases: Vec<BaseModelId>,
	rate: Rate,
) -> impl Payload {
	api::tx().providers().register(
		Static(hot_key),
		endpoint.as_bytes().to_vec(),
		bond,
		bases,
		Static(rate),
	)
}

/// `Providers.heartbeat`, signed with the provider's hot key; for
/// [`Chain::submit_authorized`](crate::Chain::submit_authorized).
pub fn heartbeat(heartbeat: &Heartbeat, hot_key: &Keypair) -> impl Payload {
	let signature = hot_key.sign_bytes(heartbeat.digest().as_bytes());
	let provider = Static(heartbeat.provider.clone());
	api::tx()
		.providers()
		.heartbeat(provider, heartbeat.at, Static(signature))
}

/// `Providers.set_quote`.
pub fn set_quote(rate: Rate) -> impl Payload {
	api::tx().providers().set_quote(Static(rate))
}

/// `Providers.set_hot_key`.
pub fn set_hot_key(hot_key: AccountId) -> impl Payload {
	api::tx().providers().set_hot_key(Static(hot_key))
}

/// `Providers.set_endpoint`.
pub fn set_endpoint(endpoint: &str) -> impl Payload {
	api::tx()
		.providers()
		.set_endpoint(endpoint.as_bytes().to_vec())
}

/// `Providers.bond_more`.
pub fn bond_more(amount: Balance) -> impl Payload {
	api::tx().providers().bond_more(amount)
}

/// `Providers.leave`.
pub fn leave() -> impl Payload {
	api::tx().providers().leave()
}

/// `Providers.withdraw_bond`.
pub fn withdraw_bond() -> impl Payload {
	api::tx().providers().withdraw_bond()
}

/// `Channels.open`; `delegate` is a key and how much it may spend.
pub fn open_channel(
	provider: AccountId,
	escrow: Balance,
	delegate: Option<(AccountId, Balance)>,
) -> impl Payload {
	api::tx()
		.channels()
		.open(Static(provider), escrow, delegated(delegate))
}

/// `Channels.top_up`.
pub fn top_up(channel: ChannelId, amount: Balance) -> impl Payload {
	api::tx().channels().top_up(channel, amount)
}

/// `Channels.set_delegate`.
pub fn set_delegate(channel: ChannelId, delegate: Option<(AccountId, Balance)>) -> impl Payload {
	api::tx()
		.channels()
		.set_delegate(channel, delegated(delegate))
}

/// `Channels.thaw`.
pub fn thaw(channel: ChannelId) -> impl Payload {
	api::tx().channels().thaw(channel)
}

/// `Channels.cancel_thaw`.
pub fn cancel_thaw(channel: ChannelId) -> impl Payload {
	api::tx().channels().cancel_thaw(channel)
}

/// `Channels.withdraw`.
pub fn withdraw_escrow(channel: ChannelId) -> impl Payload {
	api::tx().channels().withdraw(channel)
}

/// `Channels.close`.
pub fn close_channel(channel: ChannelId) -> impl Payload {
	api::tx().channels().close(channel)
}

/// `Channels.redeem`.
pub fn redeem(vouchers: Vec<SignedVoucher>) -> impl Payload {
	api::tx()
		.channels()
		.redeem(vouchers.into_iter().map(Static).collect())
}

/// `Attribution.report`.
pub fn report(
	epoch: EpochIndex,
	receipts: Commitment,
	parts: Commitment,
	payouts: Commitment,
) -> impl Payload {
	api::tx()
		.attribution()
		.report(epoch, Static(receipts), Static(parts), Static(payouts))
}

/// `Attribution.report_for`.
pub fn report_for(
	provider: AccountId,
	epoch: EpochIndex,
	receipts: Commitment,
	parts: Commitment,
	payouts: Commitment,
) -> impl Payload {
	api::tx().attribution().report_for(
		Static(provider),
		epoch,
		Static(receipts),
		Static(parts),
		Static(payouts),
	)
}

/// `Attribution.dispute`.
pub fn dispute(provider: AccountId, epoch: EpochIndex, dispute: Dispute) -> impl Payload {
	api::tx()
		.attribution()
		.dispute(Static(provider), epoch, Static(dispute))
}

/// `Attribution.answer_audit`.
pub fn answer_audit(provider: AccountId, epoch: EpochIndex, answer: AuditAnswer) -> impl Payload {
	api::tx()
		.attribution()
		.answer_audit(Static(provider), epoch, Static(answer))
}

/// `Attribution.demand_audit`.
pub fn demand_audit(provider: AccountId, epoch: EpochIndex) -> impl Payload {
	api::tx()
		.attribution()
		.demand_audit(Static(provider), epoch)
}

/// `Providers.unjail`.
pub fn unjail() -> impl Payload {
	api::tx().providers().unjail()
}

/// `Attribution.settle`.
pub fn settle(
	provider: AccountId,
	epoch: EpochIndex,
	leaves: Vec<PayoutLeaf>,
	proof: Vec<Node>,
) -> impl Payload {
	api::tx().attribution().settle(
		Static(provider),
		epoch,
		leaves.into_iter().map(Static).collect(),
		proof.into_iter().map(Static).collect(),
	)
}

/// `Attribution.sweep`.
pub fn sweep(provider: AccountId, epoch: EpochIndex, limit: u32) -> impl Payload {
	api::tx()
		.attribution()
		.sweep(Static(provider), epoch, limit)
}

/// `Attribution.claim`.
pub fn claim(beneficiary: AccountId) -> impl Payload {
	api::tx().attribution().claim(Static(beneficiary))
}

fn delegated(delegate: Option<(AccountId, Balance)>) -> Option<(Static<AccountId>, Balance)> {
	delegate.map(|(signer, limit)| (Static(signer), limit))
}
