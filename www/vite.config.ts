import { defineConfig } from 'vite';

export default defineConfig({
  // Only because the package is linked from ../pkg; installed from a registry it needs no entry here.
  server: { fs: { allow: ['.', '../pkg'] } },
});
