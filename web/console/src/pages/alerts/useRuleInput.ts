import { useClient } from "urql";
import { graphql } from "../../gql/index.ts";
import type { AgentCondition, AlertComparison, AlertKind, AlertWatchInput, EventSeverity, MetricAggregate, PreviewAlertRuleInput, SpendOf, WatchedFeed } from "../../gql/graphql.ts";
import type { Outcome } from "../../ui/Form.tsx";

const USER_BY_EMAIL = graphql(`
  query UserByEmail($email: String!) { user(email: $email) { id } }
`);

type Result = { rule: PreviewAlertRuleInput; outcome?: undefined } | { rule?: undefined; outcome: Outcome };

/** Reads what a rule watches, and when it opens an alert, from the values of a form. */
export function useRuleInput(): (values: FormData) => Promise<Result> {
  const client = useClient();
  return async (values) => {
    const email = textOf(values, "email");
    const found = email === "" ? null : await client.query(USER_BY_EMAIL, { email }).toPromise();
    if (found?.error) return { outcome: { error: found.error } };
    if (found && !found.data?.user) return { outcome: { errors: [{ code: "NOT_FOUND", message: "There is no user with this e-mail address.", field: ["userId"] }] } };
    return { rule: ruleOf(values, found?.data?.user?.id) };
  };
}

function ruleOf(values: FormData, userId: string | undefined): PreviewAlertRuleInput {
  return {
    watch: watchOf(values, userId),
    windowMinutes: numberOf(values, "windowMinutes"),
    comparison: textOf(values, "comparison") as AlertComparison,
    threshold: textOf(values, "threshold") || null,
    cooldownMinutes: numberOf(values, "cooldownMinutes") ?? 0,
  };
}

function watchOf(values: FormData, userId: string | undefined): AlertWatchInput {
  const provider = textOf(values, "provider");
  const [eventType, severity] = [textOf(values, "eventType"), textOf(values, "severity") as EventSeverity | ""];
  switch (textOf(values, "kind") as AlertKind) {
    case "SPEND":
      return { spend: { of: textOf(values, "of") as SpendOf, ...(userId && { userId }), ...(provider && { provider }) } };
    case "METRIC":
      return { metric: { metricName: textOf(values, "metricName"), aggregate: textOf(values, "aggregate") as MetricAggregate } };
    case "EVENTS":
      return { events: { ...(eventType && { eventType }), ...(severity && { severity }) } };
    case "AGENTS":
      return { agents: { condition: textOf(values, "condition") as AgentCondition } };
    case "FEED_LAG":
      return { feedLag: { feed: textOf(values, "feed") as WatchedFeed } };
  }
}

function textOf(values: FormData, name: string): string {
  return String(values.get(name) ?? "").trim();
}

function numberOf(values: FormData, name: string): number | null {
  const text = textOf(values, name);
  return text === "" ? null : Number(text);
}
