import { memo } from "react";
import { Link } from "wouter";
import { Time } from "../../format/Time.tsx";
import { type FragmentType, graphql, read } from "../../gql/index.ts";
import { percent, duration } from "../../format/numbers.ts";
import { STATUS_TONES } from "./tones.ts";

export const AGENT_CARD = graphql(`
  fragment AgentCard on Agent { id key status lastActive isStale currentTask performanceMetrics }
`);

/** An agent of the wall: its status by colour and word. */
export const AgentCard = memo(function AgentCard({ of }: { of: FragmentType<typeof AGENT_CARD> }) {
  const { key, status, lastActive, isStale, currentTask, performanceMetrics } = read(AGENT_CARD, of);
  const metrics = performanceMetrics as Record<string, unknown>;
  return (
    <Link href={`/agents/${encodeURIComponent(key)}`} className={`agent tone-${STATUS_TONES[status]}${isStale ? " stale" : ""}`}>
      <strong>{key}</strong>
      <span className="line">
        <span className="status">{isStale && status !== "OFFLINE" ? `${status} · STALE` : status}</span>
        <Time at={lastActive} as="ago" />
      </span>
      <span className="task">{taskText(currentTask) ?? figures(metrics) ?? "No task"}</span>
    </Link>
  );
});

/** A name in the task, or all of it. */
export function taskText(task: unknown): string | undefined {
  if (task === null || task === undefined) return undefined;
  if (typeof task !== "object") return String(task);
  const { name, title, type, task: inner } = task as Record<string, unknown>;
  const named = [name, title, inner, type].find((each) => typeof each === "string");
  return named ? String(named) : JSON.stringify(task);
}

function figures({ responseTime, successRate }: Record<string, unknown>): string | undefined {
  if (typeof responseTime !== "number" || typeof successRate !== "number") return undefined;
  return `${duration(responseTime)}, ${percent(successRate)} successful`;
}
