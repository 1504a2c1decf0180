// A page of another origin places an order, lists it and follows it: straight from the server, and through a real nginx with
// the recipe of deploy/.

import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import { createServer as createSocket, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { Server } from './server';
import { launch } from './visitor';

// Tests run in web/.
const RECIPE = join(process.cwd(), '../deploy/nginx.conf');
const USER = { username: 'anna', password: 'sesame' };
const START_DEADLINE_MS = 20_000;

let browser: Browser;
let shop: HttpServer;
let shopUrl: string;

before(async () => {
  browser = await launch();
  // A page of another origin, with nothing of ours in it.
  shop = createServer((_, reply) => reply.setHeader('content-type', 'text/html').end('<!doctype html><title>Shop</title>'));
  shop.listen(0, '127.0.0.1');
  await once(shop, 'listening');
  shopUrl = `http://127.0.0.1:${(shop.address() as AddressInfo).port}`;
});

after(async () => {
  await browser?.close();
  shop?.close();
});

interface Seen {
  placed: number;
  location: string | null;
  again: string | null;
  listed: string[];
  refusal: string;
  byEvents: string[];
  bySocket: string[];
}

/** Runs in the page: everything a shop's page does with the server at `url`. */
async function order(page: Page, url: string, id: string): Promise<Seen> {
  return page.evaluate(
    async ([base, orderId]) => {
      const statuses = (seen: string[], frame: { order_id?: string; status?: string }) => {
        if (frame.order_id === orderId && frame.status) seen.push(frame.status);
        return seen.includes('completed');
      };
      const deadline = (what: string) =>
        new Promise<never>((_, fail) => setTimeout(() => fail(new Error(`${what} told nothing`)), 15_000));
      const json = { method: 'POST', credentials: 'include' as const };
      const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': `key-${orderId}` };
      // The first question makes the browser ask for the password, if there is one.
      const first = await fetch(`${base}/orders`, { credentials: 'include' });
      if (!first.ok) throw new Error(`GET /orders: ${first.status}`);

      const byEvents: string[] = [];
      const events = new EventSource(`${base}/events?channels=orders`, { withCredentials: true });
      const eventsDone = new Promise<void>((done) => {
        events.onmessage = ({ data }) => statuses(byEvents, JSON.parse(data)) && done();
      });
      await new Promise((open, fail) => {
        events.onopen = open;
        events.onerror = () => fail(new Error('the event stream does not open'));
      });
      const bySocket: string[] = [];
      const socket = new WebSocket(`${base!.replace('http', 'ws')}/ws?channels=orders`);
      const socketDone = new Promise<void>((done) => {
        socket.addEventListener('message', ({ data }) => statuses(bySocket, JSON.parse(data)) && done());
      });
      await new Promise((subscribed, fail) => {
        socket.addEventListener('message', ({ data }) => JSON.parse(data).type === 'subscribed' && subscribed(null));
        socket.addEventListener('error', () => fail(new Error('the socket does not open')));
      });

      const body = JSON.stringify({ id: orderId, items: ['tea'], amount: 2.5, customer: 'anna', address: 'x' });
      const placed = await fetch(`${base}/orders`, { ...json, headers, body });
      const again = await fetch(`${base}/orders`, { ...json, headers, body });
      const refused = await fetch(`${base}/orders`, { ...json, headers: { 'Content-Type': 'application/json' }, body: '{}' });
      const list = await (await fetch(`${base}/orders`, { credentials: 'include' })).json();
      await Promise.race([Promise.all([eventsDone, socketDone]), deadline('the streams')]);
      events.close();
      socket.close();
      return {
        placed: placed.status,
        location: placed.headers.get('Location'),
        again: again.headers.get('Idempotency-Replayed'),
        listed: list.orders.map((listed: { id: string }) => listed.id),
        refusal: (await refused.json()).title,
        byEvents,
        bySocket,
      };
    },
    [url, id] as const,
  );
}

async function shopPage(options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  await page.goto(shopUrl);
  return page;
}

function isWhole(seen: Seen, id: string): void {
  assert.deepEqual(
    { ...seen, listed: seen.listed.includes(id) },
    {
      placed: 201,
      location: `/orders/${id}`,
      again: 'true',
      listed: true,
      refusal: 'The order is not valid',
      byEvents: ['pending', 'processing', 'completed'],
      bySocket: ['pending', 'processing', 'completed'],
    },
  );
}

test('a page of a listed origin orders and follows; one of another origin cannot', async () => {
  const server = await Server.started([], { ORDERCAST_ALLOWED_ORIGINS: shopUrl });
  try {
    const page = await shopPage();
    isWhole(await order(page, server.url, 'direct-1'), 'direct-1');
    // The same page by another name is another origin.
    await page.goto(shopUrl.replace('127.0.0.1', 'localhost'));
    await assert.rejects(order(page, server.url, 'direct-2'), /Failed to fetch/);
    await page.context().close();
  } finally {
    await server.remove();
  }
});

test('the same through nginx with the recipe, which asks for a password', async () => {
  const nginx = await Nginx.reserve();
  const server = await Server.started(['--insecure-open'], {
    ORDERCAST_ALLOWED_ORIGINS: shopUrl,
    ORDERCAST_ALLOWED_HOSTS: '127.0.0.1',
    ORDERCAST_TRUSTED_PROXIES: '127.0.0.1',
  });
  try {
    await nginx.start(server.url);
    assert.equal((await fetch(`${nginx.url}/orders`)).status, 401, 'nobody without the password');
    const page = await shopPage({ httpCredentials: USER });
    // Who has shown the password on the server's own page has shown it for pages of the same site.
    await page.goto(`${nginx.url}/health`);
    await page.goto(shopUrl);
    isWhole(await order(page, nginx.url, 'nginx-1'), 'nginx-1');
    await page.context().close();
  } finally {
    await nginx.stop();
    await server.remove();
  }
});

/** nginx with the recipe as it is documented, but for its names, its address and TLS. */
class Nginx {
  private readonly dir = mkdtempSync(join(tmpdir(), 'ordercast-nginx-'));
  private process: ChildProcess | null = null;

  private constructor(
    private readonly port: number,
    readonly url: string,
  ) {}

  static async reserve(): Promise<Nginx> {
    const socket = createSocket().listen(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address() as AddressInfo;
    socket.close();
    await once(socket, 'close');
    return new Nginx(port, `http://127.0.0.1:${port}`);
  }

  async start(upstream: string): Promise<void> {
    const changes: readonly (readonly [RegExp, string])[] = [
      [/server 127\.0\.0\.1:8080;/, `server ${new URL(upstream).host};`],
      [/listen 443 ssl;/, `listen 127.0.0.1:${this.port};`],
      [/ *ssl_certificate +[^;]*;/, ''],
      [/ *ssl_certificate_key +[^;]*;/, ''],
      [/\/etc\/nginx\/ordercast\.htpasswd/, join(this.dir, 'htpasswd')],
    ];
    let recipe = readFileSync(RECIPE, 'utf8');
    for (const [from, to] of changes) {
      assert.match(recipe, from, 'the recipe has what is replaced for the test');
      recipe = recipe.replace(new RegExp(from, 'g'), to);
    }
    writeFileSync(join(this.dir, 'htpasswd'), `${USER.username}:{PLAIN}${USER.password}\n`);
    writeFileSync(join(this.dir, 'recipe.conf'), recipe);
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${this.dir}/${name};`);
    const user = process.getuid?.() === 0 ? 'user root;' : '';
    writeFileSync(
      join(this.dir, 'nginx.conf'),
      `${user} daemon off; pid ${this.dir}/pid; error_log ${this.dir}/error.log; events {}
       http { access_log off; ${paths.join(' ')} include ${this.dir}/recipe.conf; }`,
    );
    this.process = spawn('nginx', ['-p', this.dir, '-c', join(this.dir, 'nginx.conf'), '-e', join(this.dir, 'error.log')]);
    const failed = once(this.process, 'error').then(([error]) => Promise.reject(error));
    await Promise.race([this.listens(), failed]);
  }

  async stop(): Promise<void> {
    if (this.process) {
      const ended = once(this.process, 'exit');
      this.process.kill('SIGTERM');
      await ended;
    }
    rmSync(this.dir, { recursive: true, force: true });
  }

  private async listens(): Promise<void> {
    const deadline = Date.now() + START_DEADLINE_MS;
    while (Date.now() < deadline) {
      if (await fetch(this.url).then(() => true, () => false)) return;
      await pause(50);
    }
    throw new Error(`nginx does not listen: ${readFileSync(join(this.dir, 'error.log'), 'utf8')}`);
  }
}
