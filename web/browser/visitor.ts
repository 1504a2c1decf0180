// A visitor: one browser context with the page open, and a record of everything that went wrong in it.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium, type Browser, type BrowserContextOptions, type Locator, type Page } from 'playwright-core';

const DEADLINE_MS = 10_000;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: FLAGS });
}

export type VisitOptions = BrowserContextOptions & { arrange?: (page: Page) => Promise<void> };

export class Visitor {
  /** Console errors, uncaught errors and refusals of the content security policy. */
  readonly complaints: string[] = [];

  private constructor(readonly page: Page) {
    page.setDefaultTimeout(DEADLINE_MS);
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.complaints.push(message.text());
    });
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('dialog', (dialog) => {
      this.complaints.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
  }

  /** `arrange` runs before the page is loaded, for instance to put something between page and server. */
  static async at(browser: Browser, url: string, options: VisitOptions = {}): Promise<Visitor> {
    const { arrange, ...settings } = options;
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', ...settings });
    const visitor = new Visitor(await context.newPage());
    await arrange?.(visitor.page);
    await visitor.page.goto(url);
    await visitor.connected();
    return visitor;
  }

  /** Waits until the stream is live: from then on nothing is missed. */
  connected(): Promise<void> {
    return this.page.locator('.connection-connected').waitFor({ timeout: 30_000 });
  }

  row(id: string): Locator {
    return this.page.locator(`.feed-row[data-order="${id}"]`);
  }

  field(label: string): Locator {
    return this.page.locator('#order').getByLabel(label, { exact: false });
  }

  async choose(source: 'Product' | 'Free order'): Promise<void> {
    await this.page.getByRole('radio', { name: source }).check();
  }

  /** Fills in an order without a product; what is not given keeps a valid value. */
  async fillFree(order: { items?: string; amount?: string; customer?: string; address?: string; notes?: string }): Promise<void> {
    await this.choose('Free order');
    await this.field('Items').fill(order.items ?? 'Tea');
    await this.field('Amount').fill(order.amount ?? '12.50');
    await this.field('Customer').fill(order.customer ?? 'Ann Example');
    await this.field('Address').fill(order.address ?? '1 Test Road');
    await this.field('Notes').fill(order.notes ?? '');
  }

  async send(): Promise<void> {
    await this.page.getByRole('button', { name: 'Place order' }).click();
  }

  /** Answers the id of the order that the form says was accepted. */
  async accepted(): Promise<string> {
    const id = await this.page.locator('.order-accepted .order-id').textContent();
    return id ?? '';
  }

  async overflow(): Promise<number> {
    return this.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  }

  /** What the accessibility checker finds. It is injected, so the visit needs `bypassCSP`. */
  async violations(): Promise<string[]> {
    await this.page.evaluate(AXE);
    return this.page.evaluate(async (rules) => {
      const { axe } = window as unknown as {
        axe: { run(options: object): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> };
      };
      const found = await axe.run({ runOnly: { type: 'tag', values: rules } });
      return found.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
    }, RULES);
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }
}
