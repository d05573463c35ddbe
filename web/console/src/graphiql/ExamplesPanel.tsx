import { useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { EXAMPLES, type Example } from "./examples.ts";

const GROUPS = Map.groupBy(EXAMPLES, ({ group }) => group);

/** Lists examples; each opens in a new tab, so that nothing that was written is lost. */
export function ExamplesPanel() {
  const { addTab, updateActiveTabValues } = useGraphiQLActions();
  const editor = useGraphiQL((state) => state.queryEditor);
  const open = ({ query }: Example) => {
    addTab();
    editor?.setValue(query);
    updateActiveTabValues({ query });
    editor?.focus();
  };
  return (
    <section className="examples" aria-label="Examples">
      <h2>Examples</h2>
      {[...GROUPS].map(([group, examples]) => (
        <div key={group}>
          <h3>{group}</h3>
          <ul>
            {examples.map((example) => (
              <li key={example.name}>
                <button type="button" onClick={() => open(example)}>{example.name}</button>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </section>
  );
}
