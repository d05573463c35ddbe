// Shared by Mercurius, Apollo and Yoga: schema, statements, scalars and DataLoaders. The database
// is that of PGHOST, PGPORT, PGUSER and PGDATABASE.
const DataLoader = require('dataloader');
const { GraphQLScalarType } = require('graphql');

exports.PORT = Number(process.env.PORT);
exports.POOL_SIZE = 10;

exports.typeDefs = `
  scalar DateTime
  scalar JSON
  type User { id: ID! email: String! passportTier: String! createdAt: DateTime! }
  type AITest {
    id: ID! provider: String! model: String! impossibilityScore: Float confidence: Float
    duration: Int tokensUsed: Int cost: Float status: String! createdAt: DateTime!
  }
  type ProgressLog {
    id: ID! averageImpossibility: Float bestScore: Float testCount: Int activeModels: [String!]
    improvementTrend: Float createdAt: DateTime!
  }
  type Dream {
    id: ID! title: String! description: String category: String! tags: [String!]!
    isPublic: Boolean! status: String! createdAt: DateTime! updatedAt: DateTime! user: User!
    aiTests(limit: Int = 10): [AITest!]! progressLogs(limit: Int = 10): [ProgressLog!]!
  }
  type AgentState {
    id: ID! agentKey: String! status: String! lastActive: DateTime currentTask: JSON
    performanceMetrics: JSON createdAt: DateTime! updatedAt: DateTime!
  }
  type Query { dream(id: ID!): Dream dreams(limit: Int = 20): [Dream!]! agents: [AgentState!]! }
  type Mutation { updateAgentStatus(key: String!, status: String!, task: JSON): AgentState! }
`;

const DREAM = `id, user_id as "userId", title, description, category, tags,
  is_public as "isPublic", status, created_at as "createdAt", updated_at as "updatedAt"`;
const USER = 'id, email, passport_tier as "passportTier", created_at as "createdAt"';
const TEST = `t.id, t.dream_id as "dreamId", t.provider, t.model,
  t.impossibility_score as "impossibilityScore", t.confidence, t.duration,
  t.tokens_used as "tokensUsed", t.cost, t.status, t.created_at as "createdAt"`;
const LOG = `t.id, t.dream_id as "dreamId", t.average_impossibility as "averageImpossibility",
  t.best_score as "bestScore", t.test_count as "testCount", t.active_models as "activeModels",
  t.improvement_trend as "improvementTrend", t.created_at as "createdAt"`;
const AGENT = `id, agent_key as "agentKey", status, last_active as "lastActive",
  current_task as "currentTask", performance_metrics as "performanceMetrics",
  created_at as "createdAt", updated_at as "updatedAt"`;

// The newest $2 rows of each of many dreams.
const latest = (columns, table) => `select ${columns} from unnest($1::uuid[]) k(id)
  cross join lateral (
    select * from ${table} a where a.dream_id = k.id order by a.created_at desc limit $2
  ) t`;

const sql = exports.sql = {
  dream: `select ${DREAM} from dreams where id = $1`,
  dreams: `select ${DREAM} from dreams where status = 'ACTIVE' order by created_at desc limit $1`,
  users: `select ${USER} from users where id = any($1::uuid[])`,
  tests: latest(TEST, 'ai_tests'),
  logs: latest(LOG, 'progress_logs'),
  agents: `select ${AGENT} from agent_states order by agent_key`,
  upsert: `insert into agent_states (agent_key, status, last_active, current_task)
    values ($1, $2, now(), $3)
    on conflict (agent_key) do update set status = excluded.status,
      last_active = excluded.last_active, current_task = excluded.current_task, updated_at = now()
    returning ${AGENT}`,
  event: `insert into system_events (event_type, source, severity, payload)
    values ('agent.status', $1, 'INFO', $2)`,
};

const isoTime = (value) => (value instanceof Date ? value.toISOString() : value);
exports.scalars = {
  DateTime: new GraphQLScalarType({ name: 'DateTime', serialize: isoTime }),
  JSON: new GraphQLScalarType({
    name: 'JSON', serialize: (value) => value, parseValue: (value) => value,
  }),
};

// Prepared statements through node-postgres, and the upsert in a transaction.
exports.nodePostgres = () => {
  const pg = require('pg');
  pg.types.setTypeParser(pg.types.builtins.NUMERIC, parseFloat);
  const size = exports.POOL_SIZE;
  const pool = new pg.Pool({ max: size, min: size, idleTimeoutMillis: 0 });
  const query = async (name, values = [], client = pool) =>
    (await client.query({ name, text: sql[name], values })).rows;
  const upsert = async (key, status, task) => {
    const client = await pool.connect();
    try {
      await client.query('begin');
      const [agent] = await query('upsert', [key, status, JSON.stringify(task)], client);
      await query('event', [key, JSON.stringify({ status })], client);
      await client.query('commit');
      return agent;
    } catch (error) {
      await client.query('rollback');
      throw error;
    } finally {
      client.release();
    }
  };
  return { query, upsert };
};

exports.grouped = (keys, rows, column) => {
  const groups = new Map(keys.map((key) => [key, []]));
  for (const row of rows) groups.get(row[column]).push(row);
  return keys.map((key) => groups.get(key));
};

exports.inOrder = (keys, rows) => {
  const byId = new Map(rows.map((row) => [row.id, row]));
  return keys.map((key) => byId.get(key));
};

// The DataLoaders of one request.
exports.loaders = (query) => {
  const newest = (name) => {
    const byLimit = new Map();
    const loader = (limit) => new DataLoader(
      async (ids) => exports.grouped(ids, await query(name, [ids, limit]), 'dreamId'));
    return (id, limit) => {
      if (!byLimit.has(limit)) byLimit.set(limit, loader(limit));
      return byLimit.get(limit).load(id);
    };
  };
  const users = new DataLoader(
    async (ids) => exports.inOrder(ids, await query('users', [ids])));
  return { user: (id) => users.load(id), tests: newest('tests'), logs: newest('logs') };
};

// Resolvers with DataLoaders in the context, for Apollo and Yoga.
exports.resolvers = (query, upsert) => ({
  ...exports.scalars,
  Query: {
    dream: async (_, { id }) => (await query('dream', [id]))[0],
    dreams: (_, { limit }) => query('dreams', [limit]),
    agents: () => query('agents'),
  },
  Mutation: { updateAgentStatus: (_, { key, status, task }) => upsert(key, status, task) },
  Dream: {
    user: (dream, _, { loaders }) => loaders.user(dream.userId),
    aiTests: (dream, { limit }, { loaders }) => loaders.tests(dream.id, limit),
    progressLogs: (dream, { limit }, { loaders }) => loaders.logs(dream.id, limit),
  },
});
