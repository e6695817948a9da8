// A store of measured costs and kernels in memory.
import type { CostStore } from '../../src/schedule/cost-store.js';

export function memoryStore(): CostStore & { texts: Map<string, string> } {
  const texts = new Map<string, string>();
  return {
    texts,
    get: async (key) => texts.get(key),
    put: async (key, text) => void texts.set(key, text),
  };
}
