import { useMemo } from "react";
import { useQuery } from "urql";
import { count } from "../../format/numbers.ts";
import { Time } from "../../format/Time.tsx";
import { graphql } from "../../gql/index.ts";
import { Tile } from "../../ui/Tile.tsx";
import { useRefresh } from "../../ui/useRefresh.ts";
import { DAYS, byDay, firstDay } from "./days.ts";

const TESTS_BY_DAY = graphql(`
  query TestsByDay($from: DateTime!) {
    categoryPerformance(from: $from, bucket: DAY) { dataRange { to } rows { bucket testCount } }
  }
`);

/** How many tests each day had. */
export function TestTile() {
  const from = useMemo(firstDay, []);
  const [{ data, error }, ask] = useQuery({ query: TESTS_BY_DAY, variables: { from } });
  useRefresh(30, ask);
  const days = byDay(from, data?.categoryPerformance.rows ?? [], ({ bucket }) => bucket, ({ testCount }) => testCount);
  const newest = data?.categoryPerformance.dataRange?.to;
  return (
    <Tile
      title="Tests today"
      error={error}
      figure={data ? count(days.at(-1)) : "–"}
      note={newest ? <>Newest <Time at={newest} as="ago" /></> : data && "None yet"}
      values={days}
      label={`Tests of each of ${DAYS} days, in UTC`}
    />
  );
}
