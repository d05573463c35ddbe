import { initGraphQLTada } from "gql.tada";
import type { introspection } from "./graphql-env.d.ts";

/** Documents with the types of their results and variables, without generated code. */
export const graphql = initGraphQLTada<{
  introspection: introspection;
  scalars: {
    BigInt: string;
    Decimal: string;
    DateTime: string;
    JSON: unknown;
  };
}>();
