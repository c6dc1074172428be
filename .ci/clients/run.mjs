// Runs every script against ld-mcp, with sessions and without, over one
// upstream, and counts.
//
//   BIN             the ld-mcp binary
//   UPSTREAM_CHECK  the binary of .ci/upstream
//   FIXTURES        the binary of .ci/conformance
//   OPENAPI         LaunchDarkly's OpenAPI document; by default beside the repository
import { spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort, oneLine, ready, says, setting, start } from './lib.mjs';

const SCRIPT_TIMEOUT_MS = 90_000;
const scripts = ['sdk-v1', 'sdk-v2', 'inspector', 'langchain', 'official', 'conformance', 'fixtures'];

const here = path.dirname(fileURLToPath(import.meta.url));
const document = process.env.OPENAPI ?? path.join(here, '../../../shared/reference/launchdarkly-openapi.json');
const token = 'api-sandbox';

const total = { passed: 0, failed: 0 };

function count(line) {
  if (line.startsWith('ok ')) total.passed++;
  if (line.startsWith('not ok ')) total.failed++;
}

// runScript forwards a script's lines; one that hangs, crashes or checks nothing is a failure.
async function runScript(name, env) {
  const before = { ...total };
  const child = spawn(process.execPath, [path.join(here, `${name}.mjs`)], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true, // a group of its own, so that what it started can be ended with it
  });
  const endGroup = () => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch (err) {
      if (err.code !== 'ESRCH') throw err;
    }
  };
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    endGroup();
  }, SCRIPT_TIMEOUT_MS);
  const closed = new Promise((resolve) => child.on('close', resolve));
  for await (const line of readline.createInterface({ input: child.stdout })) {
    count(line);
    console.log(line);
  }
  const code = await closed;
  clearTimeout(timer);
  endGroup();
  const checks = total.passed - before.passed + total.failed - before.failed;
  const complaint = late ? `no end after ${SCRIPT_TIMEOUT_MS / 1000} s`
    : checks === 0 ? `checked nothing and ended with ${code}`
    : code !== 0 && total.failed === before.failed ? `ended with ${code}`
    : '';
  if (complaint) report(`not ok ${name}: ${complaint}`);
}

function report(line) {
  count(line);
  console.log(line);
}

const upstreamPort = await freePort();
const serverPort = await freePort();
const statelessPort = await freePort();
const env = {
  BIN: path.resolve(setting('BIN')),
  FIXTURES: path.resolve(setting('FIXTURES')),
  TOKEN: token,
  UPSTREAM_URL: `http://127.0.0.1:${upstreamPort}`,
  SERVER_URL: `http://127.0.0.1:${serverPort}`,
  STATELESS_URL: `http://127.0.0.1:${statelessPort}`,
};
const upstream = start(path.resolve(setting('UPSTREAM_CHECK')), ['--addr', `127.0.0.1:${upstreamPort}`, '--openapi', document]);
const serve = (port, ...options) => start(env.BIN, ['serve', '--http', `127.0.0.1:${port}`, ...options], {
  LAUNCHDARKLY_ACCESS_TOKEN: token,
  LD_MCP_BASE_URL: env.UPSTREAM_URL,
});
const servers = { server: serve(serverPort), 'stateless server': serve(statelessPort, '--stateless') };

try {
  await says(upstream, 'listening on');
  await ready(servers.server, `${env.SERVER_URL}/healthz`);
  await ready(servers['stateless server'], `${env.STATELESS_URL}/healthz`);
  report('ok upstream and servers start');
  for (const name of scripts) await runScript(name, env);
} catch (err) {
  report(`not ok upstream and servers start: ${oneLine(err)}`);
}
for (const [name, server] of Object.entries(servers)) {
  const { code, output } = await server.stop();
  const ending = `ended with ${code}: ${output.slice(-600)}`;
  report(code === 0 ? `ok ${name} ends when told to` : `not ok ${name} ends when told to: ${oneLine(ending)}`);
}
const checked = await upstream.stop();
console.log(checked.output.trim());
report(checked.code === 0 ? 'ok upstream requests keep the contract' : `not ok upstream requests keep the contract: ended with ${checked.code}`);

console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed === 0 ? 0 : 1);
