import { useMemo } from "react";
import { useQuery } from "urql";
import { Link } from "wouter";
import { dollars, plural } from "../../format/numbers.ts";
import { graphql } from "../../gql/index.ts";
import { Tile } from "../../ui/Tile.tsx";
import { useRefresh } from "../../ui/useRefresh.ts";
import { groupedBy, totalOf } from "../costs/sums.ts";
import { startOfDay } from "./today.ts";

const SPEND_TODAY = graphql(`
  query SpendToday($today: DateTime!) {
    spend(from: $today, groupBy: [MODEL]) { rows { provider model testCount totalTokens totalCost } }
  }
`);

/** What the tests of today cost. */
export function SpendTile() {
  const today = useMemo(startOfDay, []);
  const [{ data }, ask] = useQuery({ query: SPEND_TODAY, variables: { today } });
  useRefresh(30, ask);
  const total = data && totalOf(groupedBy(data.spend.rows, "provider"));
  return (
    <Tile
      title="Spent today"
      figure={<Link href="/costs">{dollars(total?.cost)}</Link>}
      note={data ? `By ${plural(data.spend.rows.length, "model")}` : ""}
    />
  );
}
