// Mercurius on Fastify: compiled operations (jit) and its own loaders.
const common = require('./common');

const { query, upsert } = common.nodePostgres();
const { Query, Mutation } = common.resolvers(query, upsert);
const uncached = { cache: false };

const newest = (name) => ({
  async loader(queries) {
    const ids = queries.map(({ obj }) => obj.id);
    const { limit } = queries[0].params; // one field of a document has one limit
    return common.grouped(ids, await query(name, [ids, limit]), 'dreamId');
  },
  opts: uncached,
});

const user = {
  async loader(queries) {
    const ids = queries.map(({ obj }) => obj.userId);
    return common.inOrder(ids, await query('users', [[...new Set(ids)]]));
  },
  opts: uncached,
};

const app = require('fastify')({ logger: false });
app.register(require('mercurius'), {
  schema: common.typeDefs,
  resolvers: { ...common.scalars, Query, Mutation },
  loaders: { Dream: { user, aiTests: newest('tests'), progressLogs: newest('logs') } },
  jit: 1,
  graphiql: false,
});
app.listen({ host: '127.0.0.1', port: common.PORT });
