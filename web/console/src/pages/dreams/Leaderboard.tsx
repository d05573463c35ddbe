import { useQuery } from "urql";
import { Link } from "wouter";
import { useParam } from "../../app/useParam.ts";
import { count, inWords, percent, score } from "../../format/numbers.ts";
import { Time } from "../../format/Time.tsx";
import { graphql, read } from "../../gql/index.ts";
import type { DreamCategory, DreamFilter, DreamOrder, DreamStatus } from "../../gql/graphql.ts";
import { Badge } from "../../ui/Badge.tsx";
import { Choice, withCounts } from "../../ui/Choice.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { Page } from "../../ui/Page.tsx";
import { SearchField } from "../../ui/SearchField.tsx";
import { Table } from "../../ui/Table.tsx";
import { usePages } from "../../ui/usePages.ts";
import { CATEGORIES, DREAM_ROW, DREAM_STATUSES, DREAM_TONES } from "./DreamRow.ts";

const DREAMS = graphql(`
  query Dreams($search: String, $filter: DreamFilter, $orderBy: [DreamOrder!], $first: Int!, $after: String) {
    dreams(search: $search, filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
      totalCount
      totalCountIsExact
      nodes { ...DreamRow }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

const FACETS = graphql(`
  query DreamFacets($search: String, $ofCategories: DreamFilter, $ofStatuses: DreamFilter) {
    categories: dreams(search: $search, filter: $ofCategories, first: 1) { facets { byCategory { value count countIsExact } } }
    statuses: dreams(search: $search, filter: $ofStatuses, first: 1) { facets { byStatus { value count countIsExact } } }
  }
`);

const ORDERS: Record<string, [string, DreamOrder[]]> = {
  hardest: ["Most impossible first", [{ field: "AVERAGE_IMPOSSIBILITY", direction: "DESC" }]],
  easiest: ["Least impossible first", [{ field: "AVERAGE_IMPOSSIBILITY", direction: "ASC" }]],
  best: ["Best score first", [{ field: "BEST_SCORE", direction: "ASC" }]],
  trend: ["Fastest improvement first", [{ field: "IMPROVEMENT_TREND", direction: "DESC" }]],
  tests: ["Most tests first", [{ field: "TEST_COUNT", direction: "DESC" }]],
  tested: ["Last tested first", [{ field: "LAST_TESTED_AT", direction: "DESC" }]],
  newest: ["Newest first", [{ field: "CREATED_AT", direction: "DESC" }]],
  changed: ["Last changed first", [{ field: "UPDATED_AT", direction: "DESC" }]],
  title: ["Title", [{ field: "TITLE", direction: "ASC" }]],
};
const FIRST = "hardest";

/** All dreams that the viewer may see, with search, filters and orders. */
export function Leaderboard() {
  const [search, setSearch] = useParam("search");
  const [category, setCategory] = useParam("category");
  const [status, setStatus] = useParam("status");
  const [order, setOrder] = useParam("order", FIRST);
  const ofStatus: DreamFilter = status ? { status: { eq: status as DreamStatus } } : {};
  const ofCategory: DreamFilter = category ? { category: { eq: category as DreamCategory } } : {};
  const filter = { ...ofStatus, ...ofCategory };
  const variables = { search: search || null, filter, orderBy: (ORDERS[order] ?? ORDERS[FIRST]!)[1] };
  const pages = usePages(DREAMS, variables, ({ dreams }) => ({ ...dreams, nodes: dreams.nodes.map((node) => read(DREAM_ROW, node)) }));
  // Each menu counts what it would show beside the other filters.
  const [{ data: facets }] = useQuery({
    query: FACETS,
    variables: { search: search || null, ofCategories: ofStatus, ofStatuses: ofCategory },
  });
  return (
    <Page title="Dreams" about="Tasks that AI cannot do yet. Impossibility is 100 for impossible, 0 for solved.">
      <div className="filters">
        <SearchField label="Search" value={search} onChange={setSearch} />
        <Choice label="Category" all="All" options={withCounts(CATEGORIES, facets?.categories.facets.byCategory)} value={category} onChange={setCategory} />
        <Choice label="Status" all="All" options={withCounts(DREAM_STATUSES, facets?.statuses.facets.byStatus)} value={status} onChange={setStatus} />
        <Choice label="Order" options={Object.entries(ORDERS).map(([name, [text]]) => [name, text] as const)} value={order} onChange={setOrder} />
      </div>
      <Loaded result={pages.result} retry={pages.ask}>
        {({ dreams }) => (
          <>
            <Table
              name={`${count(dreams.totalCount)}${dreams.totalCountIsExact ? "" : " or more"} dreams`}
              items={pages.items}
              pages={pages}
              keyOf={({ id }) => id}
              columns={[
                { name: "Title", value: ({ title }) => title, isWide: true, show: ({ id, title }) => <Link href={`/dreams/${id}`}>{title}</Link> },
                { name: "Impossibility", isNumber: true, value: ({ averageImpossibility }) => averageImpossibility, show: ({ averageImpossibility }) => score(averageImpossibility) },
                { name: "Best", isNumber: true, value: ({ bestScore }) => bestScore, show: ({ bestScore }) => score(bestScore) },
                { name: "Improved", isNumber: true, unit: "%", value: ({ improvementTrend }) => improvementTrend, show: ({ improvementTrend }) => percent(improvementTrend) },
                { name: "Tests", isNumber: true, value: ({ testCount }) => testCount, show: ({ testCount }) => count(testCount) },
                { name: "Last tested", value: ({ lastTestedAt }) => lastTestedAt, show: ({ lastTestedAt }) => <Time at={lastTestedAt} as="day" /> },
                { name: "Category", value: ({ category }) => category, show: ({ category }) => inWords(category) },
                { name: "Status", value: ({ status }) => status, show: ({ status }) => <Badge tone={DREAM_TONES[status]}>{status}</Badge> },
              ]}
              empty={
                search || category || status
                  ? <Empty title="No dream is like this.">Remove a filter, or search for other words.</Empty>
                  : <Empty title="There are no dreams yet." hasSample>Import some with <code>dreamnet import</code>, or create one with <code>createDream</code>.</Empty>
              }
            />
          </>
        )}
      </Loaded>
    </Page>
  );
}
