// The inspector's worker, started when it is first asked, and anew when it was lost.
import { type Remote, wrap } from 'comlink';
import type { Inspector } from './inspector-worker.ts';
import type { ModelName } from './models.ts';

export type { LayerOutput, LayerReport, Look, StepReport } from './inspector-worker.ts';

interface Session {
  remote: Remote<Inspector>;
  lost: Promise<never>;
}

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
      try {
        const { remote, lost: end } = await session;
        const ended = end.catch((error) => {
          lost = true;
          throw error;
        });
        return await Promise.race([ask(remote), ended]);
      } catch (error) {
        if (!lost || tries === 2) throw error;
        if (this.#session === session) this.#session = null;
      }
    }
  }

  async #start(): Promise<Session> {
    const worker = new Worker(new URL('./inspector-worker.ts', import.meta.url), { type: 'module' });
    const lost = new Promise<never>((_, reject) => {
      worker.addEventListener('error', ({ message }) => {
        worker.terminate();
        reject(new Error(`The worker that looks inside was lost: ${message || 'no reason given'}`));
      });
    });
    lost.catch(() => undefined);
    const remote = wrap<Inspector>(worker);
    this.#loaded = undefined;
    await Promise.race([remote.start(new URL('everygrad/', document.baseURI).href), lost]);
    return { remote, lost };
  }
}
