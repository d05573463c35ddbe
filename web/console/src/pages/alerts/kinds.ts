/** What rules watch, in words. */
import type { AlertComparison, AlertKind, RuleFragment } from "../../gql/graphql.ts";
import { count, duration, inWords } from "../../format/numbers.ts";

export const KINDS: readonly (readonly [AlertKind, string])[] = [
  ["SPEND", "Spend"],
  ["METRIC", "A metric"],
  ["EVENTS", "Events"],
  ["AGENTS", "Agents"],
  ["FEED_LAG", "Lag of a feed"],
];

export const COMPARISONS: readonly (readonly [AlertComparison, string])[] = [
  ["GT", "is greater than"],
  ["GTE", "is at least"],
  ["LT", "is less than"],
  ["LTE", "is at most"],
];
const SIGNS: Record<AlertComparison, string> = { GT: ">", GTE: "≥", LT: "<", LTE: "≤" };

const MINUTE = 60_000; // milliseconds

/** What a rule watches, such as "Spend of each user". */
export function watchInWords({ spend, metric, events, agents, feedLag }: RuleFragment["watch"]): string {
  if (spend) return `Spend of ${spend.of === "ALL" ? "all" : (spend.user?.email ?? spend.user?.id ?? spend.provider ?? `each ${spend.of.toLowerCase()}`)}`;
  if (metric) return `${inWords(metric.aggregate)} of ${metric.metricName}`;
  if (events) return ["Events", events.eventType, events.severity && `of severity ${events.severity}`].filter(Boolean).join(" ");
  if (agents) return agents.condition === "ERROR" ? "Agents in ERROR" : "Stale agents";
  return `Seconds of lag of the feed ${feedLag?.feed ?? ""}`;
}

/** When a rule opens an alert, such as "> 10 in 1 h". */
export function conditionInWords({ kind, comparison, threshold, windowMinutes }: RuleFragment): string {
  const limit = threshold == null ? "the budget" : String(Number(threshold));
  const window = windowMinutes == null ? (kind === "SPEND" ? "this month" : "now") : `in ${duration(windowMinutes * MINUTE)}`;
  return `${SIGNS[comparison]} ${limit} ${window}`;
}

export function minutesInWords(minutes: number): string {
  return minutes === 0 ? "None" : minutes < 60 ? `${count(minutes)} min` : duration(minutes * MINUTE);
}
