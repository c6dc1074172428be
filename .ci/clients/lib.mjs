// What the checks of all clients share.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import net from 'node:net';

const CHECK_TIMEOUT_MS = 15_000;

let failed = 0;

// Programs that a check started and did not see end go with the script.
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

// check runs one check and prints its line; a check that hangs fails.
export async function check(name, run) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${CHECK_TIMEOUT_MS / 1000} s`)), CHECK_TIMEOUT_MS);
  });
  try {
    await Promise.race([run(), late]);
    console.log(`ok ${name}`);
  } catch (err) {
    failed++;
    console.log(`not ok ${name}: ${oneLine(err)}`);
  } finally {
    clearTimeout(timer);
  }
}

// done ends a script; clients that still hold a handle cannot keep it alive.
export function done() {
  process.exit(failed === 0 ? 0 : 1);
}

export function oneLine(err) {
  return String(err?.message ?? err).replace(/\s+/g, ' ').slice(0, 600);
}

// setting reads what run.mjs hands to every script.
export function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; start the checks with run.mjs`);
  return value;
}

// stdioServer says how a client starts ld-mcp as its child.
export function stdioServer() {
  return {
    command: setting('BIN'),
    args: [],
    env: { LAUNCHDARKLY_ACCESS_TOKEN: setting('TOKEN'), LD_MCP_BASE_URL: setting('UPSTREAM_URL') },
  };
}

// start runs a program until stop; stop resolves to its exit code and output.
export function start(command, args, env = {}) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (output += data));
  const ended = new Promise((resolve) => {
    child.on('error', (err) => resolve({ code: -1, output: String(err) }));
    child.on('close', (code) => {
      running.delete(child);
      resolve({ code, output });
    });
  });
  return {
    ended,
    output: () => output,
    async stop() {
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), 5_000);
      const end = await ended;
      clearTimeout(killer);
      return end;
    },
  };
}

// ready waits until what a started program serves at url answers.
export async function ready(program, url) {
  await until(program, `nothing answered at ${url}`, async () => {
    try {
      await (await fetch(url, { signal: AbortSignal.timeout(2_000) })).arrayBuffer();
      return true;
    } catch {
      return false;
    }
  });
}

// says waits until a started program has printed text.
export async function says(program, text) {
  await until(program, `it never printed ${JSON.stringify(text)}`, () => program.output().includes(text));
}

async function until(program, complaint, holds) {
  let ended = false;
  program.ended.then(() => (ended = true));
  for (const end = Date.now() + 10_000; Date.now() < end && !ended; ) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { code, output } = await program.stop();
  throw new Error(`${complaint}; the program ended with ${code} and said: ${output}`);
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

// textOf joins the text blocks of a tool result.
export function textOf(result) {
  return result.content.filter((block) => block.type === 'text').map((block) => block.text).join('\n');
}

// A person who is asked by elicitation: answers the same each time and counts the questions.
export function person(action) {
  return {
    questions: 0,
    answer(params) {
      this.questions++;
      assert.ok(params.message, 'the question has no text');
      return action === 'accept' ? { action, content: fill(params.requestedSchema) } : { action };
    },
  };
}

// fill completes a form: what is required, with the first value that fits.
function fill(schema) {
  return Object.fromEntries((schema?.required ?? []).map((name) => {
    const field = schema.properties[name];
    const value = field.const ?? field.default ?? field.enum?.[0] ?? field.oneOf?.[0].const;
    return [name, value ?? { boolean: true, number: 1, integer: 1 }[field.type] ?? 'production'];
  }));
}

// checkClient drives one client over one transport. open(person) connects and
// returns {list, call, close, protocol}: list() the tools' names, call(name, args)
// {text, isError}, protocol the negotiated version where the client tells it.
// asks says whether a person can be asked on this transport.
export async function checkClient(name, open, { asks = false, protocol } = {}) {
  const session = (title, who, run) => check(`${name}: ${title}`, async () => {
    const s = await open(who);
    try {
      await run(s);
    } finally {
      await s.close();
    }
  });

  await session('lists tools', undefined, async (s) => {
    if (protocol) assert.equal(s.protocol, protocol, 'negotiated protocol version');
    const names = await s.list();
    for (const tool of ['list-flags', 'get-flag', 'toggle-flag']) {
      assert.ok(names.includes(tool), `${tool} is missing among ${names}`);
    }
  });
  await session('lists flags', undefined, async (s) => {
    const flags = await succeed(s, 'list-flags', { projectKey: 'shop', environmentKey: 'test', limit: 100 });
    assert.match(flags, /"dark-mode"/);
  });
  await session('toggles in test', undefined, async (s) => {
    await toggles(s, 'test');
  });
  await session('production needs a confirmation', undefined, async (s) => {
    await refusesThenConfirms(s);
  });

  if (!asks) return;
  const declining = person('decline');
  await session('production with a person who declines', declining, async (s) => {
    const before = await isOn(s, 'production');
    const reply = await s.call('toggle-flag', toggle('production', !before));
    assert.equal(declining.questions, 1, `questions asked; the reply was ${reply.text}`);
    assert.equal(await isOn(s, 'production'), before, 'declined, and changed all the same');
  });
  const accepting = person('accept');
  await session('production with a person who accepts', accepting, async (s) => {
    await toggles(s, 'production');
    assert.equal(accepting.questions, 1, 'questions asked');
  });
}

// checkAsksCaller checks that of two connected clients the one is asked that calls.
export async function checkAsksCaller(name, open) {
  await check(`${name}: production asks the caller, not another client`, async () => {
    const [bystander, caller] = [person('accept'), person('accept')];
    const sessions = [await open(bystander)];
    try {
      await sessions[0].list(); // by its answer the bystander's streams are up
      sessions.push(await open(caller));
      await toggles(sessions[1], 'production');
      assert.deepEqual([bystander.questions, caller.questions], [0, 1], 'questions asked of the bystander and the caller');
    } finally {
      await Promise.all(sessions.map((s) => s.close()));
    }
  });
}

// checkCannotAsk checks a client that takes questions on a transport that
// cannot carry them: it is treated as one that takes none, and another client
// that is connected meanwhile is not asked in its place.
export async function checkCannotAsk(name, open) {
  await check(`${name}: production where no question can reach the person`, async () => {
    const [bystander, caller] = [person('accept'), person('accept')];
    const sessions = [await open(bystander)];
    try {
      await sessions[0].list(); // by its answer the bystander's streams are up
      sessions.push(await open(caller));
      await refusesThenConfirms(sessions[1]);
      assert.deepEqual([bystander.questions, caller.questions], [0, 0], 'questions asked of the bystander and the caller');
    } finally {
      await Promise.all(sessions.map((s) => s.close()));
    }
  });
}

async function toggles(s, environmentKey) {
  const before = await isOn(s, environmentKey);
  await succeed(s, 'toggle-flag', toggle(environmentKey, !before));
  assert.equal(await isOn(s, environmentKey), !before, `dark-mode in ${environmentKey} after the toggle`);
}

async function refusesThenConfirms(s) {
  const before = await isOn(s, 'production');
  const wanted = toggle('production', !before);
  const { text } = await s.call('toggle-flag', wanted);
  assert.equal(await isOn(s, 'production'), before, `changed unconfirmed; the reply was ${text}`);
  assert.match(text, /confirm/, 'the refusal does not say how to confirm');
  assert.match(text, /production/, 'the refusal does not say what to confirm');
  await succeed(s, 'toggle-flag', { ...wanted, confirm: 'production' });
  assert.equal(await isOn(s, 'production'), !before, 'confirmed, and not changed');
}

function toggle(environmentKey, on) {
  return { projectKey: 'shop', flagKey: 'dark-mode', environmentKey, on, comment: 'a check of the clients' };
}

async function isOn(s, environmentKey) {
  const flag = JSON.parse(await succeed(s, 'get-flag', { projectKey: 'shop', flagKey: 'dark-mode', environmentKey }));
  assert.equal(typeof flag.on, 'boolean', `get-flag does not say whether the flag is on: ${JSON.stringify(flag)}`);
  return flag.on;
}

async function succeed(s, tool, args) {
  const { text, isError } = await s.call(tool, args);
  assert.ok(!isError, `${tool} failed: ${text}`);
  return text;
}
