// The products, by SKU. Mutable on purpose: a price list has thousands of rows and changes many times a second.

import type { Product } from '../protocol/products';

export class Catalogue {
  private readonly bySku = new Map<string, Product>();
  private sorted: readonly Product[] | null = null;

  get size(): number {
    return this.bySku.size;
  }

  get(sku: string): Product | undefined {
    return this.bySku.get(sku);
  }

  clear(): void {
    this.bySku.clear();
    this.sorted = null;
  }

  upsert(products: readonly Product[]): void {
    for (const product of products) {
      const known = this.bySku.get(product.sku);
      if (known?.name !== product.name) this.sorted = null;
      this.bySku.set(product.sku, product);
    }
  }

  /**
   * Products whose SKU or name has every word of `query`; those whose SKU starts with it come first, the rest by name.
   * An empty query answers the first by name.
   */
  search(query: string, limit: number): Product[] {
    const wanted = query.trim().toLowerCase();
    const words = wanted.split(/\s+/);
    const first: Product[] = [];
    const others: Product[] = [];
    for (const { sku } of this.byName()) {
      // Through the map: the sorted list may hold an older price.
      const product = this.bySku.get(sku)!;
      const text = `${sku} ${product.name}`.toLowerCase();
      if (!words.every((word) => text.includes(word))) continue;
      (wanted !== '' && sku.toLowerCase().startsWith(wanted) ? first : others).push(product);
      if (first.length >= limit) break;
    }
    return [...first, ...others].slice(0, limit);
  }

  private byName(): readonly Product[] {
    this.sorted ??= [...this.bySku.values()].sort((a, b) => a.name.localeCompare(b.name) || (a.sku < b.sku ? -1 : 1));
    return this.sorted;
  }
}
