// Channels of clients/js against the worker of worker.mjs, over real sockets.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { BadAnswer, ChannelClosed, WorkerError, generateReplyKey, openChannel, query } from '@cloister/client';
import { Wallet, toBeHex, verifyTypedData } from 'ethers';
import { WebSocket, Worker, account, contract, domain, genesis, registry, workerThat } from './worker.mjs';

const tests = [];
const test = (name, fn) => tests.push({ name, fn });
const ask = (channel, data, more) => channel.query({ contract, data, ...more });
const closed = (code, message) => (e) => e instanceof ChannelClosed && e.code === code && message.test(e.message);

test('an opening of a caller is the document\'s', () => workerThat({}, async (worker) => {
  const wallet = Wallet.createRandom();
  const channel = await worker.open({ caller: wallet.address, expiry: 1900000000,
    signTypedData: ({ domain: d, types, message }) => wallet.signTypedData(d, types, message) });
  const { enc, size, said } = worker.opening;
  assert.equal(worker.path, '/contracts/channel');
  assert.equal(size, 512);
  assert.deepEqual(Object.keys(said), ['expiry', 'caller', 'signature']);
  assert.equal(said.expiry, 1900000000);
  assert.equal(said.caller, wallet.address.toLowerCase());
  assert.equal(channel.expiry, 1900000000n);
  const signer = verifyTypedData(domain, { Channel: [{ name: 'worker', type: 'address' }, { name: 'key', type: 'bytes32' },
    { name: 'challenge', type: 'bytes32' }, { name: 'expiry', type: 'uint64' }] },
  { worker: account, key: enc, challenge: worker.challenge, expiry: 1900000000 }, said.signature);
  assert.equal(signer, wallet.address);
  channel.close();
}));

test('queries sent ahead are answered in order', () => workerThat({}, async (worker) => {
  const before = Math.floor(Date.now() / 1000);
  const channel = await worker.open();
  assert.deepEqual(Object.keys(worker.opening.said), ['expiry']);
  assert.ok(worker.opening.said.expiry - before > 60 && worker.opening.said.expiry - before < 3600);
  const data = Array.from({ length: 50 }, (_, i) => toBeHex(i, 4));
  const order = [];
  const answers = await Promise.all(data.map((d, i) => ask(channel, d, { minimumHeight: BigInt(i) })
    .then((a) => { order.push(i); return a; })));
  assert.deepEqual(answers.map((a) => a.result), data);
  assert.deepEqual(order, data.map((_, i) => i));
  assert.deepEqual(answers[0], { batch: 3n, height: 9n, root: '0x' + 'd4'.repeat(32), status: 'done', result: data[0] });
  assert.deepEqual(worker.queries.map((x) => x.q.minimum_height), data.map((_, i) => i));
  assert.deepEqual(Object.keys(worker.queries[0].q), ['contract', 'data', 'nonce', 'minimum_height']);
  assert.equal(new Set(worker.queries.map((x) => x.q.nonce)).size, 50);
  assert.ok(worker.queries.every((x) => x.size === 512 && /^0x[0-9a-f]{64}$/.test(x.q.nonce)));
  await ask(channel, new Uint8Array(300));
  assert.equal(worker.queries[50].size, 1024);
  channel.close();
}));

test('what cannot be asked is said at once, and harms nothing', () => workerThat({}, async (worker) => {
  const channel = await worker.open();
  await assert.rejects(ask(channel, '0x1'), TypeError);
  await assert.rejects(channel.query({ contract: '0x00', data: '0x' }), RangeError);
  assert.equal((await ask(channel, '0x05')).result, '0x05');
  channel.close();
  await assert.rejects(worker.open({ caller: account }), /both, or neither/);
  await assert.rejects(worker.open({ signTypedData: () => '0x' }), /both, or neither/);
  await assert.rejects(query({ ...worker.context(), contract, data: '0x', caller: account }), /both, or neither/);
  await assert.rejects(worker.open({ receiveKey: '0x00' }), RangeError);
  await assert.rejects(worker.open({ caller: account, signTypedData: () => Promise.reject(new Error('not by me')) }),
    /not by me/);
  await once(worker.socket, 'close');
}));

test('an answer that the worker did not sign is refused, alone', () => workerThat({
  async answer(q, i) {
    this.signer = i === 1 ? Wallet.createRandom() : undefined;
    const other = { 2: { nonce: genesis }, 3: { data: '0x99' }, 4: { contract: registry } }[i];
    const a = await Worker.prototype.answer.call(this, { ...q, ...other });
    if (i === 3) a.result = '0x99';
    const changes = { 5: { batch: 4 }, 6: { height: 10 }, 7: { root: genesis }, 8: { status: 2 }, 9: { result: '0x01' },
      10: { signature: '0x' + '00'.repeat(65) }, 11: { signature: undefined }, 12: { batch: -1 } };
    return { 13: 'null', 14: 'no JSON' }[i] ?? { ...a, ...changes[i] };
  },
}, async (worker) => {
  const channel = await worker.open();
  for (let i = 1; i <= 14; i++) await assert.rejects(ask(channel, '0x05'), BadAnswer, `answer ${i}`);
  assert.equal((await ask(channel, '0x05')).result, '0x05');
  channel.close();
}));

test('a worker\'s error has its code', () => workerThat({
  answer(q, i) {
    return i === 1 ? { error: { code: 'again', message: 'not yet' } } : Worker.prototype.answer.call(this, q);
  },
}, async (worker) => {
  const channel = await worker.open();
  await assert.rejects(ask(channel, '0x05'), (e) => e instanceof WorkerError && e.code === 'again' && /not yet/.test(e.message));
  assert.equal((await ask(channel, '0x05')).result, '0x05');
  channel.close();
}));

test('an opening that is refused says why', () => workerThat({
  opened(socket) {
    setTimeout(() => socket.close(1008), 10);
    return { error: { code: 'denied', message: 'the expiry is over' } };
  },
}, async (worker) => {
  await assert.rejects(worker.open(), (e) => e instanceof WorkerError && e.code === 'denied' && /expiry/.test(e.message));
}));

const altered = (b) => b.map((x, i) => (i === 3 ? x ^ 1 : x));

test('an altered, repeated or misplaced answer ends the channel', async () => {
  const held = [];
  for (const frames of [
    (socket, b, i) => socket.send(i === 2 ? altered(b) : b),
    (socket, b, i) => { socket.send(b); if (i === 1) socket.send(b); },
    (socket, b, i) => { // the second before the first
      held[i] = b;
      if (i === 0) socket.send(b);
      if (i === 2) { socket.send(held[2]); socket.send(held[1]); }
    },
    (socket, b, i) => socket.send(i === 2 ? new Uint8Array(0) : b),
  ]) {
    await workerThat({ frames }, async (worker) => {
      const channel = await worker.open();
      const asked = await Promise.allSettled(['0x01', '0x02', '0x03'].map((d) => ask(channel, d)));
      assert.ok(closed(1002, /does not open/)(asked[2].reason));
      await assert.rejects(ask(channel, '0x04'), closed(1002, /does not open/));
    });
  }
  await workerThat({ frames: (socket, b) => socket.send(altered(b)) }, (worker) =>
    assert.rejects(worker.open(), closed(1002, /does not open/)));
});

test('what nobody asked for ends the channel', async () => {
  await workerThat({ frames: (socket, b) => { socket.send(b); socket.send(b); } }, async (worker) => {
    const channel = await worker.open();
    await assert.rejects(ask(channel, '0x01'), closed(1002, /nobody asked/));
  });
  await workerThat({ frames: (socket) => socket.send('text') }, (worker) =>
    assert.rejects(worker.open(), closed(1002, /text/)));
});

test('a channel begins with a challenge', async () => {
  for (const first of ['0x', '0x01', '0x02' + '00'.repeat(32), '0x01' + '00'.repeat(33)]) {
    await workerThat({ first: () => first }, (worker) => assert.rejects(worker.open(), BadAnswer));
  }
  await workerThat({ opened: () => 'no JSON' }, (worker) => assert.rejects(worker.open(), BadAnswer));
});

test('a worker that is another one cannot open', () => workerThat({}, async (worker) => {
  const { publicKey } = await generateReplyKey();
  await assert.rejects(worker.open({ receiveKey: publicKey }), closed(1002, /1002/));
  await assert.rejects(worker.open({ worker: registry }), closed(1002, /1002/));
  await assert.rejects(worker.open({ genesis: '0x' + '00'.repeat(32) }), closed(1002, /1002/));
  await assert.rejects(worker.open({ chainId: 1 }), closed(1002, /1002/));
  assert.ok(worker.error);
  worker.error = undefined;
}));

test('the end of a channel is everybody\'s', () => workerThat({
  answer(q, i, socket) {
    if (i === 2) socket.close(1008, 'the channel has expired');
    return i < 2 ? Worker.prototype.answer.call(this, q) : new Promise(() => {});
  },
}, async (worker) => {
  const channel = await worker.open();
  const asked = await Promise.allSettled(['0x01', '0x02', '0x03'].map((d) => ask(channel, d)));
  assert.equal(asked[0].value.result, '0x01');
  for (const a of asked.slice(1)) assert.ok(closed(1008, /expired/)(a.reason));
  await assert.rejects(ask(channel, '0x04'), closed(1008, /expired/));
}));

test('closing it ends what was asked', () => workerThat({ answer: () => new Promise(() => {}) }, async (worker) => {
  const channel = await worker.open();
  const asked = ask(channel, '0x01');
  while (worker.queries.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const gone = new Promise((resolve) => worker.socket.on('close', resolve));
  channel.close();
  await assert.rejects(asked, closed(1000, /closed here/));
  await gone;
  await new Promise((resolve) => setTimeout(resolve, 50)); // that the socket says how it closed changes nothing
  await assert.rejects(ask(channel, '0x01'), closed(1000, /closed here/));
}));

test('an end in the midst of an answer leaves nobody waiting', () => workerThat({
  frames(socket, b, i) { // both answers at once
    if (i === 1) this.held = b;
    if (i === 2) socket.send(this.held);
    if (i !== 1) socket.send(b);
  },
}, async (worker) => {
  let after = () => {};
  class Watched extends WebSocket {
    addEventListener(type, fn) {
      super.addEventListener(type, type !== 'message' ? fn : (e) => { fn(e); after(); });
    }
  }
  const channel = await worker.open({ WebSocket: Watched });
  after = () => channel.close(); // while the first is being opened
  const asked = [ask(channel, '0x01'), ask(channel, '0x02')];
  assert.equal((await asked[0]).result, '0x01');
  await assert.rejects(asked[1], closed(1000, /closed here/));
}));

test('a silent worker is gone; one that nothing is asked of is not', async () => {
  const real = { setTimeout, clearTimeout };
  let watch = null; // the one timer of half a minute
  globalThis.setTimeout = (fn, ms, ...rest) => (ms === 30000 ? (watch = { fn }) : real.setTimeout(fn, ms, ...rest));
  globalThis.clearTimeout = (t) => (t === watch ? (watch = null) : real.clearTimeout(t));
  try {
    await workerThat({ first: () => null }, async (worker) => {
      const opening = worker.open();
      watch.fn();
      await assert.rejects(opening, closed(1006, /no answer/));
    });
    await workerThat({ answer(q, i) { return i === 1 ? Worker.prototype.answer.call(this, q) : new Promise(() => {}); } },
      async (worker) => {
        const channel = await worker.open();
        assert.equal(watch, null);
        assert.equal((await ask(channel, '0x01')).result, '0x01');
        assert.equal(watch, null);
        const asked = [ask(channel, '0x02'), ask(channel, '0x03')];
        while (worker.queries.length === 1) await new Promise((resolve) => setImmediate(resolve));
        watch.fn();
        for (const a of asked) await assert.rejects(a, closed(1006, /no answer/));
      });
  } finally {
    Object.assign(globalThis, real);
  }
});

test('without a worker, and without WebSocket', async () => {
  await assert.rejects(openChannel({ ...Worker.prototype.context.call({ url: 'http://127.0.0.1:1' }) }),
    closed(1006, /127\.0\.0\.1:1/));
  if (globalThis.WebSocket === undefined) {
    await assert.rejects(openChannel({ url: 'http://127.0.0.1:1' }), /no WebSocket/);
  }
});

for (const { name, fn } of tests) {
  try {
    await fn();
  } catch (e) {
    console.error(`channel: ${name}`);
    throw e;
  }
}
const whose = globalThis.WebSocket === undefined ? 'ws' : 'the platform';
console.log(`channel (WebSocket of ${whose}): ${tests.length} passed, 0 failed`);
process.exit(0);
