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

export interface PartVariables {
  first: number;
  skip: number;
}

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
    const { nodes, pageInfo } = listOf(await read(client, document, page));
    items.push(...nodes);
    after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
  } while (after && items.length < MOST_ROWS);
  return items;
}

/** The same of statistics, which have `skip` in place of cursors, in parts of `size` rows. */
export async function everyPart<Data, Variables extends PartVariables, Item>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Omit<Variables, keyof PartVariables>,
  rowsOf: (data: Data) => readonly Item[],
  size: number,
): Promise<Item[]> {
  const client = openClient();
  const items: Item[] = [];
  let found: readonly Item[];
  do {
    const part = { ...variables, first: size, skip: items.length } as unknown as Variables;
    found = rowsOf(await read(client, document, part));
    items.push(...found);
  } while (found.length === size && items.length < MOST_ROWS);
  return items;
}

async function read<Data, Variables extends object>(client: Client, document: TypedDocumentNode<Data, Variables>, variables: Variables): Promise<Data> {
  const { data, error } = await client.query<Data, object>(document, variables);
  if (!data) throw error;
  return data;
}

function openClient(): Client {
  return new Client({ url: GRAPHQL, preferGetMethod: false, fetchOptions: () => ({ headers: authorization() }), exchanges: [sameTexts, fetchExchange] });
}

/** Adds `__typename` as the cache does, so that texts are those of the list of documents. */
const sameTexts = mapExchange({
  onOperation: (operation) => makeOperation(operation.kind, { ...operation, query: formatDocument(operation.query as DocumentNode) as typeof operation.query }),
});
