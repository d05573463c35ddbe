/**
 * Subscriptions that resume after an interruption.
 *
 * `resuming` wraps the subscribe function of any client and transport. After every interruption it
 * subscribes again, with the last cursor as the variable `after`, until it is cancelled. The client
 * itself must not reconnect: it would send the variables of the start. Subscriptions must select
 * `kind` and `cursor` and declare `$after`.
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

export interface Options {
  /** Closes a silent connection that several subscriptions share; all of them resume. */
  hangUp?: () => void;
  /** Called at each interruption; `wait` is the delay of the next attempt in milliseconds. */
  interrupted?: (reason: unknown, wait: number) => void;
}

const SILENCE_MS = 30_000; // there is a HEARTBEAT every 10 seconds
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
  { hangUp, interrupted }: Options = {},
): Subscribe<P, R> {
  return (payload, sink) => {
    let after = payload.variables?.["after"];
    let attempt = 0; // callbacks of earlier attempts are ignored
    let failures = 0; // since the last message
    let timer: ReturnType<typeof setTimeout> | undefined;
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
      clearTimeout(timer);
      unsubscribe();
      unsubscribe = () => {};
    }

    function retry(reason: unknown) {
      stop();
      const wait = Math.random() * Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** failures++);
      timer = setTimeout(connect, wait);
      interrupted?.(reason, wait);
    }

    function expectMessage() {
      clearTimeout(timer);
      timer = setTimeout(() => {
        retry(new Error(`No message for ${SILENCE_MS / 1000} seconds.`));
        hangUp?.();
      }, SILENCE_MS);
    }

    function fail(error: unknown) {
      if (!isFinal(error)) return retry(error);
      stop();
      sink.error(error);
    }

    function receive(result: R) {
      if (!result.data) return fail(result.errors ?? result);
      failures = 0;
      expectMessage();
      const { kind, cursor } = envelope(result);
      if (kind === "RESET" || kind === "SNAPSHOT") delivered.clear();
      if (cursor !== after && delivered.has(cursor)) return;
      sink.next(result);
      if (typeof cursor === "string") remember(cursor);
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

/** `kind` and `cursor` of a message, under its only root field. */
function envelope(result: Result): { kind?: unknown; cursor?: unknown } {
  const [update] = Object.values((result.data ?? {}) as Record<string, object | null>);
  return update ?? {};
}

/** True if the operation itself is refused, so that a retry cannot help. */
function isFinal(error: unknown): boolean {
  const codes = Array.isArray(error) ? error.map((each) => each?.extensions?.code) : [];
  return codes.length > 0 && !codes.some((code) => TEMPORARY.includes(code));
}
