// The helper alone, on a clock of its own.
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { type Interruption, type LiveState, resuming, type Payload, type Result, type Sink } from "@dreamnet/live";

const PAYLOAD = { query: "subscription", variables: { keys: ["a"] } };

/** One call of the function that is wrapped. */
interface Attempt {
  payload: Payload;
  sink: Sink<Result>;
  left: boolean;
}

/** Follows with the helper; keeps what it did and what came of it. */
function follow(payload: Payload = PAYLOAD) {
  const attempts: Attempt[] = [];
  const told: unknown[] = [];
  const waits: number[] = [];
  const hangUps: number[] = [];
  const states: LiveState[] = [];
  const subscribe = resuming(
    (payload: Payload, sink: Sink<Result>) => {
      const attempt = { payload, sink, left: false };
      attempts.push(attempt);
      return () => void (attempt.left = true);
    },
    { onState, hangUp: () => hangUps.push(attempts.length) },
  );
  function onState(state: LiveState, interruption?: Interruption) {
    states.push(state);
    if (interruption) waits.push(interruption.wait);
  }
  const cancel = subscribe(payload, {
    next: ({ data }) => told.push(Object.values(data as object)[0]),
    error: (error) => told.push({ error }),
    complete: () => told.push("complete"),
  });
  const latest = () => attempts[attempts.length - 1]!;
  const send = (kind: string, cursor: string) => latest().sink.next(message(kind, cursor));
  return { attempts, told, waits, hangUps, states, cancel, latest, send };
}

const message = (kind: string, cursor: string) => ({ data: { agentHistory: { kind, cursor } } });
const refused = (code: string) => [{ message: "no", extensions: { code } }];

beforeEach(() => {
  mock.timers.reset();
  mock.restoreAll();
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(Math, "random", () => 0.5);
});

test("goes on after the newest cursor, and leaves the other variables alone", () => {
  const { attempts, latest, send, told } = follow();
  assert.deepEqual(latest().payload, PAYLOAD);
  send("SNAPSHOT", "1");
  send("UPDATE", "2");
  latest().sink.error(new Error("gone"));
  assert.equal(attempts[0]!.left, true);
  mock.timers.tick(250);
  assert.deepEqual(latest().payload, { ...PAYLOAD, variables: { keys: ["a"], after: "2" } });
  send("UPDATE", "3");
  assert.deepEqual(told.map((each) => (each as { cursor: string }).cursor), ["1", "2", "3"]);
});

test("begins after the cursor it is given", () => {
  const { latest } = follow({ variables: { after: "7" } });
  assert.deepEqual(latest().payload, { variables: { after: "7" } });
});

test("a stream that completes was interrupted", () => {
  const { attempts, told, latest } = follow();
  latest().sink.complete();
  mock.timers.tick(250);
  assert.deepEqual([attempts.length, told], [2, []]);
});

test("what the client repeats is passed on once, but not what has the same cursor as the newest", () => {
  const { latest, send, told } = follow();
  for (const cursor of ["1", "2", "3", "3", "1", "2", "4"]) send("UPDATE", cursor);
  assert.deepEqual(told.map((each) => (each as { cursor: string }).cursor), ["1", "2", "3", "3", "4"]);
  latest().sink.complete();
  mock.timers.tick(250);
  assert.equal(latest().payload.variables?.["after"], "4");
});

test("a repeated heartbeat does not move it back", () => {
  const { latest, send } = follow();
  for (const cursor of ["1", "2"]) send("UPDATE", cursor);
  send("HEARTBEAT", "1");
  latest().sink.complete();
  mock.timers.tick(250);
  assert.equal(latest().payload.variables?.["after"], "2");
});

test("a RESET and its SNAPSHOT are passed on, and what they make valid again", () => {
  const { send, told } = follow();
  send("UPDATE", "1");
  send("UPDATE", "2");
  send("RESET", "1");
  send("SNAPSHOT", "1");
  send("UPDATE", "2");
  assert.deepEqual(told.map((each) => (each as { kind: string }).kind), ["UPDATE", "UPDATE", "RESET", "SNAPSHOT", "UPDATE"]);
});

test("waits longer and longer, at random, up to half a minute; a message begins anew", () => {
  const { latest, send, waits } = follow();
  for (let n = 0; n < 8; n++) {
    latest().sink.error(new Error("away"));
    mock.timers.tick(15_000);
  }
  assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
  send("UPDATE", "1");
  latest().sink.error(new Error("away"));
  assert.equal(waits.at(-1), 250);
});

test("30 seconds of silence are an interruption, heartbeats are none", () => {
  const { attempts, send, hangUps } = follow();
  mock.timers.tick(29_999);
  send("HEARTBEAT", "1");
  mock.timers.tick(29_999);
  assert.deepEqual([attempts.length, hangUps], [1, []]);
  mock.timers.tick(1);
  assert.deepEqual([attempts[0]!.left, hangUps], [true, [1]]);
  mock.timers.tick(250);
  assert.equal(attempts.length, 2);
});

test("what still comes of an earlier attempt is not heard", () => {
  const { attempts, told, latest, send } = follow();
  latest().sink.error(new Error("gone"));
  mock.timers.tick(250);
  send("UPDATE", "1");
  attempts[0]!.sink.next(message("UPDATE", "0"));
  attempts[0]!.sink.error(new Error("late"));
  attempts[0]!.sink.complete();
  mock.timers.tick(1000);
  assert.deepEqual([attempts.length, told.length], [2, 1]);
});

test("what would be refused again is the end", () => {
  const { attempts, told, latest } = follow();
  latest().sink.error(refused("GRAPHQL_VALIDATION_FAILED"));
  mock.timers.tick(60_000);
  assert.deepEqual([attempts.length, told], [1, [{ error: refused("GRAPHQL_VALIDATION_FAILED") }]]);
});

test("errors may come in a message, as over HTTP", () => {
  const { attempts, told, latest } = follow();
  latest().sink.next({ errors: refused("FORBIDDEN") });
  latest().sink.complete();
  mock.timers.tick(60_000);
  assert.deepEqual([attempts.length, told], [1, [{ error: refused("FORBIDDEN") }]]);
});

test("what may pass is asked again", () => {
  const { attempts, told, latest } = follow();
  latest().sink.error(refused("SERVICE_UNAVAILABLE"));
  mock.timers.tick(250);
  latest().sink.next({ data: null, errors: refused("RATE_LIMITED") });
  mock.timers.tick(500);
  assert.deepEqual([attempts.length, told], [3, []]);
});

test("once cancelled, nothing comes any more", () => {
  const { attempts, told, cancel, latest, send } = follow();
  cancel();
  send("UPDATE", "1");
  latest().sink.error(new Error("gone"));
  mock.timers.tick(60_000);
  assert.deepEqual([attempts.length, attempts[0]!.left, told], [1, true, []]);
});

test("cancelled between two attempts, it makes none", () => {
  const { attempts, cancel, latest } = follow();
  latest().sink.error(new Error("gone"));
  cancel();
  mock.timers.tick(60_000);
  assert.equal(attempts.length, 1);
});

test("messages without a cursor are passed on", () => {
  const { told, latest } = follow();
  for (const rate of [1, 1]) latest().sink.next({ data: { eventRates: { rate } } });
  latest().sink.complete();
  mock.timers.tick(250);
  assert.deepEqual([told, latest().payload], [[{ rate: 1 }, { rate: 1 }], PAYLOAD]);
});

test("a message that holds nothing is an interruption", () => {
  const { attempts, told, latest } = follow();
  latest().sink.next({});
  mock.timers.tick(250);
  assert.deepEqual([attempts.length, told], [2, []]);
});

test("a credential that is refused may be another one next time", () => {
  const { attempts, told, latest } = follow();
  latest().sink.next({ errors: refused("UNAUTHENTICATED") });
  mock.timers.tick(250);
  assert.deepEqual([attempts.length, told], [2, []]);
});

test("it is live from the first message until the stream is interrupted", () => {
  const { latest, send, states } = follow();
  assert.deepEqual(states, []);
  send("SNAPSHOT", "1");
  send("UPDATE", "2");
  assert.deepEqual(states, ["live"]);
  latest().sink.complete();
  assert.deepEqual(states, ["live", "reconnecting"]);
  mock.timers.tick(250);
  assert.deepEqual(states, ["live", "reconnecting"]);
  send("HEARTBEAT", "2");
  assert.deepEqual(states, ["live", "reconnecting", "live"]);
});

test("it is stale after 15 seconds without a message, until a heartbeat", () => {
  const { send, states } = follow();
  send("SNAPSHOT", "1");
  mock.timers.tick(14_999);
  send("HEARTBEAT", "1");
  mock.timers.tick(14_999);
  assert.deepEqual(states, ["live"]);
  mock.timers.tick(1);
  assert.deepEqual(states, ["live", "stale"]);
  send("HEARTBEAT", "1");
  assert.deepEqual(states, ["live", "stale", "live"]);
  mock.timers.tick(30_000);
  assert.deepEqual(states.slice(3), ["stale", "reconnecting"]);
});

test("an attempt without a message stays reconnecting", () => {
  const { states } = follow();
  mock.timers.tick(29_999);
  assert.deepEqual(states, []);
  mock.timers.tick(1);
  assert.deepEqual(states, ["reconnecting"]);
});

test("it is stale while the gateway says so, and from a RESET to its SNAPSHOT", () => {
  const { latest, send, states } = follow();
  const heartbeat = (isStale: boolean) =>
    latest().sink.next({ data: { agentHistory: { kind: "HEARTBEAT", cursor: "1", isStale } } });
  for (const isStale of [false, true, true, false]) heartbeat(isStale);
  assert.deepEqual(states, ["live", "stale", "live"]);
  send("RESET", "1");
  assert.equal(states.at(-1), "stale");
  send("SNAPSHOT", "2");
  assert.equal(states.at(-1), "live");
});

test("a refused operation is not live", () => {
  const { latest, send, states } = follow();
  send("SNAPSHOT", "1");
  latest().sink.error(refused("FORBIDDEN"));
  mock.timers.tick(60_000);
  assert.deepEqual(states, ["live", "stale"]);
});

test("a sink that cancels hears of no state", () => {
  const states: LiveState[] = [];
  const onState = (state: LiveState) => void states.push(state);
  let sink: Sink<Result> | undefined;
  const subscribe = resuming((_: Payload, given: Sink<Result>) => ((sink = given), () => {}), { onState });
  const cancel = subscribe(PAYLOAD, { next: () => cancel(), error() {}, complete() {} });
  sink!.next(message("SNAPSHOT", "1"));
  mock.timers.tick(60_000);
  assert.deepEqual(states, []);
});
