import { inUtc } from "./inUtc.ts";
import { useNow } from "./useNow.ts";

const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "short" });
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_557_600], ["month", 2_629_800], ["day", 86_400], ["hour", 3600], ["minute", 60],
];

interface Props {
  at: string | null | undefined;
  as?: "time" | "day" | "ago";
}

/** Shows a time in the reader's zone, and in UTC on hover. */
export function Time({ at, as = "time" }: Props) {
  if (!at) return <>–</>;
  return (
    <time dateTime={at} title={inUtc(at)}>
      {as === "ago" ? <Ago at={at} /> : (as === "day" ? day : local).format(new Date(at))}
    </time>
  );
}

function Ago({ at }: { at: string }) {
  return ago(at, useNow());
}

/** The time since, such as "3 min. ago". */
export function ago(at: string, now: number): string {
  const seconds = Math.max(0, (now - Date.parse(at)) / 1000);
  const step = STEPS.find(([, length]) => seconds >= length);
  if (!step) return seconds < 5 ? "now" : `${Math.floor(seconds)} s ago`;
  return relative.format(-Math.floor(seconds / step[1]), step[0]);
}
