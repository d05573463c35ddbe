import { Time } from "../../format/Time.tsx";
import type { AuditRowFragment } from "../../gql/graphql.ts";
import { Drawer } from "../../ui/Drawer.tsx";
import { Facts } from "../../ui/Facts.tsx";
import { columnsOf, nameOfActor } from "./Audit.tsx";

/** One change: who made it, and each column before and after it. */
export function AuditDrawer({ entry, onClose }: { entry: AuditRowFragment; onClose: () => void }) {
  const { operation, entity, entityId, requestId, createdAt, apiKey, before, after } = entry;
  return (
    <Drawer title={operation} onClose={onClose}>
      <Facts
        of={[
          ["Time", <Time at={createdAt} />],
          ["Who", nameOfActor(entry)],
          ["Key", apiKey && `${apiKey.service}, ${apiKey.prefix}`],
          ["Table", entity],
          ["Row", entityId],
          ["Request", requestId],
        ]}
      />
      <div className="scroll plain" tabIndex={0} role="region" aria-label="Columns before and after">
        <table>
          <thead>
            <tr><th>Column</th><th>Before</th><th>After</th></tr>
          </thead>
          <tbody>
            {columnsOf(entry).map((name) => (
              <tr key={name}>
                <td>{name}</td>
                <td><Value of={before} name={name} /></td>
                <td><Value of={after} name={name} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Drawer>
  );
}

function Value({ of, name }: { of: unknown; name: string }) {
  const values = (of ?? {}) as Record<string, unknown>;
  return name in values ? <code className="whole">{JSON.stringify(values[name])}</code> : "–";
}
