//! Who was paid for an answer, and why: the receipt, what the worker says of it, and what the chain
//! confirms.

use crate::{
	amount::named,
	answers::Answer,
	content,
	output::{fields, hash, short, table},
	workers, CliError,
};
use codec::DecodeAll;
use openledger_attribution::Records;
use openledger_client::{types, Chain};
use openledger_primitives::{
	apportion,
	fees::split_redemption,
	merkle::{self, Node},
	AccountId, Balance, BlockNumber, ContributionId, DatanetId, EpochIndex, Hash, Payee,
	PayoutLeaf, ReceiptLeaf, RedemptionSplit, Span, Terms,
};
use openledger_proto::v1::{Earned, ReceiptDetail};
use serde::Serialize;
use std::collections::HashMap;

/// Everything that is known of an answer's money.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
	/// The answer with its receipt.
	pub answer: Answer,
	/// Where the whole price goes by the terms in force.
	pub split: RedemptionSplit,
	/// Where the licence part goes by the terms in force, by role; exact figures come per epoch.
	pub expected: Vec<Share>,
	/// What was paid of it, by epoch.
	pub epochs: Vec<EpochPart>,
	/// What the answer quotes, and from where.
	pub spans: Vec<Quoted>,
	/// Why the worker could not be asked, if it could not.
	pub worker: Option<String>,
}

/// An amount for somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Share {
	/// For what.
	pub role: String,
	/// To whom, where there is one account.
	pub account: Option<AccountId>,
	/// How much, in units.
	#[serde(with = "openledger_primitives::amount_as_string")]
	pub amount: Balance,
}

/// What an epoch paid of an answer.
#[derive(Clone, Debug, Serialize)]
pub struct EpochPart {
	/// The epoch.
	pub epoch: EpochIndex,
	/// Licence money of this answer redeemed in it, before the protocol's cut.
	#[serde(with = "openledger_primitives::amount_as_string")]
	pub paid: Balance,
	/// How far the epoch is.
	pub state: EpochState,
	/// Whether the receipt stands in the report on chain.
	pub proof: Proof,
	/// Who gets it.
	pub payouts: Vec<Share>,
}

/// How far an epoch's money is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EpochState {
	/// The epoch runs.
	Running,
	/// It is over; the provider has not reported yet.
	Unreported,
	/// The report can still be disputed.
	Disputable {
		/// The block from which it can be settled.
		open_at: BlockNumber,
	},
	/// The report can be settled.
	Open,
	/// Everybody is credited.
	Settled,
}

/// Whether something stands in a tree whose root is on chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
	/// It does: the proof leads to the root.
	Proved,
	/// There is nothing on chain yet to check against.
	Waiting,
	/// It could not be checked.
	Unchecked(String),
	/// It does not.
	Refuted(String),
}

/// A stretch of the answer that stands in a record.
#[derive(Clone, Debug, Serialize)]
pub struct Quoted {
	/// Where.
	pub span: Span,
	/// The words.
	pub text: String,
	/// The contributor.
	pub contributor: Option<AccountId>,
	/// Who earns.
	pub payout: Option<AccountId>,
	/// Whether the record stands in the contribution on chain and says these words.
	pub proof: Proof,
}

/// Finds out everything about an answer. What cannot be found out is said, not left out.
pub async fn explain(chain: &Chain, answer: Answer) -> Result<Explained, CliError> {
	let chain = chain.pinned().await?;
	let epoch = chain.epoch().await?;
	let terms = chain.terms(epoch.terms).await?.unwrap_or_default();
	let detail = workers::receipt(&answer.endpoint, answer.digest).await;
	let (detail, worker) = match detail {
		Ok(detail) => (detail, None),
		Err(error) => (ReceiptDetail::default(), Some(error.message)),
	};
	let mut answer = answer;
	if answer.attribution.is_none() {
		let attribution = DecodeAll::decode_all(&mut detail.attribution.as_slice()).ok();
		// Only what the receipt commits to is believed.
		answer.attribution =
			attribution.filter(|attribution: &openledger_primitives::Attribution| {
				attribution.digest() == answer.receipt.attribution
			});
	}
	let mut accounts = Accounts::new(&chain);
	let mut epochs = Vec::with_capacity(detail.earned.len());
	for earned in &detail.earned {
		epochs.push(part(&chain, &answer, earned, epoch.index, &mut accounts).await?);
	}
	let mut spans = Vec::new();
	let mut fetched = HashMap::new();
	for span in answer
		.attribution
		.iter()
		.flat_map(|attribution| &attribution.spans)
	{
		spans.push(quoted(&answer, span, &mut accounts, &mut fetched).await?);
	}
	let receipt = &answer.receipt;
	let split = split_redemption(receipt.compute, receipt.licence, &terms)
		.ok_or_else(|| CliError::new("terms", "The chain's terms cannot be applied."))?;
	Ok(Explained {
		split,
		expected: by_role(split.pot, receipt.adapter.is_some(), &terms),
		answer,
		epochs,
		spans,
		worker,
	})
}

/// `pot` units by role.
fn by_role(pot: Balance, has_adapter: bool, terms: &Terms) -> Vec<Share> {
	let shares = match has_adapter {
		true => vec![
			("base model's owner", terms.base_owner),
			("adapter's owner", terms.adapter_owner),
			("stakers", terms.stakers),
			("data contributors", terms.data),
		],
		false => vec![
			(
				"base model's owner",
				terms
					.base_owner
					.saturating_add(terms.adapter_owner)
					.saturating_add(terms.data),
			),
			("stakers", terms.stakers),
		],
	};
	let weights: Vec<u128> = shares.iter().map(|(_, share)| u128::from(*share)).collect();
	let amounts = apportion(pot, &weights).unwrap_or_default();
	shares
		.into_iter()
		.zip(amounts)
		.map(|((role, _), amount)| Share {
			role: role.to_owned(),
			account: None,
			amount,
		})
		.collect()
}

async fn part(
	chain: &Chain,
	answer: &Answer,
	earned: &Earned,
	running: EpochIndex,
	accounts: &mut Accounts<'_>,
) -> Result<EpochPart, CliError> {
	let paid: Balance = earned.paid.parse().unwrap_or_default();
	let report = chain.report(&answer.provider, earned.epoch).await?;
	let state = match &report {
		None if earned.epoch >= running => EpochState::Running,
		None => EpochState::Unreported,
		Some(report) if report.is_settled() => EpochState::Settled,
		Some(report) if chain.number().await? < report.open_at => EpochState::Disputable {
			open_at: report.open_at,
		},
		Some(_) => EpochState::Open,
	};
	let proof = match &report {
		None => Proof::Waiting,
		Some(report) => in_report(answer.digest, paid, earned, report),
	};
	let mut payouts = Vec::with_capacity(earned.payouts.len());
	for bytes in &earned.payouts {
		let Ok(leaf) = PayoutLeaf::decode_all(&mut bytes.as_slice()) else {
			continue;
		};
		payouts.push(accounts.share(&leaf).await?);
	}
	payouts.sort_by_key(|share| std::cmp::Reverse(share.amount));
	Ok(EpochPart {
		epoch: earned.epoch,
		paid,
		state,
		proof,
		payouts,
	})
}

/// Checks the receipt's place in the report against the root on chain.
fn in_report(digest: Hash, paid: Balance, earned: &Earned, report: &types::Report) -> Proof {
	if !earned.reported {
		return Proof::Unchecked("the worker has not sent a proof".into());
	}
	let Ok(proof) = Vec::<Node>::decode_all(&mut earned.proof.as_slice()) else {
		return Proof::Unchecked("the worker's proof is malformed".into());
	};
	let leaf = ReceiptLeaf {
		receipt: digest,
		paid,
	};
	match merkle::verify(&report.receipts, earned.index, leaf.node(), &proof) {
		Ok(()) => Proof::Proved,
		Err(error) => Proof::Refuted(error.to_string()),
	}
}

type Fetched = HashMap<(DatanetId, ContributionId), Result<Records, String>>;

async fn quoted(
	answer: &Answer,
	span: &Span,
	accounts: &mut Accounts<'_>,
	fetched: &mut Fetched,
) -> Result<Quoted, CliError> {
	let text = stretch(&answer.text, span.answer_offset, span.length)
		.unwrap_or_default()
		.to_owned();
	let contribution = accounts
		.contribution(span.datanet, span.contribution)
		.await?;
	let proof = match &contribution {
		None => Proof::Refuted("there is no such contribution".into()),
		Some(contribution) => {
			let key = (span.datanet, span.contribution);
			if let std::collections::hash_map::Entry::Vacant(entry) = fetched.entry(key) {
				let records = content::fetch(&contribution.uri, &contribution.records).await;
				entry.insert(records.map_err(|error| error.message));
			}
			match fetched.get(&key) {
				Some(Ok(records)) => in_record(&text, span, records, contribution),
				Some(Err(error)) => Proof::Unchecked(error.clone()),
				None => Proof::Unchecked("the records were not fetched".into()),
			}
		}
	};
	Ok(Quoted {
		span: *span,
		text,
		contributor: contribution
			.as_ref()
			.map(|contribution| contribution.contributor.clone()),
		payout: contribution.map(|contribution| contribution.payout),
		proof,
	})
}

/// Checks that the record is in the contribution on chain and says the words.
fn in_record(
	words: &str,
	span: &Span,
	records: &Records,
	contribution: &types::Contribution,
) -> Proof {
	let at = usize::try_from(span.record_index).unwrap_or(usize::MAX);
	let (Some(text), Some(leaf)) = (records.texts().get(at), records.leaves().get(at).copied())
	else {
		return Proof::Refuted("the contribution has no such record".into());
	};
	let says_so = !words.is_empty()
		&& leaf.record == span.record
		&& stretch(text, span.record_offset, span.length) == Some(words);
	if !says_so {
		return Proof::Refuted("the record does not say these words".into());
	}
	let path = match records.proof(span.record_index) {
		Ok(path) => path,
		Err(error) => return Proof::Unchecked(error.to_string()),
	};
	match merkle::verify(&contribution.records, span.record_index, leaf.node(), &path) {
		Ok(()) => Proof::Proved,
		Err(error) => Proof::Refuted(error.to_string()),
	}
}

fn stretch(text: &str, offset: u32, length: u32) -> Option<&str> {
	let start = usize::try_from(offset).ok()?;
	let end = start.checked_add(usize::try_from(length).ok()?)?;
	text.get(start..end)
}

/// The account in which the stakers' share waits: the one the runtime derives from the pallet id
/// `ol/stake`, as for every account without a key: `"modl"`, the id, then zeros.
fn stakers_pot() -> AccountId {
	let mut account = [0; 32];
	account[..12].copy_from_slice(b"modlol/stake");
	account.into()
}

/// The accounts behind payees, each looked up once.
struct Accounts<'a> {
	chain: &'a Chain,
	contributions: HashMap<(DatanetId, ContributionId), Option<types::Contribution>>,
}

impl<'a> Accounts<'a> {
	fn new(chain: &'a Chain) -> Self {
		Self {
			chain,
			contributions: HashMap::new(),
		}
	}

	async fn contribution(
		&mut self,
		datanet: DatanetId,
		id: ContributionId,
	) -> Result<Option<types::Contribution>, CliError> {
		if let Some(known) = self.contributions.get(&(datanet, id)) {
			return Ok(known.clone());
		}
		let found = self.chain.contribution(datanet, id).await?;
		self.contributions.insert((datanet, id), found.clone());
		Ok(found)
	}

	async fn share(&mut self, leaf: &PayoutLeaf) -> Result<Share, CliError> {
		let (role, account) = match leaf.payee {
			Payee::BaseOwner(id) => {
				let model = self.chain.base_model(id).await?;
				(
					format!("owner of base model {id}"),
					model.map(|model| model.owner),
				)
			}
			Payee::AdapterOwner(id) => {
				let adapter = self.chain.adapter(id).await?;
				(
					format!("owner of adapter {id}"),
					adapter.map(|adapter| adapter.owner),
				)
			}
			Payee::Stakers => ("stakers' pot".to_owned(), Some(stakers_pot())),
			Payee::Treasury => ("treasury".to_owned(), None),
			Payee::Contributor {
				datanet,
				contribution,
				..
			} => {
				let found = self.contribution(datanet, contribution).await?;
				(
					format!("contribution {contribution} of Datanet {datanet}"),
					found.map(|found| found.payout),
				)
			}
		};
		Ok(Share {
			role,
			account,
			amount: leaf.amount,
		})
	}
}

impl EpochState {
	fn text(&self) -> String {
		match self {
			Self::Running => "the epoch still runs".into(),
			Self::Unreported => "waits for the provider's report".into(),
			Self::Disputable { open_at } => {
				format!("reported; can be settled from block {open_at}")
			}
			Self::Open => "reported; can be settled".into(),
			Self::Settled => "settled: everybody is credited".into(),
		}
	}
}

impl Proof {
	fn text(&self, what: &str) -> String {
		match self {
			Self::Proved => format!("proved: {what}"),
			Self::Waiting => "nothing on chain yet to check against".into(),
			Self::Unchecked(why) => format!("not checked: {why}"),
			Self::Refuted(why) => format!("REFUTED: {why}"),
		}
	}
}

impl Explained {
	/// The explanation for people.
	pub fn text(&self) -> String {
		let receipt = &self.answer.receipt;
		let mut parts = vec![
			fields([
				("answer", self.answer.id.clone()),
				("receipt", hash(&self.answer.digest)),
				("model", self.answer.model.clone()),
				("provider", self.answer.provider.to_string()),
				(
					"tokens",
					format!("{} read, {} written", receipt.tokens_in, receipt.tokens_out),
				),
				(
					"paid from",
					format!(
						"channel {}, lane {}, receipt no. {} there",
						receipt.channel, receipt.lane, receipt.sequence
					),
				),
				("price", named(receipt.amount().unwrap_or_default())),
			]),
			self.answer_text(),
			self.price_table(),
		];
		parts.extend(self.epochs.iter().map(EpochPart::text));
		if self.epochs.is_empty() {
			parts.push(self.expected_table());
		}
		parts.push(self.spans_text());
		if let Some(why) = &self.worker {
			parts.push(format!(
				"The worker could not be asked what was redeemed: {why} What stands here is the \
				 receipt you paid for and what the chain says."
			));
		}
		parts.join("\n\n")
	}

	fn answer_text(&self) -> String {
		if self.answer.text.is_empty() {
			return "The text of this answer is not on this machine.".into();
		}
		let lines: Vec<String> = self
			.answer
			.text
			.lines()
			.map(|line| format!("  │ {line}"))
			.collect();
		lines.join("\n")
	}

	fn price_table(&self) -> String {
		let receipt = &self.answer.receipt;
		let row = |what: &str, amount| [what.to_owned(), named(amount)];
		let rows = [
			row("compute", receipt.compute),
			row("licence", receipt.licence),
			row("→ provider, when redeemed", self.split.provider),
			row("→ licence pot of the epoch", self.split.pot),
			row("→ treasury", self.split.treasury),
			row("→ burnt", self.split.burnt),
		];
		table(&["of the price", "amount"], rows)
	}

	fn expected_table(&self) -> String {
		let rows = self
			.expected
			.iter()
			.map(|share| [share.role.clone(), named(share.amount)]);
		let note = match self.worker {
			Some(_) => "The licence pot's shares, by the terms in force:",
			None => "Nothing is redeemed yet. The licence pot's shares, by the terms in force:",
		};
		format!("{note}\n{}", table(&["for", "amount"], rows))
	}

	fn spans_text(&self) -> String {
		if self.spans.is_empty() {
			return match self.answer.receipt.adapter {
				Some(_) => {
					"The answer quotes no rare stretch of any record; the data share follows \
				            the records' tokens."
						.into()
				}
				None => "The base model answered by itself; no records were used.".into(),
			};
		}
		let spans: Vec<String> = self.spans.iter().map(Quoted::text).collect();
		format!(
			"The answer says, word for word, what these records say:\n{}",
			spans.join("\n")
		)
	}
}

impl EpochPart {
	fn text(&self) -> String {
		let rows = self.payouts.iter().map(|share| {
			let account = share
				.account
				.as_ref()
				.map_or("—".to_owned(), ToString::to_string);
			[share.role.clone(), account, named(share.amount)]
		});
		format!(
			"Epoch {}: {} of the licence price redeemed; {}.\nReceipt in the report on chain: {}.\n{}",
			self.epoch,
			named(self.paid),
			self.state.text(),
			self.proof.text("its Merkle path leads to the report's root"),
			table(&["for", "to", "amount"], rows)
		)
	}
}

impl Quoted {
	fn text(&self) -> String {
		let words = self.text.replace('\n', " ");
		let payout = self.payout.as_ref().map_or("?".to_owned(), short);
		format!(
			"  “{words}”\n    record {} of contribution {} in Datanet {}, weight {}, earns {payout}\n    {}",
			self.span.record_index,
			self.span.contribution,
			self.span.datanet,
			self.span.weight,
			self.proof.text("the record is in the contribution on chain and says so")
		)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use openledger_primitives::{content_hash, report::receipts_tree, Attribution, Receipt, OPEN};

	fn records() -> Records {
		Records::new([
			"Slice three leeks and fry them slowly.".to_owned(),
			"Other.".to_owned(),
		])
		.unwrap()
		.records
	}

	fn contribution() -> types::Contribution {
		types::Contribution {
			datanet: 4,
			id: 2,
			contributor: [1; 32].into(),
			payout: [2; 32].into(),
			records: records().commitment().unwrap(),
			uri: "file:///x".into(),
			state: types::ContributionState::Accepted { since: 1 },
		}
	}

	fn span() -> Span {
		Span {
			datanet: 4,
			contribution: 2,
			record: content_hash(records().texts()[0].as_bytes()),
			record_index: 0,
			record_offset: 6,
			answer_offset: 4,
			length: 11,
			weight: 99,
		}
	}

	fn answer() -> Answer {
		let attribution = Attribution {
			algorithm: 1,
			scores: Vec::new(),
			spans: vec![span()],
		};
		let receipt = Receipt {
			genesis: Hash::zero(),
			channel: 7,
			generation: 0,
			lane: 3,
			sequence: 12,
			base: 0,
			adapter: Some(5),
			tokens_in: 20,
			tokens_out: 9,
			quote: 1,
			compute: OPEN,
			licence: 2 * OPEN,
			request: Hash::zero(),
			response: content_hash(b"Cut three leeks."),
			algorithm: 1,
			index: Hash::zero(),
			attribution: attribution.digest(),
		};
		Answer {
			id: "chatcmpl-1".into(),
			digest: receipt.digest(),
			at: 0,
			model: "cook".into(),
			provider: [9; 32].into(),
			endpoint: "http://h".into(),
			text: "Cut three leeks.".into(),
			receipt,
			attribution: Some(attribution),
		}
	}

	#[test]
	fn stakers_pot_should_be_the_account_that_the_runtime_derives() {
		let expected = "5EYCAe5iXWGBoDgRAe1iyY73bjMgfJP2eSRcrxHgdvx9WTrr";
		assert_eq!(stakers_pot().to_string(), expected);
	}

	#[test]
	fn receipt_should_be_proved_against_the_report_on_chain() {
		let leaves = [
			ReceiptLeaf {
				receipt: Hash::repeat_byte(1),
				paid: 5,
			},
			ReceiptLeaf {
				receipt: answer().digest,
				paid: 7,
			},
			ReceiptLeaf {
				receipt: Hash::repeat_byte(2),
				paid: 1,
			},
		];
		let tree = receipts_tree(&leaves).unwrap();
		let report = types::Report {
			receipts: tree.commitment(),
			parts: tree.commitment(),
			payouts: tree.commitment(),
			terms: 1,
			reporter: [9; 32].into(),
			reported_at: 1,
			open_at: 2,
			audit: None,
			settled: 0,
			paid: 0,
		};
		let earned = Earned {
			epoch: 3,
			paid: "7".into(),
			payouts: Vec::new(),
			reported: true,
			index: 1,
			proof: codec::Encode::encode(&tree.proof(1).unwrap()),
		};
		assert_eq!(
			in_report(answer().digest, 7, &earned, &report),
			Proof::Proved
		);
		assert!(matches!(
			in_report(answer().digest, 8, &earned, &report),
			Proof::Refuted(_)
		));
		let unsent = Earned {
			reported: false,
			..earned
		};
		assert!(matches!(
			in_report(answer().digest, 7, &unsent, &report),
			Proof::Unchecked(_)
		));
	}

	#[test]
	fn span_should_be_proved_by_record_and_contribution() {
		let proof = |words: &str, span: &Span| in_record(words, span, &records(), &contribution());
		assert_eq!(proof("three leeks", &span()), Proof::Proved);
		assert!(matches!(proof("three beets", &span()), Proof::Refuted(_)));
		let elsewhere = Span {
			record_index: 1,
			..span()
		};
		assert!(matches!(
			proof("three leeks", &elsewhere),
			Proof::Refuted(_)
		));
		let nowhere = Span {
			record_index: 9,
			..span()
		};
		assert!(matches!(proof("three leeks", &nowhere), Proof::Refuted(_)));
	}

	#[test]
	fn explanation_should_show_price_payees_quotes_and_proofs() {
		let terms = Terms::default();
		let split = split_redemption(OPEN, 2 * OPEN, &terms).unwrap();
		let explained = Explained {
			answer: answer(),
			split,
			expected: by_role(split.pot, true, &terms),
			epochs: vec![EpochPart {
				epoch: 3,
				paid: 2 * OPEN,
				state: EpochState::Disputable { open_at: 50 },
				proof: Proof::Proved,
				payouts: vec![Share {
					role: "contribution 2 of Datanet 4".into(),
					account: Some([2; 32].into()),
					amount: 95 * OPEN / 100,
				}],
			}],
			spans: vec![Quoted {
				span: span(),
				text: "three leeks".into(),
				contributor: Some([1; 32].into()),
				payout: Some([2; 32].into()),
				proof: Proof::Proved,
			}],
			worker: None,
		};
		let text = explained.text();
		for expected in [
			"3 OPEN",
			"0.075 OPEN",
			"Epoch 3: 2 OPEN of the licence price redeemed; reported; can be settled from block 50",
			"its Merkle path leads to the report's root",
			"contribution 2 of Datanet 4",
			"0.95 OPEN",
			"“three leeks”",
			"the record is in the contribution on chain and says so",
		] {
			assert!(
				text.contains(expected),
				"{expected:?} is missing in\n{text}"
			);
		}
	}

	#[test]
	fn shares_by_role_should_sum_to_the_pot() {
		let terms = Terms::default();
		for (pot, has_adapter) in [(1_000_000_007, true), (1_000_000_007, false), (0, true)] {
			let shares = by_role(pot, has_adapter, &terms);
			assert_eq!(
				shares.iter().map(|share| share.amount).sum::<Balance>(),
				pot
			);
		}
		assert_eq!(by_role(100, false, &terms)[0].amount, 90);
	}
}
