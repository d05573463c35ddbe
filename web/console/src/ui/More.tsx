import { count } from "../format/numbers.ts";
import { MOST_SHOWN, type Pages } from "./usePages.ts";

/** Shows the next page, if there is one. */
export function More({ of: { items, hasMore, showMore, result } }: { of: Pages<unknown, unknown> }) {
  if (!hasMore) return null;
  if (items.length >= MOST_SHOWN) return <p className="quiet">The first {count(MOST_SHOWN)} are shown. Narrow down with a filter, or export all.</p>;
  return (
    <button type="button" className="button" disabled={result.fetching} onClick={showMore}>
      {result.fetching ? "Loading …" : items.length === 0 ? "Look further" : "Show more"}
    </button>
  );
}
