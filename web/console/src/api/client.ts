/** The client of the API: queries and mutations over HTTP, with a normalised cache. */
import { cacheExchange } from "@urql/exchange-graphcache";
import { relayPagination } from "@urql/exchange-graphcache/extras";
import { Client, fetchExchange, mapExchange } from "urql";
import { authorization } from "./credential.ts";
import { GRAPHQL } from "./places.ts";
import { problemOf } from "./problems.ts";

/** Types that are no nodes: they belong to the field that has them. */
const EMBEDDED = [
  "AgentError", "AgentFacets", "AgentWatch", "AlertPreview", "AlertWatch", "AiTestFacets", "AgentStatusFacet", "AiTestStatusFacet", "Budget", "CategoryPerformance",
  "CategoryPerformanceAggregate", "ClientGroup", "ConfidenceInterval",
  "DataRange", "DatabaseConnections", "DatabaseHealth", "DecayPoint",
  "DreamCategoryFacet", "DreamFacets", "DreamStatusFacet",
  "DreamTotals", "EventSeverityFacet", "EventCount", "EventCountAggregate", "EventWatch", "FeedUsage", "FeedWatch", "IndexUsage", "MetricPoint",
  "MetricPointAggregate", "MetricSummary", "MetricSummaryAggregate", "MetricWatch", "ModelComparison",
  "ModelComparisonAggregate", "ModelStatistics", "MyUsage", "PastAlert", "SlowStatement", "Spend", "SpendAggregate",
  "SpendWatch", "Standby", "SystemEventFacets", "TableUsage", "TimeWindow",
];

const PAGED = [
  "aiTests", "alertRules", "alerts", "apiKeys", "auditLog", "configs", "dreams", "events", "featureFlags", "metrics", "users",
  "webhookDeliveries", "webhooks",
];

/** Mutations after which a list has more or fewer rows. */
const CHANGED_LISTS: Record<string, string> = {
  createUser: "users",
  createApiKey: "apiKeys",
  rotateApiKey: "apiKeys",
  revokeApiKey: "apiKeys",
  setConfig: "configs",
  deleteConfig: "configs",
  setFeatureFlag: "featureFlags",
  createAlertRule: "alertRules",
  deleteAlertRule: "alertRules",
  createWebhook: "webhooks",
  deleteWebhook: "webhooks",
};

/** A client of the API. `onRefused` is called when a credential that was accepted is refused. */
export function openClient(onRefused: () => void): Client {
  return new Client({
    url: GRAPHQL,
    preferGetMethod: false,
    fetchOptions: () => ({ headers: authorization() }),
    exchanges: [cache(), refusals(onRefused), fetchExchange],
  });
}

function refusals(onRefused: () => void) {
  let wasAccepted = false;
  return mapExchange({
    onResult({ error }) {
      const isRefused = error !== undefined && problemOf(error).code === "UNAUTHENTICATED";
      if (isRefused && wasAccepted) onRefused();
      wasAccepted = !isRefused;
    },
  });
}

function cache() {
  return cacheExchange({
    keys: Object.fromEntries(EMBEDDED.map((type) => [type, () => null])),
    resolvers: { Query: Object.fromEntries(PAGED.map((field) => [field, relayPagination()])) },
    updates: {
      Mutation: Object.fromEntries(
        Object.entries(CHANGED_LISTS).map(([mutation, field]) => [
          mutation,
          (_result, _args, stored) =>
            stored
              .inspectFields("Query")
              .filter(({ fieldName }) => fieldName === field)
              .forEach(({ fieldKey }) => stored.invalidate("Query", fieldKey)),
        ]),
      ),
    },
  });
}
