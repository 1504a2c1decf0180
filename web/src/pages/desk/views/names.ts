import { catalogue, catalogueVersion } from '../../../live/store';

/** The name of a product, or its SKU; who reads it follows the catalogue. */
export function nameOf(sku: string): string {
  void catalogueVersion.value;
  return catalogue.get(sku)?.name ?? sku;
}
