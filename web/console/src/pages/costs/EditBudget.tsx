import { useMutation, useQuery } from "urql";
import { dollars } from "../../format/numbers.ts";
import { graphql } from "../../gql/index.ts";
import type { BudgetOfUserQuery } from "../../gql/graphql.ts";
import { Drawer } from "../../ui/Drawer.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Form } from "../../ui/Form.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { TextField } from "../../ui/TextField.tsx";
import { useExpected } from "../../ui/useExpected.tsx";

const BUDGET_OF_USER = graphql(`
  query BudgetOfUser($id: ID!) {
    user(id: $id) { id email monthlyBudget }
  }
`);

const SET_BUDGET = graphql(`
  mutation SetBudget($input: SetMonthlyBudgetInput!) {
    setMonthlyBudget(input: $input) { user { id monthlyBudget } errors { code message field } }
  }
`);

/** Changes what a user may spend in a month, unless somebody else has since the form was opened. */
export function EditBudget({ id, onClose }: { id: string; onClose: () => void }) {
  const [result, ask] = useQuery({ query: BUDGET_OF_USER, variables: { id }, requestPolicy: "cache-and-network" });
  return (
    <Drawer title={`Budget of ${result.data?.user?.email ?? "a user"}`} onClose={onClose}>
      <Loaded result={result} retry={ask}>
        {({ user }) =>
          user ? (
            <BudgetForm of={user} onClose={onClose} onReload={() => ask({ requestPolicy: "network-only" })} />
          ) : (
            <Empty title="There is no such user.">Close this, and choose one of the table.</Empty>
          )
        }
      </Loaded>
    </Drawer>
  );
}

interface Props {
  of: NonNullable<BudgetOfUserQuery["user"]>;
  onClose: () => void;
  onReload: () => void;
}

function BudgetForm({ of: { id, monthlyBudget = null }, onClose, onReload }: Props) {
  const [, set] = useMutation(SET_BUDGET);
  const now = `the budget is ${monthlyBudget === null ? "that of the setting" : dollars(monthlyBudget)} now`;
  const [seen, conflict] = useExpected(monthlyBudget, now, onReload);
  const submit = async (values: FormData) => {
    const text = String(values.get("monthlyBudget")).trim();
    const input = { id, monthlyBudget: text === "" ? null : text, expectedMonthlyBudget: seen.current };
    const { data, error } = await set({ input });
    return { error, errors: data?.setMonthlyBudget.errors };
  };
  return (
    <Form submit="Save" onSubmit={submit} onDone={onClose} conflict={conflict}>
      {(messageOf) => (
        <>
          <p>Tests beyond the budget are reported, or refused with the setting <code>budgets.exceeded</code>.</p>
          <TextField
            label="US dollars a month; empty for the setting budgets.user_monthly_usd"
            name="monthlyBudget"
            initial={monthlyBudget === null ? "" : String(Number(monthlyBudget))}
            error={messageOf("monthlyBudget")}
          />
        </>
      )}
    </Form>
  );
}
