import { useId } from "react";

interface Props {
  label: string;
  name: string;
  initial?: string;
  type?: string;
  required?: boolean;
  isLong?: boolean;
  error?: string | undefined;
}

/** A text of a form, with what is wrong with it. */
export function TextField({ label, name, initial = "", type = "text", required = false, isLong = false, error }: Props) {
  const id = useId();
  const shared = { id, name, required, defaultValue: initial, className: "input", "aria-invalid": error !== undefined, "aria-describedby": `${id}-error` };
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {isLong ? <textarea {...shared} /> : <input type={type} autoComplete="off" {...shared} />}
      <em id={`${id}-error`} role="alert">{error}</em>
    </div>
  );
}
