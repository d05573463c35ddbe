// What the Relay compiler would make of the operations that `drive.ts` asks for.
import type { ConcreteRequest } from "relay-runtime";

type Kind = "query" | "mutation" | "subscription";
type Selection = ReturnType<typeof scalar> | ReturnType<typeof linked>;

const scalar = (name: string) =>
  ({ kind: "ScalarField", alias: null, args: null, name, storageKey: null }) as const;

const linked = (name: string, concreteType: string | null, plural: boolean, selections: unknown[]) =>
  ({ kind: "LinkedField", alias: null, args: null, concreteType, name, plural, selections, storageKey: null }) as const;

export const QUERY = [linked("viewer", "Viewer", false, [scalar("role")])];
export const MUTATION = [linked("reportAgentStatus", "ReportAgentStatusPayload", false, [scalar("__typename")])];
export const HISTORY = [
  linked("agentHistory", "AgentHistoryUpdate", false, [
    scalar("kind"),
    scalar("cursor"),
    scalar("isStale"),
    linked("reports", "AgentReport", true, [scalar("id"), scalar("agentKey"), scalar("status")]),
  ]),
];

export function compiled(text: string, selections: Selection[], variables: string[]): ConcreteRequest {
  const [kind = "", name = ""] = text.split(/\W+/);
  const type = kind.charAt(0).toUpperCase() + kind.slice(1);
  const argumentDefinitions = variables.map((variable) => {
    return { defaultValue: null, kind: "LocalArgument", name: variable };
  });
  return {
    kind: "Request",
    fragment: { argumentDefinitions, kind: "Fragment", metadata: null, name, selections, type, abstractKey: null },
    operation: { argumentDefinitions, kind: "Operation", name, selections },
    params: { cacheID: text, id: null, metadata: {}, name, operationKind: kind as Kind, text },
  } as unknown as ConcreteRequest;
}
