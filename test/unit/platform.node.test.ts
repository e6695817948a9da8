// Files, the cache folder and HTTP in Node, Deno and Bun.
import type { Server, ServerResponse } from 'node:http';
import * as assert from 'uvu/assert';
import { StorageError } from '../../src/errors.js';
import { RandomStream } from '../../src/philox.js';
import { cache, readBytes, writeFileAtomic } from '../../src/platform.js';
import { rejectsWith } from '../helpers/errors.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';

const test = suite('platform files');
const fs = await import('node:fs/promises');
const { join } = await import('node:path');
const { pathToFileURL } = await import('node:url');
const folder = await fs.mkdtemp(join((await import('node:os')).tmpdir(), 'everygrad-platform-'));
test.after(() => fs.rm(folder, { recursive: true, force: true }));

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const utf8 = (s: string) => new TextEncoder().encode(s);

test('reads a file by path and by URL, tells progress', async () => {
  const path = join(folder, 'a ü.txt');
  await fs.writeFile(path, 'hello');
  const seen: unknown[] = [];
  assert.is(text(await readBytes(path, { onProgress: (p) => seen.push(p) })), 'hello');
  assert.equal(seen, [{ loaded: 5, total: 5 }]);
  assert.is(text(await readBytes(pathToFileURL(path))), 'hello');
  assert.is(text(await readBytes(String(pathToFileURL(path)))), 'hello');
  const bytes = await readBytes(path);
  assert.is(Object.getPrototypeOf(bytes), Uint8Array.prototype, 'a plain Uint8Array, no Buffer');
});

test('a missing file is a StorageError with its path', async () => {
  const error = await rejectsWith(readBytes(join(folder, 'none')), StorageError, /none\] cannot be read/);
  assert.is(error.values.missing, true);
  assert.is(error.values.code, 'ENOENT');
  assert.is((await rejectsWith(readBytes(folder), StorageError, /cannot be read/)).values.missing, false);
});

test('an aborted read rejects with the reason of the signal', async () => {
  const reason = new Error('enough');
  const path = join(folder, 'aborted');
  await fs.writeFile(path, 'x');
  assert.is(await readBytes(path, { signal: AbortSignal.abort(reason) }).catch((e: unknown) => e), reason);
});

test('writes whole files, replaces them, leaves nothing else behind', async () => {
  const own = join(folder, 'write');
  await fs.mkdir(own);
  const path = join(own, 'w.bin');
  await writeFileAtomic(path, utf8('first'));
  await writeFileAtomic(pathToFileURL(path), utf8('second, and longer'));
  assert.is(text(await readBytes(path)), 'second, and longer');
  await Promise.all(Array.from({ length: 8 }, (_, i) => writeFileAtomic(path, utf8(`${i}`.repeat(1000)))));
  assert.match(text(await readBytes(path)), /^(\d)\1{999}$/);
  assert.equal(await fs.readdir(own), ['w.bin']);
});

test('a write that fails is a StorageError, and no temporary file stays', async () => {
  await rejectsWith(
    writeFileAtomic(join(folder, 'no', 'such', 'x'), utf8('1')),
    StorageError,
    /folder exist/,
  );
  const taken = join(folder, 'taken');
  await fs.mkdir(join(taken, 'inner'), { recursive: true });
  await rejectsWith(writeFileAtomic(taken, utf8('1')), StorageError, /cannot be written/);
  assert.equal(
    (await fs.readdir(folder)).filter((f) => f.includes('.tmp')),
    [],
  );
});

test('on a full disk the old file survives', async () => {
  const { execFile } = await import('node:child_process');
  const run = (command: string, ...args: string[]) =>
    new Promise<boolean>((done) => execFile(command, args, (error) => done(!error)));
  const disk = join(folder, 'disk');
  await fs.mkdir(disk);
  if (!(await run('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk))) {
    return skip('on a full disk the old file survives', 'no right to mount a small tmpfs');
  }
  try {
    const path = join(disk, 'weights');
    await writeFileAtomic(path, utf8('the old weights'));
    const error = await rejectsWith(
      writeFileAtomic(path, new Uint8Array(200_000)),
      StorageError,
      /200000 bytes .*the disk is full/,
    );
    assert.is(error.values.code, 'ENOSPC');
    assert.is(text(await readBytes(path)), 'the old weights');
    assert.equal(await fs.readdir(disk), ['weights']);
  } finally {
    await run('umount', disk);
  }
});

test('a damaged cache entry is dropped, a cache that cannot be written is no error', async () => {
  const before = process.env.EVERYGRAD_CACHE;
  const own = join(folder, 'cache');
  process.env.EVERYGRAD_CACHE = own;
  try {
    assert.is(await cache.put('key', utf8('kept bytes')), true);
    const [name] = (await fs.readdir(own)) as [string];
    const entry = await fs.readFile(join(own, name));
    for (const damaged of [
      entry.subarray(0, 70),
      entry.subarray(0, 10),
      Buffer.concat([entry, Buffer.from('!')]),
    ]) {
      await fs.writeFile(join(own, name), damaged);
      assert.is(await cache.get('key'), undefined);
      assert.equal(await fs.readdir(own), []);
    }
    process.env.EVERYGRAD_CACHE = join(folder, 'a-file', 'below');
    await fs.writeFile(join(folder, 'a-file'), '');
    assert.is(await cache.put('key', utf8('x')), false);
    assert.is(await cache.get('key'), undefined);
  } finally {
    if (before === undefined) delete process.env.EVERYGRAD_CACHE;
    else process.env.EVERYGRAD_CACHE = before;
  }
});

async function served(
  answer: (path: string, response: ServerResponse) => void,
  use: (base: string) => Promise<void>,
): Promise<void> {
  const { createServer } = await import('node:http');
  const server: Server = createServer((request, response) => answer(request.url ?? '', response));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address() as { port: number };
  try {
    await use(`http://127.0.0.1:${address.port}`);
  } finally {
    server.closeAllConnections?.();
    await new Promise((done) => server.close(done));
  }
}

test('fetches over HTTP with progress up to the whole', async () => {
  const random = new RandomStream(1, 0);
  const body = Uint8Array.from({ length: 500_000 }, () => random.bits() & 255);
  let finish = (): void => undefined;
  const answer = (path: string, response: ServerResponse) => {
    if (path === '/stated') response.setHeader('content-length', body.length);
    response.write(body.subarray(0, 100_000));
    // The rest when something of it was heard of, so that it cannot come all at once.
    finish = () => response.end(body.subarray(100_000));
  };
  await served(answer, async (base) => {
    for (const [path, total] of [
      ['/stated', body.length],
      ['/chunked', undefined],
    ] as const) {
      const seen: { loaded: number; total: number | undefined }[] = [];
      const onProgress = (p: (typeof seen)[number]): void => {
        if (seen.push(p) === 1) finish();
      };
      const bytes = await readBytes(base + path, { onProgress });
      assert.ok(bytes.length === body.length && bytes.every((b, i) => b === body[i]));
      assert.equal(seen.at(-1), { loaded: body.length, total });
      assert.ok(seen.length > 1 && seen.every((p, i) => i === 0 || p.loaded > seen[i - 1]!.loaded));
    }
  });
});

test('HTTP failures are StorageErrors: status, connection cut, nobody there; an abort is its reason', async () => {
  const answer = (path: string, response: ServerResponse) => {
    if (path === '/404') response.writeHead(404).end('nothing here');
    if (path === '/500') response.writeHead(500).end();
    if (path === '/cut' || path === '/slow') {
      response.writeHead(200, { 'content-length': 1000 });
      response.write(new Uint8Array(100));
      if (path === '/cut') setTimeout(() => response.destroy(), 30);
    }
  };
  let closed = '';
  await served(answer, async (base) => {
    assert.equal(
      (await rejectsWith(readBytes(`${base}/404`), StorageError, /answered 404/)).values.missing,
      true,
    );
    const { status, missing } = (await rejectsWith(readBytes(`${base}/500`), StorageError, /answered 500/))
      .values;
    assert.equal([status, missing], [500, false]);
    await rejectsWith(readBytes(`${base}/cut`), StorageError, /cannot be read|ended after 100 of 1000/);
    const stop = new AbortController();
    const reading = readBytes(`${base}/slow`, { signal: stop.signal }).catch((e: unknown) => e);
    const reason = new Error('enough');
    setTimeout(() => stop.abort(reason), 30);
    assert.is(await reading, reason);
    closed = base;
  });
  await rejectsWith(readBytes(closed), StorageError, /cannot be read/);
});

test.run();
