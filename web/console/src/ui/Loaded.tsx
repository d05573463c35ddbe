import type { ReactNode } from "react";
import type { CombinedError } from "urql";
import { problemOf } from "../api/problems.ts";
import { Loading } from "./Loading.tsx";
import { ProblemNote } from "./ProblemNote.tsx";

interface Props<Data> {
  result: { data?: Data | undefined; error?: CombinedError | undefined };
  retry?: (options: { requestPolicy: "network-only" }) => void;
  children: (data: Data) => ReactNode;
}

/** Shows the data of a query, that it is on its way, or why it is not. */
export function Loaded<Data>({ result, retry, children }: Props<Data>) {
  const { data, error } = result;
  const again = retry && (() => retry({ requestPolicy: "network-only" }));
  if (error) return <ProblemNote problem={problemOf(error)} {...(again && { retry: again })} />;
  return data === undefined ? <Loading /> : children(data);
}
