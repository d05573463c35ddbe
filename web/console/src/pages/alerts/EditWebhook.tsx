import { useMutation } from "urql";
import { graphql } from "../../gql/index.ts";
import type { WebhookRowFragment } from "../../gql/graphql.ts";
import { CheckField } from "../../ui/CheckField.tsx";
import { Drawer } from "../../ui/Drawer.tsx";
import { Form } from "../../ui/Form.tsx";
import { TextField } from "../../ui/TextField.tsx";
import { useExpected } from "../../ui/useExpected.tsx";

const CREATE_WEBHOOK = graphql(`
  mutation NewWebhook($input: CreateWebhookInput!) {
    createWebhook(input: $input) { webhook { ...WebhookRow } secret errors { code message field } }
  }
`);

const UPDATE_WEBHOOK = graphql(`
  mutation UpdateWebhook($input: UpdateWebhookInput!) {
    updateWebhook(input: $input) { webhook { ...WebhookRow } errors { code message field } }
  }
`);

interface Props {
  webhook: WebhookRowFragment | undefined;
  onClose: () => void;
  onSecret: (secret: string) => void;
  onReload: () => void;
}

/** Creates a webhook, or changes one unless somebody else has since the form was opened. */
export function EditWebhook({ webhook, onClose, onSecret, onReload }: Props) {
  const [, create] = useMutation(CREATE_WEBHOOK);
  const [, update] = useMutation(UPDATE_WEBHOOK);
  const now = webhook && <>its address is <code>{webhook.url}</code> now (version {webhook.version})</>;
  const [seen, conflict] = useExpected(webhook?.version, now, onReload);
  const submit = async (values: FormData) => {
    const given = { name: String(values.get("name")), url: String(values.get("url")) };
    if (webhook) {
      const { data, error } = await update({ input: { ...given, isActive: values.has("isActive"), id: webhook.id, expectedVersion: seen.current ?? null } });
      return { error, errors: data?.updateWebhook.errors };
    }
    const { data, error } = await create({ input: given });
    if (data?.createWebhook.secret) onSecret(data.createWebhook.secret);
    return { error, errors: data?.createWebhook.errors };
  };
  return (
    <Drawer title={webhook?.name ?? "New webhook"} onClose={onClose}>
      <Form submit={webhook ? "Save" : "Create"} onSubmit={submit} onDone={onClose} conflict={conflict}>
        {(messageOf) => (
          <>
            <TextField label="Name" name="name" required initial={webhook?.name ?? ""} error={messageOf("name")} />
            <TextField label="Address, https and public" name="url" type="url" required initial={webhook?.url ?? ""} error={messageOf("url")} />
            {webhook && <CheckField label="Active; messages are dropped while it is not" name="isActive" initial={webhook.isActive} />}
          </>
        )}
      </Form>
    </Drawer>
  );
}
