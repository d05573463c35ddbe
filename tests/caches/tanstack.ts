import { InfiniteQueryObserver, MutationObserver, QueryClient, QueryObserver } from "@tanstack/query-core";
import type { ResultOf, TadaDocumentNode } from "gql.tada";
import { GraphQLClient } from "graphql-request";
import { graphql } from "./graphql.ts";
import type { Client } from "./scenario.ts";

const DREAMS = graphql(`query Dreams { dreams(first: 10) { nodes { id title } } }`);
const MODELS = graphql(`query Models($after: String) {
  aiModels(first: 2, after: $after, orderBy: [{ field: NAME, direction: ASC }]) {
    nodes { id name }
    pageInfo { hasNextPage endCursor }
  }
}`);
const CREATE = graphql(`mutation Create($input: CreateDreamInput!) {
  createDream(input: $input) { dream { id title } errors { code message field } }
}`);
const EDIT = graphql(`mutation Edit($input: EditDreamInput!) {
  editDream(input: $input) { dream { id title } errors { message } }
}`);
const DELETE = graphql(`mutation Delete($input: DreamInput!) {
  deleteDream(input: $input) { deletedDreamId errors { message } }
}`);

/** TanStack Query with graphql-request. A query that is shown is read again after each mutation. */
export function tanstack(url: string, authorization: string): Client {
  const http = new GraphQLClient(url, { headers: { authorization } });
  const queries = new QueryClient();
  const dreams = { queryKey: ["dreams"], queryFn: () => http.request(DREAMS) };
  const mutate = async <R, V extends { input: object }>(document: TadaDocumentNode<R, V>, variables: V) => {
    const mutation = new MutationObserver(queries, {
      mutationFn: (given: V) => http.request<R>(document, given),
      onSuccess: () => queries.invalidateQueries({ queryKey: ["dreams"] }),
    });
    return await mutation.mutate(variables);
  };
  return {
    load: () => {
      new QueryObserver(queries, dreams).subscribe(() => {});
      return queries.ensureQueryData(dreams);
    },
    titles: () => {
      const shown = queries.getQueryData<ResultOf<typeof DREAMS>>(dreams.queryKey);
      return shown?.dreams.nodes.map(({ title }) => title) ?? [];
    },
    pages: async () => {
      const observer = new InfiniteQueryObserver(queries, {
        queryKey: ["models"],
        queryFn: ({ pageParam }) => http.request(MODELS, { after: pageParam }),
        initialPageParam: null as string | null,
        getNextPageParam: ({ aiModels: { pageInfo } }) => (pageInfo.hasNextPage ? pageInfo.endCursor : null),
      });
      const shown: string[][] = [];
      for (await observer.refetch(); ; await observer.fetchNextPage()) {
        const { data, hasNextPage } = observer.getCurrentResult();
        shown.push(data?.pages.flatMap(({ aiModels }) => aiModels.nodes.map(({ name }) => name)) ?? []);
        if (!hasNextPage) return shown;
      }
    },
    create: async (title) => (await mutate(CREATE, { input: { title } })).createDream,
    edit: (id, title) => mutate(EDIT, { input: { id, title } }),
    remove: async (id) => (await mutate(DELETE, { input: { id } })).deleteDream,
  };
}

