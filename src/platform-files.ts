// Files and addresses piece by piece, and what lies in a folder.
import { FormatError, StorageError } from './errors.js';
import { fetchOk, forNode, hasFiles, isUrl, runtime } from './platform.js';

/** Bytes of a file that are read at once. */
const pieceBytes = 65536;

const codeOf = (error: unknown): string | undefined => (error as { code?: string } | undefined)?.code;

function unreadable(path: string | URL, error: unknown): StorageError {
  return new StorageError({
    where: String(path),
    problem: `cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    hint: isUrl(path) ? 'is the address right, and does the server allow this origin?' : 'is the path right?',
    values: { path: String(path), code: codeOf(error), missing: codeOf(error) === 'ENOENT' },
    cause: error,
  });
}

/**
 * A file (Node, Deno, Bun: a path or a `file:` URL) or an address, piece by piece; never more than a piece is held.
 * Throws StorageError, as `readBytes` does.
 */
export async function* readPieces(path: string | URL): AsyncGenerator<Uint8Array> {
  yield* isUrl(path) ? fetchPieces(path) : filePieces(path);
}

async function* filePieces(path: string | URL): AsyncGenerator<Uint8Array> {
  const { open } = await forNode();
  const file = await open(String(path).startsWith('file:') ? new URL(path) : path).catch((error) => {
    throw unreadable(path, error);
  });
  try {
    for (;;) {
      const { bytesRead, buffer } = await file
        .read(new Uint8Array(pieceBytes), 0, pieceBytes, null)
        .catch((error: unknown) => {
          throw unreadable(path, error);
        });
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function* fetchPieces(url: string | URL): AsyncGenerator<Uint8Array> {
  const { body } = await fetchOk(url).catch((error) => {
    throw error instanceof StorageError ? error : unreadable(url, error);
  });
  yield* streamPieces(body, String(url));
}

/** The pieces of a stream, which is cancelled when the reader stops early; `name` is for errors. */
export async function* streamPieces(
  stream: ReadableStream<Uint8Array>,
  name: string,
): AsyncGenerator<Uint8Array> {
  if (stream.locked) {
    throw new StorageError({
      where: name,
      problem: 'the stream is being read or was read before',
      hint: 'a stream can be read once; pass a function that opens a new one each time',
    });
  }
  const reader = stream.getReader();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw unreadable(name, error);
      });
      ended = done;
      if (done) return;
      if (!(value instanceof Uint8Array)) {
        throw new FormatError({
          where: name,
          problem: `the stream gives ${typeof value} values`,
          hint: 'it must give bytes, in Uint8Arrays',
        });
      }
      yield value;
    }
  } finally {
    if (!ended) await reader.cancel().catch(() => {});
  }
}

export interface FolderEntry {
  name: string;
  /** The folder's path, a slash and the name. */
  path: string;
  isFolder: boolean;
}

/** What lies in a folder, ordered by name (UTF-16 units, so in the same order everywhere). Throws StorageError. */
export async function listFolder(folder: string | URL): Promise<FolderEntry[]> {
  if (!hasFiles) {
    throw new StorageError({
      where: String(folder),
      problem: `${runtime().name} cannot list a folder`,
      hint: 'pass the files themselves, for instance those of <input type="file" webkitdirectory>',
      values: { path: String(folder) },
    });
  }
  const { readdir, fileURLToPath } = await forNode();
  const base = String(folder).startsWith('file:') ? fileURLToPath(String(folder)) : String(folder);
  const entries = await readdir(base, { withFileTypes: true }).catch((error) => {
    throw unreadable(base, error);
  });
  return entries
    .map((entry) => ({
      name: entry.name,
      path: `${base.replace(/\/+$/, '')}/${entry.name}`,
      isFolder: entry.isDirectory(),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
