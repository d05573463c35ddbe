import { useEffect, useMemo, useState } from "react";
import { type CombinedError, type RequestPolicy, type TypedDocumentNode, useQuery } from "urql";
import { everything, type List, type PageVariables } from "../api/everything.ts";
import { useParam } from "../app/useParam.ts";

const PAGE = 50;
export const MOST_SHOWN = 1_000;

export interface Pages<Data, Item> {
  result: { data?: Data | undefined; error?: CombinedError | undefined; fetching: boolean; stale: boolean };
  ask: (options: { requestPolicy: "network-only" }) => void;
  items: readonly Item[];
  hasMore: boolean;
  showMore: () => void;
  /** Reads the first page again, and those after it that are shown. */
  readAgain: () => void;
  /** All rows of the list up to a bound, those that are not shown too. */
  readAll: () => Promise<Item[]>;
}

/** Reads as many pages of a list as `rows` of the address says. A page may be short, or even empty,
 * where the API has looked through many rows for it. */
export function usePages<Data, Variables extends PageVariables, Item>(
  query: TypedDocumentNode<Data, Variables>,
  variables: Omit<Variables, keyof PageVariables>,
  listOf: (data: Data) => List<Item>,
  requestPolicy: RequestPolicy = "cache-first",
): Pages<Data, Item> {
  const [rows, setRows] = useParam("rows", String(PAGE));
  const of = JSON.stringify(variables);
  const [page, turn] = useState<{ of: string; after: string | null; number: number }>({ of, after: null, number: 1 });
  const { after, number } = page.of === of ? page : { after: null, number: 1 }; // a cursor is one of its list
  const [result, ask] = useQuery({ query, variables: { ...variables, first: PAGE, after } as unknown as Variables, requestPolicy });
  const list = useMemo(() => result.data && listOf(result.data), [result.data]);
  const items = useMemo(() => list?.nodes ?? [], [list]);
  const next = list?.pageInfo.hasNextPage ? list.pageInfo.endCursor : null;
  const isWanted = !result.fetching && !result.stale && !result.error && number * PAGE < Math.min(Number(rows) || PAGE, MOST_SHOWN);
  useEffect(() => {
    if (isWanted && next) turn({ of, after: next, number: number + 1 });
  }, [isWanted, next, of]);
  return {
    result,
    ask,
    items,
    hasMore: next != null,
    readAgain: () => (after === null ? ask({ requestPolicy: "network-only" }) : turn({ of, after: null, number: 1 })),
    showMore: () => setRows(String((number + 1) * PAGE)),
    readAll: () => everything(query, variables, listOf),
  };
}
