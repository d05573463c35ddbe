import * as Menu from "@radix-ui/react-dropdown-menu";
import { useState } from "react";
import { CombinedError } from "urql";
import { MOST_ROWS } from "../api/everything.ts";
import { problemOf } from "../api/problems.ts";
import { count } from "../format/numbers.ts";

export type Row = Record<string, unknown>;

interface Props {
  name: string;
  /** What a file contains. */
  contents?: string;
  rows: () => Row[] | Promise<Row[]>;
}

const FORMATS: [string, string, (rows: Row[]) => string][] = [
  ["CSV", "text/csv", csv],
  ["JSON", "application/json", (rows) => JSON.stringify(rows, null, 2)],
];

/** Saves rows as CSV or JSON. */
export function ExportMenu({ name, contents = "What is shown", rows }: Props) {
  const [isBusy, setBusy] = useState(false);
  const [message, setMessage] = useState("");
  const saveAs = async (format: string, type: string, textOf: (rows: Row[]) => string) => {
    setBusy(true);
    setMessage("");
    try {
      const found = await rows();
      save(`${name}.${format.toLowerCase()}`, type, textOf(found));
      if (found.length >= MOST_ROWS) setMessage(`The file has the first ${count(found.length)} rows. Filter to get others.`);
    } catch (error) {
      setMessage(error instanceof CombinedError ? wordsOf(error) : String(error));
    }
    setBusy(false);
  };
  return (
    <>
      <Menu.Root modal={false}>
        <Menu.Trigger asChild>
          <button type="button" className="button small" aria-label={`Export ${name}`} disabled={isBusy}>{isBusy ? "Reading …" : "Export"}</button>
        </Menu.Trigger>
        <Menu.Portal>
          <Menu.Content className="menu-list" align="end" sideOffset={4}>
            <Menu.Label>{contents}</Menu.Label>
            {FORMATS.map(([format, type, textOf]) => (
              <Menu.Item key={format} onSelect={() => void saveAs(format, type, textOf)}>{format}</Menu.Item>
            ))}
          </Menu.Content>
        </Menu.Portal>
      </Menu.Root>
      {message && <em role="alert">{message}</em>}
    </>
  );
}

function wordsOf(error: CombinedError): string {
  const { message, advice = "" } = problemOf(error);
  return `${message} ${advice}`;
}

function save(name: string, type: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name.toLowerCase().replace(/[^\w.]+/g, "-");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** RFC 4180. A text that a spreadsheet would take for a formula gets an apostrophe. */
export function csv(rows: Row[]): string {
  const names = Object.keys(rows[0] ?? {});
  const lines = [names, ...rows.map((row) => names.map((name) => row[name]))];
  return lines.map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  const isNumber = text.trim() !== "" && Number.isFinite(Number(text));
  const safe = !isNumber && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
