// The protocol's own conformance suite on ld-mcp itself, with sessions and
// without, for the two revisions in use.
import assert from 'node:assert/strict';
import http from 'node:http';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { check, done, setting } from './lib.mjs';
import { scenarios } from './suite.mjs';

const servers = { conformance: setting('SERVER_URL'), 'conformance stateless': setting('STATELESS_URL') };

// Scenarios that must pass, whatever tools a server has.
const MUST = {
  '2025-11-25': ['server-initialize', 'ping', 'tools-list', 'dns-rebinding-protection', 'server-session-lifecycle'],
  '2026-07-28': [
    'server-stateless', 'tools-list', 'server-sse-multiple-streams', 'dns-rebinding-protection', 'caching',
    'http-header-validation', 'input-required-result-unsupported-methods',
  ],
};

// Scenarios that must pass where there are sessions.
const MUST_IN_SESSIONS = { '2025-11-25': ['server-sse-multiple-streams'], '2026-07-28': [] };

// Scenarios and checks that must pass when the server declares a capability.
const MUST_WITH = {
  'logging-set-level': 'logging',
  'completion-complete': 'completions',
  'prompts-list': 'prompts',
  'resources-list': 'resources',
  'sep-2164-resource-not-found': 'resources',
  'sep-2549-prompts-list-caching-hints': 'prompts',
  'sep-2549-resources-list-caching-hints': 'resources',
  'sep-2549-resources-templates-list-caching-hints': 'resources',
};

const fixture = (name) => `needs the fixture tool ${name}`;
const tasks = 'the tasks extension, which is not offered';
const testPrompts = "needs the suite's own prompts";
const testResources = "needs the suite's own resources";

// Scenarios that cannot pass, and why.
const LEFT_OUT = {
  'tools-call-simple-text': fixture('test_simple_text'),
  'tools-call-image': fixture('test_image_content'),
  'tools-call-audio': fixture('test_audio_content'),
  'tools-call-embedded-resource': fixture('test_embedded_resource'),
  'tools-call-mixed-content': fixture('test_multiple_content_types'),
  'tools-call-with-logging': fixture('test_tool_with_logging'),
  'tools-call-error': fixture('test_error_handling'),
  'tools-call-with-progress': fixture('test_tool_with_progress'),
  'tools-call-sampling': fixture('test_sampling'),
  'tools-call-elicitation': fixture('test_elicitation'),
  'elicitation-sep1034-defaults': fixture('test_elicitation_sep1034_defaults'),
  'elicitation-sep1330-enums': fixture('test_elicitation_sep1330_enums'),
  'json-schema-2020-12': fixture('json_schema_2020_12_tool'),
  'http-custom-header-server-validation': 'needs a tool with an x-mcp-header argument',
  'input-required-result-basic-elicitation': fixture('test_input_required_result_elicitation'),
  'input-required-result-basic-sampling': fixture('test_input_required_result_sampling'),
  'input-required-result-basic-list-roots': fixture('test_input_required_result_list_roots'),
  'input-required-result-request-state': fixture('test_input_required_result_request_state'),
  'input-required-result-multiple-input-requests': fixture('test_input_required_result_multiple_inputs'),
  'input-required-result-multi-round': fixture('test_input_required_result_multi_round'),
  'input-required-result-missing-input-response': fixture('test_input_required_result_elicitation'),
  'input-required-result-result-type': fixture('test_input_required_result_elicitation'),
  'input-required-result-tampered-state': fixture('test_input_required_result_tampered_state'),
  'input-required-result-capability-check': fixture('test_input_required_result_capabilities'),
  'input-required-result-ignore-extra-params': fixture('test_input_required_result_elicitation'),
  'input-required-result-validate-input': fixture('test_input_required_result_elicitation'),
  'input-required-result-non-tool-request': testPrompts,
  'prompts-get-simple': testPrompts,
  'prompts-get-with-args': testPrompts,
  'prompts-get-embedded-resource': testPrompts,
  'prompts-get-with-image': testPrompts,
  'resources-read-text': testResources,
  'resources-read-binary': testResources,
  'resources-templates-read': testResources,
  'resources-subscribe': testResources,
  'resources-unsubscribe': testResources,
  'server-sse-multiple-streams': 'needs sessions, which the stateless server does not issue',
  'server-sse-polling': fixture('test_reconnection'),
  'tasks-lifecycle': tasks,
  'tasks-capability-negotiation': tasks,
  'tasks-wire-fields': tasks,
  'tasks-request-state-removal': tasks,
  'tasks-mrtr-input': tasks,
  'tasks-request-headers': tasks,
  'tasks-dispatch-and-envelope': tasks,
  'tasks-status-notifications': tasks,
  'tasks-required-task-error': tasks,
  'tasks-mrtr-composition': tasks,
};

// Single checks of scenarios that must pass otherwise, and why they cannot.
const LEFT_OUT_CHECKS = {
  'sep-2575-server-rejects-undeclared-capability': fixture('test_missing_capability'),
  'sep-2575-missing-capability-http-400': fixture('test_missing_capability'),
  'sep-2575-http-server-no-independent-requests-on-stream': fixture('test_streaming_elicitation'),
  'sep-2575-server-no-log-without-loglevel': fixture('test_logging_tool'),
  'sep-2575-server-sends-tools-list-changed-on-subscription': fixture('test_trigger_tool_change'),
  'sep-2575-server-sends-prompts-list-changed-on-subscription': fixture('test_trigger_prompt_change'),
  'sep-2164-data-uri': 'a recommendation; mcp-go answers an unknown resource without data',
};

async function capabilities(server) {
  const client = new Client({ name: 'check-conformance', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(server + '/mcp')));
  const declared = client.getServerCapabilities();
  await client.close();
  return declared;
}

// whyNot says why a scenario or a check need not pass; empty when it must.
function whyNot(name, declared) {
  const capability = MUST_WITH[name];
  if (capability) return declared[capability] ? '' : `the server declares no ${capability}`;
  return LEFT_OUT[name] ?? LEFT_OUT_CHECKS[name] ?? '';
}

function passes(checks) {
  assert.ok(checks.some((c) => c.status === 'SUCCESS' || c.status === 'INFO'), 'nothing was checked');
  const broken = checks.filter((c) => c.status === 'FAILURE' || c.status === 'WARNING');
  assert.equal(broken.length, 0, broken.map((c) => `${c.id}: ${c.errorMessage}`).join('; '));
}

async function revisionConforms(name, server, revision, declared) {
  const { found } = await scenarios(server + '/mcp', '--requirements', revision);
  const musts = [...MUST[revision], ...(name === 'conformance' ? MUST_IN_SESSIONS[revision] : [])];
  for (const scenario of new Set([...musts, ...found.keys()])) {
    const must = musts.includes(scenario);
    const reason = must ? '' : whyNot(scenario, declared);
    if (reason) {
      console.log(`left out ${name} ${revision} ${scenario}: ${reason}`);
      continue;
    }
    await check(`${name} ${revision} ${scenario}`, async () => {
      assert.ok(found.has(scenario), 'the suite no longer runs it');
      assert.ok(must || scenario in MUST_WITH, 'a new scenario: list it as one that must pass or as left out');
      passes(found.get(scenario).filter((c) => !whyNot(c.id, declared)));
    });
  }
  await check(`${name} ${revision}: answers are well formed in every scenario`, async () => {
    passes([...found.values()].flat().filter((c) => c.id === 'wire-schema-valid'));
  });
}

// statusFor asks as a page would whose name was rebound to this address.
function statusFor(server, method, pathname, host) {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server);
    const headers = { Host: host, 'Content-Type': 'application/json' };
    const request = http.request({ method, hostname, port, path: pathname, headers }, (response) => {
      response.destroy();
      resolve(response.statusCode);
    });
    request.on('error', reject);
    request.end(method === 'POST' ? '{}' : undefined);
  });
}

for (const [name, server] of Object.entries(servers)) {
  for (const [method, pathname] of [['GET', '/sse'], ['POST', '/message'], ['POST', '/mcp'], ['GET', '/mcp'], ['DELETE', '/mcp']]) {
    await check(`${name} ${method} ${pathname} refuses a foreign Host`, async () => {
      assert.equal(await statusFor(server, method, pathname, 'rebound.example'), 403);
    });
  }
  let declared;
  await check(`${name}: the server declares its capabilities`, async () => {
    declared = await capabilities(server);
    assert.ok(declared.tools, 'no tools capability');
  });
  for (const revision of Object.keys(MUST)) {
    try {
      await revisionConforms(name, server, revision, declared ?? {});
    } catch (err) {
      await check(`${name} ${revision}`, async () => { throw err; });
    }
  }
}
done();
