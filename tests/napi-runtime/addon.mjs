// Builds the test addon, and puts it where Node can load it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Runs a program in the root folder. Resolves when it has ended by itself; kills it, and rejects,
 * after `limitMs`.
 */
export function run(command, args, { env = {}, limitMs }) {
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (output.stderr += text));
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${command} did not end:\n${output.stdout}\n${output.stderr}`));
    }, limitMs);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...output });
    });
  });
}

/** Builds the addon and returns its path, in a folder that is removed when this process ends. */
export async function buildAddon() {
  const { code, stdout, stderr } = await run(
    process.env.CARGO ?? 'cargo',
    ['build', '--package', 'cenote-napi-test', '--message-format', 'json-render-diagnostics'],
    { limitMs: 600_000 },
  );
  assert.equal(code, 0, stderr);
  const library = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
    .filter(
      ({ reason, target }) => reason === 'compiler-artifact' && target.name === 'cenote_napi_test',
    )
    .flatMap(({ filenames }) => filenames)
    .find((name) => /\.(so|dylib|dll)$/.test(name));
  assert.ok(library, stdout);
  const folder = mkdtempSync(join(tmpdir(), 'cenote-napi-'));
  process.on('exit', () => {
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch {
      // Windows does not remove a library that is loaded.
    }
  });
  const addon = join(folder, 'addon.node');
  copyFileSync(library, addon);
  return addon;
}
