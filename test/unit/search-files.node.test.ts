// Results of a search in a file: appended, read again, cut off in the middle of a line.
import * as assert from 'uvu/assert';
import { StorageError } from '../../src/index.js';
import { search, uniform } from '../../src/search/index.js';
import { rejectsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

const test = suite('search in files');
const { appendFile, mkdtemp, readFile, rm } = await import('node:fs/promises');
const { join } = await import('node:path');
const folder = await mkdtemp(join((await import('node:os')).tmpdir(), 'everygrad-search-'));
test.after(() => rm(folder, { recursive: true, force: true }));

const space = { x: uniform(0, 1) };

test('a line for each trial; a torn line is dropped', async () => {
  const storage = join(folder, 'results.jsonl');
  const first = await search(space, ({ x }) => x, { trials: 3, storage });
  const lines = (await readFile(storage, 'utf8')).split('\n');
  assert.is(lines.length, 5, 'a header, three trials, and the end');
  assert.is((JSON.parse(lines[2]!) as { trial: number }).trial, 1);
  await appendFile(storage, '{"trial":3,"param');
  let calls = 0;
  const second = await search(
    space,
    ({ x }) => {
      calls++;
      return x;
    },
    { trials: 5, storage },
  );
  assert.is(calls, 2);
  assert.is(second.trials.length, 5);
  for (const record of first.trials)
    assert.equal(
      second.trials.find((t) => t.trial === record.trial),
      record,
    );
  assert.is((await readFile(storage, 'utf8')).trim().split('\n').length, 6);
});

test('a folder that is not there', async () => {
  const searching = search(space, ({ x }) => x, { trials: 1, storage: join(folder, 'no', 'such', 'file') });
  await rejectsWith(searching, StorageError, /a result cannot be written/);
});

test.run();
