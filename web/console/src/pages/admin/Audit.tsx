import { useMemo } from "react";
import { useQuery } from "urql";
import { useParam } from "../../app/useParam.ts";
import { may, useViewer } from "../../app/viewer.ts";
import { Time } from "../../format/Time.tsx";
import { graphql, read } from "../../gql/index.ts";
import type { AuditEntryFilter, AuditRowFragment } from "../../gql/graphql.ts";
import { Choice } from "../../ui/Choice.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { RangeField, useRange } from "../../ui/RangeField.tsx";
import { SearchField } from "../../ui/SearchField.tsx";
import { Table } from "../../ui/Table.tsx";
import { usePages } from "../../ui/usePages.ts";
import { AuditDrawer } from "./AuditDrawer.tsx";

export const AUDIT_ROW = graphql(`
  fragment AuditRow on AuditEntry {
    id operation entity entityId before after requestId createdAt
    actor { id email }
    apiKey { id service prefix }
  }
`);

const AUDIT_LOG = graphql(`
  query AuditLog($filter: AuditEntryFilter, $first: Int!, $after: String) {
    auditLog(filter: $filter, orderBy: [{ field: CREATED_AT, direction: DESC }], first: $first, after: $after) {
      nodes { ...AuditRow }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

const MENUS = graphql(`
  query AuditMenus { auditOperations(first: 1000) auditEntities(first: 1000) }
`);

/** What was changed, when and by whom: administrators see all of it, others what they changed. */
export function Audit() {
  const isAdministrator = may(useViewer(), "ADMIN");
  const range = useRange("30d");
  const [operation, setOperation] = useParam("operation");
  const [entity, setEntity] = useParam("entity");
  const [row, setRow] = useParam("row");
  const [request, setRequest] = useParam("request");
  const [opened, open] = useParam("entry");
  const filter = useMemo<AuditEntryFilter>(
    () => ({
      createdAt: { gte: range.from, ...(range.to && { lte: range.to }) },
      ...(operation && { operation: { eq: operation } }),
      ...(entity && { entity: { eq: entity } }),
      ...(row && { entityId: { eq: row } }),
      ...(request && { requestId: { eq: request } }),
    }),
    [range, operation, entity, row, request],
  );
  const pages = usePages(AUDIT_LOG, { filter }, ({ auditLog }) => ({ ...auditLog, nodes: auditLog.nodes.map((node) => read(AUDIT_ROW, node)) }), "cache-and-network");
  const [{ data: menus }] = useQuery({ query: MENUS, pause: !isAdministrator });
  return (
    <>
      <div className="filters">
        <RangeField initial="30d" />
        {menus && <Choice label="Operation" all="All" options={menus.auditOperations} value={operation} onChange={setOperation} />}
        {menus && <Choice label="Table" all="All" options={menus.auditEntities} value={entity} onChange={setEntity} />}
        <SearchField label="Row ID" value={row} onChange={setRow} />
        <SearchField label="Request ID" value={request} onChange={setRequest} />
      </div>
      <Loaded result={pages.result} retry={pages.ask}>
        {() => {
          const current = pages.items.find(({ id }) => id === opened);
          return (
            <>
              <Table
                name="Audit trail"
                items={pages.items}
                pages={pages}
                keyOf={({ id }) => id}
                columns={[
                  { name: "Time", value: ({ createdAt }) => createdAt, show: ({ id, createdAt }) => <button type="button" className="button small" onClick={() => open(id)}><Time at={createdAt} /></button> },
                  { name: "Who", value: nameOfActor },
                  { name: "Key", value: ({ apiKey }) => apiKey?.prefix, show: ({ apiKey }) => apiKey ? <span title={apiKey.service}><code>{apiKey.prefix}</code></span> : "–" },
                  { name: "Operation", value: ({ operation }) => operation },
                  { name: "Table", value: ({ entity }) => entity },
                  { name: "Row", value: ({ entityId }) => entityId, show: ({ entityId }) => (entityId ? <button type="button" className="button small" onClick={() => setRow(entityId)} title="Show only changes of this row"><code>{shortId(entityId)}</code></button> : "–") },
                  { name: "Before", value: ({ before }) => before, show: ({ before }) => (before === null ? "None: created" : <Values of={before} />) },
                  { name: "After", value: ({ after }) => after, show: ({ after }) => (after === null ? "None: deleted" : <Values of={after} />) },
                  { name: "Request", value: ({ requestId }) => requestId, show: ({ requestId }) => (requestId ? <code title={requestId}>{requestId.slice(0, 8)}</code> : "–") },
                ]}
                empty={<Empty title="Nothing was changed in this time.">Choose a longer time range, or remove a filter.</Empty>}
              />
              {current && <AuditDrawer entry={current} onClose={() => open("")} />}
            </>
          );
        }}
      </Loaded>
    </>
  );
}

export function nameOfActor({ actor, apiKey }: AuditRowFragment): string {
  return actor?.email ?? actor?.id ?? (apiKey ? "A deleted user" : "The gateway");
}

/** The names of the columns that changed. */
export function columnsOf({ before, after }: AuditRowFragment): string[] {
  return [...new Set([...Object.keys((before as object | null) ?? {}), ...Object.keys((after as object | null) ?? {})])];
}

/** The values of columns in one line; the drawer of the entry has all of them. */
function Values({ of }: { of: unknown }) {
  return <code className="values">{JSON.stringify(of)}</code>;
}

function shortId(id: string): string {
  const start = id.lastIndexOf("_") + 1;
  return `${id.slice(0, start + 8)}…`;
}
