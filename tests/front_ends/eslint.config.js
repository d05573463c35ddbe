// graphql-eslint over the schema and operations, with its recommended rules and those for Relay.
// Rules that are off have their reason here; tests/gateway/test_graphql_lint.py names each finding.
import graphql from "@graphql-eslint/eslint-plugin";

const { configs, parser } = graphql;
const shared = {
  plugins: { "@graphql-eslint": graphql },
  languageOptions: {
    parser,
    parserOptions: { graphQLConfig: { schema: "schema.graphql", documents: "operations/**/*.graphql" } },
  },
};

export default [
  {
    ...shared,
    files: ["schema.graphql"],
    rules: {
      ...configs["flat/schema-recommended"].rules,
      ...configs["flat/schema-relay"].rules,
      // Nodes have an ID. Payloads, pages, sums and messages are values: nothing finds them again.
      "@graphql-eslint/strict-id-in-types": "off",
      // Pages have `nodes` beside `edges`; payloads and messages have the rows of one batch.
      "@graphql-eslint/relay-edge-types": ["error", { listTypeCanWrapOnlyEdgeType: false }],
    },
  },
  {
    ...shared,
    files: ["operations/**/*.graphql"],
    rules: configs["flat/operations-recommended"].rules,
  },
  {
    // Cases of our tests: one operation each, also such as read no ID.
    files: ["operations/golden/**/*.graphql"],
    rules: {
      "@graphql-eslint/no-anonymous-operations": "off",
      "@graphql-eslint/require-selections": "off",
    },
  },
];
