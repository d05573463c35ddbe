/** A number that changes when everything that was read may be outdated, so that views read again. */
import { useSyncExternalStore } from "react";

let generation = 0;
const listeners = new Set<() => void>();

export function startAgain(): void {
  generation++;
  for (const listener of listeners) listener();
}

export function useGeneration(): number {
  return useSyncExternalStore(subscribe, () => generation);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
