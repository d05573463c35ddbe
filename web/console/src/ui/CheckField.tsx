/** A yes or no of a form: the field is absent for no. */
export function CheckField({ label, name, initial }: { label: string; name: string; initial: boolean }) {
  return (
    <label className="check">
      <input type="checkbox" name={name} defaultChecked={initial} />
      {label}
    </label>
  );
}
