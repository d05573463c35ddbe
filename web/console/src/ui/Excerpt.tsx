import { useParam } from "../app/useParam.ts";
import { count } from "../format/numbers.ts";

interface Props {
  /** The items, such as "series". */
  of: string;
  /** The number of those that are here. */
  found: number;
  /** The most that are read at once. */
  most: number;
}

/** The number of items before those that are read, which the address holds. */
export function useSkip(): [number, (skip: number) => void] {
  const [text, setText] = useParam("skip", "0");
  return [Number(text) || 0, (skip) => setText(String(skip))];
}

/** Says which part of many items is here, and turns to the others. */
export function Excerpt({ of, found, most }: Props) {
  const [skip, setSkip] = useSkip();
  if (skip === 0 && found < most) return null;
  return (
    <p className="row">
      <span className="quiet">{found === 0 ? `There are no ${of} after the first ${count(skip)}.` : `${count(skip + 1)} to ${count(skip + found)} of all ${of}, by name. A search looks at these.`}</span>
      <button type="button" className="button small" disabled={skip === 0} onClick={() => setSkip(Math.max(0, skip - most))}>Previous {count(most)}</button>
      <button type="button" className="button small" disabled={found < most} onClick={() => setSkip(skip + most)}>Next {count(most)}</button>
    </p>
  );
}
