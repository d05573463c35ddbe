import { Client as UrqlClient, fetchExchange } from "@urql/core";
import { type Cache, cacheExchange } from "@urql/exchange-graphcache";
import { relayPagination } from "@urql/exchange-graphcache/extras";
import { CREATE, DELETE, DREAMS, EDIT, MODELS } from "./operations.ts";
import type { Client, Dream } from "./scenario.ts";

/** urql with its normalized cache, which has no schema. */
export function urql(url: string, authorization: string): Client {
  const cache = cacheExchange({
    keys: { DreamConnection: () => null, UserError: () => null },
    resolvers: { Query: { aiModels: relayPagination() } },
    updates: {
      Mutation: {
        createDream({ createDream: { dream } }: any, _arguments, cache) {
          if (dream) change(cache, (nodes) => [dream, ...nodes]);
        },
        deleteDream({ deleteDream: { deletedDreamId } }: any, _arguments, cache) {
          change(cache, (nodes) => nodes.filter(({ id }) => id !== deletedDreamId));
        },
      },
    },
  });
  const client = new UrqlClient({
    url,
    fetchOptions: { headers: { authorization } },
    preferGetMethod: false,
    exchanges: [cache, fetchExchange],
  });
  const cacheOnly = { requestPolicy: "cache-only" } as const;
  const mutate = async (text: string, input: object) => {
    const { data, error } = await client.mutation(text, { input }).toPromise();
    if (error) throw error;
    return Object.values(data)[0] as any;
  };
  return {
    load: () => client.query(DREAMS, {}).toPromise(),
    titles: () => {
      const found = client.readQuery(DREAMS, {}, cacheOnly);
      return found?.data?.dreams.nodes.map((dream: any) => dream.title);
    },
    pages: async () => {
      const shown: string[][] = [];
      let after: string | undefined;
      while (true) {
        const { data } = await client.query(MODELS, { after }).toPromise();
        shown.push(data.aiModels.edges.map(({ node }: any) => node.name));
        if (!data.aiModels.pageInfo.hasNextPage) return shown;
        after = data.aiModels.pageInfo.endCursor;
      }
    },
    create: (title) => mutate(CREATE, { title }),
    edit: (id, title) => mutate(EDIT, { id, title }),
    remove: (id) => mutate(DELETE, { id }),
  };
}

function change(cache: Cache, nodes: (before: Dream[]) => Dream[]): void {
  cache.updateQuery({ query: DREAMS }, (data: any) => {
    return { dreams: { ...data.dreams, nodes: nodes(data.dreams.nodes) } };
  });
}
