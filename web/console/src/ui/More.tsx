/** Asks for the next page, if there is one. */
export function More({ pageInfo, onMore, isFetching }: {
  pageInfo: { hasNextPage: boolean; endCursor?: string | null };
  onMore: (after: string) => void;
  isFetching: boolean;
}) {
  const { hasNextPage, endCursor } = pageInfo;
  if (!hasNextPage || !endCursor) return null;
  return (
    <button type="button" className="button" disabled={isFetching} onClick={() => onMore(endCursor)}>
      {isFetching ? "Loading …" : "Show more"}
    </button>
  );
}
