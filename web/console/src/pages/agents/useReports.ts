import { useMemo } from "react";
import { useSubscriptionState } from "../../api/live.ts";
import { graphql, read } from "../../gql/index.ts";
import type { ReportFragment } from "../../gql/graphql.ts";
import { REPORT } from "./AgentPage.tsx";

const REPORTS_LIVE = graphql(`
  subscription ReportsLive($keys: [String!]!, $after: String) {
    agentHistory(keys: $keys, after: $after) { kind cursor isStale reports { ...Report } }
  }
`);

const NONE: ReportFragment[] = [];
const MOST = 200;

/** The reports of an agent since the page was opened. */
export function useReports(key: string) {
  const variables = useMemo(() => ({ keys: [key] }), [key]);
  return useSubscriptionState(REPORTS_LIVE, variables, NONE, (reports, { agentHistory }) =>
    agentHistory.reports.length === 0
      ? reports
      : [...reports, ...agentHistory.reports.map((each) => read(REPORT, each))].slice(-MOST),
  );
}
