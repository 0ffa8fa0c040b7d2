// The SDK's public face. `./protocol` holds the part that needs no chain.
export * from './amount.js';
export * from './errors.js';
export * from './protocol/index.js';
export { Attribution as AttributionPallet, type ReportOf } from './chain/attribution.js';
export { Call, dispatchError, type SendOptions, type Sent, type Signer } from './chain/call.js';
export { Chain, Pallet, type Block, type ConnectOptions } from './chain/chain.js';
export { Channels, type Redemption, type VoucherOf } from './chain/channels.js';
export { Datanets } from './chain/datanets.js';
export { eventFrom, eventOf, eventsOf, isEvent } from './chain/events.js';
export { Governance, type Conviction, type Track } from './chain/governance.js';
export { connect, OpenLedger, type Balance } from './chain/ledger.js';
export { Models, type BaseRegistration } from './chain/models.js';
export { plain, text } from './chain/plain.js';
export { Providers } from './chain/providers.js';
export { Stakes } from './chain/stakes.js';
export type * from './chain/types.js';
export { connectWallet, wallets, type WalletAccount } from './wallet.js';
export { explain, readReceiptDetail, type Earned, type EpochPart, type Explained, type Proof as ProofState, type ReceiptDetail, type Share } from './explain.js';
