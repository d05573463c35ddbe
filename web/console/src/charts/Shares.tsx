interface Share {
  name: string;
  count: number;
  color: string;
}

/** How a whole is made up, as one bar; each part says what it is on hover. */
export function Shares({ of, label }: { of: Share[]; label: string }) {
  return (
    <div className="shares" role="img" aria-label={`${label}: ${of.map(({ name, count }) => `${count} ${name}`).join(", ")}`}>
      {of.map(({ name, count, color }) => (
        <i key={name} style={{ flexGrow: count, background: color }} title={`${count} ${name}`} />
      ))}
    </div>
  );
}
