// LaunchDarkly's own earlier MCP server as a client of the sandbox: what it can
// do on a real account it can do on ours.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { check, done, freePort, ready, setting, start, textOf } from './lib.mjs';

const official = fileURLToPath(new URL('node_modules/@launchdarkly/mcp-server/bin/mcp-server.js', import.meta.url));
const flag = { projectKey: 'shop', featureFlagKey: 'official-check' };

const address = `127.0.0.1:${await freePort()}`;
const sandbox = start(setting('BIN'), ['sandbox', '--addr', address]);
const client = new Client({ name: 'check-official', version: '1.0.0' });

async function call(name, request) {
  const result = await client.callTool({ name, arguments: { request } });
  return { text: textOf(result), isError: result.isError };
}

async function succeed(name, request) {
  const { text, isError } = await call(name, request);
  assert.ok(!isError, `${name} failed: ${text}`);
  return text;
}

function hasAll(got, wanted) {
  assert.deepEqual(wanted.filter((key) => !got.includes(key)), [], `missing among ${got}`);
}

const read = async (name, request) => JSON.parse(await succeed(name, request));

await check('official: starts on the sandbox', async () => {
  await ready(sandbox, `http://${address}/api/v2/caller-identity`);
  await client.connect(new StdioClientTransport({
    command: process.execPath,
    args: [official, 'start', '--api-key', 'api-sandbox', '--server-url', `http://${address}`],
    stderr: 'ignore',
  }));
});
await check('official: list-feature-flags', async () => {
  const { items, totalCount } = await read('list-feature-flags', { projectKey: 'shop', env: 'test', limit: 100 });
  assert.ok(items.some((item) => item.key === 'dark-mode'), 'dark-mode is missing');
  assert.equal(totalCount, items.length);
});
await check('official: list-feature-flags page by page', async () => {
  const first = await read('list-feature-flags', { projectKey: 'shop', limit: 1, sort: 'key' });
  const second = await read('list-feature-flags', { projectKey: 'shop', limit: 1, offset: 1, sort: 'key' });
  assert.ok(first.items[0].key < second.items[0].key, `${first.items[0].key} comes before ${second.items[0].key}`);
});
await check('official: get-feature-flag', async () => {
  const got = await read('get-feature-flag', { projectKey: 'shop', featureFlagKey: 'dark-mode' });
  assert.equal(got.environments.test.on, true);
  assert.equal(got.environments.production.on, false);
});
await check('official: get-feature-flag that does not exist', async () => {
  const { isError, text } = await call('get-feature-flag', { projectKey: 'shop', featureFlagKey: 'no-such-flag' });
  assert.ok(isError, `it answered ${text}`);
  assert.match(text, /unknown|not found/i);
});
await check('official: create-feature-flag', async () => {
  await succeed('create-feature-flag', {
    projectKey: 'shop',
    FeatureFlagBody: { key: flag.featureFlagKey, name: 'Official check', tags: ['check'], temporary: true },
  });
  const got = await read('get-feature-flag', flag);
  assert.deepEqual(got.tags, ['check']);
  assert.equal(got.variations.length, 2);
});
await check('official: update-feature-flag', async () => {
  await succeed('update-feature-flag', {
    ...flag,
    PatchWithComment: {
      comment: 'a check of the clients',
      patch: [
        { op: 'replace', path: '/description', value: 'changed by a check' },
        { op: 'replace', path: '/environments/test/on', value: true },
      ],
    },
  });
  const got = await read('get-feature-flag', flag);
  assert.equal(got.description, 'changed by a check');
  assert.equal(got.environments.test.on, true);
});
await check('official: get-flag-status-across-environments', async () => {
  const { environments } = await read('get-flag-status-across-environments', { projectKey: 'shop', featureFlagKey: 'dark-mode' });
  hasAll(Object.keys(environments), ['production', 'staging', 'test']);
});
await check('official: get-environments', async () => {
  const { items } = await read('get-environments', { projectKey: 'shop' });
  hasAll(items.map((item) => item.key), ['production', 'staging', 'test']);
});
await check('official: get-audit-log-entries', async () => {
  const { items } = await read('get-audit-log-entries', { limit: 5, spec: `proj/shop:env/*:flag/${flag.featureFlagKey}` });
  assert.ok(items.some((item) => item.comment === 'a check of the clients'), `the update is missing: ${JSON.stringify(items)}`);
});
await check('official: get-code-references', async () => {
  const { items } = await read('get-code-references', {});
  assert.ok(Array.isArray(items));
});
await check('official: delete-feature-flag', async () => {
  await succeed('delete-feature-flag', flag);
  const { isError } = await call('get-feature-flag', flag);
  assert.ok(isError, 'the flag is still there');
});
await check('official: ends, and the sandbox ends when told to', async () => {
  await client.close();
  const { code, output } = await sandbox.stop();
  assert.equal(code, 0, `the sandbox ended with ${code}: ${output.slice(-300)}`);
});
done();
