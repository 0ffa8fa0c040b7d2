// Starts a development node for a test, or joins the one named by OPENLEDGER_WS.
import { ApiPromise, WsProvider } from '@polkadot/api';
import { startNode } from './dev-node.mjs';

// Resolves to { api, stop }.
export async function connect() {
  const node = process.env.OPENLEDGER_WS ? undefined : await startNode();
  const url = process.env.OPENLEDGER_WS ?? node.url;
  const provider = new WsProvider(url, 500);
  const api = await ApiPromise.create({ provider, noInitWarn: true, throwOnConnect: true });
  const stop = async () => {
    await api.disconnect();
    node?.stop();
  };
  return { api, url, stop };
}

// Signs and sends `call`, waits until it is in a block or final, and returns its events; throws the
// named error.
export function submit(api, call, signer, until = 'isInBlock') {
  return new Promise((resolve, reject) => {
    call
      .signAndSend(signer, ({ status, events, dispatchError, isError }) => {
        if (dispatchError?.isModule) {
          const { section, name, docs } = api.registry.findMetaError(dispatchError.asModule);
          reject(new Error(`${section}.${name}: ${docs.join(' ')}`));
        } else if (dispatchError || isError) {
          reject(new Error(dispatchError ? dispatchError.toString() : status.toString()));
        } else if (status[until]) {
          resolve(events.map(({ event }) => event));
        }
      })
      .catch(reject);
  });
}

// The event `section.Name` among `events`.
export function find(events, section, name) {
  const found = events.find((event) => event.section === section && event.method === name);
  if (!found) throw new Error(`no ${section}.${name} among ${events.map((e) => `${e.section}.${e.method}`)}`);
  return found.data;
}
