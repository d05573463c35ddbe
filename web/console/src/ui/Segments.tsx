interface Props<Name extends string> {
  label: string;
  options: readonly (readonly [Name, string])[];
  value: Name;
  onChange: (name: Name) => void;
}

/** A choice of a few, all of them shown. */
export function Segments<Name extends string>({ label, options, value, onChange }: Props<Name>) {
  return (
    <div className="segments" role="group" aria-label={label}>
      {options.map(([name, text]) => (
        <button key={name} type="button" aria-pressed={name === value} onClick={() => onChange(name)}>
          {text}
        </button>
      ))}
    </div>
  );
}
