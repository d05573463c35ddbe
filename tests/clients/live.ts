// Follows over graphql-ws, graphql-sse and in React, as `drive.ts` does, and prints each state:
// node live.ts HOST:PORT, with a key in DREAMNET_KEY. It ends with its input.
import { type LiveState, resuming } from "@dreamnet/live";
import { Window } from "happy-dom";
import { createElement, useEffect } from "react";
import * as graphqlSse from "./graphql-sse.ts";
import * as graphqlWs from "./graphql-ws.ts";
import { HISTORY, type History } from "./history.ts";
import { follow } from "./live-state.ts";
import { useAgents } from "./use-agents.ts";

const [host = ""] = process.argv.slice(2);
const key = () => process.env["DREAMNET_KEY"] ?? "";
const socket = graphqlWs.connect(host, key);
const own = graphqlWs.connect(host, key); // of the component

const say = (client: string, step: string, what: unknown) =>
  console.log(JSON.stringify([client, step, what]));
const show = (client: string) => (update: History["agentHistory"]) => say(client, "update", update);
const showState = (client: string) => (state: LiveState) => say(client, "live", state);

function Agents() {
  const { value, state, error } = useAgents(own);
  useEffect(() => say("react", "live", state), [state]);
  useEffect(() => say("react", "state", [...value.values()]), [value]);
  useEffect(() => void (error && console.error(error)), [error]);
  return state;
}

const window = new Window();
Object.assign(globalThis, { window, document: window.document });
const { createRoot } = await import("react-dom/client"); // reads `window` when it is loaded
const root = createRoot(window.document.body as unknown as Element);
root.render(createElement(Agents));

const cancels = [
  resuming(socket.subscribe<History>, { hangUp: socket.terminate, onState: showState("graphql-ws") })(
    { query: HISTORY },
    {
      next: ({ data }) => data && show("graphql-ws")(data.agentHistory),
      error: console.error,
      complete() {},
    },
  ),
  follow(graphqlSse.connect(host, key), show("graphql-sse"), showState("graphql-sse")),
  () => root.unmount(),
];
process.stdin.resume().on("end", () => {
  cancels.forEach((cancel) => cancel());
  void window.happyDOM.close();
});
