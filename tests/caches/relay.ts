import { commitMutation, ConnectionHandler, Environment, fetchQuery, Network } from "relay-runtime";
import { createOperationDescriptor, getRequest, RecordSource, Store } from "relay-runtime";
import type { Client } from "./scenario.ts";

const { default: creating } = await import("./relay/__generated__/operationsCreateMutation.graphql.js");
const { default: deleting } = await import("./relay/__generated__/operationsDeleteMutation.graphql.js");
const { default: dreams } = await import("./relay/__generated__/operationsDreamsQuery.graphql.js");
const { default: models } = await import("./relay/__generated__/operationsModelsQuery.graphql.js");
const { default: editing } = await import("./relay/__generated__/operationsEditMutation.graphql.js");

/** Relay with the operations that its compiler made, without a function that updates its store. */
export function relay(url: string, authorization: string): Client {
  const network = Network.create(async ({ text }, variables) => {
    const headers = { authorization, "content-type": "application/json" };
    const body = JSON.stringify({ query: text, variables });
    return (await fetch(url, { method: "POST", headers, body })).json();
  });
  const environment = new Environment({ network, store: new Store(new RecordSource()) });
  const list = createOperationDescriptor(getRequest(dreams), {});
  const connections = [ConnectionHandler.getConnectionID("client:root", "operations_dreams")];
  const mutate = (mutation: any, variables: any): Promise<any> =>
    new Promise((resolve, reject) => {
      const done = (data: any) => resolve(Object.values(data)[0]);
      commitMutation<any>(environment, { mutation, variables, onCompleted: done, onError: reject });
    });
  return {
    load: () => {
      environment.retain(list);
      return fetchQuery(environment, dreams, {}).toPromise();
    },
    titles: () => {
      const { data } = environment.lookup(list.fragment) as any;
      return data.dreams.edges.filter((edge: any) => edge?.node).map(({ node }: any) => node.title);
    },
    pages: async () => {
      const first = createOperationDescriptor(getRequest(models), {});
      environment.retain(first);
      const shown: string[][] = [];
      let after: string | undefined;
      while (true) {
        await fetchQuery(environment, models, { after }).toPromise();
        const { edges, pageInfo } = (environment.lookup(first.fragment) as any).data.aiModels;
        shown.push(edges.map(({ node }: any) => node.name));
        if (!pageInfo.hasNextPage) return shown;
        after = pageInfo.endCursor;
      }
    },
    create: (title) => mutate(creating, { input: { title }, connections }),
    edit: (id, title) => mutate(editing, { input: { id, title } }),
    remove: (id) => mutate(deleting, { input: { id } }),
  };
}
