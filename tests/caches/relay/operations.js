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
