import { useParam } from "../app/useParam.ts";

export interface Sort {
  by: string;
  isDescending: boolean;
}

/** The column that a table is sorted by, in a parameter of the address: `Cost`, or `-Cost` for the
 * highest first. */
export function useSort(param: string): [Sort | null, (sort: Sort) => void] {
  const [text, setText] = useParam(param);
  const isDescending = text.startsWith("-");
  const sort = text === "" ? null : { by: text.slice(isDescending ? 1 : 0), isDescending };
  return [sort, ({ by, isDescending }) => setText(`${isDescending ? "-" : ""}${by}`)];
}
