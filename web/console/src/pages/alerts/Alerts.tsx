import { type Part, Parts } from "../../ui/Parts.tsx";
import { AlertList } from "./AlertList.tsx";
import { Deliveries } from "./Deliveries.tsx";
import { Rules } from "./Rules.tsx";
import { Webhooks } from "./Webhooks.tsx";

const OPERATORS = { role: "OPERATOR", scopes: ["alerts:read", "users:read"] } as const;
const PARTS: Part[] = [
  { path: "list", name: "Alerts", show: AlertList, role: "MEMBER", scopes: OPERATORS.scopes },
  { path: "rules", name: "Rules", show: Rules, ...OPERATORS },
  { path: "webhooks", name: "Webhooks", show: Webhooks, ...OPERATORS },
  { path: "deliveries", name: "Deliveries", show: Deliveries, ...OPERATORS },
];

/** Alerts, the rules that open them, and the webhooks that they are sent to. */
export function Alerts() {
  return <Parts title="Alerts" path="/alerts" parts={PARTS} />;
}
