// Apollo Client with automatic persisted queries: node apollo-persisted.ts ADDRESS, with a key in
// DREAMNET_KEY. Prints what each of two equal clients sent, and the data that it got.
import { createHash } from "node:crypto";
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";

const query = gql`query Models { aiModels(first: 1) { nodes { id name } } }`;
const headers = { authorization: `Bearer ${process.env.DREAMNET_KEY}` };

async function client(useGETForHashedQueries: boolean): Promise<unknown> {
  const sent: unknown[] = [];
  const noted: typeof fetch = async (address, init) => {
    const response = await fetch(address, init);
    sent.push([init?.method, String(init?.body ?? address).includes("Models {"), response.status]);
    return response;
  };
  const link = ApolloLink.from([
    new PersistedQueryLink({
      sha256: (text: string) => createHash("sha256").update(text).digest("hex"),
      useGETForHashedQueries,
    }),
    new HttpLink({ uri: `${process.argv[2]}/graphql`, headers, fetch: noted }),
  ]);
  const { data } = await new ApolloClient({ link, cache: new InMemoryCache() }).query({ query });
  return { sent, data };
}

console.log(JSON.stringify([await client(false), await client(false), await client(true)]));
