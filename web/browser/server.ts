// Starts the real server for a test, and stops exactly what it started.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

const START_DEADLINE_MS = 20_000;
const STOP_DEADLINE_MS = 10_000;
const STATUS_DEADLINE_MS = 20_000;
const ASK_EVERY_MS = 50;

export class Server {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'ordercast-web-'));
  url = '';
  private process: ChildProcess | null = null;

  private constructor(
    private readonly flags: readonly string[],
    private readonly environment: Readonly<Record<string, string>>,
  ) {}

  static async started(
    flags: readonly string[] = [],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Server> {
    const server = new Server(flags, environment);
    await server.start('127.0.0.1:0');
    return server;
  }

  /** Dies at once, as in a power cut. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** Keeps its connections open and says nothing, as a machine that hangs. */
  freeze(): void {
    this.process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.process?.kill('SIGCONT');
  }

  /** On the same address and data as before. */
  async restart(): Promise<void> {
    await this.start(new URL(this.url).host);
  }

  async remove(): Promise<void> {
    await this.end('SIGTERM');
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  async post(path: string, body: unknown): Promise<Response> {
    const reply = await fetch(this.url + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!reply.ok) throw new Error(`POST ${path}: ${reply.status} ${await reply.text()}`);
    return reply;
  }

  /** Waits until an order has a status. */
  async reaches(id: string, status: string): Promise<void> {
    const deadline = Date.now() + STATUS_DEADLINE_MS;
    for (;;) {
      const reply = await fetch(`${this.url}/orders/${id}`);
      const order = (await reply.json()) as { status: string };
      if (order.status === status) return;
      if (Date.now() > deadline) throw new Error(`Order ${id} is ${order.status}, not ${status}.`);
      await pause(ASK_EVERY_MS);
    }
  }

  private async start(listen: string): Promise<void> {
    const binary = process.env['ORDERCAST_BIN'];
    if (!binary) throw new Error('Set ORDERCAST_BIN to the path of the ordercast binary.');
    const child = spawn(binary, ['serve', '--listen', listen, '--data-dir', this.dataDir, ...this.flags], {
      env: { ...process.env, ...this.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.process = child;
    this.url = await listening(child);
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.process;
    this.process = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
    await exited;
    clearTimeout(late);
  }
}

/** Waits for the line that names the address. */
function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    const fail = (why: string): void => {
      child.kill('SIGKILL');
      reject(new Error(`The server ${why}. It said:\n${said.join('\n')}`));
    };
    const late = setTimeout(() => fail(`was not listening after ${START_DEADLINE_MS} ms`), START_DEADLINE_MS);
    child.once('error', (error) => fail(`did not start: ${error.message}`));
    child.once('exit', (code) => fail(`ended with code ${code}`));
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        if (said.length < 100) said.push(line);
        const url = /listening on (http:\/\/\S+)/.exec(line)?.[1];
        if (url === undefined) return;
        clearTimeout(late);
        child.removeAllListeners('exit');
        resolve(url.replace(/\/$/, ''));
      });
    }
  });
}
