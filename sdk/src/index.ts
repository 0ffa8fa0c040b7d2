// The SDK's public face.
export * from './amount.js';
export * from './errors.js';
export * from './protocol/index.js';
