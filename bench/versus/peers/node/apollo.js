// Apollo Server on Fastify, with DataLoaders.
const { ApolloServer } = require('@apollo/server');
const { fastifyApolloDrainPlugin, fastifyApolloHandler } = require('@as-integrations/fastify');
const common = require('./common');

const { query, upsert } = common.nodePostgres();

async function main() {
  const app = require('fastify')({ logger: false });
  const server = new ApolloServer({
    typeDefs: common.typeDefs,
    resolvers: common.resolvers(query, upsert),
    introspection: false,
    csrfPrevention: true,
    plugins: [fastifyApolloDrainPlugin(app)],
  });
  await server.start();
  const context = async () => ({ loaders: common.loaders(query) });
  app.route({
    url: '/graphql', method: ['GET', 'POST'], handler: fastifyApolloHandler(server, { context }),
  });
  await app.listen({ host: '127.0.0.1', port: common.PORT });
}

main();
