import { useMemo } from "react";
import { useQuery } from "urql";
import { Link } from "wouter";
import { useSubscriptionState } from "../../api/live.ts";
import { count, number, plural, short } from "../../format/numbers.ts";
import { rangeOf } from "../../format/range.ts";
import { graphql } from "../../gql/index.ts";
import { Tile } from "../../ui/Tile.tsx";
import { useRefresh } from "../../ui/useRefresh.ts";

const EVENTS_BY_HOUR = graphql(`
  query EventsByHour($from: DateTime!) {
    eventCounts(from: $from, bucket: HOUR, groupBy: [SEVERITY]) { rows { bucket severity count } }
  }
`);

const RATES_LIVE = graphql(`
  subscription RatesLive { eventRates { at seconds rates { eventType severity perSecond } } }
`);

const NONE: number[] = [];
const MOST = 60;

/** Events of a day by severity, and how many come in now. */
export function EventTiles() {
  const { from } = useMemo(() => rangeOf("24h"), []);
  const [{ data, error }, ask] = useQuery({ query: EVENTS_BY_HOUR, variables: { from } });
  useRefresh(60, ask);
  const rates = useSubscriptionState(RATES_LIVE, {}, NONE, (before, { eventRates }) =>
    [...before, eventRates.rates.reduce((sum, { perSecond }) => sum + perSecond, 0)].slice(-MOST),
  );
  const counts = data?.eventCounts.rows ?? [];
  const of = (...severities: string[]) => counts.filter(({ severity }) => severities.includes(severity!));
  const sum = (some: typeof counts) => some.reduce((total, { count }) => total + Number(count), 0);
  const [warnings, errors] = [of("WARNING"), of("ERROR", "CRITICAL")];
  return (
    <>
      <Tile
        title="Events in 24 hours"
        error={error}
        figure={<Link href="/events">{data ? short(sum(counts)) : "–"}</Link>}
        note={data && plural(sum(of("DEBUG", "INFO")), "notice")}
        values={byHour(counts, from)}
        label="Events by hour"
      />
      <Tile
        title="Warnings in 24 hours"
        error={error}
        figure={<Link href="/events?severity=WARNING">{data ? short(sum(warnings)) : "–"}</Link>}
        note="Of severity WARNING"
        values={byHour(warnings, from)}
        label="Warnings by hour"
        color="var(--warn)"
      />
      <Tile
        title="Errors in 24 hours"
        error={error}
        figure={<Link href="/events?severity=ERROR">{data ? short(sum(errors)) : "–"}</Link>}
        note={data && `${count(sum(of("CRITICAL")))} of them critical`}
        values={byHour(errors, from)}
        label="Errors by hour"
        color="var(--bad)"
      />
      <Tile
        title="Ingestion"
        figure={`${number(rates.value.at(-1) ?? 0)} /s`}
        note="Events stored, live"
        values={rates.value}
        label="Events in a second, since this page was opened"
      />
    </>
  );
}

function byHour(counts: { bucket: string; count: string }[], from: string): number[] {
  const start = Math.floor(Date.parse(from) / 3_600_000);
  const hours = new Array<number>(25).fill(0);
  for (const { bucket, count } of counts) {
    const hour = Math.floor(Date.parse(bucket) / 3_600_000) - start;
    if (hour in hours) hours[hour]! += Number(count);
  }
  return hours;
}
