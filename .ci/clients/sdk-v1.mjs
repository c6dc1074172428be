// The TypeScript SDK's first line, which most clients are built on.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { checkAsksCaller, checkCannotAsk, checkClient, done, setting, stdioServer, textOf } from './lib.mjs';

const transports = {
  stdio: () => new StdioClientTransport({ ...stdioServer(), stderr: 'ignore' }),
  sse: () => new SSEClientTransport(new URL(setting('SERVER_URL') + '/sse')),
  http: () => new StreamableHTTPClientTransport(new URL(setting('SERVER_URL') + '/mcp')),
  'http stateless': () => new StreamableHTTPClientTransport(new URL(setting('STATELESS_URL') + '/mcp')),
};

const opener = (newTransport) => async (person) => {
  const capabilities = person ? { elicitation: { form: {} } } : {};
  const client = new Client({ name: 'check-sdk-v1', version: '1.0.0' }, { capabilities });
  if (person) client.setRequestHandler(ElicitRequestSchema, async (request) => person.answer(request.params));
  const transport = newTransport();
  let protocol;
  const tell = transport.setProtocolVersion?.bind(transport);
  transport.setProtocolVersion = (version) => {
    protocol = version;
    tell?.(version);
  };
  await client.connect(transport);
  return {
    protocol,
    list: async () => (await client.listTools()).tools.map((tool) => tool.name),
    call: async (name, args) => {
      const result = await client.callTool({ name, arguments: args });
      return { text: textOf(result), isError: result.isError };
    },
    close: () => client.close(),
  };
};

// Before 2026-07-28 a question is a request from the server, which needs a
// session with a channel back: all have one but stateless HTTP.
for (const [transport, newTransport] of Object.entries(transports)) {
  const name = `sdk-v1 ${transport}`;
  const asks = transport !== 'http stateless';
  await checkClient(name, opener(newTransport), { asks, protocol: '2025-11-25' });
  await (asks ? checkAsksCaller : checkCannotAsk)(name, opener(newTransport));
}
done();
