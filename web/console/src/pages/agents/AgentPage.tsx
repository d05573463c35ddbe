import { useMemo } from "react";
import { useQuery } from "urql";
import { useParams } from "wouter";
import { useReadAgain } from "../../api/live.ts";
import { LineChart } from "../../charts/LineChart.tsx";
import { Time } from "../../format/Time.tsx";
import { duration, percent } from "../../format/numbers.ts";
import { type FragmentType, graphql, read } from "../../gql/index.ts";
import type { AgentStatus } from "../../gql/graphql.ts";
import { Badge } from "../../ui/Badge.tsx";
import { Card } from "../../ui/Card.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Facts } from "../../ui/Facts.tsx";
import { Json } from "../../ui/Json.tsx";
import { LiveBadge } from "../../ui/LiveBadge.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { Page } from "../../ui/Page.tsx";
import { Table } from "../../ui/Table.tsx";
import { AgentErrors } from "./AgentErrors.tsx";
import { StatusTimeline } from "./StatusTimeline.tsx";
import { STATUS_TONES } from "./tones.ts";
import { useReports } from "./useReports.ts";

const AGENT = graphql(`
  query Agent($key: String!) {
    agent(key: $key) {
      id
      key
      createdAt
      status
      isStale
      lastActive
      currentTask
      performanceMetrics
      ...AgentErrors
      history(last: 100) { nodes { ...Report } }
    }
  }
`);

export const REPORT = graphql(`
  fragment Report on AgentReport {
    id seq status previousStatus currentTask performanceMetrics error reportedAt
  }
`);

/** One agent: its status now, its course, and its errors. */
export function AgentPage() {
  const key = decodeURIComponent(useParams()["key"]!);
  const [result, ask] = useQuery({ query: AGENT, variables: { key }, requestPolicy: "cache-and-network" });
  const live = useReports(key);
  useReadAgain(live.starts, result.fetching || result.stale, () => ask({ requestPolicy: "network-only" }));
  const latest = live.value.at(-1);
  return (
    <Page title={key} about="Agent" actions={<LiveBadge state={live.state} />}>
      <Loaded result={result} retry={ask}>
        {({ agent }) => {
          if (!agent) return <Empty title={`There is no agent ${key}.`}>It may have been deleted.</Empty>;
          const status = latest?.status ?? agent.status;
          const task = latest ? latest.currentTask : agent.currentTask;
          return (
            <>
              <Card title="Now">
                <Facts
                  of={[
                    ["Status", <StatusBadge status={status} />],
                    ["Current", agent.isStale && !latest ? <Badge tone="warn">Stale</Badge> : "Yes"],
                    ["Last active", <Time at={latest?.reportedAt ?? agent.lastActive} as="ago" />],
                    ["First report", <Time at={agent.createdAt} />],
                  ]}
                />
                <Json label="Current task" value={task} />
                <Json label="Last measurements" value={latest?.performanceMetrics ?? agent.performanceMetrics} />
              </Card>
              <Course reports={agent.history.nodes} added={live.value} />
              <AgentErrors of={agent} />
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

export function StatusBadge({ status }: { status: AgentStatus }) {
  return <Badge tone={STATUS_TONES[status]}>{status}</Badge>;
}

type Reports = ReturnType<typeof useReports>["value"];

function Course({ reports, added }: { reports: FragmentType<typeof REPORT>[]; added: Reports }) {
  const all = useMemo(() => merged(reports, added), [reports, added]);
  const measured = useMemo(() => measurements(all), [all]);
  if (all.length === 0) return <Empty title="No report is kept any more.">The next report of the agent is shown here when it comes.</Empty>;
  return (
    <>
      <Card title="Statuses"><StatusTimeline reports={all} /></Card>
      {measured.times.length > 1 && (
        <div className="columns">
          <Card title="Response time">
            <LineChart label="Response time" times={measured.times} series={measured.responseTimes} height={200} />
          </Card>
          <Card title="Success rate">
            <LineChart label="Success rate" times={measured.times} series={measured.successRates} range={[0, 100]} height={200} />
          </Card>
        </div>
      )}
      <Table
        name="Newest reports"
        items={[...all].reverse()}
        keyOf={({ id }) => id}
        empty={null}
        columns={[
          { name: "Time", value: ({ reportedAt }) => reportedAt, show: ({ reportedAt }) => <Time at={reportedAt} /> },
          { name: "Status", value: ({ status }) => status, show: ({ status }) => <StatusBadge status={status} /> },
          { name: "Task", value: ({ currentTask }) => currentTask, show: ({ currentTask }) => currentTask ? <code>{JSON.stringify(currentTask)}</code> : "–", isWide: true },
          { name: "Error", value: ({ error }) => error },
        ]}
      />
    </>
  );
}

function merged(reports: FragmentType<typeof REPORT>[], added: Reports): Reports {
  const all = new Map([...reports.map((each) => read(REPORT, each)), ...added].map((each) => [each.id, each]));
  return [...all.values()].sort((one, other) => one.reportedAt.localeCompare(other.reportedAt));
}

function measurements(reports: Reports) {
  const all = reports.map(({ reportedAt, performanceMetrics }) => ({
    time: Date.parse(reportedAt),
    ...(performanceMetrics as { responseTime?: number; successRate?: number }),
  }));
  const known = all.filter(({ responseTime, successRate }) => responseTime !== undefined || successRate !== undefined);
  return {
    times: known.map(({ time }) => time),
    responseTimes: [{ name: "Response time", values: known.map(({ responseTime }) => responseTime ?? null), show: duration }],
    successRates: [{ name: "Success rate", values: known.map(({ successRate }) => successRate ?? null), show: percent, color: "var(--series-2)" }],
  };
}
