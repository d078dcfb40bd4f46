// Makes one file of a module and all that it imports: node bundle.mjs ENTRY OUTPUT browser|node [--minify]
//
// A browser would ask for the files of the package level by level, each time a round trip.
import { build } from 'esbuild';

const [entry, output, platform, minify] = process.argv.slice(2);
await build({
  entryPoints: [entry],
  outfile: output,
  bundle: true,
  format: 'esm',
  platform,
  target: platform === 'node' ? ['node20'] : ['chrome96', 'firefox96', 'safari15.4'],
  minify: minify === '--minify',
  legalComments: 'none',
  // A warning here is a mistake in the package.
  logLevel: 'warning',
  logOverride: { 'import-is-undefined': 'error' },
});
