// Plays the scenario with each client: what each showed at every step, and all complaints of the clients.
import { apollo } from "./apollo.ts";
import { relay } from "./relay.ts";
import { play } from "./scenario.ts";
import { tanstack } from "./tanstack.ts";
import { urql } from "./urql.ts";

const CLIENTS = { apollo, relay, tanstack, urql };

export interface Result {
  shown: Record<string, unknown>;
  complaints: string[];
}

export async function playAll(url: string, authorization: string): Promise<Result> {
  const complaints: string[] = [];
  console.warn = console.error = (...parts: unknown[]) => complaints.push(parts.join(" "));
  const shown: Record<string, unknown> = {};
  for (const [name, connect] of Object.entries(CLIENTS)) {
    shown[name] = await play(connect(url, authorization));
  }
  return { shown, complaints };
}
