import { type RefObject, useEffect, useRef } from "react";

/** Scrolls a row of links, which may be wider than a phone, to that of the current page. */
export function useCurrentShown(current: string | undefined): RefObject<HTMLElement | null> {
  const row = useRef<HTMLElement>(null);
  useEffect(() => row.current?.querySelector("[aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" }), [current]);
  return row;
}
