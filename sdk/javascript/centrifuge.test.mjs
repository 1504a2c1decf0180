// The same stories over every transport that the SDK has for Node.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Centrifuge as JsonCentrifuge } from 'centrifuge';
import { Centrifuge as ProtobufCentrifuge } from 'centrifuge/build/protobuf';
import EventSource from 'eventsource';
import WebSocket from 'ws';

import { Server, now, token } from './server.mjs';

const TRANSPORTS = [
  { name: 'WebSocket, JSON', transport: 'websocket', path: '/connection/websocket' },
  { name: 'WebSocket, Protobuf', transport: 'websocket', path: '/connection/websocket', isBinary: true },
  { name: 'HTTP streaming', transport: 'http_stream', path: '/connection/http_stream' },
  { name: 'Server-Sent Events', transport: 'sse', path: '/connection/sse' },
];
const DEADLINE_MS = 20_000;
const MISSED = 5_000;

let server;
before(async () => {
  server = await Server.started();
});
after(async () => server?.remove());

/** The next event of a name, or a failure when it does not come. */
function next(emitter, event, isWanted = () => true) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no ${event}`)), DEADLINE_MS);
    const listener = (context) => {
      if (!isWanted(context)) return;
      clearTimeout(late);
      emitter.removeListener(event, listener);
      resolve(context);
    };
    emitter.on(event, listener);
  });
}

/** Waits until something holds. */
async function until(what, holds) {
  const end = Date.now() + DEADLINE_MS;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

for (const { name, transport, path, isBinary } of TRANSPORTS) {
  describe(name, () => {
    const clients = [];

    /** Protobuf carries bytes, which here are JSON. */
    const encode = (value) => (isBinary ? new TextEncoder().encode(JSON.stringify(value)) : value);
    const decode = (data) => (isBinary ? JSON.parse(new TextDecoder().decode(data)) : data);

    function client(options = {}) {
      const scheme = transport === 'websocket' ? 'ws' : 'http';
      const endpoint = `${scheme}://${server.address}${path}`;
      const Centrifuge = isBinary ? ProtobufCentrifuge : JsonCentrifuge;
      const made = new Centrifuge([{ transport, endpoint }], {
        websocket: WebSocket,
        eventsource: EventSource,
        emulationEndpoint: `http://${server.address}/emulation`,
        minReconnectDelay: 10,
        maxReconnectDelay: 100,
        ...options,
      });
      made.on('error', () => {});
      clients.push(made);
      return made;
    }

    async function connected(options) {
      const made = client(options);
      made.connect();
      await made.ready(DEADLINE_MS);
      return made;
    }

    /** A subscription that is subscribed; `prepare` adds listeners before anything can be missed. */
    async function subscribed(made, channel, options, prepare = () => {}) {
      const subscription = made.newSubscription(channel, options);
      subscription.on('error', () => {});
      prepare(subscription);
      subscription.subscribe();
      await subscription.ready(DEADLINE_MS);
      return subscription;
    }

    after(() => clients.forEach((made) => made.disconnect()));

    test('publications reach subscribers, the publisher too', async () => {
      const [one, two] = [await connected(), await connected()];
      const channel = `talk-${transport}-${isBinary}`;
      const subscriptions = [await subscribed(one, channel), await subscribed(two, channel)];
      const told = subscriptions.map((subscription) => next(subscription, 'publication'));
      await subscriptions[0].publish(encode({ text: 'héllo' }));
      for (const context of await Promise.all(told)) {
        assert.deepEqual(decode(context.data), { text: 'héllo' });
        assert.equal(context.offset, 1);
        assert.ok(context.info.client);
      }
      const history = await subscriptions[1].history({ limit: 10 });
      assert.deepEqual(history.publications.map(({ data }) => decode(data)), [{ text: 'héllo' }]);
      assert.equal(history.offset, 1);
    });

    test('history goes both ways', async () => {
      const channel = `past-${transport}-${isBinary}`;
      for (let n = 1; n <= 7; n += 1) await server.api('publish', { channel, data: { n } });
      const subscription = await subscribed(await connected(), channel);
      const numbers = async (options) => (await subscription.history(options)).publications.map(({ offset }) => offset);
      const { epoch } = await subscription.history({ limit: 0 });
      assert.deepEqual(await numbers({ limit: 3 }), [1, 2, 3]);
      assert.deepEqual(await numbers({ limit: 3, reverse: true }), [7, 6, 5]);
      assert.deepEqual(await numbers({ limit: 100, since: { offset: 5, epoch } }), [6, 7]);
      assert.deepEqual(await numbers({ limit: 0 }), []);
      await assert.rejects(subscription.history({ limit: 1, since: { offset: 5, epoch: 'other' } }), { code: 112 });
    });

    test('presence counts who is there, and tells who comes and goes', async () => {
      const channel = `room-${transport}-${isBinary}`;
      const one = await connected();
      const ids = [];
      const subscription = await subscribed(one, channel, { joinLeave: true }, (fresh) => {
        fresh.on('join', ({ info }) => ids.push(info.client));
      });
      const two = await connected();
      const visit = await subscribed(two, channel);
      await until('both have come', () => new Set(ids).size === 2);
      await until('two present', async () => (await subscription.presenceStats()).numClients === 2);
      const { clients: present } = await subscription.presence();
      assert.equal(Object.keys(present).length, 2);
      const left = next(subscription, 'leave');
      visit.unsubscribe();
      assert.ok(ids.includes((await left).info.client));
      subscription.unsubscribe();
      const observer = await connected();
      await until('nobody present', async () => {
        const { numClients, numUsers } = await observer.presenceStats(channel);
        return numClients === 0 && numUsers === 0;
      });
    });

    test('orders are placed by RPC and told on their channel', async () => {
      const made = await connected();
      const orders = await subscribed(made, 'orders');
      const told = next(orders, 'publication');
      const body = { amount: 7.5, items: ['tea'], customer: 'c', address: 'a' };
      const order = decode((await made.rpc('order.place', encode(body))).data);
      assert.equal(order.amount, 7.5);
      assert.equal(decode((await told).data).order_id, order.id);
      assert.equal(decode((await made.rpc('order.get', encode({ id: order.id }))).data).id, order.id);
      await assert.rejects(made.rpc('order.place', encode({ items: [] })), { code: 422 });
      await assert.rejects(made.rpc('no.such.thing', encode({})), { code: 108 });
    });

    test(`${MISSED} missed publications come back, in order and once`, async () => {
      const channel = `long:${transport}-${isBinary}`;
      const made = await connected();
      const subscription = await subscribed(made, channel);
      const seen = [];
      subscription.on('publication', ({ offset, data }) => seen.push([offset, decode(data).n]));
      await server.api('publish', { channel, data: { n: 1 } });
      await until('the first', () => seen.length === 1);
      made.disconnect();
      for (let n = 2; n <= MISSED + 1; n += 500) {
        const commands = Array.from({ length: Math.min(500, MISSED + 2 - n) }, (_, index) => ({
          publish: { channel, data: { n: n + index } },
        }));
        await server.api('batch', { commands });
      }
      const back = next(subscription, 'subscribed');
      made.connect();
      const { wasRecovering, recovered, hasRecoveredPublications } = await back;
      assert.deepEqual([wasRecovering, recovered, hasRecoveredPublications], [true, true, true]);
      await server.api('publish', { channel, data: { n: MISSED + 2 } });
      await until('all of them', () => seen.length >= MISSED + 2);
      assert.deepEqual(seen, Array.from({ length: MISSED + 2 }, (_, index) => [index + 1, index + 1]));
    });

    test('differences give the same publications as the whole', async () => {
      const channel = `delta:${transport}-${isBinary}`;
      const subscription = await subscribed(await connected(), channel, { delta: 'fossil' });
      const seen = [];
      subscription.on('publication', ({ data }) => seen.push(decode(data)));
      const text = 'a text that hardly changes, ünd is lông enough to be worth it. '.repeat(20);
      const sent = Array.from({ length: 20 }, (_, n) => ({ n, text: text.replace('hardly', `hardly${n}`) }));
      for (const data of sent) await server.api('publish', { channel, data });
      await until('all of them', () => seen.length === sent.length);
      assert.deepEqual(seen, sent);
    });

    test('a connection lives on with new tokens', async () => {
      let given = 0;
      const getToken = async () => {
        given += 1;
        return token({ sub: 'ann', exp: now() + 2 });
      };
      const made = await connected({ getToken });
      let drops = 0;
      made.on('connecting', () => (drops += 1));
      await until('three tokens', () => given >= 3);
      assert.equal(made.state, 'connected');
      assert.equal(drops, 0);
    });

    test('a wrong token is refused for good, and an expired one asked for again', async () => {
      const wrong = client({ token: `${token({ sub: 'ann' })}x` });
      const gone = next(wrong, 'disconnected');
      wrong.connect();
      assert.equal((await gone).code, 3500);

      const late = client({ token: token({ sub: 'ann', exp: now() - 10 }), getToken: async () => token({ sub: 'ann' }) });
      late.connect();
      await late.ready(DEADLINE_MS);
    });

    test('a subscription lives on with new tokens', async () => {
      const channel = `secret-${transport}-${isBinary}`;
      let given = 0;
      const getToken = async () => {
        given += 1;
        return token({ sub: 'ann', channel, exp: now() + 2 });
      };
      const made = await connected({ token: token({ sub: 'ann', role: 'customer' }) });
      const refused = made.newSubscription(`${channel}-other`);
      const unsubscribed = next(refused, 'unsubscribed');
      refused.subscribe();
      assert.equal((await unsubscribed).code, 103);
      const subscription = await subscribed(made, channel, { getToken });
      let drops = 0;
      subscription.on('subscribing', () => (drops += 1));
      await until('three tokens', () => given >= 3);
      assert.equal(subscription.state, 'subscribed');
      assert.equal(drops, 0);
    });
  });
}

test('orders are told without a hole or a repeat over a server that dies', async () => {
  const mortal = await Server.started();
  try {
    const made = new JsonCentrifuge(`ws://${mortal.address}/connection/websocket`, {
      websocket: WebSocket,
      minReconnectDelay: 10,
      maxReconnectDelay: 100,
    });
    made.on('error', () => {});
    const subscription = made.newSubscription('orders');
    const offsets = [];
    subscription.on('publication', ({ offset }) => offsets.push(offset));
    subscription.on('subscribed', ({ wasRecovering, recovered }) => assert.equal(wasRecovering, recovered));
    subscription.subscribe();
    made.connect();
    await subscription.ready(DEADLINE_MS);
    for (let round = 0; round < 3; round += 1) {
      for (let n = 0; n < 20; n += 1) await mortal.placeOrder();
      await mortal.kill();
      await mortal.start();
    }
    await mortal.placeOrder();
    let head = 0;
    await until('the end of the log', async () => {
      const reply = await fetch(`http://${mortal.address}/orders?limit=1`);
      const list = await reply.json();
      head = list.as_of.orders.offset;
      return list.orders[0].status === 'completed' && offsets.length >= head;
    });
    assert.deepEqual(offsets, Array.from({ length: head }, (_, index) => index + 1));
    made.disconnect();
  } finally {
    await mortal.remove();
  }
});
