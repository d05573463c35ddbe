import { useMemo } from "react";
import { useQuery } from "urql";
import { Link } from "wouter";
import { dollars } from "../../format/numbers.ts";
import { graphql } from "../../gql/index.ts";
import { Tile } from "../../ui/Tile.tsx";
import { useRefresh } from "../../ui/useRefresh.ts";
import { DAYS, byDay, firstDay } from "./days.ts";

const SPEND_BY_DAY = graphql(`
  query SpendByDay($from: DateTime!) {
    spend(from: $from, groupBy: [], bucket: DAY) { rows { bucket totalCost } }
  }
`);

/** What the tests of each day cost. */
export function SpendTile() {
  const from = useMemo(firstDay, []);
  const [{ data, error }, ask] = useQuery({ query: SPEND_BY_DAY, variables: { from } });
  useRefresh(30, ask);
  const days = byDay(from, data?.spend.rows ?? [], ({ bucket }) => bucket, ({ totalCost }) => Number(totalCost));
  return (
    <Tile
      title="Spent today"
      error={error}
      figure={<Link href="/costs">{data ? dollars(days.at(-1)) : "–"}</Link>}
      note={data && `${dollars(days.reduce((sum, each) => sum + each, 0))} in ${DAYS} days`}
      values={days}
      label={`Cost of each of ${DAYS} days, in UTC`}
    />
  );
}
