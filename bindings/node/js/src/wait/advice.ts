// Why the addon did not load, and what to do about it.
//
// The loader that napi-rs writes blames a bug of npm for whatever went wrong. This file looks for
// the true reason: what Node was told, whether the package's files are where npm puts them, which
// of the platform packages are installed, and what Node says to the one for this platform. It runs
// only after a start without the addon, and never throws.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StringIndexOf, StringSlice } from '../base/intrinsics.js';

export const kNoAddons = '--no-addons';
export const kToUseNative = 'to use the native waiter';

/** The platforms that `npm run pack` makes a package for: `cenote-` and the name here. */
export const kPlatforms = [
  'linux-x64-gnu',
  'linux-arm64-gnu',
  'linux-x64-musl',
  'linux-arm64-musl',
  'darwin-x64',
  'darwin-arm64',
  'win32-x64-msvc',
] as const;

/** Whether an option is among some arguments. Node takes `_` for `-` within an option. */
export function mentions(args: readonly string[] | undefined, option: string): boolean {
  for (let i = 0; i < (args?.length ?? 0); i++) {
    if (isOption(args![i], option)) return true;
  }
  return false;
}

function isOption(arg: unknown, option: string): boolean {
  if (typeof arg !== 'string' || arg.length !== option.length) return false;
  for (let i = 0; i < option.length; i++) {
    if (arg[i] !== option[i] && !(i > 1 && option[i] === '-' && arg[i] === '_')) return false;
  }
  return true;
}

/** The reason and the advice, as one line without a full stop. `error` is the loader's. */
export function whyNotLoaded(error: unknown): string {
  try {
    return whyNodeRefuses() ?? whyFilesAreMissing() ?? whyBinaryFails() ?? whatLoaderSays(error);
  } catch {
    return whatLoaderSays(error);
  }
}

/** What Node was told. */
function whyNodeRefuses(): string | undefined {
  if (mentions(process.execArgv, kNoAddons))
    return `Node was started with ${kNoAddons}. Start it without that flag ${kToUseNative}`;
  if (optionsFromEnvironment(kNoAddons))
    return `NODE_OPTIONS has ${kNoAddons}. Leave it out ${kToUseNative}`;
  return undefined;
}

/** Whether NODE_OPTIONS has an option. Node splits it at spaces. */
function optionsFromEnvironment(option: string): boolean {
  const text = process.env['NODE_OPTIONS'] ?? '';
  let from = 0;
  while (from <= text.length) {
    const space = StringIndexOf(text, ' ', from);
    const end = space === -1 ? text.length : space;
    if (isOption(StringSlice(text, from, end), option)) return true;
    from = end + 1;
  }
  return false;
}

/** Where the loader and, in a checkout, the binaries are; empty where a bundler left no folder. */
function nativeFolder(): string {
  return typeof __dirname === 'string' ? join(__dirname, '..', 'native') : '';
}

function whyFilesAreMissing(): string | undefined {
  const folder = nativeFolder();
  if (folder !== '' && existsSync(join(folder, 'binding.js'))) return undefined;
  return (
    'cenote runs from a bundle or without its folder dist/native, so its addon is missing. ' +
    `Mark "cenote" as external in the bundler and install it where the program runs ${kToUseNative}`
  );
}

function whyBinaryFails(): string | undefined {
  const platform = platformName();
  if (platform === '') return undefined;
  let supported = false;
  let installed = '';
  for (let i = 0; i < kPlatforms.length; i++) {
    const name = kPlatforms[i]!;
    if (name === platform) supported = true;
    else if (binaryFor(name) !== '') installed = name;
  }
  if (!supported) return `cenote has no binary for ${platform}`;
  const binary = binaryFor(platform);
  if (binary === '') {
    const instead = installed === '' ? '' : `, but cenote-${installed} is`;
    return (
      `the package cenote-${platform} is not installed${instead}. Run npm install on this ` +
      `platform, with optional dependencies, or copy that package beside cenote ${kToUseNative}`
    );
  }
  return whyRefused(binary);
}

/** The name that this platform has among {@link kPlatforms}; empty if it cannot be told. */
function platformName(): string {
  const { platform, arch } = process;
  if (platform === 'win32') return `${platform}-${arch}-msvc`;
  if (platform !== 'linux') return `${platform}-${arch}`;
  const glibc = hasGlibc();
  return glibc === undefined ? '' : `${platform}-${arch}-${glibc ? 'gnu' : 'musl'}`;
}

function hasGlibc(): boolean | undefined {
  const { report } = process as { report?: NodeJS.ProcessReport & { excludeNetwork?: boolean } };
  if (report === undefined) return undefined;
  const before = report.excludeNetwork;
  // Names of peers are not asked for: that may take seconds.
  report.excludeNetwork = true;
  try {
    const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
    return header?.glibcVersionRuntime !== undefined;
  } finally {
    if (before !== undefined) report.excludeNetwork = before;
  }
}

/** The binary for a platform that the loader would find; empty if there is none. */
function binaryFor(platform: string): string {
  const beside = join(nativeFolder(), `cenote.${platform}.node`);
  if (existsSync(beside)) return beside;
  try {
    return require.resolve(`cenote-${platform}`);
  } catch {
    return '';
  }
}

/** What Node says to a binary that is there. */
function whyRefused(binary: string): string | undefined {
  try {
    require(binary);
    return undefined;
  } catch (error) {
    const code = (error as { code?: unknown } | null)?.code;
    const permission = (process as { permission?: unknown }).permission !== undefined;
    if (code === 'ERR_DLOPEN_DISABLED') {
      return permission
        ? `Node's permission model forbids addons. Start Node with --allow-addons ${kToUseNative}`
        : `this thread may not load addons. Allow it ${kToUseNative}`;
    }
    if (code === 'ERR_ACCESS_DENIED') {
      const option = `--allow-fs-read=${dirname(binary)}`;
      return (
        "Node's permission model forbids cenote to read its addon. " +
        `Start Node with ${option} ${kToUseNative}`
      );
    }
    return (
      `the system refuses to load the addon (${firstLine(error)}). If node_modules comes from ` +
      'another machine or image, run npm install on this one'
    );
  }
}

function whatLoaderSays(error: unknown): string {
  return `the native addon did not load (${firstLine(error)})`;
}

function firstLine(error: unknown): string {
  try {
    const text = String(error instanceof Error ? error.message : error);
    const end = StringIndexOf(text, '\n');
    return end === -1 ? text : StringSlice(text, 0, end);
  } catch {
    return 'an error that cannot be read';
  }
}
