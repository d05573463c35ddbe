import { useMutation } from "urql";
import { graphql } from "../../gql/index.ts";
import { Drawer } from "../../ui/Drawer.tsx";
import { Form } from "../../ui/Form.tsx";
import { TextField } from "../../ui/TextField.tsx";

const CREATE = graphql(`
  mutation CreateUser($input: CreateUserInput!) {
    createUser(input: $input) { user { ...UserRow } errors { code message field } }
  }
`);

/** Creates a user, who signs in with a key or a token with this address. */
export function NewUser({ onClose }: { onClose: () => void }) {
  const [, create] = useMutation(CREATE);
  const submit = async (values: FormData) => {
    const { data, error } = await create({ input: { email: String(values.get("email")) } });
    return { error, errors: data?.createUser.errors };
  };
  return (
    <Drawer title="New user" onClose={onClose}>
      <Form submit="Create" onSubmit={submit} onDone={onClose}>
        {(messageOf) => <TextField label="E-mail" name="email" type="email" required error={messageOf("email")} />}
      </Form>
    </Drawer>
  );
}
