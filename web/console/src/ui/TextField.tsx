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
  const shared = { name, required, defaultValue: initial, className: "input", "aria-invalid": error !== undefined };
  return (
    <label className="field">
      <span>{label}</span>
      {isLong ? <textarea {...shared} /> : <input type={type} autoComplete="off" {...shared} />}
      {error && <em role="alert">{error}</em>}
    </label>
  );
}
