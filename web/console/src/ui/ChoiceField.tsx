import { useId } from "react";

interface Props {
  label: string;
  name: string;
  options: readonly (readonly [string, string])[];
  initial: string;
  onChange?: (value: string) => void;
  error?: string | undefined;
}

/** A choice of a form, with what is wrong with it. */
export function ChoiceField({ label, name, options, initial, onChange, error }: Props) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select id={id} name={name} className="select" defaultValue={initial} aria-describedby={`${id}-error`} onChange={({ target }) => onChange?.(target.value)}>
        {options.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
      </select>
      <em id={`${id}-error`} role="alert">{error}</em>
    </div>
  );
}
