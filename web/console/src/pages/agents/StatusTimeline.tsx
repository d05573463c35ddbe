import { Legend } from "../../charts/Legend.tsx";
import { useWidth } from "../../charts/useWidth.ts";
import { inUtc } from "../../format/inUtc.ts";
import type { ReportFragment } from "../../gql/graphql.ts";
import { STATUS_COLORS } from "./tones.ts";

const HEIGHT = 46;
const local = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "short" });

/** What an agent did when, from its first report here to its last. */
export function StatusTimeline({ reports }: { reports: ReportFragment[] }) {
  const [ref, width] = useWidth();
  const times = reports.map(({ reportedAt }) => Date.parse(reportedAt));
  const [start, end] = [times[0]!, times.at(-1)!];
  const x = (time: number) => ((time - start) / Math.max(1, end - start)) * width;
  const statuses = [...new Set(reports.map(({ status }) => status))];
  return (
    <div ref={ref} className="chart">
      <svg height={HEIGHT} viewBox={`0 0 ${width} ${HEIGHT}`} role="img" aria-label="Statuses over time">
        {reports.map(({ id, status }, index) => {
          const left = x(times[index]!);
          const right = x(times[index + 1] ?? end);
          return (
            <rect key={id} x={left} y="2" width={Math.max(2, right - left)} height="24" fill={STATUS_COLORS[status]}>
              <title>{`${status} from ${local.format(times[index])} (${inUtc(times[index]!)})`}</title>
            </rect>
          );
        })}
        <text x="0" y="42"><title>{inUtc(start)}</title>{local.format(start)}</text>
        <text x={width} y="42" textAnchor="end"><title>{inUtc(end)}</title>{local.format(end)}</text>
      </svg>
      <Legend of={statuses.map((name) => ({ name, color: STATUS_COLORS[name] }))} />
    </div>
  );
}
