import { useMutation } from "urql";
import { graphql } from "../../gql/index.ts";
import { Drawer } from "../../ui/Drawer.tsx";
import { Form } from "../../ui/Form.tsx";
import { TextField } from "../../ui/TextField.tsx";

const CREATE_FLAG = graphql(`
  mutation CreateFlag($input: SetFeatureFlagInput!) {
    setFeatureFlag(input: $input) { featureFlag { ...Flag } errors { code message field } }
  }
`);

/** Creates a feature flag, which is off. */
export function NewFlag({ onClose }: { onClose: () => void }) {
  const [, create] = useMutation(CREATE_FLAG);
  const submit = async (values: FormData) => {
    const input = {
      key: String(values.get("key")),
      enabled: false,
      rolloutPercent: Number(values.get("rolloutPercent")),
      description: String(values.get("description")) || null,
    };
    const { data, error } = await create({ input });
    return { error, errors: data?.setFeatureFlag.errors };
  };
  return (
    <Drawer title="New flag" onClose={onClose}>
      <Form submit="Create" onSubmit={submit} onDone={onClose}>
        {(messageOf) => (
          <>
            <TextField label="Key" name="key" required error={messageOf("key")} />
            <TextField label="Rollout, in percent of users" name="rolloutPercent" type="number" initial="100" error={messageOf("rolloutPercent")} />
            <TextField label="Description" name="description" error={messageOf("description")} />
          </>
        )}
      </Form>
    </Drawer>
  );
}
