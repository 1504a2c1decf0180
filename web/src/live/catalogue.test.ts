import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Product } from '../protocol/products';
import { Catalogue } from './catalogue';

const product = (sku: string, name: string, price = 1, currency = 'GBP'): Product => ({
  sku,
  name,
  price,
  currency,
  stock: null,
  reserved: 0,
});

function sample(): Catalogue {
  const catalogue = new Catalogue();
  catalogue.upsert([product('85123A', 'White lamp'), product('22423', 'Cake stand'), product('L1', '85123A spare bulb')]);
  return catalogue;
}

const skus = (products: Product[]): string[] => products.map(({ sku }) => sku);

test('a search finds every word, a SKU that starts with it first', () => {
  const rows: [string, string[]][] = [
    ['', ['L1', '22423', '85123A']],
    ['lamp white', ['85123A']],
    ['85123a', ['85123A', 'L1']],
    ['stand', ['22423']],
    ['<b>', []],
  ];
  for (const [query, expected] of rows) assert.deepEqual(skus(sample().search(query, 8)), expected, query);
});

test('the answer is bounded', () => assert.equal(sample().search('', 2).length, 2));

test('an update changes price and name in place', () => {
  const catalogue = sample();
  catalogue.search('', 1);
  catalogue.upsert([product('22423', 'Zinc stand', 9)]);
  assert.equal(catalogue.size, 3);
  assert.deepEqual(catalogue.search('stand', 8), [product('22423', 'Zinc stand', 9)]);
  assert.deepEqual(skus(catalogue.search('', 8)), ['L1', '85123A', '22423']);
});
