import { useMemo } from "react";
import { useQuery } from "urql";
import { count } from "../../format/numbers.ts";
import { Time } from "../../format/Time.tsx";
import { graphql } from "../../gql/index.ts";
import { Tile } from "../../ui/Tile.tsx";
import { useRefresh } from "../../ui/useRefresh.ts";
import { startOfDay } from "./today.ts";

const TESTS_TODAY = graphql(`
  query TestsToday($today: DateTime!) {
    aiTests(first: 1, filter: { createdAt: { gte: $today } }) { totalCount totalCountIsExact }
    newest: aiTests(first: 1, orderBy: [{ field: CREATED_AT, direction: DESC }]) { nodes { id createdAt } }
  }
`);

/** How many tests were made today. */
export function TestTile() {
  const today = useMemo(startOfDay, []);
  const [{ data }, ask] = useQuery({ query: TESTS_TODAY, variables: { today } });
  useRefresh(30, ask);
  const newest = data?.newest.nodes[0]?.createdAt;
  return (
    <Tile
      title="Tests today"
      figure={`${count(data?.aiTests.totalCount)}${data?.aiTests.totalCountIsExact === false ? "+" : ""}`}
      note={newest ? <>Newest <Time at={newest} as="ago" /></> : "None yet"}
    />
  );
}
