// What platform.ts knows about every runtime: its name and version, checksums, kept bytes.

import * as assert from 'uvu/assert';
import { StateError } from '../../src/errors.js';
import { cache, parseUserAgent, runtime, sha256 } from '../../src/platform.js';
import { temporaryCache } from '../helpers/cache.js';
import { suite } from '../helpers/suite.js';

const test = suite('platform');
test.after(await temporaryCache());

test('the runtime has a name and a version', () => {
  const { name, version } = runtime();
  assert.is.not(name, 'unknown');
  assert.match(version, /^\d+(\.\d+)+/);
});

test('engines from user agents', () => {
  const common = 'Mozilla/5.0 (X11; Linux x86_64)';
  const safari = '(KHTML, like Gecko) Version/17.4 Safari/605.1.15';
  const cases = {
    [`${common} AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36`]: 'chromium 156.0.0.0',
    [`${common} AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/99.0.1.2 Safari/537.36`]:
      'chromium 99.0.1.2',
    'Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0': 'firefox 153.0',
    [`Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 ${safari}`]: 'webkit 17.4',
    'something else': 'unknown ',
  };
  for (const [agent, expected] of Object.entries(cases)) {
    const { name, version } = parseUserAgent(agent);
    assert.is(`${name} ${version}`, expected);
  }
});

test('SHA-256 of the published examples', async () => {
  const of = (text: string) => sha256(new TextEncoder().encode(text));
  assert.is(await of('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  assert.is(await of(''), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  const middle = new Uint8Array([1, 97, 98, 99, 2]).subarray(1, 4);
  assert.is(await sha256(middle), await of('abc'));
});

test('SHA-256 without crypto.subtle, as in insecure pages, is a StateError that says so', async () => {
  const error = await sha256(new Uint8Array(1), null).catch((e: unknown) => e);
  assert.instance(error, StateError);
  assert.match((error as Error).message, /https or from localhost/);
});

test('the cache gives back what was put, and nothing for other keys', async () => {
  const key = `test/${Date.now()}?a=1&b=ü`;
  assert.is(await cache.get(key), undefined);
  if (!(await cache.put(key, new Uint8Array([1, 2, 3])))) return; // nowhere to keep anything, e.g. a read-only home
  assert.equal([...((await cache.get(key)) ?? [])], [1, 2, 3]);
  await cache.put(key, new Uint8Array([4]));
  assert.equal([...((await cache.get(key)) ?? [])], [4]);
  assert.is(await cache.get(`${key}x`), undefined);
});

test.run();
