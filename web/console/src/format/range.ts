/** Ranges of time that a view can show, and the buckets for them. */
import type { Bucket } from "../gql/graphql.ts";

export const RANGES = {
  "1h": { name: "1 hour", seconds: 3600 },
  "24h": { name: "24 hours", seconds: 86_400 },
  "7d": { name: "7 days", seconds: 604_800 },
  "30d": { name: "30 days", seconds: 2_592_000 },
  "1y": { name: "1 year", seconds: 31_557_600 },
  all: { name: "All time", seconds: null },
} as const;

export type RangeName = keyof typeof RANGES;

/** `to` is undefined if the range ends now. */
export interface Range {
  from: string;
  to: string | undefined;
  seconds: number;
}

const BEGINNING = "2000-01-01T00:00:00Z";
const STEP = 10_000; // equal starts within ten seconds, so that a view asks once

export function rangeOf(name: RangeName, now = Date.now()): Range {
  const { seconds } = RANGES[name];
  if (seconds === null) return between(BEGINNING, undefined, now);
  const start = Math.floor(now / STEP) * STEP - seconds * 1000;
  return { from: new Date(start).toISOString(), to: undefined, seconds };
}

export function between(from: string, to: string | undefined, now = Date.now()): Range {
  const end = to === undefined ? now : Date.parse(to);
  return { from, to, seconds: Math.max(1, (end - Date.parse(from)) / 1000) };
}

const BUCKETS: [number, Bucket][] = [
  [3 * 3600, "MINUTE"], [5 * 86_400, "HOUR"], [120 * 86_400, "DAY"], [3 * 31_557_600, "WEEK"],
];

/** A bucket that makes at most a few hundred points of a range. */
export function bucketOf({ seconds }: Range): Bucket {
  return BUCKETS.find(([most]) => seconds <= most)?.[1] ?? "MONTH";
}

const WIDTHS: Record<Exclude<Bucket, "MONTH">, number> = { MINUTE: 60_000, HOUR: 3_600_000, DAY: 86_400_000, WEEK: 604_800_000 };
const MOST_BUCKETS = 1_000;

/** The starts of all buckets from the first to the last of some, those without items too. Texts that
 * are given are kept. */
export function bucketsBetween(starts: readonly string[], bucket: Bucket): string[] {
  const given = new Map(starts.map((at) => [Date.parse(at), at]));
  const times = [...given.keys()].sort((one, other) => one - other);
  const all = new Set(times);
  for (let time = times[0]; time !== undefined && time < times.at(-1)! && all.size < MOST_BUCKETS; time = next(time, bucket)) all.add(time);
  return [...all].sort((one, other) => one - other).map((time) => given.get(time) ?? new Date(time).toISOString());
}

function next(time: number, bucket: Bucket): number {
  if (bucket !== "MONTH") return time + WIDTHS[bucket];
  const start = new Date(time);
  return Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1);
}
