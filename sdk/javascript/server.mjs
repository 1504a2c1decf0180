// Starts the real server for a test, and stops exactly what it started.

import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SETTINGS = fileURLToPath(new URL('../settings.toml', import.meta.url));
const SECRET = 'a secret of tests';
const API_KEY = 'a key of tests';
const START_DEADLINE_MS = 20_000;

export class Server {
  dataDir = mkdtempSync(join(tmpdir(), 'ordercast-sdk-'));
  address = '127.0.0.1:0';
  #process = null;

  static async started() {
    const server = new Server();
    await server.start();
    return server;
  }

  async start() {
    const binary = process.env.ORDERCAST_BIN;
    if (!binary) throw new Error('Set ORDERCAST_BIN to the path of the ordercast binary.');
    const options = ['serve', '--listen', this.address, '--data-dir', this.dataDir, '--config', SETTINGS];
    const child = spawn(binary, options, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    this.address = await listening(child);
  }

  /** Dies at once, as in a power cut. */
  async kill() {
    await this.#end('SIGKILL');
  }

  async remove() {
    await this.#end('SIGTERM');
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  async api(method, body) {
    const headers = { 'Content-Type': 'application/json', 'X-API-Key': API_KEY };
    const reply = await fetch(`http://${this.address}/api/${method}`, { method: 'POST', headers, body: JSON.stringify(body) });
    const answer = await reply.json();
    if (!reply.ok || answer.error) throw new Error(`${method}: ${reply.status} ${JSON.stringify(answer)}`);
    return answer.result ?? answer;
  }

  async placeOrder(body = { amount: 5, items: ['a'], customer: 'x', address: 'y' }) {
    const headers = { 'Content-Type': 'application/json' };
    const reply = await fetch(`http://${this.address}/orders`, { method: 'POST', headers, body: JSON.stringify(body) });
    if (reply.status !== 201) throw new Error(`an order: ${reply.status} ${await reply.text()}`);
    return reply.json();
  }

  async #end(signal) {
    const child = this.#process;
    this.#process = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
}

/** Waits for the line that names the address. */
async function listening(child) {
  const lines = [];
  const late = setTimeout(() => child.kill('SIGKILL'), START_DEADLINE_MS);
  try {
    return await new Promise((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          lines.push(line);
          const found = /http:\/\/([\d.]+:\d+)/.exec(line);
          if (found) resolve(found[1]);
        });
      }
      child.on('exit', (code) => reject(new Error(`the server ended with ${code}:\n${lines.join('\n')}`)));
    });
  } finally {
    clearTimeout(late);
  }
}

/** A token as an application would make it. */
export function token(claims) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${body}.${createHmac('sha256', SECRET).update(body).digest('base64url')}`;
}

/** Seconds since 1970. */
export function now() {
  return Math.floor(Date.now() / 1000);
}
