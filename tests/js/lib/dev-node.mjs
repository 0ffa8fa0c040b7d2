// Starts a development node for a test, without any client. The tests of sdk/ use it, too.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

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
  const folder = process.env.OPENLEDGER_BIN_DIR ?? `${target}/debug`;
  const path = process.env.OPENLEDGER_NODE ?? `${folder}/openledger-node`;
  if (!existsSync(path)) throw new Error(`no node at ${path}: run \`cargo build -p openledger-node\` first`);
  return path;
}

async function untilHealthy(url, child) {
  for (let tries = 0; tries < 240; tries++) {
    if (child.exitCode !== null) throw new Error(`the node ended with ${child.exitCode}`);
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error(`no node answers at ${url}`);
}

// Resolves to { url, stop }. `extra` are further arguments for the node; `role` says what it is, a
// development chain's only validator unless told.
export async function startNode(extra = [], role = ['--dev']) {
  const [rpc, p2p] = [await freePort(), await freePort()];
  const args = [...role, '--tmp', '--rpc-port', rpc, '--port', p2p, '--no-prometheus', '--no-telemetry', ...extra];
  const child = spawn(binary(), args.map(String), { stdio: 'ignore' });
  // A test that is killed must not leave its node behind.
  const stop = () => void child.kill('SIGKILL');
  process.once('exit', stop);
  await untilHealthy(`http://127.0.0.1:${rpc}/health`, child);
  return { url: `ws://127.0.0.1:${rpc}`, stop };
}
