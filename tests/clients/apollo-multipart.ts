import {
  ApolloClient,
  ApolloLink,
  CombinedGraphQLErrors,
  gql,
  HttpLink,
  InMemoryCache,
} from "@apollo/client";
import { OperationTypeNode } from "graphql";
import { Observable } from "rxjs";
import { resuming } from "@dreamnet/live";
import { HISTORY, type History, type Show } from "./history.ts";

/** Resumes subscriptions over HTTP. */
const resumingLink = new ApolloLink((operation, forward) => {
  if (operation.operationType !== OperationTypeNode.SUBSCRIPTION) return forward(operation);
  const subscribe = resuming<ApolloLink.Operation, ApolloLink.Result>(({ variables }, sink) => {
    operation.variables = variables;
    const subscription = forward(operation).subscribe(sink);
    return () => subscription.unsubscribe();
  });
  return new Observable((sink) => {
    const error = (errors: any) => sink.error(new CombinedGraphQLErrors({ errors }));
    return subscribe(operation, { next: (result) => sink.next(result), error, complete: () => {} });
  });
});

export function connect(host: string, key: () => string): ApolloClient {
  const credential = new ApolloLink((operation, forward) => {
    operation.setContext({ headers: { authorization: `Bearer ${key()}` } });
    return forward(operation);
  });
  return new ApolloClient({
    link: ApolloLink.from([resumingLink, credential, new HttpLink({ uri: `http://${host}/graphql` })]),
    cache: new InMemoryCache(),
  });
}

export function follow(client: ApolloClient, show: Show): () => void {
  const observable = client.subscribe<History>({ query: gql(HISTORY), fetchPolicy: "no-cache" });
  const subscription = observable.subscribe(({ data, error }) => {
    if (error) console.error(error);
    else if (data) show(data.agentHistory);
  });
  return () => subscription.unsubscribe();
}
