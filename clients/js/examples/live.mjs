// A survey as it fills: node live.mjs NODE[,NODE...] REGISTRY SURVEY
// Asks for the count twice a second over one channel, and prints what changes; at the end what was counted.
import { setTimeout as sleep } from 'node:timers/promises';
import { ChannelClosed, connect } from '@cloister/client';
import { Interface } from 'ethers';

const WebSocket = globalThis.WebSocket ?? (await import('ws')).WebSocket; // Node has one from 22 on
const [nodes, registry, contract] = process.argv.slice(2);
const survey = new Interface([
  'function question() view returns (string text, string[] choices, uint64 closes, uint64 answers, bool over)',
  'function counts() view returns (uint256[] counts)',
  'error TooFewAnswers(uint64 answers, uint64 least)',
]);
const network = await connect({ nodes: nodes.split(','), registry });

async function ask(channel, name) {
  const { status, result } = await channel.query({ data: survey.encodeFunctionData(name) });
  if (status === 'done') return survey.decodeFunctionResult(name, result);
  throw new Error(`${name}: ${status} ${survey.parseError(result)?.name ?? result}`);
}

let shown;
function show(line) {
  if (line !== shown) console.log(line);
  shown = line;
}

async function watch(channel) {
  for (;;) {
    const { text, choices, answers, over } = await ask(channel, 'question');
    show(`${text} ${answers} answers`);
    if (over) {
      const { counts } = await ask(channel, 'counts');
      show(choices.map((choice, i) => `${choice} ${counts[i]}`).join(', '));
      return;
    }
    await sleep(500);
  }
}

for (let over = false; !over;) {
  let channel;
  try {
    channel = await network.channel({ contract, WebSocket });
    await watch(channel);
    over = true;
  } catch (e) {
    if (!(e instanceof ChannelClosed)) throw e;
    show(e.message); // it has expired, or its worker went away: another one may do
    await sleep(1000);
  } finally {
    channel?.close();
  }
}
