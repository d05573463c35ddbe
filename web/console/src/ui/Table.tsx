import type { ReactNode } from "react";
import { MOST_ROWS } from "../api/everything.ts";
import { count } from "../format/numbers.ts";
import { ExportMenu, type Row } from "./ExportMenu.tsx";
import { More } from "./More.tsx";
import type { Pages } from "./usePages.ts";
import { type Sort, useSort } from "./useSort.ts";

export interface Column<Item> {
  name: string;
  /** The value that is exported and sorted by; a column without one is neither. */
  value?: (item: Item) => unknown;
  /** The unit of the value, for files. */
  unit?: string;
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
  /** The parameter of the address with the order; given if all items are here. */
  sortParam?: string;
  /** The pages that items are of; given if there may be more than these. */
  pages?: Pages<unknown, Item>;
  /** What files contain, if that is not what is shown. */
  file?: { contents: string; read: () => Promise<readonly Item[]> };
  actions?: ReactNode;
  empty: ReactNode;
}

/** Rows with a title, which can be sorted if they are all here, and saved as CSV and JSON. */
export function Table<Item>({ name, items, columns, keyOf, sortParam, pages, file, actions, empty }: Props<Item>) {
  const [sort, setSort] = useSort(sortParam ?? "sort");
  const shown = sortParam === undefined ? items : sorted(items, columns, sort);
  const readAll = file?.read ?? pages?.readAll;
  const exported = async () => (readAll ? await readAll() : shown).map((item) => rowOf(item, columns));
  return (
    <section className="card" aria-label={name}>
      <header>
        <h2>{name}</h2>
        {actions}
        {items.length > 0 && <ExportMenu name={name} rows={exported} contents={file?.contents ?? contentsOf(items.length, pages)} />}
      </header>
      {items.length === 0 ? (
        empty
      ) : (
        <div className="scroll" tabIndex={0} role="region" aria-label={`${name}, table`}>
          <table>
            <thead>
              <tr>
                {columns.map((each) => (
                  <Head key={each.name} of={each} sort={sort} {...(sortParam !== undefined && { onSort: setSort })} />
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
      {pages?.hasMore && <footer><More of={pages} /></footer>}
    </section>
  );
}

interface HeadProps<Item> {
  of: Column<Item>;
  sort: Sort | null;
  onSort?: (sort: Sort) => void;
}

function Head<Item>({ of: { name, value, isNumber = false }, sort, onSort }: HeadProps<Item>) {
  const isSorted = sort?.by === name && onSort !== undefined;
  const isDescending = isSorted ? !sort.isDescending : isNumber; // after the next click
  return (
    <th className={isNumber ? "number" : undefined} aria-sort={isSorted ? (sort.isDescending ? "descending" : "ascending") : undefined}>
      {onSort && value ? (
        <button type="button" onClick={() => onSort({ by: name, isDescending })}>
          {name}
          <span aria-hidden="true">{isSorted ? (sort.isDescending ? " ↓" : " ↑") : ""}</span>
        </button>
      ) : (
        name || <span className="hidden-text">Actions</span>
      )}
    </th>
  );
}

function contentsOf(shown: number, pages: Pages<unknown, unknown> | undefined): string {
  if (!pages?.hasMore) return shown === 1 ? "1 row" : `All ${count(shown)} rows`;
  return `All rows, at most ${count(MOST_ROWS)}`;
}

function rowOf<Item>(item: Item, columns: Column<Item>[]): Row {
  const known = columns.filter(({ value }) => value !== undefined);
  return Object.fromEntries(known.map(({ name, unit, value }) => [unit ? `${name} (${unit})` : name, value!(item) ?? null]));
}

function text(value: unknown): string {
  return value === null || value === undefined ? "–" : String(value);
}

function sorted<Item>(items: readonly Item[], columns: Column<Item>[], sort: Sort | null): readonly Item[] {
  const value = columns.find(({ name }) => name === sort?.by)?.value;
  return value ? [...items].sort(order(value, sort!.isDescending)) : items;
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
