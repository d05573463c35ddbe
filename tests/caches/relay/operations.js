import { graphql } from "relay-runtime";

graphql`
  query operationsDreamsQuery {
    dreams(first: 10) @connection(key: "operations_dreams") {
      edges {
        node {
          id
          title
        }
      }
    }
  }
`;

graphql`
  query operationsModelsQuery($after: String) {
    aiModels(first: 2, after: $after, orderBy: [{ field: NAME, direction: ASC }])
      @connection(key: "operations_aiModels", filters: ["orderBy"]) {
      edges {
        node {
          id
          name
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`;

graphql`
  mutation operationsCreateMutation($input: CreateDreamInput!, $connections: [ID!]!) {
    createDream(input: $input) {
      dream @prependNode(connections: $connections, edgeTypeName: "DreamEdge") {
        id
        title
      }
      errors {
        code
        message
        field
      }
    }
  }
`;

graphql`
  mutation operationsEditMutation($input: EditDreamInput!) {
    editDream(input: $input) {
      dream {
        id
        title
      }
      errors {
        message
      }
    }
  }
`;

graphql`
  mutation operationsDeleteMutation($input: DreamInput!) {
    deleteDream(input: $input) {
      deletedDreamId @deleteRecord
      errors {
        message
      }
    }
  }
`;
