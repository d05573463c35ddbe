/**
 * Subscriptions that go on where they were, whatever interrupts them.
 *
 * `resuming` wraps what subscribes, of whatever client and transport; what it returns is used in its
 * place. It subscribes anew after every interruption, with the newest cursor as the variable `after`,
 * for as long as nobody cancels. So the client itself must not connect again: it would send the
 * variables of the beginning. Subscriptions must select `kind` and `cursor` and declare `$after`.
 */

/** What is asked for, with its variables; `after` among them is where to begin. */
export interface Payload {
  variables?: Record<string, unknown> | null | undefined;
}

/** A message as GraphQL has it. */
export interface Result {
  data?: unknown;
  errors?: readonly unknown[] | undefined;
}

/** Where messages go. An `error` or `complete` is the last one. */
export interface Sink<R> {
  next(result: R): void;
  error(error: unknown): void;
  complete(): void;
}

/** Subscribes a sink; what it returns cancels. */
export type Subscribe<P, R> = (payload: P, sink: Sink<R>) => () => void;

export interface Options {
  /** Breaks off a silent connection that several subscriptions share; all of them resume. */
  hangUp?: () => void;
  /** Told of each interruption, and in how many milliseconds the next attempt begins. */
  interrupted?: (reason: unknown, wait: number) => void;
}

const SILENCE = 30_000; // milliseconds; there is a HEARTBEAT every 10 seconds
const FIRST_WAIT = 500;
const LONGEST_WAIT = 30_000;
const REMEMBERED = 1_000; // cursors
const PASSING = [
  "SERVICE_UNAVAILABLE",
  "DATABASE_READ_ONLY",
  "RATE_LIMITED",
  "TIMEOUT",
  "INTERNAL_SERVER_ERROR",
  "UNAUTHENTICATED", // the next attempt may come with another credential
];

/**
 * Subscribes as the function given does, and goes on after interruptions. RESET and SNAPSHOT are
 * passed on like all messages; what was passed on before is not, should the client repeat it. The
 * sink gets an `error` only for what would be refused again however often one asks: an array of
 * GraphQL errors. It never gets a `complete`: these subscriptions have no end of their own.
 */
export function resuming<P extends Payload, R extends Result>(
  subscribe: Subscribe<P, R>,
  { hangUp, interrupted }: Options = {},
): Subscribe<P, R> {
  return (payload, sink) => {
    let after = payload.variables?.["after"];
    let attempt = 0; // what comes of an earlier one is not heard
    let failures = 0; // since the last message
    let timer: ReturnType<typeof setTimeout> | undefined;
    let unsubscribe = () => {};
    const passed = new Set<unknown>();

    function connect() {
      const mine = ++attempt;
      const hear = <T>(act: (value: T) => void) => (value: T) => void (mine === attempt && act(value));
      expectMessage();
      const leave = subscribe(asked(), {
        next: hear(take),
        error: hear(fail),
        complete: hear<void>(() => retry(new Error("The stream broke off."))),
      });
      if (mine === attempt) unsubscribe = leave;
      else leave();
    }

    function asked(): P {
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
      const wait = Math.random() * Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures++);
      timer = setTimeout(connect, wait);
      interrupted?.(reason, wait);
    }

    function expectMessage() {
      clearTimeout(timer);
      timer = setTimeout(() => {
        retry(new Error(`Nothing was heard for ${SILENCE / 1000} seconds.`));
        hangUp?.();
      }, SILENCE);
    }

    function fail(error: unknown) {
      if (!isFinal(error)) return retry(error);
      stop();
      sink.error(error);
    }

    function take(result: R) {
      if (!result.data) return fail(result.errors ?? result);
      failures = 0;
      expectMessage();
      const { kind, cursor } = envelope(result);
      if (kind === "RESET" || kind === "SNAPSHOT") passed.clear();
      if (cursor !== after && passed.has(cursor)) return;
      sink.next(result);
      if (typeof cursor === "string") remember(cursor);
    }

    function remember(cursor: string) {
      after = cursor;
      passed.add(cursor);
      if (passed.size > REMEMBERED) passed.delete(passed.values().next().value);
    }

    connect();
    return stop;
  };
}

/** What every message of a subscription tells of itself, under its only root field. */
function envelope(result: Result): { kind?: unknown; cursor?: unknown } {
  const [update] = Object.values((result.data ?? {}) as Record<string, object | null>);
  return update ?? {};
}

/** Whether it is the operation that is at fault. */
function isFinal(error: unknown): boolean {
  const codes = Array.isArray(error) ? error.map((each) => each?.extensions?.code) : [];
  return codes.length > 0 && !codes.some((code) => PASSING.includes(code));
}
