/** Names of colours. */
export function Legend({ of }: { of: { name: string; color: string }[] }) {
  return (
    <p className="legend">
      {of.map(({ name, color }) => (
        <span key={name}><i style={{ background: color }} />{name}</span>
      ))}
    </p>
  );
}
