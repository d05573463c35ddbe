import type { ComponentType } from "react";
import { Link, useParams } from "wouter";
import type { Role } from "../../gql/graphql.ts";
import { may, useViewer } from "../../app/viewer.ts";
import { Empty } from "../../ui/Empty.tsx";
import { Page } from "../../ui/Page.tsx";
import { Audit } from "./Audit.tsx";
import { Flags } from "./Flags.tsx";
import { Keys } from "./Keys.tsx";
import { Settings } from "./Settings.tsx";
import { System } from "./System.tsx";
import { Users } from "./Users.tsx";

const PARTS: [string, string, ComponentType, Role, string | undefined][] = [
  ["keys", "Keys", Keys, "MEMBER", undefined],
  ["users", "Users", Users, "OPERATOR", "users:read"],
  ["settings", "Settings", Settings, "OPERATOR", "config:read"],
  ["flags", "Flags", Flags, "OPERATOR", "config:read"],
  ["audit", "Audit trail", Audit, "MEMBER", "audit:read"],
  ["system", "System", System, "OPERATOR", "usage:read"],
];

/** Keys, users, settings, flags, the audit trail and the database: what the viewer's role may see of them. */
export function Admin() {
  const viewer = useViewer();
  const parts = PARTS.filter(([, , , role, scope]) => may(viewer, role, scope));
  const { part = parts[0]?.[0] } = useParams<{ part?: string }>();
  const Part = parts.find(([name]) => name === part)?.[2];
  return (
    <Page title="Admin">
      <nav className="subpages" aria-label="Parts of Admin">
        {parts.map(([name, text]) => (
          <Link key={name} href={`/admin/${name}`} aria-current={name === part ? "page" : undefined}>{text}</Link>
        ))}
      </nav>
      {Part ? <Part /> : <Empty title="There is no such page for you.">Choose one above, or ask an administrator for another role.</Empty>}
    </Page>
  );
}
