// The guide of clients/js, run as it stands there: its blocks one after the other, with a network's names for what is in
// capitals. Arguments: the guide; JSON of the network, see tests/e2e/js-client.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';

const net = JSON.parse(process.argv[3]);
const names = { NODE: net.rpc, REGISTRY: net.registry, SURVEY: net.contract, KEY: net.keys[0] };
const blocks = [...readFileSync(process.argv[2], 'utf8').matchAll(/^```js\n([^]*?)^```$/gm)].map((m) => m[1]);
assert.ok(blocks.length > 0);
const program = new URL(`readme-${process.pid}.mjs`, import.meta.url);
writeFileSync(program, [...Object.entries(names).map(([k, v]) => `const ${k} = ${JSON.stringify(v)};`), ...blocks].join('\n'));
try {
  const run = spawnSync(process.execPath, [program.pathname], { encoding: 'utf8', timeout: 60000 });
  assert.equal(run.status, 0, run.stderr);
  const [outcome, choice, question] = run.stdout.trim().split('\n');
  assert.equal(outcome, "{ status: 'done', output: '0x' }");
  assert.equal(choice, '2n');
  assert.match(question, /^whose is it\? 1n 2n$/);
} finally {
  rmSync(program);
}
console.log(`README: ${blocks.length} blocks run`);
