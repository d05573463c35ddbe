import { useMutation } from "urql";
import { graphql } from "../../gql/index.ts";
import { Drawer } from "../../ui/Drawer.tsx";
import { Form } from "../../ui/Form.tsx";
import { TextField } from "../../ui/TextField.tsx";

const CREATE = graphql(`
  mutation CreateKey($input: CreateApiKeyInput!) {
    createApiKey(input: $input) { apiKey { ...KeyRow } secret errors { code message field } }
  }
`);

/** Creates a key of the viewer. */
export function NewKey({ onClose, onSecret }: { onClose: () => void; onSecret: (secret: string) => void }) {
  const [, create] = useMutation(CREATE);
  const submit = async (values: FormData) => {
    const expiresAt = String(values.get("expiresAt"));
    const input = {
      service: String(values.get("service")),
      scopes: String(values.get("scopes")).split(/[\s,]+/).filter(Boolean),
      ...(expiresAt && { expiresAt: new Date(expiresAt).toISOString() }),
    };
    const { data, error } = await create({ input });
    if (data?.createApiKey.secret) onSecret(data.createApiKey.secret);
    return { error, errors: data?.createApiKey.errors };
  };
  return (
    <Drawer title="New key" onClose={onClose}>
      <Form submit="Create" onSubmit={submit} onDone={() => {}}>
        {(messageOf) => (
          <>
            <TextField label="Service that uses it" name="service" required error={messageOf("service")} />
            <TextField label="Scopes, such as tests:read; none for all rights of the user" name="scopes" error={messageOf("scopes")} />
            <TextField label="Expires; empty for never" name="expiresAt" type="datetime-local" error={messageOf("expiresAt")} />
          </>
        )}
      </Form>
    </Drawer>
  );
}
