/** A JSON value; nothing for an empty one. */
export function Json({ label, value }: { label: string; value: unknown }) {
  const isEmpty = value === null || (typeof value === "object" && Object.keys(value!).length === 0);
  if (isEmpty) return null;
  return (
    <section>
      <h3>{label}</h3>
      <pre tabIndex={0}>{JSON.stringify(value, null, 2)}</pre>
    </section>
  );
}
