// PostGraphile: the schema is read from the tables; Grafserv on node:http, as its documentation
// advises for production.
import { createServer } from 'node:http';
import { postgraphile } from 'postgraphile';
import { makePgService } from 'postgraphile/adaptors/pg';
import { grafserv } from 'postgraphile/grafserv/node';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';

const port = Number(process.env.PORT);
const { PGHOST, PGUSER, PGDATABASE } = process.env;
const instance = postgraphile({
  extends: [PostGraphileAmberPreset],
  pgServices: [makePgService({
    connectionString: `postgres://${PGUSER}@/${PGDATABASE}?host=${encodeURIComponent(PGHOST)}`,
    schemas: ['peers'],
    poolConfig: { max: 10, min: 10, idleTimeoutMillis: 0 },
  })],
  schema: { defaultBehavior: '+connection +list', dontSwallowErrors: true },
  grafserv: {
    port, host: '127.0.0.1', graphqlPath: '/graphql', graphiql: false, websockets: false,
    watch: false,
  },
  grafast: { explain: false },
});
const server = createServer();
await instance.createServ(grafserv).addTo(server);
server.listen(port, '127.0.0.1');
