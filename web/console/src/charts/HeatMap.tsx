import { score } from "../format/numbers.ts";

interface Props {
  label: string;
  rows: { key: string; name: string }[];
  columns: { key: string; name: string }[];
  valueOf: (row: string, column: string) => number | undefined;
}

/** Values from 0 to 100 by two things; the lower, the deeper the colour. */
export function HeatMap({ label, rows, columns, valueOf }: Props) {
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={label}>
      <table className="heat">
        <thead>
          <tr>
            <th><span className="hidden-text">Dream</span></th>
            {columns.map(({ key, name }) => (
              <th key={key} scope="col"><span title={name}>{name}</span></th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.key}>
              <th scope="row" title={row.name}>{row.name}</th>
              {columns.map((column) => {
                const value = valueOf(row.key, column.key);
                return <td key={column.key} style={shade(value)}>{value !== undefined && <span>{score(value)}</span>}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function shade(value: number | undefined) {
  if (value === undefined) return undefined;
  const share = Math.round((100 - value) * 0.45);
  return { background: `color-mix(in srgb, var(--accent) ${share}%, var(--raised))` };
}
