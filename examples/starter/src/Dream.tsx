import { useMutation, useQuery } from "urql";
import { graphql } from "./gql";

const DREAM = graphql(`
  query Dream($id: ID!) {
    dream(id: $id) { id title description version viewerCanEdit totals { testCount } }
  }
`);
const EDIT = graphql(`
  mutation EditDream($input: EditDreamInput!) {
    editDream(input: $input) {
      dream { id title description version }
      errors { code message field }
    }
  }
`);

/** One dream with a form. Errors of the payload are shown at their field, or below the form. */
export function Dream({ id }: { id: string }) {
  const [{ data, error, fetching }] = useQuery({ query: DREAM, variables: { id } });
  const [saved, save] = useMutation(EDIT);
  const dream = data?.dream;
  if (!dream) return <p role="status">{error?.message ?? (fetching ? "Loading …" : "There is no such dream.")}</p>;

  const errors = saved.data?.editDream.errors ?? [];
  const at = (field: string) => errors.filter((error) => (error.field?.join(".") ?? "") === field);
  const messages = (field: string) => at(field).map(({ message }) => <em role="alert" key={message}>{message}</em>);
  const submit = (form: FormData) => {
    const title = String(form.get("title")), description = String(form.get("description"));
    save({ input: { id, title, description, expectedVersion: dream.version } });
  };
  return (
    <form key={dream.version} onSubmit={(event) => (event.preventDefault(), submit(new FormData(event.currentTarget)))}>
      <h1>{dream.title}</h1>
      <p>{dream.totals.testCount} tests</p>
      <label>Title <input name="title" defaultValue={dream.title} /> {messages("title")}</label>
      <label>
        Description <textarea name="description" defaultValue={dream.description ?? ""} /> {messages("description")}
      </label>
      <button disabled={!dream.viewerCanEdit || saved.fetching}>Save</button> {messages("")}
      {saved.error && <em role="alert">{saved.error.message}</em>}
      {saved.data?.editDream.dream && <span role="status">Saved.</span>}
    </form>
  );
}
