import { useEffect, useRef, useState } from "react";

const MOST = 48; // items that change in a turn, so that a paint is short however many have changed

/** The newest items, changed in turns at least so many milliseconds apart; those that have waited
 * for a turn are first in the next. Items are added and removed at once. */
export function useTurns<Item>(newest: ReadonlyMap<string, Item>, apart: number): ReadonlyMap<string, Item> {
  const [shown, setShown] = useState(newest);
  const last = useRef(0);
  useEffect(() => {
    if (newest === shown) return;
    const timer = setTimeout(
      () => {
        last.current = Date.now();
        setShown(afterTurn(shown, newest));
      },
      Math.max(0, last.current + apart - Date.now()),
    );
    return () => clearTimeout(timer);
  }, [newest, shown]);
  return shown;
}

function afterTurn<Item>(shown: ReadonlyMap<string, Item>, newest: ReadonlyMap<string, Item>): ReadonlyMap<string, Item> {
  const changed = [...shown].filter(([key, item]) => newest.has(key) && newest.get(key) !== item);
  const waiting = changed.slice(MOST);
  if (waiting.length === 0) return newest;
  return new Map([...waiting, ...newest, ...waiting]); // the first place and the last item of each key count
}
