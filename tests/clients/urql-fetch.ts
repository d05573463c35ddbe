import { Client, fetchExchange, type OperationResult } from "@urql/core";
import { resuming } from "@dreamnet/live";
import { HISTORY, type History, type Show } from "./history.ts";

export function connect(host: string, key: () => string): Client {
  return new Client({
    url: `http://${host}/graphql`,
    fetchOptions: () => ({ headers: { authorization: `Bearer ${key()}` } }),
    fetchSubscriptions: true,
    preferGetMethod: false,
    exchanges: [fetchExchange],
  });
}

export function follow(client: Client, show: Show): () => void {
  const subscribe = resuming<{ variables?: { after?: string } }, OperationResult<History>>(
    ({ variables }, sink) =>
      client.subscription<History>(HISTORY, variables ?? {}).subscribe((result) => {
        const { graphQLErrors = [] } = result.error ?? {};
        if (graphQLErrors.length) sink.error(graphQLErrors);
        else if (result.error || !result.hasNext) sink.complete(); // interrupted
        else sink.next(result);
      }).unsubscribe,
  );
  return subscribe(
    {},
    {
      next: ({ data }) => data && show(data.agentHistory),
      error: (refused) => console.error(refused),
      complete: () => {},
    },
  );
}
