// The TypeScript SDK's second line, in both eras of the protocol.
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { checkAsksCaller, checkCannotAsk, checkClient, done, setting, stdioServer, textOf } from './lib.mjs';

const transports = {
  stdio: () => new StdioClientTransport({ ...stdioServer(), stderr: 'ignore' }),
  sse: () => new SSEClientTransport(new URL(setting('SERVER_URL') + '/sse')),
  http: () => new StreamableHTTPClientTransport(new URL(setting('SERVER_URL') + '/mcp')),
  'http stateless': () => new StreamableHTTPClientTransport(new URL(setting('STATELESS_URL') + '/mcp')),
};

const opener = (newTransport, mode) => async (person) => {
  const client = new Client({ name: 'check-sdk-v2', version: '1.0.0' }, {
    capabilities: person ? { elicitation: { form: {} } } : {},
    versionNegotiation: { mode },
  });
  if (person) client.setRequestHandler('elicitation/create', async (request) => person.answer(request.params));
  await client.connect(newTransport());
  return {
    protocol: client.getNegotiatedProtocolVersion(),
    list: async () => (await client.listTools()).tools.map((tool) => tool.name),
    call: async (name, args) => {
      const result = await client.callTool({ name, arguments: args });
      return { text: textOf(result), isError: result.isError };
    },
    close: () => client.close(),
  };
};

// From 2026-07-28 a question travels in the result, so every transport can ask.
for (const [transport, newTransport] of Object.entries(transports)) {
  await checkClient(`sdk-v2 ${transport} auto`, opener(newTransport, 'auto'), { asks: true, protocol: '2026-07-28' });

  const name = `sdk-v2 ${transport} legacy`;
  const asks = transport !== 'http stateless';
  await checkClient(name, opener(newTransport, 'legacy'), { asks, protocol: '2025-11-25' });
  await (asks ? checkAsksCaller : checkCannotAsk)(name, opener(newTransport, 'legacy'));
}
done();
