import { ApolloClient, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { CREATE, DELETE, DREAMS, EDIT } from "./operations.ts";
import type { Client } from "./scenario.ts";

/** Apollo Client as it is by default: its cache knows no types of the schema. `update` gets a payload
 * as the cache has it, which keeps nothing of a fragment on an interface. */
export function apollo(url: string, authorization: string): Client {
  const cache = new InMemoryCache();
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
