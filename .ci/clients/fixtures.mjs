// The conformance suite on a server of its own fixtures behind ld-mcp's gateway:
// every scenario for a server, but for what expected-failures.yml lists.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { check, done, freePort, says, setting, start } from './lib.mjs';
import { required, scenarios } from './suite.mjs';

const known = fileURLToPath(new URL('expected-failures.yml', import.meta.url));

const address = `127.0.0.1:${await freePort()}`;
const server = start(setting('FIXTURES'), ['--addr', address]);

await check('fixtures: the server starts', () => says(server, 'listening on'));
for (const revision of ['2025-11-25', '2026-07-28']) {
  let found = new Map();
  await check(`fixtures ${revision}: what fails is what is known to fail`, async () => {
    const options = ['--suite', 'all', '--spec-version', revision, '--expected-failures', known];
    const run = await scenarios(`http://${address}/mcp`, ...options);
    found = run.found;
    assert.equal(run.code, 0, run.output.slice(run.output.indexOf('=== SUMMARY ===')).replace(/^✓.*\n/gm, ''));
  });
  await check(`fixtures ${revision}: what is required was run`, async () => {
    const missing = (await required(revision)).filter((name) => !found.has(name));
    assert.deepEqual(missing, [], 'missing among what the suite ran');
  });
  for (const [scenario, checks] of found) {
    if (!checks.some((c) => c.status === 'SUCCESS')) {
      console.log(`left out fixtures ${revision} ${scenario}: it found nothing to check`);
      continue;
    }
    // The suite's own verdict is above; this line is for the count.
    const bad = checks.filter((c) => c.status === 'FAILURE' || c.status === 'WARNING').map((c) => c.id);
    console.log(`${bad.length ? 'known to fail in part' : 'ok'} fixtures ${revision} ${scenario}${bad.length ? `: ${bad.join(', ')}` : ''}`);
  }
}
await check('fixtures: the server ends when told to', async () => {
  const { code, output } = await server.stop();
  assert.equal(code, 0, `it ended with ${code}: ${output.slice(-300)}`);
});
done();
