import { graphql } from "relay-runtime";

export const models = graphql`
  query modelsQuery($first: Int) {
    aiModels(first: $first) {
      nodes {
        provider
        name
      }
    }
  }
`;
