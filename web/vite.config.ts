import { defineConfig } from 'vite';

/** Where `npm run dev` finds a running server. */
const server = process.env['ORDERCAST_URL'] ?? 'http://127.0.0.1:8080';
const proxied = ['/orders', '/products', '/stats', '/health', '/docs'];

export default defineConfig({
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  // Files stand beside the pages, wherever a proxy puts them.
  base: './',
  build: {
    target: 'es2022',
    // Inlined assets become data: addresses, which the page's policy (default-src 'self') refuses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rollupOptions: {
      input: ['index.html', 'desk.html'],
      output: { chunkFileNames: 'assets/shared-[hash].js' },
    },
  },
  server: {
    proxy: {
      ...Object.fromEntries(proxied.map((path) => [path, server])),
      '/ws': { target: server, ws: true },
    },
  },
});
