/** All rows of a list, for files: read beside the cache, so that no view gets longer. */
import { Client, fetchExchange, formatDocument, makeOperation, mapExchange } from "@urql/core";
import type { DocumentNode } from "graphql";
import type { TypedDocumentNode } from "urql";
import { authorization } from "./credential.ts";
import { GRAPHQL } from "./places.ts";

export interface List<Item> {
  nodes: readonly Item[];
  pageInfo: { hasNextPage: boolean; endCursor?: string | null | undefined };
}

export interface PageVariables {
  first: number;
  after?: string | null | undefined;
}

export const MOST_ROWS = 10_000; // of a file
const PAGE = 100; // the most that the API gives at once

/** Rows up to `MOST_ROWS`. Throws the `CombinedError` of a page that fails. */
export async function everything<Data, Variables extends PageVariables, Item>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Omit<Variables, keyof PageVariables>,
  listOf: (data: Data) => List<Item>,
): Promise<Item[]> {
  const client = openClient();
  const items: Item[] = [];
  let after: string | null | undefined = null;
  do {
    const page = { ...variables, first: PAGE, after } as unknown as Variables;
    const { data, error } = await client.query(document, page);
    if (!data) throw error;
    const { nodes, pageInfo } = listOf(data);
    items.push(...nodes);
    after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
  } while (after && items.length < MOST_ROWS);
  return items;
}

function openClient(): Client {
  return new Client({ url: GRAPHQL, preferGetMethod: false, fetchOptions: () => ({ headers: authorization() }), exchanges: [sameTexts, fetchExchange] });
}

/** Adds `__typename` as the cache does, so that texts are those of the list of documents. */
const sameTexts = mapExchange({
  onOperation: (operation) => makeOperation(operation.kind, { ...operation, query: formatDocument(operation.query as DocumentNode) as typeof operation.query }),
});
