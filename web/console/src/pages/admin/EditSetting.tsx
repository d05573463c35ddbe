import { useMutation } from "urql";
import { graphql } from "../../gql/index.ts";
import type { SettingFragment } from "../../gql/graphql.ts";
import { Drawer } from "../../ui/Drawer.tsx";
import { Form } from "../../ui/Form.tsx";
import { TextField } from "../../ui/TextField.tsx";
import { useExpected } from "../../ui/useExpected.tsx";

const SET_CONFIG = graphql(`
  mutation SetSetting($input: SetConfigInput!) {
    setConfig(input: $input) { configEntry { ...Setting } errors { code message field } }
  }
`);

interface Props {
  setting: SettingFragment | undefined;
  onClose: () => void;
  onReload: () => void;
}

/** Changes a setting, unless somebody else has since the form was opened. */
export function EditSetting({ setting, onClose, onReload }: Props) {
  const [, save] = useMutation(SET_CONFIG);
  const now = setting && <>the value is <code>{JSON.stringify(setting.value)}</code> now (version {setting.version})</>;
  const [seen, conflict] = useExpected(setting?.version, now, onReload);
  const isSecret = setting?.kind === "SECRET_REFERENCE";
  const submit = async (values: FormData) => {
    const text = String(values.get("value"));
    const input = {
      key: setting?.key ?? String(values.get("key")),
      ...(isSecret ? { reference: text } : { value: parsed(text) }),
      description: String(values.get("description")) || null,
      category: String(values.get("category")) || null,
      ...(seen.current !== undefined && { expectedVersion: seen.current }),
    };
    const { data, error } = await save({ input });
    return { error, errors: data?.setConfig.errors };
  };
  return (
    <Drawer title={setting?.key ?? "New setting"} onClose={onClose}>
      <Form submit="Save" onSubmit={submit} onDone={onClose} conflict={conflict}>
        {(messageOf) => (
          <>
            {!setting && <TextField label="Key" name="key" required error={messageOf("key")} />}
            <TextField
              label={isSecret ? "Variable with the secret" : "Value, as JSON or text"}
              name="value"
              isLong
              initial={isSecret ? (setting.reference ?? "") : setting ? JSON.stringify(setting.value, null, 2) : ""}
              error={messageOf("value") ?? messageOf("reference")}
            />
            <TextField label="Description" name="description" initial={setting?.description ?? ""} error={messageOf("description")} />
            <TextField label="Category" name="category" initial={setting?.category ?? ""} error={messageOf("category")} />
          </>
        )}
      </Form>
    </Drawer>
  );
}

/** The JSON value of a text; a text that is no JSON is itself. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
