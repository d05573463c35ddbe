// In Node: node drive.ts URL, with a key in DREAMNET_KEY. Prints the result.
import { playAll } from "./clients.ts";

const authorization = `Bearer ${process.env["DREAMNET_KEY"]}`;
process.stdout.write(JSON.stringify(await playAll(process.argv[2] ?? "", authorization)));
