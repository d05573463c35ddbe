/** A React hook that follows a subscription and says whether it is live. */
import { useEffect, useRef, useState } from "react";
import { type LiveState, type Payload, type Result, resuming, type Subscribe } from "./resume.ts";

export interface LiveOptions<R, V> {
  /** The value before the first message. */
  initial: V;
  /** Returns the value after a message. It must not change `value` itself, or React does not see it. */
  reduce: (value: V, result: R) => V;
  /** Closes a silent connection that several subscriptions share; all of them resume. */
  hangUp?: () => void;
}

export interface Live<V> {
  value: V;
  state: LiveState;
  /** Why the operation was refused, an array of GraphQL errors; undefined unless it was. */
  error: unknown;
}

/**
 * Subscribes with `resuming` while the component is shown. It starts again from `initial` if
 * `subscribe` is another function or `payload` has another JSON; it does nothing while `payload` is
 * null. The newest `reduce` and `hangUp` are used, so they may be written inline.
 */
export function useLive<P extends Payload, R extends Result, V>(
  subscribe: Subscribe<P, R>,
  payload: P | null,
  options: LiveOptions<R, V>,
): Live<V> {
  const [live, setLive] = useState(() => start(options.initial));
  const latest = useRef({ payload, options });
  useEffect(() => {
    latest.current = { payload, options };
  });
  const operation = JSON.stringify(payload);

  useEffect(() => {
    const { payload, options } = latest.current;
    setLive(start(options.initial));
    if (payload === null) return;
    const resumed = resuming(subscribe, {
      hangUp: () => latest.current.options.hangUp?.(),
      onState: (state) => setLive((live) => ({ ...live, state })),
    });
    return resumed(payload, {
      next: (result) => {
        const { reduce } = latest.current.options;
        setLive((live) => ({ ...live, value: reduce(live.value, result) }));
      },
      error: (error) => setLive((live) => ({ ...live, error })),
      complete: () => {},
    });
  }, [subscribe, operation]);

  return live;
}

function start<V>(value: V): Live<V> {
  return { value, state: "reconnecting", error: undefined };
}
