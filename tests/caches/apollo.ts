import { ApolloClient, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { relayStylePagination } from "@apollo/client/utilities";
import { CREATE, DELETE, DREAMS, EDIT, MODELS } from "./operations.ts";
import type { Client } from "./scenario.ts";

/** Apollo Client with a policy for pages; its cache knows no types of the schema. `update` gets a payload
 * as the cache has it, which keeps nothing of a fragment on an interface. */
export function apollo(url: string, authorization: string): Client {
  const cache = new InMemoryCache({
    typePolicies: { Query: { fields: { aiModels: relayStylePagination(["orderBy"]) } } },
  });
  const client = new ApolloClient({
    cache,
    link: new HttpLink({ uri: url, headers: { authorization } }),
  });
  const query = gql(DREAMS);
  const mutate = async (text: string, input: object, change?: (payload: any) => void) => {
    let shown: any;
    await client.mutate<any>({
      mutation: gql(text),
      variables: { input },
      update(_, { data }) {
        [shown] = Object.values(data);
        change?.(shown);
      },
    });
    return shown;
  };
  return {
    load: () => client.query({ query }),
    titles: () => cache.readQuery<any>({ query }).dreams.nodes.map((dream: any) => dream.title),
    pages: async () => {
      await client.query({ query: gql(MODELS) });
      const models = client.watchQuery<any>({ query: gql(MODELS) });
      models.subscribe(() => {});
      const shown: string[][] = [];
      while (true) {
        const { edges, pageInfo } = cache.readQuery<any>({ query: gql(MODELS) }).aiModels;
        shown.push(edges.map(({ node }: any) => node.name));
        if (!pageInfo.hasNextPage) return shown;
        await models.fetchMore({ variables: { after: pageInfo.endCursor } });
      }
    },
    create: (title) =>
      mutate(CREATE, { title }, ({ dream }) => {
        if (!dream) return;
        cache.updateQuery<any>({ query }, ({ dreams }) => {
          return { dreams: { ...dreams, nodes: [dream, ...dreams.nodes] } };
        });
      }),
    edit: (id, title) => mutate(EDIT, { id, title }),
    remove: (id) =>
      mutate(DELETE, { id }, ({ deletedDreamId: id }) => {
        if (id) cache.evict({ id: cache.identify({ __typename: "Dream", id }) });
      }),
  };
}
