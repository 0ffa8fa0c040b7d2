// Starts a development node for a test, or joins the one named by OPENLEDGER_WS.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { ApiPromise, WsProvider } from '@polkadot/api';

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

function binary() {
  const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../../../target', import.meta.url));
  const path = process.env.OPENLEDGER_NODE ?? `${target}/debug/openledger-node`;
  if (!existsSync(path)) throw new Error(`no node at ${path}: run \`cargo build -p openledger-node\` first`);
  return path;
}

async function untilHealthy(url) {
  for (let tries = 0; tries < 240; tries++) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error(`no node answers at ${url}`);
}

// Resolves to { api, stop }.
export async function connect() {
  let url = process.env.OPENLEDGER_WS;
  let child;
  if (!url) {
    const [rpc, p2p] = [await freePort(), await freePort()];
    const args = ['--dev', '--tmp', '--rpc-port', rpc, '--port', p2p, '--no-prometheus', '--no-telemetry'];
    child = spawn(binary(), args.map(String), { stdio: 'ignore' });
    url = `ws://127.0.0.1:${rpc}`;
    await untilHealthy(`http://127.0.0.1:${rpc}/health`);
  }
  const provider = new WsProvider(url, 500);
  const api = await ApiPromise.create({ provider, noInitWarn: true, throwOnConnect: true });
  const stop = async () => {
    await api.disconnect();
    child?.kill('SIGKILL');
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
