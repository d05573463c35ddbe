import { type RefObject, useEffect, useRef } from "react";

/** Scrolls a row of links, which may be wider than a phone, to that of the current page. */
export function useCurrentShown(current: string | undefined): RefObject<HTMLElement | null> {
  const row = useRef<HTMLElement>(null);
  useEffect(() => {
    const show = () => row.current && center(row.current);
    show();
    addEventListener("resize", show);
    return () => removeEventListener("resize", show);
  }, [current]);
  return row;
}

function center(row: HTMLElement): void {
  const link = row.querySelector("[aria-current]")?.getBoundingClientRect();
  const { left, width } = row.getBoundingClientRect();
  if (link) row.scrollLeft += link.left + link.width / 2 - left - width / 2;
}
