// Checks that ld-mcp passes tools of another MCP server through: the reference
// server that exercises the protocol, as a process of its own.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { check, done, freePort, ready, setting, start, textOf } from '../clients/lib.mjs';

const LIMIT = 2000;
const NAMES = 'echo,get-*,toggle-*,trigger-long-running-operation,no-such-tool';
const port = await freePort();
const url = `http://127.0.0.1:${port}/mcp`;
const program = fileURLToPath(new URL('node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url));

async function serve() {
  const server = start(process.execPath, [program, 'streamableHttp'], { PORT: String(port), LAUNCHDARKLY_SECRET_KEY: 'do-not-pass-this-on' });
  await ready(server, url);
  return server;
}

// connect starts ld-mcp on the sandbox and counts what it tells of its list.
async function connect(...options) {
  const client = new Client({ name: 'hosted-check', version: '1' });
  const changes = { n: 0 };
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => { changes.n++; });
  await client.connect(new StdioClientTransport({
    command: setting('BIN'),
    args: ['--sandbox', '--hosted-url', url, '--hosted-tools', NAMES, '--max-reply-bytes', String(LIMIT), ...options],
    stderr: 'ignore',
  }));
  const tools = async () => Object.fromEntries((await client.listTools()).tools.map((tool) => [tool.name, tool]));
  const call = async (name, args = {}, options = undefined) => {
    const reply = await client.callTool({ name, arguments: args }, undefined, options);
    return { text: textOf(reply), isError: reply.isError === true, blocks: reply.content };
  };
  return { client, changes, tools, call, close: () => client.close() };
}

async function until(complaint, holds) {
  for (const end = Date.now() + 10_000; Date.now() < end; ) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(complaint);
}

async function works(s) {
  const flags = await s.call('list-flags', { projectKey: 'shop', limit: 1 });
  assert.ok(!flags.isError, `our own list-flags: ${flags.text}`);
}

let server = await serve();
const s = await connect();

await check('hosted: the list names tools at once, and says more once it is told', async () => {
  const first = await s.tools();
  assert.ok(first.echo && first['list-flags'], `listed at first: ${Object.keys(first)}`);
  await until('no tools/list_changed came', () => s.changes.n > 0);
  const then = await s.tools();
  assert.deepEqual(Object.keys(then.echo.inputSchema.properties), ['message']);
  assert.equal(then.echo.annotations.readOnlyHint, true);
  assert.ok(then['get-sum'], 'a glob finds nothing');
  assert.ok(!then['no-such-tool'], 'a tool that is not there is listed');
  assert.deepEqual(Object.keys(then['toggle-simulated-logging'].inputSchema.properties).sort(), ['comment', 'confirm', 'dryRun']);
  assert.ok(!then['simulate-research-query'] && !then['gzip-file-as-resource'], 'a tool that nobody asked for is listed');
});

await check('hosted: reads', async () => {
  assert.deepEqual(await s.call('echo', { message: 'grüße' }), { text: 'Echo: grüße', isError: false, blocks: [{ type: 'text', text: 'Echo: grüße' }] });
  assert.match((await s.call('get-sum', { a: 2, b: 40 })).text, /42/);
  assert.match((await s.call('get-structured-content', { location: 'Chicago' })).text, /"conditions"/);
});

await check('hosted: pictures and resources are told of, not passed on', async () => {
  for (const name of ['get-tiny-image', 'get-resource-links', 'get-resource-reference']) {
    const { text, blocks, isError } = await s.call(name);
    assert.ok(!isError && blocks.length === 1 && text.includes('[Not passed on: '), `${name}: ${text}`);
  }
});

await check('hosted: a change is confirmed first', async () => {
  const refused = await s.call('toggle-simulated-logging');
  assert.ok(refused.isError && refused.text.includes('confirm: "toggle-simulated-logging"'), refused.text);
  const dry = await s.call('toggle-simulated-logging', { dryRun: true });
  assert.ok(!dry.isError && dry.text.includes('"dryRun":true'), dry.text);
  const made = await s.call('toggle-simulated-logging', { confirm: 'toggle-simulated-logging' });
  assert.ok(!made.isError && /^Started simulated/.test(made.text), made.text);
});

await check('hosted: an error is an error, and says what to do', async () => {
  for (const [name, args] of [['get-sum', { a: 'x' }], ['get-structured-content', { location: 'Atlantis' }]]) {
    const { text, isError } = await s.call(name, args);
    assert.ok(isError && /Correct the arguments and call it again\.$/.test(text), text);
  }
  const gone = await s.call('no-such-tool');
  assert.ok(gone.isError && gone.text.includes('has no tool of this name'), gone.text);
});

await check('hosted: a long reply is cut aloud, and without secrets', async () => {
  const { text } = await s.call('echo', { message: 'ß'.repeat(20_000) });
  assert.ok(Buffer.byteLength(text) <= LIMIT && text.includes('[Cut: the answer has 40006 bytes'), text.slice(-200));
  const { text: environment } = await s.call('get-env');
  assert.ok(environment.length > 0 && !environment.includes('do-not-pass-this-on'), 'a secret got through');
});

await check('hosted: progress is passed on', async () => {
  const told = [];
  const confirm = 'trigger-long-running-operation';
  const { text, isError } = await s.call('trigger-long-running-operation', { duration: 2, steps: 4, confirm }, { onprogress: (p) => told.push(p) });
  assert.ok(!isError, text);
  assert.ok(told.length > 0 && told.every((p) => p.total === told[0].total), JSON.stringify(told));
});

await check('hosted: a server that is killed in the middle of a call', async () => {
  const args = { duration: 20, steps: 40, confirm: 'trigger-long-running-operation' };
  let stopped;
  const cut = await s.call('trigger-long-running-operation', args, { onprogress: () => { stopped ??= server.stop(); } });
  await stopped;
  assert.ok(cut.isError && cut.text.includes('It is not known whether anything was changed'), cut.text);
  const { text, isError } = await s.call('echo', { message: 'x' });
  assert.ok(isError && text.includes('The other tools of this server do not need it.'), text);
  await works(s);
});

await check('hosted: a server that is back is found again', async () => {
  server = await serve();
  const { text } = await s.call('echo', { message: 'again' });
  assert.equal(text, 'Echo: again');
  await s.close();
});

await check('hosted: a read-only server has its reads alone', async () => {
  const reader = await connect('--read-only');
  await until('no tools/list_changed came', async () => { await reader.tools(); return reader.changes.n > 0; });
  const tools = await reader.tools();
  assert.ok(tools.echo && !tools['toggle-simulated-logging'], `listed: ${Object.keys(tools)}`);
  const { text, isError } = await reader.call('toggle-simulated-logging', { confirm: 'toggle-simulated-logging' });
  assert.ok(isError && text.includes('read-only'), text);
  await reader.close();
});

await check('hosted: a server with a scope passes nothing on that names no project', async () => {
  const scoped = await connect('--allow-projects', 'shop');
  const { text, isError } = await scoped.call('echo', { message: 'x' });
  assert.ok(isError && text.includes('names none'), text);
  await works(scoped);
  await scoped.close();
});

await server.stop();
done();
