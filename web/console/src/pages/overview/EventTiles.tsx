import { useMemo } from "react";
import { useQuery } from "urql";
import { Link } from "wouter";
import { useSubscriptionState } from "../../api/live.ts";
import { count, number, short } from "../../format/numbers.ts";
import { rangeOf } from "../../format/range.ts";
import { graphql } from "../../gql/index.ts";
import { Tile } from "../../ui/Tile.tsx";

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
  const [{ data }] = useQuery({ query: EVENTS_BY_HOUR, variables: { from } });
  const rates = useSubscriptionState(RATES_LIVE, {}, NONE, (before, { eventRates }) =>
    [...before, eventRates.rates.reduce((sum, { perSecond }) => sum + perSecond, 0)].slice(-MOST),
  );
  const counts = data?.eventCounts.rows ?? [];
  const sum = (...severities: string[]) =>
    counts.filter(({ severity }) => severities.length === 0 || severities.includes(severity!)).reduce((total, { count }) => total + Number(count), 0);
  return (
    <>
      <Tile
        title="Events in 24 hours"
        figure={<Link href="/events">{data ? short(sum()) : "–"}</Link>}
        note={data && `${count(sum("WARNING"))} warnings, ${count(sum("ERROR", "CRITICAL"))} errors`}
        values={byHour(counts, from)}
        label="Events by hour"
      />
      <Tile
        title="Ingestion"
        figure={`${number(rates.value.at(-1) ?? 0)} /s`}
        note="Events stored in a second"
        values={rates.value}
        label="Events in a second"
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
