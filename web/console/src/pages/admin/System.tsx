import { useQuery } from "urql";
import { bytes, count, duration, number, percent } from "../../format/numbers.ts";
import { Time } from "../../format/Time.tsx";
import { graphql } from "../../gql/index.ts";
import { Card } from "../../ui/Card.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Facts } from "../../ui/Facts.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { Table } from "../../ui/Table.tsx";
import { useRefresh } from "../../ui/useRefresh.ts";

const SYSTEM = graphql(`
  query System {
    usage { name rows totalBytes tableBytes indexBytes partitions }
    databaseHealth {
      version
      startedAt
      cacheHitRatio
      databaseBytes
      slowStatementsUnavailable
      connections { open active idle max }
      clientGroups { application state connections longestSeconds }
      feeds { name first last }
      replication { applicationName state syncState lagBytes lagSeconds }
      indexUsage { table index scans rowsRead bytes }
      slowStatements { query calls totalMs meanMs rows }
    }
  }
`);

/** The database: its size, its connections, and what is slow. */
export function System() {
  const [result, ask] = useQuery({ query: SYSTEM });
  useRefresh(30, ask);
  return (
    <Loaded result={result} retry={ask}>
      {({ usage, databaseHealth: health }) => (
        <>
          <Card title="Database">
            <Facts
              of={[
                ["PostgreSQL", health.version],
                ["Started", <Time at={health.startedAt} />],
                ["Size", bytes(health.databaseBytes)],
                ["Read from memory", health.cacheHitRatio == null ? "–" : percent(health.cacheHitRatio * 100)],
                ["Connections", `${count(health.connections.open)} of ${count(health.connections.max)}`],
                ["Active, idle", `${count(health.connections.active)}, ${count(health.connections.idle)}`],
              ]}
            />
          </Card>
          <Table
            name="Tables"
            items={usage}
            sortParam="tables"
            keyOf={({ name }) => name}
            empty={<Empty title="There are no tables.">Bring the database up to date with <code>dreamnet migrate up</code>.</Empty>}
            columns={[
              { name: "Name", value: ({ name }) => name },
              { name: "Rows, about", isNumber: true, value: ({ rows }) => rows, show: ({ rows }) => count(rows) },
              { name: "Size", isNumber: true, unit: "bytes", value: ({ totalBytes }) => totalBytes, show: ({ totalBytes }) => bytes(totalBytes) },
              { name: "Table", isNumber: true, unit: "bytes", value: ({ tableBytes }) => tableBytes, show: ({ tableBytes }) => bytes(tableBytes) },
              { name: "Indexes", isNumber: true, unit: "bytes", value: ({ indexBytes }) => indexBytes, show: ({ indexBytes }) => bytes(indexBytes) },
              { name: "Partitions", isNumber: true, value: ({ partitions }) => partitions },
            ]}
          />
          <div className="columns">
            <Table
              name="Connections"
              items={health.clientGroups}
              sortParam="connections"
              empty={<Empty title="No connection is open.">This page asks again every 30 seconds.</Empty>}
              keyOf={({ application, state }) => `${application} ${state}`}
              columns={[
                { name: "Application", isWide: true, value: ({ application }) => application },
                { name: "State", value: ({ state }) => state },
                { name: "Connections", isNumber: true, value: ({ connections }) => connections },
                { name: "Longest", isNumber: true, unit: "seconds", value: ({ longestSeconds }) => longestSeconds, show: ({ longestSeconds }) => duration(longestSeconds == null ? null : longestSeconds * 1000) },
              ]}
            />
            <Table
              name="Feeds"
              items={health.feeds}
              sortParam="feeds"
              empty={<Empty title="There are no feeds.">Bring the database up to date with <code>dreamnet migrate up</code>.</Empty>}
              keyOf={({ name }) => name}
              columns={[
                { name: "Name", value: ({ name }) => name },
                { name: "Oldest row", isNumber: true, value: ({ first }) => first, show: ({ first }) => count(first) },
                { name: "Newest row", isNumber: true, value: ({ last }) => last, show: ({ last }) => count(last) },
                { name: "Kept", isNumber: true, value: keptOf, show: (feed) => count(keptOf(feed)) },
              ]}
            />
          </div>
          <Table
            name="Slow statements"
            items={health.slowStatements ?? []}
            sortParam="slow"
            keyOf={({ query }) => query}
            columns={[
              { name: "Statement", isWide: true, value: ({ query }) => query, show: ({ query }) => <code>{query}</code> },
              { name: "Calls", isNumber: true, value: ({ calls }) => calls, show: ({ calls }) => count(calls) },
              { name: "Average", isNumber: true, unit: "ms", value: ({ meanMs }) => meanMs, show: ({ meanMs }) => `${number(meanMs)} ms` },
              { name: "Together", isNumber: true, unit: "ms", value: ({ totalMs }) => totalMs, show: ({ totalMs }) => duration(totalMs) },
              { name: "Rows", isNumber: true, value: ({ rows }) => rows, show: ({ rows }) => count(rows) },
            ]}
            empty={<Empty title="Slow statements are not known.">{health.slowStatementsUnavailable}</Empty>}
          />
          <Table
            name="Indexes"
            items={health.indexUsage}
            sortParam="indexes"
            empty={<Empty title="There are no indexes.">Bring the database up to date with <code>dreamnet migrate up</code>.</Empty>}
            keyOf={({ index }) => index}
            columns={[
              { name: "Index", isWide: true, value: ({ index }) => index },
              { name: "Table", value: ({ table }) => table },
              { name: "Scans", isNumber: true, value: ({ scans }) => scans, show: ({ scans }) => count(scans) },
              { name: "Rows read", isNumber: true, value: ({ rowsRead }) => rowsRead, show: ({ rowsRead }) => count(rowsRead) },
              { name: "Size", isNumber: true, unit: "bytes", value: (each) => each.bytes, show: (each) => bytes(each.bytes) },
            ]}
          />
          {health.replication.length > 0 && (
            <Table
              name="Standbys"
              items={health.replication}
              sortParam="standbys"
              empty={null}
              keyOf={({ applicationName }) => applicationName}
              columns={[
                { name: "Name", value: ({ applicationName }) => applicationName },
                { name: "State", value: ({ state }) => state },
                { name: "Synchronous", value: ({ syncState }) => syncState },
                { name: "Behind", isNumber: true, unit: "bytes", value: ({ lagBytes }) => lagBytes, show: ({ lagBytes }) => bytes(lagBytes) },
                { name: "Seconds", isNumber: true, value: ({ lagSeconds }) => lagSeconds },
              ]}
            />
          )}
        </>
      )}
    </Loaded>
  );
}

function keptOf({ first, last }: { first: string; last?: string | null }): number {
  return last == null ? 0 : Number(BigInt(last) - BigInt(first)) + 1;
}
