import { type Part, Parts } from "../../ui/Parts.tsx";
import { Audit } from "./Audit.tsx";
import { Flags } from "./Flags.tsx";
import { Keys } from "./Keys.tsx";
import { Settings } from "./Settings.tsx";
import { System } from "./System.tsx";
import { Users } from "./Users.tsx";

const PARTS: Part[] = [
  { path: "keys", name: "Keys", show: Keys, role: "MEMBER" },
  { path: "users", name: "Users", show: Users, role: "OPERATOR", scopes: ["users:read"] },
  { path: "settings", name: "Settings", show: Settings, role: "OPERATOR", scopes: ["config:read"] },
  { path: "flags", name: "Flags", show: Flags, role: "OPERATOR", scopes: ["config:read"] },
  { path: "audit", name: "Audit trail", show: Audit, role: "MEMBER", scopes: ["audit:read"] },
  { path: "system", name: "System", show: System, role: "OPERATOR", scopes: ["usage:read"] },
];

/** Keys, users, settings, flags, the audit trail and the database: what the viewer's role may see of them. */
export function Admin() {
  return <Parts title="Admin" path="/admin" parts={PARTS} />;
}
