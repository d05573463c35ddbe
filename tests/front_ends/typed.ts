import { graphql } from "./gql/gql.ts";
import type { CreateDreamInput, DreamsQuery, TypedDocumentString } from "./gql/graphql.ts";

const DREAMS = graphql(`query Dreams($after: String) {
  dreams(first: 2, after: $after, orderBy: [{ field: TITLE, direction: ASC }]) {
    nodes { id title createdAt }
    pageInfo { hasNextPage endCursor }
  }
}`);

const CREATE = graphql(`mutation CreateDream($input: CreateDreamInput!) {
  createDream(input: $input) { dream { id title } errors { code message field } }
}`);

export type Dream = DreamsQuery["dreams"]["nodes"][number];

/** Sends an operation. Throws an Error if there is no data, with the message of the gateway. */
export type Request = <R, V>(document: TypedDocumentString<R, V>, variables: V) => Promise<R>;

export function connect(url: string, key: () => string): Request {
  return async (document, variables) => {
    const headers = { authorization: `Bearer ${key()}`, "content-type": "application/json" };
    const body = JSON.stringify({ query: document.toString(), variables });
    const response = await fetch(url, { method: "POST", headers, body });
    const { data, errors } = await response.json();
    if (!data || errors) throw new Error(errors[0].message, { cause: errors });
    return data;
  };
}

/** All dreams, page by page. */
export async function* dreams(request: Request): AsyncGenerator<Dream> {
  let after: string | null | undefined;
  do {
    const { nodes, pageInfo } = (await request(DREAMS, { after })).dreams;
    yield* nodes;
    after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
  } while (after);
}

/** Creates a dream; returns its ID, or the messages of the form by the path of their field. */
export async function createDream(request: Request, input: CreateDreamInput) {
  const { dream, errors } = (await request(CREATE, { input })).createDream;
  if (dream) return { id: dream.id };
  return { messages: Object.fromEntries(errors.map(({ field, message }) => [field?.join(".") ?? "", message])) };
}
