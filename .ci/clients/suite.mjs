// How the checks run the protocol's own conformance suite.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { start } from './lib.mjs';

const suite = fileURLToPath(new URL('node_modules/@modelcontextprotocol/conformance/dist/index.js', import.meta.url));
const node20 = new URL('node20.mjs', import.meta.url).href;

const run = (...args) => start(process.execPath, ['--import', node20, suite, ...args]).ended;

// scenarios runs the suite on a server: the checks of each scenario, how the
// suite ended, and what it printed.
export async function scenarios(url, ...options) {
  const dir = mkdtempSync(path.join(tmpdir(), 'conformance-'));
  try {
    const { code, output } = await run('server', '--url', url, ...options, '-o', dir);
    const found = new Map(readdirSync(dir).map((name) => [
      name.replace(/^server-/, '').replace(/-\d{4}-\d{2}-\d{2}T[\d-]+Z$/, ''),
      JSON.parse(readFileSync(path.join(dir, name, 'checks.json'))),
    ]));
    assert.ok(found.size > 0, `the suite left no results: ${output.slice(-300)}`);
    return { found, code, output };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

// required lists the scenarios that a revision requires of a server.
export async function required(revision) {
  const { output } = await run('list', '--server', '--requirements', revision);
  const [, servers = ''] = output.match(/^Server scenarios.*\n((?: {2}- .*\n)*)/m) ?? [];
  const names = servers.split('\n').map((line) => line.match(/^ {2}- (\S+)/)?.[1]).filter(Boolean);
  assert.ok(names.length > 0, `the suite listed no scenarios: ${output.slice(0, 300)}`);
  return names;
}
