// Plays the scenario with each client: node drive.ts URL, with a key in DREAMNET_KEY. Prints what
// each showed at every step, and all complaints of the clients.
import { apollo } from "./apollo.ts";
import { relay } from "./relay.ts";
import { play } from "./scenario.ts";
import { tanstack } from "./tanstack.ts";
import { urql } from "./urql.ts";

const url = process.argv[2] ?? "";
const authorization = `Bearer ${process.env["DREAMNET_KEY"]}`;
const complaints: string[] = [];
console.warn = console.error = (...parts: unknown[]) => complaints.push(parts.join(" "));

const shown: Record<string, unknown> = {};
for (const [name, connect] of Object.entries({ apollo, relay, tanstack, urql })) {
  shown[name] = await play(connect(url, authorization));
}
process.stdout.write(JSON.stringify({ shown, complaints }));
