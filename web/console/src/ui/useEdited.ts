import { useParam } from "../app/useParam.ts";

/** The item that a drawer changes, or that it makes a new one; the address holds both. */
export function useEdited<Item>(name: string, items: readonly Item[], keyOf: (item: Item) => string) {
  const [edited, edit] = useParam(name);
  const [isNew, setNew] = useParam("new");
  const current = items.find((item) => keyOf(item) === edited);
  return {
    current,
    isOpen: current !== undefined || isNew !== "",
    edit,
    create: () => setNew("yes"),
    close: () => {
      edit("");
      setNew("");
    },
  };
}
