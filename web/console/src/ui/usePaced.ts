import { useEffect, useRef, useState } from "react";

/** The newest value, changed at most every so many milliseconds: a burst of changes is drawn once. */
export function usePaced<Value>(value: Value, milliseconds: number): Value {
  const [shown, setShown] = useState(value);
  const newest = useRef(value);
  const last = useRef(0);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => {
    if (value === newest.current) return; // the first one is shown already
    newest.current = value;
    timer.current ??= setTimeout(
      () => {
        timer.current = undefined;
        last.current = Date.now();
        setShown(newest.current);
      },
      Math.max(0, last.current + milliseconds - Date.now()),
    );
  }, [value]);
  useEffect(
    () => () => {
      clearTimeout(timer.current);
      timer.current = undefined;
    },
    [],
  );
  return shown;
}
