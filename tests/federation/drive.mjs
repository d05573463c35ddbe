// A federated gateway over the API and a subgraph of reviews: node drive.mjs ADDRESS SDL, with a key
// in DREAMNET_KEY and the ID of a dream in DREAM. Prints the result of one operation on both.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { composeServices } from "@apollo/composition";
import { ApolloGateway, RemoteGraphQLDataSource } from "@apollo/gateway";
import { buildSubgraphSchema } from "@apollo/subgraph";
import { graphql, parse } from "graphql";

const [address, file] = process.argv.slice(2);
const reviews = parse(`
  extend schema
    @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"])
  type Dream @key(fields: "id") { id: ID! reviews(first: Int = 1): [Review!]! }
  type Review { text: String! dream: Dream }
  type PageInfo @shareable { hasNextPage: Boolean! }
  type Query { reviews: [Review!]! reviewsOfNothing: Review }
`);
const all = [{ text: "Bold.", dream: { __typename: "Dream", id: process.env.DREAM } }];
const missing = { text: "Gone.", dream: { __typename: "Dream", id: `dream_${"0".repeat(32)}` } };
const schema = buildSubgraphSchema({
  typeDefs: reviews,
  resolvers: {
    Query: { reviews: () => all, reviewsOfNothing: () => missing },
    Dream: { reviews: (dream) => all.filter((each) => each.dream.id === dream.id) },
  },
});

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { query, variables } = JSON.parse(Buffer.concat(chunks).toString());
  const result = await graphql({ schema, source: query, variableValues: variables });
  response.setHeader("content-type", "application/json").end(JSON.stringify(result));
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));

const { errors, supergraphSdl } = composeServices([
  { name: "dreams", url: `${address}/graphql`, typeDefs: parse(readFileSync(file, "utf8")) },
  { name: "reviews", url: `http://127.0.0.1:${server.address().port}`, typeDefs: reviews },
]);
if (errors) throw new Error(errors.join("\n"));

class Signed extends RemoteGraphQLDataSource {
  willSendRequest({ request }) {
    request.http.headers.set("authorization", `Bearer ${process.env.DREAMNET_KEY}`);
  }
}
const gateway = new ApolloGateway({ supergraphSdl, buildService: ({ url }) => new Signed({ url }) });
const { executor } = await gateway.load();
const query = `{
  dreams(first: 1) { nodes { title reviews { text } } pageInfo { hasNextPage } }
  reviews { text dream { id title } }
  reviewsOfNothing { text dream { title } }
}`;
const result = await executor({
  request: { query },
  document: parse(query),
  operation: parse(query).definitions[0],
  operationName: null,
  queryHash: "",
  context: {},
  cache: new Map(),
  logger: console,
  metrics: {},
  schema: gateway.schema,
});
console.log(JSON.stringify(result));
server.close();
await gateway.stop();
