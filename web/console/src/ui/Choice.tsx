import { count, inWords } from "../format/numbers.ts";

interface Props {
  label: string;
  all?: string;
  options: readonly (string | readonly [string, string])[];
  value: string;
  onChange: (value: string) => void;
}

/** A choice of many; the empty text stands for all of them. */
export function Choice({ label, all, options, value, onChange }: Props) {
  return (
    <label className="field">
      <span>{label}</span>
      <select className="select" value={value} onChange={(event) => onChange(event.target.value)}>
        {all !== undefined && <option value="">{all}</option>}
        {options.map((option) => {
          const [name, text] = typeof option === "string" ? [option, option] : option;
          return <option key={name} value={name}>{text}</option>;
        })}
      </select>
    </label>
  );
}

interface Facet<Name extends string> {
  value: Name;
  count: number;
  countIsExact: boolean;
}

/** Names with the numbers of items that have them, once these are known. */
export function withCounts<Name extends string>(names: readonly Name[], facets: readonly Facet<Name>[] = []) {
  const found = new Map(facets.map((facet) => [facet.value, `${count(facet.count)}${facet.countIsExact ? "" : "+"}`]));
  return names.map((name) => [name, found.has(name) ? `${inWords(name)} (${found.get(name)})` : inWords(name)] as const);
}
