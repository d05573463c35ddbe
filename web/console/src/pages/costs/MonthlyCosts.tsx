import { seriesColor } from "../../charts/colors.ts";
import { StackedBars } from "../../charts/StackedBars.tsx";
import { bucketsBetween } from "../../format/range.ts";
import type { SpendQuery } from "../../gql/graphql.ts";
import { Card } from "../../ui/Card.tsx";
import { ExportMenu } from "../../ui/ExportMenu.tsx";

const MOST_PROVIDERS = 5;
const month = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", timeZone: "UTC" });

/** What tests cost each month, by provider, in US dollars. */
export function MonthlyCosts({ of }: { of: SpendQuery["months"]["rows"] }) {
  const buckets = bucketsBetween(of.map(({ bucket }) => bucket!), "MONTH");
  const sums = new Map<string, number>();
  for (const { provider, totalCost } of of) sums.set(provider!, (sums.get(provider!) ?? 0) + Number(totalCost));
  const most = [...sums].sort(([, one], [, other]) => other - one).slice(0, MOST_PROVIDERS).map(([name]) => name);
  const amount = (at: string, belongs: (provider: string) => boolean) =>
    of.filter(({ bucket, provider }) => bucket === at && belongs(provider!)).reduce((sum, { totalCost }) => sum + Number(totalCost), 0);
  const stacks = [
    ...most.map((name, index) => ({ name, color: seriesColor(index), values: buckets.map((at) => amount(at, (each) => each === name)) })),
    { name: "Other providers", color: "var(--line-strong)", values: buckets.map((at) => amount(at, (each) => !most.includes(each))) },
  ];
  if (buckets.length < 2) return null;
  return (
    <Card title="By month of UTC, in US dollars" actions={<ExportMenu name="Costs by month" rows={() => of.map((row) => ({ ...row }))} />}>
      <StackedBars label="Costs by month" names={buckets.map((at) => month.format(new Date(at)))} stacks={stacks} />
    </Card>
  );
}
