import * as Menu from "@radix-ui/react-dropdown-menu";

export type Row = Record<string, unknown>;

/** Saves rows as CSV or JSON. */
export function ExportMenu({ name, rows }: { name: string; rows: () => Row[] }) {
  return (
    <Menu.Root modal={false}>
      <Menu.Trigger asChild>
        <button type="button" className="button small" aria-label={`Export ${name}`}>Export</button>
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Content className="menu-list" align="end" sideOffset={4}>
          <Menu.Item onSelect={() => save(`${name}.csv`, "text/csv", csv(rows()))}>CSV</Menu.Item>
          <Menu.Item onSelect={() => save(`${name}.json`, "application/json", JSON.stringify(rows(), null, 2))}>
            JSON
          </Menu.Item>
        </Menu.Content>
      </Menu.Portal>
    </Menu.Root>
  );
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
