'use strict';
// Builds the addon with cargo and puts it into this platform's package. `--debug` takes cargo's dev profile.

const { spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');

const root = path.join(__dirname, '..');
const debug = process.argv.includes('--debug');
const args = ['build', '-p', 'bindings-node', '--message-format=json-render-diagnostics', ...(debug ? [] : ['--release'])];
const cargo = spawnSync(process.env.CARGO || 'cargo', args, {
  cwd: root,
  stdio: ['ignore', 'pipe', 'inherit'],
  maxBuffer: 64 * 1024 * 1024,
});
if (cargo.error) {
  console.error(`cargo did not start (${cargo.error.message}); install Rust from https://rustup.rs`);
  process.exit(1);
}
if (cargo.status !== 0) process.exit(cargo.status ?? 1);

const built = cargo.stdout
  .toString()
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line))
  .find((message) => message.reason === 'compiler-artifact' && message.target.name === 'twin_node');
const library = built.filenames.find((name) => /\.(so|dylib|dll)$/.test(name));

const musl = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime;
const libc = process.platform === 'linux' ? (musl ? '-musl' : '-gnu') : '';
const name = `azure-iot-native-${process.platform}-${process.arch}${libc}`;
const folder = path.join(root, 'packages', name);
fs.mkdirSync(folder, { recursive: true });
const manifest = path.join(folder, 'package.json');
if (!fs.existsSync(manifest)) {
  // A platform that no package is kept for: one that serves this machine.
  const { version, license, engines } = require('../package.json');
  const text = { name, version, license, main: 'twin.node', files: ['twin.node'], os: [process.platform], cpu: [process.arch], engines };
  fs.writeFileSync(manifest, JSON.stringify(text, null, 2) + '\n');
}
// Under a new name first: a process that has the old one loaded keeps it.
const target = path.join(folder, 'twin.node');
fs.copyFileSync(library, `${target}.new`);
fs.renameSync(`${target}.new`, target);
console.log(`${path.relative(process.cwd(), target)} (${(fs.statSync(target).size / 1e6).toFixed(1)} MB)`);
