import { useState } from "react";
import { useQuery } from "urql";
import { graphql } from "./gql";
import { DreamCategory } from "./gql/graphql";

const DREAMS = graphql(`
  query Dreams($after: String, $filter: DreamFilter) {
    dreams(first: 10, after: $after, filter: $filter, orderBy: [{ field: TITLE, direction: ASC }]) {
      edges { node { id title category status } }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

/** All dreams, ten more at a time, of one category or of all. */
export function Dreams() {
  const [category, setCategory] = useState<DreamCategory | "">("");
  const [after, setAfter] = useState<string>();
  const filter = category ? { category: { eq: category } } : {};
  const [{ data, error, fetching }] = useQuery({ query: DREAMS, variables: { after, filter } });
  const { edges = [], pageInfo } = data?.dreams ?? {};

  const choose = (chosen: string) => (setAfter(undefined), setCategory(chosen as DreamCategory | ""));
  return (
    <>
      <h1>Dreams</h1>
      <label>
        Category{" "}
        <select value={category} onChange={(event) => choose(event.target.value)}>
          <option value="">All</option>
          {Object.values(DreamCategory).map((each) => <option key={each}>{each}</option>)}
        </select>
      </label>
      {error && <p role="alert">{error.message}</p>}
      <ul>
        {edges.map(({ node }) => (
          <li key={node.id}>
            <a href={`#/dreams/${node.id}`}>{node.title}</a>
            <small>{node.category} · {node.status}</small>
          </li>
        ))}
      </ul>
      {!fetching && edges.length === 0 && <p>No dreams here yet.</p>}
      {pageInfo?.hasNextPage && (
        <button disabled={fetching} onClick={() => setAfter(pageInfo.endCursor ?? undefined)}>More</button>
      )}
    </>
  );
}
