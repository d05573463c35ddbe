import { useQuery } from "urql";
import type { Range } from "../../format/range.ts";
import { graphql } from "../../gql/index.ts";
import { Choice } from "../../ui/Choice.tsx";
import { parsedTags, type Tags, tagsOf, tagText } from "./tags.ts";

const TAGS = graphql(`
  query TagsOfMetric($filter: MetricFilter!) {
    metrics(filter: $filter, orderBy: [{ field: TIMESTAMP, direction: DESC }], first: 200) { nodes { id tags } }
  }
`);

interface Props {
  name: string;
  range: Range;
  value: string;
  onChange: (value: string) => void;
}

/** Chooses one of the tags that the newest 200 values of a metric have. */
export function TagChoice({ name, range, value, onChange }: Props) {
  const filter = { metricName: { eq: name }, timestamp: { gte: range.from, ...(range.to && { lte: range.to }) } };
  const [{ data }] = useQuery({ query: TAGS, variables: { filter } });
  const found = tagsOf((data?.metrics.nodes ?? []).map(({ tags }) => tags as Tags));
  const chosen = parsedTags(value);
  const options = new Map([...(chosen ? [chosen] : []), ...found].map((tag) => [JSON.stringify(tag), tagText(tag)]));
  if (options.size === 0) return null;
  return <Choice label="Tag" all="All values" options={[...options]} value={value} onChange={onChange} />;
}
