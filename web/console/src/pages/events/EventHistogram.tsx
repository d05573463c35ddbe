import { useQuery } from "urql";
import { seriesColor } from "../../charts/colors.ts";
import { type Stack, StackedBars } from "../../charts/StackedBars.tsx";
import { useParam } from "../../app/useParam.ts";
import { inUtc } from "../../format/inUtc.ts";
import { bucketOf, bucketsBetween, type Range } from "../../format/range.ts";
import { graphql } from "../../gql/index.ts";
import type { Bucket, EventCountsQuery, EventSeverity } from "../../gql/graphql.ts";
import { Card } from "../../ui/Card.tsx";
import { DataElsewhere } from "../../ui/DataElsewhere.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { ExportMenu } from "../../ui/ExportMenu.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { Segments } from "../../ui/Segments.tsx";
import { useRefresh } from "../../ui/useRefresh.ts";
import { SEVERITIES, SEVERITY_COLORS } from "./tones.ts";

const EVENT_COUNTS = graphql(`
  query EventCounts(
    $from: DateTime!
    $to: DateTime
    $bucket: Bucket!
    $groupBy: [EventGroup!]!
    $severities: [EventSeverity!]
    $sources: [String!]
  ) {
    eventCounts(from: $from, to: $to, bucket: $bucket, groupBy: $groupBy, severities: $severities, sources: $sources) {
      dataRange { from to }
      rows { bucket severity eventType count }
    }
  }
`);

type Counts = EventCountsQuery["eventCounts"]["rows"];
const MOST_TYPES = 6;

interface Props {
  range: Range;
  severities: EventSeverity[] | null;
  source: string;
  refresh: number;
}

/** How many events there were when, by severity or type. */
export function EventHistogram({ range, severities, source, refresh }: Props) {
  const [by, setBy] = useParam("by", "severity");
  const bucket = bucketOf(range);
  const [result, ask] = useQuery({
    query: EVENT_COUNTS,
    variables: { from: range.from, to: range.to, bucket, groupBy: [by === "type" ? "EVENT_TYPE" : "SEVERITY"], severities, sources: source ? [source] : null },
  });
  useRefresh(refresh, ask);
  return (
    <Card
      title={`Events by ${bucket.toLowerCase()}`}
      actions={
        <>
          <Segments label="By" options={[["severity", "Severity"], ["type", "Type"]] as const} value={by as "type"} onChange={setBy} />
          <ExportMenu name="Event counts" rows={() => (result.data?.eventCounts.rows ?? []).map((row) => ({ ...row }))} />
        </>
      }
    >
      <Loaded result={result} retry={ask}>
        {({ eventCounts: { rows, dataRange } }) =>
          rows.length > 0 ? (
            <Bars counts={rows} bucket={bucket} isByType={rows[0]!.eventType != null} />
          ) : (
            <DataElsewhere of="events" dataRange={dataRange} days={1}>
              {severities || source ? (
                <Empty title="No event is like this.">Remove a filter.</Empty>
              ) : (
                <Empty title="There are no events yet." hasSample>Log some with <code>logEvents</code>, or import them.</Empty>
              )}
            </DataElsewhere>
          )
        }
      </Loaded>
    </Card>
  );
}

function Bars({ counts, bucket, isByType }: { counts: Counts; bucket: Bucket; isByType: boolean }) {
  const buckets = bucketsBetween(counts.map(({ bucket }) => bucket), bucket);
  const nameOf = ({ severity, eventType }: Counts[number]) => (isByType ? eventType : severity) ?? "Other";
  const stacks = isByType ? typesOf(counts) : SEVERITIES.map((name) => ({ name, color: SEVERITY_COLORS[name], values: [] }));
  const known = new Set(stacks.map(({ name }) => name));
  const sums = new Map<string, number>();
  for (const each of counts) {
    const name = known.has(nameOf(each)) ? nameOf(each) : "Other";
    const key = `${name} ${each.bucket}`;
    sums.set(key, (sums.get(key) ?? 0) + Number(each.count));
  }
  const filled = stacks.map((stack) => ({ ...stack, values: buckets.map((at) => sums.get(`${stack.name} ${at}`) ?? 0) }));
  return (
    <StackedBars
      label="Events over time"
      names={buckets.map((at) => `${format(bucket).format(new Date(at))} (${inUtc(at)})`)}
      shortNames={buckets.map((at) => shortFormat(bucket).format(new Date(at)))}
      stacks={filled.filter(({ values }) => values.some((value) => value > 0))}
    />
  );
}

function typesOf(counts: Counts): Stack[] {
  const sums = new Map<string, number>();
  for (const { eventType, count } of counts) sums.set(eventType ?? "Other", (sums.get(eventType ?? "Other") ?? 0) + Number(count));
  const most = [...sums].sort(([, one], [, other]) => other - one).slice(0, MOST_TYPES).map(([name]) => name);
  const named = most.map((name, index) => ({ name, color: seriesColor(index), values: [] }));
  return [...named, { name: "Other", color: "var(--line-strong)", values: [] }];
}

function format(bucket: Bucket): Intl.DateTimeFormat {
  const hasTime = bucket === "MINUTE" || bucket === "HOUR";
  return new Intl.DateTimeFormat(undefined, hasTime ? { dateStyle: "short", timeStyle: "short" } : { dateStyle: "medium" });
}

function shortFormat(bucket: Bucket): Intl.DateTimeFormat {
  if (bucket === "MINUTE") return new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
  if (bucket === "HOUR") return new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "numeric" });
  return new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
}
