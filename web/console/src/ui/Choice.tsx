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
