/**
 * Subscriptions that resume after an interruption.
 *
 * `resuming` wraps the subscribe function of any client and transport. After every interruption it
 * subscribes again, with the last cursor as the variable `after`, until it is cancelled. The client
 * itself must not reconnect: it would send the variables of the start. Subscriptions must select
 * `kind` and `cursor` and declare `$after`, and should select `isStale`.
 */

/** An operation with its variables; `after` is the cursor to start at. */
export interface Payload {
  variables?: Record<string, unknown> | null | undefined;
}

/** A result of GraphQL. */
export interface Result {
  data?: unknown;
  errors?: readonly unknown[] | undefined;
}

/** Receives messages. `error` or `complete` is the last call. */
export interface Sink<R> {
  next(result: R): void;
  error(error: unknown): void;
  complete(): void;
}

/** Subscribes a sink; returns a function that cancels. */
export type Subscribe<P, R> = (payload: P, sink: Sink<R>) => () => void;

/**
 * How current the messages are.
 *
 * - `live`: a message came within the last 15 seconds. There is a HEARTBEAT every 10.
 * - `stale`: changes may be missing. No message came for 15 seconds, or the last one has `isStale` or
 *   is a RESET, or the operation was refused and receives nothing more.
 * - `reconnecting`: there is no connection, or no message came over it yet.
 */
export type LiveState = "live" | "stale" | "reconnecting";

/** Why a subscription was interrupted, and the delay of the next attempt in milliseconds. */
export interface Interruption {
  reason: unknown;
  wait: number;
}

export interface Options {
  /** Closes a silent connection that several subscriptions share; all of them resume. */
  hangUp?: (() => void) | undefined;
  /**
   * Called with each new state, and with `reconnecting` and its reason at each interruption. The
   * state before the first call is `reconnecting`.
   */
  onState?: ((state: LiveState, interruption?: Interruption) => void) | undefined;
}

const STALE_MS = 15_000; // there is a HEARTBEAT every 10 seconds
const SILENCE_MS = 30_000;
const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 30_000;
const MAX_CURSORS = 1_000;
const TEMPORARY = [
  "SERVICE_UNAVAILABLE",
  "DATABASE_READ_ONLY",
  "RATE_LIMITED",
  "TIMEOUT",
  "INTERNAL_SERVER_ERROR",
  "UNAUTHENTICATED", // the next attempt may have another credential
];

/**
 * Wraps `subscribe` so that it resumes after interruptions. Repeated messages are dropped; RESET and
 * SNAPSHOT are passed on like all others. The sink gets an `error`, an array of GraphQL errors, only
 * if every further attempt would be refused too. It never gets a `complete`.
 */
export function resuming<P extends Payload, R extends Result>(
  subscribe: Subscribe<P, R>,
  { hangUp, onState }: Options = {},
): Subscribe<P, R> {
  return (payload, sink) => {
    let after = payload.variables?.["after"];
    let attempt = 0; // callbacks of earlier attempts are ignored
    let failures = 0; // since the last message
    let state: LiveState = "reconnecting";
    let timer: ReturnType<typeof setTimeout> | undefined; // of the next attempt, or of silence
    let staleTimer: typeof timer;
    let unsubscribe = () => {};
    const delivered = new Set<unknown>(); // cursors

    function connect() {
      const current = ++attempt;
      const ifCurrent = <T>(call: (value: T) => void) => (value: T) =>
        void (current === attempt && call(value));
      expectMessage();
      const cancel = subscribe(withCursor(), {
        next: ifCurrent(receive),
        error: ifCurrent(fail),
        complete: ifCurrent<void>(() => retry(new Error("The stream was interrupted."))),
      });
      if (current === attempt) unsubscribe = cancel;
      else cancel();
    }

    function withCursor(): P {
      if (after === undefined) return payload;
      return { ...payload, variables: { ...payload.variables, after } };
    }

    function stop() {
      attempt++;
      clearTimers();
      unsubscribe();
      unsubscribe = () => {};
    }

    function clearTimers() {
      clearTimeout(timer);
      clearTimeout(staleTimer);
    }

    function retry(reason: unknown) {
      stop();
      const wait = Math.random() * Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** failures++);
      timer = setTimeout(connect, wait);
      state = "reconnecting";
      onState?.(state, { reason, wait });
    }

    function change(next: LiveState) {
      if (next === state) return;
      state = next;
      onState?.(state);
    }

    function expectMessage() {
      clearTimers();
      timer = setTimeout(hangUpAndRetry, SILENCE_MS);
      staleTimer = setTimeout(() => void (state === "live" && change("stale")), STALE_MS);
    }

    function hangUpAndRetry() {
      retry(new Error(`No message for ${SILENCE_MS / 1000} seconds.`));
      hangUp?.();
    }

    function fail(error: unknown) {
      if (!isFinal(error)) return retry(error);
      stop();
      change("stale");
      sink.error(error);
    }

    function receive(result: R) {
      if (!result.data) return fail(result.errors ?? result);
      failures = 0;
      expectMessage();
      const { kind, cursor, isStale } = envelope(result);
      if (kind === "RESET" || kind === "SNAPSHOT") delivered.clear();
      const current = attempt;
      if (cursor === after || !delivered.has(cursor)) {
        sink.next(result);
        if (typeof cursor === "string") remember(cursor);
      }
      if (current !== attempt) return; // the sink cancelled
      change(isStale === true || kind === "RESET" ? "stale" : "live");
    }

    function remember(cursor: string) {
      after = cursor;
      delivered.add(cursor);
      if (delivered.size > MAX_CURSORS) delivered.delete(delivered.values().next().value);
    }

    connect();
    return stop;
  };
}

/** The fields that every message has, under its only root field. */
function envelope(result: Result): { kind?: unknown; cursor?: unknown; isStale?: unknown } {
  const [update] = Object.values((result.data ?? {}) as Record<string, object | null>);
  return update ?? {};
}

/** True if the operation itself is refused, so that a retry cannot help. */
function isFinal(error: unknown): boolean {
  const codes = Array.isArray(error) ? error.map((each) => each?.extensions?.code) : [];
  return codes.length > 0 && !codes.some((code) => TEMPORARY.includes(code));
}
