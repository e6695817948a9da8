// The inspector's worker, started when it is first asked, and anew when it was lost.
import { type Remote, wrap } from 'comlink';
import type { Inspector } from './inspector-worker.ts';
import type { ModelName } from './models.ts';

export type { LayerOutput, LayerReport, Look, StepReport } from './inspector-worker.ts';

interface Session {
  remote: Remote<Inspector>;
  lost: Promise<never>;
  /** Ends the worker and says why. */
  lose(why: string): void;
}

/** A worker that gives no answer for so long is taken for dead, in milliseconds: a browser does not always tell. */
const patience = 60_000;

export class InspectorClient {
  #session: Promise<Session> | null = null;
  #loaded: unknown;

  /** Asks it about a model with these weights. */
  async about<T>(
    model: ModelName,
    weights: Uint8Array | null,
    ask: (inspector: Remote<Inspector>) => Promise<T>,
  ): Promise<T> {
    return this.use(async (inspector) => {
      const key = weights ?? model;
      if (this.#loaded !== key) await inspector.load(model, weights);
      this.#loaded = key;
      return ask(inspector);
    });
  }

  /** Asks it; a worker that dies is replaced and asked once more. */
  async use<T>(ask: (inspector: Remote<Inspector>) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      this.#session ??= this.#start();
      const session = this.#session;
      let lost = false;
      let timer: ReturnType<typeof setTimeout> | undefined;
      try {
        const { remote, lost: end, lose } = await session;
        timer = setTimeout(() => lose('it does not answer'), patience);
        const ended = end.catch((error) => {
          lost = true;
          throw error;
        });
        return await Promise.race([ask(remote), ended]);
      } catch (error) {
        if (!lost || tries === 2) throw error;
        if (this.#session === session) this.#session = null;
      } finally {
        clearTimeout(timer);
      }
    }
  }

  async #start(): Promise<Session> {
    const worker = new Worker(new URL('./inspector-worker.ts', import.meta.url), { type: 'module' });
    let lose: Session['lose'] = () => undefined;
    const lost = new Promise<never>((_, reject) => {
      lose = (why) => {
        worker.terminate();
        reject(new Error(`The worker that looks inside was lost: ${why}.`));
      };
    });
    worker.addEventListener('error', ({ message }) => lose(message || 'no reason given'));
    lost.catch(() => undefined);
    const remote = wrap<Inspector>(worker);
    this.#loaded = undefined;
    await Promise.race([remote.start(new URL('everygrad/', document.baseURI).href), lost]);
    return { remote, lost, lose };
  }
}
