export const DREAMS = "query Dreams { dreams(first: 10) { nodes { id title } } }";
export const MODELS = `query Models($after: String) {
  aiModels(first: 2, after: $after, orderBy: [{ field: NAME, direction: ASC }]) {
    edges { node { id name } }
    pageInfo { hasNextPage endCursor }
  }
}`;
export const CREATE = `mutation Create($input: CreateDreamInput!) {
  createDream(input: $input) { dream { id title } errors { code message field } }
}`;
export const EDIT = `mutation Edit($input: EditDreamInput!) {
  editDream(input: $input) { dream { id title } errors { message } }
}`;
export const DELETE = `mutation Delete($input: DreamInput!) {
  deleteDream(input: $input) { deletedDreamId errors { message } }
}`;
