// The MCP Inspector's command line, one process for each call.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkClient, done, setting, start, stdioServer, textOf } from './lib.mjs';

const launcher = 'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js';
const inspector = fileURLToPath(new URL(launcher, import.meta.url));
const home = mkdtempSync(path.join(tmpdir(), 'inspector-')); // where it keeps its catalogue

const TOOL_IS_ERROR = 5; // its exit code for a result with isError

function server(transport) {
  if (transport !== 'stdio') {
    return ['--transport', transport, '--server-url', setting('SERVER_URL') + { sse: '/sse', http: '/mcp' }[transport]];
  }
  const { command, env } = stdioServer();
  return [...Object.entries(env).flatMap(([key, value]) => ['-e', `${key}=${value}`]), '--', command];
}

async function run(transport, era, args) {
  const options = ['--cli', '--quiet', '--format', 'json', '--protocol-era', era, ...args]; // --cli comes first
  const { code, output } = await start(process.execPath, [inspector, ...options, ...server(transport)], { HOME: home }).ended;
  if (code !== 0 && code !== TOOL_IS_ERROR) throw new Error(`inspector ended with ${code}: ${output}`);
  const reply = output.split('\n').find((l) => l.startsWith('{"result"'));
  if (!reply) throw new Error(`inspector printed no result: ${output}`);
  return JSON.parse(reply).result;
}

const opener = (transport, era) => async () => ({
  list: async () => (await run(transport, era, ['--method', 'tools/list'])).tools.map((tool) => tool.name),
  call: async (name, args) => {
    const given = ['--tool-name', name, '--tool-args-json', JSON.stringify(args)];
    const result = await run(transport, era, ['--method', 'tools/call', ...given]);
    return { text: textOf(result), isError: result.isError };
  },
  close: () => {},
});

for (const [transport, era] of [['stdio', 'legacy'], ['sse', 'legacy'], ['http', 'legacy'], ['http', 'modern']]) {
  await checkClient(`inspector ${transport} ${era}`, opener(transport, era));
}
rmSync(home, { recursive: true });
done();
