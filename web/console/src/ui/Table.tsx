import { type ReactNode, useState } from "react";
import { Empty } from "./Empty.tsx";
import { ExportMenu, type Row } from "./ExportMenu.tsx";

export interface Column<Item> {
  name: string;
  /** The value that is exported and sorted by; a column without one is neither. */
  value?: (item: Item) => unknown;
  /** What is shown instead of the value. */
  show?: (item: Item) => ReactNode;
  isNumber?: boolean;
  isWide?: boolean;
}

interface Props<Item> {
  name: string;
  items: readonly Item[];
  columns: Column<Item>[];
  keyOf: (item: Item) => string;
  /** True if all items are here, so that they can be sorted. */
  isWhole?: boolean;
  actions?: ReactNode;
  empty?: ReactNode;
}

/** Rows with a title, which can be sorted if they are all here, and saved as CSV and JSON. */
export function Table<Item>({ name, items, columns, keyOf, isWhole, actions, empty }: Props<Item>) {
  const [sorted, setSorted] = useState<{ by: string; isDescending: boolean } | null>(null);
  const column = columns.find((each) => each.name === sorted?.by);
  const shown = column?.value ? [...items].sort(order(column.value, sorted!.isDescending)) : items;
  const change = ({ name, isNumber = false }: Column<Item>) =>
    setSorted(sorted?.by === name ? { by: name, isDescending: !sorted.isDescending } : { by: name, isDescending: isNumber });
  const exported = () => shown.map((item) => rowOf(item, columns));
  return (
    <section className="card" aria-label={name}>
      <header>
        <h2>{name}</h2>
        {actions}
        {items.length > 0 && <ExportMenu name={name} rows={exported} />}
      </header>
      {items.length === 0 ? (
        (empty ?? <Empty title="Nothing here yet." />)
      ) : (
        <div className="scroll" tabIndex={0} role="region" aria-label={`${name}, table`}>
          <table>
            <thead>
              <tr>
                {columns.map((each) => (
                  <th
                    key={each.name}
                    className={each.isNumber ? "number" : undefined}
                    aria-sort={sorted?.by === each.name ? (sorted.isDescending ? "descending" : "ascending") : undefined}
                  >
                    {isWhole && each.value ? (
                      <button type="button" onClick={() => change(each)}>
                        {each.name}
                        <span aria-hidden="true">{sorted?.by === each.name ? (sorted.isDescending ? " ↓" : " ↑") : ""}</span>
                      </button>
                    ) : (
                      each.name || <span className="hidden-text">Actions</span>
                    )}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.map((item) => (
                <tr key={keyOf(item)}>
                  {columns.map((each) => (
                    <td key={each.name} className={each.isNumber ? "number" : each.isWide ? "wide" : undefined}>
                      {each.show ? each.show(item) : text(each.value?.(item))}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function rowOf<Item>(item: Item, columns: Column<Item>[]): Row {
  const known = columns.filter(({ value }) => value !== undefined);
  return Object.fromEntries(known.map(({ name, value }) => [name, value!(item) ?? null]));
}

function text(value: unknown): string {
  return value === null || value === undefined ? "–" : String(value);
}

/** Numbers and decimal texts by value, other texts by letter, nothing last. */
function order<Item>(value: (item: Item) => unknown, isDescending: boolean) {
  const sign = isDescending ? -1 : 1;
  return (one: Item, other: Item) => {
    const [a, b] = [value(one) ?? null, value(other) ?? null];
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    const [x, y] = [Number(a), Number(b)];
    if (Number.isNaN(x) || Number.isNaN(y)) return sign * String(a).localeCompare(String(b));
    return sign * (x - y);
  };
}
