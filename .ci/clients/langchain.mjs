// LangChain's adapter, which turns the server's tools into an agent's.
import { MultiServerMCPClient } from '@langchain/mcp-adapters';
import { checkClient, done, setting, stdioServer } from './lib.mjs';

const connections = {
  stdio: () => ({ transport: 'stdio', ...stdioServer(), stderr: 'ignore' }),
  sse: () => ({ transport: 'sse', url: setting('SERVER_URL') + '/sse' }),
  http: () => ({ transport: 'http', url: setting('SERVER_URL') + '/mcp', automaticSSEFallback: false }),
};

const opener = (connection) => async () => {
  const client = new MultiServerMCPClient({ mcpServers: { launchdarkly: connection() }, throwOnLoadError: true });
  const tools = await client.getTools();
  return {
    list: async () => tools.map((tool) => tool.name),
    call: async (name, args) => {
      try {
        const text = await tools.find((tool) => tool.name === name).invoke(args);
        return { text, isError: false };
      } catch (err) {
        if (err.name !== 'ToolException') throw err; // it raises a result with isError
        return { text: err.message, isError: true };
      }
    },
    close: () => client.close(),
  };
};

for (const [transport, connection] of Object.entries(connections)) {
  await checkClient(`langchain ${transport}`, opener(connection));
}
done();
