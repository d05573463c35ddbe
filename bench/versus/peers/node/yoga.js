// GraphQL Yoga on node:http, with graphql-jit, DataLoaders and postgres.js.
const { createServer } = require('node:http');
const { useGraphQlJit } = require('@envelop/graphql-jit');
const { createSchema, createYoga } = require('graphql-yoga');
const postgres = require('postgres');
const common = require('./common');

const numeric = { to: 1700, from: [1700], serialize: String, parse: parseFloat };
const sql = postgres({ max: common.POOL_SIZE, prepare: true, types: { numeric } });
const query = (name, values = [], connection = sql) =>
  connection.unsafe(common.sql[name], values, { prepare: true });
const upsert = (key, status, task) => sql.begin(async (transaction) => {
  const [agent] = await query('upsert', [key, status, task], transaction);
  await query('event', [key, { status }], transaction);
  return agent;
});

const yoga = createYoga({
  schema: createSchema({
    typeDefs: common.typeDefs, resolvers: common.resolvers(query, upsert),
  }),
  context: () => ({ loaders: common.loaders(query) }),
  plugins: [useGraphQlJit()],
  parserAndValidationCache: true,
  logging: false,
  graphiql: false,
  landingPage: false,
  batching: false,
  multipart: false,
});
createServer(yoga).listen(common.PORT, '127.0.0.1');
